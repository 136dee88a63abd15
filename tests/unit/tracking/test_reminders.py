"""What falls due by itself, by London's days: before a release, and to look at a plan again."""

from datetime import UTC, date, datetime

import pytest

from services.tracking import days
from services.tracking.reminders import before_release, reviews


@pytest.mark.parametrize(
    ("release", "three_months", "four_weeks"),
    [
        (date(2004, 12, 24), datetime(2004, 9, 23, 23, tzinfo=UTC), datetime(2004, 11, 26, tzinfo=UTC)),
        # Over the end of summer time, and over its beginning.
        (date(2004, 11, 15), datetime(2004, 8, 14, 23, tzinfo=UTC), datetime(2004, 10, 17, 23, tzinfo=UTC)),
        (date(2005, 4, 20), datetime(2005, 1, 20, tzinfo=UTC), datetime(2005, 3, 23, tzinfo=UTC)),
        (date(2005, 5, 31), datetime(2005, 2, 28, tzinfo=UTC), datetime(2005, 5, 2, 23, tzinfo=UTC)),
    ],
)
def test_a_release_is_prepared_for_by_months_and_days_of_the_calendar(
    release: date, three_months: datetime, four_weeks: datetime
) -> None:
    assert [one.at for one in before_release(release)] == [three_months, four_weeks]


def test_a_plan_is_looked_at_each_fortnight_for_12_weeks_then_monthly_for_a_year() -> None:
    found = list(reviews([date(2004, 10, 4)], None))

    assert found[:6] == [
        date(2004, 10, 18),
        date(2004, 11, 1),
        date(2004, 11, 15),
        date(2004, 11, 29),
        date(2004, 12, 13),
        date(2004, 12, 27),
    ]
    assert found[6:8] == [date(2005, 1, 4), date(2005, 2, 4)]
    assert found[-1] == date(2005, 10, 4)


def test_a_release_begins_it_anew_and_the_end_of_the_case_ends_it() -> None:
    found = list(reviews([date(2004, 10, 4), date(2004, 10, 25)], date(2004, 11, 20)))

    assert found == [date(2004, 10, 18), date(2004, 11, 8)]


def test_who_was_never_on_the_programme_has_no_plan_to_look_at() -> None:
    assert list(reviews([], date(2004, 11, 20))) == []


# ---- the day on which a prison lets somebody out


@pytest.mark.parametrize(
    ("asked", "out"),
    [
        (date(2004, 12, 22), date(2004, 12, 22)),
        # A Saturday, and a Sunday, after a long term.
        (date(2004, 12, 11), date(2004, 12, 10)),
        (date(2004, 12, 12), date(2004, 12, 10)),
        # Christmas Day on a Saturday, Boxing Day on a Sunday, and the two days that stand in for them.
        (date(2004, 12, 25), date(2004, 12, 24)),
        (date(2004, 12, 28), date(2004, 12, 24)),
        # New Year on a Saturday, its Monday.
        (date(2005, 1, 3), date(2004, 12, 31)),
        # Good Friday and Easter Monday.
        (date(2005, 3, 25), date(2005, 3, 24)),
        (date(2005, 3, 28), date(2005, 3, 24)),
        # The August bank holiday.
        (date(2005, 8, 29), date(2005, 8, 26)),
    ],
)
def test_a_day_on_which_nobody_is_let_out_moves_to_the_one_before_it(asked: date, out: date) -> None:
    assert days.discharge(asked, date(2004, 6, 1)) == out


@pytest.mark.parametrize(
    ("since", "out"), [(date(2004, 12, 7), date(2004, 12, 11)), (date(2004, 12, 6), date(2004, 12, 10))]
)
def test_after_five_days_or_less_a_saturday_is_a_day_like_others(since: date, out: date) -> None:
    assert days.discharge(date(2004, 12, 11), since) == out


def test_after_a_short_term_a_sunday_moves_to_the_saturday() -> None:
    assert days.discharge(date(2004, 12, 12), date(2004, 12, 9)) == date(2004, 12, 11)
