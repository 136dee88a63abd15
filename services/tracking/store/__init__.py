"""Every query of tracking, as functions that take a session."""
