"""How a process runs: settings, clock, server, database, event log, identity; no domain word."""
