"""Tracking, Kafka and PostgreSQL are killed, and the wire cut, while movements come: every notice once."""

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec

from deploy.embedded import clock
from deploy.embedded.ports import HOST, free
from ppo.tracking.v1 import movement_pb2, notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.broker import Producer, Record, Tail
from tests import proxy
from tests.integration.tracking import running
from tests.integration.tracking.running import FLAGS, MOVEMENTS, NOW, Ppo, december
from tests.processes import Processes
from tests.proxy import Proxy
from tests.servers import Loop, Running, Servers

# What each recipient keeps under each key.
Topics: TypeAlias = dict[str, dict[str, list[Record]]]

SEED = 1805
KILLS, LONG_KILLS = 60, 1_000
PEOPLE = 200
# So many movements come between two kills.
CHUNK = 50
# Of a hundred; the rest are kills of tracking, every other one of them at a moment of MOMENTS.
CHANCES = {"kafka": 5, "postgres": 5, "kafka's wire": 5, "postgres's wire": 5, "away": 3}
REPEATS = 100
SETTLED_SECONDS = 120
REACHED_SECONDS = 5
FIRST = december(1)


class Moment(NamedTuple):
    """When a process dies: before a request of its gets to the server, or before the answer gets back."""

    server: str
    request: str
    answered: bool


# The whole way of a movement to its notices, step by step.
MOMENTS = [
    Moment("postgres", "commit", answered=False),
    Moment("postgres", "commit", answered=True),
    Moment("kafka", "offsets", answered=False),
    Moment("kafka", "offsets", answered=True),
    Moment("kafka", "produce", answered=False),
    Moment("kafka", "produce", answered=True),
]
Strike: TypeAlias = str | Moment


@pytest.fixture
def own() -> Iterator[Servers]:
    """Servers of this test alone, for it kills them."""
    servers = Servers({})
    yield servers
    servers.close()


@dataclass
class Replica:
    """A process of tracking, and the wires to what it needs."""

    process: Running
    wires: Mapping[str, Proxy]
    starting: asyncio.Task[None] | None = None

    async def kill(self) -> None:
        await self.started()
        await asyncio.to_thread(self.process.kill)

    def start(self) -> None:
        self.starting = asyncio.create_task(asyncio.to_thread(self.process.start))

    async def started(self) -> None:
        if self.starting is not None:
            await self.starting
            self.starting = None


@dataclass
class Stage:
    """Two processes of tracking, and the servers under them; what is killed comes back meanwhile."""

    own: Servers
    processes: Processes
    replicas: list[Replica]

    async def strike(self, what: Strike, prisons: "Prisons") -> None:
        """While movements come. Only one of the servers is ever away."""
        victim = prisons.chance.choice(self.replicas)
        if isinstance(what, Moment):
            await self._kill_at(what, victim, prisons)
            return
        await prisons.move(CHUNK)
        await asyncio.sleep(prisons.chance.uniform(0, 0.6))
        match what:
            case "kafka" | "postgres":
                server: Running = getattr(self.own, what)
                await asyncio.to_thread(server.restart)
            case "kafka's wire" | "postgres's wire":
                await self._cut(what.removesuffix("'s wire"), prisons.chance.uniform(0, 0.5))
            case "away":
                await self._send_away(victim, prisons)
            case "tracking":
                await victim.kill()
                victim.start()

    async def _kill_at(self, moment: Moment, victim: Replica, prisons: "Prisons") -> None:
        await victim.started()
        wire = victim.wires[moment.server]
        reached = asyncio.wrap_future(wire.stop(moment.request, answered=moment.answered))
        async with asyncio.timeout(SETTLED_SECONDS):
            while not reached.done():
                await prisons.move(CHUNK)
                await asyncio.wait([reached], timeout=REACHED_SECONDS)
        await victim.kill()
        wire.cut()
        wire.mend()
        victim.start()

    async def _cut(self, server: str, seconds: float) -> None:
        for replica in self.replicas:
            replica.wires[server].cut()
        await asyncio.sleep(seconds)
        for replica in self.replicas:
            replica.wires[server].mend()

    async def _send_away(self, victim: Replica, prisons: "Prisons") -> None:
        """The other takes all, and gives half back."""
        for replica in self.replicas:
            await replica.started()
        await victim.kill()
        await self._shared_by(1)
        await prisons.move(CHUNK)
        await asyncio.to_thread(victim.process.start)
        await self._shared_by(2)

    async def _shared_by(self, count: int) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.processes.kafka)) as admin:
            async with asyncio.timeout(SETTLED_SECONDS):
                while await asyncio.to_thread(_members, admin) != count:
                    await asyncio.sleep(0.2)

    async def whole(self) -> None:
        for replica in self.replicas:
            await replica.started()


def _members(admin: KafkaAdminClient) -> int:
    """How many share the partitions; 0 while they do not agree."""
    group = admin.describe_groups(["tracking"])["tracking"]
    return len(group["members"]) if group["group_state"] == "Stable" else 0


