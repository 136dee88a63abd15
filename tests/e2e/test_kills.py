"""Flagging, and so its relay, and custody are killed at random while flags change: nothing is lost by it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2
from ppo.policy.v1 import policy_pb2
from services.runtime import channel
from tests.integration.custody import running
from tests.integration.custody.running import PATIENTLY, Desk, Processes, outcome, somebody
from tests.servers import Servers

SEED = 2004
KILLS = 8
PEOPLE = 30


@pytest.fixture
def processes(servers: Servers, tmp_path: Path) -> Iterator[Processes]:
    with running.migrated(servers) as template, running.pair(servers, template, tmp_path) as processes:
        yield processes


@dataclass
class Forum:
    """Puts people on the register and takes them off again, without end, whoever is killed meanwhile."""

    desk: Desk
    people: list[str]
    chance: Random
    registered: dict[str, flagging.Registration] = field(default_factory=dict)
    changes: int = 0

    async def sit(self) -> None:
        while True:
            nominal_id = self.chance.choice(self.people)
            # Killed in the middle: what became of the change is asked of the register itself afterwards.
            with suppress(channel.CallError):
                await self.decide(nominal_id)
                self.changes += 1

    async def decide(self, nominal_id: str) -> None:
        registration = self.registered.pop(nominal_id, None)
        if registration is None:
            self.registered[nominal_id] = await self.desk.flag(nominal_id)
        elif self.chance.random() < 0.5:
            await self.desk.annul(registration)
        else:
            await self.desk.plan_exit(registration)
            await self.desk.remove(registration)


@dataclass
class Watch:
    """Checks one PPO, whom nobody takes off the register, all the time."""

    desk: Desk
    ppo: person_pb2.Person
    answers: list[str] = field(default_factory=list)

    async def check(self) -> None:
        while True:
            # Custody itself may be away, which is no answer.
            with suppress(channel.CallError):
                self.answers.append(outcome(await self.desk.check(self.ppo)))
            await asyncio.sleep(0.02)


async def killed(processes: Processes, chance: Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 1.5))
        victim = chance.choice([processes.flagging, processes.custody])
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await asyncio.to_thread(victim.start)


async def on_the_register(desk: Desk) -> set[str]:
    request = flagging.ListPposRequest(purpose=policy_pb2.PURPOSE_REGISTER)
    keeper = await desk.register()
    return {ppo.registration.nominal_id async for ppo in keeper.ListPpos(request, **PATIENTLY)}


@pytest.mark.timeout(180)
async def test_whoever_is_killed_the_replica_equals_the_register_in_the_end(processes: Processes) -> None:
    chance = Random(SEED)
    async with running.desk(processes, "D3") as desk:
        ppo, people = somebody(), [somebody() for _ in range(PEOPLE)]
        steady = await desk.flagged(ppo)
        await desk.replicated(ppo)
        nominals = {await desk.nominal(person): person for person in people}
        forum, watch = Forum(desk, [*nominals], chance), Watch(desk, ppo)

        tasks = [asyncio.create_task(work) for work in (forum.sit(), watch.check())]
        await killed(processes, chance)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # Before, what was under way has come to its end; after, the replica has it.
        await desk.replicated(ppo)
        register = await on_the_register(desk)
        await desk.replicated(ppo)
        processes.flagging.kill()
        replica = {
            each for each, person in nominals.items() if outcome(await desk.check(person)) == "FLAGGED"
        }

    assert replica | {steady} == register
    assert 0 < len(replica) < PEOPLE
    assert forum.changes > PEOPLE
    assert len(watch.answers) > 100
    assert set(watch.answers) == {"FLAGGED"}
