"""`ppo movements send`: what prisons tell, given to the suite as a prison would give it."""

import json as json_text
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from ppo.tracking.v1 import movement_pb2 as movement
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import imports, lines, output, rows, session
from services.console.nominals import FORCE
from services.console.stop import Stop, Unreachable
from services.prisons import hmpps
from services.runtime import broker
from services.runtime.errors import Unavailable

TOPIC = "hmpps.domain-events"
_SHOWN = 1000


class Line(NamedTuple):
    number: int
    # As it stands in the file, for that is what a prison system would publish.
    text: bytes


@dataclass
class Published:
    """What became of the events of a file."""

    published: int = 0
    not_acknowledged: int = 0
    # Of types that nobody here uses; published all the same.
    unused: int = 0
    # Published too: it is the suite's work to put them aside. By line.
    unreadable: dict[int, str] = field(default_factory=dict)


def send(
    file: imports.File,
    topic: Annotated[str, typer.Option(help="The topic of the prison systems' events.")] = TOPIC,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Sends prison movements from a file of JSON lines; safe to repeat.

    Where the first line has an "eventType", the lines are HMPPS domain events. They are published to Kafka as
    they stand, as a prison system does it. PPO_KAFKA names a broker elsewhere.

    Otherwise each line is the proto3 JSON of ppo.tracking.v1.Movement, and goes through ReportMovements,
    which tells what became of it.

    ```
    ppo movements send day.jsonl
    {"eventType": "prison-offender-events.prisoner.received", "occurredAt": "2004-12-31T16:40:00Z",
     "personReference": {"identifiers": [{"type": "NOMS", "value": "A1234BC"}]},
     "additionalInformation": {"nomsNumber": "A1234BC", "reason": "ADMISSION",
     "nomisMovementReasonCode": "N", "prisonId": "BMI"}}

    ppo movements send movements.jsonl
    {"movement_id": "m-1", "prison_number": "A1234BC", "kind": "MOVEMENT_KIND_RECEPTION", "reason_code": "N",
     "prison_id": "BMI", "occurred_time": "2004-12-31T16:40:00Z"}
    ```

    Exit code 0 when all of them were taken, 3 when some were refused or cannot be read as movements.
    """
    if is_hmpps(file):
        output.say(f"{file.name} holds HMPPS domain events: they are published to {topic}")
        return _show_published(imports.run(publish(file, topic, data)), as_json=json)
    output.say(f"{file.name} holds the suite's own form: each line goes through ReportMovements")
    return _show_reported(imports.run(report(file, data)), as_json=json)


def is_hmpps(path: Path) -> bool:
    first = next(_lines(path), None)
    if first is None:
        raise Stop(f"{path} has no line", 2)
    try:
        return "eventType" in json_text.loads(first.text)
    except (ValueError, TypeError):
        raise Stop(f"{path}: line {first.number} is not JSON, so its form cannot be told", 2) from None


def _lines(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if text.strip():
                yield Line(number, text.strip())


# ---- as a prison system publishes


async def publish(path: Path, topic: str, data: Path) -> Published:
    servers, mock = session.kafka(data)
    producer, told = broker.Producer(servers, mock), Published()
    try:
        with output.progress() as bar:
            task = bar.add_task(f"Publishing {path.name}", total=lines.count(path))
            told_lines = _lines(path)
            while batch := list(islice(told_lines, broker.BATCH)):
                await _publish(producer, topic, batch, told)
                bar.advance(task, len(batch))
    except Unavailable as outage:
        raise Unreachable(f"Kafka does not answer at {servers} ({outage})") from None
    finally:
        await producer.close()
    return told


async def _publish(producer: broker.Producer, topic: str, batch: list[Line], told: Published) -> None:
    records = []
    for line in batch:
        reading = hmpps.read(line.text)
        if isinstance(reading, hmpps.Unreadable):
            told.unreadable[line.number] = reading.reason
        told.unused += isinstance(reading, hmpps.Unused)
        records.append(broker.Record(topic, _key(line.text), line.text, {}))
    acknowledged = await producer.send(records)
    told.published += sum(acknowledged)
    told.not_acknowledged += len(acknowledged) - sum(acknowledged)


def _key(text: bytes) -> str:
    """The prison number, as far as there is one."""
    try:
        return str(json_text.loads(text)["additionalInformation"]["nomsNumber"])
    except (ValueError, LookupError, TypeError):
        return ""


def _show_published(told: Published, *, as_json: bool) -> int:
    if as_json:
        output.line(json_text.dumps(asdict(told)))
    else:
        output.show(
            f"{told.published:,} published, {told.not_acknowledged:,} not acknowledged; of them "
            f"{told.unused:,} of a type that is not used, {len(told.unreadable):,} that cannot be read"
        )
        for number, reason in islice(told.unreadable.items(), _SHOWN):
            output.show(f"  line {number}: {reason}: it ends on the dead-letter topic")
    if told.not_acknowledged:
        raise Stop(f"{told.not_acknowledged:,} events were not acknowledged by Kafka: send the file again")
    return imports.SOME_REFUSED if told.unreadable else 0


# ---- in the suite's own form


async def report(path: Path, data: Path) -> tracking.ReportMovementsResponse:
    """Lines that cannot be read are reported with those that the service refuses."""
    unread: list[tracking.MovementRefusal] = []
    async with session.Session(data, "importer", FORCE).tracking() as service:
        call = service.ReportMovements(timeout=imports.STREAM_SECONDS)
        request_id = str(uuid.uuid4())
        with output.progress() as bar:
            task = bar.add_task(f"Sending {path.name}", total=lines.count(path))
            for request in _requests(path):
                bar.advance(task)
                if isinstance(request, tracking.MovementRefusal):
                    unread.append(request)
                    continue
                request.request_id = request_id
                if not await imports.sent(call, request):
                    break
            await imports.sent(call, None)
            return _whole(await call, unread)


def _requests(path: Path) -> Iterator[tracking.ReportMovementsRequest | tracking.MovementRefusal]:
    for line, document in rows.documents(path):
        yield _request(line, document)


def _request(
    line: int, document: dict[str, Any] | lines.RowError
) -> tracking.ReportMovementsRequest | tracking.MovementRefusal:
    if isinstance(document, lines.RowError):
        return tracking.MovementRefusal(line=line, field=document.field, rule=document.rule)
    request = tracking.ReportMovementsRequest(line=line)
    try:
        ParseDict(document, request.movement)
    except ParseError:
        field, rule = _broken(document)
        return tracking.MovementRefusal(line=line, field=field, rule=rule)
    return request


def _broken(document: dict[str, Any]) -> tuple[str, str]:
    """The first field that is none of a movement or is not what it must be, and what that is."""
    for name, value in document.items():
        known = _FIELDS.get(name)
        if known is None:
            return name, f"is no field of a movement; known are {', '.join(_NAMES)}"
        try:
            ParseDict({name: value}, movement.Movement())
        except ParseError:
            return name, _rule(known)
    return "row", "cannot be read as a movement"


def _rule(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return f"is none of {', '.join(field.enum_type.values_by_name)}"
    if field.message_type is not None:
        return 'is no time; write it as "2004-12-31T16:40:00Z"'
    return "is neither true nor false" if field.type == field.TYPE_BOOL else "is no text"


_NAMES = [field.name for field in movement.Movement.DESCRIPTOR.fields]
# A sender may write them in either way.
_FIELDS = {
    name: field for field in movement.Movement.DESCRIPTOR.fields for name in (field.name, field.json_name)
}


def _whole(
    response: tracking.ReportMovementsResponse, unread: Iterable[tracking.MovementRefusal]
) -> tracking.ReportMovementsResponse:
    unread = list(unread)
    response.refused += len(unread)
    refusals = sorted([*response.refusals, *unread], key=lambda refusal: refusal.line)
    del response.refusals[:]
    response.refusals.extend(refusals[:_SHOWN])
    return response


def _show_reported(response: tracking.ReportMovementsResponse, *, as_json: bool) -> int:
    if as_json:
        output.emit(response)
    else:
        output.show(
            f"{response.recorded:,} recorded, {response.repeated:,} known before, "
            f"{response.parked:,} kept for whoever gets the number, {response.refused:,} refused"
        )
        for refusal in response.refusals:
            output.show(f"  line {refusal.line}: {refusal.field}: {refusal.rule}")
        if more := response.refused - len(response.refusals):
            output.show(f"  and {more:,} more")
    return imports.SOME_REFUSED if response.refused else 0
