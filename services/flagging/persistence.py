"""Whether somebody is a persistent offender by count: an indicator for the forum, never a rule by itself."""

from collections.abc import Sequence
from datetime import date, datetime

from google.type.date_pb2 import Date

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import register

# "Six or more recordable offences in the last twelve months"; some reported it as "more than six".
MANY = 6

MET = pb.PERSISTENCE_INDICATOR_MET
NOT_MET = pb.PERSISTENCE_INDICATOR_NOT_MET
AGE_NOT_KNOWN = pb.PERSISTENCE_INDICATOR_AGE_NOT_KNOWN


def indicator(convictions: Sequence[pb.Conviction], born: Date, instant: datetime) -> pb.Persistence:
    today = register.day(instant)
    since = _year_before(today)
    counted = sum(since <= _day(one.conviction_date) <= today for one in convictions)
    return pb.Persistence(
        indicator=_indicator(counted, register.under_age(born, today)),
        counted=counted,
        since_date=Date(year=since.year, month=since.month, day=since.day),
        convictions=convictions,
    )


def _indicator(counted: int, minor: bool | None) -> pb.PersistenceIndicator.ValueType:
    if counted < MANY or minor:
        return NOT_MET
    return AGE_NOT_KNOWN if minor is None else MET


def _year_before(day: date) -> date:
    """The same day a year before, which counts; of 29 February the 28th."""
    if (day.month, day.day) == (2, 29):
        return date(day.year - 1, 2, 28)
    return day.replace(year=day.year - 1)


def _day(given: Date) -> date:
    return date(given.year, given.month, given.day)
