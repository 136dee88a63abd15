"""The areas that send returns, by reference data: their OCUs, and when a month of theirs is due."""

from datetime import date, datetime
from typing import NamedTuple

from services.returns import due
from services.returns.months import last_instant
from services.runtime.errors import Invalid
from services.runtime.reference import Reference

NEEDS = ("areas", "ocus", "return_calendar")


class Area(NamedTuple):
    """As it is at the end of a month."""

    id: str
    name: str
    ocus: tuple[str, ...]
    # PPOs in each OCU, a guide; 0 where there is none.
    planned: int


class Areas:
    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def area(self, area: str, month: date, field: str) -> Area:
        row = self._reference.row("areas", area, at=last_instant(month))
        if row is None:
            raise Invalid(field, "is not an area of the reference data in that month")
        return Area(row.id, row.text("name"), row.texts("ocus"), row.number("planned"))

    def ids(self, at: datetime) -> list[str]:
        return [row.id for row in self._reference.rows("areas", at=at)]

    def due_date(self, month: date) -> date:
        named = self._reference.row("return_calendar", f"{month:%Y-%m}", at=last_instant(month))
        return due.due(month, named.day("due") if named else None)
