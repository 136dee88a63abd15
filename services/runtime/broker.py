"""Kafka: topics, producer, consumers and the cluster's id; the one file that knows kafka-python."""

import asyncio
import hashlib
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

from services.runtime.errors import Unavailable

T = TypeVar("T")

# A consumer that dies is replaced within this; kafka-python's own default is 45 seconds.
SESSION_MS = 6_000
# A batch: one transaction of a consumer.
BATCH = 500
SEND_SECONDS = 10
PACKED = 256 * 1024
# The mock broker answers no version request that kafka-python understands.
MOCK_VERSION = (2, 3)
LARGEST_RECORD = 1024 * 1024
DEAD_HEAD = 64 * 1024
READY_SECONDS = 30
# So many made-up groups fall on every partition of the offsets topic, or nearly.
COORDINATOR_SAMPLE = 40


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int
    cleanup: str
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def compacted(self) -> bool:
        return self.cleanup == "compact"

    @property
    def retention_seconds(self) -> float:
        """How long the broker keeps a record, or a compacted topic its tombstones."""
        key = "delete.retention.ms" if self.compacted else "retention.ms"
        return int(self.config[key]) / 1000


@dataclass(frozen=True)
class Topics:
    """The topics as deploy/kafka/topics.toml gives them."""

    by_name: Mapping[str, Topic]
    # One topic for every id of some tables of the reference data, whose id stands for the star of the name.
    patterns: Sequence[tuple[Topic, Sequence[str]]] = ()

    def __getitem__(self, name: str) -> Topic:
        return self.by_name[name]

    @classmethod
    def load(cls, path: Path) -> "Topics":
        """Raises ValueError naming the topic and what is missing."""
        rows = tomllib.loads(path.read_text())["topic"]
        fixed = {row["name"]: _topic(row) for row in rows if "each" not in row}
        return cls(fixed, [(_topic(row), row["each"]) for row in rows if "each" in row])

    def of_each(self, ids: Callable[[str], Iterable[str]]) -> "Topics":
        """With those of every row of the reference data, `ids` of a table."""
        made = [
            replace(pattern, name=pattern.name.replace("*", one))
            for pattern, tables in self.patterns
            for table in tables
            for one in ids(table)
        ]
        return Topics({**self.by_name, **{topic.name: topic for topic in made}})


_OWN_KEYS = ("name", "partitions", "cleanup")


def _topic(row: dict[str, Any]) -> Topic:
    for key in _OWN_KEYS:
        if key not in row:
            raise ValueError(f"topic {row.get('name', '?')} has no {key}")
    config = {key: str(value) for key, value in row.items() if key not in (*_OWN_KEYS, "each")}
    return Topic(row["name"], row["partitions"], row["cleanup"], config)


class Record(NamedTuple):
    """One record as it is sent or was read. `partition` and `offset` are -1 until the broker has it."""

    topic: str
    key: str
    value: bytes | None
    headers: Mapping[str, str]
    partition: int = -1
    offset: int = -1


class _Client:
    """A blocking kafka-python client with a thread of its own, so that nothing blocks the loop."""

    def __init__(self, servers: str, mock: bool, name: str) -> None:
        self._options: dict[str, Any] = {"bootstrap_servers": servers.split(",")}
        if mock:
            self._options["api_version"] = MOCK_VERSION
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def _in_thread(self, call: Any, *args: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)
        except KafkaError as error:
            raise Unavailable("kafka", type(error).__name__) from None


