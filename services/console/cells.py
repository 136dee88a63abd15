"""Files whose rows are plain text: CSV with a header, or JSON lines with the columns' names; read whole."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from services.console import details, rows
from services.console.lines import RowError, lines, records
from services.console.rows import Cells, Form, Json

Row = tuple[int, Cells | RowError]


class Refused(NamedTuple):
    line: int
    field: str
    rule: str


def read(path: Path, columns: Sequence[str], needed: Sequence[str]) -> list[Row]:
    """Every row with its line and all columns; what is not given is empty."""
    if rows.form_of(path, None) is Form.CSV:
        return list(_table(path, columns, needed))
    found = rows.documents(path)
    return [(line, one if isinstance(one, RowError) else _flat(one, columns)) for line, one in found]


def _table(path: Path, columns: Sequence[str], needed: Sequence[str]) -> Iterator[Row]:
    none = dict.fromkeys(columns, "")
    with path.open("rb") as file:
        told = lines(file)
        names = rows.header(next(told, None), columns, needed)
        for line, _, record in records(told, len(names)):
            if isinstance(record, RowError):
                yield line, record
            else:
                yield line, none | dict(zip(names, map(str.strip, record), strict=True))


def _flat(document: Json, columns: Sequence[str]) -> Cells | RowError:
    for name, value in document.items():
        if name not in columns:
            return RowError(name[:50], "is no field of a row")
        if not isinstance(value, str | None):
            return RowError(name, "is not text")
    return {name: (document.get(name) or "").strip() for name in columns}


def day(cells: Cells, column: str) -> date | None:
    """A whole date; None where the cell is empty."""
    if not cells[column]:
        return None
    given = details.parts(cells[column])
    try:
        return date(*given) if given else _no_day(column)
    except ValueError:
        return _no_day(column)


def _no_day(column: str) -> date:
    raise RowError(column, "is not a date such as 2005-02-14 or 14/02/2005")
