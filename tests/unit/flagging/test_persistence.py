"""Six or more recordable convictions of an adult in the last twelve months, at both sides of each border."""

from datetime import UTC, date, datetime, timedelta

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import persistence
from services.flagging.persistence import AGE_NOT_KNOWN, MET, NOT_MET

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
ADULT = Date(year=1980, month=3, day=12)


def on(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def convictions(*days: date) -> list[pb.Conviction]:
    return [pb.Conviction(conviction_date=on(day), reference=f"04/{place}") for place, day in enumerate(days)]


def told(days: list[date], born: Date = ADULT, at: datetime = NOON) -> pb.Persistence:
    return persistence.indicator(convictions(*days), born, at)


FIVE = [date(2004, 6, day) for day in range(1, 6)]


@pytest.mark.parametrize(("number", "expected"), [(0, NOT_MET), (5, NOT_MET), (6, MET), (7, MET)])
def test_six_convictions_are_many_and_five_are_not(number: int, expected: int) -> None:
    answer = told([date(2004, 6, 1)] * number)

    assert (answer.indicator, answer.counted, len(answer.convictions)) == (expected, number, number)


@pytest.mark.parametrize(
    ("today", "sixth", "expected"),
    [
        (date(2004, 12, 31), date(2003, 12, 31), MET),
        (date(2004, 12, 31), date(2003, 12, 30), NOT_MET),
        (date(2004, 12, 31), date(2004, 12, 31), MET),
        # A leap day has no same day a year before, and is one day of its year.
        (date(2004, 2, 29), date(2003, 2, 28), MET),
        (date(2004, 2, 29), date(2003, 2, 27), NOT_MET),
        (date(2005, 2, 28), date(2004, 2, 29), MET),
        (date(2005, 2, 28), date(2004, 2, 28), MET),
        (date(2005, 2, 28), date(2004, 2, 27), NOT_MET),
        (date(2005, 3, 1), date(2004, 2, 29), NOT_MET),
        (date(2005, 3, 1), date(2004, 3, 1), MET),
    ],
)
def test_a_conviction_on_the_same_day_a_year_before_counts_and_no_earlier_one(
    today: date, sixth: date, expected: int
) -> None:
    at = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    others = [today - timedelta(days=30)] * 5

    assert told([*others, sixth], at=at).indicator == expected


@pytest.mark.parametrize(
    ("born", "today", "expected"),
    [
        (Date(year=1986, month=12, day=31), date(2004, 12, 31), MET),
        (Date(year=1987, month=1, day=1), date(2004, 12, 31), NOT_MET),
        (Date(year=1988, month=2, day=29), date(2006, 2, 28), NOT_MET),
        (Date(year=1988, month=2, day=29), date(2006, 3, 1), MET),
        (Date(year=1986), date(2004, 12, 30), AGE_NOT_KNOWN),
        (Date(year=1986), date(2004, 12, 31), MET),
        (Date(year=1987), date(2004, 12, 31), NOT_MET),
        (Date(), date(2004, 12, 31), AGE_NOT_KNOWN),
    ],
)
def test_it_is_for_those_who_are_18_or_may_be(born: Date, today: date, expected: int) -> None:
    at = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)

    assert told([today] * 6, born, at).indicator == expected


def test_a_day_begins_at_midnight_in_london() -> None:
    summer_midnight = datetime(2005, 6, 9, 23, tzinfo=UTC)
    days = [date(2004, 6, 9), *[date(2005, 1, 1)] * 5]

    assert told(days, at=summer_midnight - timedelta(microseconds=1)).indicator == MET
    assert told(days, at=summer_midnight).indicator == NOT_MET


def test_few_convictions_are_few_whatever_the_age() -> None:
    assert told(FIVE, Date()).indicator == NOT_MET


@given(
    st.lists(st.dates(date(2002, 1, 1), date(2004, 12, 31)), max_size=12),
    st.dates(date(2003, 6, 1), date(2004, 12, 31)),
)
def test_it_counts_what_lies_within_twelve_months_in_any_order(days: list[date], today: date) -> None:
    answer = told(days, at=datetime(today.year, today.month, today.day, 12, tzinfo=UTC))

    # Years and months as the calendar counts them, compared as text.
    within = [day for day in days if f"{day}" <= f"{today}" and f"{day}" >= f"{today.year - 1}{today:-%m-%d}"]
    leap = [day for day in days if f"{today:%m-%d}" == "02-29" and day == date(today.year - 1, 2, 28)]
    assert answer.counted == len(within) + len(leap)
    assert (answer.indicator == MET) == (answer.counted >= 6)
