"""How many cases each owner has, beside the guide of its area: counts without a person, and never a limit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, TypeAlias

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference

Position: TypeAlias = pb.Position.ValueType

UNSETTLED = (pb.OWNERSHIP_STATE_INTERIM, pb.OWNERSHIP_STATE_DISPUTED)
CUSTODY = (pb.POSITION_CUSTODY_REMAND, pb.POSITION_CUSTODY_SENTENCED)
# What anybody may read tells of no small cell.
STEP = 5


class Held(NamedTuple):
    """A live case at an instant."""

    ownership: pb.Ownership
    position: Position


def guides(reference: Reference, at: datetime) -> Mapping[str, int]:
    """Every OCU, in the order of the file."""
    planned = {
        ocu: row.number("planned") for row in reference.rows("areas", at=at) for ocu in row.texts("ocus")
    }
    return {row.id: planned.get(row.id, 0) for row in reference.rows("ocus", at=at)}


def caseloads(cases: Iterable[Held], guides: Mapping[str, int]) -> Iterator[pb.Caseload]:
    held = list(cases)
    total = Counter(case.ownership.owner for case in held)
    unsettled = Counter(case.ownership.owner for case in held if case.ownership.state in UNSETTLED)
    inside = Counter(case.ownership.owner for case in held if case.position in CUSTODY)
    proposed = Counter(case.ownership.proposed_owner for case in held)
    others = sorted({*total, *proposed} - {*guides, ""})
    for owner in (*guides, *others):
        yield pb.Caseload(
            owner=owner,
            cases=total[owner],
            unsettled=unsettled[owner],
            in_custody=inside[owner],
            proposed=proposed[owner],
            guide=guides.get(owner, 0),
        )


def rounded(count: int) -> int:
    """To the nearest five: two cells more or less cannot be told apart."""
    return STEP * ((count + STEP // 2) // STEP)
