"""How events leave and arrive, on real PostgreSQL and Kafka: none lost, none twice, in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, Text, create_engine, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as events
from services.runtime import relay
from services.runtime.broker import Cluster, Producer, Record, Subscription, Tail, Topics
from services.runtime.clock import Clock
from services.runtime.consumer import ERASURE, Consumer, Handler, Inbox, Take
from services.runtime.database import Database, driver_url
from services.runtime.errors import Conflict, Unavailable
from services.runtime.outbox import Outbox, Sent
from services.runtime.policy import Undisclosed, Viewer
from services.runtime.relay import Relay
from tests import servers

ARRESTS = "ppo.custody.arrests.v1"
FLAGS = "ppo.flagging.flags.v1"
TOPICS = Topics.load(servers.TOPICS)
NOW = datetime(2004, 12, 31, 20, tzinfo=UTC)


@dataclass
class Log:
    """A service's side of the event log, in a schema of its own."""

    url: str
    kafka: str
    metadata: MetaData = field(default_factory=lambda: MetaData(schema="custody"))

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.metadata, "/ppo/custody")
        self.inbox = Inbox(self.metadata)
        self.effects = Table("effect", self.metadata, Column("nominal_id", Text))
        self.database = Database(self.url, "custody")
        self.producer = Producer(self.kafka, mock=False)
        self.cluster = Cluster(self.kafka, mock=False)
        engine = create_engine(driver_url(self.url))
        self.metadata.create_all(engine)
        engine.dispose()

    def relay(self, producer: Any = None, cluster: Any = None) -> Relay:
        return Relay(
            self.database, self.outbox, producer or self.producer, cluster or self.cluster, TOPICS, Clock()
        )

    def consumer(self, handler: Handler[Any], erase: Take | None = None, group: str = "tracking") -> Consumer:
        subscription = Subscription(self.kafka, mock=False, group=group, instance="0", topics=[ARRESTS])
        return Consumer(
            group,
            subscription,
            {handler.message.DESCRIPTOR.full_name: handler} | ({ERASURE: erase} if erase else {}),
            database=self.database,
            inbox=self.inbox,
            producer=self.producer,
            clock=Clock(),
        )

    async def append(self, key: str, topic: str = ARRESTS, suite: str = "D1") -> None:
        async with self.database.transaction() as session:
            await self.outbox.append(session, topic, key, arrested(key, suite), time=NOW)

    async def kept(self) -> int:
        async with self.database.transaction() as session:
            return (await session.scalar(select(func.count()).select_from(self.outbox.rows))) or 0

    async def close(self) -> None:
        await self.producer.close()
        await self.cluster.close()
        await self.database.close()


def arrested(key: str, suite: str = "D1") -> events.PpoArrested:
    return events.PpoArrested(detention_id="d1", nominal_id=key, suite_id=suite)


@pytest.fixture
async def log(database: servers.Database, topics: str) -> AsyncIterator[Log]:
    log = Log(database.url("custody"), topics)
    yield log
    await log.close()


@asynccontextmanager
async def reading(kafka: str, topic: str) -> AsyncIterator[Tail]:
    tail = Tail(kafka, mock=False, topic=topic)
    await tail.start({})
    yield tail
    await tail.close()


async def read(kafka: str, topic: str, count: int) -> list[Record]:
    """The first `count` records of the topic, and whatever else is there within a second."""
    found: list[Record] = []
    async with reading(kafka, topic) as tail, asyncio.timeout(30):
        while len(found) < count:
            found += await tail.poll()
        found += await tail.poll() + await tail.poll()
    return found


async def test_what_this_process_leaves_is_sent_at_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "IDLE_SECONDS", 3600)
    running = asyncio.create_task(log.relay().run())
    for key in ("first", "second"):
        await log.append(key)
        await sent(log)

    running.cancel()
    assert [one.key for one in await read(log.kafka, ARRESTS, 2)] == ["first", "second"]


async def sent(log: Log) -> None:
    async with asyncio.timeout(30):
        while await log.outbox.waiting_shards(log.database):
            await asyncio.sleep(0.01)


