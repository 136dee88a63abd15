"""When a person is flagged, and the digest that tells whether two flagged sets are the same."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

Span = tuple[datetime, datetime | None]

# Watermark.flagged_digest is the sum of all contributions, in any order, modulo this.
DIGESTS = 2**64


def contribution(nominal_id: str, version: int) -> int:
    return int.from_bytes(sha256(f"{nominal_id}/{version}".encode()).digest()[:8], "big")


def flagged_at(instant: datetime, spans: Iterable[Span]) -> bool:
    """Whether one of the [start, end) spans holds the instant."""
    return any(start <= instant and (end is None or instant < end) for start, end in spans)


def next_turn(instant: datetime, spans: Iterable[Span]) -> datetime | None:
    """The next instant at which time alone may change the answer of flagged_at."""
    ends = (edge for span in spans for edge in span if edge is not None and edge > instant)
    return min(ends, default=None)
