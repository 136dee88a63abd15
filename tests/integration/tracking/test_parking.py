"""A movement of a number that nobody has waits for 90 days, and is counted when it is dropped."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg

from deploy.embedded import clock
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.take import Taking
from tests.integration.runtime.test_due import Still
from tests.integration.tracking.running import NOW, SECONDS, Ppo, World, december, hmpps, movement
from tests.integration.tracking.test_history import Desk, desk

__all__ = ["desk"]

LAPSED = "ppo_movements_lapsed_total"


async def park(world: World, moved: movement_pb2.Movement) -> None:
    request = pb.ReportMovementRequest(request_id=str(uuid4()), movement=moved)
    answer = await (await world.tracking("importer")).ReportMovement(request, timeout=SECONDS)
    assert answer.fate == pb.MOVEMENT_FATE_PARKED


async def lapsed(world: World, count: int) -> None:
    async with asyncio.timeout(SECONDS):
        while await world.processes.metric(LAPSED) < count:
            await asyncio.sleep(0.1)
    assert await world.processes.metric(LAPSED) == count


async def test_what_nobody_has_asked_about_for_90_days_lapses_and_the_rest_is_kept(world: World) -> None:
    ppo, other = Ppo(), Ppo()
    received = movement(ppo, movement_pb2.MOVEMENT_KIND_RECEPTION, december(2), prison_id="BMI")
    merged = movement(ppo, movement_pb2.MOVEMENT_KIND_MERGE, december(5), removed_prison_number=other.number)
    for one in (received, merged):
        await park(world, one)
    clock.move(world.processes.directory, NOW + timedelta(days=60))
    await park(world, movement(ppo, movement_pb2.MOVEMENT_KIND_RELEASE, december(20), prison_id="BMI"))

    clock.move(world.processes.directory, NOW + timedelta(days=91))
    # A merge stands under two numbers and is one movement.
    await lapsed(world, 2)
    clock.move(world.processes.directory, NOW + timedelta(days=151))
    await lapsed(world, 3)

    await world.known(ppo)
    assert len((await world.journey(ppo)).steps) == 0


async def test_what_somebody_has_got_the_number_of_does_not_lapse(world: World) -> None:
    ppo, before = Ppo(), await world.processes.metric(LAPSED)
    clock.move(world.processes.directory, NOW + timedelta(days=160))
    await park(world, movement(ppo, movement_pb2.MOVEMENT_KIND_RECEPTION, december(2), prison_id="BMI"))
    await world.known(ppo)
    stranger = movement(Ppo(), movement_pb2.MOVEMENT_KIND_RECEPTION, december(2), prison_id="BMI")
    await park(world, stranger)

    clock.move(world.processes.directory, NOW + timedelta(days=251))

    await lapsed(world, int(before) + 1)
    assert len((await world.moved(ppo, 1)).steps) == 1


def test_what_moved_under_a_number_waits_for_whose_it_is_from_when_it_was_taken_away(desk: Desk) -> None:
    ppo, day = Ppo(), timedelta(days=1)
    received = movement(ppo, movement_pb2.MOVEMENT_KIND_RECEPTION, december(2), prison_id="BMI")
    desk(taken(desk, NOW, [], [received]))
    desk(taken(desk, NOW + day, [ppo], []))

    desk(taken(desk, NOW + 89 * day, [replace(ppo, numbered=False)], []))

    asked = "SELECT due_time FROM tracking.due WHERE kind = 'lapse' AND key LIKE %s"
    with psycopg.connect(desk.url) as connection:
        [(lapses,)] = connection.execute(asked, (f"%{ppo.number}",)).fetchall()
    assert lapses == NOW + 179 * day


async def taken(
    desk: Desk, at: datetime, ppos: Sequence[Ppo], moves: Sequence[movement_pb2.Movement]
) -> None:
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(at)).flags(session, [one.flag() for one in ppos])
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(at)).movements(session, moves)


async def test_what_moved_under_a_number_that_nobody_has_any_more_lapses_too(world: World) -> None:
    ppo, before = await world.known(Ppo()), await world.processes.metric(LAPSED)
    await world.publish(hmpps("received", ppo.number, december(2), "ADMISSION", "BMI", "N"))
    await world.moved(ppo, 1)
    now = clock.now(world.processes.directory)
    await world.flag(replace(ppo, numbered=False))
    await world.notices("BMI", ppo, 2)

    clock.move(world.processes.directory, now + timedelta(days=91))

    await lapsed(world, int(before) + 1)
    other = await world.known(Ppo(number=ppo.number))
    assert len((await world.journey(other)).steps) == 0
