"""The demo's population has the published shape, holds no impossible person, and is the same on every run."""

import hashlib
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from services.console import population
from services.people.identifiers import canonical
from services.runtime.reference import LONDON, Reference

REFERENCE = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
DEMO_START = datetime(2004, 12, 31, 20, tzinfo=UTC)
SIXTEEN_PLUS_ONE = {
    *("W1", "W2", "W9", "M1", "M2", "M3", "M9", "A1", "A2", "A3", "A9", "B1", "B2", "B9", "O1", "O9"),
    "NS",
}


@cache
def nominals() -> list[flagging.ImportNominalsRequest]:
    return list(population.nominals())


@cache
def register() -> list[flagging.ImportRegistrationsRequest]:
    """With the nominee, as the month is counted."""
    return list(population.month())


@cache
def holders() -> dict[str, pb.Person]:
    return {number.value: row.person for row in nominals() for number in row.person.identifiers}


def ppo(row: flagging.ImportRegistrationsRequest) -> pb.Person:
    return holders()[row.identifier.value]


def removed() -> list[flagging.ImportRegistrationsRequest]:
    return [row for row in register() if row.HasField("effective_end_time")]


def start(row: flagging.ImportRegistrationsRequest) -> datetime:
    return row.effective_start_time.ToDatetime(UTC)


def end(row: flagging.ImportRegistrationsRequest) -> datetime:
    return row.effective_end_time.ToDatetime(UTC)


def age(person: pb.Person, at: datetime) -> int:
    born, day = person.birth_date, at.astimezone(LONDON)
    had_no_birthday_yet: bool = (day.month, day.day) < (born.month, born.day)
    years: int = day.year - born.year
    return years - had_no_birthday_yet


def young(person: pb.Person, at: datetime) -> bool:
    return 18 <= age(person, at) <= 25


def whole(person: pb.Person) -> bool:
    return bool(person.birth_date.day)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- as published by Erol and Millie (March 2005), in the numbers of the design's fixture


def test_321_were_on_the_register_in_december_and_300_at_its_end() -> None:
    # "there were 321 offenders involved in the PPO scheme in Birmingham during that month"
    # "21 PPOs in Birmingham were taken off the PPO list"
    december = datetime(2004, 12, 1, tzinfo=UTC)

    assert len({row.identifier.value for row in register()}) == 321
    assert len(removed()) == 21
    assert all(december <= end(row) < DEMO_START for row in removed())
    assert all(start(row) < DEMO_START for row in register())


def test_over_98_per_cent_are_male() -> None:
    # "Over 98 per cent were male": 315 is the least number of 321 that is.
    assert Counter(ppo(row).sex for row in register()) == {pb.SEX_MALE: 315, pb.SEX_FEMALE: 6}


def test_53_per_cent_are_18_to_25_at_the_months_end() -> None:
    # "with 53 per cent aged between 18 and 25": 170 of 321.
    assert sum(young(ppo(row), DEMO_START) for row in register()) == 170


def test_whoever_is_removed_is_in_the_same_band_then_as_at_the_months_end() -> None:
    # Either instant may be taken for the return, and must give the same count.
    assert [young(ppo(row), end(row)) for row in removed()] == [
        young(ppo(row), DEMO_START) for row in removed()
    ]


def test_a_quarter_are_not_white_and_26_per_cent_not_recorded() -> None:
    # "one quarter of the PPOs identified in Birmingham are of non-White ethnicity", "a further 26 per cent"
    groups = Counter(ppo(row).ethnicity_code[:1] for row in register())

    assert groups[""] == 83
    assert groups["W"] == 158
    assert groups["M"] + groups["A"] + groups["B"] + groups["O"] == 80


def test_every_ppo_began_after_the_programme_did_and_some_in_december() -> None:
    # "implemented nationally from 6 September" (Home Office, 2005)
    days = [start(row).astimezone(LONDON).date() for row in register()]

    assert min(days) >= date(2004, 9, 6)
    assert {day.month for day in days} == {9, 10, 11, 12}
    assert all(day.weekday() < 5 for day in days)
    assert all(start(row) < end(row) for row in removed())


