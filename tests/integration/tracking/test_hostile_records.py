"""What is malformed, foreign or hostile ends among the dead letters, and nothing stops."""

import json
from datetime import UTC, datetime

import pytest

from ppo.tracking.v1 import movement_pb2
from services.runtime.broker import DEAD_HEAD, Producer, Record
from tests.integration.tracking.running import HMPPS, MOVEMENTS, Ppo, World, december, hmpps, movement

RECEPTION = movement_pb2.MOVEMENT_KIND_RECEPTION


async def still_works(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await world.moved(ppo, 1)


def changed(**changes: object) -> bytes:
    event = hmpps("received", "A9999BC", december(1), "ADMISSION", "BMI", "N")
    details = event["additionalInformation"]
    details |= {name: value for name, value in changes.items() if name in details}
    return json.dumps(
        event | {name: value for name, value in changes.items() if name not in details}
    ).encode()


@pytest.mark.parametrize(
    ("key", "content", "reason"),
    [
        ("not-json", b"\xff{not json", "it is not JSON"),
        ("deep", b"[" * 100_000, "it is not JSON"),
        ("impossible-date", changed(occurredAt="2004-02-30T09:00:00+00:00"), "occurredAt"),
        ("wrong-number", changed(nomsNumber="12345"), "nomsNumber"),
        ("far-future", changed(occurredAt="2031-02-03T09:00:00+00:00"), "occurred_time"),
    ],
)
async def test_an_event_that_is_none_is_a_dead_letter(
    world: World, key: str, content: bytes, reason: str
) -> None:
    await world.raw(Record(HMPPS, key, content, {}))

    letter = await world.dead(HMPPS, key)

    assert letter.value == content
    assert reason in letter.headers["dead_reason"]
    await still_works(world)


async def test_of_a_record_of_10_mb_only_the_head_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = changed(description="x" * 10_000_000)
    monkeypatch.setattr("services.runtime.broker.LARGEST_RECORD", 16 * 1024 * 1024)
    huge = Producer(world.processes.kafka, mock=False)

    assert await huge.send([Record(HMPPS, "huge", content, {})]) == [True]
    await huge.close()

    letter = await world.dead(HMPPS, "huge")
    assert letter.value == content[:DEAD_HEAD]
    assert letter.headers["dead_length"] == str(len(content))
    await still_works(world)


async def test_a_movement_that_cannot_be_one_is_a_dead_letter(world: World) -> None:
    ppo = await world.known(Ppo())
    impossible = movement(ppo, RECEPTION, datetime(2004, 12, 1, tzinfo=UTC), prison_id="BMI")
    impossible.occurred_time.seconds = 10**15

    await world.send(MOVEMENTS, ppo.number, impossible)
    await world.raw(Record(MOVEMENTS, "foreign", b"\x08", {"ce_type": "ppo.tracking.v1.Movement"}))
    await world.raw(Record(MOVEMENTS, "untyped", b"", {}))

    letters = [await world.dead(MOVEMENTS, key) for key in (ppo.number, "foreign", "untyped")]
    assert "occurred_time" in letters[0].headers["dead_reason"]
    await still_works(world)


async def test_an_event_of_another_kind_is_no_dead_letter(world: World) -> None:
    await world.raw(Record(HMPPS, "other", json.dumps({"eventType": "person.alert.created"}).encode(), {}))
    await world.raw(Record(HMPPS, "none", b"{}", {}))

    await world.dead(HMPPS, "none")

    assert await world.processes.metric("ppo_hmpps_unused_total") >= 1
