"""Two processes of tracking and the servers under them, any of which is killed or cut off at any moment."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit

import psycopg
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from deploy.embedded import clock
from deploy.embedded.ports import HOST, free
from tests import proxy
from tests.e2e.prisons import Prisons
from tests.integration.tracking import running
from tests.integration.tracking.running import MOVEMENTS, NOW
from tests.processes import Processes
from tests.proxy import Proxy
from tests.servers import Loop, Running, Servers

T = TypeVar("T")

# So many movements come between two kills.
CHUNK = 50
# At each look whether the partitions are shared anew.
FEW = 5
# Of a hundred; the rest are kills of tracking, every other one of them at a moment of MOMENTS.
CHANCES = {"kafka": 5, "postgres": 5, "kafka's wire": 5, "postgres's wire": 5, "away": 3}
# The long form runs beside whatever else the machine does.
SETTLED_SECONDS = 300
REACHED_SECONDS = 5
# Short, so that what ends a hold is killed too.
HOLD_MINUTES = 0.2
UNSETTLED = """
    SELECT EXISTS (SELECT FROM tracking.outbox WHERE sent_time IS NULL)
        OR EXISTS (SELECT FROM tracking.notice WHERE hold_time IS NOT NULL)
"""


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


def strikes(kills: int, chance: Random) -> list[Strike]:
    found: list[Strike] = [
        what for what, share in CHANCES.items() for _ in range(max(2, kills * share // 100))
    ]
    aimed = (kills - len(found)) // 2
    found += [MOMENTS[each % len(MOMENTS)] for each in range(aimed)]
    found += ["tracking"] * (kills - len(found))
    chance.shuffle(found)
    return found


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
    """What is killed comes back meanwhile."""

    own: Servers
    processes: Processes
    replicas: list[Replica]

    async def strike(self, what: Strike, prisons: Prisons) -> None:
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

    async def _kill_at(self, moment: Moment, victim: Replica, prisons: Prisons) -> None:
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

    async def _send_away(self, victim: Replica, prisons: Prisons) -> None:
        """The other takes all, and gives half back, while movements come."""
        await self.whole()
        await victim.kill()
        await self._shared_by(1, prisons)
        victim.start()
        await self._shared_by(2, prisons)

    async def _shared_by(self, count: int, prisons: Prisons) -> None:
        with self.admin() as admin:
            async with asyncio.timeout(SETTLED_SECONDS):
                while await asyncio.to_thread(_told, lambda: _members(admin), 0) != count:
                    await prisons.move(FEW)
                    await asyncio.sleep(0.2)

    async def whole(self) -> None:
        for replica in self.replicas:
            await replica.started()

    async def all_taken(self) -> None:
        """Until the group has done with every movement, and what it led to is settled."""
        with self.admin() as admin:
            await self.settled(lambda: _done(admin) == ends(admin, MOVEMENTS))

    async def settled(self, holds: Callable[[], bool] = lambda: True) -> None:
        """Until that holds, nothing waits to be sent, and nothing is provisional any more."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while not _told(holds, False) or self.asked(UNSETTLED) == [(True,)]:
                await asyncio.sleep(0.1)

    def asked(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.processes.database.superuser) as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        with closing(KafkaAdminClient(bootstrap_servers=self.processes.kafka)) as admin:
            yield admin


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """A broker that has just come back does not know its groups yet."""
    try:
        return ask()
    except KafkaError:
        return otherwise


def _members(admin: KafkaAdminClient) -> int:
    """How many share the partitions; 0 while they do not agree."""
    group = admin.describe_groups(["tracking"])["tracking"]
    return len(group["members"]) if group["group_state"] == "Stable" else 0


def _done(admin: KafkaAdminClient) -> dict[int, int]:
    told = admin.list_group_offsets(["tracking"])["tracking"]
    return {place.partition: at.offset for place, at in told.items() if place.topic == MOVEMENTS}


def ends(admin: KafkaAdminClient, topic: str) -> dict[int, int]:
    """By partition, where something is in it."""
    count = len(admin.describe_topics([topic])[0]["partitions"])
    places = [TopicPartition(topic, number) for number in range(count)]
    told = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    return {place.partition: at.offset for place, at in told.items() if at.offset}


@contextmanager
def staged(own: Servers, directory: Path, mutation: str) -> Iterator[Stage]:
    clock.move(directory, NOW)
    loop = Loop()
    ports = [free(), free()]
    kafka = [Proxy(port, loop, proxy.kafka) for port in ports]
    own.own_kafka("kafka", dict(zip(ports, (wire.port for wire in kafka), strict=True)))
    with running.migrated(own) as template, own.database(template) as database:
        told = urlsplit(database.url("tracking"))
        postgres = [Proxy(told.port or 5432, loop, proxy.postgres) for _ in kafka]
        processes = Processes(own, database, directory, ("returns", "tracking"))
        replicas = []
        for number, wires in enumerate(zip(kafka, postgres, strict=True)):
            for wire in wires:
                wire.mend()
            server = f"{told.username}:{told.password}@{told.hostname}:{wires[1].port}"
            settings = {
                "PPO_TRACKING_POSTGRES": told._replace(netloc=server).geturl(),
                "PPO_TRACKING_KAFKA": f"{HOST}:{wires[0].port}",
                "PPO_TRACKING_HOLD_MINUTES": str(HOLD_MINUTES),
            }
            process = processes.replica("tracking", number, mutation=mutation, **settings)
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
