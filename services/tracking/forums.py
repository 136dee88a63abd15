"""When a forum meets, by its dated calendar, and which of its meetings hear a dispute."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice

from services.runtime.reference import LONDON, InvalidReference, Reference, Row
from services.tracking import days
from services.tracking.evidence import Hearing

FORUMS, ABOVE = "forums", "core_priority_groups"
# A calendar that has not come to a meeting by then has none.
LONGEST = timedelta(days=366)
# How many days of a forum are kept at hand.
REMEMBERED = 1_000


def check(reference: Reference) -> None:
    """Raises InvalidReference where a dispute could stay undecided for ever."""
    if not reference.ids(ABOVE):
        raise InvalidReference(f"{ABOVE}: nobody decides what the forums do not settle")
    for forum in reference.ids(FORUMS):
        for row in reference.history(FORUMS, forum):
            if row.number("weeks_between") < 1:
                raise InvalidReference(f"{FORUMS} {forum}: weeks_between is at least 1")


def name(reference: Reference, forum: str, at: datetime) -> str:
    row = reference.row(FORUMS, forum, at=at) or reference.row(ABOVE, forum, at=at)
    return row.text("name") if row else forum


def hearing(reference: Reference, ocu: str, raised: datetime) -> Hearing | None:
    """The next two meetings of the forum of the OCU that meets first; None where none is to come."""
    serving = [row for row in reference.rows(FORUMS, at=raised) if ocu in row.texts("ocus")]
    coming = [(list(islice(meetings(reference, row.id, raised), 2)), row) for row in serving]
    heard = [(times[0], times[1], row.id, row.text("name")) for times, row in coming if len(times) == 2]
    if not heard:
        return None
    first, second, forum, name = min(heard)
    return Hearing(forum, name, first, second, reference.latest(ABOVE, at=second).id)


def next_to_meet(reference: Reference, ocu: str, after: datetime) -> str:
    """Of the forums of the OCU; empty where none is to meet."""
    serving = (row.id for row in reference.rows(FORUMS, at=after) if ocu in row.texts("ocus"))
    coming = [(time, forum) for forum in serving for time in islice(meetings(reference, forum, after), 1)]
    return min(coming)[1] if coming else ""


def meetings(reference: Reference, forum: str, after: datetime) -> Iterator[datetime]:
    """Those to come, as far ahead as is planned for: a row of the calendar plans until its last day."""
    return (time for time in _calendar(reference, forum, days.day(after)) if time > after)


@lru_cache(REMEMBERED)
def _calendar(reference: Reference, forum: str, since: date) -> tuple[datetime, ...]:
    return tuple(time for row in reference.history(FORUMS, forum) for time in _planned(row, since))


def _planned(row: Row, since: date) -> Iterator[datetime]:
    step = timedelta(weeks=row.number("weeks_between"))
    first, starts = row.day("first_meeting"), row.time_of_day("starts")
    from_day = max(row.effective_from, since, first)
    on = first + -(-(from_day - first) // step) * step
    while row.in_force(on) and on <= since + LONGEST:
        yield datetime.combine(on, starts, LONDON)
        on += step
