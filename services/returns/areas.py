"""The areas that send returns, by reference data: their OCUs, and when a month of theirs is due."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from services.returns import due
from services.returns.months import last_instant
from services.runtime.errors import Invalid
from services.runtime.reference import Reference, Row

NEEDS = ("areas", "ocus", "return_calendar", "return_tools")
NATION = "england-and-wales"


class Area(NamedTuple):
    """As it is at the end of a month."""

    id: str
    name: str
    ocus: tuple[str, ...]
    # PPOs in each OCU, a guide; 0 where there is none.
    planned: int
    region: str = ""

    @property
    def size(self) -> int:
        """PPOs planned in all its OCUs."""
        return self.planned * len(self.ocus)


class Figure(NamedTuple):
    """What was published of a measure elsewhere."""

    measure: str
    category: str
    # As it was printed: over 98%.
    words: str
    period: str
    quote: str
    source: str


class Scope(NamedTuple):
    """What a picture is of: an area, or all areas of a region or of the nation."""

    name: str
    areas: tuple[Area, ...]
    # One area by itself, whose own latest revision it is.
    single: bool

    @property
    def ids(self) -> list[str]:
        return [area.id for area in self.areas]


class Areas:
    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def area(self, area: str, month: date, field: str) -> Area:
        row = self._reference.row("areas", area, at=last_instant(month))
        if row is None:
            raise Invalid(field, "is not an area of the reference data in that month")
        return _area(row)

    def scope(self, name: str, month: date, field: str) -> Scope:
        rows = self._reference.rows("areas", at=last_instant(month))
        if name == NATION:
            return Scope("England and Wales", tuple(map(_area, rows)), single=False)
        within = tuple(_area(row) for row in rows if name == row.text("region"))
        if within:
            return Scope(within[0].region.replace("-", " ").title(), within, single=False)
        area = self.area(name, month, field)
        return Scope(area.name, (area,), single=True)

    def known(self, name: str, month: date) -> bool:
        rows = self._reference.rows("areas", at=last_instant(month))
        return any(name in (NATION, row.id, row.text("region")) for row in rows)

    def tool(self, month: date) -> str:
        """The version of the data collection tool that a month is returned by."""
        return self._tool(month).id

    def ethnicity_codes(self, month: date) -> str:
        """The version of the code set that the tool holds ethnicity by."""
        return self._tool(month).text("ethnicity_codes")

    def _tool(self, month: date) -> Row:
        found = self._reference.rows("return_tools", at=last_instant(month))
        if not found:
            raise Invalid("heading.month", "is one for which the reference data have no return tool")
        return found[-1]

    def ids(self, at: datetime) -> list[str]:
        return [row.id for row in self._reference.rows("areas", at=at)]

    def published(self, name: str, month: date) -> list[Figure]:
        """A figure of the nation or of another month is never an area's."""
        if not self._reference.ids("published_figures"):
            return []
        rows = self._reference.rows("published_figures", at=last_instant(month))
        return [_figure(row) for row in rows if row.text("area") == name and _of(row, month)]

    def due_date(self, month: date) -> date:
        named = self._reference.row("return_calendar", f"{month:%Y-%m}", at=last_instant(month))
        return due.due(month, named.day("due") if named else None)


def _of(row: Row, month: date) -> bool:
    # Figures of the returns so far, or of the plan, hold for any month that they are in force in.
    period = row.text("period")
    return period == f"{month:%Y-%m}" or not period[0].isdigit()


def _figure(row: Row) -> Figure:
    texts = (row.text(name) for name in ("period", "quote", "source"))
    return Figure(row.text("measure"), row.text("category"), _words(row), *texts)


def beside(figures: Iterable[Figure]) -> dict[tuple[str, str], str]:
    """In few words, by measure and category."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in figures:
        found.setdefault((one.measure, one.category), []).append(one.words)
    return {place: ", ".join(words) for place, words in found.items()}


def _words(row: Row) -> str:
    precision = "" if row.text("precision") == "exactly" else f"{row.text('precision')} "
    unit = {"count": "", "per cent": "%"}.get(row.text("unit"), f" {row.text('unit')}")
    return f"{precision}{row.number('value'):,}{unit}"


def _area(row: Row) -> Area:
    return Area(row.id, row.text("name"), row.texts("ocus"), row.number("planned"), row.text("region"))
