"""A month counted by hand: who was on the list, each person once, whichever nominals were one person then."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ppo.flagging.v1 import flagging_pb2

NOT_KNOWN = flagging_pb2.REMOVAL_REASON_UNSPECIFIED


class Stretch(NamedTuple):
    """A registration in force."""

    registration_id: str
    # Who was registered.
    nominal_id: str
    start: datetime
    end: datetime | None
    strand: int
    nominating_ocu: str
    removal_reason: int = NOT_KNOWN
    merged: bool = False


class Merge(NamedTuple):
    """From when until when a nominal lived on in another."""

    nominal_id: str
    into: str
    merged: datetime
    unmerged: datetime | None = None


class Before(NamedTuple):
    """Somebody who was on the list at the end of the month before."""

    nominal_id: str
    strand: int
    nominating_ocu: str
    # When in the month the register first found that this is another person than was thought, or two.
    changed: datetime | None


class Head(NamedTuple):
    """Somebody who was on the list in the month, or at the end of the month before."""

    nominal_id: str
    # Who this was then: several, where nominals were merged in the month; nobody, where one was unmerged.
    before: Sequence[Before]
    was_on: bool
    at_end: bool
    added: int
    # The reason of each registration that ended in the month, and with it the person's time on the list.
    removals: Sequence[int]
    # The month's last instant, or the last one before the removal.
    snapshot: datetime
    strand: int
    nominating_ocu: str


def heads(
    stretches: Iterable[Stretch], merges: Collection[Merge], start: datetime, end: datetime
) -> list[Head]:
    """A nominal counts as who it was known to be at the month's end, and at the end of the month before."""
    earlier, later = _living(merges, start), _living(merges, end)
    groups: dict[str, list[Stretch]] = defaultdict(list)
    persons: dict[str, list[Stretch]] = defaultdict(list)
    for one in stretches:
        if one.start < end and (one.end is None or one.end >= start):
            groups[_root(later, one.nominal_id)].append(one)
            if one.start < start:
                persons[_root(earlier, one.nominal_id)].append(one)
    before: dict[str, list[Before]] = defaultdict(list)
    for nominal_id, theirs in persons.items():
        last = _last(theirs, start)
        changed = min(_changes(merges, earlier, nominal_id, start, end), default=None)
        became = {_root(later, one.nominal_id) for one in theirs}
        living = _root(later, nominal_id)
        # Of two who were one, the one that lived on was on the list, unless the registration is the other's.
        before[living if living in became else min(became)].append(
            Before(nominal_id, last.strand, last.nominating_ocu, changed)
        )
    return [_head(one, groups[one], before[one], start, end) for one in sorted(groups)]


def _head(
    nominal_id: str, stretches: Sequence[Stretch], before: Sequence[Before], start: datetime, end: datetime
) -> Head:
    last = _last(stretches, end)
    until = max((one.end or end for one in stretches), default=end)
    return Head(
        nominal_id=nominal_id,
        before=sorted(before, key=lambda one: (one.nominal_id != nominal_id, one.nominal_id)),
        was_on=any(one.start < start for one in stretches),
        at_end=any(one.end is None or one.end >= end for one in stretches),
        added=sum(one.start >= start and not _goes_on(one, stretches) for one in stretches),
        removals=[
            one.removal_reason
            for one in stretches
            if one.end is not None and one.end < end and not _goes_on_after(one, stretches)
        ],
        snapshot=min(until, end) - timedelta(microseconds=1),
        strand=last.strand,
        nominating_ocu=last.nominating_ocu,
    )


def _goes_on(one: Stretch, stretches: Iterable[Stretch]) -> bool:
    """Whether the person was on the list already when this began."""
    return any(
        (other.start, other.registration_id) < (one.start, one.registration_id)
        and (other.end is None or other.end > one.start)
        for other in stretches
    )


def _goes_on_after(one: Stretch, stretches: Iterable[Stretch]) -> bool:
    """Whether the person was on the list still when this had ended."""
    return one.end is not None and any(
        other.start < one.end
        and (other.end is None or (other.end, other.registration_id) > (one.end, one.registration_id))
        for other in stretches
    )


def _last(stretches: Iterable[Stretch], end: datetime) -> Stretch:
    """Of those in force last the latest; that of a merge ends because the other one stands."""

    def rank(one: Stretch) -> tuple[datetime, bool, datetime, str]:
        return min(one.end or end, end), not one.merged, one.start, one.registration_id

    return max(stretches, key=rank)


def _living(merges: Iterable[Merge], at: datetime) -> dict[str, str]:
    """Into which each was merged, just before that instant."""
    return {
        one.nominal_id: one.into
        for one in merges
        if one.merged < at and (one.unmerged is None or one.unmerged >= at)
    }


def _root(merged: Mapping[str, str], nominal_id: str) -> str:
    seen = {nominal_id}
    while nominal_id in merged and merged[nominal_id] not in seen:
        nominal_id = merged[nominal_id]
        seen.add(nominal_id)
    return nominal_id


def _changes(
    merges: Iterable[Merge], earlier: Mapping[str, str], nominal_id: str, start: datetime, end: datetime
) -> Iterator[datetime]:
    for one in merges:
        if nominal_id in (_root(earlier, one.nominal_id), _root(earlier, one.into)):
            for instant in (one.merged, one.unmerged):
                if instant is not None and start <= instant < end:
                    yield instant


Cell = tuple[str, str, str]
MEASURES = ("M0", "M1", "M5", "M6", "ADDED", "REMOVED", "NEW_PERSONS", "MOVED", "MERGED")


def counted(
    stretches: Sequence[Stretch],
    merges: Collection[Merge],
    owner: Callable[[str, datetime], str],
    ocus: Collection[str],
    start: datetime,
    end: datetime,
) -> dict[Cell, int]:
    """What the area's return says of its people; `owner`: whose case a nominal's was at an instant."""
    cells: Counter[Cell] = Counter({(measure, "total", ""): 0 for measure in MEASURES})
    just_before = start - timedelta(microseconds=1)
    for head in heads(stretches, merges, start, end):
        whose = owner(head.nominal_id, head.snapshot) or head.nominating_ocu
        here = whose in ocus
        was = [(owner(one.nominal_id, just_before) or one.nominating_ocu) in ocus for one in head.before]
        parted = head.was_on and not head.before
        told = {
            "MERGED": here * parted - sum(was[1:]),
            "MOVED": here - was[0] if was else 0,
            "M0": here * head.at_end,
            "M1": here,
            "M5": here * len(head.removals),
            "REMOVED": here * len(head.removals),
            "M6": here * head.added,
            "ADDED": here * head.added,
            "NEW_PERSONS": here * (not (head.before or parted)),
        }
        for measure, value in told.items():
            cells[measure, "total", ""] += value
        if here:
            cells["M1", "ocu", whose] += 1
    return dict(cells)
