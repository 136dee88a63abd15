"""How an event leaves: a row in the transaction of its change, sent by the relay."""

import uuid
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

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
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime import policy

# Replicas of a service share its persons by shard; more shards than replicas there will ever be.
SHARDS = 16


class Outbox:
    """The events of one service. A person's rows in a topic are numbered without a gap, in commit order."""

    def __init__(
        self, metadata: MetaData, source: str, others: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`others`: what topics that begin so are told of the source instead."""
        self._source = source
        self._others = others
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
        disclosed = policy.project(message, audience)
        event_id = event_id or str(uuid.uuid4())
        await session.execute(
            insert(self.rows).values(
                topic=topic,
                key=key,
                shard=zlib.crc32(key.encode()) % SHARDS,
                sequence=await self._next(session, topic, key),
                event_id=event_id,
                event_type=message.DESCRIPTOR.full_name,
                event_time=time,
                partition=partition,
                payload=disclosed.SerializeToString(),
            )
        )
        return event_id

    async def _next(self, session: AsyncSession, topic: str, key: str) -> int:
        """Updating the key's row makes its transactions commit one after the other."""
        first = insert(self.sequences).values(topic=topic, key=key, sequence=1)
        upsert = first.on_conflict_do_update(
            index_elements=["topic", "key"], set_={"sequence": self.sequences.c.sequence + 1}
        )
        number: int = (await session.execute(upsert.returning(self.sequences.c.sequence))).scalar_one()
        return number

    async def unsent(self, session: AsyncSession, topic: str, event_type: str) -> bool:
        waiting = select(self.rows.c.id).where(
            self.rows.c.sent_time.is_(None), self.rows.c.topic == topic, self.rows.c.event_type == event_type
        )
        return (await session.execute(waiting.limit(1))).first() is not None

    async def waiting_shards(self, session: AsyncSession) -> list[int]:
        shards = select(self.rows.c.shard).where(self.rows.c.sent_time.is_(None)).distinct()
        return list(await session.scalars(shards))

    async def waiting_rows(
        self, session: AsyncSession, shard: int, limit: int
    ) -> Sequence[Row[tuple[object, ...]]]:
        rows = select(self.rows).where(self.rows.c.sent_time.is_(None), self.rows.c.shard == shard)
        return (await session.execute(rows.order_by(self.rows.c.id).limit(limit))).all()

    async def mark_sent(self, session: AsyncSession, ids: Sequence[int], now: datetime) -> None:
        await session.execute(self.rows.update().where(self.rows.c.id.in_(ids)).values(sent_time=now))

    async def drop_superseded(
        self, session: AsyncSession, topics: Sequence[str], keys: Sequence[str]
    ) -> None:
        """Of a compacted topic only the last sent state of a key is kept, as the broker does."""
        later = self.rows.alias()
        newer = select(later.c.id).where(
            later.c.topic == self.rows.c.topic,
            later.c.key == self.rows.c.key,
            later.c.sequence > self.rows.c.sequence,
            later.c.sent_time.is_not(None),
        )
        sent = self.rows.c.sent_time.is_not(None) & self.rows.c.topic.in_(topics) & self.rows.c.key.in_(keys)
        await session.execute(self.rows.delete().where(sent, newer.exists()))

    async def drop_sent_before(self, session: AsyncSession, topic: str, before: datetime) -> None:
        await session.execute(
            self.rows.delete().where(self.rows.c.topic == topic, self.rows.c.sent_time < before)
        )

    async def meet_cluster(self, session: AsyncSession, cluster_id: str) -> bool:
        """True where it is not the cluster that had our rows: all that is kept is unsent again."""
        first = insert(self.cluster).values(only=1, cluster_id=cluster_id).on_conflict_do_nothing()
        await session.execute(first)
        known = await session.scalar(select(self.cluster.c.cluster_id).with_for_update())
        if known == cluster_id:
            return False
        await session.execute(self.cluster.update().values(cluster_id=cluster_id))
        await session.execute(self.rows.update().values(sent_time=None))
        return True

    async def backlog(self, session: AsyncSession) -> tuple[int, datetime | None]:
        """How many rows are unsent, and since when the oldest waits (domain time)."""
        unsent = select(func.count(), func.min(self.rows.c.event_time)).where(self.rows.c.sent_time.is_(None))
        count, oldest = (await session.execute(unsent)).one()
        return count, oldest
