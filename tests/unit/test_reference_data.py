"""The reference data that ships: what is published of Birmingham, and a second area of the same form."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.police.duty import DAYS
from services.runtime.reference import Reference

REFERENCE = Path(__file__).parents[2] / "deploy" / "reference"
AT = datetime(2004, 12, 31, 20, tzinfo=UTC)
AREAS = ["birmingham", "gloucestershire"]
# Ofcom keeps these for drama: nobody is rung who is not in a play.
DRAMA = re.compile(r"0121 496 0\d{3}|01632 960\d{3}")
TABLES = [
    "areas",
    "arrest_referral_teams",
    "carat_teams",
    "control_rooms",
    "core_priority_groups",
    "courts",
    "dip_contact_points",
    "drug_teams",
    "duty_contacts",
    "forums",
    "housing_providers",
    "ldgs",
    "ocus",
    "offences",
    "outcome_figures",
    "outside_areas",
    "police_leads",
    "primary_care_trusts",
    "prisons",
    "probation_leads",
    "probation_offices",
    "published_figures",
    "referral_desks",
    "return_calendar",
    "return_tools",
    "suites",
    "training_providers",
    "trigger_offences",
    "youth_offending_teams",
]


def ids(reference: Reference, table: str, at: datetime = AT) -> list[str]:
    return [row.id for row in reference.rows(table, at=at)]


@pytest.fixture(scope="module")
def birmingham() -> Reference:
    return Reference.load(REFERENCE / "birmingham")


@pytest.mark.parametrize("area", AREAS)
def test_an_area_holds_every_table(area: str) -> None:
    Reference.load(REFERENCE / area, needs=TABLES)


def test_birmingham_has_nine_ocus_of_which_d3_is_stechford(birmingham: Reference) -> None:
    assert ids(birmingham, "ocus") == ["D1", "D2", "D3", "E1", "E2", "E3", "F1", "F2", "F3"]
    stechford = birmingham.row("ocus", "D3", at=AT)
    assert stechford is not None
    assert stechford.text("name") == "Stechford"


@pytest.mark.parametrize(
    ("table", "count"),
    [
        ("forums", 11),
        ("ldgs", 11),
        ("primary_care_trusts", 4),
        ("probation_offices", 7),
        ("control_rooms", 1),
        ("dip_contact_points", 1),
    ],
)
def test_birmingham_has_as_many_as_published(birmingham: Reference, table: str, count: int) -> None:
    assert len(ids(birmingham, table)) == count


def test_drug_solutions_birmingham_takes_every_ppo_and_four_dip_teams_share_the_rest(
    birmingham: Reference,
) -> None:
    teams = birmingham.rows("drug_teams", at=AT)
    ppo = [team for team in teams if team.text("route") == "PPO_DRUG_TEAM"]
    dip = [team for team in teams if team.text("route") == "DIP_TEAM"]

    assert [(team.text("name"), list(team.texts("ocus"))) for team in ppo] == [
        ("Drug Solutions Birmingham", ids(birmingham, "ocus"))
    ]
    assert len(dip) == 4
    assert sorted(ocu for team in dip for ocu in team.texts("ocus")) == ids(birmingham, "ocus")


def test_no_boundary_follows_the_ocus(birmingham: Reference) -> None:
    served = [row.texts("ocus") for row in birmingham.rows("ldgs", at=AT)]

    assert any(len(ocus) > 1 for ocus in served)
    assert len({ocu for ocus in served for ocu in ocus}) == 9
    assert len([ocus for ocus in served if "D3" in ocus]) > 1


def test_every_ocu_has_a_suite_and_a_forum(birmingham: Reference) -> None:
    ocus = set(ids(birmingham, "ocus"))

    assert {row.text("ocu") for row in birmingham.rows("suites", at=AT)} == ocus
    assert {ocu for row in birmingham.rows("forums", at=AT) for ocu in row.texts("ocus")} == ocus


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("table", ["police_leads", "probation_leads"])
def test_every_ocu_has_somebody_named_before_a_manager_is(area: str, table: str) -> None:
    reference = Reference.load(REFERENCE / area)

    assert sorted(row.text("ocu") for row in reference.rows(table, at=AT)) == ids(reference, "ocus")


def test_a_tier_4_officer_works_from_an_office_of_the_ocu(birmingham: Reference) -> None:
    for row in birmingham.rows("probation_leads", at=AT):
        office = birmingham.follow(row, "office", at=AT)
        assert row.text("ocu") in office.texts("ocus")


@pytest.mark.parametrize(
    ("day", "count"),
    [
        # The eleven of Schedule 6, then eight more.
        ("2004-07-26", 11),
        ("2004-07-27", 19),
        # Deception makes way for three of fraud; its attempt for attempted fraud.
        ("2007-01-14", 19),
        ("2007-01-15", 21),
        ("2007-08-01", 21),
    ],
)
def test_trigger_offences_are_as_many_as_the_law_names_on_a_day(
    birmingham: Reference, day: str, count: int
) -> None:
    assert len(ids(birmingham, "trigger_offences", datetime.fromisoformat(f"{day}T12:00+00:00"))) == count


def test_prisons_are_known_by_three_letters(birmingham: Reference) -> None:
    prisons = ids(birmingham, "prisons")

    assert {"BMI", "FSI", "BSI", "SNI"} <= set(prisons)
    assert all(re.fullmatch("[A-Z]{3}", prison) for prison in prisons)


def test_gloucestershire_is_another_area_of_three_units_in_the_same_country(birmingham: Reference) -> None:
    gloucestershire = Reference.load(REFERENCE / "gloucestershire")

    assert len(ids(gloucestershire, "ocus")) == 3
    assert not set(ids(gloucestershire, "ocus")) & set(ids(birmingham, "ocus"))
    assert ids(gloucestershire, "trigger_offences") == ids(birmingham, "trigger_offences")


@pytest.mark.parametrize("area", AREAS)
def test_areas_agree_on_the_columns_of_every_table(area: str, birmingham: Reference) -> None:
    reference = Reference.load(REFERENCE / area)

    assert {table: reference.columns(table) for table in TABLES} == {
        table: birmingham.columns(table) for table in TABLES
    }


@pytest.mark.parametrize("area", AREAS)
def test_no_telephone_number_is_anybodys(area: str) -> None:
    reference = Reference.load(REFERENCE / area)
    numbers = [
        row.text("telephone")
        for table in TABLES
        if "telephone" in reference.columns(table)
        for row in reference.rows(table, at=AT)
    ]

    assert numbers
    assert all(DRAMA.fullmatch(number) for number in numbers)
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("area", AREAS)
def test_a_rota_names_days_of_the_week(area: str) -> None:
    rows = Reference.load(REFERENCE / area).rows("duty_contacts", at=AT)

    assert rows
    assert all(row.texts("days") and set(row.texts("days")) <= set(DAYS) for row in rows)


@pytest.mark.parametrize("area", AREAS)
def test_the_desk_that_providers_ring_tells_of_no_agency(area: str) -> None:
    (desk,) = Reference.load(REFERENCE / area).rows("referral_desks", at=AT)

    assert not re.search("ppo|police|probation|offend|prison", desk.text("name"), re.IGNORECASE)


@pytest.mark.parametrize("table", ["housing_providers", "training_providers", "courts"])
def test_no_id_of_a_provider_or_court_tells_of_the_scheme(birmingham: Reference, table: str) -> None:
    assert not [one for one in ids(birmingham, table) if "ppo" in one.lower()]


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*/*.toml")), ids=lambda path: path.name)
def test_every_file_begins_by_saying_what_it_is(path: Path) -> None:
    assert path.read_text().startswith("# ")
