"""What time alone changes, kept as rows: each is done once its time has come, whoever restarts."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime.clock import Clock
from services.runtime.database import Database, try_lock
from services.runtime.errors import Refusal, Unavailable

DONE = Counter("ppo_due_done", "Things done because their time had come.", ["kind"])
FAILED = Counter(
    "ppo_due_failed", "Things whose time had come and that were refused; each is tried again.", ["kind"]
)
OVERDUE = Gauge("ppo_due_overdue_seconds", "How long ago the oldest thing still to be done fell due.")

IDLE_SECONDS = 0.2
RETRY_SECONDS = 0.5
LONGEST_RETRY = timedelta(minutes=5)
# How many keys that others hold are passed over before the runner waits.
CANDIDATES = 16

log = structlog.get_logger()

Act = Callable[[AsyncSession, str], Awaitable[None]]


class Due:
    """One row per kind and key: the next instant at which `kind` is to be done for `key`."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "due",
            metadata,
            Column("kind", Text, primary_key=True),
            Column("key", Text, primary_key=True, comment="The person or record, locked while it is done"),
            Column("due_time", DateTime(timezone=True), nullable=False, index=True),
            Column("attempts", Integer, nullable=False, server_default="0"),
        )
        rows = f"{metadata.schema}.{self.table.name}"
        put = (
            f"INSERT INTO {rows} (kind, key, due_time) SELECT :kind, * FROM"
            " unnest(CAST(:keys AS text[]), CAST(:times AS timestamptz[]))"
            " ON CONFLICT (kind, key) DO"
        )
        self._put_all = text(f"{put} UPDATE SET due_time = excluded.due_time, attempts = 0")
        self._put_all_first = text(f"{put} NOTHING")
        self._drop_all = text(f"DELETE FROM {rows} WHERE kind = :kind AND key = ANY (CAST(:keys AS text[]))")

    async def put(self, session: AsyncSession, kind: str, key: str, at: datetime) -> None:
        """Sets the instant, or moves it."""
        await self.put_all(session, kind, {key: at})

    async def put_first(self, session: AsyncSession, kind: str, key: str, at: datetime) -> None:
        """Sets the instant, unless one is set."""
        await self.put_all_first(session, kind, {key: at})

    async def put_all(self, session: AsyncSession, kind: str, times: Mapping[str, datetime]) -> None:
        """As `put`, by key."""
        if times:
            await session.execute(self._put_all, _rows(kind, times))

    async def put_all_first(self, session: AsyncSession, kind: str, times: Mapping[str, datetime]) -> None:
        """As `put_first`, by key."""
        if times:
            await session.execute(self._put_all_first, _rows(kind, times))

    async def drop(self, session: AsyncSession, kind: str, key: str) -> None:
        await self.drop_all(session, kind, [key])

    async def drop_all(self, session: AsyncSession, kind: str, keys: Collection[str]) -> None:
        if keys:
            await session.execute(self._drop_all, {"kind": kind, "keys": [*keys]})

    async def claim(self, session: AsyncSession, now: datetime) -> Any:
        """The row that has been due longest and whose key nobody else holds, or None.

        The key comes before the row: whoever changes what is due for a key holds the key first.
        """
        due = select(self.table.c.kind, self.table.c.key).where(self.table.c.due_time <= now)
        oldest = due.order_by(self.table.c.due_time).limit(CANDIDATES)
        for kind, key in (await session.execute(oldest)).all():
            if await try_lock(session, key):
                row = select(self.table).filter_by(kind=kind, key=key).where(self.table.c.due_time <= now)
                if claimed := (await session.execute(row.with_for_update(skip_locked=True))).first():
                    return claimed
        return None

    async def postpone(self, session: AsyncSession, row: Any, now: datetime) -> None:
        wait = min(LONGEST_RETRY, timedelta(seconds=2 ** min(row.attempts, 16)))
        update = self.table.update().filter_by(kind=row.kind, key=row.key)
        await session.execute(update.values(due_time=now + wait, attempts=row.attempts + 1))

    async def oldest(self, database: Database) -> datetime | None:
        [(oldest,)] = await database.glance(f"SELECT min(due_time) FROM {self.table.name}")
        found: datetime | None = oldest
        return found


def _rows(kind: str, times: Mapping[str, datetime]) -> dict[str, Any]:
    return {"kind": kind, "keys": [*times], "times": [*times.values()]}


class Runner:
    """Does what is due. An act may put its row again; one refused is tried again, ever more rarely."""

    def __init__(self, database: Database, due: Due, clock: Clock, acts: Mapping[str, Act]) -> None:
        self._database = database
        self._due = due
        self._clock = clock
        self._acts = acts
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something is due now: whoever has put it need not wait for the next look."""
        self._woken.set()

    async def run(self) -> None:
        while True:
            try:
                if not await self.step():
                    await self._rest()
            except Unavailable as outage:
                log.warning("due work waits", dependency=outage.dependency)
                await asyncio.sleep(RETRY_SECONDS)

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._woken.wait()
        self._woken.clear()

    async def step(self) -> bool:
        """Does one thing; False when nothing is due."""
        oldest, now = await self._due.oldest(self._database), self._clock.now()
        OVERDUE.set(max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)
        if oldest is None or oldest > now:
            return False
        async with self._database.transaction() as session:
            row = await self._due.claim(session, self._clock.now())
            if row is None:
                return False
            await self._do(session, row)
        return True

    async def _do(self, session: AsyncSession, row: Any) -> None:
        try:
            async with session.begin_nested():
                # Dropped first, so that the act can put the next one.
                await self._due.drop(session, row.kind, row.key)
                await self._acts[row.kind](session, row.key)
        except Refusal as refusal:
            FAILED.labels(row.kind).inc()
            log.warning("due work refused", kind=row.kind, refusal=type(refusal).__name__)
            await self._due.postpone(session, row, self._clock.now())
        else:
            DONE.labels(row.kind).inc()
