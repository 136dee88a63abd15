"""A connection that the server has ended costs nobody an answer, nor does another's statement on a line."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import text

from deploy.embedded.ports import free
from services.runtime import database as runtime_database
from services.runtime.database import Database, lock
from services.runtime.errors import Conflict, Unavailable
from services.runtime.line import Line
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


async def write_where_none_may(opened: Database) -> None:
    async with opened.transaction() as session:
        await session.execute(text("SET TRANSACTION READ ONLY"))
        await session.execute(text("INSERT INTO flagging.kept VALUES (1)"))


async def test_a_server_that_may_only_be_read_is_an_outage(opened: Database) -> None:
    with pytest.raises(Unavailable, match="ReadOnlySqlTransaction"):
        await write_where_none_may(opened)


async def test_who_waits_too_long_for_what_others_hold_is_told_so(
    database: servers.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_database, "LOCK_MS", 100)
    hasty = Database(database.url("flagging"), "flagging")

    async with hasty.transaction() as first:
        await lock(first, "person")
        with pytest.raises(Unavailable, match="others at work on the same records"):
            async with hasty.transaction() as second:
                await lock(second, "person")
    await hasty.close()


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


async def test_a_table_that_was_given_another_form_is_read_in_that(
    line: Line, database: servers.Database
) -> None:
    await line.write((ADD, [{"number": 1}]))
    assert await line.read("SELECT * FROM flagging.kept", {}) == [(1,)]

    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("ALTER TABLE flagging.kept ADD COLUMN word text DEFAULT 'one'")

    assert await line.read("SELECT * FROM flagging.kept", {}) == [(1, "one")]


async def test_what_cannot_be_prepared_for_others_is_an_outage(
    opened: Database, database: servers.Database
) -> None:
    line = opened.line()
    with psycopg.connect(database.superuser) as other:
        other.execute("LOCK TABLE flagging.kept")
        with pytest.raises(Unavailable):
            await line.read(COUNT, {})

    assert await count(line) == 0


async def test_each_gets_their_own_answer_though_another_is_refused(line: Line) -> None:
    async def refused() -> None:
        with pytest.raises(Conflict):
            await line.write((ADD, [{"number": 10}]))

    async def answer(number: int) -> object:
        return await line.read("SELECT CAST(%(number)s AS int) + 1", {"number": number})

    for _ in range(3):
        answers = await asyncio.gather(*map(answer, range(20)), refused(), *map(answer, range(20, 40)))

        assert [one for one in answers if one is not None] == [[(number + 1,)] for number in range(40)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 'O\'Neill \\ "né" {a,b} 王'),
        ("text[]", ["", "O'Neill", 'a"b', "a\\b", "{,}", "NULL", "王"]),
        ("bytea", bytes(range(256))),
        ("bytea[]", [b"", bytes(range(256))]),
        ("bigint", -(2**63)),
        ("bool", True),
        ("float8", 0.1),
        ("timestamptz", datetime(2004, 9, 6, 12, 30, 0, 123456, tzinfo=UTC)),
        ("text", None),
    ],
)
async def test_a_value_comes_back_as_it_was_given(line: Line, kind: str, value: object) -> None:
    assert await line.read(f"SELECT CAST(%(value)s AS {kind})", {"value": value}) == [(value,)]


async def test_a_text_that_would_be_cut_off_is_refused(line: Line) -> None:
    for value in ("a\0b", ["a\0b"]):
        with pytest.raises(Conflict):
            await line.read("SELECT %(value)s", {"value": value})


async def test_a_statement_that_takes_too_long_is_an_outage_to_all_behind_it(
    opened: Database, database: servers.Database
) -> None:
    hasty = Line(database.url("flagging"), {}, longest_seconds=0.2)

    slow = hasty.read("SELECT pg_sleep(60)", {})
    behind = hasty.read("SELECT pg_sleep(0)", {})
    said = await asyncio.gather(slow, behind, return_exceptions=True)

    assert isinstance(said[0], Unavailable)
    assert isinstance(said[1], Unavailable) or said[1] == [("",)]
    await hasty.close()
