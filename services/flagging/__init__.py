"""The police nominal index and the PPO register: who is a PPO, since when, by whose decision."""
