"""CheckPerson as an officer meets it, with the real register behind it."""

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from tests import builders
from tests.integration.custody.running import Desk, outcome, refused, somebody, unnumbered


def decision(desk: Desk, answer: pb.Answer) -> Any:
    with psycopg.connect(desk.processes.database.url("custody"), row_factory=dict_row) as session:
        query = "SELECT * FROM decision WHERE decision_id = %s"
        return session.execute(query, [answer.decision_id]).fetchone()


async def test_the_pnc_id_of_a_ppo_is_flagged_by_the_register_with_somebody_to_ring(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person, ocu="E3")

    answer = await desk.check(person)

    assert outcome(answer) == "FLAGGED"
    assert answer.basis == pb.BASIS_REGISTER
    assert answer.screening.candidates[0].nominal_id == nominal_id
    assert answer.contact.telephone


async def test_the_name_of_a_ppo_alone_is_possible_with_its_evidence(desk: Desk) -> None:
    person = somebody()
    await desk.flagged(person)

    answer = await desk.check(unnumbered(person))

    assert outcome(answer) == "POSSIBLE"
    assert {each.field for each in answer.screening.candidates[0].evidence} >= {"family_name", "birth_date"}


async def test_a_stranger_is_not_flagged_and_to_be_checked_again_after_fingerprints(desk: Desk) -> None:
    answer = await desk.check(unnumbered(somebody()))

    assert outcome(answer) == "NOT_FLAGGED"
    assert answer.check_after_fingerprints


async def test_somebody_known_who_is_no_ppo_is_not_flagged_for_good(desk: Desk) -> None:
    person = somebody()
    await desk.nominal(person)

    answer = await desk.check(person)

    assert outcome(answer) == "NOT_FLAGGED"
    assert not answer.check_after_fingerprints


async def test_who_says_nothing_is_unknown_with_the_reason_and_somebody_to_ring(desk: Desk) -> None:
    answer = await desk.check(person_pb2.Person())

    assert outcome(answer) == "UNKNOWN"
    assert answer.screening.unknown_reason == screening_pb2.UNKNOWN_REASON_NO_IDENTITY
    assert answer.contact.telephone


@pytest.mark.parametrize("born", ["0000-00-00", "0000-05-00"])
async def test_too_little_is_unknown_and_the_officer_is_told_what_to_ask_for(desk: Desk, born: str) -> None:
    answer = await desk.ask(builders.person("", "Smith", born))

    assert outcome(answer) == "UNKNOWN"
    assert answer.screening.unknown_reason == screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT
    assert [one.rule for one in answer.instructions.general] == ["I7"]
    assert "date of birth" in answer.instructions.general[0].text
    assert answer.contact.telephone


async def test_a_wrong_check_letter_is_refused_and_not_answered(desk: Desk) -> None:
    wrong = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value="2001/0001234Z")

    async with refused("INVALID_ARGUMENT", "person.identifiers.value"):
        await desk.check(builders.person(identifiers=[wrong]))


async def test_a_suite_that_nobody_knows_is_refused(desk: Desk) -> None:
    desk.suite_id = "X9"

    async with refused("INVALID_ARGUMENT", "suite_id"):
        await desk.check(somebody())


async def test_an_answer_is_stored_as_it_was_given_without_what_the_person_said(desk: Desk) -> None:
    person = somebody()
    await desk.flagged(person)

    answer = await desk.check(person)

    row = decision(desk, answer)
    assert pb.Answer.FromString(bytes(row["answer"])) == answer
    assert row["asked_by"] == f"custody_officer-{desk.suite_id}"
    assert row["purpose"] == "PURPOSE_ARREST"
    assert row["input"] is None
    assert row["outcome"] == "OUTCOME_FLAGGED"
    assert row["register_version"] == answer.screening.register_version
    name = person.name.family_name.encode()
    assert name not in bytes(row["input_digest"])
    assert all(name not in bytes(each) for each in row["subjects"])


async def test_a_check_says_what_drug_test_the_offence_asks_for_and_its_decision_keeps_the_offence(
    desk: Desk,
) -> None:
    request = desk.checking(somebody())
    request.offence_codes.append("burglary")

    answer = (await (await desk.custody()).CheckPerson(request, timeout=5)).answer

    # Real clocks are long past December 2005.
    assert [one.rule for one in answer.instructions.drug_test] == ["I14"]
    assert decision(desk, answer)["offence_codes"] == ["burglary"]
    assert not (await desk.check(request.person)).instructions.drug_test


async def test_an_offence_that_nobody_knows_is_refused(desk: Desk) -> None:
    request = desk.checking(somebody())
    request.offence_codes.append("treason")

    async with refused("INVALID_ARGUMENT", "offence_codes"):
        await (await desk.custody()).CheckPerson(request, timeout=5)


@pytest.mark.parametrize("role", ["arresting_officer", "arrest_referral_worker"])
async def test_arresting_officers_and_referral_workers_may_check(desk: Desk, role: str) -> None:
    stub = await desk.custody(role)

    checked = await stub.CheckPerson(desk.checking(somebody()), timeout=5)

    assert outcome(checked.answer) == "NOT_FLAGGED"


async def test_a_home_office_statistician_may_not_check(desk: Desk) -> None:
    stub = await desk.custody("home_office")

    async with refused("PERMISSION_DENIED"):
        await stub.CheckPerson(desk.checking(somebody()), timeout=5)
