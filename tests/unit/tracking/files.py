"""What is recorded of a person, each fact as it is told; registered since 23 November 2004, by D3."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from google.protobuf.message import Message
from google.type.date_pb2 import Date

from ppo.custody.v1 import events_pb2 as custody
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference
from services.tracking.casefile import CaseFile, Entry
from services.tracking.explaining import explained
from tests.integration.tracking.running import Ppo, stamp
from tests.servers import REFERENCE

BIRMINGHAM = Reference.load(REFERENCE)
REGISTERED = datetime(2004, 11, 23, 14, tzinfo=UTC)
NOW = datetime(2004, 12, 31, 21, tzinfo=UTC)
_SERIALS = count()


def on(month: int, day: int, hour: int = 9, year: int = 2004) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def entry(message: Message, at: datetime, recorded: datetime | None = None) -> Entry:
    return Entry(f"{message.DESCRIPTOR.name} {next(_SERIALS)}", message, at, recorded or at)


def lives(
    ocu: str,
    at: datetime,
    kind: pb.ResidenceKind.ValueType = pb.RESIDENCE_KIND_HOME,
    *,
    handover: datetime | None = None,
    recorded: datetime | None = None,
) -> Entry:
    told = pb.SetResidenceRequest(kind=kind, ocu=ocu, effective_time=stamp(at))
    if handover:
        told.handover_time.CopyFrom(stamp(handover))
    return entry(told, at, recorded)


def arrested(suite: str, at: datetime, recorded: datetime | None = None) -> Entry:
    arrest = custody.PpoArrested(
        detention_id=f"detention {next(_SERIALS)}",
        suite_id=suite,
        arrested_time=stamp(at),
        recorded_time=stamp(recorded or at),
    )
    return entry(arrest, at, recorded)


def received(at: datetime, prison: str = "BMI", recorded: datetime | None = None) -> Entry:
    return _moved(movement_pb2.MOVEMENT_KIND_RECEPTION, "I", prison, at, recorded)


def released(at: datetime, prison: str = "BMI", recorded: datetime | None = None) -> Entry:
    return _moved(movement_pb2.MOVEMENT_KIND_RELEASE, "CR", prison, at, recorded)


def _moved(
    kind: movement_pb2.MovementKind.ValueType, code: str, prison: str, at: datetime, recorded: datetime | None
) -> Entry:
    moved = movement_pb2.Movement(
        movement_id=f"movement {next(_SERIALS)}",
        kind=kind,
        reason_code=code,
        prison_id=prison,
        occurred_time=stamp(at),
    )
    return Entry(moved.movement_id, moved, at, recorded or at)


def planned(release: Date, ocu: str, at: datetime) -> Entry:
    return entry(pb.PlanReleaseRequest(release_date=release, ocu=ocu), at)


def disputed(ocu: str, at: datetime) -> Entry:
    return entry(pb.RaiseDisputeRequest(ocu=ocu, reason="offends here alone"), at)


def decided(ocu: str, at: datetime, forum: str = "forum-d3-north") -> Entry:
    return entry(pb.DecideDisputeRequest(ocu=ocu, forum_id=forum), at)


def casefile(*entries: Entry, **ppo: Any) -> CaseFile:
    registered: dict[str, Any] = {"ocu": "D3", "start": REGISTERED}
    return CaseFile(Ppo(**(registered | ppo)).flag(), entries, BIRMINGHAM)


def told(
    file: CaseFile, at: datetime | None = None, now: datetime = NOW, known_at: datetime | None = None
) -> pb.ExplainOwnershipResponse:
    return explained(file, [], at or now, now, known_at)
