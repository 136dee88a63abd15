"""A register as its topic tells it: flags, watermarks, and their way through the partitions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ppo.flagging.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from services.people.flags import DIGESTS, contribution
from tests import builders

NOW = datetime(2004, 12, 31, 20, tzinfo=UTC)
DAY = timedelta(days=1)
EPOCH = "epoch-1"

Record = events.Flag | events.Watermark


def flag(
    nominal_id: str = "n1",
    version: int = 1,
    person: person_pb2.Person | None = None,
    *,
    flagged: bool = True,
    start: datetime = NOW - DAY,
    end: datetime | None = None,
    epoch: str = EPOCH,
) -> events.Flag:
    """The state of one person; `end` is the end of its one episode, which lies behind where not flagged."""
    state = screening_pb2.FLAG_STATE_FLAGGED if flagged else screening_pb2.FLAG_STATE_NOT_FLAGGED
    made = events.Flag(
        nominal_id=nominal_id, version=version, state=state, person=person or builders.person(), epoch=epoch
    )
    episode = made.episodes.add(nominating_ocu="D3", strand=screening_pb2.STRAND_CATCH_AND_CONVICT)
    episode.effective_start_time.FromDatetime(start)
    if not flagged or end is not None:
        episode.effective_end_time.FromDatetime(end or NOW - timedelta(hours=1))
    return made


def merged(nominal_id: str, into: str, version: int) -> events.Flag:
    state = screening_pb2.FLAG_STATE_MERGED_INTO
    return events.Flag(nominal_id=nominal_id, version=version, state=state, merged_into=into, epoch=EPOCH)


def watermark(
    partition: int = 0,
    version: int = 1,
    flagged: Iterable[tuple[str, int]] = (),
    *,
    epoch: str = EPOCH,
    at: datetime = NOW,
) -> events.Watermark:
    held = list(flagged)
    made = events.Watermark(
        partition=partition,
        version=version,
        epoch=epoch,
        flagged_count=len(held),
        flagged_digest=sum(contribution(*one) for one in held) % DIGESTS,
    )
    made.register_time.FromDatetime(at)
    return made


@dataclass
class Register:
    """Changes one by one, each told on its person's partition; watermarks go to all."""

    partitions: int
    version: int = 0
    flags: dict[str, events.Flag] = field(default_factory=dict)
    told: list[list[Record]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.told = [[] for _ in range(self.partitions)]

    def set(self, nominal: int, *, flagged: bool) -> None:
        self.version += 1
        made = flag(f"n{nominal}", self.version, flagged=flagged)
        self.flags[made.nominal_id] = made
        self.told[nominal % self.partitions].append(made)

    def mark(self) -> None:
        for partition in range(self.partitions):
            at = NOW + timedelta(seconds=len(self.told[partition]))
            self.told[partition].append(watermark(partition, self.version, self.flagged(), at=at))

    def flagged(self) -> list[tuple[str, int]]:
        flagged = screening_pb2.FLAG_STATE_FLAGGED
        return [(one.nominal_id, one.version) for one in self.flags.values() if one.state == flagged]


def hurried(records: Sequence[Record], ahead: int) -> list[Record]:
    """The same with each watermark behind up to `ahead` flags that were made after it."""
    behind = list(records)
    for place in range(len(behind) - 1, -1, -1):
        if isinstance(behind[place], events.Watermark):
            mark = behind.pop(place)
            end = place
            while end < len(behind) and end < place + ahead and isinstance(behind[end], events.Flag):
                end += 1
            behind.insert(end, mark)
    return behind
