"""Who takes several persons and organisations at once waits for others and is never broken off."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from tests.integration.tracking.running import SECONDS, Ppo, World, december, movement

RECEPTION, RELEASE = movement_pb2.MOVEMENT_KIND_RECEPTION, movement_pb2.MOVEMENT_KIND_RELEASE
OCUS = ("E3", "D3", "F2", "F1")


async def people(world: World, many: int) -> list[Ppo]:
    made = [Ppo(ocu=OCUS[n % len(OCUS)]) for n in range(many)]
    for ppo in made:
        await world.flag(ppo)
    await world.known(made[-1])
    return made


async def report(
    world: World, ppos: Sequence[Ppo], kind: movement_pb2.MovementKind.ValueType, hour: int
) -> int:
    at, request_id = december(1) + timedelta(hours=hour), str(uuid4())
    rows = [
        pb.ReportMovementsRequest(request_id=request_id, line=n, movement=movement(one, kind, at))
        for n, one in enumerate(ppos, start=1)
    ]
    answer = await (await world.tracking("importer")).ReportMovements(iter(rows), timeout=4 * SECONDS)
    return answer.recorded + answer.parked


async def test_batches_that_meet_the_same_people_from_both_ends_are_all_taken(world: World) -> None:
    ppos = await people(world, 8)
    backwards = ppos[::-1]

    async with asyncio.TaskGroup() as group:
        told = [
            group.create_task(report(world, ppos, RECEPTION, 0)),
            group.create_task(report(world, backwards, RELEASE, 1)),
        ]
        flags = [group.create_task(world.flag(one)) for one in backwards]

    assert [one.result() for one in told] == [len(ppos)] * 2
    assert len(flags) == len(ppos)
    assert len((await world.moved(ppos[0], 2)).steps) == 2
