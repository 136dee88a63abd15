"""Days are London's, through both changes of the clocks, and working days are England's."""

from datetime import UTC, date, datetime

import pytest
from google.type import date_pb2

from services.tracking import days


@pytest.mark.parametrize(
    ("on", "instant"),
    [
        (date(2004, 3, 28), datetime(2004, 3, 28, tzinfo=UTC)),
        (date(2004, 3, 29), datetime(2004, 3, 28, 23, tzinfo=UTC)),
        (date(2004, 10, 31), datetime(2004, 10, 30, 23, tzinfo=UTC)),
        (date(2004, 11, 1), datetime(2004, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_midnight_in_london(on: date, instant: datetime) -> None:
    assert days.midnight(on) == instant
    assert days.day(instant) == on


@pytest.mark.parametrize(
    ("on", "months", "there"),
    [
        (date(2005, 5, 31), -3, date(2005, 2, 28)),
        (date(2004, 5, 31), -3, date(2004, 2, 29)),
        (date(2005, 1, 15), -3, date(2004, 10, 15)),
        (date(2004, 2, 29), 12, date(2005, 2, 28)),
        (date(2004, 12, 31), 2, date(2005, 2, 28)),
    ],
)
def test_a_shorter_month_ends_on_its_last_day(on: date, months: int, there: date) -> None:
    assert days.shift(on, months) == there


def test_who_is_born_on_29_february_comes_of_age_on_1_march() -> None:
    assert days.birthday(date(1988, 2, 29), 18) == date(2006, 3, 1)
    assert days.birthday(date(1987, 2, 28), 18) == date(2005, 2, 28)


@pytest.mark.parametrize(
    ("partial", "latest"),
    [
        ((1986, 7, 15), date(1986, 7, 15)),
        ((1986, 7, 0), date(1986, 7, 31)),
        ((1986, 0, 0), date(1986, 12, 31)),
        ((0, 7, 15), None),
    ],
)
def test_a_partial_date_of_birth_makes_nobody_an_adult_too_early(
    partial: tuple[int, int, int], latest: date | None
) -> None:
    year, month, day = partial

    assert days.latest(date_pb2.Date(year=year, month=month, day=day)) == latest


@pytest.mark.parametrize(
    ("received", "end"),
    [
        # A Thursday; a Friday; Christmas Eve of 2004, a Friday before four days off; Maundy Thursday.
        (datetime(2004, 12, 2, 15, tzinfo=UTC), date(2004, 12, 4)),
        (datetime(2004, 12, 3, 15, tzinfo=UTC), date(2004, 12, 7)),
        (datetime(2004, 12, 24, 15, tzinfo=UTC), date(2004, 12, 30)),
        (datetime(2005, 3, 24, 15, tzinfo=UTC), date(2005, 3, 30)),
        # A Saturday; and a Sunday evening that is Monday already in London.
        (datetime(2004, 12, 4, 15, tzinfo=UTC), date(2004, 12, 7)),
        (datetime(2005, 6, 5, 23, 30, tzinfo=UTC), date(2005, 6, 8)),
    ],
)
def test_one_working_day_ends_with_the_next_day_that_is_one(received: datetime, end: date) -> None:
    assert days.end_of_working_day(received, 1) == days.midnight(end)


@pytest.mark.parametrize("off", [date(2004, 12, 27), date(2004, 12, 28), date(2005, 1, 3), date(2005, 3, 25)])
def test_bank_holidays_of_england_are_no_working_days(off: date) -> None:
    assert not days.working(off)


def test_scotlands_are() -> None:
    assert days.working(date(2005, 1, 4))
