"""A month as CSV and as JSON: every headline, and in an exact one every cell."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.returns import life
from services.returns.definitions import MEASURES, Cell, count
from services.returns.document import HIDDEN, Document, Line

COLUMNS = (
    "area",
    "month",
    "revision",
    "measure",
    "title",
    "unit",
    "breakdown",
    "category",
    "count",
    "of",
    "per_cent",
    "ethnicity_codes",
)


def as_csv(document: Document) -> bytes:
    written = StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(_headline(document, line) for line in document.lines)
    if not document.published:
        table.writerows(_cell(document, cell, value) for cell, value in _ordered(document))
    return written.getvalue().encode()


def as_json(document: Document) -> bytes:
    told: dict[str, Any] = {
        "area": document.name,
        "month": f"{document.month:%Y-%m}",
        "published": document.published,
        "ethnicity_codes": document.ethnicity_codes,
        "measures": [_measure(line) for line in document.lines],
        "published_elsewhere": [one._asdict() for one in document.figures],
    }
    if coverage := document.picture.coverage:
        told["areas"], told["missing"] = coverage.areas, list(coverage.missing)
    if document.version is not None:
        told |= _return(document)
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()


def _return(document: Document) -> dict[str, Any]:
    assert document.version is not None
    revision = document.version.monthly_return
    told: dict[str, Any] = {"revision": revision.revision, "tool_version": revision.heading.tool_version}
    if document.published:
        return told
    return told | {
        "state": life.name(revision.state),
        "return": _message(revision),
        "counts": [_message(count(cell, value)) for cell, value in _ordered(document)],
        "additions": [_message(one) for one in document.additions],
        "checks": [
            {
                "cell": one.cell,
                "rule": one.rule,
                "expected": one.expected,
                "found": one.found,
                "holds": one.holds,
            }
            for one in document.checks
        ],
        "revisions": [
            {
                "revision": one.monthly_return.revision,
                "reason": one.monthly_return.heading.reason,
                "steps": [_message(step) for step in one.steps],
                "changes": [
                    {"cell": str(cell), "before": before, "after": one.counts.get(cell, 0)}
                    for cell, before in one.changes.items()
                ],
            }
            for one in document.versions
        ],
    }


def _measure(line: Line) -> dict[str, Any]:
    one = line.headline
    return {
        "measure": one.measure,
        "title": one.title,
        "category": one.category,
        "count": HIDDEN if line.value is None else line.value,
        "of": line.base,
        "per_cent": line.per_cent,
        "month_before": line.before,
        "published": line.figure or None,
    }


def _headline(document: Document, line: Line) -> list[object]:
    one = line.headline
    value = HIDDEN if line.value is None else line.value
    codes = document.ethnicity_codes if one.measure == "M4" else None
    return [*_place(document, one.measure), "headline", one.category, value, line.base, line.per_cent, codes]


def _cell(document: Document, cell: Cell, value: int) -> list[object]:
    codes = document.ethnicity_codes if cell.breakdown == "ethnicity" else None
    return [*_place(document, cell.measure), cell.breakdown, cell.category, value, None, None, codes]


def _place(document: Document, measure: str) -> list[object]:
    revision = document.version.monthly_return.revision if document.version else None
    one = MEASURES[measure]
    return [document.name, f"{document.month:%Y-%m}", revision, measure, one.title, one.unit]


def _ordered(document: Document) -> Iterator[tuple[Cell, int]]:
    order = {measure: place for place, measure in enumerate(MEASURES)}
    counts = document.picture.counts
    yield from sorted(counts.items(), key=lambda item: (order[item[0].measure], item[0]))


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found
