"""What an officer must do: each answer asks for something, by its rule, and takes back what was wrong."""

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.custody import duty, orders
from services.custody.instructions import RULES, Fact, Law, Situation, apply, facts, revise, under
from services.runtime.reference import LONDON, Reference
from tests import builders

REFERENCE = Path(__file__).parents[3] / "deploy" / "reference"
# A Friday in the evening, and one at noon.
EVENING = datetime(2004, 12, 31, 20, tzinfo=UTC)
NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

FLAGGED = screening_pb2.OUTCOME_FLAGGED
POSSIBLE = screening_pb2.OUTCOME_POSSIBLE
NOT_FLAGGED = screening_pb2.OUTCOME_NOT_FLAGGED
UNKNOWN = screening_pb2.OUTCOME_UNKNOWN
ON_CHARGE = Law(trigger=True, stage="ON_CHARGE", minimum_age=18)


@pytest.fixture(scope="module")
def birmingham() -> Reference:
    return Reference.load(REFERENCE / "birmingham")


def answer(
    outcome: screening_pb2.Outcome.ValueType,
    *,
    born: str = "1980-03-12",
    strand: screening_pb2.Strand.ValueType = screening_pb2.STRAND_CATCH_AND_CONVICT,
    owner: str = "E3",
    **changes: object,
) -> pb.Answer:
    made = pb.Answer(**changes)  # type: ignore[arg-type]
    made.screening.outcome = outcome
    made.screening.identity_basis = screening_pb2.IDENTITY_BASIS_IDENTIFIER
    if outcome in (FLAGGED, POSSIBLE):
        person = builders.person(born=born)
        made.screening.candidates.add(nominal_id="n1", person=person, nominating_ocu="D3", strand=strand)
        made.ownership.owner = owner
    return made


def situation(one: pb.Answer, **changes: object) -> Situation:
    return Situation(one, builders.person(), EVENING, **changes)  # type: ignore[arg-type]


def rules(one: Situation) -> list[str]:
    return [rule.id for rule in apply(facts(one), here=one.here)]


def routed(route: str) -> pb.DrugTest:
    return pb.DrugTest(route=pb.ReferralRoute.Value(f"REFERRAL_ROUTE_{route}"))


# ---- the table


def test_each_rule_has_an_id_of_its_own_in_the_order_of_the_table() -> None:
    assert [rule.id for rule in RULES] == [f"I{number}" for number in range(1, len(RULES) + 1)]


def test_every_answer_asks_for_something() -> None:
    outcomes = [*screening_pb2.Outcome.values(), 99]
    reasons = [*screening_pb2.UnknownReason.values(), 99]
    bases = [*screening_pb2.IdentityBasis.values(), 99]
    for outcome, reason, basis in product(outcomes, reasons, bases):
        screening = screening_pb2.Screening(
            outcome=outcome,  # type: ignore[arg-type]
            unknown_reason=reason,  # type: ignore[arg-type]
            identity_basis=basis,  # type: ignore[arg-type]
        )
        assert rules(situation(pb.Answer(screening=screening)))


@pytest.mark.parametrize(
    ("one", "asked"),
    [
        (answer(FLAGGED), ["I1", "I2"]),
        (answer(FLAGGED, born="1988-01-01"), ["I3"]),
        (answer(FLAGGED, born="0000-00-00", strand=screening_pb2.STRAND_PREVENT_AND_DETER), ["I3"]),
        # By the register's own date of birth, whatever the strand still says.
        (answer(FLAGGED, strand=screening_pb2.STRAND_PREVENT_AND_DETER), ["I1", "I2"]),
        (answer(FLAGGED, recall_requested=True), ["I1", "I2", "I11"]),
        (answer(POSSIBLE), ["I4"]),
        (answer(POSSIBLE, recall_requested=True), ["I4", "I12"]),
        (answer(NOT_FLAGGED), ["I10"]),
        (answer(UNKNOWN), ["I5"]),
        (answer(UNKNOWN, last_known=pb.LastKnown(outcome=FLAGGED)), ["I5", "I8"]),
        (answer(UNKNOWN, last_known=pb.LastKnown(outcome=NOT_FLAGGED)), ["I5"]),
    ],
)
def test_an_answer_asks_by_its_rules(one: pb.Answer, asked: list[str]) -> None:
    assert rules(situation(one)) == asked


@pytest.mark.parametrize(
    ("reason", "asked"),
    [
        (screening_pb2.UNKNOWN_REASON_NO_IDENTITY, "I6"),
        (screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT, "I7"),
        (screening_pb2.UNKNOWN_REASON_UNREACHABLE, "I5"),
        (99, "I5"),
    ],
)
def test_unknown_asks_by_its_reason(reason: screening_pb2.UnknownReason.ValueType, asked: str) -> None:
    one = answer(UNKNOWN)
    one.screening.unknown_reason = reason

    assert rules(situation(one)) == [asked]


def test_a_no_on_details_given_is_checked_again_after_fingerprints() -> None:
    one = answer(NOT_FLAGGED)
    one.screening.identity_basis = screening_pb2.IDENTITY_BASIS_DETAILS_GIVEN

    assert rules(situation(one)) == ["I9"]


