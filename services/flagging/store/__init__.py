"""Every query of the service, a file per subject; transactions are opened by the caller."""
