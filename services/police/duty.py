"""Who of a police area can be rung at an instant."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from services.runtime.reference import LONDON, Reference, Row

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def on_call(reference: Reference, *, owners: Iterable[str], at: datetime) -> Row | None:
    """The contact on duty of the first owner who has one; None where only the control room answers."""
    wanted = [*owners]
    # Of most answers there is none, and a rota is long.
    rota = on_duty(reference, "duty_contacts", at) if wanted else []
    return next((row for owner in wanted for row in rota if row.text("ocu") == owner), None)


def on_duty(reference: Reference, table: str, at: datetime) -> list[Row]:
    """Of a rota those on duty, the lowest rank first.

    Hours are London's. A shift that ends at or before its start ends the next day. Who began it works
    it to its end, though the rota has changed at midnight.
    """
    now = at.astimezone(LONDON)
    yesterday = datetime.combine(now.date() - timedelta(days=1), time(12), LONDON)
    begun = [row for row in reference.rows(table, at=at) if _began(row, now)]
    lasting = [row for row in reference.rows(table, at=yesterday) if _lasts(row, now)]
    return sorted([*begun, *lasting], key=lambda row: row.number("rank"))


def _began(row: Row, now: datetime) -> bool:
    clock, starts, ends = now.time(), row.time_of_day("starts"), row.time_of_day("ends")
    today = DAYS[now.weekday()] in row.texts("days") and clock >= starts
    return today and (clock < ends or ends <= starts)


def _lasts(row: Row, now: datetime) -> bool:
    """From yesterday."""
    ends = row.time_of_day("ends")
    yesterday = DAYS[now.weekday() - 1] in row.texts("days")
    return yesterday and ends <= row.time_of_day("starts") and now.time() < ends
