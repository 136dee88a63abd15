"""The register as its topic tells it: who is flagged, how old that is, and whether it is whole."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ppo.flagging.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from services.people.flags import DIGESTS, Span, contribution, flagged_at, next_turn
from services.people.screening import FlaggedSet, screen

LONG_AGO = datetime.min.replace(tzinfo=UTC)
# A clock moved back by more than this makes all that had turned turn again; less is only its trembling.
TREMBLE = timedelta(seconds=1)


@dataclass
class Copy:
    """The flags of one register (an epoch), held against what its watermarks say of them."""

    flags: dict[str, events.Flag] = field(default_factory=dict)
    marks: dict[int, events.Watermark] = field(default_factory=dict)
    # Partitions with a record that could not be read since their last watermark.
    damaged: set[int] = field(default_factory=set)
    # Up to which version states are counted; those above it wait in `_ahead`, with all that came between.
    level: int = 0
    _settled: dict[str, events.Flag] = field(default_factory=dict)
    _ahead: dict[str, list[events.Flag]] = field(default_factory=dict)
    _count: int = 0
    _digest: int = 0

    def apply(self, flag: events.Flag) -> bool:
        """Over a lower version only; False where it changes nothing."""
        held = self.flags.get(flag.nominal_id)
        if held is not None and held.version >= flag.version:
            return False
        self.flags[flag.nominal_id] = flag
        self._ahead.setdefault(flag.nominal_id, []).append(flag)
        self._settle(flag.nominal_id)
        return True

    def erase(self, nominal_id: str) -> None:
        self.flags.pop(nominal_id, None)
        self._ahead.pop(nominal_id, None)
        self._replace(nominal_id, None)

    def mark(self, watermark: events.Watermark, partitions: int) -> None:
        held = self.marks.get(watermark.partition)
        if held is not None and _reach(held) > _reach(watermark):
            return
        self.marks[watermark.partition] = watermark
        self.damaged.discard(watermark.partition)
        if self.marked(partitions):
            self.level = self.lowest.version
            for nominal_id in [*self._ahead]:
                self._settle(nominal_id)

    def marked(self, partitions: int) -> bool:
        return 0 < partitions == len(self.marks)

    @property
    def lowest(self) -> events.Watermark:
        """The last watermark that every partition has reached."""
        return min(self.marks.values(), key=_reach)

    def whole(self, partitions: int) -> bool:
        if self.damaged or not self.marked(partitions):
            return False
        lowest = self.lowest
        return (self._count, self._digest) == (lowest.flagged_count, lowest.flagged_digest)

    def contents(self) -> list[events.Flag | events.Watermark]:
        """Of each person the state that is counted before those that wait."""
        ahead = (flag for states in self._ahead.values() for flag in states)
        marks = (mark for partition, mark in self.marks.items() if partition not in self.damaged)
        return [*self._settled.values(), *ahead, *marks]

    def _settle(self, nominal_id: str) -> None:
        states = self._ahead.pop(nominal_id)
        reached = [flag for flag in states if flag.version <= self.level]
        if reached:
            self._replace(nominal_id, reached[-1])
        if len(reached) < len(states):
            self._ahead[nominal_id] = states[len(reached) :]

    def _replace(self, nominal_id: str, flag: events.Flag | None) -> None:
        self._add(self._settled.pop(nominal_id, None), -1)
        if flag is not None:
            self._settled[nominal_id] = flag
            self._add(flag, 1)

    def _add(self, flag: events.Flag | None, sign: int) -> None:
        if flag is not None and flag.state == screening_pb2.FLAG_STATE_FLAGGED:
            self._count += sign
            self._digest = (self._digest + sign * contribution(flag.nominal_id, flag.version)) % DIGESTS


class Replica:
    """Fed record by record, in each partition's order; asks nobody, so it answers when all else is down."""

    def __init__(self) -> None:
        # How many partitions the topic has; 0 until that is known, and nothing is whole before.
        self.partitions = 0
        # How many flags have been taken in: another number is another content.
        self.changes = 0
        self._copies: dict[str, Copy] = {}
        self._current = Copy()
        self._flagged = FlaggedSet()
        # Whose place in `_flagged` is to be looked at again, and when time alone will make it so.
        self._stale: set[str] = set()
        self._turns: list[tuple[datetime, str]] = []
        self._asked = LONG_AGO

    # ---- what it is told

    def apply(self, flag: events.Flag) -> None:
        copy = self._copies.setdefault(flag.epoch, Copy())
        if copy.apply(flag):
            self.changes += 1
            self._stale.add(flag.nominal_id)
            self._choose()

    def erase(self, nominal_id: str) -> None:
        for copy in self._copies.values():
            copy.erase(nominal_id)
        self.changes += 1
        self._stale.add(nominal_id)

    def mark(self, watermark: events.Watermark) -> None:
        self._copies.setdefault(watermark.epoch, Copy()).mark(watermark, self.partitions)
        self._choose()

    def damage(self, partition: int) -> None:
        """A record there could not be read: what it said is missing until a later watermark agrees."""
        self._current.damaged.add(partition)

    def clear(self) -> None:
        self._copies = {}
        self._current = Copy()
        self._start_anew()

    def restore(self, contents: Iterable[events.Flag | events.Watermark]) -> None:
        for message in contents:
            if isinstance(message, events.Flag):
                self.apply(message)
            else:
                self.mark(message)

    def contents(self) -> list[events.Flag | events.Watermark]:
        """What restores it."""
        return [message for copy in self._copies.values() for message in copy.contents()]

    def _choose(self) -> None:
        """The register with the latest watermark is the register; those that it replaced are forgotten."""
        chosen = max(self._copies.values(), key=_latest)
        if chosen is self._current:
            return
        self._copies = {
            epoch: copy for epoch, copy in self._copies.items() if copy is chosen or not copy.marks
        }
        self._current = chosen
        self._start_anew()

    # ---- what it says

    def __len__(self) -> int:
        """How many persons it knows, flagged now or not."""
        return len(self._current.flags)

    @property
    def version(self) -> int:
        return self._current.level

    @property
    def whole(self) -> bool:
        return self._current.whole(self.partitions)

    @property
    def time(self) -> datetime | None:
        """How old it is: the register's time at its oldest watermark; None where a partition has none yet."""
        if not self._current.marked(self.partitions):
            return None
        return min(_time(mark) for mark in self._current.marks.values())

    def flag(self, nominal_id: str) -> events.Flag | None:
        """The flag of the nominal, or of the one that it was merged into."""
        flag = self._current.flags.get(nominal_id)
        seen: set[str] = set()
        while flag is not None and flag.state == screening_pb2.FLAG_STATE_MERGED_INTO:
            seen.add(flag.nominal_id)
            flag = None if flag.merged_into in seen else self._current.flags.get(flag.merged_into)
        return flag

    def known_as(self, nominal_ids: Iterable[str]) -> frozenset[str]:
        """With those that they were merged into: what was said of the one was said of the person."""
        living = ((nominal_id, self.flag(nominal_id)) for nominal_id in nominal_ids)
        pairs = ((nominal_id, flag.nominal_id if flag else nominal_id) for nominal_id, flag in living)
        return frozenset(one for pair in pairs for one in pair)

    def screen(
        self, given: person_pb2.Person, *, fingerprint: bool, now: datetime, false_alarms: float
    ) -> screening_pb2.Screening:
        """FLAGGED, POSSIBLE or UNKNOWN with its reason; never NOT_FLAGGED."""
        answer = screen(
            given,
            fingerprint=fingerprint,
            flagged=self.flagged(now),
            holders=list(self._merged(given)),
            authoritative=False,
            false_alarms=false_alarms,
        )
        answer.register_version = self.version
        if self.time is not None:
            answer.register_time.FromDatetime(self.time)
        return answer

    def flagged(self, now: datetime) -> FlaggedSet:
        """Those who are flagged at `now`."""
        if now + TREMBLE < self._asked:
            self._start_anew()
        self._asked = now
        while self._turns and self._turns[0][0] <= now:
            self._stale.add(heapq.heappop(self._turns)[1])
        while self._stale:
            self._place(self._stale.pop(), now)
        return self._flagged

    def _place(self, nominal_id: str, now: datetime) -> None:
        flag = self._current.flags.get(nominal_id, events.Flag())
        episode = next((each for each in _episodes(flag) if flagged_at(now, [_span(each)])), None)
        if episode is None:
            self._flagged.drop(nominal_id)
        else:
            self._flagged.put(_candidate(flag, episode), flag.merged_persons)
        turn = next_turn(now, spans(flag))
        if turn is not None:
            heapq.heappush(self._turns, (turn, nominal_id))

    def _merged(self, given: person_pb2.Person) -> Iterator[tuple[str, person_pb2.Person]]:
        """Whom the nominal ids of merged nominals mean now."""
        for identifier in given.identifiers:
            if identifier.kind == person_pb2.IDENTIFIER_KIND_NOMINAL_ID:
                flag = self.flag(identifier.value)
                if flag is not None and flag.nominal_id != identifier.value:
                    yield from ((flag.nominal_id, each) for each in (flag.person, *flag.merged_persons))

    def _start_anew(self) -> None:
        self._flagged = FlaggedSet()
        self._turns = []
        self._stale = set(self._current.flags)
        self._asked = LONG_AGO


