"""After any history the replica is the register's twin: both sides' own code, from the RPC to the check."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import grpc
import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import select

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import snapshot
from services.custody.answers import MOST_CANDIDATES
from services.custody.follow import take
from services.custody.replica import Replica
from services.custody.snapshot import Snapshot
from services.flagging.fields import stamp
from services.flagging.models import SCHEMA, outbox
from services.flagging.store import flags as store
from services.flagging.watermarks import Watermarks
from services.runtime.broker import Cluster, Record
from tests import builders, servers
from tests.integration.flagging.service import DAY, NOON, Service
from tests.integration.flagging.test_movements import death, hear, merge

PARTITIONS = 3
PEOPLE = 8
STEPS = 40
NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER


class Nowhere(Cluster):
    """A topic of so many partitions, which nobody needs to be there for."""

    async def partitions(self, topic: str) -> int:
        return PARTITIONS


@dataclass
class Twins:
    """The register, what it has told so far, and a replica of it that is restarted now and then."""

    service: Service
    chance: Random
    directory: Path
    replica: Replica = field(default_factory=Replica)
    told: int = 0
    offset: int = 0
    people: list[person_pb2.Person] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)

    # ---- what happens

    async def live(self) -> None:
        often = [self.flag, self.flag, self.end, self.rename, self.pass_time]
        seldom = [self.annul, self.die, self.merge_numbers, self.merge, self.merge, self.unmerge]
        acts = [*often, *often, *seldom]
        # What the rules refuse at that moment is no history.
        with suppress(grpc.aio.AioRpcError):
            await self.chance.choice(acts)()

    async def arrive(self, serial: int) -> None:
        number = person_pb2.Identifier(kind=NUMBER, value=f"A{serial:04d}BC")
        given = self.chance.choice(["James", "Siobhán", "Mohammed", "Nguyễn", "Łukasz", "Anne-Marie"])
        family = self.chance.choice(["Carter", "O'Neill", "Smith-Jones", "Li", "D’Souza", "van der Berg"])
        born = f"{1960 + serial}-{self.chance.randrange(13):02d}-00"
        person = builders.person(given, family, born, identifiers=[builders.pnc_id(serial), number])
        self.people.append(person)
        await self.service.nominal(person)

    async def flag(self) -> None:
        await self.service.active(await self.anybody())

    async def end(self) -> None:
        """At once, or at an instant that time alone brings."""
        planned = await self.service.plan_exit(await self.registered())
        ahead = self.chance.choice([timedelta(), DAY, 3 * DAY])
        await self.service.remove(planned, effective_time=stamp(self.service.clock.at + ahead))

    async def annul(self) -> None:
        await self.service.annul(await self.registered())

    async def rename(self) -> None:
        """An import knows another name of somebody, or another date of birth."""
        place = self.chance.randrange(len(self.people))
        changed = person_pb2.Person()
        changed.CopyFrom(self.people[place])
        changed.aliases.append(builders.name("Jim", self.chance.choice(["Carter", "Smith", "Ó Néill"])))
        self.people[place] = changed
        await self.service.load(changed, source=f"s{self.chance.random()}")

    async def die(self) -> None:
        await hear(self.service, death(self.number(), self.service.clock.at))

    async def merge(self) -> None:
        """Two nominals are found to be one person."""
        one, other = await self.anybody(), await self.anybody()
        await self.service.merge(one, into=other)
        self.merged.append(one)

    async def unmerge(self) -> None:
        if self.merged:
            await self.service.unmerge(self.merged.pop())

    async def merge_numbers(self) -> None:
        """Two prison numbers are found to be one person's."""
        kept, removed = self.number(), self.number()
        if kept != removed:
            await hear(self.service, merge(kept, removed))

    async def pass_time(self) -> None:
        self.service.clock.at += self.chance.choice([timedelta(hours=5), DAY, 2 * DAY])

    async def anybody(self) -> str:
        return (await self.service.read(self.chance.choice(self.people).identifiers[0])).nominal_id

    async def registered(self) -> flagging.Registration:
        listed = [one.registration for one in await self.ppos()]
        return self.chance.choice(listed) if listed else flagging.Registration()

    def number(self) -> str:
        return self.chance.choice(self.people).identifiers[1].value

    # ---- what is told and heard

    async def tell(self, *, marked: bool) -> None:
        if marked:
            self.service.clock.ahead += timedelta(seconds=3)
            await Watermarks(self.service.database, Nowhere("127.0.0.1:1", False), self.service.clock).step()
        records = await self.sent()
        for record in self.shuffled(records):
            take(self.replica, record)

    async def sent(self) -> list[Record]:
        """What the relay sends, in its order; a person's records share a partition."""
        async with self.service.database.transaction() as session:
            new = select(outbox.rows).where(outbox.rows.c.topic == store.TOPIC, outbox.rows.c.id > self.told)
            rows = (await session.execute(new.order_by(outbox.rows.c.id))).all()
            ids = [row.id for row in rows]
            await outbox.mark_sent(session, ids, self.service.clock.system())
        self.told = max(ids, default=self.told)
        return [self.record(row) for row in rows]

    def record(self, row: object) -> Record:
        key, partition = row.key, row.partition  # type: ignore[attr-defined]
        where = sum(key.encode()) % PARTITIONS if partition < 0 else partition
        headers = {"ce_type": row.event_type}  # type: ignore[attr-defined]
        return Record(store.TOPIC, key, row.payload, headers, partition=where)  # type: ignore[attr-defined]

    def shuffled(self, records: list[Record]) -> list[Record]:
        """One order that keeps that of each partition; now and then a batch comes twice."""
        queues = [[one for one in records if one.partition == place] for place in range(PARTITIONS)]
        mixed: list[Record] = []
        while any(queues):
            mixed.append(self.chance.choice([queue for queue in queues if queue]).pop(0))
        return mixed * self.chance.choice([1, 1, 2])

    def restart(self) -> None:
        """From the disk, as a process begins."""
        path = self.directory / "replica.json"
        state = Snapshot("cluster", NOON, PARTITIONS, {}, self.replica.contents())
        snapshot.save(path, state)
        kept = snapshot.load(path)
        assert kept is not None
        self.replica = Replica()
        self.replica.partitions = kept.partitions
        self.replica.restore(kept.contents)

    # ---- what both say

    async def compare(self) -> None:
        now = self.service.clock.at
        held = self.replica.flagged(now)
        listed = {one.registration.nominal_id for one in await self.ppos()}
        assert {one for one in listed if one in held} == listed
        assert len(held) == len(listed)
        for person in self.people:
            await self.ask(person)
            await self.ask(person_pb2.Person(name=person.name, birth_date=person.birth_date))
            await self.ask(person_pb2.Person(identifiers=person.identifiers[:1]))

    async def ask(self, person: person_pb2.Person) -> None:
        """The same PPOs by the same evidence; where the register says no, the replica does not know."""
        there = await self.service.screen(person)
        here = self.replica.screen(person, fingerprint=False, now=self.service.clock.at, false_alarms=0.01)
        assert here.outcome != screening_pb2.OUTCOME_NOT_FLAGGED
        if there.outcome == screening_pb2.OUTCOME_FLAGGED:
            assert here.outcome == screening_pb2.OUTCOME_FLAGGED
            assert list(here.candidates) == list(there.candidates)
            assert here.threshold_bits == there.threshold_bits
        elif there.outcome == screening_pb2.OUTCOME_POSSIBLE and (here.candidates or not person.identifiers):
            # By a number alone the register may find a PPO in the records of one whom no replica knows.
            assert here.outcome == screening_pb2.OUTCOME_POSSIBLE
            assert {*names(there)} <= {*names(here)} or len(here.candidates) == MOST_CANDIDATES

    async def ppos(self) -> list[flagging.ListPposResponse]:
        keeper = await self.service.stub("register_keeper")
        request = flagging.ListPposRequest(purpose=policy_pb2.PURPOSE_REGISTER)
        return [one async for one in keeper.ListPpos(request, timeout=10)]


def names(said: screening_pb2.Screening) -> list[str]:
    return [each.nominal_id for each in said.candidates]


@pytest_asyncio.fixture
async def service(servers: servers.Servers, migrated: servers.Database) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        own = stack.enter_context(servers.database(migrated))
        with psycopg.connect(own.url(SCHEMA)) as connection:
            connection.execute("UPDATE register SET epoch = gen_random_uuid()")
        yield await Service.start(own.url(SCHEMA), stack)


@pytest.mark.parametrize("seed", [0, 2, 4, 5])
async def test_after_any_history_the_replica_is_the_registers_twin(
    service: Service, tmp_path: Path, seed: int
) -> None:
    twins = Twins(service, Random(seed), tmp_path)
    twins.replica.partitions = PARTITIONS
    for serial in range(1, PEOPLE + 1):
        await twins.arrive(serial)

    for step in range(STEPS):
        await twins.live()
        await twins.tell(marked=step % 3 == 0)
        if step % 7 == 0:
            twins.restart()
        if step % 5 == 4:
            await twins.tell(marked=True)
            assert twins.replica.whole
            await twins.compare()
