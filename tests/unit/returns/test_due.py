"""When a return is due, and which one comes next."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import due, months
from services.returns.areas import NEEDS, Areas
from services.runtime.reference import Reference

BIRMINGHAM = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
CHECKED, SUBMITTED = pb.RETURN_STATE_CHECKED, pb.RETURN_STATE_SUBMITTED


@pytest.mark.parametrize(
    ("month", "day"),
    [
        ("2004-11", "2004-12-08"),
        # New Year's Day was a Saturday: Monday the 3rd was the holiday.
        ("2004-12", "2005-01-11"),
        ("2005-01", "2005-02-08"),
        ("2005-02", "2005-03-08"),
        # The first Monday of May is a holiday.
        ("2005-04", "2005-05-10"),
    ],
)
def test_a_return_is_due_on_the_sixth_working_day_of_the_next_month(month: str, day: str) -> None:
    assert due.due(date.fromisoformat(f"{month}-01")) == date.fromisoformat(day)


def test_the_calendar_may_name_another_day() -> None:
    assert due.due(date(2004, 12, 1), named=date(2005, 1, 20)) == date(2005, 1, 20)


def test_january_2005_is_due_when_the_calendar_says() -> None:
    areas = Areas(Reference.load(BIRMINGHAM, needs=NEEDS))

    assert areas.due_date(date(2005, 1, 1)) == date(2005, 2, 8)


def test_the_reference_data_names_a_day_that_wins(tmp_path: Path) -> None:
    calendar = 'columns.return_calendar.due = "day"\n[[return_calendar]]\nid = "2004-12"\nfrom = 2004-12-01\n'
    (tmp_path / "calendar.toml").write_text(f"{calendar}due = 2005-01-20\n")
    areas = Areas(Reference.load(tmp_path))

    assert areas.due_date(date(2004, 12, 1)) == date(2005, 1, 20)
    assert areas.due_date(date(2005, 2, 1)) == date(2005, 3, 8)


@pytest.mark.parametrize(
    ("states", "month"),
    [
        ({}, "2004-12"),
        ({"2004-11": SUBMITTED}, "2004-12"),
        ({"2004-12": CHECKED}, "2004-12"),
        ({"2004-12": SUBMITTED}, "2005-01"),
        ({"2004-11": CHECKED, "2004-12": SUBMITTED}, "2004-11"),
        ({"2004-11": pb.RETURN_STATE_QUERIED, "2004-12": CHECKED}, "2004-11"),
    ],
)
def test_the_oldest_return_that_is_not_sent_comes_next(states: dict[str, int], month: str) -> None:
    recorded = {date.fromisoformat(f"{one}-01"): state for one, state in states.items()}

    assert due.awaited(recorded, date(2005, 1, 9)) == date.fromisoformat(f"{month}-01")


def test_a_month_is_over_at_midnight_in_london() -> None:
    assert months.end(date(2004, 12, 1)) == datetime(2005, 1, 1, tzinfo=UTC)
    assert months.end(date(2005, 6, 1)) == datetime(2005, 6, 30, 23, tzinfo=UTC)


def test_a_year_has_its_months_one_after_the_other() -> None:
    assert months.following(date(2004, 12, 1)) == date(2005, 1, 1)
    assert months.preceding(date(2005, 1, 1)) == date(2004, 12, 1)
    assert months.following(date(2005, 1, 1)) == date(2005, 2, 1)
