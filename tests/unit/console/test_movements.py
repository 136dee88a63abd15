"""`ppo movements send`: which form a file has, what is sent of it, and what is said of the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.console import movements
from services.runtime import broker
from services.runtime.errors import Unavailable
from tests.unit.console.conftest import Run, Served

EVENT = {
    "eventType": "prison-offender-events.prisoner.released",
    "occurredAt": "2004-12-31T09:05:00Z",
    "additionalInformation": {
        "nomsNumber": "A1234BC",
        "reason": "RELEASED",
        "nomisMovementReasonCode": "CR",
        "prisonId": "BMI",
    },
}
MOVEMENT = {
    "movement_id": "m-1",
    "prison_number": "A1234BC",
    "kind": "MOVEMENT_KIND_RECEPTION",
    "occurred_time": "2004-12-31T16:40:00Z",
}


class Kafka:
    """In the place of the producer: a broker that takes what it is told to take."""

    def __init__(self) -> None:
        self.records: list[broker.Record] = []
        self.acknowledges = True
        self.closed = False

    async def send(self, records: list[broker.Record]) -> list[bool]:
        self.records += records
        return [self.acknowledges for _ in records]

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def kafka(data: Path, monkeypatch: pytest.MonkeyPatch) -> Kafka:
    kafka = Kafka()
    monkeypatch.setenv("PPO_KAFKA", "kafka.invalid:9092")
    monkeypatch.setattr(broker, "Producer", lambda servers, mock: kafka)
    return kafka


def written(path: Path, *rows: dict[str, Any] | str) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_hmpps_events_are_published_as_they_stand_under_the_prison_number(
    ppo: Run, kafka: Kafka, tmp_path: Path
) -> None:
    ran = ppo("movements", "send", written(tmp_path / "day.jsonl", EVENT))

    [record] = kafka.records
    assert (record.topic, record.key) == (movements.TOPIC, "A1234BC")
    assert (record.value, record.headers) == (json.dumps(EVENT).encode(), {})
    assert (ran.code, kafka.closed) == (0, True)
    assert "HMPPS domain events" in ran.err
    assert ran.out.startswith("1 published, 0 not acknowledged")


def test_what_is_no_event_is_published_too_and_named_by_its_line(
    ppo: Run, kafka: Kafka, tmp_path: Path
) -> None:
    other = {**EVENT, "eventType": "prison.visit.booked"}

    ran = ppo("movements", "send", written(tmp_path / "day.jsonl", EVENT, other, "{", ""))

    assert len(kafka.records) == 3
    assert ran.code == 3
    assert ran.out.splitlines() == [
        "3 published, 0 not acknowledged; of them 1 of a type that is not used, 1 that cannot be read",
        "  line 3: it is not JSON: it ends on the dead-letter topic",
    ]


def test_another_topic_can_be_named(ppo: Run, kafka: Kafka, tmp_path: Path) -> None:
    ppo("movements", "send", written(tmp_path / "day.jsonl", EVENT), "--topic", "prisons")

    assert [record.topic for record in kafka.records] == ["prisons"]


def test_an_event_that_kafka_does_not_acknowledge_is_one_line(ppo: Run, kafka: Kafka, tmp_path: Path) -> None:
    kafka.acknowledges = False

    ran = ppo("movements", "send", written(tmp_path / "day.jsonl", EVENT))

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "ppo: 1 events were not acknowledged by Kafka: send the file again"


def test_a_kafka_that_does_not_answer_is_one_line(
    ppo: Run, kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(records: list[broker.Record]) -> list[bool]:
        raise Unavailable("kafka", "NoBrokersAvailable")

    monkeypatch.setattr(kafka, "send", send)

    ran = ppo("movements", "send", written(tmp_path / "day.jsonl", EVENT))

    assert ran.code == 1
    assert "ppo: Kafka does not answer at kafka.invalid:9092" in ran.err


def test_where_no_kafka_runs_that_is_one_line(
    ppo: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PPO_KAFKA", raising=False)

    ran = ppo("movements", "send", written(tmp_path / "day.jsonl", EVENT))

    assert ran.code == 1
    assert "no Kafka runs in" in ran.err


def test_the_suites_own_form_goes_through_the_service(ppo: Run, served: Served, tmp_path: Path) -> None:
    ran = ppo("movements", "send", written(tmp_path / "movements.jsonl", MOVEMENT))

    [moved] = served.tracking.moved
    assert (moved.movement_id, moved.prison_number) == ("m-1", "A1234BC")
    assert ran.code == 0
    assert "the suite's own form" in ran.err
    assert ran.out == "1 recorded, 0 known before, 0 kept for whoever gets the number, 0 refused\n"


def test_refused_movements_are_named_by_their_lines(ppo: Run, served: Served, tmp_path: Path) -> None:
    unnumbered = {name: value for name, value in MOVEMENT.items() if name != "prison_number"}
    misspelt = MOVEMENT | {"kind": "MOVEMENT_KIND_ESCAPE"}
    file = written(tmp_path / "movements.jsonl", MOVEMENT, unnumbered, misspelt, "[]")

    ran = ppo("movements", "send", file, "--json")

    report = json.loads(ran.out)
    assert ran.code == 3
    assert (report["recorded"], report["refused"]) == ("1", "3")
    assert [refusal["line"] for refusal in report["refusals"]] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("kind", "MOVEMENT_KIND_ESCAPE", "is none of MOVEMENT_KIND_UNSPECIFIED, MOVEMENT_KIND_RECEPTION"),
        ("occurred_time", "31 December 2004", 'is no time; write it as "2004-12-31T16:40:00Z"'),
        ("occurredTime", "yesterday", 'is no time; write it as "2004-12-31T16:40:00Z"'),
        ("convicted", "maybe", "is neither true nor false"),
        ("prison_id", 7, "is no text"),
        ("prisonnumber", "A1234BC", "is no field of a movement; known are movement_id, prison_number"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(
    ppo: Run, served: Served, tmp_path: Path, field: str, value: object, rule: str
) -> None:
    ran = ppo("movements", "send", written(tmp_path / "movements.jsonl", MOVEMENT | {field: value}), "--json")

    [refusal] = json.loads(ran.out)["refusals"]
    assert (ran.code, refusal["field"]) == (3, field)
    assert refusal["rule"].startswith(rule)


@pytest.mark.parametrize(
    ("content", "line"),
    [("", "has no line"), ("\n[\n", "line 2 is not JSON, so its form cannot be told")],
)
def test_a_file_of_no_form_is_one_line(ppo: Run, data: Path, tmp_path: Path, content: str, line: str) -> None:
    (tmp_path / "file").write_text(content)

    ran = ppo("movements", "send", str(tmp_path / "file"))

    assert ran.code == 2
    assert ran.err.endswith(f"{line}\n")
