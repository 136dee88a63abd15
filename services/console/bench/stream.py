"""Kafka as a bench drives it: what goes in at which pace, and when the broker had what came of it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

# Nothing tells what a group has committed, so it is asked this often.
LOOK_SECONDS = 0.02
CHUNK = 100
READY_SECONDS = 120

Headers = Sequence[tuple[str, bytes]]


class Sent(NamedTuple):
    """A record as the broker has it; `time` is when it was appended, in seconds."""

    topic: str
    key: str
    value: bytes
    headers: Headers
    partition: int
    offset: int
    time: float


class Stream:
    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._admin = KafkaAdminClient(bootstrap_servers=servers)
        self._producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=5)

    def close(self) -> None:
        self._producer.close()
        self._admin.close()

    def create(self, topics: Mapping[str, int]) -> None:
        """By name, with so many partitions each."""
        told = {name: {"num_partitions": count, "replication_factor": 1} for name, count in topics.items()}
        self._admin.create_topics(told, wait_for_metadata=True)

    def stamp(self, topics: Sequence[str]) -> None:
        """Their records bear the time at which the broker had them, not the one that a producer gave."""
        told = {"message.timestamp.type": "LogAppendTime"}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=told) for name in topics]
        self._admin.alter_configs(resources)

    def send(self, topic: str, records: Sequence[tuple[str, bytes, Headers]], rate: float = 0) -> None:
        """All at once, or so many a second; returns once the broker has them."""
        began = time.perf_counter()
        for place, (key, value, headers) in enumerate(records):
            if rate and (ahead := began + place / rate - time.perf_counter()) > 0:
                time.sleep(ahead)
            self._producer.send(topic, key=key.encode(), value=value, headers=list(headers))
        self._producer.flush(timeout=READY_SECONDS)

    def feed(
        self, topic: str, group: str, records: Sequence[tuple[str, bytes, Headers]], window: int
    ) -> None:
        """As fast as the group takes them: so many are under way at once."""
        begun = self.committed(group, topic)
        for start in range(0, len(records), CHUNK):
            while start - (self.committed(group, topic) - begun) > window - CHUNK:
                time.sleep(LOOK_SECONDS)
            self.send(topic, records[start : start + CHUNK])

    def committed(self, group: str, topic: str) -> int:
        """How many records of a topic a group has done with, since the first."""
        offsets = self._admin.list_group_offsets([group])[group]
        return sum(told.offset for place, told in offsets.items() if place.topic == topic)

    def members(self, group: str) -> int:
        """How many have joined; 0 while they are joining."""
        found = self._admin.describe_groups([group])[group]
        return len(found["members"]) if found["group_state"] == "Stable" else 0

    def ends(self, topics: Sequence[str]) -> dict[Any, int]:
        with self._reader() as reader:
            ends: dict[Any, int] = reader.end_offsets(_places(reader, topics))
        return ends

    def since(self, ends: Mapping[Any, int]) -> Iterator[Sent]:
        """What has come since those were the ends."""
        with self._reader() as reader:
            reader.assign(list(ends))
            for place, offset in ends.items():
                reader.seek(place, offset)
            until = reader.end_offsets(list(ends))
            while any(reader.position(place) < end for place, end in until.items()):
                for batch in reader.poll(timeout_ms=500).values():
                    yield from map(_sent, batch)

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        reader = KafkaConsumer(bootstrap_servers=self._servers, auto_offset_reset="earliest")
        try:
            yield reader
        finally:
            reader.close()


def until(holds: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(LOOK_SECONDS)


def _places(reader: Any, topics: Sequence[str]) -> list[Any]:
    return [
        TopicPartition(topic, number) for topic in topics for number in reader.partitions_for_topic(topic)
    ]


def _sent(record: Any) -> Sent:
    key = (record.key or b"").decode()
    return Sent(
        record.topic,
        key,
        record.value or b"",
        record.headers or (),
        record.partition,
        record.offset,
        record.timestamp / 1000,
    )
