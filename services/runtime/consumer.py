"""How an event arrives: a batch in one transaction that also records the event ids, then the offset."""

import asyncio
import hashlib
from collections import Counter as Counts
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message
from prometheus_client import Counter
from sqlalchemy import Column, DateTime, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime.broker import BATCH, Producer, Record, Subscription, dead_letter
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Refusal, Unavailable
from services.runtime.telemetry import error_place

M = TypeVar("M", bound=Message)

TAKEN = Counter("ppo_events_taken", "Events that took effect.", ["group", "type"])
REPEATED = Counter("ppo_events_repeated", "Events that had taken effect before.", ["group"])
SKIPPED = Counter("ppo_events_skipped", "Events of a type that this group does not use.", ["group"])
DEAD = Counter("ppo_events_dead", "Records sent to the dead-letter topic.", ["group"])

# Takes one record; a Handler is one, and one for a foreign topic may be any other.
Take: TypeAlias = Callable[[AsyncSession, Record], Awaitable[None]]

# Takes the locks that a batch needs, in one order, before the first record takes effect.
Hold: TypeAlias = Callable[[AsyncSession, Sequence[Record]], Awaitable[None]]

# The handler of a record without a value, which means that its key is erased.
ERASURE = "erasure"
RETRY_SECONDS = 0.5
# Of one batch; of more it is not the records, and the process stops.
MOST_UNFORESEEN = 3
# Longer than any topic keeps its records, so that no repeat outlives the memory of it.
INBOX_DAYS = 60

log = structlog.get_logger()


class Unreadable(Refusal):
    """The record is not what its topic promises."""


@dataclass(frozen=True)
class Handler(Generic[M]):
    """Takes one event in the transaction of its batch; a Refusal sends the record to the dead letters."""

    message: type[M]
    take: Callable[[AsyncSession, M], Awaitable[None]]

    async def __call__(self, session: AsyncSession, record: Record) -> None:
        await self.take(session, read(record, self.message))


@dataclass(frozen=True)
class Together:
    """Takes all records of its kind that follow one another at once; a Refusal of one is one of all."""

    take: Callable[[AsyncSession, Sequence[Record]], Awaitable[None]]

    async def __call__(self, session: AsyncSession, record: Record) -> None:
        await self.take(session, [record])


def read(record: Record, message: type[M]) -> M:
    """Raises Unreadable."""
    try:
        return message.FromString(record.value or b"")
    except DecodeError:
        raise Unreadable(f"is no {message.DESCRIPTOR.full_name}") from None