def test_no_ppo_was_under_18_on_any_day() -> None:
    # "A PPO is any person aged 18 or over" (Gloucestershire's scheme)
    assert all(whole(ppo(row)) for row in register())
    assert min(age(ppo(row), start(row)) for row in register()) == 18


def test_the_nine_ocus_share_the_register_unevenly() -> None:
    # 321 over "nine OCUs": 35.7 on average; "Some have got too many, some have got too few"
    shares = Counter(row.nominating_ocu for row in register())
    ocus = Reference.load(REFERENCE).rows("ocus", at=DEMO_START)

    assert set(shares) == {row.id for row in ocus}
    assert min(shares.values()) < 30 < 36 < max(shares.values())


def test_a_removal_has_a_reason_and_nobody_else_has() -> None:
    reasons = Counter(row.removal_reason for row in removed())

    assert set(reasons) == set(flagging.RemovalReason.values()) - {flagging.REMOVAL_REASON_UNSPECIFIED}
    assert all(bool(row.removal_reason) == row.HasField("effective_end_time") for row in register())


def test_every_registration_is_an_adults_and_names_a_criterion() -> None:
    assert {row.strand for row in register()} == {
        screening.STRAND_CATCH_AND_CONVICT,
        screening.STRAND_REHABILITATE_AND_RESETTLE,
    }
    assert all(row.criteria and flagging.CRITERION_UNSPECIFIED not in row.criteria for row in register())


# ---- the nominals


def test_there_are_20_000_nominals_each_under_a_reference_of_its_own() -> None:
    assert len({row.source_reference for row in nominals()}) == len(nominals()) == 20_000


def test_every_identifier_is_canonical_and_nobody_elses() -> None:
    numbers = [number for row in nominals() for number in row.person.identifiers]

    assert all(canonical(number.kind, number.value) == number.value for number in numbers)
    assert len(holders()) == len(numbers)


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (pb.IDENTIFIER_KIND_PNC_ID, 0.9, 0.98),
        (pb.IDENTIFIER_KIND_CRO_NUMBER, 0.4, 0.6),
        (pb.IDENTIFIER_KIND_PRISON_NUMBER, 0.2, 0.4),
    ],
)
def test_most_have_a_pnc_id_and_fewer_the_other_numbers(
    kind: pb.IdentifierKind.ValueType, least: float, most: float
) -> None:
    having = sum(any(number.kind == kind for number in row.person.identifiers) for row in nominals())

    assert least < having / len(nominals()) < most


def test_nobody_was_recorded_before_the_age_of_ten() -> None:
    for row in nominals():
        for number in row.person.identifiers:
            if number.kind == pb.IDENTIFIER_KIND_PNC_ID:
                assert int(number.value[:4]) >= row.person.birth_date.year + 10


def test_every_date_of_birth_exists_and_some_are_partial() -> None:
    dates = [row.person.birth_date for row in nominals()]
    known = Counter((bool(born.year), bool(born.month), bool(born.day)) for born in dates)

    assert all(date(born.year, born.month, born.day) < date(1995, 1, 1) for born in dates if born.day)
    assert known.keys() == {
        (True, True, True),
        (True, True, False),
        (True, False, False),
        (False, False, False),
    }
    assert known[True, True, True] > 0.95 * len(dates)


def test_ethnicity_is_a_code_of_the_16_plus_1_or_not_recorded() -> None:
    codes = {row.person.ethnicity_code for row in nominals()}

    assert codes == SIXTEEN_PLUS_ONE | {""}


def test_some_have_other_names_which_are_not_their_own() -> None:
    aliased = [row.person for row in nominals() if row.person.aliases]

    assert 0.1 < len(aliased) / len(nominals()) < 0.2
    assert all(person.name not in person.aliases for person in aliased)


def test_common_names_are_common_and_most_names_are_rare() -> None:
    bearers = Counter(row.person.name.family_name for row in nominals())

    assert 0.005 < bearers.most_common(1)[0][1] / len(nominals()) < 0.02
    assert sum(count < 10 for count in bearers.values()) > len(bearers) / 2


