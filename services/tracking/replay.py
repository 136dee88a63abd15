"""An organisation's records once more, from the ledger, with their first ids and sequences."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime.broker import Cluster, Producer, Record, Topic
from services.runtime.errors import NotFound, Unavailable
from services.runtime.outbox import Outbox
from services.tracking.store import notices

PAGE = 500
PARTITIONS = 3
# Whoever has asked for it reads it within a week.
KEPT_MS = 7 * 24 * 3_600_000


class Replay:
    def __init__(self, producer: Producer, cluster: Cluster, outbox: Outbox) -> None:
        self._producer = producer
        self._cluster = cluster
        self._outbox = outbox

    async def send(
        self, session: AsyncSession, organisation: str, since: datetime | None, after: int
    ) -> tuple[int, int]:
        """How many were sent; and the number of the last, or 0 where there is no more."""
        rows = await notices.replayed(session, organisation, since, after, PAGE)
        if not rows and not after:
            raise NotFound("the organisation was told nothing since then")
        for topic in {row.topic for row in rows}:
            kept = {"retention.ms": str(KEPT_MS)}
            await self._cluster.ensure(Topic(f"{topic}.replay", PARTITIONS, "delete", kept))
        if not all(await self._producer.send([self._record(row) for row in rows])):
            raise Unavailable("kafka", "did not take every record")
        return len(rows), rows[-1].number if len(rows) == PAGE else 0

    def _record(self, row: Any) -> Record:
        headers = self._outbox.headers(
            row.topic, f"{row.notice_id}/{row.revision}", row.message_type, row.recorded_time, row.sequence
        )
        return Record(f"{row.topic}.replay", row.key, row.record, headers)
