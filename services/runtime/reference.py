"""Dated reference data: rows in TOML files, checked whole before a process starts."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")

LONDON = ZoneInfo("Europe/London")
# How many days of a table are kept at hand: a few years of all of them.
REMEMBERED = 20_000
KINDS: Mapping[str, type] = {"text": str, "number": int, "day": date, "time": time}


class InvalidReference(ValueError):
    """One line that names the file, the table, the row and the rule it breaks."""


@dataclass(frozen=True)
class Row:
    table: str
    id: str
    effective_from: date
    # The first day on which it is no longer so.
    effective_to: date | None
    values: Mapping[str, object]

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)

    def text(self, column: str) -> str:
        return self._value(column, str)

    def texts(self, column: str) -> tuple[str, ...]:
        return self._value(column, tuple)

    def number(self, column: str) -> int:
        return self._value(column, int)

    def day(self, column: str) -> date:
        return self._value(column, date)

    def time_of_day(self, column: str) -> time:
        return self._value(column, time)

    def _value(self, column: str, kind: type[T]) -> T:
        value = self.values[column]
        if not isinstance(value, kind):
            raise TypeError(f"{self.table}: {column} is {type(value).__name__}, not {kind.__name__}")
        return value


@dataclass(frozen=True)
class Column:
    """What a column holds: a kind of value or the ids of another table, one or several."""

    kind: type
    many: bool = False
    target: str | None = None

    @classmethod
    def declared(cls, kind: object) -> "Column":
        match str(kind).split():
            case ["->", target]:
                return cls(str, target=target)
            case ["->", "many", target]:
                return cls(str, many=True, target=target)
            case ["texts"]:
                return cls(str, many=True)
            case [one] if one in KINDS:
                return cls(KINDS[one])
        raise ValueError(f"{kind!r} is no kind of column")

    def holds(self, value: object) -> bool:
        # By exact type: a TOML instant would pass for a date, and true for a number.
        if self.many:
            return isinstance(value, tuple) and all(type(one) is self.kind for one in value)
        return type(value) is self.kind


@dataclass(frozen=True)
class Table:
    name: str
    path: Path
    columns: Mapping[str, Column]
    rows: Sequence[Row]

    def of(self, row_id: str) -> list[Row]:
        return sorted((row for row in self.rows if row.id == row_id), key=lambda row: row.effective_from)


class Reference:
    """Tables of rows, each in force from the midnight in London that begins one day until another's."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        # By table and day: asked for each fact of each person, over and over.
        self._in_force: dict[tuple[str, date], Mapping[str, Row]] = {}

    @classmethod
    def load(cls, directory: Path, needs: Iterable[str] = ()) -> "Reference":
        """Read and check every file; the tables `needs` must be there. Raises InvalidReference."""
        tables: dict[str, Table] = {}
        for table in _read_tables(directory):
            if table.name in tables:
                raise InvalidReference(
                    f"{table.path}: {table.name}: stands in {tables[table.name].path} as well"
                )
            tables[table.name] = table
        for name in needs:
            if name not in tables:
                raise InvalidReference(f"{directory}: {name}: the table is missing")
        for table in tables.values():
            _refuse_overlaps(table)
            _refuse_loose_ends(table, tables)
        return cls(tables)

    def columns(self, table: str) -> Mapping[str, Column]:
        return self._tables[table].columns

    def ids(self, table: str) -> list[str]:
        """Of all rows, whenever they are in force; none where there is no such table."""
        found = self._tables.get(table)
        return list(dict.fromkeys(row.id for row in found.rows)) if found else []

    def rows(self, table: str, *, at: datetime) -> list[Row]:
        """Those in force, in the order of the file."""
        return list(self._on(table, at).values())

    def turns(self, *tables: str) -> list[date]:
        """The days on which a row of these begins, or is in force no longer."""
        rows = [row for table in tables for row in self._tables[table].rows]
        ends = {row.effective_to for row in rows if row.effective_to}
        return sorted({row.effective_from for row in rows} | ends)

    def history(self, table: str, row_id: str) -> list[Row]:
        """Its rows, one after the other in time."""
        return self._tables[table].of(row_id)

    def row(self, table: str, row_id: str, *, at: datetime) -> Row | None:
        return self._on(table, at).get(row_id)

    def _on(self, table: str, at: datetime) -> Mapping[str, Row]:
        day = _london_day(at)
        found = self._in_force.get((table, day))
        if found is None:
            if len(self._in_force) >= REMEMBERED:
                self._in_force.clear()
            rows = self._tables[table].rows
            found = self._in_force[table, day] = {row.id: row for row in rows if row.in_force(day)}
        return found

    def latest(self, table: str, *, at: datetime) -> Row:
        """The first in force; where none is any more, the one that was so last."""
        in_force = self.rows(table, at=at)
        return in_force[0] if in_force else max(self._tables[table].rows, key=lambda row: row.effective_from)

    def follow(self, row: Row, column: str, *, at: datetime) -> Row:
        """The row that `column` names; the check at load promises one for as long as `row` is in force."""
        target = self.columns(row.table)[column].target
        found = None if target is None else self.row(target, row.text(column), at=at)
        if found is None:
            raise LookupError(f"{row.table} {row.id}: {column} leads nowhere at {at}")
        return found


