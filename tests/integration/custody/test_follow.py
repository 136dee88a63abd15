"""The replica as it is kept: from a real topic, from the disk, from another cluster, with spoilt records."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from ppo.flagging.v1 import events_pb2 as events
from services.custody import snapshot
from services.custody.follow import FILE, FLAGS, Follower
from services.custody.replica import Replica
from services.runtime.broker import Cluster, Producer, Record, Tail, Topics, create_topics
from services.runtime.clock import Clock
from services.runtime.errors import Unavailable
from tests import servers
from tests.unit.custody import register

TOPIC = Topics.load(servers.TOPICS)[FLAGS]
SECONDS = 20


class Later(Clock):
    """The system's time, moved."""

    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self._by = by

    def system(self) -> datetime:
        return super().system() + self._by


@dataclass
class Topic:
    """Writes the flags topic of one cluster, as flagging's relay does, and follows it."""

    kafka: str
    directory: Path
    producer: Producer
    flagged: dict[str, int] = field(default_factory=dict)
    version: int = 0

    async def send(self, key: str, value: bytes | None, kind: str, partition: int) -> None:
        headers = {"ce_type": kind} if kind else {}
        assert await self.producer.send([Record(FLAGS, key, value, headers, partition=partition)]) == [True]

    async def flag(self, nominal_id: str, partition: int = 0) -> None:
        self.version += 1
        self.flagged[nominal_id] = self.version
        made = register.flag(nominal_id, self.version)
        kind = events.Flag.DESCRIPTOR.full_name
        await self.send(nominal_id, made.SerializeToString(), kind, partition)

    async def mark(self) -> None:
        kind = events.Watermark.DESCRIPTOR.full_name
        for partition in range(TOPIC.partitions):
            made = register.watermark(partition, self.version, self.flagged.items(), at=datetime.now(UTC))
            await self.send(f"watermark-{partition}", made.SerializeToString(), kind, partition)

    @asynccontextmanager
    async def followed(self, clock: Clock | None = None) -> AsyncIterator[tuple[Replica, Follower]]:
        replica = Replica()
        tail, cluster = Tail(self.kafka, mock=False, topic=FLAGS), Cluster(self.kafka, mock=False)
        follower = Follower(replica, tail, cluster, TOPIC, clock or Clock(), self.directory, 0.01)
        follower.load()
        task = asyncio.create_task(follower.run())
        try:
            yield replica, follower
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await tail.close()
            await cluster.close()


@pytest_asyncio.fixture
async def topic(topics: str, tmp_path: Path) -> AsyncIterator[Topic]:
    producer = Producer(topics, mock=False)
    yield Topic(topics, tmp_path, producer)
    await producer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


def knows(replica: Replica, *nominals: str) -> bool:
    flagged = replica.flagged(register.NOW)
    return len(flagged) == len(nominals) and all(each in flagged for each in nominals)


async def test_it_is_whole_once_every_partition_agrees(topic: Topic) -> None:
    async with topic.followed() as (replica, follower):
        await topic.flag("n1", partition=3)
        await until(lambda: knows(replica, "n1"))
        with pytest.raises(Unavailable):
            await follower.probe()

        await topic.mark()

        await until(lambda: replica.whole)
        await follower.probe()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"\xff\xff", events.Flag.DESCRIPTOR.full_name),
        (events.Flag(nominal_id="another", version=9).SerializeToString(), events.Flag.DESCRIPTOR.full_name),
        (b"", ""),
    ],
)
async def test_a_record_that_cannot_be_read_leaves_it_incomplete_until_a_watermark_agrees(
    topic: Topic, value: bytes, kind: str
) -> None:
    await topic.mark()
    async with topic.followed() as (replica, _):
        await until(lambda: replica.whole)

        await topic.send("n1", value, kind, 0)
        await until(lambda: not replica.whole)
        await topic.flag("n1")
        await topic.mark()

        await until(lambda: replica.whole)
        assert knows(replica, "n1")


async def test_an_event_of_a_later_day_is_passed_over(topic: Topic) -> None:
    await topic.send("n1", b"\xff", "ppo.flagging.v1.Unheard", 0)
    await topic.flag("n1")
    await topic.mark()

    async with topic.followed() as (replica, _):
        await until(lambda: replica.whole)


async def test_a_tombstone_erases(topic: Topic) -> None:
    await topic.flag("n1")
    await topic.flag("n2")
    async with topic.followed() as (replica, _):
        await until(lambda: knows(replica, "n1", "n2"))

        await topic.send("n1", None, "", 0)

        await until(lambda: knows(replica, "n2"))


async def test_a_restart_reads_on_where_it_stopped(topic: Topic) -> None:
    await topic.flag("n1")
    await topic.mark()
    async with topic.followed() as (replica, _):
        await until(lambda: replica.whole)
        await kept(topic)
    await topic.flag("n2")

    async with topic.followed() as (replica, _):
        # From the disk alone, before anything is read.
        assert knows(replica, "n1")
        assert replica.whole
        await until(lambda: knows(replica, "n1", "n2"))


async def test_a_snapshot_older_than_half_of_the_tombstones_is_thrown_away(topic: Topic) -> None:
    await topic.flag("n1")
    await topic.mark()
    async with topic.followed() as (replica, _):
        await until(lambda: replica.whole)
        await kept(topic)
    half = timedelta(seconds=TOPIC.retention_seconds / 2)

    fresh, stale = Replica(), Replica()
    for replica, later in ((fresh, half - timedelta(minutes=5)), (stale, half + timedelta(minutes=5))):
        tail, cluster = Tail(topic.kafka, mock=False, topic=FLAGS), Cluster(topic.kafka, mock=False)
        Follower(replica, tail, cluster, TOPIC, Later(later), topic.directory, 0.01).load()
        await tail.close()
        await cluster.close()

    assert knows(fresh, "n1")
    assert len(stale) == 0


async def test_another_cluster_is_read_from_its_beginning_and_nothing_is_forgotten(
    topic: Topic, servers: servers.Servers
) -> None:
    for number in range(5):
        await topic.flag(f"n{number}")
    await topic.mark()
    async with topic.followed() as (replica, _):
        await until(lambda: replica.whole)
        await kept(topic)
    other = await asyncio.to_thread(another_cluster, servers)
    async with AsyncExitStack() as stack:
        producer = Producer(other, mock=False)
        stack.push_async_callback(producer.close)
        # There its offsets begin anew: what comes first there would be skipped by those of the first.
        moved = Topic(other, topic.directory, producer, dict(topic.flagged), topic.version)
        await moved.flag("n9")
        await moved.mark()

        async with moved.followed() as (replica, _):
            assert knows(replica, "n0", "n1", "n2", "n3", "n4")
            await until(lambda: knows(replica, "n0", "n1", "n2", "n3", "n4", "n9"))
            await until(lambda: replica.whole)


def another_cluster(run: servers.Servers) -> str:
    kafka = run.own_kafka(f"another-{datetime.now(UTC).timestamp()}").address
    create_topics(kafka, Topics.load(servers.TOPICS), mock=False)
    return kafka


async def kept(topic: Topic) -> None:
    """Until it is on the disk with all that has been written."""
    path = topic.directory / FILE

    def whole() -> bool:
        found = snapshot.load(path)
        return found is not None and len(found.contents) == len(topic.flagged) + TOPIC.partitions

    await until(whole)