class Inbox:
    """The ids of the events that have taken effect, per consumer group."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "inbox",
            metadata,
            Column("consumer", Text, primary_key=True),
            Column("event_id", Text, primary_key=True),
            Column(
                "recorded_time", DateTime(timezone=True), nullable=False, index=True, comment="System clock"
            ),
        )

        self._admit = text(
            f"INSERT INTO {metadata.schema}.{self.table.name} (consumer, event_id, recorded_time)"
            " SELECT :consumer, event_id, :now FROM unnest(CAST(:ids AS text[])) event_id"
            " ON CONFLICT DO NOTHING RETURNING event_id"
        )

    async def admit(self, session: AsyncSession, group: str, ids: Sequence[str], now: datetime) -> set[str]:
        """Those of `ids` that are new to the group; they count as taken when the transaction commits."""
        # In one order everywhere, for each waits for another consumer that takes the same.
        rows = {"consumer": group, "ids": sorted(ids), "now": now}
        return set(await session.scalars(self._admit, rows))

    async def prune(self, session: AsyncSession, before: datetime) -> None:
        await session.execute(self.table.delete().where(self.table.c.recorded_time < before))


class Came(NamedTuple):
    """What came of a batch: the kinds of which something new was taken, and what failed as nobody foresaw."""

    taken: set[str]
    unforeseen: list[tuple[Record, Exception]]


class Consumer:
    """Takes the events of a group. `handlers` by the full name of the message; other types are skipped."""

    def __init__(
        self,
        group: str,
        subscription: Subscription,
        handlers: Mapping[str, Take],
        *,
        database: Database,
        inbox: Inbox,
        producer: Producer,
        clock: Clock,
        kind: Callable[[Record], str] = lambda record: record.headers.get("ce_type", ""),
        batch: int = BATCH,
        hold: Hold | None = None,
    ) -> None:
        """`kind` names the handler of a record; those of a foreign topic have no header that says it.

        `batch` is how many share a transaction: fewer, where each takes locks that others wait for.
        """
        self._group = group
        self._subscription = subscription
        self._handlers = handlers
        self._database = database
        self._inbox = inbox
        self._producer = producer
        self._clock = clock
        self._kind: Callable[[Record], str] = lambda record: ERASURE if record.value is None else kind(record)
        self._batch = batch
        self._hold = hold

    async def run(self) -> None:
        while True:
            try:
                records = await self._subscription.poll()
                for start in range(0, len(records), self._batch):
                    await self._finish(records[start : start + self._batch])
            except Unavailable as outage:
                log.warning("consumer waits", group=self._group, dependency=outage.dependency)
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        await self._subscription.close()

    async def _finish(self, records: Sequence[Record]) -> None:
        """Takes a batch, however long what it depends on is away, then commits its offsets."""
        while True:
            try:
                await self.take(records)
                break
            except Unavailable as outage:
                log.warning("consumer waits", group=self._group, dependency=outage.dependency)
                await asyncio.sleep(RETRY_SECONDS)
        await self._subscription.commit(records)

    async def take(self, records: Sequence[Record]) -> None:
        """All in one transaction; after a failure each half, until what fails is alone: a dead letter.

        Raises what nobody foresaw of a record, unless others of its kind were taken: else it may be no fault
        of the record's.
        """
        came = Came(set(), [])
        await self._take(records, came)
        for record, error in came.unforeseen:
            if len(came.unforeseen) > MOST_UNFORESEEN or self._kind(record) not in came.taken:
                raise error
        for record, error in came.unforeseen:
            # Never its message, which may quote the record.
            name, where = type(error).__name__, error_place(error)
            log.error("unforeseen", group=self._group, error=name, where=where)
            await self._bury(record, f"failed: {name}")

    async def _take(self, records: Sequence[Record], came: "Came") -> None:
        try:
            came.taken.update(await self._transact(records))
            return
        except Unavailable:
            raise
        except Exception as error:
            failure = error
        if len(records) > 1:
            half = len(records) // 2
            await self._take(records[:half], came)
            await self._take(records[half:], came)
        elif isinstance(failure, Refusal):
            await self._bury(records[0], str(failure))
        else:
            came.unforeseen.append((records[0], failure))

    async def retry(self, record: Record) -> None:
        """Takes one that was refused before, now. Raises the Refusal where it still is."""
        await self._transact([record])

    async def _transact(self, records: Sequence[Record]) -> set[str]:
        """The kinds of which something new was taken."""
        used = [record for record in records if self._used(record)]
        if not used:
            return set()
        ids = [event_id(record) for record in used]
        async with self._database.transaction() as session:
            now = self._clock.system()
            new = await self._inbox.admit(session, self._group, ids, now)
            await self._inbox.prune(session, now - timedelta(days=INBOX_DAYS))
            first = [record for one, record in _first_of_each(ids, used).items() if one in new]
            if self._hold is not None:
                await self._hold(session, first)
            for kind, together in groupby(first, self._kind):
                await self._hand_over(session, self._handlers[kind], list(together))
        REPEATED.labels(self._group).inc(len(used) - len(first))
        taken = Counts(map(self._kind, first))
        for kind, count in taken.items():
            TAKEN.labels(self._group, kind).inc(count)
        return set(taken)

    async def _hand_over(self, session: AsyncSession, take: Take, records: Sequence[Record]) -> None:
        if isinstance(take, Together):
            await take.take(session, records)
            return
        for record in records:
            await take(session, record)

    def _used(self, record: Record) -> bool:
        """A record that says nothing of its type is unreadable; a type nobody uses here is skipped."""
        kind = self._kind(record)
        if not kind:
            raise Unreadable("has no ce_type header")
        if kind not in self._handlers:
            SKIPPED.labels(self._group).inc()
            return False
        return True

    async def _bury(self, record: Record, reason: str) -> None:
        [buried] = await self._producer.send([dead_letter(record, reason, self._group)])
        if not buried:
            raise Unavailable("kafka", "did not take the dead letter")
        DEAD.labels(self._group).inc()
        log.warning(
            "dead letter",
            group=self._group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )


def _first_of_each(ids: Sequence[str], records: Sequence[Record]) -> dict[str, Record]:
    first: dict[str, Record] = {}
    for one, record in zip(ids, records, strict=True):
        first.setdefault(one, record)
    return first


def event_id(record: Record) -> str:
    """The event's own id; for a record without one, a hash of what it says.

    One erasure says what every other does: those of one key differ by where they stand.
    """
    if given := record.headers.get("ce_id"):
        return given
    if record.value is None:
        return f"{record.topic}/{record.partition}/{record.offset}"
    return hashlib.sha256(record.key.encode() + b"\x00" + record.value).hexdigest()
