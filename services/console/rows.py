"""Import files: one row a line, as proto3 JSON of the contract's message or as CSV with a stated header."""

import codecs
import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.timestamp_pb2 import Timestamp

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from services.console import details, output
from services.console.lines import Line, RowError, lines, records
from services.console.stop import Stop

Row = TypeVar("Row", flagging.NominalRow, flagging.ImportRegistrationsRequest)
Cells = Mapping[str, str]
Json = dict[str, Any]

CHUNK = 1 << 20
# How the parser says where in the row a value stood.
_PATH = re.compile(r"(Failed to parse \w+ field: )*")
_FIELD = re.compile(r"parse (\w+) field")
_UNKNOWN = re.compile(r'has no field named "(\w{1,40})"')


class Form(StrEnum):
    """How the file is written."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Shape(Generic[Row]):
    """What a row is: a message of the contract, and how the named columns of a CSV file make its fields."""

    message: type[Row]
    columns: tuple[str, ...]
    fields: Callable[[Cells], Json]


class Found(NamedTuple, Generic[Row]):
    """What stands from a line to a last line, which is another only where a cell of a table has lines."""

    line: int
    last_line: int
    row: Row | RowError


class Extent(NamedTuple):
    """How many lines a file has, and what no other file of other content has."""

    lines: int
    digest: str


def extent(path: Path, form: Form) -> Extent:
    """In one reading."""
    digest, ends = hashlib.sha256(form.encode()), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            ends += chunk.count(b"\n")
    return Extent(ends, digest.hexdigest())


def documents(path: Path) -> Iterator[tuple[int, Json | RowError]]:
    """The JSON object of each line."""
    with path.open("rb") as file:
        for number, text in lines(file):
            if isinstance(text, RowError):
                yield number, text
            elif text and not text.isspace():
                yield number, _document_of(text)


def form_of(path: Path, given: Form | None) -> Form:
    """By its name where nobody says it; what is piped in has none, and an object begins with a brace."""
    if given or path.suffix:
        return given or (Form.CSV if path.suffix.lower() == ".csv" else Form.JSONL)
    with path.open("rb") as file:
        start = file.read(CHUNK).removeprefix(codecs.BOM_UTF8).lstrip()
    return Form.JSONL if start[:1] in (b"{", b"") else Form.CSV


def read(path: Path, shape: Shape[Row], form: Form, after: int = 0) -> Iterator[Found[Row]]:
    """Every row behind a line; one that cannot be read is told, and the rest goes on."""
    with path.open("rb") as file:
        told = lines(file)
        if form is Form.CSV:
            names = header(next(told, None), shape.columns)
            yield from _table(_behind(told, after), names, shape)
        else:
            yield from _objects(_behind(told, after), shape)


def _behind(told: Iterator[Line], after: int) -> Iterator[Line]:
    return (line for line in told if line.number > after)


def _document_of(text: str) -> Json | RowError:
    try:
        return _document(text)
    except RowError as error:
        return error


def _objects(told: Iterator[Line], shape: Shape[Row]) -> Iterator[Found[Row]]:
    for number, text in told:
        if isinstance(text, RowError):
            yield Found(number, number, text)
        elif text and not text.isspace():
            yield Found(number, number, _object(text, shape))


def _object(text: str, shape: Shape[Row]) -> Row | RowError:
    try:
        return _row(_document(text), shape)
    except RowError as error:
        return error


def _document(text: str) -> Json:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError("row", f"is not JSON{_where(error)}") from None
    if not isinstance(document, dict):
        raise RowError("row", "is not a JSON object")
    return document


def _where(error: Exception) -> str:
    return f": {error.msg} at character {error.colno}" if isinstance(error, json.JSONDecodeError) else ""


def header(
    line: Line | None, columns: Sequence[str], needed: Sequence[str] = ("source_reference",)
) -> Sequence[str]:
    """The names on the first line."""
    text = line.text if line else ""
    if isinstance(text, RowError):
        raise Stop(f"line 1: {text}", 2)
    names = [name.strip() for name in next(csv.reader([text]), [])]
    wrong = [f"{name!r} is no column" for name in names if name not in columns or names.count(name) > 1]
    wrong += [f"the column {name} is missing" for name in needed if name not in names]
    if wrong:
        raise Stop(f"line 1: {wrong[0]}; the columns are {','.join(columns)}", 2)
    return names


def _table(told: Iterator[Line], header: Sequence[str], shape: Shape[Row]) -> Iterator[Found[Row]]:
    for first, last, record in records(told, len(header)):
        made = record if isinstance(record, RowError) else _made(header, record, shape)
        yield Found(first, last, made)


def _made(header: Sequence[str], record: Sequence[str], shape: Shape[Row]) -> Row | RowError:
    cells = dict(zip(header, map(str.strip, record), strict=True))
    try:
        return _row(shape.fields(cells), shape)
    except RowError as error:
        return error


def _row(document: Json, shape: Shape[Row]) -> Row:
    """Most rows have the contract's own names and values, of which the message is made at once."""
    try:
        return shape.message(**document)
    except (TypeError, ValueError):
        return _parsed(document, shape)


