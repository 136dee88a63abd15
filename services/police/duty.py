"""Who of a police area can be rung at an instant."""

from collections.abc import Iterable
from datetime import datetime

from services.runtime.reference import LONDON, Reference, Row

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def on_call(reference: Reference, *, owners: Iterable[str], at: datetime) -> Row | None:
    """The contact on duty of the first owner who has one; None where only the control room answers."""
    for owner in owners:
        rows = (row for row in reference.rows("duty_contacts", at=at) if row.text("ocu") == owner)
        if rota := [row for row in rows if on_duty(row, at)]:
            return min(rota, key=lambda row: row.number("rank"))
    return None


def on_duty(row: Row, at: datetime) -> bool:
    """Hours are London's; a shift that ends at or before its start ends the next day."""
    now = at.astimezone(LONDON)
    clock, starts, ends = now.time(), row.time_of_day("starts"), row.time_of_day("ends")
    began_today = DAYS[now.weekday()] in row.texts("days") and clock >= starts
    if starts < ends:
        return began_today and clock < ends
    began_yesterday = DAYS[now.weekday() - 1] in row.texts("days") and clock < ends
    return began_today or began_yesterday
