"""HMPPS domain events, the JSON that English prison systems publish, read as movements."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeAlias

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2 as pb
from services.people import identifiers

Kind: TypeAlias = pb.MovementKind.ValueType

SOURCE = "hmpps"
RECEIVED = "prison-offender-events.prisoner.received"
RELEASED = "prison-offender-events.prisoner.released"
MERGED = "prison-offender-events.prisoner.merged"
SEARCH_RECEIVED = "prisoner-offender-search.prisoner.received"
SEARCH_RELEASED = "prisoner-offender-search.prisoner.released"
STATUS_CHANGED = "prisoner-offender-search.prisoner.convicted-status-changed"

# What an event tells hangs on its reason, never on its name: who is "released" to court stays in custody.
_OUT: Mapping[str, Kind] = {
    "RELEASED": pb.MOVEMENT_KIND_RELEASE,
    "UNKNOWN": pb.MOVEMENT_KIND_RELEASE,
    "SENT_TO_COURT": pb.MOVEMENT_KIND_ABSENCE_START,
    "TEMPORARY_ABSENCE_RELEASE": pb.MOVEMENT_KIND_ABSENCE_START,
    "RELEASED_TO_HOSPITAL": pb.MOVEMENT_KIND_ABSENCE_START,
    "TRANSFERRED": pb.MOVEMENT_KIND_TRANSFER_OUT,
}
KINDS: Mapping[str, Mapping[str, Kind]] = {
    RELEASED: _OUT,
    SEARCH_RELEASED: _OUT,
    RECEIVED: {
        "ADMISSION": pb.MOVEMENT_KIND_RECEPTION,
        "RETURN_FROM_COURT": pb.MOVEMENT_KIND_ABSENCE_END,
        "TEMPORARY_ABSENCE_RETURN": pb.MOVEMENT_KIND_ABSENCE_END,
        "TRANSFERRED": pb.MOVEMENT_KIND_TRANSFER_IN,
    },
    SEARCH_RECEIVED: {
        "NEW_ADMISSION": pb.MOVEMENT_KIND_RECEPTION,
        "READMISSION": pb.MOVEMENT_KIND_RECEPTION,
        "READMISSION_SWITCH_BOOKING": pb.MOVEMENT_KIND_RECEPTION,
        "POST_MERGE_ADMISSION": pb.MOVEMENT_KIND_RECEPTION,
        "RETURN_FROM_COURT": pb.MOVEMENT_KIND_ABSENCE_END,
        "TEMPORARY_ABSENCE_RETURN": pb.MOVEMENT_KIND_ABSENCE_END,
        "TRANSFERRED": pb.MOVEMENT_KIND_TRANSFER_IN,
    },
    MERGED: {"MERGE": pb.MOVEMENT_KIND_MERGE},
}
CONVICTED = {"Convicted": True, "Remand": False}
ARRIVALS = (pb.MOVEMENT_KIND_RECEPTION, pb.MOVEMENT_KIND_TRANSFER_IN)

# The prison systems' own words for nowhere and for on the way.
NO_PRISON = ("OUT", "TRN")
_PRISON = re.compile(r"[A-Z]{3}", re.ASCII)
_CODE = re.compile(r"[A-Z0-9_]{1,12}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_]{1,60}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True)
class Unused:
    """An event of a type that nobody here uses."""

    event_type: str


@dataclass(frozen=True)
class Unreadable:
    """Why a record is no movement; never its content."""

    reason: str


Reading: TypeAlias = pb.Movement | Unused | Unreadable


class _Broken(ValueError):
    pass


def read(record: bytes) -> Reading:
    try:
        event = _object(record)
        event_type = event.get("eventType")
        if not isinstance(event_type, str):
            raise _Broken("eventType is missing")
        if event_type not in KINDS and event_type != STATUS_CHANGED:
            return Unused(event_type)
        return _movement(event_type, event)
    except _Broken as broken:
        return Unreadable(str(broken))


def movement_id(*parts: str) -> str:
    """The events have no id: the same content is the same event."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _movement(event_type: str, event: Mapping[str, Any]) -> pb.Movement:
    details = _details(event)
    movement = pb.Movement(prison_number=_number(event, details), source=SOURCE)
    occurred = _occurred(event)
    movement.occurred_time.FromDatetime(occurred)
    reason = _told(event_type, details, movement)
    movement.movement_id = movement_id(
        event_type,
        movement.prison_number,
        occurred.isoformat(),
        reason,
        movement.reason_code,
        movement.prison_id or movement.removed_prison_number,
    )
    return movement


