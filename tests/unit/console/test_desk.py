"""`ppo desk` on a pipe: five lines a person, an answer to each."""

import json

import pytest

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import screening_pb2 as screening
from services.console import details
from services.runtime.errors import Invalid
from tests.unit.console.conftest import Run, Served


@pytest.fixture
def flagged(served: Served) -> Served:
    served.custody.answer = custody.Answer(
        screening=screening.Screening(outcome=screening.OUTCOME_FLAGGED), basis=custody.BASIS_REGISTER
    )
    return served


def test_every_person_of_the_queue_is_answered(ppo: Run, flagged: Served) -> None:
    ran = ppo("desk", stdin="Kelly, Shane\n1979-03-04\n\n\n\nMary Ann Hill\n\n79/163001B\n\n\n")

    names = [(one.person.name.given_name, one.person.name.family_name) for one in flagged.custody.asked]
    assert names == [("Shane", "Kelly"), ("Mary Ann", "Hill")]
    assert [len(one.person.identifiers) for one in flagged.custody.asked] == [0, 1]
    assert ran.code == 0
    assert ran.out.count("FLAGGED  -  this person is a PPO") == 2


def test_somebody_who_says_nothing_is_asked_about_too(ppo: Run, flagged: Served) -> None:
    ppo("desk", stdin="\n\n\n\n\n")

    [asked] = flagged.custody.asked
    assert not asked.person.HasField("name")


def test_a_pipe_that_ends_within_a_person_is_answered(ppo: Run, flagged: Served) -> None:
    ppo("desk", stdin="Kelly, Shane")

    [asked] = flagged.custody.asked
    assert asked.person.name.family_name == "Kelly"


def test_the_next_name_may_stand_where_b_or_q_would(ppo: Run, flagged: Served) -> None:
    ppo("desk", stdin="Kelly\n\n\n\nHill\n\n\n\nq\nnobody reads this\n")

    assert [one.person.name.family_name for one in flagged.custody.asked] == ["Kelly", "Hill"]


def test_b_books_the_person_in(ppo: Run, flagged: Served) -> None:
    ran = ppo("desk", "--suite", "E3", "--json", stdin="Kelly\n\n\n\nb\n\n")

    booked = flagged.custody.asked[1]
    assert isinstance(booked, custody.BookInRequest)
    assert (booked.person.name.family_name, booked.suite_id) == ("Kelly", "E3")
    assert booked.request_id
    assert json.loads(ran.out.splitlines()[1])["detention"]["detention_id"] == "detention-1"


def test_the_check_and_the_booking_say_what_the_person_was_arrested_for(ppo: Run, flagged: Served) -> None:
    ppo("desk", stdin="Kelly\n\n\nBurglary, aggravated burglary,\nb\n\n")

    checked, booked = flagged.custody.asked
    assert isinstance(booked, custody.BookInRequest)
    assert checked.offence_codes == booked.offence_codes == ["burglary", "aggravated-burglary"]


def test_what_turned_out_later_stands_behind_b(ppo: Run, flagged: Served) -> None:
    ppo("desk", stdin="Kelly\n\n\ntheft\nb: burglary, attempted robbery\n\nB Smith\n")

    booked, other = flagged.custody.asked[1:]
    assert isinstance(booked, custody.BookInRequest)
    assert booked.offence_codes == ["burglary", "attempted-robbery"]
    # No booking, but the next name.
    assert other.person.name.family_name == "Smith"


def test_what_the_offence_asks_for_is_shown(ppo: Run, flagged: Served) -> None:
    text = "Test for Class A drugs on charge."
    flagged.custody.answer.instructions.suite_id = "D3"
    flagged.custody.answer.instructions.drug_test.add(rule="I13", text=text)

    ran = ppo("desk", stdin="Kelly\n\n\nburglary\n\n")

    assert f"I13  {text}" in ran.out


def test_an_offence_that_nobody_knows_is_one_line_and_the_queue_goes_on(ppo: Run, served: Served) -> None:
    served.custody.refusal = Invalid("offence_codes", "burglery is no offence that the reference data knows")

    ran = ppo("desk", stdin="Kelly\n\n\nburglery\n\nHill\n\n\n\n\n")

    assert ran.code == 2
    assert ran.err.startswith("refused: offence_codes: burglery is no offence")
    assert [one.person.name.family_name for one in served.custody.asked] == ["Kelly", "Hill"]


def test_what_is_refused_does_not_stop_the_queue(ppo: Run, flagged: Served) -> None:
    ran = ppo("desk", stdin="Kelly\n1979-13-04\n\n\n\nHill\n\n\n\n\n")

    assert [one.person.name.family_name for one in flagged.custody.asked] == ["Hill"]
    assert ran.code == 2
    assert ran.err.startswith("date of birth '1979-13-04': there is no month 13")


def test_what_the_service_refuses_is_one_line(ppo: Run, served: Served) -> None:
    served.custody.refusal = Invalid("person.identifiers", "not a pnc_id: its check letter is wrong")

    ran = ppo("desk", stdin="\n\n79/163001A\n\n\n")

    assert ran.code == 2
    assert ran.err == "refused: person.identifiers: not a pnc_id: its check letter is wrong\n"


@pytest.mark.parametrize("stdin", ["", "Kelly\n\n\n\n\nHill\n\n\n\n\n"])
def test_a_suite_that_there_is_not_is_one_error_whoever_waits(ppo: Run, served: Served, stdin: str) -> None:
    ran = ppo("desk", "--suite", "ZZ", stdin=stdin)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "ppo: refused: suite_id: is no custody suite that the reference data knows\n"
    assert served.custody.asked == []


def test_an_outage_is_an_answer_and_the_queue_goes_on(ppo: Run) -> None:
    ran = ppo("desk", stdin="Kelly\n\n\n\n\nHill\n\n\n\n\n")

    assert ran.code == 0
    assert ran.out.count("UNKNOWN  -  this is not a no") == 2


@pytest.mark.parametrize(
    ("text", "given", "family"),
    [
        ("Kelly, Shane", "Shane", "Kelly"),
        ("Shane Kelly", "Shane", "Kelly"),
        ("de la Cruz, Maria", "Maria", "de la Cruz"),
        ("Singh", "", "Singh"),
        ("", "", ""),
    ],
)
def test_a_name_is_read_as_people_say_it(text: str, given: str, family: str) -> None:
    name = details.spoken(text)

    assert (name.given_name, name.family_name) == (given, family)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", []),
        (" , ", []),
        ("Burglary", ["burglary"]),
        ("aggravated  burglary,theft", ["aggravated-burglary", "theft"]),
        ("possession_class_a, Attempted-Fraud", ["possession-class-a", "attempted-fraud"]),
    ],
)
def test_an_offence_is_read_as_people_write_it(text: str, codes: list[str]) -> None:
    assert details.offences(text) == codes
