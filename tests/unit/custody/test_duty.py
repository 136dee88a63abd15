"""There is somebody to ring at every hour, and an offence calls for a test only while the law says so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.custody.duty import contact, trigger_offences
from services.runtime.reference import Reference, Row

REFERENCE = Path(__file__).parents[3] / "deploy" / "reference"


@pytest.fixture(scope="module")
def birmingham() -> Reference:
    return Reference.load(REFERENCE / "birmingham")


def on_duty(reference: Reference, ocu: str, london: str, suite: str = "D1") -> Row:
    at = datetime.fromisoformat(london).astimezone(UTC)
    row = reference.row("suites", suite, at=at)
    assert row is not None
    return contact(reference, owners=[ocu], suite=row, at=at)


@pytest.mark.parametrize(
    ("london", "row_id"),
    [
        # A Friday.
        ("2004-12-31T07:59:59+00:00", "D1-inspector"),
        ("2004-12-31T08:00:00+00:00", "D1-early"),
        ("2004-12-31T15:59:59+00:00", "D1-early"),
        ("2004-12-31T16:00:00+00:00", "D1-late"),
        ("2004-12-31T23:59:59+00:00", "D1-late"),
        ("2005-01-01T00:00:00+00:00", "D1-inspector"),
        ("2005-01-01T10:00:00+00:00", "D1-weekend"),
        # In summer the same hours are London's.
        ("2004-09-06T07:59:59+01:00", "D1-inspector"),
        ("2004-09-06T08:00:00+01:00", "D1-early"),
    ],
)
def test_the_duty_changes_by_the_clock_in_london(birmingham: Reference, london: str, row_id: str) -> None:
    assert on_duty(birmingham, "D1", london).id == row_id


@pytest.mark.parametrize(
    ("ocu", "title"),
    [
        ("D3", "Night duty offender manager, D3"),
        ("D1", "Duty inspector, D1"),
        ("F1", "Force control room"),
    ],
)
def test_at_three_on_a_sunday_morning_somebody_is_on_duty(
    birmingham: Reference, ocu: str, title: str
) -> None:
    assert on_duty(birmingham, ocu, "2005-01-02T03:00:00+00:00").text("title") == title


@pytest.mark.parametrize(
    ("owners", "title"),
    [
        (["E3", "D3"], "Night duty offender manager, E3"),
        # Nobody of the owner's is on duty, or it is no OCU.
        (["F1", "D3"], "Night duty offender manager, D3"),
        (["birmingham-yot", "D3"], "Night duty offender manager, D3"),
        (["F1", "D2"], "Force control room"),
        ([], "Force control room"),
    ],
)
def test_where_the_owner_has_nobody_on_duty_the_next_is_rung(
    birmingham: Reference, owners: list[str], title: str
) -> None:
    at = datetime(2005, 1, 2, 3, tzinfo=UTC)
    suite = birmingham.row("suites", "D1", at=at)
    assert suite is not None

    assert contact(birmingham, owners=owners, suite=suite, at=at).text("title") == title


def test_a_night_shift_ends_the_next_morning(birmingham: Reference) -> None:
    # It begins on Saturday night, so Sunday's 05:59 is its end and Monday's is nobody's.
    assert on_duty(birmingham, "D3", "2005-01-02T05:59:59+00:00").id == "D3-night"
    assert on_duty(birmingham, "D3", "2005-01-02T06:00:00+00:00").id == "D3-inspector"
    assert on_duty(birmingham, "D3", "2005-01-03T05:59:59+00:00").id == "D3-inspector"


def test_an_ocu_that_is_not_in_the_area_leads_to_the_control_room(birmingham: Reference) -> None:
    assert on_duty(birmingham, "K1", "2004-12-31T20:00:00+00:00").id == "west-midlands-police"


@pytest.mark.parametrize("area", ["birmingham", "gloucestershire"])
def test_there_is_a_telephone_to_ring_at_every_half_hour_of_a_year(area: str) -> None:
    reference = Reference.load(REFERENCE / area)
    start = datetime(2004, 4, 1, tzinfo=UTC)
    suites = reference.rows("suites", at=start)

    # Another OCU and suite each day, so that in a year every one meets every weekday.
    ocus = [row.id for row in reference.rows("ocus", at=start)]
    for half_hour in range(365 * 48):
        day = half_hour // 48
        at = start + timedelta(minutes=30 * half_hour)
        row = contact(reference, owners=ocus[day % len(ocus)], suite=suites[day % len(suites)], at=at)
        assert row.text("telephone")


@pytest.mark.parametrize(
    ("day", "in_force"),
    [
        ("2004-07-26", ["theft", "deception"]),
        ("2004-07-27", ["theft", "handling", "deception", "attempted-deception"]),
        ("2007-01-15", ["theft", "handling", "attempted-deception", "fraud"]),
        ("2007-08-01", ["theft", "handling", "fraud", "attempted-fraud"]),
    ],
)
def test_an_offence_is_a_trigger_on_the_days_the_law_names(
    birmingham: Reference, day: str, in_force: list[str]
) -> None:
    codes = ["theft", "handling", "deception", "attempted-deception", "fraud", "attempted-fraud", "affray"]

    assert trigger_offences(birmingham, codes, datetime.fromisoformat(f"{day}T12:00+00:00")) == in_force
