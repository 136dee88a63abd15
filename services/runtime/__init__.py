"""How a process runs: settings, clock, server, database, event log, cache, identity, telemetry; no domain word."""