def spans(flag: events.Flag) -> list[Span]:
    """When the person is flagged."""
    return [_span(episode) for episode in _episodes(flag)]


def _episodes(flag: events.Flag) -> list[events.Episode]:
    """None where the state is one that this code does not know: then nothing is known of the person."""
    known = (screening_pb2.FLAG_STATE_FLAGGED, screening_pb2.FLAG_STATE_NOT_FLAGGED)
    return list(flag.episodes) if flag.state in known else []


def _span(episode: events.Episode) -> Span:
    end = episode.effective_end_time.ToDatetime(UTC) if episode.HasField("effective_end_time") else None
    return episode.effective_start_time.ToDatetime(UTC), end


def _candidate(flag: events.Flag, episode: events.Episode) -> screening_pb2.Candidate:
    return screening_pb2.Candidate(
        nominal_id=flag.nominal_id,
        person=flag.person,
        strand=episode.strand,
        nominating_ocu=episode.nominating_ocu,
        version=flag.version,
    )


def _reach(watermark: events.Watermark) -> tuple[int, datetime]:
    return watermark.version, _time(watermark)


def _time(watermark: events.Watermark) -> datetime:
    return watermark.register_time.ToDatetime(UTC)


def _latest(copy: Copy) -> tuple[datetime, int]:
    """Before any watermark has come, the register of which more is known."""
    return max(map(_time, copy.marks.values()), default=LONG_AGO), len(copy.flags)