def sequences(records: Sequence[Record], key: str) -> list[int]:
    return [int(record.headers["ce_sequence"]) for record in records if record.key == key]


async def test_an_event_leaves_as_a_cloud_event(log: Log) -> None:
    await log.append("n1")
    await log.relay().round()

    [record] = await read(log.kafka, ARRESTS, 1)
    assert record.headers["ce_specversion"] == "1.0"
    assert record.headers["ce_type"] == "ppo.custody.v1.PpoArrested"
    assert record.headers["ce_source"] == "/ppo/custody"
    assert record.headers["ce_time"] == NOW.isoformat()
    assert record.headers["content-type"] == "application/protobuf"
    assert events.PpoArrested.FromString(record.value or b"") == arrested("n1")


async def test_one_event_leaves_to_several_topics_under_a_given_id_each_told_its_source(log: Log) -> None:
    log.outbox = Outbox(MetaData(schema="custody"), "/ppo/custody", {FLAGS: "/elsewhere"})
    async with log.database.transaction() as session:
        for topic in (ARRESTS, FLAGS):
            await log.outbox.append(session, topic, "n1", arrested("n1"), time=NOW, event_id="d1/2")
    await log.relay().round()

    [[here], [there]] = [await read(log.kafka, topic, 1) for topic in (ARRESTS, FLAGS)]
    assert (here.headers["ce_id"], there.headers["ce_id"]) == ("d1/2", "d1/2")
    assert (here.headers["ce_source"], there.headers["ce_source"]) == ("/ppo/custody", "/elsewhere")


async def test_a_record_without_a_header_is_taken_by_the_kind_that_its_reader_knows(log: Log) -> None:
    ledger = Ledger(log)
    consumer = Consumer(
        "tracking",
        Subscription(log.kafka, mock=False, group="tracking", instance="0", topics=[ARRESTS]),
        {"foreign": ledger.handler()},
        database=log.database,
        inbox=log.inbox,
        producer=log.producer,
        clock=Clock(),
        kind=lambda record: "foreign",
        batch=1,
    )
    await log.producer.send(
        [Record(ARRESTS, name, arrested(name).SerializeToString(), {}) for name in ("n1", "n2", "n3")]
    )

    async with consuming(consumer):
        await ledger.takes(["n1", "n2", "n3"])


async def test_every_erasure_of_a_key_is_taken_and_one_that_nobody_takes_is_skipped(log: Log) -> None:
    ledger, erased = Ledger(log), list[str]()

    async def erase(session: AsyncSession, record: Record) -> None:
        erased.append(record.key)

    consumer = log.consumer(ledger.handler(), erase)
    told = Record(ARRESTS, "n1", arrested("n1").SerializeToString(), headers("e1"))
    gone = [Record(ARRESTS, "n1", None, {}, partition=0, offset=offset) for offset in (1, 2, 2)]

    await consumer.take([told, *gone])
    await log.consumer(ledger.handler(), group="other").take([told, *gone])

    assert erased == ["n1", "n1"]
    assert await ledger.taken() == ["n1", "n1"]


