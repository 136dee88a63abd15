"""A connection that the server has ended costs nobody an answer; a line takes one statement at a time."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text

from deploy.embedded.ports import free
from services.runtime.database import Database, Line
from services.runtime.errors import Conflict, Unavailable
from tests import servers

ADD = "INSERT INTO flagging.kept VALUES (%(number)s) ON CONFLICT DO NOTHING"
COUNT = "SELECT count(*) FROM flagging.kept"


@pytest.fixture
async def opened(database: servers.Database) -> AsyncIterator[Database]:
    opened = Database(database.url("flagging"), "flagging")
    async with opened.transaction() as session:
        await session.execute(text("DROP TABLE IF EXISTS flagging.kept"))
        await session.execute(text("CREATE TABLE flagging.kept (number int PRIMARY KEY CHECK (number < 10))"))
    yield opened
    await opened.close()


@pytest.fixture
def line(opened: Database) -> Line:
    return opened.line()


def end_all(database: servers.Database) -> None:
    """As a restart of the server does."""
    with psycopg.connect(database.superuser, autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def count(line: Line) -> int:
    return int((await line.read(COUNT, {}))[0][0])


async def test_no_transaction_gets_a_connection_that_the_server_has_ended(
    opened: Database, database: servers.Database
) -> None:
    await asyncio.gather(*(opened.probe() for _ in range(5)))
    end_all(database)

    for _ in range(5):
        await opened.probe()


async def test_a_line_that_was_lost_is_opened_anew(line: Line, database: servers.Database) -> None:
    await line.write((ADD, [{"number": 1}]))
    end_all(database)

    await line.write((ADD, [{"number": 2}]))
    end_all(database)

    assert await count(line) == 2


async def test_rows_are_written_together_or_not_at_all(line: Line) -> None:
    with pytest.raises(Conflict, match="kept_number_check"):
        await line.write((ADD, [{"number": 1}, {"number": 10}]))
    with pytest.raises(Conflict, match="kept_number_check"):
        await line.write((ADD, [{"number": 1}]), (ADD, [{"number": 10}]))

    assert await count(line) == 0


async def test_who_stops_waiting_goes_at_once_and_holds_nobody_up_for_ever(line: Line) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await line.read("SELECT pg_sleep(0.5)", {})

    assert await count(line) == 0


async def test_a_line_to_nowhere_is_an_outage() -> None:
    nowhere = Database(f"postgresql://nobody@127.0.0.1:{free()}/none", "flagging")

    with pytest.raises(Unavailable):
        await nowhere.line().read("SELECT 1", {})
