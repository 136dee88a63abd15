"""What services share of the police's own arrangements, by dated reference data; pure code."""
