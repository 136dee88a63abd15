"""What a replica must hold to be whole, said on every partition of the flags every two seconds."""

import asyncio
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2
from services.flagging import fields
from services.flagging.models import outbox
from services.flagging.store import flags as store
from services.runtime.broker import Cluster
from services.runtime.clock import Clock
from services.runtime.database import Database, try_lock
from services.runtime.errors import Unavailable
from services.runtime.outbox import Event

AGE = Gauge("ppo_watermark_age_seconds", "How long ago the last watermark was written, by whichever replica.")

EVERY = timedelta(seconds=2)
# Something is unsent: it is gone in a moment, or Kafka is away.
RETRY_SECONDS = 0.1

FLAG = events_pb2.Flag.DESCRIPTOR.full_name
WATERMARK = events_pb2.Watermark.DESCRIPTOR.full_name

log = structlog.get_logger()


class Watermarks:
    """Every replica of the service tries; one at a time writes, and only when it is time."""

    def __init__(self, database: Database, cluster: Cluster, clock: Clock) -> None:
        self._database = database
        self._cluster = cluster
        self._clock = clock
        self._summed: tuple[tuple[str, int], int, int] | None = None
        # Of whichever replica, as far as this one knows; before the first, since it began to wait for one.
        self._last = clock.system()
        AGE.set_function(lambda: (clock.system() - self._last).total_seconds())

    async def run(self) -> None:
        while True:
            try:
                wait = await self.step()
            except Unavailable as outage:
                log.warning("watermarks wait", dependency=outage.dependency)
                wait = EVERY.total_seconds()
            await asyncio.sleep(wait)

    async def step(self) -> float:
        """Writes the watermarks if it is time. Returns in how many seconds to try again."""
        # A topic that is not there yet is made by its first record, where the broker allows that.
        partitions = max(1, await self._cluster.partitions(store.TOPIC))
        # What is read in the turn is read after it has begun: another's may just have been written.
        async with self._database.transaction() as turn:
            if not await try_lock(turn, "watermarks"):
                return EVERY.total_seconds()
            async with self._database.snapshot() as session:
                return await self._in_turn(session, partitions)

    async def _in_turn(self, session: AsyncSession, partitions: int) -> float:
        now = self._clock.system()
        last = await store.last_watermark(session, partitions)
        self._last = last or self._last
        if last is not None and timedelta() <= now - last < EVERY:
            return (last + EVERY - now).total_seconds()
        if await self._unsent(session):
            return RETRY_SECONDS
        await self._write(session, partitions, now)
        self._last = now
        return EVERY.total_seconds()

    async def _unsent(self, session: AsyncSession) -> bool:
        # Watermarks that nobody takes would only pile up.
        return await outbox.unsent(session, store.TOPIC, FLAG) or await outbox.unsent(
            session, store.TOPIC, WATERMARK
        )

    async def _write(self, session: AsyncSession, partitions: int, now: datetime) -> None:
        epoch, version = await store.register(session)
        count, total = await self._sum(session, (epoch, version))
        watermark = events_pb2.Watermark(
            epoch=epoch,
            version=version,
            flagged_count=count,
            flagged_digest=total,
            register_time=fields.stamp(now),
        )
        await outbox.append_all(session, [_event(watermark, partition) for partition in range(partitions)])

    async def _sum(self, session: AsyncSession, state: tuple[str, int]) -> tuple[int, int]:
        """Count and digest of the flagged, summed anew only when the register has changed."""
        if self._summed is None or self._summed[0] != state:
            self._summed = state, *await store.flagged(session)
        return self._summed[1:]


def _event(watermark: events_pb2.Watermark, partition: int) -> Event:
    watermark.partition = partition
    key, time = store.watermark_key(partition), fields.time(watermark.register_time)
    return Event.of(store.TOPIC, key, watermark, time=time, partition=partition)
