"""Import files: one row a line, as proto3 JSON of the contract's message or as CSV with a stated header."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

from google.protobuf.json_format import ParseDict, ParseError

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from services.console import details, output
from services.console.stop import Stop

Row = TypeVar("Row", flagging.ImportNominalsRequest, flagging.ImportRegistrationsRequest)
Cells = Mapping[str, str]
Json = dict[str, Any]


@dataclass(frozen=True)
class Shape(Generic[Row]):
    """What a row is: a message of the contract, and how the named columns of a CSV file make its JSON."""

    message: type[Row]
    columns: tuple[str, ...]
    json: Callable[[Cells], Json]


class RowError(ValueError):
    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


def count(path: Path) -> int:
    """How many lines there are, for a progress bar."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def read(path: Path, shape: Shape[Row]) -> Iterator[Row | flagging.RowRefusal]:
    """Every row with its line; one that cannot be read is a refusal, and the rest goes on."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            documents = _table(file, shape) if path.suffix == ".csv" else lines(file)
            for line, document in documents:
                yield _row(line, document, shape)
    except UnicodeDecodeError:
        raise Stop(f"{path} is not UTF-8 text; the rows before that place were sent", 2) from None


def _row(line: int, document: Json | RowError, shape: Shape[Row]) -> Row | flagging.RowRefusal:
    if isinstance(document, RowError):
        return flagging.RowRefusal(line=line, field=document.field, rule=document.rule)
    row = shape.message()
    try:
        ParseDict(document, row)
    except ParseError as error:
        return flagging.RowRefusal(line=line, field="row", rule=str(error).splitlines()[0])
    row.line = line
    return row


def lines(file: TextIO) -> Iterator[tuple[int, Json | RowError]]:
    for line, text in enumerate(file, start=1):
        if text.strip():
            yield line, _document(text)


def _document(text: str) -> Json | RowError:
    try:
        document = json.loads(text)
    except ValueError as error:
        return RowError("row", f"is not JSON: {error}")
    return document if isinstance(document, dict) else RowError("row", "is not a JSON object")


def _table(file: TextIO, shape: Shape[Row]) -> Iterator[tuple[int, Json | RowError]]:
    table = csv.DictReader(file, restkey="", restval="")
    _check_header(table.fieldnames or (), shape.columns)
    for cells in table:
        yield table.line_num, _cells(cells, shape)


def _check_header(header: Iterable[str], columns: tuple[str, ...]) -> None:
    unknown = [name for name in header if name not in columns]
    if unknown or "source_reference" not in header:
        wrong = f"{unknown[0]!r} is no column" if unknown else "the column source_reference is missing"
        raise Stop(f"line 1: {wrong}; the columns are {','.join(columns)}", 2)


def _cells(cells: dict[str, str], shape: Shape[Row]) -> Json | RowError:
    if "" in cells:
        return RowError("row", "has more cells than the header")
    try:
        return shape.json({name: text.strip() for name, text in cells.items()})
    except RowError as error:
        return error
    except Stop as refusal:
        return RowError("row", str(refusal))


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
        "sex": _value(pb.Sex, cells, "sex"),
    }
    if born := cells.get("birth_date"):
        date = details.birth_date(born)
        person["birth_date"] = {"year": date.year, "month": date.month, "day": date.day}
    return {"source_reference": cells["source_reference"], "person": person}


def _name(given: str, family: str) -> Json:
    return {"given_name": given, "family_name": family}


def _alias(text: str) -> Json:
    name = details.spoken(text)
    return _name(name.given_name, name.family_name)


_KINDS = ("pnc_id", "cro_number", "asn", "prison_number")

NOMINALS = Shape(
    flagging.ImportNominalsRequest,
    (
        "source_reference", "given_name", "family_name", "aliases", "birth_date", "sex", "ethnicity_code",
        *_KINDS,
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
        "criteria": [
            details.value(flagging.Criterion, one, "criteria") for one in _several(cells, "criteria")
        ],
        "nominating_ocu": cells.get("nominating_ocu", ""),
        "removal_reason": _value(flagging.RemovalReason, cells, "removal_reason"),
    }
    for column in ("effective_start_time", "effective_end_time"):
        if text := cells.get(column):
            row[column] = details.instant(text, column).ToJsonString()
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
    return details.value(enum, text, column) if text else 0
