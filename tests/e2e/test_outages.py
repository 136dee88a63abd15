"""What a check needs is taken away in turn while flags are set: no PPO is ever answered "not flagged"."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

import pytest

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.runtime import channel
from tests.conftest import Say
from tests.integration.custody import running
from tests.integration.custody.running import Desk, Processes, outcome, somebody
from tests.servers import Running, Servers

SEED = 1914
ROUNDS, LONG_ROUNDS = 1, 40
CHECKERS = 4
# Far over the register's 200 ms and the time to store, far under what a person at a desk waits for.
DEADLINE_SECONDS = 5
CHECKS_BEFORE = 100
CHECKS_BEHIND = 200
BACK_SECONDS = 300
KNOWN_REASONS = {screening_pb2.UNKNOWN_REASON_UNREACHABLE}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Servers]:
    """Servers of this test alone, for it kills them."""
    servers = Servers({})
    yield servers
    servers.close()


@pytest.fixture
def processes(own: Servers, tmp_path: Path) -> Iterator[Processes]:
    with running.migrated(own) as template, running.pair(own, template, tmp_path) as processes:
        yield processes


@dataclass
class Watch:
    """Flags people one after another, and checks flagged people and others all the time."""

    desk: Desk
    strangers: list[person_pb2.Person]
    chance: Random
    flagged: list[person_pb2.Person] = field(default_factory=list)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def checks(self) -> int:
        return self.answers.total()

    async def flag(self) -> None:
        while True:
            person = somebody()
            # Cut off in the middle: whether it was committed nobody knows, so nothing is asked of this one.
            with suppress(channel.CallError):
                await self.desk.flagged(person)
                self.flagged.append(person)
            await asyncio.sleep(0.05)

    async def check(self) -> None:
        while True:
            await self._check(*self._somebody())

    def _somebody(self) -> tuple[str, person_pb2.Person]:
        if self.flagged and self.chance.random() < 0.7:
            # The latest most of all: they are whom a replica may not have yet.
            latest = self.flagged[-5:] if self.chance.random() < 0.5 else self.flagged
            return "flagged", self.chance.choice(latest)
        return "stranger", self.chance.choice(self.strangers)

    async def _check(self, who: str, person: person_pb2.Person) -> None:
        custody = await self.desk.custody()
        try:
            reply = await custody.CheckPerson(self.desk.checking(person), timeout=DEADLINE_SECONDS)
        except channel.CallError as error:
            self.wrong.append(f"{who}: no answer, {error.code().name}")
            return
        self.answers[who, outcome(reply.answer)] += 1
        self.wrong.extend(f"{who}: {fault}" for fault in faults(who, reply.answer))

    async def another(self) -> None:
        """Until one more is flagged."""
        before = len(self.flagged)
        async with asyncio.timeout(BACK_SECONDS):
            while len(self.flagged) == before:
                await asyncio.sleep(0.01)

    async def more(self, checks: int) -> None:
        wanted = self.checks + checks
        async with asyncio.timeout(BACK_SECONDS):
            while self.checks < wanted:
                await asyncio.sleep(0.05)


def faults(who: str, answer: pb.Answer) -> Iterator[str]:
    said = outcome(answer)
    if who == "flagged" and said == "NOT_FLAGGED":
        yield "answered NOT_FLAGGED"
    if who == "stranger" and said in ("FLAGGED", "POSSIBLE"):
        yield f"answered {said}"
    if said == "NOT_FLAGGED" and answer.basis != pb.BASIS_REGISTER:
        yield "NOT_FLAGGED not by the register"
    if said == "UNKNOWN" and answer.screening.unknown_reason not in KNOWN_REASONS:
        yield "UNKNOWN without its reason"


async def back(watch: Watch) -> None:
    """Until the register answers again, and the replica is whole."""
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            # A busy machine may need more than one look's time.
            with suppress(TimeoutError):
                return await watch.desk.replicated(watch.strangers[0])


def cuts(own: Servers, processes: Processes) -> dict[str, Sequence[Running]]:
    parts = {
        "flagging": processes.flagging,
        "postgres": own.postgres,
        "redis": own.redis,
        "kafka": own.kafka,
    }
    # Flagging starts last: it waits for nothing, but its first check reads the register.
    return {**{name: [part] for name, part in parts.items()}, "all": [*reversed(parts.values())]}


async def cut(watch: Watch, victims: Sequence[Running]) -> None:
    await watch.more(CHECKS_BEFORE)
    await watch.another()
    for victim in victims:
        await asyncio.to_thread(victim.kill)
    await watch.more(CHECKS_BEHIND)
    for victim in victims:
        await asyncio.to_thread(victim.start)


@pytest.mark.timeout(14_400)
async def test_whatever_is_away_no_ppo_is_answered_not_flagged(
    own: Servers, processes: Processes, torture: bool, say: Say
) -> None:
    seed = SystemRandom().getrandbits(32) if torture else SEED
    say(f"seed {seed}")
    async with running.desk(processes, "D3") as desk:
        strangers = [somebody() for _ in range(20)]
        for person in strangers:
            await desk.nominal(person)
        watch = Watch(desk, strangers, Random(seed))

        tasks = [
            asyncio.create_task(work) for work in (watch.flag(), *(watch.check() for _ in range(CHECKERS)))
        ]
        for number in range(LONG_ROUNDS if torture else ROUNDS):
            began = time.monotonic()
            for victims in cuts(own, processes).values():
                await cut(watch, victims)
                await back(watch)
            seconds = time.monotonic() - began
            say(f"round {number + 1}: {len(watch.flagged):,} flags, {watch.checks:,} checks; {seconds:.0f} s")
            assert watch.wrong == []
            assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    assert watch.wrong == []
    assert watch.answers["flagged", "FLAGGED"] > CHECKS_BEHIND
    assert watch.answers["stranger", "UNKNOWN"] > CHECKERS
    assert watch.answers["stranger", "NOT_FLAGGED"] > CHECKERS
