"""Streams of rows, taken in batches: what is refused is reported and the rest goes on."""