@pytest.fixture
def stage(own: Servers, tmp_path: Path) -> Iterator[Stage]:
    clock.move(tmp_path, NOW)
    loop = Loop()
    ports = [free(), free()]
    kafka = [Proxy(port, loop, proxy.kafka) for port in ports]
    own.own_kafka("kafka", dict(zip(ports, (wire.port for wire in kafka), strict=True)))
    with running.migrated(own) as template, own.database(template) as database:
        told = urlsplit(database.url("tracking"))
        postgres = [Proxy(told.port or 5432, loop, proxy.postgres) for _ in kafka]
        processes = Processes(own, database, tmp_path, ("returns", "tracking"))
        replicas = []
        for number, wires in enumerate(zip(kafka, postgres, strict=True)):
            for wire in wires:
                wire.mend()
            server = f"{told.username}:{told.password}@{told.hostname}:{wires[1].port}"
            through = {
                "PPO_TRACKING_POSTGRES": told._replace(netloc=server).geturl(),
                "PPO_TRACKING_KAFKA": f"{HOST}:{wires[0].port}",
            }
            process = processes.replica("tracking", number, **through)
            replicas.append(Replica(process, dict(zip(("kafka", "postgres"), wires, strict=True))))
        try:
            for each in replicas:
                each.process.start()
            yield Stage(own, processes, replicas)
        finally:
            for each in replicas:
                each.process.kill()
                for wire in each.wires.values():
                    wire.cut()
            processes.close()
    loop.close()


@dataclass
class Prisons:
    """Send movements, each until Kafka has it, some of them more than once."""

    producer: Producer
    people: Sequence[Ppo]
    chance: Random
    sent: list[Record] = field(default_factory=list)

    async def flag(self) -> None:
        await self._send([_record(FLAGS, ppo.nominal_id, ppo.flag()) for ppo in self.people])

    async def move(self, count: int) -> None:
        """The next movements: everybody is received, then everybody is released, and so on."""
        moved = [self._movement(len(self.sent) + each) for each in range(count)]
        self.sent += moved
        await self._send([*moved, *self._again(5)])

    def _movement(self, serial: int) -> Record:
        ppo, before = self.people[serial % len(self.people)], serial // len(self.people)
        kind, code = _STEPS[before % 2]
        at = FIRST + timedelta(hours=before, seconds=serial % len(self.people))
        told = running.movement(ppo, kind, at, reason_code=code, prison_id="BMI")
        return _record(MOVEMENTS, ppo.number, told)

    async def repeat(self, count: int) -> None:
        """Of what was sent long ago."""
        await self._send(self._again(count))

    def _again(self, count: int) -> list[Record]:
        """As they were or made anew, none both ways: of two in one batch the second is not looked at."""
        again = self.chance.sample(self.sent, count)
        return [record if self.chance.random() < 0.5 else _made_anew(record) for record in again]

    async def _send(self, records: Sequence[Record]) -> None:
        while records:
            done = await self.producer.send(records)
            records = [record for record, has in zip(records, done, strict=True) if not has]


_STEPS = (
    (movement_pb2.MOVEMENT_KIND_RECEPTION, "N"),
    (movement_pb2.MOVEMENT_KIND_RELEASE, "CR"),
)


def _record(topic: str, key: str, message: Any) -> Record:
    headers = {"ce_id": str(uuid4()), "ce_type": message.DESCRIPTOR.full_name, "ce_source": "/test"}
    return Record(topic, key, message.SerializeToString(), headers)


def _made_anew(record: Record) -> Record:
    """The same event by a sender that has forgotten all but the event's id."""
    movement = movement_pb2.Movement.FromString(record.value or b"")
    movement.movement_id = str(uuid4())
    movement.occurred_time.FromDatetime(_occurred(movement) + timedelta(minutes=30))
    return Record(record.topic, record.key, movement.SerializeToString(), record.headers)


def _occurred(movement: movement_pb2.Movement) -> datetime:
    return movement.occurred_time.ToDatetime()


