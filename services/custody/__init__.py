"""Custody records of the suites, and every answer given there."""
