"""The four services as processes of the test run, and what every organisation finds in its topic."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from casework.v1 import casework_pb2 as casework
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from deploy.embedded import clock
from deploy.embedded.topics import topics
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceStub
from services.runtime import channel
from tests import processes
from tests.integration.custody import running
from tests.servers import REFERENCE, TOPICS, Servers

SERVICES = ("flagging", "custody", "returns", "tracking")
HMPPS = "hmpps.domain-events"
INPUTS = ("ppo.custody.arrests.v1", HMPPS)
NAMES = list(topics(TOPICS, REFERENCE).by_name)
TO_ORGANISATIONS = [name for name in NAMES if name.startswith(("ppo.notices.", "casework."))]
DEAD = [name for name in NAMES if name.endswith(".dead")]
SEND_SECONDS = 60


class Processes(running.Processes):
    @property
    def now(self) -> datetime:
        return clock.now(self.directory)

    def move_clock(self, to: datetime) -> None:
        clock.move(self.directory, to)

    def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """Of the database, as its superuser."""
        with psycopg.connect(self.database.superuser) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def started(servers: Servers, directory: Path, now: datetime) -> Iterator[Processes]:
    clock.move(directory, now)
    with processes.migrated(servers, *SERVICES) as database:
        made = Processes(servers, database, directory, SERVICES)
        with processes.running(made):
            yield made


@asynccontextmanager
async def tracking_as(
    processes: Processes, role: str, organisation: str
) -> AsyncIterator[TrackingServiceStub]:
    token = processes.token(role, organisation)
    async with channel.connect(processes.tracking.address, lambda: token) as wire:
        yield TrackingServiceStub(wire)


@asynccontextmanager
async def returns_as(processes: Processes, role: str, organisation: str) -> AsyncIterator[ReturnsServiceStub]:
    token = processes.token(role, organisation)
    async with channel.connect(processes.returns.address, lambda: token) as wire:
        yield ReturnsServiceStub(wire)


class Prisons:
    """Publish on their own topic, whatever it is and however long."""

    def __init__(self, kafka: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=16 * 1024 * 1024)

    async def publish(self, key: str, content: bytes) -> None:
        sent = self._producer.send(HMPPS, key=key.encode(), value=content)
        await asyncio.to_thread(sent.get, SEND_SECONDS)

    def close(self) -> None:
        self._producer.close()


# ---- what organisations were told


@dataclass(frozen=True)
class Told:
    """A record in an organisation's topic."""

    topic: str
    key: str
    sequence: int
    event_id: str
    what: str
    state: str
    # It only confirms what was told.
    silent: bool

    @property
    def organisation(self) -> str:
        return self.topic.removesuffix(".v1").removeprefix("ppo.notices.").removeprefix("casework.")

    @property
    def revision(self) -> int:
        return int(self.event_id.rpartition("/")[2])


def records(kafka: str, names: Iterable[str]) -> list[Any]:
    """All that these topics hold, each partition in its order."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    with closing(consumer):
        ends = {place: end for place, end in _ends(consumer, names).items() if end}
        consumer.assign(list(ends))
        for place in ends:
            consumer.seek(place, 0)
        found: list[Any] = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for batch in consumer.poll(timeout_ms=500).values():
                found += batch
    return found


def _ends(consumer: Any, names: Iterable[str]) -> dict[Any, int]:
    places = [
        TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name) or ()
    ]
    ends: dict[Any, int] = consumer.end_offsets(places)
    return ends


def told(kafka: str) -> list[Told]:
    return [_told(record) for record in records(kafka, TO_ORGANISATIONS)]


def _told(record: Any) -> Told:
    headers = {name: text.decode() for name, text in record.headers}
    what, state, silent = _content(headers["ce_type"], record.value)
    key = record.key.decode()
    return Told(record.topic, key, int(headers["ce_sequence"]), headers["ce_id"], what, state, silent)


def _content(kind: str, value: bytes) -> tuple[str, str, bool]:
    if kind == casework.CaseNotice.DESCRIPTOR.full_name:
        case = casework.CaseNotice.FromString(value)
        state = casework.CaseNoticeState.Name(case.state).removeprefix("CASE_NOTICE_STATE_")
        return casework.CaseNoticeKind.Name(case.kind).removeprefix("CASE_NOTICE_KIND_"), state, case.silent
    notice = notice_pb2.Notice.FromString(value)
    state = tracking.NoticeState.Name(notice.state).removeprefix("NOTICE_STATE_")
    return tracking.NoticeType.Name(notice.type).removeprefix("NOTICE_TYPE_"), state, notice.silent


def without_repeats(found: Iterable[Told]) -> list[Told]:
    """As recipients do: a sequence that is not higher than the last of its key is a repeat."""
    kept: list[Told] = []
    last: dict[tuple[str, str], int] = {}
    for one in found:
        if one.sequence > last.get((one.topic, one.key), 0):
            last[one.topic, one.key] = one.sequence
            kept.append(one)
    return kept


# ---- when it is quiet

# How often lateness is told, and what is known confirmed, depends on when the clock was moved.
LATE = "NOT_ACKNOWLEDGED"
LEDGER: LiteralString = """
    SELECT count(*) FROM tracking.delivery JOIN tracking.notice USING (notice_id)
    WHERE type <> 30 AND NOT silent
"""
UNSENT: LiteralString = """
    SELECT count(*) FROM (
        SELECT sent_time FROM custody.outbox UNION ALL SELECT sent_time FROM tracking.outbox
    ) waiting WHERE sent_time IS NULL
"""


async def quiet(processes: Processes, deliveries: int, seconds: float) -> None:
    """Until tracking has read all that there is, the ledger holds so much, and all of it is sent.

    No longer than that: what is missing then is better said by the assertion that misses it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(_quiet, processes, deliveries):
                await asyncio.sleep(0.2)


def _quiet(processes: Processes, deliveries: int) -> bool:
    [(written,)], [(unsent,)] = processes.rows(LEDGER), processes.rows(UNSENT)
    return bool(written >= deliveries and not unsent and not _unread(processes.kafka))


def _unread(kafka: str) -> bool:
    with closing(KafkaConsumer(bootstrap_servers=kafka)) as consumer:
        ends = {place: end for place, end in _ends(consumer, INPUTS).items() if end}
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        committed = admin.list_group_offsets({"tracking": list(ends)})["tracking"]
    return any(place not in committed or committed[place].offset < end for place, end in ends.items())
