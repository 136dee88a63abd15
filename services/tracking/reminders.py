"""What falls due by itself: preparing for a release, and looking at somebody's plan again."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from services.tracking import days

FORTNIGHT = timedelta(days=14)
DENSE = timedelta(weeks=12)
YEAR_MONTHS = 12
LAST_CALL = timedelta(days=28)
MONTHS_AHEAD = 3


class Ahead(NamedTuple):
    """How long before a release something is due, and the instant."""

    words: str
    at: datetime


def before_release(on: date) -> tuple[Ahead, Ahead]:
    return (
        Ahead("3 months", days.midnight(days.shift(on, -MONTHS_AHEAD))),
        Ahead("28 days", days.midnight(on - LAST_CALL)),
    )


def reviews(anchors: Iterable[date], end: date | None) -> Iterator[date]:
    """From the start of the programme and from each release anew: fortnightly for 12 weeks, then monthly."""
    starts = sorted(set(anchors))
    for start, following in zip_longest(starts, starts[1:]):
        last = min((one for one in (following, end) if one is not None), default=None)
        yield from (one for one in _from(start) if last is None or one < last)


@lru_cache(days.REMEMBERED)
def _from(start: date) -> tuple[date, ...]:
    return tuple(_one_after_another(start))


def _one_after_another(start: date) -> Iterator[date]:
    on = start + FORTNIGHT
    while on - start <= DENSE:
        yield on
        on += FORTNIGHT
    for month in range(1, YEAR_MONTHS + 1):
        monthly = days.shift(start, month)
        if monthly - start > DENSE:
            yield monthly
