"""Answers that are asked for again, where the register and the replica do not say the same yet."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.rpc import code_pb2
from sqlalchemy import delete, select, update

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import store
from services.custody.cases import Cases
from services.custody.check import Checker, Register
from services.custody.ledger import Ledger, Question
from services.custody.models import Decision, Detention, SuiteEvent, due, outbox, requests
from services.custody.recheck import KEPT, Rechecks
from services.custody.record import Records, take
from services.custody.replica import Replica
from services.custody.seal import Seal
from services.custody.spool import Spool
from services.custody.verdicts import Asked
from services.custody.watch import Board
from services.runtime.cache import Bell
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict
from services.runtime.identity import Caller
from services.runtime.reference import Reference
from tests import builders
from tests.integration.custody.staged import Staged, asked
from tests.servers import Database as Own
from tests.servers import Servers
from tests.unit.custody import register as told

REFERENCE = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
PERSON = builders.person(identifiers=[builders.pnc_id(1)])
ITSELF = Caller("custody", "service_custody", "custody", datetime.max.replace(tzinfo=UTC))
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
DETENTION = "detention-1"


@dataclass
class Desk:
    """Custody's own parts on a real database, with a register and a replica that the test holds apart."""

    database: Database
    staged: Staged
    register: Register
    replica: Replica
    checker: Checker
    records: Records
    rechecks: Rechecks

    async def book(self) -> None:
        question = Question(Asked(PERSON), "D3", policy_pb2.PURPOSE_ARREST, ITSELF, detention_id=DETENTION)
        decided = await self.checker.decide(question)
        detention = Detention(
            detention_id=DETENTION,
            suite_id="D3",
            person=PERSON.SerializeToString(),
            fingerprints=[],
            arrested_time=NOW - HOUR,
            booked_time=NOW,
            booked_by="officer-1",
            offence_codes=[],
            drug_test=None,
            verdicts=[],
            instructions=b"",
            elsewhere=[],
        )
        take(detention, Decision(**decided.row))
        async with self.database.transaction() as session:
            await self.records.open(session, detention, NOW)

    async def recheck(self) -> None:
        async with self.database.transaction() as session:
            await due.drop(session, store.RECHECK, DETENTION)
            await self.rechecks.recheck(session, DETENTION)

    async def outcome(self) -> str:
        async with self.database.transaction() as session:
            return (await store.detention(session, DETENTION)).decision.outcome.removeprefix("OUTCOME_")

    async def decisions(self) -> int:
        async with self.database.transaction() as session:
            return len((await session.scalars(select(Decision.decision_id))).all())

    async def stored(self) -> list[dict[str, Any]]:
        """Every decision, whole, in its order."""
        async with self.database.transaction() as session:
            rows = await session.execute(select(Decision.__table__).order_by(Decision.answered_time))
            return [dict(row) for row in rows.mappings()]

    async def published(self) -> list[str]:
        async with self.database.transaction() as session:
            types = await session.scalars(select(outbox.rows.c.event_type).order_by(outbox.rows.c.id))
            return [each.rpartition(".")[2] for each in types]

    async def due_times(self) -> list[datetime]:
        async with self.database.transaction() as session:
            rechecks = select(due.table.c.due_time).where(due.table.c.kind == store.RECHECK)
            return list(await session.scalars(rechecks))

    def hear(self, version: int, *, flagged: bool) -> None:
        """The replica learns the register's state at that version."""
        state = told.flag("n1", version, PERSON, flagged=flagged, start=NOW - 24 * HOUR)
        if not flagged:
            # Annulled: it leaves no episode.
            del state.episodes[:]
        held = [("n1", version)] if flagged else []
        at = NOW + timedelta(seconds=version)
        self.replica.restore([state, told.watermark(0, version, held, at=at)])


