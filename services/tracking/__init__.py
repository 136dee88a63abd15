"""Where each PPO is in the justice process, whose case it is, and every notice to every agency."""