def asked(stage: Stage, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(stage.processes.database.superuser) as connection:
        return connection.execute(statement).fetchall()


async def settled(stage: Stage, holds: Callable[[], bool]) -> None:
    """Until that holds, and nothing waits to be sent."""
    unsent = "SELECT EXISTS (SELECT FROM tracking.outbox WHERE sent_time IS NULL)"
    async with asyncio.timeout(SETTLED_SECONDS):
        while not holds() or asked(stage, unsent) == [(True,)]:
            await asyncio.sleep(0.1)


async def all_taken(stage: Stage) -> None:
    """Until the group has done with every movement, and what it led to is sent."""
    with closing(KafkaAdminClient(bootstrap_servers=stage.processes.kafka)) as admin:
        await settled(stage, lambda: _done(admin) == _ends(admin))


def _done(admin: KafkaAdminClient) -> dict[TopicPartition, int]:
    told = admin.list_group_offsets(["tracking"])["tracking"]
    return {place: at.offset for place, at in told.items() if place.topic == MOVEMENTS}


def _ends(admin: KafkaAdminClient) -> dict[TopicPartition, int]:
    count = len(admin.describe_topics([MOVEMENTS])[0]["partitions"])
    places = [TopicPartition(MOVEMENTS, number) for number in range(count)]
    told = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    return {place: at.offset for place, at in told.items() if at.offset}


async def read(stage: Stage, topic: str) -> list[Record]:
    """All of a topic, until it is quiet."""
    tail = Tail(stage.processes.kafka, mock=False, topic=topic)
    await tail.start({})
    found: list[Record] = []
    quiet = 0
    while quiet < 2:
        polled = await tail.poll()
        found += polled
        quiet = 0 if polled else quiet + 1
    await tail.close()
    return found


def kept(records: Sequence[Record]) -> dict[str, list[Record]]:
    """What a recipient keeps under each key: it drops what is not higher than the last."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        last = int(found[record.key][-1].headers["ce_sequence"]) if found[record.key] else 0
        if int(record.headers["ce_sequence"]) > last:
            found[record.key].append(record)
    return found


def strikes(kills: int, chance: Random) -> list[Strike]:
    found: list[Strike] = [
        what for what, share in CHANCES.items() for _ in range(max(2, kills * share // 100))
    ]
    aimed = (kills - len(found)) // 2
    found += [MOMENTS[each % len(MOMENTS)] for each in range(aimed)]
    found += ["tracking"] * (kills - len(found))
    chance.shuffle(found)
    return found


@pytest.mark.timeout(600)
async def test_killed_at_any_step_of_the_way_every_notice_is_there_once_and_in_order(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await told_once(stage, MOMENTS * 2, Random(SEED), capsys)


@pytest.mark.timeout(14_400)
async def test_whoever_is_killed_every_notice_is_there_once_and_in_order(
    stage: Stage, torture: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = Random() if torture else Random(SEED)
    kills = LONG_KILLS if torture else KILLS

    await told_once(stage, strikes(kills, chance), chance, capsys)


async def told_once(
    stage: Stage, all_strikes: Sequence[Strike], chance: Random, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [Ppo() for _ in range(PEOPLE)]
    producer = Producer(stage.processes.kafka, mock=False)
    prisons = Prisons(producer, people, chance)
    await prisons.flag()
    await settled(stage, lambda: asked(stage, "SELECT count(*) FROM tracking.person") == [(PEOPLE,)])

    for what in all_strikes:
        await stage.strike(what, prisons)
    await stage.whole()
    await all_taken(stage)
    await prisons.repeat(REPEATS)
    await all_taken(stage)
    await producer.close()
    moved = len(prisons.sent)

    ledger = asked(stage, "SELECT topic, key, notice_id || '/' || revision, record FROM tracking.delivery")
    topics = {topic: kept(await read(stage, topic)) for topic in {row[0] for row in ledger}}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(all_strikes)} kills and cuts, {moved:,} movements, {len(ledger):,} notices\n"
        )

    assert await read(stage, f"{MOVEMENTS}.dead") == []
    assert asked(stage, "SELECT count(*) FROM tracking.fact") == [(moved,)]
    assert sorted(ledger) == sorted(
        (one.topic, one.key, one.headers["ce_id"], one.value) for one in every(topics)
    )
    assert gaps(topics) == []
    owners = topics["ppo.notices.E3.v1"]
    assert {ppo.nominal_id: types(owners[ppo.nominal_id]) for ppo in people} == expected(people, moved)


def every(topics: Topics) -> list[Record]:
    return [record for keys in topics.values() for records in keys.values() for record in records]


def gaps(topics: Topics) -> list[tuple[str, str]]:
    """Where a recipient misses something: the numbers rise from 1, and the last is how many there are."""
    return [
        (topic, key)
        for topic, keys in topics.items()
        for key, records in keys.items()
        if [int(one.headers["ce_sequence"]) for one in records] != list(range(1, len(records) + 1))
    ]


# What a movement causes once and in itself.
KINDS = (pb.NOTICE_TYPE_PRISON_RECEPTION, pb.NOTICE_TYPE_RELEASED)


def types(records: Sequence[Record]) -> Counter[int]:
    told = (notice_pb2.Notice.FromString(record.value or b"").type for record in records)
    return Counter(kind for kind in told if kind in (pb.NOTICE_TYPE_PPO_FLAG_SET, *KINDS))


def expected(people: Sequence[Ppo], moved: int) -> dict[str, Counter[int]]:
    """Of each movement one notice to the owner, and one of the flag."""
    told: dict[str, Counter[int]] = {ppo.nominal_id: Counter([pb.NOTICE_TYPE_PPO_FLAG_SET]) for ppo in people}
    for serial in range(moved):
        told[people[serial % len(people)].nominal_id][KINDS[serial // len(people) % 2]] += 1
    return told