def test_there_are_twins_of_ppos_too_and_children_called_after_a_parent() -> None:
    born = Counter(
        (row.person.name.family_name, row.person.birth_date.SerializeToString(deterministic=True))
        for row in nominals()
        if whole(row.person)
    )
    twins_of_ppos = [
        row
        for row in register()
        if born[ppo(row).name.family_name, ppo(row).birth_date.SerializeToString(deterministic=True)] > 1
    ]
    years: dict[tuple[str, str], list[int]] = {}
    for row in nominals():
        name = row.person.name
        years.setdefault((name.given_name, name.family_name), []).append(row.person.birth_date.year)

    assert sum(count > 1 for count in born.values()) > 20
    assert twins_of_ppos
    assert any(len(born_in) == 2 and 18 <= abs(born_in[0] - born_in[1]) <= 25 for born_in in years.values())


# ---- the same for everybody


def test_the_same_seed_writes_the_same_bytes_everywhere(tmp_path: Path) -> None:
    # Whatever changes the data or the generator changes these, and with them the demo's people.
    assert population.write_nominals(tmp_path / "nominals", count=2_000) == 2_000
    assert population.write_register(tmp_path / "register") == 320

    assert digest(tmp_path / "nominals") == "983d9456b9009bb2cd83e15f4e6546d886d5bad7dfc471ce3a9dd3c20dbe9d2c"
    assert digest(tmp_path / "register") == "b7bb8a07bdf431e340719d6763acf40ce41ce9b1e34de4a385931e1500c3928c"


def test_another_seed_gives_other_people_of_the_same_shape() -> None:
    other = list(population.month(seed=1))

    assert {row.identifier.value for row in other} & {row.identifier.value for row in register()} == {
        getattr(population.cast(), role).identifiers[0].value for role in population.CAST_PPOS
    }
    assert sum(row.HasField("effective_end_time") for row in other) == 21


def test_a_smaller_population_holds_the_same_ppos() -> None:
    small = [row.person for row in population.nominals(count=400)]

    assert len(small) == 400
    assert all(ppo(row) in small for row in register())


def test_a_file_holds_a_row_to_the_line_as_the_contract_reads_it(tmp_path: Path) -> None:
    population.write_nominals(tmp_path / "nominals", count=400)
    population.write_register(tmp_path / "register")

    lines = (tmp_path / "nominals").read_text(encoding="utf-8").splitlines()
    terms = (tmp_path / "register").read_text(encoding="utf-8").splitlines()

    assert [Parse(line, flagging.ImportNominalsRequest()) for line in lines] == list(
        population.nominals(count=400)
    )
    assert [Parse(line, flagging.ImportRegistrationsRequest()) for line in terms] == list(
        population.register()
    )
    assert not any("requestId" in line or '"source"' in line or '"line"' in line for line in lines + terms)


# ---- the cast


def row_of(person: pb.Person) -> flagging.ImportRegistrationsRequest | None:
    number = person.identifiers[0].value
    return next((row for row in population.register() if row.identifier.value == number), None)


@pytest.mark.parametrize("role", ["known", "misheard", "stranger", "nominee"])
def test_each_of_the_cast_is_a_nominal_with_a_family_name_of_their_own(role: str) -> None:
    member: pb.Person = getattr(population.cast(), role)

    bearers = [
        row.person
        for row in nominals()
        if member.name.family_name in {name.family_name for name in (row.person.name, *row.person.aliases)}
    ]

    assert bearers == [member]
    assert member.identifiers[0].kind == pb.IDENTIFIER_KIND_PNC_ID


def test_the_known_and_the_misheard_are_on_the_register_now() -> None:
    for member in (population.cast().known, population.cast().misheard):
        row = row_of(member)
        assert row is not None
        assert not row.HasField("effective_end_time")


def test_the_stranger_and_the_nominee_are_adults_who_are_not_on_the_register() -> None:
    for member in (population.cast().stranger, population.cast().nominee):
        assert row_of(member) is None
        assert age(member, DEMO_START) >= 18


def test_the_misheard_name_is_near_but_not_the_same() -> None:
    cast = population.cast()
    names = [
        (cast.heard.given_name, cast.misheard.name.given_name),
        (cast.heard.family_name, cast.misheard.name.family_name),
    ]

    for heard, filed in names:
        assert len(heard) == len(filed)
        assert sum(one != other for one, other in zip(heard, filed, strict=True)) == 1
