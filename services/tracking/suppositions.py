"""Facts that are not so, put beside those that are, to see whose case it would be then. Nothing is stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Invalid
from services.runtime.reference import Reference
from services.tracking.casefile import CaseFile, Entry

# A reception of somebody remanded, and a release at the end of a sentence.
RECEIVED, RELEASED = "N", "CR"
REMOVED = "removed"
# Which table of the reference data a name must stand in.
TABLES = {
    "received_prison_id": "prisons",
    "arrested_suite_id": "suites",
    "disputed_by": "ocus",
    "decided_for": "ocus",
}


def suppose(file: CaseFile, suppositions: Iterable[pb.Supposition], now: datetime) -> CaseFile:
    """The same case file if these were so as well."""
    for place, one in enumerate(suppositions):
        at = one.time.ToDatetime(UTC) if one.HasField("time") else now
        kind = one.WhichOneof("fact")
        if kind is None:
            raise Invalid(f"suppositions[{place}]", "supposes nothing")
        _refuse_unknown(file.reference, f"suppositions[{place}].{kind}", kind, getattr(one, kind), at)
        if kind == REMOVED:
            file = replace(file, flag=_removed(file.flag, at))
        else:
            entry = Entry(f"supposed {place}", _MESSAGES[kind](getattr(one, kind), at, file), at, now)
            file = replace(file, entries=[*file.entries, entry])
    return file


def _refuse_unknown(reference: Reference, field: str, kind: str, told: Any, at: datetime) -> None:
    table = TABLES.get(kind)
    if table and reference.row(table, told, at=at) is None:
        raise Invalid(field, f"{told!r} is none of the {table} of the reference data")
    if kind == "residence" and (told.kind == pb.RESIDENCE_KIND_NO_FIXED_ABODE) == bool(told.ocu):
        raise Invalid(f"{field}.ocu", "is given unless the person has no fixed abode")


def _removed(flag: flagging.Flag, at: datetime) -> flagging.Flag:
    ended = flagging.Flag()
    ended.CopyFrom(flag)
    for episode in ended.episodes:
        if not episode.HasField("effective_end_time") or episode.effective_end_time.ToDatetime(UTC) > at:
            episode.effective_end_time.FromDatetime(at)
    return ended


def _residence(told: pb.SupposedResidence, at: datetime, _: CaseFile) -> Message:
    made = pb.SetResidenceRequest(kind=told.kind, ocu=told.ocu)
    if told.HasField("handover_time"):
        made.handover_time.CopyFrom(told.handover_time)
    return made


def _movement(
    kind: movement_pb2.MovementKind.ValueType, code: str, prison: str, at: datetime
) -> movement_pb2.Movement:
    made = movement_pb2.Movement(
        movement_id=f"supposed {code}", kind=kind, reason_code=code, prison_id=prison
    )
    made.occurred_time.FromDatetime(at)
    return made


def _arrested(suite: str, at: datetime, _: CaseFile) -> Message:
    made = custody.PpoArrested(detention_id=f"supposed at {at.isoformat()}", suite_id=suite)
    made.arrested_time.FromDatetime(at)
    made.recorded_time.FromDatetime(at)
    return made


_MESSAGES: Mapping[str, Callable[[Any, datetime, CaseFile], Message]] = {
    "residence": _residence,
    "planned_release": lambda told, at, _: pb.PlanReleaseRequest(
        release_date=told.release_date, ocu=told.ocu
    ),
    "received_prison_id": lambda prison, at, _: _movement(
        movement_pb2.MOVEMENT_KIND_RECEPTION, RECEIVED, prison, at
    ),
    "released": lambda _, at, file: _movement(
        movement_pb2.MOVEMENT_KIND_RELEASE, RELEASED, file.state(at).prison, at
    ),
    "arrested_suite_id": _arrested,
    "disputed_by": lambda ocu, at, _: pb.RaiseDisputeRequest(ocu=ocu),
    "decided_for": lambda ocu, at, _: pb.DecideDisputeRequest(ocu=ocu, forum_id="a forum"),
    "stage": lambda kind, at, _: pb.RecordStageRequest(kind=kind),
}
