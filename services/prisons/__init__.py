"""What prison systems send, as pure code shared by tracking and flagging: events and reason codes."""
