"""Flags and watermarks on the real topic: what tells a reader that it has all, and how old that is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from ppo.flagging.v1 import events_pb2
from services.flagging.models import outbox
from services.flagging.store.flags import TOPIC, register
from services.flagging.watermarks import EVERY, RETRY_SECONDS, Watermarks
from services.people.flags import DIGESTS, contribution
from services.runtime.broker import Cluster, Producer, Record, Tail, Topics
from services.runtime.relay import Relay
from tests import servers
from tests.builders import person, pnc_id
from tests.integration.flagging.service import DAY, Service

TOPICS = Topics.load(servers.TOPICS)
PARTITIONS = TOPICS[TOPIC].partitions
FLAG = "ppo.flagging.v1.Flag"
WATERMARK = "ppo.flagging.v1.Watermark"


@dataclass
class Published:
    """The service with its way out."""

    service: Service
    cluster: Cluster
    relay: Relay
    tail: Tail
    epoch: str

    def watermarks(self) -> Watermarks:
        """Of one more replica."""
        return Watermarks(self.service.database, self.cluster, self.service.clock)

    async def send(self) -> None:
        while await self.relay.round():
            pass

    async def read(self, count: int) -> list[Record]:
        """The next `count` records of this register: other tests' are there too."""
        found: list[Record] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                found += [one for one in await self.tail.poll() if epoch(one) == self.epoch]
        return found


def epoch(record: Record) -> str:
    epochs = [flag.epoch for flag in flags([record])] + [mark.epoch for mark in marks([record])]
    return epochs[0]


@pytest.fixture(scope="module")
def kafka(servers: servers.Servers) -> str:
    return servers.fresh_topics()


@pytest_asyncio.fixture
async def published(service: Service, kafka: str) -> AsyncIterator[Published]:
    cluster, producer = Cluster(kafka, mock=False), Producer(kafka, mock=False)
    relay = Relay(service.database, outbox, producer, cluster, TOPICS, service.clock)
    tail = Tail(kafka, mock=False, topic=TOPIC)
    await tail.start({})
    async with service.database.transaction() as session:
        epoch, _ = await register(session)
    yield Published(service, cluster, relay, tail, epoch)
    await tail.close()
    await producer.close()
    await cluster.close()


async def people(service: Service, *serials: int) -> list[str]:
    """PPOs; their nominal ids."""
    nominals = [await service.nominal(person(identifiers=[pnc_id(serial)])) for serial in serials]
    for one in nominals:
        await service.active(one)
    return nominals


def flags(records: Sequence[Record]) -> list[events_pb2.Flag]:
    return [events_pb2.Flag.FromString(one.value or b"") for one in records if one.headers["ce_type"] == FLAG]


def marks(records: Sequence[Record]) -> list[events_pb2.Watermark]:
    wanted = [one for one in records if one.headers["ce_type"] == WATERMARK]
    return [events_pb2.Watermark.FromString(one.value or b"") for one in wanted]


async def test_every_partition_says_what_a_whole_replica_holds(published: Published) -> None:
    nominals = await people(published.service, 1, 2, 3)
    await published.send()
    before = published.service.clock.system()
    await published.watermarks().step()
    await published.send()

    records = await published.read(3 + PARTITIONS)

    held, said = flags(records), marks(records)
    assert {flag.nominal_id: flag.version for flag in held} == dict(zip(nominals, (2, 4, 6), strict=True))
    assert {one.partition for one in said} == set(range(PARTITIONS))
    digest = sum(contribution(flag.nominal_id, flag.version) for flag in held) % DIGESTS
    assert {(one.version, one.flagged_count, one.flagged_digest) for one in said} == {(6, 3, digest)}
    assert {one.epoch for one in said} == {flag.epoch for flag in held} != {""}
    assert before <= said[0].register_time.ToDatetime(tzinfo=before.tzinfo)


async def test_a_watermark_stands_in_the_partition_it_names(published: Published) -> None:
    await published.watermarks().step()
    await published.send()

    records = await published.read(PARTITIONS)

    assert [one.partition for one in records] == [one.partition for one in marks(records)]
    assert {one.key for one in records} == {f"watermark/{number}" for number in range(PARTITIONS)}


async def test_a_flag_stands_under_the_nominal_id(published: Published) -> None:
    [nominal_id] = await people(published.service, 1)
    await published.send()

    assert [one.key for one in await published.read(1)] == [nominal_id]


async def test_no_watermark_is_written_while_a_flag_is_unsent(published: Published) -> None:
    await people(published.service, 1)

    wait = await published.watermarks().step()
    await published.send()
    await published.watermarks().step()
    await published.send()

    records = await published.read(1 + PARTITIONS)
    assert wait == RETRY_SECONDS
    assert [one.flagged_count for one in marks(records)] == [1] * PARTITIONS


async def test_watermarks_that_nobody_takes_do_not_pile_up(published: Published) -> None:
    await published.watermarks().step()
    published.service.clock.ahead = EVERY
    wait = await published.watermarks().step()
    await published.send()

    assert wait == RETRY_SECONDS
    assert len(await published.read(PARTITIONS)) == PARTITIONS


async def test_several_replicas_write_one_set_of_watermarks_at_a_time(published: Published) -> None:
    waits = await asyncio.gather(*(published.watermarks().step() for _ in range(6)))
    await published.send()

    assert all(0 < wait <= EVERY.total_seconds() for wait in waits)
    assert len(await published.read(PARTITIONS)) == PARTITIONS


async def test_a_removal_counts_out_who_it_removes(published: Published) -> None:
    kept, removed = await people(published.service, 1, 2)
    watermarks = published.watermarks()
    await published.send()
    await watermarks.step()
    registration = await published.service.latest(removed)
    published.service.clock.at += DAY
    await published.service.remove(await published.service.plan_exit(registration))
    await published.send()
    published.service.clock.ahead = EVERY
    await watermarks.step()
    await published.send()

    records = await published.read(3 + 2 * PARTITIONS)

    assert {one.flagged_count for one in marks(records)} == {2, 1}
    last = marks(records)[-1]
    assert last.flagged_digest == contribution(kept, 2)
    assert last.version == 6


async def test_the_age_of_the_last_watermark_grows_while_none_can_be_written(published: Published) -> None:
    watermarks = published.watermarks()
    await watermarks.step()
    await people(published.service, 1)
    published.service.clock.ahead = 5 * EVERY
    await watermarks.step()
    waiting = age()
    await published.send()
    await watermarks.step()

    assert waiting >= 5 * EVERY.total_seconds()
    assert age() < EVERY.total_seconds()


def age() -> float:
    return REGISTRY.get_sample_value("ppo_watermark_age_seconds") or 0.0
