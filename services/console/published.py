"""What was published about an area's month, to stand beside the headline measures."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from google.type.date_pb2 import Date

from deploy.embedded.services import REFERENCE
from services.runtime.reference import LONDON, Reference, Row

Figures = Mapping[tuple[str, str], str]


def figures(area: str, month: Date) -> Figures:
    """By measure and category; a figure of the nation or of another month is never an area's."""
    at = datetime(month.year, month.month, 1, tzinfo=LONDON)
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in Reference.load(REFERENCE).rows("published_figures", at=at):
        if row.text("area") == area and _of(row, month):
            found[row.text("measure"), row.text("category")].append(_words(row))
    return {place: ", ".join(words) for place, words in found.items()}


def _of(row: Row, month: Date) -> bool:
    # Figures of the returns so far, or of the plan, hold for any month that they are in force in.
    period = row.text("period")
    return period == f"{month.year:04d}-{month.month:02d}" or not period[0].isdigit()


def _words(row: Row) -> str:
    precision = "" if row.text("precision") == "exactly" else f"{row.text('precision')} "
    unit = {"count": "", "per cent": "%"}.get(row.text("unit"), f" {row.text('unit')}")
    return f"{precision}{row.number('value')}{unit}"
