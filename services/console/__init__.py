"""The people's side: the `ppo` command, which holds no data and speaks to the services by their contracts."""
