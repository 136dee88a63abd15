"""How an event leaves: a row in the transaction of its change, sent by the relay."""

import uuid
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.runtime import policy
from services.runtime.database import Database, copy_rows

# Replicas of a service share its persons by shard; more shards than replicas there will ever be.
SHARDS = 16


class Event(NamedTuple):
    """What is to leave, as its topic's audience may see it."""

    topic: str
    key: str
    event_id: str
    event_type: str
    time: datetime
    payload: bytes
    partition: int = -1

    @classmethod
    def of(
        cls,
        topic: str,
        key: str,
        message: Message,
        *,
        time: datetime,
        audience: policy.Viewer = policy.SUITE,
        partition: int = -1,
        event_id: str = "",
    ) -> "Event":
        """What the topic's audience may not see does not leave. Its id is a new one unless given."""
        disclosed = policy.project(message, audience).SerializeToString()
        name = message.DESCRIPTOR.full_name
        return cls(topic, key, event_id or str(uuid.uuid4()), name, time, disclosed, partition)


class Sent(NamedTuple):
    """An event that the broker had, and when; system clock."""

    topic: str
    event_id: str
    sent_time: datetime


async def _keep_nothing(session: AsyncSession, forgotten: Sequence[Sent]) -> None: ...


COLUMNS = (
    *("topic", "key", "shard", "sequence", "event_id"),
    *("event_type", "event_time", "partition", "payload"),
)


