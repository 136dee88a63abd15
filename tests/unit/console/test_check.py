"""`ppo check`: what each answer looks like, and the exit code that scripts rely on."""

import json
import time

import pytest

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer
from services.runtime.errors import Denied, Invalid, Unavailable
from tests.unit.console.conftest import Run, Served

FLAGGED, POSSIBLE = screening.OUTCOME_FLAGGED, screening.OUTCOME_POSSIBLE
NOT_FLAGGED, UNKNOWN = screening.OUTCOME_NOT_FLAGGED, screening.OUTCOME_UNKNOWN
FINGERPRINT, IDENTIFIER = screening.IDENTITY_BASIS_FINGERPRINT, screening.IDENTITY_BASIS_IDENTIFIER
DETAILS = screening.IDENTITY_BASIS_DETAILS_GIVEN
REGISTER, REPLICA = custody.BASIS_REGISTER, custody.BASIS_REPLICA


def said(
    outcome: screening.Outcome.ValueType,
    identity: screening.IdentityBasis.ValueType = IDENTIFIER,
    basis: custody.Basis.ValueType = REGISTER,
) -> custody.Answer:
    return custody.Answer(
        screening=screening.Screening(outcome=outcome, identity_basis=identity), basis=basis
    )


@pytest.mark.parametrize(
    ("answered", "code"),
    [
        (said(NOT_FLAGGED, FINGERPRINT), 0),
        (said(NOT_FLAGGED, IDENTIFIER), 0),
        (said(FLAGGED), 10),
        (said(FLAGGED, basis=REPLICA), 10),
        (said(POSSIBLE, DETAILS), 11),
        (said(UNKNOWN, DETAILS, REPLICA), 12),
        (said(NOT_FLAGGED, DETAILS), 13),
    ],
)
def test_each_answer_has_its_exit_code(ppo: Run, served: Served, answered: custody.Answer, code: int) -> None:
    served.custody.answer = answered

    assert ppo("check", "--pnc", "79/163001B").code == code


def test_a_check_says_what_the_person_was_arrested_for(ppo: Run, served: Served) -> None:
    ppo("check", "--pnc", "79/163001B", "--offence", "burglary", "--offence", "robbery")

    [asked] = served.custody.asked
    assert asked.offence_codes == ["burglary", "robbery"]


@pytest.mark.parametrize(
    "answered",
    [
        custody.Answer(),
        said(NOT_FLAGGED, IDENTIFIER, REPLICA),
        said(NOT_FLAGGED, IDENTIFIER, custody.BASIS_UNSPECIFIED),
        said(screening.Outcome.ValueType(99)),
    ],
)
def test_what_is_no_clear_answer_is_unknown(ppo: Run, served: Served, answered: custody.Answer) -> None:
    served.custody.answer = answered

    ran = ppo("check", "--pnc", "79/163001B")

    assert ran.code == 12
    assert "UNKNOWN" in ran.out


def test_an_unproven_not_flagged_never_ends_with_0(ppo: Run, served: Served) -> None:
    served.custody.answer = said(NOT_FLAGGED, screening.IDENTITY_BASIS_UNSPECIFIED)

    assert ppo("check", "--family", "Kelly").code == 13


def test_nothing_to_reach_is_unknown(ppo: Run) -> None:
    ran = ppo("check", "--pnc", "79/163001B")

    assert ran.code == 12
    assert "UNKNOWN" in ran.out
    assert "no suite was started" in ran.err