class Producer(_Client):
    """Idempotent, acknowledged by all in-sync replicas."""

    def __init__(self, servers: str, mock: bool) -> None:
        super().__init__(servers, mock, "producer")
        self._producer: KafkaProducer | None = None

    async def send(self, records: Sequence[Record]) -> list[bool]:
        """Sends all and waits for the broker; True for each that it has acknowledged."""
        sent: list[bool] = await self._in_thread(self._send, records)
        return sent

    def _send(self, records: Sequence[Record]) -> list[bool]:
        if self._producer is None:
            self._producer = KafkaProducer(
                **self._options,
                acks="all",
                enable_idempotence=True,
                # A checksum in Python costs as much as all else: of what is packed there is less to sum.
                compression_type="gzip",
                batch_size=PACKED,
                # All that is given at once leaves at once: longer than giving it takes, and ended by a flush.
                linger_ms=SEND_SECONDS * 100,
                request_timeout_ms=SEND_SECONDS * 500,
                delivery_timeout_ms=SEND_SECONDS * 1000,
                max_block_ms=SEND_SECONDS * 1000,
                bootstrap_timeout_ms=SEND_SECONDS * 1000,
                max_request_size=2 * LARGEST_RECORD,
                reconnect_backoff_max_ms=1000,
            )
        enqueued = [self._enqueue(record) for record in records]
        # A little longer than the producer itself tries, so that it is done with each record either way.
        with suppress(KafkaError):
            self._producer.flush(timeout=SEND_SECONDS + 2)
        sent = [future is not None and future.succeeded() for future in enqueued]
        if not all(sent):
            # Where a topic or the whole cluster was made anew meanwhile, this one would never send again.
            self._drop()
        return sent

    def _enqueue(self, record: Record) -> Any:
        assert self._producer is not None
        try:
            return self._producer.send(
                record.topic,
                key=record.key.encode(),
                value=record.value,
                headers=[(name, text.encode()) for name, text in record.headers.items()],
                partition=None if record.partition < 0 else record.partition,
            )
        except KafkaError:
            return None

    def _drop(self) -> None:
        """What it still holds was not acknowledged, so it will be sent again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=1)

    async def close(self) -> None:
        await self._in_thread(self._drop)
        self._thread.shutdown()


class Subscription(_Client):
    """A member of a consumer group; nothing is committed before `commit`."""

    def __init__(self, servers: str, mock: bool, *, group: str, instance: str, topics: Sequence[str]) -> None:
        super().__init__(servers, mock, group)
        self._topics = topics
        self._options |= {
            "group_id": group,
            # The mock broker knows no static membership.
            "group_instance_id": None if mock else f"{group}-{instance}",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": SESSION_MS,
            "heartbeat_interval_ms": SESSION_MS // 3,
            "max_poll_records": BATCH,
            "fetch_max_wait_ms": 100,
            "reconnect_backoff_max_ms": 1000,
        }
        self._consumer: KafkaConsumer | None = None

    async def poll(self) -> list[Record]:
        """Up to 500 records, those of a partition in order; empty after a second without any."""
        records: list[Record] = await self._in_thread(self._poll)
        return records

    def _poll(self) -> list[Record]:
        if self._consumer is None:
            consumer = KafkaConsumer(**self._options)
            # Asked first, for the first join can otherwise idle for half a minute.
            for topic in self._topics:
                consumer.partitions_for_topic(topic)
            consumer.subscribe(list(self._topics))
            self._consumer = consumer
        return _records(self._consumer.poll(timeout_ms=1000))

    async def commit(self, records: Iterable[Record]) -> None:
        """Says that these are done. A group that has moved on keeps its own mind: they will come again."""
        done: dict[Any, Any] = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            offset = max(record.offset + 1, done[place].offset if place in done else 0)
            done[place] = OffsetAndMetadata(offset, "", -1)
        await self._in_thread(
            lambda: self._consumer and self._consumer.commit(done, timeout_ms=SEND_SECONDS * 1000)
        )

    async def close(self) -> None:
        if self._consumer is not None:
            await self._in_thread(
                lambda: self._consumer and self._consumer.close(autocommit=False, timeout_ms=2000)
            )
        self._thread.shutdown()


class Tail(_Client):
    """Reads every partition of one topic from given offsets on, in no group: what a replica needs."""

    def __init__(self, servers: str, mock: bool, topic: str) -> None:
        super().__init__(servers, mock, "tail")
        self._topic = topic
        self._options |= {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_poll_records": BATCH,
            "fetch_max_wait_ms": 100,
            "reconnect_backoff_max_ms": 1000,
        }
        self._consumer: KafkaConsumer | None = None

    async def start(self, offsets: Mapping[int, int]) -> int:
        """From after each offset; a partition not named, from its first. Returns how many there are."""
        count: int = await self._in_thread(self._start, offsets)
        return count

    def _start(self, offsets: Mapping[int, int]) -> int:
        if self._consumer is not None:
            self._consumer.close(autocommit=False)
        self._consumer = consumer = KafkaConsumer(**self._options)
        partitions = consumer.partitions_for_topic(self._topic)
        if not partitions:
            raise Unavailable("kafka", f"does not know {self._topic} yet")
        places = {number: TopicPartition(self._topic, number) for number in partitions}
        consumer.assign(list(places.values()))
        for number, place in places.items():
            if number in offsets:
                consumer.seek(place, offsets[number] + 1)
            else:
                consumer.seek_to_beginning(place)
        return len(places)

    async def poll(self) -> list[Record]:
        records: list[Record] = await self._in_thread(self._poll)
        return records

    def _poll(self) -> list[Record]:
        assert self._consumer is not None
        return _records(self._consumer.poll(timeout_ms=500))

    async def close(self) -> None:
        if self._consumer is not None:
            await self._in_thread(
                lambda: self._consumer and self._consumer.close(autocommit=False, timeout_ms=2000)
            )
        self._thread.shutdown()


def _records(polled: Mapping[Any, Sequence[Any]]) -> list[Record]:
    return [
        Record(
            topic=one.topic,
            key=(one.key or b"").decode(errors="replace"),
            value=one.value,
            headers={name: (text or b"").decode(errors="replace") for name, text in one.headers or ()},
            partition=one.partition,
            offset=one.offset,
        )
        for batch in polled.values()
        for one in batch
    ]


def dead_letter(record: Record, reason: str, group: str) -> Record:
    """The record for `<topic>.dead` with the reason and its origin; a huge one as head and digest.

    Of several groups that read a topic each buries what it refuses: `group` says whose letter it is.
    """
    headers = dict(record.headers) | {
        "dead_reason": reason,
        "dead_group": group,
        "dead_topic": record.topic,
        "dead_partition": str(record.partition),
        "dead_offset": str(record.offset),
    }
    value = record.value
    if value is not None and len(value) > LARGEST_RECORD:
        headers |= {"dead_sha256": hashlib.sha256(value).hexdigest(), "dead_length": str(len(value))}
        value = value[:DEAD_HEAD]
    return Record(record.topic + ".dead", record.key, value, headers)


def revived(letter: Record) -> Record:
    """The record that a dead letter was, at the place where it was read."""
    headers = {name: text for name, text in letter.headers.items() if not name.startswith("dead_")}
    place = letter.headers
    return Record(
        place["dead_topic"],
        letter.key,
        letter.value,
        headers,
        partition=int(place["dead_partition"]),
        offset=int(place["dead_offset"]),
    )


class Cluster(_Client):
    """What the cluster says of itself."""

    def __init__(self, servers: str, mock: bool) -> None:
        super().__init__(servers, mock, "cluster")
        self._mock = mock
        self._options |= {"request_timeout_ms": 5000, "bootstrap_timeout_ms": 5000}
        self._admin: KafkaAdminClient | None = None

    async def cluster_id(self) -> str:
        """Another id is another cluster: what was sent to the first may not be there."""
        known: str = await self._in_thread(lambda: str(self._client().describe_cluster()["cluster_id"]))
        return known

    async def probe(self) -> None:
        await self.cluster_id()

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; 0 where the cluster does not know it."""
        described = await self._in_thread(lambda: self._client().describe_topics([topic]))
        return len(described[0]["partitions"])

    async def refuse_other(self, topics: Iterable[Topic]) -> None:
        """Raises ValueError where a topic's partition count or cleanup policy is not what was agreed."""
        if self._mock:
            return
        for topic in topics:
            count = await self.partitions(topic.name)
            if count != topic.partitions:
                raise ValueError(f"topic {topic.name} has {count} partitions, not {topic.partitions}")
            cleanup = await self._in_thread(self._cleanup, topic.name)
            if cleanup != topic.cleanup:
                raise ValueError(f"topic {topic.name} has cleanup.policy {cleanup}, not {topic.cleanup}")

    async def ensure(self, topic: Topic) -> None:
        """Creates the topic where it is missing; a mock broker creates its own."""
        if not self._mock and not await self._in_thread(lambda: topic.name in self._client().list_topics()):
            with suppress(TopicAlreadyExistsError):
                await self._in_thread(self._create, topic)

    def _create(self, topic: Topic) -> None:
        self._client().create_topics({topic.name: _creation(topic)}, wait_for_metadata=True)

    def _cleanup(self, topic: str) -> str:
        answer = self._client().describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all"
        )
        return str(answer["topic"][topic]["cleanup.policy"]["value"])

    def _client(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = KafkaAdminClient(**self._options)
        return self._admin

    async def close(self) -> None:
        if self._admin is not None:
            await self._in_thread(self._admin.close)
        self._thread.shutdown()


def create_topics(servers: str, topics: Topics, mock: bool) -> None:
    """Creates what is missing and waits for its leaders. The mock broker creates its own."""
    if mock:
        return
    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    try:
        _patiently(lambda: _create_missing(admin, topics))
        # A new cluster makes its coordinators when first asked; who joins a group meanwhile may idle.
        groups = [f"ready-{number}" for number in range(COORDINATOR_SAMPLE)]
        _patiently(lambda: admin.list_group_offsets(groups))
    finally:
        admin.close()


def _create_missing(admin: KafkaAdminClient, topics: Topics) -> None:
    known = set(admin.list_topics())
    missing = {topic.name: _creation(topic) for topic in topics.by_name.values() if topic.name not in known}
    if missing:
        admin.create_topics(missing, wait_for_metadata=True)


def _patiently(call: Callable[[], object]) -> None:
    """Another process may be quicker; a busy cluster has no broker or coordinator for a moment."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            call()
            return
        except KafkaError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _creation(topic: Topic) -> dict[str, Any]:
    configs = dict(topic.config) | {"cleanup.policy": topic.cleanup}
    return {"num_partitions": topic.partitions, "replication_factor": -1, "configs": configs}
