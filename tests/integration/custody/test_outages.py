"""What custody says and keeps while what it depends on is away, and what it mends once that is back."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from tests.integration.custody import running
from tests.integration.custody.running import (
    JOURNAL,
    SECONDS,
    Desk,
    Processes,
    outcome,
    refused,
    somebody,
    unnumbered,
    until,
)
from tests.servers import Database, Servers

UNREACHABLE = screening_pb2.UNKNOWN_REASON_UNREACHABLE


@pytest.fixture(scope="module")
def processes(
    servers: Servers, migrated: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Processes]:
    with running.pair(servers, migrated, tmp_path_factory.mktemp("ppo")) as processes:
        yield processes


def stored(processes: Processes, *answers: pb.Answer) -> list[dict[str, Any]]:
    """The decisions of these answers, in the order in which they were stored."""
    ids = [answer.decision_id for answer in answers]
    with psycopg.connect(processes.database.url("custody"), row_factory=dict_row) as session:
        query = f"SELECT decision.* FROM decision JOIN {JOURNAL} USING (decision_id)"
        query += " WHERE decision_id = ANY(%s) ORDER BY number"
        return session.execute(query, [ids]).fetchall()


async def kept(processes: Processes, *answers: pb.Answer) -> list[dict[str, Any]]:
    async with asyncio.timeout(SECONDS):
        while len(found := stored(processes, *answers)) < len(answers):
            await asyncio.sleep(0.1)
    return found


@contextmanager
def database_away(processes: Processes) -> Iterator[None]:
    """For custody alone: its role cannot come in, and its connections are gone."""
    with psycopg.connect(processes.database.superuser, autocommit=True) as superuser:
        superuser.execute(SQL("ALTER ROLE custody NOLOGIN"))
        superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'custody'")
        try:
            yield
        finally:
            superuser.execute(SQL("ALTER ROLE custody LOGIN"))


@contextmanager
def flagging_away(processes: Processes) -> Iterator[None]:
    processes.flagging.kill()
    try:
        yield
    finally:
        processes.flagging.start()


@contextmanager
def flagging_asleep(processes: Processes) -> Iterator[None]:
    """It holds its connections and answers nothing."""
    for pid in processes.flagging.pids():
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes.flagging.pids():
            os.kill(pid, signal.SIGCONT)


async def test_without_the_register_a_ppo_is_flagged_and_nobody_is_cleared(desk: Desk) -> None:
    ppo, known = somebody(), somebody()
    await desk.flagged(ppo)
    await desk.nominal(known)
    before = await desk.ask(known)
    await desk.replicated(ppo)

    with flagging_away(desk.processes):
        flagged, possible = await desk.check(ppo), await desk.check(unnumbered(ppo))
        again, stranger = await desk.check(known), await desk.check(somebody())

    assert (outcome(flagged), outcome(possible)) == ("FLAGGED", "POSSIBLE")
    for unknown in (again, stranger):
        assert outcome(unknown) == "UNKNOWN"
        assert unknown.screening.unknown_reason == UNREACHABLE
    for answer in (flagged, possible, again, stranger):
        assert answer.basis == pb.BASIS_REPLICA
        assert answer.screening.HasField("register_time")
        assert not answer.incomplete
        assert answer.contact.telephone
    assert again.last_known.outcome == screening_pb2.OUTCOME_NOT_FLAGGED
    assert again.last_known.answered_time == before.answered_time
    assert not stranger.HasField("last_known")


async def test_without_the_register_a_postcode_weighs_as_it_does_there(desk: Desk) -> None:
    ppo = somebody(postcode="B12 8QX")
    await desk.flagged(ppo)
    given = person_pb2.Person(name=ppo.name, birth_date=ppo.birth_date, postcode="b128qx")
    of_register = await desk.ask(given)
    await desk.replicated(ppo)

    with flagging_away(desk.processes):
        of_replica, elsewhere = await desk.check(given), await desk.check(unnumbered(ppo))

    assert (of_register.basis, of_replica.basis) == (pb.BASIS_REGISTER, pb.BASIS_REPLICA)
    [here, there, without] = (one.screening.candidates[0] for one in (of_register, of_replica, elsewhere))
    assert there.evidence == here.evidence
    assert there.evidence[-1].field == "postcode"
    assert there.bits - without.bits == pytest.approx(there.evidence[-1].bits)
    assert of_replica.screening.threshold_bits == of_register.screening.threshold_bits


async def test_a_register_that_does_not_answer_is_not_waited_for(desk: Desk) -> None:
    ppo = somebody()
    await desk.flagged(ppo)
    await desk.replicated(ppo)

    with flagging_asleep(desk.processes):
        began = time.monotonic()
        answer = await desk.check(ppo)
        took = time.monotonic() - began

    assert (outcome(answer), answer.basis) == ("FLAGGED", pb.BASIS_REPLICA)
    assert took < 1


async def test_when_the_register_is_back_the_suite_is_told_what_has_become_of_its_unknowns(
    desk: Desk,
) -> None:
    person = somebody()
    await desk.nominal(person)
    stream = await desk.watch_from_now()

    with flagging_away(desk.processes):
        detention = await desk.book(person)
        test = await desk.test(detention)
        [row] = await kept(desk.processes, detention.answer)

    changed = await until(stream, "ANSWER_CHANGED")
    assert changed.detention.detention_id == detention.detention_id
    assert changed.earlier_outcome == screening_pb2.OUTCOME_UNKNOWN
    assert outcome(changed.detention.answer) == "NOT_FLAGGED"
    assert person.name.family_name.encode() not in row["input"]
    [later] = await kept(desk.processes, detention.answer)
    assert later["input"] is None
    assert test.route == pb.REFERRAL_ROUTE_HELD
    routed = await until(stream, "REFERRAL_ROUTED")
    assert routed.detention.drug_test.route == pb.REFERRAL_ROUTE_DIP_TEAM


async def test_a_check_without_a_booking_is_asked_again_and_its_input_goes(desk: Desk) -> None:
    person = somebody()
    await desk.nominal(person)
    stream = await desk.watch_from_now()

    with flagging_away(desk.processes):
        answer = await desk.check(person, offence_codes=["burglary"])
        [row] = await kept(desk.processes, answer)

    changed = await until(stream, "ANSWER_CHANGED")
    assert outcome(changed.detention.answer) == "NOT_FLAGGED"
    assert [one.rule for one in changed.detention.instructions.drug_test] == ["I14"]
    assert changed.detention.person.name == person.name
    assert person.name.family_name.encode() not in row["input"]
    [later] = await kept(desk.processes, answer)
    assert later["input"] is None
    assert later["outcome"] == "OUTCOME_UNKNOWN"


async def test_a_number_that_turns_out_to_be_nobodys_is_told_to_who_was_promised_an_answer(
    desk: Desk,
) -> None:
    stream = await desk.watch_from_now()

    with flagging_away(desk.processes):
        answer = await desk.check(person_pb2.Person(identifiers=somebody().identifiers))

    told = (await until(stream, "INSTRUCTIONS_CHANGED")).detention
    reasons = [each.screening.unknown_reason for each in (answer, told.answer)]
    assert reasons == [UNREACHABLE, screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT]
    assert [one.rule for one in told.instructions.general] == ["I7"]


async def test_without_the_database_a_check_is_answered_and_stored_in_order_later(desk: Desk) -> None:
    ppo = somebody()
    await desk.flagged(ppo)
    await desk.replicated(ppo)
    people = [ppo, *(somebody() for _ in range(4))]

    with database_away(desk.processes):
        given = [await desk.check(person) for person in people]
        waiting = await desk.processes.metric("ppo_custody_decisions_spooled")

    assert outcome(given[0]) == "FLAGGED"
    assert waiting == len(given)
    rows = await kept(desk.processes, *given)
    assert [row["decision_id"] for row in rows] == [answer.decision_id for answer in given]
    assert [bytes(row["answer"]) for row in rows] == [answer.SerializeToString() for answer in given]


async def test_without_the_database_a_booking_is_refused_and_can_be_repeated(desk: Desk) -> None:
    request = desk.booking(somebody())
    custody = await desk.custody()
    before = await desk.open()

    with database_away(desk.processes):
        async with refused("UNAVAILABLE"):
            await custody.BookIn(request, timeout=SECONDS)

    assert await desk.open() == before
    booked = (await custody.BookIn(request, timeout=SECONDS)).detention
    assert await desk.open() == [*before, booked.detention_id]


async def test_a_restart_with_everything_else_away_still_knows_the_ppos(desk: Desk) -> None:
    ppo = somebody()
    await desk.flagged(ppo)
    await desk.replicated(ppo)
    processes = desk.processes
    processes.custody.stop()
    alone = processes.alone()
    alone.start()

    given = [await desk.check(person) for person in (ppo, unnumbered(ppo), somebody(), person_pb2.Person())]
    async with refused("UNAVAILABLE"):
        await desk.book(ppo)
    # Killed, not stopped: what was answered is on the disk.
    alone.kill()
    processes.custody.start()

    assert [outcome(answer) for answer in given] == ["FLAGGED", "POSSIBLE", "UNKNOWN", "UNKNOWN"]
    assert all(answer.screening.HasField("register_time") for answer in given)
    await kept(processes, *given)


async def test_a_replica_that_was_killed_catches_up_with_what_it_missed(desk: Desk) -> None:
    before, after = somebody(), somebody()
    await desk.flagged(before)
    await desk.replicated(before)

    desk.processes.custody.kill()
    await desk.flagged(after)
    desk.processes.custody.start()

    await desk.replicated(after)
    with flagging_away(desk.processes):
        assert outcome(await desk.check(before)) == "FLAGGED"
        assert outcome(await desk.check(after)) == "FLAGGED"