@pytest_asyncio.fixture
async def desk(migrated: Own, servers: Servers, tmp_path: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        own = stack.enter_context(servers.database(migrated))
        database = Database(own.url("custody"), "custody")
        stack.push_async_callback(database.close)
        staged, replica, clock = Staged(), Replica(), Clock()  # type: ignore[abstract]
        replica.partitions = 1
        register = await stack.enter_async_context(asked(staged))
        spool = Spool(tmp_path)
        ledger = Ledger(database, spool, Seal(bytes(32), bytes(32)), clock)
        checker = Checker(
            register,
            replica,
            Cases(database, spool),
            ledger,
            Reference.load(REFERENCE),
            clock,
            false_alarms=0.01,
            register_seconds=5,
        )
        board = Board(database, Bell("redis://127.0.0.1:1", "nobody"))
        records = Records(board, replica, Reference.load(REFERENCE))
        rechecks = Rechecks(database, checker, register, ledger, records, board, clock, ITSELF)
        yield Desk(database, staged, register, replica, checker, records, rechecks)


async def test_an_answer_that_is_the_same_is_not_stored_again(desk: Desk) -> None:
    desk.staged.clear(1)
    await desk.book()

    await desk.recheck()

    assert await desk.decisions() == 1
    assert await desk.due_times() == []


async def test_an_annulment_is_told_once_the_replica_has_heard_of_it_too(desk: Desk) -> None:
    desk.staged.flag("n1", 1)
    desk.hear(1, flagged=True)
    await desk.book()
    desk.staged.clear(2)

    await desk.recheck()

    # For all that is known here the person may have been removed since: the arrest was right.
    assert await desk.outcome() == "NOT_FLAGGED"
    assert await desk.published() == ["PpoArrested"]
    assert len(await desk.due_times()) == 1

    desk.hear(2, flagged=False)
    await desk.recheck()

    assert await desk.published() == ["PpoArrested", "PpoArrestWithdrawn"]
    assert await desk.due_times() == []


async def test_without_the_register_a_newer_flag_of_the_replica_counts(desk: Desk) -> None:
    desk.staged.clear(1)
    await desk.book()
    desk.staged.code = code_pb2.UNAVAILABLE
    desk.hear(2, flagged=True)

    await desk.recheck()

    assert await desk.outcome() == "FLAGGED"
    assert await desk.published() == ["PpoArrested"]
    assert len(await desk.due_times()) == 1


async def test_without_the_register_what_it_said_last_stands_against_an_older_replica(desk: Desk) -> None:
    desk.staged.clear(2)
    desk.hear(1, flagged=True)
    await desk.book()
    desk.staged.code = code_pb2.UNAVAILABLE

    await desk.recheck()

    assert await desk.outcome() == "NOT_FLAGGED"
    assert await desk.published() == []


async def test_an_outage_withdraws_no_arrest(desk: Desk) -> None:
    desk.staged.flag("n1", 1)
    await desk.book()
    desk.staged.code = code_pb2.UNAVAILABLE

    await desk.recheck()

    assert await desk.outcome() == "FLAGGED"
    assert await desk.published() == ["PpoArrested"]


async def test_who_was_merged_is_arrested_once(desk: Desk) -> None:
    desk.staged.flag("n1", 1)
    desk.hear(1, flagged=True)
    await desk.book()
    desk.replica.restore([told.flag("n2", 2, PERSON), told.merged("n1", "n2", 3)])
    desk.staged.flag("n2", 3)

    await desk.recheck()

    assert await desk.published() == ["PpoArrested"]
    async with desk.database.transaction() as session:
        assert (await store.detention(session, DETENTION)).arrested_nominal == "n2"


async def test_a_closed_custody_record_is_left_alone(desk: Desk) -> None:
    desk.staged.clear(1)
    await desk.book()
    async with desk.database.transaction() as session:
        detention = await store.locked(session, DETENTION)
        await desk.records.dispose(session, detention, pb.DISPOSAL_BAILED, NOW, NOW)
    desk.staged.flag("n1", 2)

    await desk.recheck()

    assert await desk.outcome() == "NOT_FLAGGED"
    assert await desk.published() == ["DetentionCounted"]


async def test_what_waits_is_due_at_once_when_the_register_is_back(desk: Desk) -> None:
    async with desk.database.transaction() as session:
        await due.put(session, store.RECHECK, DETENTION, NOW + HOUR)

    async with desk.database.transaction() as session:
        await store.hasten_rechecks(session, NOW)

    assert await desk.due_times() == [NOW]


async def test_a_flagged_person_who_was_not_one_when_booked_in_was_arrested_as_a_ppo_later(
    desk: Desk,
) -> None:
    desk.staged.clear(1)
    await desk.book()
    desk.staged.flag("n1", 2)

    await desk.recheck()

    assert await desk.outcome() == "FLAGGED"
    async with desk.database.transaction() as session:
        events = await store.events_after(session, "D3", 0, 10)
    changed = [each.to_proto() for each in events][-1]
    assert changed.kind == pb.SUITE_EVENT_KIND_ANSWER_CHANGED
    assert changed.earlier_outcome == screening_pb2.OUTCOME_NOT_FLAGGED


async def test_a_later_model_decides_anew_and_leaves_the_old_record_as_it_was(desk: Desk) -> None:
    desk.staged.clear(1)
    desk.staged.screening.model_version, desk.staged.screening.threshold_bits = "1", 12.5
    await desk.book()
    [before] = await desk.stored()
    desk.staged.flag("n1", 2)
    desk.staged.screening.model_version, desk.staged.screening.threshold_bits = "2", 20

    await desk.recheck()

    first, second = await desk.stored()
    assert first == before
    assert (second["model_version"], second["threshold_bits"]) == ("2", 20)
    assert pb.Answer.FromString(second["answer"]).screening.model_version == "2"


async def test_what_was_decided_can_be_neither_changed_nor_deleted(desk: Desk) -> None:
    desk.staged.clear(1)
    desk.staged.code = code_pb2.UNAVAILABLE
    await desk.book()

    for change in (
        update(Decision).values(outcome="OUTCOME_FLAGGED"),
        update(Decision).values(answer=b"", input=None),
        update(Decision).values(input=b"another"),
        delete(Decision),
    ):
        with pytest.raises(Conflict, match="decision_stands"):
            async with desk.database.transaction() as session:
                await session.execute(change)
    [kept] = await desk.stored()
    async with desk.database.transaction() as session:
        await store.forget_inputs(session, DETENTION)

    assert kept["input"] is not None
    assert await desk.stored() == [kept | {"input": None}]


async def test_what_was_given_goes_when_the_person_leaves(desk: Desk) -> None:
    desk.staged.code = code_pb2.UNAVAILABLE
    await desk.book()

    async with desk.database.transaction() as session:
        detention = await store.locked(session, DETENTION)
        await desk.records.dispose(session, detention, pb.DISPOSAL_BAILED, NOW, NOW)

    [kept] = await desk.stored()
    assert kept["input"] is None


async def test_what_nobody_needs_any_more_goes_and_what_was_decided_stays(desk: Desk) -> None:
    desk.staged.clear(1)
    await desk.book()
    now = datetime.now(UTC)
    async with desk.database.transaction() as session:
        for number, age in ((7, KEPT + HOUR), (8, KEPT - HOUR)):
            row = {"rpc": "BookIn", "caller": "c", "request_id": f"r{number}", "digest": b"", "reply": b""}
            await session.execute(requests.table.insert().values(row | {"recorded_time": now - age}))
            old = SuiteEvent(
                suite_id="E3",
                number=number,
                kind="SUITE_EVENT_KIND_BOOKED_IN",
                recorded_time=now - age,
                detention=b"",
                earlier_outcome="OUTCOME_UNSPECIFIED",
            )
            session.add(old)

        await desk.rechecks.prune(session, "custody")

        assert [each.number for each in await store.events_after(session, "E3", 0, 10)] == [8]
        assert list(await session.scalars(select(requests.table.c.request_id))) == ["r8"]
        [again] = (await session.execute(select(due.table).where(due.table.c.kind == store.PRUNE))).all()
    assert again.due_time > now
    assert await desk.decisions() == 1