class Outbox:
    """The events of one service. A person's rows in a topic are numbered without a gap, in commit order."""

    def __init__(
        self, metadata: MetaData, source: str, others: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`others`: what topics that begin so are told of the source instead."""
        self._source = source
        self._others = others
        # Called when a transaction of this process has left something to be sent.
        self.appended: Callable[[], None] = lambda: None
        # Awaited, in the same transaction, with what this is to know no longer: who needs it keeps it.
        self.forgetting: Callable[[AsyncSession, Sequence[Sent]], Awaitable[None]] = _keep_nothing
        self.rows = Table(
            "outbox",
            metadata,
            Column("id", BigInteger, Identity(always=True), primary_key=True),
            Column("topic", Text, nullable=False),
            Column("key", Text, nullable=False, comment="The person, as this topic knows one"),
            Column("shard", SmallInteger, nullable=False),
            Column(
                "sequence", BigInteger, nullable=False, comment="Per topic and key, from 1, without a gap"
            ),
            Column("event_id", Text, nullable=False),
            Column("event_type", Text, nullable=False, comment="Full name of the message"),
            Column("event_time", DateTime(timezone=True), nullable=False),
            Column("partition", Integer, nullable=False, comment="-1: by the key"),
            Column("payload", LargeBinary, nullable=False),
            Column(
                "sent_time",
                DateTime(timezone=True),
                nullable=True,
                comment="When the broker had it; system clock",
            ),
            UniqueConstraint("topic", "key", "sequence"),
            # One event may go to several topics.
            UniqueConstraint("topic", "event_id"),
        )
        Index(
            "outbox_unsent",
            self.rows.c.shard,
            self.rows.c.id,
            postgresql_where=self.rows.c.sent_time.is_(None),
        )
        self.sequences = Table(
            "outbox_sequence",
            metadata,
            Column("topic", Text, primary_key=True),
            Column("key", Text, primary_key=True),
            Column("sequence", BigInteger, nullable=False),
        )
        self.cluster = Table(
            "broker_cluster",
            metadata,
            Column("only", SmallInteger, primary_key=True, comment="Always 1: there is one row"),
            Column("cluster_id", Text, nullable=False, comment="The cluster that holds what is marked sent"),
        )

        table = f"{metadata.schema}.{self.sequences.name}"
        self._numbered = text(
            f"INSERT INTO {table} AS held (topic, key, sequence)"
            " SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:counts AS bigint[]))"
            " ON CONFLICT (topic, key) DO UPDATE SET sequence = held.sequence + excluded.sequence"
            " RETURNING topic, key, sequence"
        )

        rows = f"{metadata.schema}.{self.rows.name}"
        self._waiting = text(
            "SELECT waiting.* FROM unnest(CAST(:shards AS smallint[])) asked (shard) CROSS JOIN LATERAL"
            f" (SELECT * FROM {rows} WHERE sent_time IS NULL AND shard = asked.shard ORDER BY id LIMIT :each)"
            " waiting ORDER BY id"
        )
        self._superseded = text(
            f"DELETE FROM {rows} older WHERE sent_time IS NOT NULL"
            " AND topic = ANY (CAST(:topics AS text[])) AND key = ANY (CAST(:keys AS text[])) AND EXISTS"
            f" (SELECT FROM {rows} later WHERE later.topic = older.topic AND later.key = older.key"
            " AND later.sequence > older.sequence AND later.sent_time IS NOT NULL)"
        )
        self._dropped = text(
            f"DELETE FROM {rows} WHERE id IN"
            f" (SELECT id FROM {rows} WHERE topic = :topic AND sent_time < :before LIMIT :limit)"
            " RETURNING topic, event_id, sent_time"
        )
        # In their order, as others may be sending already.
        self._unsend = text(
            "WITH had AS (SELECT id, topic, event_id, sent_time"
            f" FROM {rows} WHERE sent_time IS NOT NULL ORDER BY id LIMIT :limit)"
            f" UPDATE {rows} held SET sent_time = NULL FROM had WHERE held.id = had.id"
            " RETURNING had.topic, had.event_id, had.sent_time"
        )
        self._sent = text(f"UPDATE {rows} SET sent_time = :now WHERE id = ANY (CAST(:ids AS bigint[]))")

    def headers(
        self, topic: str, event_id: str, event_type: str, time: datetime, sequence: int
    ) -> dict[str, str]:
        """A CloudEvent in Kafka's binary mode."""
        return {
            "ce_specversion": "1.0",
            "ce_id": event_id,
            "ce_type": event_type,
            "ce_source": self.source(topic),
            "ce_time": time.isoformat(),
            "ce_sequence": str(sequence),
            "content-type": "application/protobuf",
        }

    def source(self, topic: str) -> str:
        others = (source for prefix, source in self._others.items() if topic.startswith(prefix))
        return next(others, self._source)

    async def append(
        self,
        session: AsyncSession,
        topic: str,
        key: str,
        message: Message,
        *,
        time: datetime,
        audience: policy.Viewer = policy.SUITE,
        partition: int = -1,
        event_id: str = "",
    ) -> str:
        """The event's id, a new one unless given. What the topic's audience may not see does not leave."""
        event = Event.of(
            topic, key, message, time=time, audience=audience, partition=partition, event_id=event_id
        )
        await self.append_all(session, [event])
        return event.event_id

    async def append_all(self, session: AsyncSession, events: Sequence[Event]) -> None:
        """In this order; each topic's key is numbered on."""
        if not events:
            return
        sequences = await self._reserve(session, Counter((event.topic, event.key) for event in events))
        rows = []
        for event in events:
            place = event.topic, event.key
            sequences[place] += 1
            rows.append(
                (
                    *(*place, zlib.crc32(event.key.encode()) % SHARDS, sequences[place], event.event_id),
                    *(event.event_type, event.time, event.partition, event.payload),
                )
            )
        await copy_rows(session, f"{self.rows.schema}.{self.rows.name}", COLUMNS, rows)
        # Also called for a savepoint, after which there is nothing to be sent yet.
        listen(session.sync_session, "after_commit", self._left)

    def _left(self, _: Session) -> None:
        self.appended()

    async def _reserve(
        self, session: AsyncSession, wanted: Mapping[tuple[str, str], int]
    ) -> dict[tuple[str, str], int]:
        """The last number of each before ours. Updating a key's row makes its transactions commit in turn."""
        places = sorted(wanted)
        asked = {
            "topics": [topic for topic, _ in places],
            "keys": [key for _, key in places],
            "counts": [wanted[place] for place in places],
        }
        rows = await session.execute(self._numbered, asked)
        return {(row.topic, row.key): row.sequence - wanted[row.topic, row.key] for row in rows}

    async def unsent(self, session: AsyncSession, topic: str, event_type: str) -> bool:
        waiting = select(self.rows.c.id).where(
            self.rows.c.sent_time.is_(None), self.rows.c.topic == topic, self.rows.c.event_type == event_type
        )
        return (await session.execute(waiting.limit(1))).first() is not None

    async def waiting_shards(self, database: Database) -> list[int]:
        rows = await database.glance(f"SELECT DISTINCT shard FROM {self.rows.name} WHERE sent_time IS NULL")
        return [shard for (shard,) in rows]

    async def claim(self, session: AsyncSession, lock_class: int, shards: Sequence[int]) -> list[int]:
        """Those of these shards that no other relay holds; ours until the transaction ends."""
        free = text(
            "SELECT shard FROM unnest(CAST(:shards AS integer[])) shard"
            " WHERE pg_try_advisory_xact_lock(:lock_class, hashtext(:schema || '/' || shard))"
        )
        asked = {"shards": list(shards), "lock_class": lock_class, "schema": self.rows.schema or ""}
        return list(await session.scalars(free, asked))

    async def waiting_rows(
        self, session: AsyncSession, shards: Sequence[int], limit: int
    ) -> Sequence[Row[Any]]:
        """Of each shard the first, and so many in all."""
        each = {"shards": list(shards), "each": max(1, limit // max(1, len(shards)))}
        return (await session.execute(self._waiting, each)).all()

    async def mark_sent(self, session: AsyncSession, ids: Sequence[int], now: datetime) -> None:
        await session.execute(self._sent, {"ids": list(ids), "now": now})

    async def drop_superseded(
        self, session: AsyncSession, topics: Sequence[str], keys: Sequence[str]
    ) -> None:
        """Of a compacted topic only the last sent state of a key is kept, as the broker does."""
        await session.execute(self._superseded, {"topics": list(topics), "keys": list(keys)})

    async def drop_sent_before(self, session: AsyncSession, topic: str, before: datetime, limit: int) -> int:
        """How many were dropped, at most `limit`."""
        asked = {"topic": topic, "before": before, "limit": limit}
        dropped = [Sent(*row) for row in await session.execute(self._dropped, asked)]
        await self.forgetting(session, dropped)
        return len(dropped)

    async def meet_cluster(self, session: AsyncSession, cluster_id: str, limit: int) -> int | None:
        """None of the cluster that had our rows; of another, how many are unsent again, at most `limit`."""
        first = insert(self.cluster).values(only=1, cluster_id=cluster_id).on_conflict_do_nothing()
        await session.execute(first)
        known = await session.scalar(select(self.cluster.c.cluster_id).with_for_update())
        if known == cluster_id:
            return None
        had = [Sent(*row) for row in await session.execute(self._unsend, {"limit": limit})]
        await self.forgetting(session, had)
        if len(had) < limit:
            await session.execute(self.cluster.update().values(cluster_id=cluster_id))
        return len(had)

    async def backlog(self, session: AsyncSession) -> tuple[int, datetime | None]:
        """How many rows are unsent, and since when the oldest waits (domain time)."""
        unsent = select(func.count(), func.min(self.rows.c.event_time)).where(self.rows.c.sent_time.is_(None))
        count, oldest = (await session.execute(unsent)).one()
        return count, oldest
