"""PostgreSQL: one engine per process, one transaction per RPC or polled batch."""

import re
import select as sockets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import DateTime, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, mapped_column

from services.runtime.failures import answered
from services.runtime.line import Line

# Longer than any statement of ours takes; shorter than a caller waits.
STATEMENT_MS = 10_000
LOCK_MS = 3_000
CONNECT_SECONDS = 2
ONE_PLAN = "-c plan_cache_mode=force_generic_plan"

# A point in time, in UTC.
instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]


class Database:
    """Raises Unavailable for what may pass by itself: no connection, a lost one, a deadlock."""

    def __init__(self, url: str, schema: str, pool: int = 20) -> None:
        limits = f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS}"
        options = f"{limits} -c search_path={schema} -c timezone=UTC"
        arguments = {"options": options, "connect_timeout": CONNECT_SECONDS, "application_name": schema}
        # A hot statement has one plan: to make one for each set of values costs more than any plan saves.
        self._url, self._line_arguments = url, arguments | {"options": f"{options} {ONE_PLAN}"}
        self._lines: list[Line] = []
        self._engine = create_async_engine(
            driver_url(url),
            # Parameters hold names and dates of birth: they reach no log and no error.
            hide_parameters=True,
            pool_size=pool,
            pool_timeout=CONNECT_SECONDS,
            connect_args=arguments,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_ended)
        self._glances = self.line()
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        with answered():
            async with self._sessions.begin() as session:
                yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """A transaction in which every query sees the same state."""
        with answered():
            async with self._sessions.begin() as session:
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                yield session

    async def probe(self) -> None:
        """Raises Unavailable when the database does not answer."""
        async with self.transaction() as session:
            await session.execute(text("SELECT 1"))

    async def glance(self, statement: str) -> list[tuple[Any, ...]]:
        """What is asked many times a second, mostly in vain: a transaction would cost ten times as much."""
        return await self._glances.read(statement, {})

    def line(self) -> Line:
        """A connection apart from the others, for one hot path; closed with them."""
        self._lines.append(Line(self._url, self._line_arguments, STATEMENT_MS / 1_000))
        return self._lines[-1]

    async def close(self) -> None:
        for line in self._lines:
            await line.close()
        await self._engine.dispose()


def _refuse_ended(connection: Any, *_: object) -> None:
    """A connection that says something unasked says that the server has ended it: the pool takes another."""
    poll = sockets.poll()
    poll.register(connection.driver_connection.pgconn.socket, sockets.POLLIN)
    if poll.poll(0):
        raise DisconnectionError


def driver_url(url: str) -> str:
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


async def lock(session: AsyncSession, key: str) -> None:
    """Holds `key` (a person, a detention) for this transaction: its changes happen one after the other."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


async def lock_all(session: AsyncSession, keys: Iterable[str]) -> None:
    """As `lock`, in one statement and in one order everywhere, so that nobody waits for each other."""
    ordered = sorted(set(keys))
    if ordered:
        claim = text(
            "SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(CAST(:keys AS text[])) key"
        )
        await session.execute(claim, {"keys": ordered})


async def try_lock(session: AsyncSession, key: str) -> bool:
    """As `lock`, but False where another transaction holds the key."""
    claim = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0))")
    return bool(await session.scalar(claim, {"key": key}))


async def copy(session: AsyncSession, table: str, columns: str, lines: str) -> None:
    """Adds rows, each a line as the text form of COPY has it: the quickest way in there is."""
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    async with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as stream:
        await stream.write(lines)


async def copy_rows(
    session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """As `copy`, of values as the driver knows them."""
    connection = await (await session.connection()).get_raw_connection()
    await _copy_rows(connection.driver_connection, table, columns, rows)


def copy_at_commit(
    session: Session, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """As `copy_rows`, for an event of the session, within which nothing can be awaited."""
    connection: Any = session.connection().connection.dbapi_connection
    connection.run_async(lambda driver: _copy_rows(driver, table, columns, rows))


async def _copy_rows(
    driver: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    async with driver.cursor() as cursor, cursor.copy(statement) as stream:
        for row in rows:
            await stream.write_row(row)
