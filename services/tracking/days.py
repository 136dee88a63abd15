"""Days as London counts them: midnights, months, birthdays, working days."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache

from google.type import date_pb2
from holidays import country_holidays

from services.runtime.reference import LONDON

DAY = timedelta(days=1)
# Whoever works out a history asks of the same few instants over and over.
REMEMBERED = 20_000
SATURDAY = 5
# In days, its first and its last among them.
SHORT_TERM = 5


@lru_cache(REMEMBERED)
def day(instant: datetime) -> date:
    return instant.astimezone(LONDON).date()


@lru_cache(REMEMBERED)
def midnight(on: date) -> datetime:
    """The instant at which the day begins."""
    return datetime.combine(on, time(), LONDON).astimezone(UTC)


@lru_cache(REMEMBERED)
def shift(on: date, months: int) -> date:
    """The same day of another month, or the last one where that month is shorter."""
    years, month = divmod(on.month - 1 + months, 12)
    year = on.year + years
    return date(year, month + 1, min(on.day, monthrange(year, month + 1)[1]))


def birthday(born: date, age: int) -> date:
    """Who is born on 29 February has their birthday on 1 March in other years."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)


def earliest(born: date_pb2.Date) -> date | None:
    """The earliest day that a partial date of birth may mean."""
    return date(born.year, born.month or 1, born.day or 1) if born.year else None


def latest(born: date_pb2.Date) -> date | None:
    """The latest day that a partial date of birth may mean: nobody is taken for an adult too early."""
    if not born.year:
        return None
    month = born.month or 12
    return date(born.year, month, born.day or monthrange(born.year, month)[1])


def working(on: date) -> bool:
    return on.weekday() < SATURDAY and on not in _bank_holidays(on.year)


def discharge(on: date, since: date | None = None) -> date:
    """Nobody is let out on a Sunday or a holiday, nor after over 5 days on a Saturday: it is the day before.

    Criminal Justice Act 1961, section 23(3). `since` is when the term began.
    """
    short = since is not None and (on - since).days < SHORT_TERM
    while (
        on in _bank_holidays(on.year) or on.weekday() > SATURDAY or (on.weekday() == SATURDAY and not short)
    ):
        on -= DAY
    return on


def proto(on: date) -> date_pb2.Date:
    return date_pb2.Date(year=on.year, month=on.month, day=on.day)


def end_of_working_day(after: datetime, count: int) -> datetime:
    """The end of the count-th working day after the day of an instant."""
    on = day(after)
    while count:
        on += DAY
        count -= working(on)
    return midnight(on + DAY)


def words(on: date) -> str:
    return f"{on.day} {on:%B %Y}"


@cache
def _bank_holidays(year: int) -> frozenset[date]:
    return frozenset(country_holidays("GB", subdiv="ENG", years=year))
