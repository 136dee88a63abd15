"""A case: registered since September 2004, asked about at noon on 1 December, with only what matters said."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.evidence import Areas, Evidence, Existing, Offence, Residence
from services.tracking.ownership import Decision, decide

AT = datetime(2004, 12, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
REGISTERED = datetime(2004, 9, 6, 9, tzinfo=UTC)
OCUS = ("D1", "D2", "D3", "E1", "E2", "E3", "F1", "F2", "F3")
AREAS = Areas(frozenset(OCUS), dict.fromkeys(OCUS, "birmingham-yot"))

HOME, HOSTEL = pb.RESIDENCE_KIND_HOME, pb.RESIDENCE_KIND_HOSTEL
NOWHERE = pb.RESIDENCE_KIND_NO_FIXED_ABODE


def ago(days: float) -> datetime:
    return AT - timedelta(days=days)


def evidence(**given: Any) -> Evidence:
    base: dict[str, Any] = {"areas": AREAS, "registered": ((REGISTERED, None),), "nominating_ocu": "D2"}
    return Evidence(**(base | given))


def lives(area: str, since: float = 400, kind: pb.ResidenceKind.ValueType = HOME, **given: Any) -> Residence:
    return Residence(kind, area, ago(since), **given)


def offends(*areas: str, last: float = 30) -> tuple[Offence, ...]:
    """One offence in each, the last one named the latest, a day apart."""
    return tuple(Offence(area, ago(last + len(areas) - 1 - n)) for n, area in enumerate(areas))


def owns(owner: str, interim: bool = False) -> Existing:
    return Existing(owner, ago(60), interim)


def asked(at: datetime = AT, **given: Any) -> Decision:
    return decide(evidence(**given), at)


def ownership(at: datetime = AT, **given: Any) -> pb.Ownership:
    return asked(at, **given).ownership
