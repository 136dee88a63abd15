"""`ppo bench`: what the suite is measured by. A bench asserts nothing, and leaves nothing behind."""
