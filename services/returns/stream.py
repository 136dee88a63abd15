"""The counts of a month as they come in: nothing is taken until the last of them is there."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell, cell
from services.runtime import validation
from services.runtime.errors import Invalid

# Every part of every breakdown of every measure is far fewer.
MOST_COUNTS = 10_000
# In one transaction.
MOST_RETURNS = 100

Counted: TypeAlias = list[tuple[Cell, int]]


class Counting:
    """What has come so far: the heading, then the counts, and with the last how many there were."""

    def __init__(self) -> None:
        self.counts: Counted = []
        self._opening: pb.RecordReturnRequest | None = None
        self._sent = 0

    @property
    def opening(self) -> pb.RecordReturnRequest:
        if self._opening is None:
            raise Invalid("heading", "is required")
        return self._opening

    @property
    def body(self) -> bytes:
        """The same for the same counts in another order."""
        return _body(self.counts)

    def take(self, request: pb.RecordReturnRequest) -> None:
        validation.check(request)
        if self._sent:
            raise Invalid("counts_sent", "stands on the last message alone")
        if self._opening is None:
            self._open(request)
        else:
            self._add(request)
        self._sent = request.counts_sent

    def close(self) -> None:
        """Raises Invalid for a stream that broke off."""
        if self._opening is None:
            raise Invalid("heading", "is required")
        if self._sent != len(self.counts):
            raise Invalid("counts_sent", f"is {self._sent}, but {len(self.counts)} counts came")

    def _open(self, request: pb.RecordReturnRequest) -> None:
        if not request.HasField("heading") or request.HasField("count"):
            raise Invalid("heading", "is the first message, without a count")
        self._opening = request

    def _add(self, request: pb.RecordReturnRequest) -> None:
        if request.request_id != self.opening.request_id:
            raise Invalid("request_id", "is the same on every message of a stream")
        if request.HasField("heading"):
            raise Invalid("heading", "is the first message alone")
        if request.HasField("count"):
            count = request.count
            self.counts.append((cell(count.measure, count.breakdown, count.category), count.value))
        if len(self.counts) > MOST_COUNTS:
            raise Invalid("count", f"no return has more than {MOST_COUNTS} counts")


async def counted(requests: AsyncIterator[pb.RecordReturnRequest]) -> Counting:
    counting = Counting()
    async for request in requests:
        counting.take(request)
    counting.close()
    return counting


@dataclass
class Several:
    """The returns of several areas that have come so far, each with its counts."""

    opening: pb.RecordReturnsRequest
    returns: list[tuple[pb.Heading, Counted]] = field(default_factory=list)
    sent: int = 0

    @property
    def body(self) -> bytes:
        """The same for the same counts in another order."""
        return b"\n".join(
            heading.SerializeToString(deterministic=True) + _body(counts) for heading, counts in self.returns
        )

    def take(self, request: pb.RecordReturnsRequest) -> None:
        validation.check(request)
        if self.sent:
            raise Invalid("returns_sent", "stands on the last message alone")
        if request.request_id != self.opening.request_id:
            raise Invalid("request_id", "is the same on every message of a stream")
        if request.HasField("heading"):
            self.returns.append((request.heading, []))
        if not self.returns:
            raise Invalid("heading", "is the first message")
        counts = self.returns[-1][1]
        counts += [(cell(one.measure, one.breakdown, one.category), one.value) for one in request.counts]
        if len(counts) > MOST_COUNTS or len(self.returns) > MOST_RETURNS:
            raise Invalid("counts", f"are of at most {MOST_RETURNS} returns with {MOST_COUNTS} each")
        self.sent = request.returns_sent

    def close(self) -> None:
        """Raises Invalid for a stream that broke off."""
        if self.sent != len(self.returns):
            raise Invalid("returns_sent", f"is {self.sent}, but {len(self.returns)} returns came")


async def several(requests: AsyncIterator[pb.RecordReturnsRequest]) -> Several:
    found: Several | None = None
    async for request in requests:
        found = found or Several(request)
        found.take(request)
    if found is None:
        raise Invalid("heading", "is required")
    found.close()
    return found


def _body(counts: Iterable[tuple[Cell, int]]) -> bytes:
    return "\n".join(sorted(f"{cell}={value}" for cell, value in counts)).encode()
