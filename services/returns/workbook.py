"""A return as a workbook that any spreadsheet opens: the same bytes whenever it is made."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from string import ascii_uppercase
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from google.protobuf.timestamp_pb2 import Timestamp
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import balance, life, measures, months
from services.returns.areas import Area
from services.returns.definitions import BREAKDOWNS, MEASURES, Cell, Counts, parts
from services.runtime.reference import LONDON

Value = str | int | None
# Columns are as wide as their longest text, up to this; longer ones wrap.
WIDEST = 80
# A zip file knows no earlier one.
PACKED = (1980, 1, 1, 0, 0, 0)
FIRST_RETURN = (
    "The month before was never returned: the movements are held against M0 and M1 of this month alone."
)


def build(monthly_return: pb.Return, area: Area, counts: Counts) -> bytes:
    recorded = monthly_return.recorded_time.ToDatetime()
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    _fill(workbook.create_sheet("form"), ["Monthly return of PPOs", ""], _form(monthly_return, area, counts))
    _fill(
        workbook.create_sheet("measures"),
        ["measure", "title", "category", "count", "of", "per cent"],
        _measures(counts, area),
    )
    _fill(
        workbook.create_sheet("breakdowns"),
        ["measure", "title", "breakdown", "category", "count"],
        _breakdowns(counts),
    )
    _fill(
        workbook.create_sheet("checks"),
        ["cell", "rule", "expected", "found", "result"],
        _checks(monthly_return, area, counts),
    )
    _fill(
        workbook.create_sheet("notes on definitions"),
        ["measure", "title", "definition"],
        ([measure, *one] for measure, one in MEASURES.items()),
    )
    workbook.properties.creator = "ppo"
    workbook.properties.created = workbook.properties.modified = recorded
    return _packed(workbook)


def _form(monthly_return: pb.Return, area: Area, counts: Counts) -> Iterable[Sequence[Value]]:
    heading = monthly_return.heading
    yield "Area", area.name
    yield "Month", f"{months.month(heading.month, 'month'):%B %Y}"
    yield "Revision", monthly_return.revision
    yield "State", life.name(monthly_return.state)
    yield "Due", str(months.to_day(monthly_return.due_date))
    yield "Closed", _london(heading.cut_off_time)
    yield "Recorded", _london(monthly_return.recorded_time)
    sent = monthly_return.HasField("submitted_time")
    yield "Submitted", _london(monthly_return.submitted_time) if sent else "not yet"
    yield "Tool version", heading.tool_version
    before = _brought_forward(monthly_return)
    yield "Brought forward (M0 of the month before)", FIRST_RETURN if before is None else before
    yield None, None
    for measure, one in MEASURES.items():
        if Cell(measure) in counts:
            yield f"{measure}  {one.title}", counts[Cell(measure)]


def _measures(counts: Counts, area: Area) -> Iterable[Sequence[Value]]:
    for one in measures.headlines(counts, area.planned):
        share = (one.base, one.per_cent) if one.base else (None, None)
        yield one.measure, one.title, one.category, one.value, *share


def _breakdowns(counts: Counts) -> Iterable[Sequence[Value]]:
    for measure, one in MEASURES.items():
        for breakdown in BREAKDOWNS:
            for part, value in parts(counts, measure, breakdown).items():
                yield measure, one.title, breakdown, part, value


def _checks(monthly_return: pb.Return, area: Area, counts: Counts) -> Iterable[Sequence[Value]]:
    before = _brought_forward(monthly_return)
    for check in balance.checks(list(counts.items()), before, area.ocus):
        expected = f"at most {check.expected}" if check.at_most else check.expected
        yield check.cell, check.rule, expected, check.found, "holds" if check.holds else "does not hold"
    if before is None:
        yield "M0", FIRST_RETURN, None, None, "not checked"


def _brought_forward(monthly_return: pb.Return) -> int | None:
    return monthly_return.brought_forward if monthly_return.HasField("brought_forward") else None


def _fill(sheet: Worksheet, head: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
    for place, row in enumerate([head, *rows], start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(place, column, value)
            cell.alignment = Alignment(vertical="top", wrap_text=True)
            if isinstance(value, str):
                # What somebody typed is never a formula.
                cell.data_type = "s"
    for letter, cells in zip(ascii_uppercase, sheet.iter_cols(), strict=False):
        cells[0].font = Font(bold=True)
        longest = max(len(str(cell.value or "")) for cell in cells)
        sheet.column_dimensions[letter].width = min(longest + 2, WIDEST)
    sheet.freeze_panes = "A2"


def _london(time: Timestamp) -> str:
    at: datetime = time.ToDatetime(tzinfo=UTC).astimezone(LONDON)
    return f"{at:%Y-%m-%d %H:%M} London"


def _packed(workbook: Workbook) -> bytes:
    """Saved without the time of saving, which stands at every part of the file."""
    written, packed = BytesIO(), BytesIO()
    with ZipFile(written, "w") as archive:
        ExcelWriter(workbook, archive).write_data()
    with ZipFile(written) as source, ZipFile(packed, "w") as target:
        for part in source.namelist():
            target.writestr(ZipInfo(part, PACKED), source.read(part), ZIP_DEFLATED)
    return packed.getvalue()
