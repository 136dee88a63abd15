"""The whole suite on one machine: real servers, every service, one data directory, nothing left running."""