@pytest.mark.parametrize(
    ("law", "born", "asked"),
    [
        (ON_CHARGE, "1980-03-12", ["I13"]),
        (Law(trigger=True, stage="ON_ARREST", minimum_age=18), "1980-03-12", ["I14"]),
        (Law(trigger=False, stage="ON_CHARGE", minimum_age=18), "1980-03-12", []),
        (ON_CHARGE, "1987-01-01", []),
        (ON_CHARGE, "1986-12-31", ["I13"]),
        (None, "1980-03-12", []),
    ],
)
def test_a_trigger_offence_asks_for_a_test_of_who_is_old_enough(
    law: Law | None, born: str, asked: list[str]
) -> None:
    one = Situation(answer(NOT_FLAGGED), builders.person(born=born), EVENING, law=law)

    assert rules(one) == ["I10", *asked]


@pytest.mark.parametrize(
    ("route", "left_unknown", "asked"),
    [
        ("PPO_DRUG_TEAM", False, ["I15"]),
        ("DIP_TEAM", False, ["I16"]),
        ("HELD", False, ["I17"]),
        ("DIP_TEAM", True, ["I18"]),
        ("NONE", False, []),
    ],
)
def test_a_test_asks_for_its_referral_and_for_no_second_test(
    route: str, left_unknown: bool, asked: list[str]
) -> None:
    test = routed(route)
    one = situation(answer(NOT_FLAGGED), law=ON_CHARGE, drug_test=test, left_unknown=left_unknown)

    assert rules(one) == ["I10", *asked]


def test_of_somebody_who_has_left_only_others_are_told() -> None:
    assert rules(situation(answer(FLAGGED), here=False, law=ON_CHARGE)) == ["I1", "I2"]
    assert rules(situation(answer(UNKNOWN), here=False, law=ON_CHARGE)) == []


# ---- who is told, and by when


def told(reference: Reference, one: Situation, now: datetime) -> dict[str, pb.Instruction]:
    suite = reference.row("suites", "D3-2", at=now)
    assert suite is not None
    made = orders.instructions(reference, one, suite=suite, now=now)
    return {each.rule: each for each in [*made.general, *made.recall, *made.drug_test]}


def test_the_owners_managers_on_duty_are_told_within_the_hour(birmingham: Reference) -> None:
    by_rule = told(birmingham, situation(answer(FLAGGED)), NOON)

    police, probation = by_rule["I1"], by_rule["I2"]
    assert (police.party, probation.party) == ("E3", "E3")
    assert police.contact.title == "Duty offender manager, E3"
    assert probation.contact.organisation == "Probation, office 5"
    assert police.due_time.ToDatetime(UTC) == NOON + 60 * MINUTE
    assert police.occurred_time.ToDatetime(UTC) == EVENING


@pytest.mark.parametrize(
    ("owner", "now", "telephone"),
    [
        ("E3", NOON, "0121 496 0235"),
        # The evening duty of office 5.
        ("E3", EVENING, "0121 496 0238"),
        # An owner outside the area: the office of the OCU that nominated, D3.
        ("K1", NOON, "0121 496 0232"),
        # Nobody of probation is on duty: the police's manager takes the message.
        ("E3", EVENING + timedelta(hours=4), "0121 496 0125"),
        ("F1", EVENING + timedelta(hours=7), "0121 496 0112"),
    ],
)
def test_there_is_somebody_of_probation_to_ring_or_in_their_place(
    birmingham: Reference, owner: str, now: datetime, telephone: str
) -> None:
    by_rule = told(birmingham, situation(answer(FLAGGED, owner=owner)), now)

    assert by_rule["I2"].contact.telephone == telephone


@pytest.mark.parametrize("owner", ["birmingham-yot", "D1", ""])
def test_the_youth_offending_team_is_told_of_who_is_under_18(birmingham: Reference, owner: str) -> None:
    by_rule = told(birmingham, situation(answer(FLAGGED, born="1990-01-01", owner=owner)), NOON)

    assert [*by_rule] == ["I3"]
    assert by_rule["I3"].party == "birmingham-yot"
    assert by_rule["I3"].contact.telephone == "0121 496 0210"


