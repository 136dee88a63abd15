"""The ledger on a real database: stored once, found again, and nothing spoilt holds the others up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest_asyncio
from prometheus_client import REGISTRY
from sqlalchemy import select, text

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import store
from services.custody.ledger import Ledger, Question
from services.custody.models import due
from services.custody.seal import Seal
from services.custody.spool import DRAINING, NEW, REFUSED, Spool
from services.custody.together import Row
from services.custody.verdicts import Asked
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict
from services.runtime.identity import Caller
from tests import builders, servers
from tests.integration.custody.running import JOURNAL

NOW = datetime(2004, 12, 31, 20, tzinfo=UTC)
OFFICER = Caller("officer-1", "custody_officer", "D3", NOW)
NOT_FLAGGED = screening_pb2.OUTCOME_NOT_FLAGGED
UNKNOWN = screening_pb2.OUTCOME_UNKNOWN
PERSON = builders.person(identifiers=[builders.pnc_id(1)])


@dataclass
class Books:
    ledger: Ledger
    database: Database
    directory: Path

    def write(
        self,
        number: int,
        person: person_pb2.Person = PERSON,
        outcome: screening_pb2.Outcome.ValueType = NOT_FLAGGED,
        basis: pb.Basis.ValueType = pb.BASIS_REGISTER,
    ) -> Row:
        answer = pb.Answer(decision_id=f"d{number}", basis=basis)
        answer.screening.outcome = outcome
        answer.answered_time.FromDatetime(NOW + timedelta(seconds=number))
        question = Question(Asked(person), "D3", policy_pb2.PURPOSE_ARREST, OFFICER)
        return self.ledger.write(answer, question)

    async def stored(self) -> list[str]:
        async with self.database.transaction() as session:
            return list(await session.scalars(text(f"SELECT decision_id FROM {JOURNAL} ORDER BY number")))

    async def spool(self, *lines: bytes) -> None:
        (self.directory / NEW).write_bytes(b"".join(line + b"\n" for line in lines))


def books(database: Database, directory: Path) -> Books:
    seal = Seal(bytes(32), bytes(32))
    return Books(Ledger(database, Spool(directory), seal, Clock()), database, directory)


@pytest_asyncio.fixture
async def database(migrated: servers.Database, servers: servers.Servers) -> AsyncIterator[Database]:
    with servers.database(migrated) as own:
        database = Database(own.url("custody"), "custody")
        yield database
        await database.close()


async def test_a_decision_is_stored_once_however_often_it_comes(database: Database, tmp_path: Path) -> None:
    one = books(database, tmp_path)

    for number in (1, 2, 1):
        await one.ledger.keep(one.write(number))

    assert await one.stored() == ["d1", "d2"]


async def test_decisions_of_one_moment_are_stored_together_and_none_is_answered_before(
    database: Database, tmp_path: Path
) -> None:
    one = books(database, tmp_path)

    async def answered(number: int) -> bool:
        await one.ledger.keep(one.write(number))
        return f"d{number}" in await one.stored()

    assert all(await asyncio.gather(*map(answered, range(15))))
    async with database.transaction() as session:
        together = await session.scalar(text("SELECT count(DISTINCT xmin::text) FROM decision"))
    assert together == 1


async def test_a_decision_that_the_database_refuses_takes_no_other_with_it(
    database: Database, tmp_path: Path
) -> None:
    one = books(database, tmp_path)
    rows = [one.write(1), one.write(2) | {"outcome": None}, one.write(3)]

    answers = await asyncio.gather(*map(one.ledger.keep, rows), return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), Conflict, type(None)]
    assert await one.stored() == ["d1", "d3"]


async def test_what_was_last_known_is_found_by_any_of_the_identifiers_or_by_name_and_date(
    database: Database, tmp_path: Path
) -> None:
    one = books(database, tmp_path)
    await one.ledger.keep(one.write(1))
    await one.ledger.keep(one.write(2, outcome=UNKNOWN))
    number, another = builders.pnc_id(1), builders.pnc_id(2)

    by_number = await one.ledger.last_known(person_pb2.Person(identifiers=[another, number]))
    by_name = await one.ledger.last_known(builders.person())

    for found in (by_number, by_name):
        assert found is not None
        assert found.outcome == NOT_FLAGGED
        assert found.answered_time.ToDatetime(UTC) == NOW + timedelta(seconds=1)


async def test_of_somebody_else_nothing_was_known(database: Database, tmp_path: Path) -> None:
    one = books(database, tmp_path)
    await one.ledger.keep(one.write(1))

    assert await one.ledger.last_known(builders.person(born="1980-00-00")) is None
    assert await one.ledger.last_known(builders.person("John")) is None
    assert await one.ledger.last_known(person_pb2.Person()) is None


async def test_a_check_that_the_register_did_not_answer_is_due_again_with_its_input(
    database: Database, tmp_path: Path
) -> None:
    one = books(database, tmp_path)
    await one.ledger.keep(one.write(1, outcome=UNKNOWN, basis=pb.BASIS_REPLICA))
    await one.ledger.keep(one.write(2))

    async with database.transaction() as session:
        rows = (await session.execute(select(due.table.c.kind, due.table.c.key))).all()
        unanswered, answered = [await store.decision(session, each) for each in ("d1", "d2")]

    assert [tuple(row) for row in rows] == [(store.ASK_AGAIN, "d1")]
    assert unanswered is not None
    assert one.ledger.given(unanswered) == PERSON
    assert answered is not None
    assert one.ledger.given(answered) is None


async def test_what_comes_while_others_wait_is_stored_behind_them(database: Database, tmp_path: Path) -> None:
    waiting = [line async for line in spooled(books(database, tmp_path / "first"), 1, 2)]
    await books(database, tmp_path).spool(*waiting)
    one = books(database, tmp_path)

    await one.ledger.keep(one.write(3))

    assert await one.stored() == []
    await drained(one)
    assert await one.stored() == ["d1", "d2", "d3"]


async def test_a_spoilt_line_is_set_aside_and_the_others_are_stored(
    database: Database, tmp_path: Path
) -> None:
    first = books(database, tmp_path / "first")
    lines = [line async for line in spooled(first, 1, 2)]
    one = books(database, tmp_path)
    await one.spool(lines[0], b"spoilt", b'{"decision_id": "d9"}', lines[1])

    await drained(books(database, tmp_path))

    assert await one.stored() == ["d1", "d2"]
    assert (tmp_path / REFUSED).read_bytes().splitlines() == [b"spoilt", b'{"decision_id": "d9"}']
    assert not (tmp_path / NEW).exists()


async def test_a_disk_that_takes_nothing_ends_no_draining(database: Database, tmp_path: Path) -> None:
    lines = [line async for line in spooled(books(database, tmp_path / "first"), 1)]
    await books(database, tmp_path).spool(*lines, b"spoilt")
    # Nothing can be written where what is spoilt is set aside.
    (tmp_path / REFUSED).mkdir()

    async def freed() -> None:
        before = unreadable()
        while unreadable() < before + 2:
            await asyncio.sleep(0.05)
        (tmp_path / REFUSED).rmdir()

    async with asyncio.timeout(20):
        await asyncio.gather(freed(), drained(books(database, tmp_path)))

    assert (tmp_path / REFUSED).read_bytes() == b"spoilt\n"


def unreadable() -> float:
    return REGISTRY.get_sample_value("ppo_custody_spool_unreadable_total") or 0


async def drained(one: Books) -> None:
    task = asyncio.create_task(one.ledger.run())
    async with asyncio.timeout(10):
        while (one.directory / NEW).exists() or (one.directory / DRAINING).exists():
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])


async def spooled(one: Books, *numbers: int) -> AsyncIterator[bytes]:
    """As they are written while the database is away: nobody listens where this one is looked for."""
    away = Database("postgresql://custody@127.0.0.1:1/ppo", "custody")
    ledger = Ledger(away, Spool(one.directory), Seal(bytes(32), bytes(32)), Clock())
    for number in numbers:
        await ledger.keep(one.write(number))
    await away.close()
    for line in (one.directory / NEW).read_bytes().splitlines():
        yield line
