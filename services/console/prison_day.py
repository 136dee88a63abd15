"""A day of prison movements as English prison systems publish them, and how the prisoners had come in."""

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict

from ppo.person.v1 import person_pb2 as pb
from ppo.tracking.v1 import movement_pb2 as movement
from services.console.december import People
from services.prisons import hmpps
from services.runtime.reference import LONDON

DAY = date(2004, 12, 31)
# Before the programme began, so that nobody is told of it.
CAME_IN = datetime(2004, 8, 16, 15, tzinfo=LONDON)
HERE, THERE = "BMI", "FSI"
# Nobody on the list is known by it.
UNKNOWN_NUMBER = "A0001AA"


class Inmates(NamedTuple):
    remanded: pb.Person
    at_court: pb.Person
    moved: pb.Person
    released: pb.Person


def inmates(people: People) -> Inmates:
    return Inmates(*people.prisoners)


def number(person: pb.Person) -> str:
    numbers = (one.value for one in person.identifiers if one.kind == pb.IDENTIFIER_KIND_PRISON_NUMBER)
    return next(numbers)


def write_earlier(path: Path, those: Inmates) -> int:
    """In the suite's own form: three of them were sentenced long ago."""
    inside = [number(one) for one in (those.at_court, those.moved, those.released)]
    return _write(path, [_reception(prisoner) for prisoner in inside])


def _reception(prisoner: str) -> dict[str, Any]:
    made = movement.Movement(
        movement_id=f"demo-{prisoner}",
        prison_number=prisoner,
        kind=movement.MOVEMENT_KIND_RECEPTION,
        reason_code="I",
        prison_id=HERE,
    )
    made.occurred_time.FromDatetime(CAME_IN)
    return MessageToDict(made, preserving_proto_field_name=True)


def write_day(path: Path, those: Inmates) -> int:
    return _write(path, list(events(those)))


def _write(path: Path, rows: list[dict[str, Any]]) -> int:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return len(rows)


def events(those: Inmates) -> Iterator[dict[str, Any]]:
    at_court, moved = number(those.at_court), number(those.moved)
    yield _event(at_court, time(8, 10), Told("released", "SENT_TO_COURT", "CRT"))
    yield _event(number(those.released), time(9, 5), Told("released", "RELEASED", "CR"))
    yield _event(UNKNOWN_NUMBER, time(9, 20), Told("released", "RELEASED", "CR"))
    yield _event(moved, time(11), Told("released", "TRANSFERRED", "NOTR"))
    yield _event(moved, time(14, 15), Told("received", "TRANSFERRED", "INT", THERE))
    yield _event(at_court, time(15, 40), Told("received", "RETURN_FROM_COURT", "CRT"))
    yield _event(number(those.remanded), time(16, 45), Told("received", "ADMISSION", "N"))


def of_nobody(those: Inmates) -> movement.Movement:
    """The event of the unknown number, as the suite reads it."""
    [found] = [
        read
        for event in events(those)
        if isinstance(read := hmpps.read(json.dumps(event).encode()), movement.Movement)
        and read.prison_number == UNKNOWN_NUMBER
    ]
    return found


class Told(NamedTuple):
    kind: str
    reason: str
    code: str
    prison: str = HERE


LOCATIONS = {"RELEASED": "OUTSIDE_PRISON", "SENT_TO_COURT": "OUTSIDE_PRISON"}


def _event(prisoner: str, at: time, told: Told) -> dict[str, Any]:
    occurred = datetime.combine(DAY, at, LONDON)
    on_the_way = "BEING_TRANSFERRED" if told.kind == "released" else "IN_PRISON"
    free = told.reason == "RELEASED"
    return {
        "eventType": f"prison-offender-events.prisoner.{told.kind}",
        "version": 1,
        "description": f"A prisoner has been {told.kind}",
        "occurredAt": occurred.isoformat(),
        "publishedAt": (occurred + timedelta(seconds=56)).isoformat(),
        "personReference": {"identifiers": [{"type": "NOMS", "value": prisoner}]},
        "additionalInformation": {
            "nomsNumber": prisoner,
            "reason": told.reason,
            "details": f"Movement reason code {told.code}",
            "nomisMovementReasonCode": told.code,
            "currentLocation": LOCATIONS.get(told.reason, on_the_way),
            "prisonId": told.prison,
            "currentPrisonStatus": "NOT_UNDER_PRISON_CARE" if free else "UNDER_PRISON_CARE",
        },
    }