def test_a_referral_goes_to_the_team_of_the_suite_on_the_same_day(birmingham: Reference) -> None:
    team = told(birmingham, situation(answer(FLAGGED), drug_test=routed("PPO_DRUG_TEAM")), EVENING)
    dip = told(birmingham, situation(answer(NOT_FLAGGED), drug_test=routed("DIP_TEAM")), EVENING)

    assert (team["I15"].party, dip["I16"].party) == ("drug-solutions-birmingham", "dip-2")
    assert team["I15"].due_time.ToDatetime(UTC) == datetime(2005, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("area", ["birmingham", "gloucestershire"])
def test_whoever_is_to_be_told_can_be_rung_at_every_hour_of_a_week(area: str) -> None:
    reference = Reference.load(REFERENCE / area)
    ocu = reference.rows("ocus", at=NOON)[0].id
    [suite, *_] = reference.rows("suites", at=NOON)
    routes = [routed(route) for route in ("PPO_DRUG_TEAM", "DIP_TEAM")]
    for hour in range(24 * 7):
        now = NOON + timedelta(hours=hour)
        for test, left, born in product(routes, (True, False), ("1980-01-01", "1990-01-01")):
            one = situation(answer(FLAGGED, born=born, owner=ocu), drug_test=test, left_unknown=left)
            made = orders.instructions(reference, one, suite=suite, now=now)
            assert all(each.contact.telephone for each in [*made.general, *made.drug_test] if each.party)


@pytest.mark.parametrize(
    ("day", "stage"),
    [("2004-12-31", "I13"), ("2005-11-30", "I13"), ("2005-12-01", "I14"), ("2006-06-01", "I14")],
)
def test_the_stage_of_the_test_follows_the_law_of_the_day(
    birmingham: Reference, day: str, stage: str
) -> None:
    at = datetime.fromisoformat(day).replace(tzinfo=LONDON)
    one = situation(answer(NOT_FLAGGED), law=duty.law(birmingham, ["burglary", "affray"], at))

    assert rules(one) == ["I10", stage]


# ---- an answer that is another one


def given_at(rule: str, party: str = "", minutes: int = 0) -> pb.Instruction:
    made = pb.Instruction(rule=rule, party=party)
    made.given_time.FromDatetime(EVENING + minutes * MINUTE)
    return made


def test_what_stands_keeps_its_time_and_who_was_told_in_vain_is_to_be_told() -> None:
    before = [given_at("I1", "E3"), given_at("I2", "E3"), given_at("I13")]

    after = revise(before, [given_at("I1", "D3", 5), given_at("I2", "E3", 5)], EVENING + 5 * MINUTE)

    moved, kept, vain = after
    assert (moved.party, kept.given_time) == ("D3", before[1].given_time)
    assert (vain.rule, vain.party) == ("I1", "E3")
    assert vain.withdrawn_time.ToDatetime(UTC) == EVENING + 5 * MINUTE


def test_what_was_to_be_done_and_is_not_any_more_just_goes() -> None:
    assert revise([given_at("I4")], [], EVENING) == []


def test_who_was_told_in_vain_stays_so_when_told_again() -> None:
    vain = revise([given_at("I1", "E3")], [], EVENING)

    again = revise(vain, [given_at("I1", "E3", 9)], EVENING + 9 * MINUTE)

    assert [each.HasField("withdrawn_time") for each in again] == [False, True]
    assert again[1] == vain[0]


keys = st.tuples(st.sampled_from(["I1", "I2", "I4"]), st.sampled_from(["", "E3", "D3"]))
histories = st.lists(st.lists(keys, unique=True, max_size=4), max_size=6)


@given(histories)
def test_after_any_history_what_stands_is_what_the_last_answer_asks_for(
    history: list[list[tuple[str, str]]],
) -> None:
    held: list[pb.Instruction] = []
    ever: set[tuple[str, str]] = set()
    for minutes, asked in enumerate(history):
        wanted = [given_at(rule, party, minutes) for rule, party in asked]
        held = revise(held, wanted, EVENING + minutes * MINUTE)
        ever |= {key for key in asked if key[1]}

    standing = [(each.rule, each.party) for each in held if not each.HasField("withdrawn_time")]
    vain = {(each.rule, each.party) for each in held if each.HasField("withdrawn_time")}
    assert standing == (history[-1] if history else [])
    assert ever <= vain | {*standing}


# ---- age


@pytest.mark.parametrize(
    ("born", "young"),
    [
        ("1986-12-31", False),
        ("1987-01-01", True),
        ("1987-00-00", True),
        ("1985-00-00", False),
        # The birthday may lie on either side of the day.
        ("1986-00-00", None),
        ("1986-12-00", None),
        ("1986-11-00", False),
        ("0000-00-00", None),
    ],
)
def test_somebody_is_under_18_only_where_that_is_known(born: str, young: bool | None) -> None:
    assert under(18, builders.person(born=born), EVENING) is young


@pytest.mark.parametrize(("day", "young"), [("2005-02-28", True), ("2005-03-01", False)])
def test_who_is_born_on_29_february_is_18_on_1_march(day: str, young: bool) -> None:
    at = datetime.fromisoformat(day).replace(hour=12, tzinfo=LONDON)
    leapling = person_pb2.Person()
    leapling.birth_date.year, leapling.birth_date.month, leapling.birth_date.day = 1987, 2, 29

    assert under(18, leapling, at) is young


def test_the_facts_of_a_rule_can_hold_at_once() -> None:
    outcomes = {Fact.FLAGGED, Fact.POSSIBLE, Fact.NOT_FLAGGED, Fact.UNREACHABLE, Fact.NO_IDENTITY}
    for rule in RULES:
        assert len(outcomes & {*rule.when}) <= 1
        assert len({Fact.ADULT, Fact.UNDER_18} & {*rule.when}) <= 1