def test_a_service_that_is_gone_is_unknown(ppo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPO_CUSTODY_TARGET", "127.0.0.1:1")
    monkeypatch.setenv("PPO_TOKEN", "whatever")

    ran = ppo("check", "--pnc", "79/163001B", "--json")

    assert ran.code == 12
    assert json.loads(ran.out)["answer"]["screening"]["unknown_reason"] == "UNKNOWN_REASON_UNREACHABLE"
    assert ran.err.splitlines() == ["custody cannot be reached at 127.0.0.1:1: ppo status says more"]


def test_a_service_without_its_database_is_unknown(ppo: Run, served: Served) -> None:
    served.custody.refusal = Unavailable("postgres")

    ran = ppo("check", "--pnc", "79/163001B")

    assert ran.code == 12
    assert ran.err == "custody: postgres does not answer\n"


def test_a_refused_identifier_is_one_line_with_field_and_rule(ppo: Run, served: Served) -> None:
    served.custody.refusal = Invalid("person.identifiers", "not a pnc_id: its check letter is wrong")

    ran = ppo("check", "--pnc", "79/163001A")

    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == "ppo: refused: person.identifiers: not a pnc_id: its check letter is wrong\n"


def test_a_caller_who_may_not_ask_ends_with_1(ppo: Run, served: Served) -> None:
    served.custody.refusal = Denied("role ops may not call CheckPerson")

    ran = ppo("check", "--pnc", "79/163001B")

    assert ran.code == 1
    assert ran.err == "ppo: custody: role ops may not call CheckPerson\n"


@pytest.mark.parametrize("born", ["1979-13-04", "1979-02-30", "yesterday", "79", "2979-01-01"])
def test_a_wrong_date_is_one_line(ppo: Run, born: str) -> None:
    ran = ppo("check", "--family", "Kelly", "--born", born)

    assert ran.code == 2
    assert ran.err.startswith(f"ppo: date of birth '{born}': ")
    assert ran.err.count("\n") == 1


def test_the_request_holds_what_was_typed(ppo: Run, served: Served) -> None:
    served.custody.answer = said(FLAGGED)

    ppo(
        "check",
        "--given",
        "Shane",
        "--family",
        "Kelly",
        "--born",
        "1979-03",
        "--postcode",
        "B12 8QX",
        "--pnc",
        "79/163001B",
        "--fingerprint",
    )

    [asked] = served.custody.asked
    assert asked.person.postcode == "B12 8QX"
    assert (asked.person.name.given_name, asked.person.name.family_name) == ("Shane", "Kelly")
    assert (asked.person.birth_date.year, asked.person.birth_date.month, asked.person.birth_date.day) == (
        1979,
        3,
        0,
    )
    assert list(asked.person.identifiers) == [
        pb.Identifier(kind=pb.IDENTIFIER_KIND_PNC_ID, value="79/163001B")
    ]
    assert (asked.fingerprint, asked.suite_id, asked.purpose) == (True, "D3", policy.PURPOSE_ARREST)


def test_the_page_says_what_the_answer_rests_on_and_whom_to_ring(ppo: Run, served: Served) -> None:
    served.custody.answer = said(FLAGGED, FINGERPRINT)
    served.custody.answer.contact.CopyFrom(
        custody.Contact(title="Duty offender manager, D3", telephone="0121 496 0110")
    )
    served.custody.answer.screening.candidates.add(
        nominal_id="n-1", person=pb.Person(name=pb.Name(given_name="Shane", family_name="Kelly")), bits=30
    ).evidence.add(field="pnc_id", comparison="exact", bits=30)
    served.custody.answer.screening.candidates[0].evidence.add(
        field="family_name", comparison="on record, exact", bits=9
    )

    ran = ppo("check", "--pnc", "79/163001B")

    for words in (
        "FLAGGED",
        "fingerprints",
        "the register itself",
        "KELLY, Shane",
        "pnc id exact; family name on record, exact",
        "0121 496 0110",
    ):
        assert words in ran.out or words in " ".join(ran.out.split())


def test_the_copy_of_the_register_has_an_age(ppo: Run, served: Served) -> None:
    served.custody.answer = said(UNKNOWN, basis=REPLICA)
    served.custody.answer.incomplete = True
    served.custody.answer.screening.register_time.FromSeconds(int(time.time()) - 40)
    served.custody.answer.last_known.outcome = NOT_FLAGGED
    served.custody.answer.last_known.answered_time.FromJsonString("2004-12-31T19:00:00Z")

    ran = ppo("check", "--pnc", "79/163001B")

    assert "this suite's copy of the register, 4" in ran.out
    assert "some flags may be missing" in ran.out
    assert "not flagged, said on 31 Dec 2004 19:00:00" in ran.out


@pytest.mark.parametrize("outcome", [FLAGGED, POSSIBLE, NOT_FLAGGED, UNKNOWN])
def test_every_answer_says_what_to_do_next(outcome: screening.Outcome.ValueType) -> None:
    for identity in (FINGERPRINT, DETAILS):
        assert answer.steps(said(outcome, identity), custody.Instructions())


def test_what_to_do_is_shown_by_rule_with_whom_to_ring_and_what_was_told_in_vain(
    ppo: Run, served: Served
) -> None:
    served.custody.answer = said(FLAGGED)
    contact = custody.Contact(title="Duty offender manager, D3", telephone="0121 496 0110")
    told = served.custody.answer.instructions.general.add(rule="I1", text="Tell the police.", contact=contact)
    told.due_time.FromJsonString("2004-12-31T21:00:00Z")
    vain = served.custody.answer.instructions.general.add(rule="I2", text="Tell probation.", contact=contact)
    vain.withdrawn_time.FromJsonString("2004-12-31T20:30:00Z")
    served.custody.answer.instructions.recall.add(rule="I11", text="A recall is requested.")

    shown = " ".join(ppo("check", "--pnc", "79/163001B").out.split())

    assert "I1 Tell the police. Ring Duty offender manager, D3, 0121 496 0110. By 21:00 on 31 Dec." in shown
    assert "I2 WITHDRAWN at 20:30 on 31 Dec." in shown
    assert shown.index("I11") < shown.index("I1 ") < shown.index("I2 ")
