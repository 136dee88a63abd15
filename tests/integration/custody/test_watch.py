"""The screens of a suite are woken by what is committed, on every replica of custody, and by nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from services.custody import store, watch
from services.custody.watch import Board
from services.runtime.cache import Bell
from services.runtime.database import Database
from services.runtime.errors import Unavailable
from tests.servers import Database as Own
from tests.servers import Running, Servers

NOW = datetime(2004, 12, 31, 20, tzinfo=UTC)
BOOKED_IN = pb.SUITE_EVENT_KIND_BOOKED_IN


@dataclass
class Boards:
    """Two replicas of custody on one database and one Redis."""

    database: Database
    one: Board
    other: Board

    async def post(self, session: AsyncSession, suite_id: str = "D3") -> None:
        await self.one.post(session, BOOKED_IN, pb.Detention(suite_id=suite_id), NOW)

    async def posted(self, count: int = 1) -> None:
        for _ in range(count):
            async with self.database.transaction() as session:
                await self.post(session)


@asynccontextmanager
async def board(database: Database, redis: str, own: str) -> AsyncIterator[Board]:
    bell = Bell(redis, own)
    made = Board(database, bell)
    tasks = [asyncio.create_task(work) for work in (made.run(), bell.run())]
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await bell.close()


@pytest_asyncio.fixture
async def boards(migrated: Own, servers: Servers, redis: Running) -> AsyncIterator[Boards]:
    with servers.database(migrated) as own:
        database = Database(own.url("custody"), "custody")
        async with (
            board(database, redis.address, own.name) as one,
            board(database, redis.address, own.name) as other,
        ):
            yield Boards(database, one, other)
        await database.close()


async def seen(stream: AsyncIterator[pb.WatchSuiteResponse], count: int) -> list[int]:
    async with asyncio.timeout(10):
        return [(await anext(stream)).number for _ in range(count)]


async def test_a_commit_wakes_the_screens_of_every_replica(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    await boards.posted()
    async with aclosing(boards.one.follow("D3", 0)) as here, aclosing(boards.other.follow("D3", 0)) as there:
        assert await seen(here, 1) == await seen(there, 1) == [1]
        # From here on nobody looks by himself.
        monkeypatch.setattr(watch, "LOOK_SECONDS", 60)
        waiting = {asyncio.create_task(seen(stream, 1)) for stream in (here, there)}

        done, _ = await asyncio.wait(waiting, timeout=0.5)
        assert not done
        await boards.posted()
        await asyncio.wait(waiting)

        assert [task.result() for task in waiting] == [[2], [2]]


@pytest_asyncio.fixture
async def quiet(boards: Boards) -> AsyncIterator[Board]:
    """A board that hears no ring."""
    board = Board(boards.database, Bell("redis://127.0.0.1:1", "nobody"))
    looking = asyncio.create_task(board.look())
    yield board
    looking.cancel()
    await asyncio.wait([looking])


async def test_where_nobody_rings_one_look_a_process_wakes_the_screens_of_the_suites_that_changed(
    boards: Boards, quiet: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, looked = counted(monkeypatch, "events_after"), counted(monkeypatch, "last_numbers")
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(aclosing(quiet.follow(suite, 0))) for suite in ("D3", "D3", "E3")
        ]
        first, second, other = (asyncio.create_task(seen(stream, 1)) for stream in streams)
        async with asyncio.timeout(10):
            while len(looked) < 3:
                await asyncio.sleep(0.05)
        idle = len(asked)
        await boards.posted()

        assert await first == await second == [1]
        assert (idle, len(asked), other.done()) == (3, 5, False)
        other.cancel()
        await asyncio.wait([other])


def counted(monkeypatch: pytest.MonkeyPatch, query: str) -> list[object]:
    """Grows by one each time that the query is made."""
    made: list[object] = []
    ask = getattr(store, query)

    def count(*arguments: object) -> object:
        made.append(arguments)
        return ask(*arguments)

    monkeypatch.setattr(store, query, count)
    return made


async def test_a_screen_is_told_when_the_database_is_away() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", "custody")
    board = Board(nowhere, Bell("redis://127.0.0.1:1", "nobody"))

    with pytest.raises(Unavailable):
        await seen(board.follow("D3", 0), 1)


async def test_what_is_rolled_back_leaves_no_gap(boards: Boards) -> None:
    await boards.posted()
    with suppress(Unavailable):
        async with boards.database.transaction() as session:
            await boards.post(session)
            raise Unavailable("postgres")
    await boards.posted()

    async with aclosing(boards.one.follow("D3", 0)) as stream:
        assert await seen(stream, 2) == [1, 2]


async def test_suites_are_numbered_each_for_itself(boards: Boards) -> None:
    await boards.posted(2)
    async with boards.database.transaction() as session:
        await boards.post(session, "E3")

    async with aclosing(boards.one.follow("E3", 0)) as stream:
        assert await seen(stream, 1) == [1]


async def test_many_events_at_once_are_numbered_without_a_gap(boards: Boards) -> None:
    await asyncio.gather(*(boards.posted(5) for _ in range(8)))

    async with aclosing(boards.one.follow("D3", 0)) as stream:
        assert await seen(stream, 40) == list(range(1, 41))


async def test_a_stream_ends_with_the_service(boards: Boards) -> None:
    async with aclosing(boards.one.follow("D3", 0)) as stream:
        waiting = asyncio.create_task(seen(stream, 1))
        await asyncio.sleep(0)

        boards.one.close()

        with pytest.raises(Unavailable):
            await waiting