def _parsed(document: Json, shape: Shape[Row]) -> Row:
    row = shape.message()
    try:
        ParseDict(document, row)
    except (ParseError, ValueError, RecursionError) as error:
        raise _unreadable(str(error)) from None
    return row


def _unreadable(error: str) -> RowError:
    """Without what stood there, which may be a name."""
    path = _FIELD.findall(_PATH.match(error)[0])  # type: ignore[index]
    if unknown := _UNKNOWN.search(error):
        return RowError(".".join([*path, unknown[1]]), "is no field of a row")
    return RowError(".".join(path) or "row", "is not what the contract has there")


# ---- nominals


def _nominal(cells: Cells) -> Json:
    person: Json = {
        "name": _name(cells.get("given_name", ""), cells.get("family_name", "")),
        "aliases": [_alias(text) for text in _several(cells, "aliases")],
        "identifiers": [
            {"kind": f"IDENTIFIER_KIND_{kind.upper()}", "value": cells[kind]}
            for kind in _KINDS
            if cells.get(kind)
        ],
        "ethnicity_code": cells.get("ethnicity_code", ""),
        "postcode": cells.get("postcode", ""),
        "sex": _value(pb.Sex, cells, "sex"),
    }
    if born := cells.get("birth_date"):
        person["birth_date"] = _date(born)
    return {"source_reference": cells["source_reference"], "person": person}


def _date(text: str) -> Json:
    try:
        date = details.birth_date(text)
    except Stop:
        rule = "is no date of birth; write 1979-03-04, or what is known of it: 1979-03, 1979"
        raise RowError("birth_date", rule) from None
    return {"year": date.year, "month": date.month, "day": date.day}


def _name(given: str, family: str) -> Json:
    return {"given_name": given, "family_name": family}


def _alias(text: str) -> Json:
    name = details.spoken(text)
    return _name(name.given_name, name.family_name)


_KINDS = ("pnc_id", "cro_number", "asn", "prison_number")

NOMINALS = Shape(
    flagging.NominalRow,
    (
        "source_reference", "given_name", "family_name", "aliases", "birth_date", "sex", "ethnicity_code",
        "postcode", *_KINDS,
    ),
    _nominal,
)  # fmt: skip


# ---- the register


def _registration(cells: Cells) -> Json:
    whom = details.identifier(cells.get("identifier", ""))
    row: Json = {
        "source_reference": cells["source_reference"],
        "identifier": {"kind": whom.kind, "value": whom.value},
        "strand": _value(screening.Strand, cells, "strand"),
        "criteria": [_named(flagging.Criterion, one, "criteria") for one in _several(cells, "criteria")],
        "nominating_ocu": cells.get("nominating_ocu", ""),
        "removal_reason": _value(flagging.RemovalReason, cells, "removal_reason"),
    }
    for column in ("effective_start_time", "effective_end_time"):
        if text := cells.get(column):
            row[column] = _instant(text, column)
    return row


REGISTRATIONS = Shape(
    flagging.ImportRegistrationsRequest,
    (
        "source_reference", "identifier", "strand", "criteria", "nominating_ocu", "effective_start_time",
        "effective_end_time", "removal_reason",
    ),
    _registration,
)  # fmt: skip


def _several(cells: Cells, column: str) -> list[str]:
    return [text.strip() for text in cells.get(column, "").split(";") if text.strip()]


def _value(enum: output.Enum, cells: Cells, column: str) -> int:
    text = cells.get(column, "")
    return _named(enum, text, column) if text else 0


def _named(enum: output.Enum, text: str, column: str) -> int:
    try:
        return int(details.value(enum, text, column))
    except Stop:
        raise RowError(column, f"is none of {details.words(enum)}") from None


def _instant(text: str, column: str) -> Timestamp:
    try:
        return details.instant(text, column)
    except Stop:
        raise RowError(column, "is not a time; write it as 2004-12-31T20:00") from None
