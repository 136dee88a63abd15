"""What was found out later about whose case it had been: two histories held against each other."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from ppo.tracking.v1 import tracking_pb2 as pb
from services.people.flags import Span, flagged_at

# What is known within a minute is news, and corrects nothing: movements and hand-overs take seconds.
SOON = timedelta(minutes=1)


@dataclass(frozen=True)
class Period:
    """An ownership from its start on, as it was recorded."""

    start: datetime
    ownership: pb.Ownership
    recorded: datetime
    superseded: datetime | None = None


def known(periods: Iterable[Period], at: datetime) -> list[Period]:
    """The history as it stood at an instant, in its order."""
    standing = (
        one for one in periods if one.recorded <= at and (one.superseded is None or at < one.superseded)
    )
    return sorted(standing, key=lambda one: one.start)


def all_of(periods: Sequence[Period]) -> list[pb.OwnershipCorrection]:
    """Every one that was ever made, the first first."""
    times = {one.recorded for one in periods} | {one.superseded for one in periods if one.superseded}
    return [correction for at in sorted(times) for correction in between(_before(periods, at), periods, at)]


def between(
    before: Sequence[Period], after: Sequence[Period], recorded: datetime
) -> Iterator[pb.OwnershipCorrection]:
    """The stretches of what had passed when it was recorded that are somebody else's now."""
    after = known(after, recorded)
    starts = sorted({one.start for one in (*before, *after) if one.start < recorded})
    edges = pairwise([*starts, recorded] if before else [])
    changed = [(start, end, _at(before, start), _at(after, start)) for start, end in edges]
    for (was, now), stretch in groupby(changed, key=lambda one: (one[2].owner, one[3].owner)):
        parts = list(stretch)
        start, end = parts[0][0], parts[-1][1]
        if was != now and end - start >= SOON:
            yield _correction(start, parts[0][2], parts[0][3], end, recorded)


def breaches(spans: Collection[Span], history: Sequence[Period], until: datetime) -> int:
    """At how many instants a live registration has no owner, or an owner no registration.

    Whether one is live, and whose it is, changes at the instants that are looked at, and at no other.
    """
    starts = [one.start for one in history]
    edges = {*starts, *(edge for span in spans for edge in span if edge is not None)}
    past = [at for at in edges if at <= until]
    twice = len(starts) - len(set(starts))
    return twice + sum(flagged_at(at, spans) != bool(_at(history, at).owner) for at in past)


def _before(periods: Iterable[Period], at: datetime) -> list[Period]:
    """The history as it stood until then."""
    earlier = (one for one in periods if one.recorded < at)
    standing = (one for one in earlier if one.superseded is None or at <= one.superseded)
    return sorted(standing, key=lambda one: one.start)


def _at(history: Sequence[Period], at: datetime) -> pb.Ownership:
    begun = (one.ownership for one in reversed(history) if one.start <= at)
    return next(begun, pb.Ownership())


def _correction(
    start: datetime, old: pb.Ownership, new: pb.Ownership, end: datetime, recorded: datetime
) -> pb.OwnershipCorrection:
    made = pb.OwnershipCorrection(
        owner_before=old.owner, rule_before=old.rule, owner=new.owner, rule=new.rule
    )
    made.start_time.FromDatetime(start)
    made.recorded_time.FromDatetime(recorded)
    if end < recorded:
        made.end_time.FromDatetime(end)
    return made
