"""When a return is due, and which return an area sends next."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import islice

import holidays

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.months import following, preceding

WORKING_DAYS = 6
WARNED_DAYS = 3
SATURDAY = 5

BANK_HOLIDAYS = holidays.country_holidays("GB", subdiv="ENG")
# With the area: it has still to send them, or to answer.
UNSENT = frozenset({pb.RETURN_STATE_DRAFT, pb.RETURN_STATE_CHECKED, pb.RETURN_STATE_QUERIED})


def due(month: date, named: date | None = None) -> date:
    """The sixth working day of the next month, unless the calendar has `named` another."""
    return named or next(islice(_working_days(following(month)), WORKING_DAYS - 1, None))


def warned(month: date) -> date:
    """The third working day of the next month, from which on whoever has not sent it is reminded."""
    return next(islice(_working_days(following(month)), WARNED_DAYS - 1, None))


def awaited(states: Mapping[date, int], today: date) -> date:
    """The month whose return comes next, by the states of the months that were recorded."""
    unsent = [month for month, state in states.items() if state in UNSENT]
    if unsent:
        return min(unsent)
    ended = preceding(today.replace(day=1))
    return following(ended) if ended in states else ended


def _working_days(day: date) -> Iterator[date]:
    while True:
        if day.weekday() < SATURDAY and day not in BANK_HOLIDAYS:
            yield day
        day += timedelta(days=1)