def _london_day(at: datetime) -> date:
    if at.tzinfo is None:
        raise ValueError("an instant needs its offset from UTC")
    return at.astimezone(LONDON).date()


def _read_tables(directory: Path) -> Iterator[Table]:
    for path, document in _documents(directory, set()):
        declared = document.pop("columns", {})
        for name in document:
            if name not in declared:
                raise InvalidReference(f"{path}: {name}: has no [columns.{name}]")
        for name, columns in declared.items():
            yield _table(path, name, columns, document.get(name, []))


def _documents(directory: Path, seen: set[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    if directory.resolve() in seen:
        return
    seen.add(directory.resolve())
    paths = sorted(directory.glob("*.toml"))
    if not paths:
        raise InvalidReference(f"{directory}: holds no .toml file")
    for path in paths:
        document = _read(path)
        for other in _included(path, document):
            yield from _documents(directory / other, seen)
        yield path, document


def _included(path: Path, document: dict[str, Any]) -> list[str]:
    directories = document.pop("include", [])
    if not isinstance(directories, list):
        raise InvalidReference(f"{path}: include is not a list of directories")
    return directories


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidReference(f"{path}: {error}") from None


def _table(path: Path, name: str, declared: Mapping[str, object], raw: Sequence[object]) -> Table:
    try:
        columns = {"id": Column(str)} | {column: Column.declared(kind) for column, kind in declared.items()}
    except ValueError as error:
        raise InvalidReference(f"{path}: {name}: {error}") from None
    rows = [
        _row(f"{path}: {name}", name, columns, position, row) for position, row in enumerate(raw, start=1)
    ]
    return Table(name, path, columns, rows)


def _row(where: str, table: str, columns: Mapping[str, Column], position: int, raw: Any) -> Row:
    if not isinstance(raw, dict):
        raise InvalidReference(f"{where}: its rows are written [[{table}]]")
    where = f"{where} {raw.get('id', f'row {position}')}"
    values = {column: tuple(value) if isinstance(value, list) else value for column, value in raw.items()}
    effective_from, effective_to = _period(where, values.pop("from", None), values.pop("to", None))
    for column in columns:
        if column not in values:
            raise InvalidReference(f"{where}: {column} is missing")
    for column, value in values.items():
        if column not in columns:
            raise InvalidReference(f"{where}: {column} is not a column")
        if not columns[column].holds(value):
            raise InvalidReference(f"{where}: {column} is of the wrong kind")
    return Row(table, str(values["id"]), effective_from, effective_to, values)


def _period(where: str, first: object, last: object) -> tuple[date, date | None]:
    effective_from, effective_to = _day(where, first), _day(where, last)
    if effective_from is None:
        raise InvalidReference(f"{where}: from is missing")
    if effective_to is not None and effective_to <= effective_from:
        raise InvalidReference(f"{where}: to is not after from")
    return effective_from, effective_to


def _day(where: str, value: object) -> date | None:
    if value is not None and type(value) is not date:
        raise InvalidReference(f"{where}: from and to are days, such as 2004-09-06")
    return value


def _refuse_overlaps(table: Table) -> None:
    for row_id in dict.fromkeys(row.id for row in table.rows):
        for earlier, later in pairwise(table.of(row_id)):
            if earlier.in_force(later.effective_from):
                twice = f"{table.name} {row_id}: stands twice on {later.effective_from}"
                raise InvalidReference(f"{table.path}: {twice}")


def _refuse_loose_ends(table: Table, tables: Mapping[str, Table]) -> None:
    for name, column in table.columns.items():
        if column.target is None:
            continue
        if column.target not in tables:
            raise InvalidReference(
                f"{table.path}: {table.name}: {name} names {column.target}, which is missing"
            )
        for row in table.rows:
            _refuse_loose_end(table, row, name, tables[column.target])


def _refuse_loose_end(table: Table, row: Row, column: str, target: Table) -> None:
    value = row.values[column]
    for row_id in value if isinstance(value, tuple) else (value,):
        if not _covered(row, target.of(row_id)):
            rule = f"{column} names {row_id}, which {target.name} does not hold all that time"
            raise InvalidReference(f"{table.path}: {table.name} {row.id}: {rule}")


def _covered(row: Row, targets: Sequence[Row]) -> bool:
    """Whether one of `targets`, which follow each other in time, is in force on each day that `row` is."""
    day = row.effective_from
    for target in targets:
        if target.effective_from > day:
            break
        if target.effective_to is None:
            return True
        day = max(day, target.effective_to)
    return row.effective_to is not None and row.effective_to <= day
