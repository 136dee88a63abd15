"""The ledger sends an organisation's records once more; what could not be taken is retried or discarded."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from deploy.embedded import clock
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from services.runtime.broker import Record
from tests.integration.tracking.running import (
    MOVEMENTS,
    NOW,
    SECONDS,
    Ppo,
    World,
    december,
    hmpps,
    movement,
    stamp,
)


def told(records: list[Record]) -> list[tuple[str, str, str, bytes]]:
    return sorted(
        (one.key, one.headers["ce_sequence"], one.headers["ce_id"], one.value or b"") for one in records
    )


async def test_a_replay_is_what_was_sent_first_with_its_ids_and_sequences(world: World) -> None:
    first, second = await world.known(Ppo(ocu="F2")), await world.known(Ppo(ocu="F2"))
    for ppo in (first, second):
        await world.publish(
            hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"),
            hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "CR"),
        )
        await world.notices("F2", ppo, 1, pb.NOTICE_TYPE_RELEASED)
    topic = "ppo.notices.F2.v1"

    ops = await world.tracking("ops", "ppo")
    request = pb.ReplayNoticesRequest(request_id=str(uuid4()), organisation="F2")
    reply = await ops.ReplayNotices(request, timeout=SECONDS)

    again = await world.records(f"{topic}.replay", reply.sent)
    assert reply.sent >= 6
    assert reply.last_number == 0
    assert told(again) == told(await world.records(topic, reply.sent))
    later = pb.ReplayNoticesRequest(
        request_id=str(uuid4()), organisation="F2", from_time=stamp(NOW + timedelta(days=1))
    )
    with pytest.raises(channel.CallError, match="nothing since"):
        await ops.ReplayNotices(later, timeout=SECONDS)


async def published(world: World, notice_id: str) -> dict[str, datetime]:
    """By organisation, once the broker has had it for each."""
    ops = await world.tracking("ops", "ppo")
    async with asyncio.timeout(SECONDS):
        while True:
            request = pb.TraceNoticeRequest(notice_id=notice_id)
            traced = await ops.TraceNotice(request, timeout=SECONDS, wait_for_ready=True)
            if all(one.HasField("published_time") for one in traced.deliveries):
                break
    return {one.organisation: one.published_time.ToDatetime(UTC) for one in traced.deliveries}


async def outbox(world: World, statement: str, notice_id: str) -> int:
    """How many of its rows of the outbox were changed, or are there."""
    address = world.processes.database.superuser
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        asked = f"{statement} WHERE event_id LIKE %s"
        return (await connection.execute(asked, (f"{notice_id}/%",))).rowcount


async def test_the_ledger_says_when_a_notice_was_published_once_the_outbox_has_forgotten_it(
    world: World,
) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    [notice] = await world.notices("F1", ppo, 1, pb.NOTICE_TYPE_PRISON_RECEPTION)
    before = await published(world, notice.notice_id)

    age = "UPDATE tracking.outbox SET sent_time = sent_time - interval '100 days'"
    assert await outbox(world, age, notice.notice_id) == len(before) > 1
    world.processes.tracking.restart()
    async with asyncio.timeout(SECONDS):
        while await outbox(world, "SELECT FROM tracking.outbox", notice.notice_id):
            await asyncio.sleep(0.05)

    hundred = timedelta(days=100)
    after = await published(world, notice.notice_id)
    assert after == {organisation: at - hundred for organisation, at in before.items()}


async def buried(world: World, ppo: Ppo) -> tuple[movement_pb2.Movement, pb.DeadLetter]:
    """A movement that is refused, for it lies in the future; and what comes after it, taken meanwhile."""
    early = movement(
        ppo,
        movement_pb2.MOVEMENT_KIND_RELEASE,
        NOW + timedelta(hours=1),
        reason_code="CR",
        prison_id="BMI",
    )
    event_id = str(uuid4())
    await world.send(MOVEMENTS, ppo.number, early, event_id)
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    await world.dead(MOVEMENTS, ppo.number)
    listed = await (await world.tracking("ops", "ppo")).ListDeadLetters(
        pb.ListDeadLettersRequest(), timeout=SECONDS
    )
    return early, next(one for one in listed.letters if one.event_id == event_id)


async def test_a_retried_letter_takes_effect_at_the_time_it_happened(world: World) -> None:
    ppo = await world.known(Ppo())
    early, letter = await buried(world, ppo)
    ops = await world.tracking("ops", "ppo")
    retry = pb.RetryDeadLetterRequest(request_id=str(uuid4()), letter_id=letter.letter_id)
    with pytest.raises(channel.CallError, match="lies in the future"):
        await ops.RetryDeadLetter(retry, timeout=SECONDS)

    clock.move(world.processes.directory, NOW + timedelta(hours=2))
    retry.request_id = str(uuid4())
    retried = (await ops.RetryDeadLetter(retry, timeout=SECONDS)).letter

    journey = await world.moved(ppo, 2)
    assert [one.occurred_time for one in journey.steps][-1] == early.occurred_time
    assert "lies in the future" in letter.reason
    assert retried.fate == pb.DEAD_LETTER_FATE_RETRIED


async def test_a_discarded_letter_says_why_and_is_not_retried(world: World) -> None:
    ppo = await world.known(Ppo())
    clock.move(world.processes.directory, NOW)
    _, letter = await buried(world, ppo)
    ops = await world.tracking("ops", "ppo")

    request = pb.DiscardDeadLetterRequest(
        request_id=str(uuid4()), letter_id=letter.letter_id, reason="sent by a test"
    )
    discarded = (await ops.DiscardDeadLetter(request, timeout=SECONDS)).letter

    assert (discarded.fate, discarded.discard_reason) == (pb.DEAD_LETTER_FATE_DISCARDED, "sent by a test")
    listed = await ops.ListDeadLetters(pb.ListDeadLettersRequest(), timeout=SECONDS)
    assert letter.letter_id not in {one.letter_id for one in listed.letters}
    retry = pb.RetryDeadLetterRequest(request_id=str(uuid4()), letter_id=letter.letter_id)
    with pytest.raises(channel.CallError, match="was discarded"):
        await ops.RetryDeadLetter(retry, timeout=SECONDS)