def _told(event_type: str, details: Mapping[str, Any], movement: pb.Movement) -> str:
    """Fills in what the event tells; its reason, as it stands there."""
    if event_type == STATUS_CHANGED:
        status = _word(details, "convictedStatus")
        movement.kind = pb.MOVEMENT_KIND_STATUS_CHANGE if status in CONVICTED else pb.MOVEMENT_KIND_UNKNOWN
        movement.convicted = CONVICTED.get(status, False)
        movement.unknown_reason = "" if status in CONVICTED else status
        return status
    reason = _word(details, "reason")
    movement.kind = KINDS[event_type].get(reason, _unknown(event_type, details))
    movement.unknown_reason = "" if reason in KINDS[event_type] else reason
    if event_type == MERGED:
        movement.removed_prison_number = _merged_away(movement.prison_number, details)
        return reason
    movement.reason_code = _code(details)
    movement.prison_id = _prison(details, movement.kind)
    return reason


def _object(record: bytes) -> dict[str, Any]:
    try:
        event = json.loads(record.decode())
    # Nested a thousand deep it is no event either.
    except (ValueError, RecursionError):
        raise _Broken("it is not JSON") from None
    if not isinstance(event, dict):
        raise _Broken("it is not a JSON object")
    return event


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    details = event.get("additionalInformation")
    if not isinstance(details, dict):
        raise _Broken("additionalInformation is missing")
    return details


def _word(details: Mapping[str, Any], field: str) -> str:
    value = details.get(field)
    if value is None:
        raise _Broken(f"{field} is missing")
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise _Broken(f"{field} is no word")
    return value


def _unknown(event_type: str, details: Mapping[str, Any]) -> Kind:
    """What an event with a reason that nobody knows tells all the same, before somebody looks at it."""
    if event_type == MERGED:
        return pb.MOVEMENT_KIND_MERGE
    if event_type in (RECEIVED, SEARCH_RECEIVED):
        return pb.MOVEMENT_KIND_RECEPTION
    out = details.get("currentPrisonStatus") == "NOT_UNDER_PRISON_CARE"
    return pb.MOVEMENT_KIND_RELEASE if out else pb.MOVEMENT_KIND_UNKNOWN


def _number(event: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    number = _prison_number("nomsNumber", details.get("nomsNumber"))
    if any(other != number for other in _referred(event)):
        raise _Broken("nomsNumber is not the number in personReference")
    return number


def _referred(event: Mapping[str, Any]) -> list[str]:
    reference = event.get("personReference")
    held = reference.get("identifiers") if isinstance(reference, dict) else None
    found = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    return [_prison_number("personReference", one.get("value")) for one in found if one.get("type") == "NOMS"]


def _merged_away(kept: str, details: Mapping[str, Any]) -> str:
    removed = _prison_number("removedNomsNumber", details.get("removedNomsNumber"))
    if removed == kept:
        raise _Broken("removedNomsNumber is the number that is kept")
    return removed


def _prison_number(field: str, value: object) -> str:
    if value is None:
        raise _Broken(f"{field} is missing")
    try:
        return identifiers.canonical(person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, str(value))
    except identifiers.Malformed:
        raise _Broken(f"{field} is not a prison number") from None


def _prison(details: Mapping[str, Any], kind: Kind) -> str:
    value = details.get("prisonId")
    if value in (None, *NO_PRISON):
        if kind in ARRIVALS:
            raise _Broken("prisonId is missing")
        return ""
    if not isinstance(value, str) or not _PRISON.fullmatch(value):
        raise _Broken("prisonId is not a prison's code")
    return value


def _code(details: Mapping[str, Any]) -> str:
    value = details.get("nomisMovementReasonCode")
    if value is None:
        return ""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise _Broken("nomisMovementReasonCode is not a code")
    return value


def _occurred(event: Mapping[str, Any]) -> datetime:
    value = event.get("occurredAt")
    if value is None:
        raise _Broken("occurredAt is missing")
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _Broken("occurredAt is not a time with its offset")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Broken("occurredAt is not a possible time") from None
