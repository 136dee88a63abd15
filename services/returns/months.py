"""Months as their first days, and the instant at which one is over in London."""

from datetime import UTC, date, datetime, time, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from services.runtime.errors import Invalid
from services.runtime.reference import LONDON

YEARS = range(2000, 2100)


def month(given: Date, field: str) -> date:
    """Its day is not looked at."""
    if given.year not in YEARS or not given.month:
        raise Invalid(field, "is no month between 2000 and 2099")
    return date(given.year, given.month, 1)


def to_date(month: date) -> Date:
    return Date(year=month.year, month=month.month)


def day(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def to_day(given: Date) -> date:
    return date(given.year, given.month, given.day)


def stamp(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    given = Timestamp()
    given.FromDatetime(instant)
    return given


def instant(given: Timestamp) -> datetime:
    return given.ToDatetime(tzinfo=UTC)


def following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def preceding(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def end(month: date) -> datetime:
    """The midnight in London with which it is over."""
    return datetime.combine(following(month), time(), LONDON).astimezone(UTC)


def last_instant(month: date) -> datetime:
    return end(month) - timedelta(microseconds=1)


def today(now: datetime) -> date:
    return now.astimezone(LONDON).date()