async def test_what_is_rolled_back_never_leaves(log: Log) -> None:
    async def fails() -> None:
        async with log.database.transaction() as session:
            await log.outbox.append(session, ARRESTS, "n1", arrested("n1"), time=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    await log.append("n2")
    await log.relay().round()

    assert [record.key for record in await read(log.kafka, ARRESTS, 1)] == ["n2"]


async def test_concurrent_changes_of_a_person_leave_in_order_without_a_gap(log: Log) -> None:
    async with asyncio.TaskGroup() as writers:
        for number in range(60):
            writers.create_task(log.append(f"n{number % 3}"))
    relays = [log.relay(), log.relay()]
    async with asyncio.timeout(30):
        while await waiting(log):
            await asyncio.gather(*(relay.round() for relay in relays))

    records = await read(log.kafka, ARRESTS, 60)
    assert [sequences(records, f"n{person}") for person in range(3)] == [list(range(1, 21))] * 3


async def waiting(log: Log) -> list[int]:
    return await log.outbox.waiting_shards(log.database)


async def drain(log: Log) -> None:
    async with asyncio.timeout(30):
        while await waiting(log):
            await log.relay().round()


class Losing:
    """A producer that loses the first event of one person and sends what comes after it."""

    def __init__(self, producer: Producer, key: str) -> None:
        self.producer, self.key = producer, key
        self.lost = False

    async def send(self, records: Sequence[Record]) -> list[bool]:
        return [await self._send(record) for record in records]

    async def _send(self, record: Record) -> bool:
        if record.key == self.key and not self.lost:
            self.lost = True
            return False
        [sent] = await self.producer.send([record])
        return sent


async def test_a_person_stops_at_the_first_failed_send_and_the_others_go_on(log: Log) -> None:
    # The same shard, so that the two are in one batch.
    for key in ("n1", "n1", "m7", "n1"):
        await log.append(key)
    with pytest.raises(Unavailable):
        await log.relay(producer=Losing(log.producer, "n1")).round()
    await drain(log)

    records = await read(log.kafka, ARRESTS, 4)
    assert sequences(records, "n1") == [1, 2, 3]
    assert sequences(records, "m7") == [1]


async def test_a_relay_that_dies_after_the_broker_had_it_sends_it_again_under_the_same_id(log: Log) -> None:
    await log.append("n1")

    class Dying(Losing):
        async def send(self, records: Sequence[Record]) -> list[bool]:
            await self.producer.send(records)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await log.relay(producer=Dying(log.producer, "")).round()
    await log.relay().round()

    first, second = await read(log.kafka, ARRESTS, 2)
    assert first.headers["ce_id"] == second.headers["ce_id"]


async def test_of_a_compacted_topic_only_the_last_state_of_a_person_is_kept(log: Log) -> None:
    for _ in range(3):
        await log.append("n1", topic=FLAGS)
        await log.append("n1", topic=ARRESTS)
    await drain(log)

    assert await log.kept() == 1 + 3


async def test_another_cluster_gets_all_that_is_kept_under_the_first_ids(log: Log) -> None:
    await log.append("n1")
    relay = log.relay()
    await relay._meet_cluster()
    await relay.round()

    class Another:
        async def cluster_id(self) -> str:
            return "another cluster"

    other = log.relay(cluster=Another())
    await other._meet_cluster()
    await other.round()

    first, second = await read(log.kafka, ARRESTS, 2)
    assert first.headers["ce_id"] == second.headers["ce_id"]
    assert first.headers["ce_sequence"] == second.headers["ce_sequence"]


@dataclass
class Forgotten:
    """What the outbox has said that it forgets."""

    rows: list[Sent] = field(default_factory=list)

    async def keep(self, _: AsyncSession, rows: Sequence[Sent]) -> None:
        self.rows += rows


async def test_another_cluster_is_met_a_part_at_a_time_and_when_each_was_sent_is_told(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = Forgotten()
    monkeypatch.setattr(log.outbox, "forgetting", forgotten.keep)
    for _ in range(5):
        await log.append("n1")
    async with log.database.transaction() as session:
        assert await log.outbox.meet_cluster(session, "one", 2) is None
    await drain(log)

    met: list[int | None] = []
    while not met or met[-1] is not None:
        async with log.database.transaction() as session:
            met.append(await log.outbox.meet_cluster(session, "another", 2))

    assert met == [2, 2, 1, None]
    assert [(one.topic, one.sent_time <= datetime.now(UTC)) for one in forgotten.rows] == [
        (ARRESTS, True)
    ] * 5
    assert len({one.event_id for one in forgotten.rows}) == 5


async def test_what_the_broker_has_dropped_is_forgotten_a_part_at_a_time_and_told(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = Forgotten()
    monkeypatch.setattr(log.outbox, "forgetting", forgotten.keep)
    for _ in range(3):
        await log.append("n1")
    await drain(log)
    await log.append("n1")

    now = datetime.now(UTC) + timedelta(seconds=1)
    dropped: list[int] = []
    while not dropped or dropped[-1]:
        async with log.database.transaction() as session:
            dropped.append(await log.outbox.drop_sent_before(session, ARRESTS, now, 2))

    assert dropped == [2, 1, 0]
    assert len({one.event_id for one in forgotten.rows}) == 3
    # What is unsent is not dropped, however old it is.
    assert await log.kept() == 1


async def test_notices_wait_for_no_more_than_a_part_of_what_is_forgotten(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FORGOTTEN", 2), ("IDLE_SECONDS", 0)):
        monkeypatch.setattr(relay, name, value)
    for _ in range(5):
        await log.append("n1")
    await drain(log)
    running, kept = Relay(log.database, log.outbox, log.producer, log.cluster, TOPICS, Ages()), list[int]()

    async def watched() -> int:
        kept.append(await log.kept())
        return 0

    monkeypatch.setattr(running, "round", watched)
    turning = asyncio.create_task(running.run())
    async with asyncio.timeout(30):
        while 0 not in kept:
            await asyncio.sleep(0.01)

    turning.cancel()
    assert sorted(set(kept) - {5}) == [0, 1, 3]


class Ages(Clock):
    """Long after the broker has dropped all."""

    def system(self) -> datetime:
        return super().system() + timedelta(days=4000)


async def test_what_the_audience_may_not_see_does_not_leave(log: Log) -> None:
    async with log.database.transaction() as session:
        with pytest.raises(Undisclosed):
            await log.outbox.append(
                session, ARRESTS, "n1", arrested("n1"), time=NOW, audience=Viewer("third_party")
            )


@dataclass
class Ledger:
    """Takes arrests into a table, so that an effect stands or falls with its inbox row."""

    log: Log
    refuse: str = ""
    outage: int = 0
    breaks: str = ""

    def handler(self) -> Handler[events.PpoArrested]:
        return Handler(events.PpoArrested, self.take)

    async def take(self, session: AsyncSession, event: events.PpoArrested) -> None:
        if event.nominal_id == self.refuse:
            raise Conflict("is refused")
        if self.outage:
            self.outage -= 1
            raise Unavailable("register")
        if event.nominal_id == self.breaks:
            raise ZeroDivisionError(f"as nobody foresaw: {event.nominal_id}")
        await session.execute(insert(self.log.effects).values(nominal_id=event.nominal_id))

    async def taken(self) -> list[str]:
        async with self.log.database.transaction() as session:
            return sorted(await session.scalars(select(self.log.effects.c.nominal_id)))

    async def takes(self, wanted: list[str]) -> None:
        """Waits until these have taken effect; pytest's own limit ends a wait in vain."""
        while await self.taken() != wanted:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def consuming(taking: Consumer) -> AsyncIterator[None]:
    task = asyncio.create_task(taking.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await taking.close()


async def test_a_repeated_event_takes_effect_once(log: Log) -> None:
    record = Record(ARRESTS, "n1", arrested("n1").SerializeToString(), headers("e1"))
    ledger = Ledger(log)
    consumer = log.consumer(ledger.handler())

    await consumer.take([record, record])
    await consumer.take([record])

    assert await ledger.taken() == ["n1"]


def headers(event_id: str, kind: str = "ppo.custody.v1.PpoArrested") -> dict[str, str]:
    return {"ce_id": event_id, "ce_type": kind}


async def test_a_refused_record_goes_to_the_dead_letters_and_the_rest_goes_on(log: Log) -> None:
    bad = [
        Record(ARRESTS, "k", b"\xff\xff\xff", headers("unreadable")),
        Record(ARRESTS, "k", arrested("refused").SerializeToString(), headers("refused")),
        Record(ARRESTS, "k", arrested("n0").SerializeToString(), {}),
        Record(ARRESTS, "k", b"", headers("other", kind="ppo.custody.v1.Unheard")),
    ]
    good = [
        Record(ARRESTS, f"n{one}", arrested(f"n{one}").SerializeToString(), headers(f"e{one}"))
        for one in (1, 2)
    ]
    await log.producer.send([good[0], *bad, good[1]])
    ledger = Ledger(log, refuse="refused")

    async with consuming(log.consumer(ledger.handler())):
        await ledger.takes(["n1", "n2"])
        dead = await read(log.kafka, ARRESTS + ".dead", 3)

    assert await ledger.taken() == ["n1", "n2"]
    assert sorted(record.headers["dead_reason"] for record in dead) == [
        "has no ce_type header",
        "is no ppo.custody.v1.PpoArrested",
        "is refused",
    ]
    assert {record.headers["dead_topic"] for record in dead} == {ARRESTS}


def numbered(*nominal_ids: str) -> list[Record]:
    return [
        Record(ARRESTS, "k", arrested(one).SerializeToString(), headers(f"e{place}"))
        for place, one in enumerate(nominal_ids)
    ]


async def test_a_record_that_fails_as_nobody_foresaw_keeps_back_no_other_of_its_partition(log: Log) -> None:
    ledger = Ledger(log, breaks="broken")

    await log.consumer(ledger.handler()).take(numbered("n1", "broken", "n2"))

    [letter] = await read(log.kafka, ARRESTS + ".dead", 1)
    assert letter.headers["dead_reason"] == "failed: ZeroDivisionError"
    assert await ledger.taken() == ["n1", "n2"]


@pytest.mark.parametrize("before", [(), ("n1",)], ids=["alone", "behind a repeat"])
@pytest.mark.parametrize("broken", [1, 4])
async def test_where_it_may_be_no_fault_of_the_record_none_is_buried(
    log: Log, before: tuple[str, ...], broken: int
) -> None:
    ledger = Ledger(log, breaks="broken")
    taking = log.consumer(ledger.handler())
    await taking.take(numbered(*before))

    with pytest.raises(ZeroDivisionError):
        await taking.take(numbered(*before, *["broken"] * broken))

    ledger.breaks = ""
    await taking.take(numbered(*before, *["broken"] * broken))
    assert sorted(await ledger.taken()) == [*["broken"] * broken, *before]


async def test_of_many_that_fail_none_is_buried_whatever_else_is_taken(log: Log) -> None:
    ledger = Ledger(log, breaks="broken")
    records = numbered("n1", *["broken"] * 4)
    taking = log.consumer(ledger.handler())

    with pytest.raises(ZeroDivisionError):
        await taking.take(records)

    ledger.breaks = ""
    await taking.take(records)
    assert sorted(await ledger.taken()) == [*["broken"] * 4, "n1"]


async def test_of_two_groups_that_refuse_a_record_each_says_that_it_did(log: Log) -> None:
    await log.producer.send([Record(ARRESTS, "k", b"\xff\xff\xff", headers("unreadable"))])
    first, second = (log.consumer(Ledger(log).handler(), group=group) for group in ("tracking", "flagging"))

    async with consuming(first), consuming(second):
        dead = await read(log.kafka, ARRESTS + ".dead", 2)

    assert sorted(record.headers["dead_group"] for record in dead) == ["flagging", "tracking"]


async def test_an_outage_stops_the_consumer_and_loses_nothing(log: Log) -> None:
    await log.producer.send([Record(ARRESTS, "n1", arrested("n1").SerializeToString(), headers("e1"))])
    ledger = Ledger(log, outage=2)

    async with consuming(log.consumer(ledger.handler())):
        await ledger.takes(["n1"])

    assert ledger.outage == 0


async def test_what_a_consumer_took_before_it_died_is_not_taken_again_by_the_next(log: Log) -> None:
    await log.producer.send([Record(ARRESTS, "n1", arrested("n1").SerializeToString(), headers("e1"))])
    ledger = Ledger(log)
    dying = log.consumer(ledger.handler())
    records: list[Record] = []
    while not records:
        records = await dying._subscription.poll()
    # Its transaction is committed, its offset is not.
    await dying.take(records)
    await dying.close()

    await log.producer.send([Record(ARRESTS, "n2", arrested("n2").SerializeToString(), headers("e2"))])
    async with consuming(log.consumer(ledger.handler())):
        await ledger.takes(["n1", "n2"])


async def test_an_effect_that_was_rolled_back_comes_again(log: Log) -> None:
    record = Record(ARRESTS, "n1", arrested("n1").SerializeToString(), headers("e1"))
    ledger = Ledger(log, outage=1)
    taking = log.consumer(ledger.handler())

    with pytest.raises(Unavailable):
        await taking.take([record])
    await taking.take([record])

    assert await ledger.taken() == ["n1"]
