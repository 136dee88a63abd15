"""A return as a workbook that any spreadsheet opens: the same bytes whenever it is made."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from string import ascii_uppercase
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from google.protobuf.timestamp_pb2 import Timestamp
from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import life, months
from services.returns.definitions import BREAKDOWNS, MEASURES, Cell, parts
from services.returns.document import HIDDEN, Document, Line
from services.runtime.reference import LONDON

Value = str | int | None
# Columns are as wide as their longest text, up to this; longer ones wrap.
WIDEST = 52
LINE_POINTS = 15
HEAD = Font(name="Calibri", size=11, bold=True)
LEFT = Alignment(horizontal="left", indent=1, vertical="top", wrap_text=True)
RIGHT = Alignment(horizontal="right", vertical="top", wrap_text=True)
NUMBER = "#,##0"
NOT_SHOWN = f"{HIDDEN}: counts of 1 to 4, and what would give them away, are not shown"
# A zip file knows no earlier one.
PACKED = (1980, 1, 1, 0, 0, 0)
FIRST_RETURN = (
    "The month before was never returned: the movements are held against M0 and M1 of this month alone."
)


Rows = Iterable[Sequence[Value]]


def build(document: Document) -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, head, rows in _sheets(document):
        sheet = workbook.create_sheet(name)
        _fill(sheet, head, rows)
        _fit(sheet)
        _print(sheet, document)
    workbook.properties.creator = "ppo"
    recorded = _of(document).recorded_time.ToDatetime()
    workbook.properties.created = workbook.properties.modified = recorded
    return _packed(workbook)


def _sheets(document: Document) -> Iterator[tuple[str, Sequence[str], Rows]]:
    title = "Monthly return of PPOs" + (", as published" if document.published else "")
    yield "form", [title, ""], _form(document)
    columns = ["measure", "title", "category", "count", "of", "per cent", "month before"]
    columns += ["published"] if document.figures else []
    yield "measures", columns, _measures(document)
    if not document.published:
        counted = ["measure", "title", "breakdown", "category", "count", "source"]
        yield "breakdowns", counted, _breakdowns(document)
        yield "checks", ["cell", "rule", "expected", "found", "result"], _checks(document)
        columns = ["revision", "when", "state or cell", "before", "after", "by", "words"]
        yield "revisions", columns, _revisions(document)
    if document.figures:
        columns = ["measure", "category", "figure", "period", "in the words of", "source"]
        yield "published elsewhere", columns, document.figures
    columns = ["measure", "title", "definition", "unit", "stock or flow"]
    yield "notes on definitions", columns, _notes()


def _form(document: Document) -> Rows:
    told = _of(document)
    heading = told.heading
    yield "Area", document.name
    yield "Month", f"{document.month:%B %Y}"
    yield "Revision", told.revision
    yield "Due", str(months.to_day(told.due_date))
    yield "Tool version", heading.tool_version
    yield "Ethnicity codes", document.ethnicity_codes
    if document.published:
        yield "Note", NOT_SHOWN
    else:
        yield from _life(told)
    yield None, None
    if document.published:
        yield from _published(document)
        return
    for measure, one in MEASURES.items():
        if Cell(measure) in document.picture.counts:
            yield f"{measure}  {one.title}", document.picture.counts[Cell(measure)]


def _life(told: pb.Return) -> Rows:
    heading = told.heading
    yield "State", life.name(told.state)
    yield "Closed", _london(heading.cut_off_time)
    yield "Recorded", _london(told.recorded_time)
    sent = told.HasField("submitted_time")
    yield "Submitted", _london(told.submitted_time) if sent else "not yet"
    if told.corrects_revision:
        yield "Corrects revision", told.corrects_revision
    if heading.reason:
        yield "Why it was closed again", heading.reason
    before = _brought_forward(told)
    yield "Brought forward (M0 of the month before)", FIRST_RETURN if before is None else before
    if told.residual:
        yield "Does not follow from the month before", told.residual
        yield "Explained by", heading.explanation


def _published(document: Document) -> Rows:
    for line in document.lines:
        if not line.headline.category:
            yield f"{line.headline.measure}  {line.headline.title}", _shown(line)


def _measures(document: Document) -> Rows:
    for line in document.lines:
        one = line.headline
        yield (
            one.measure,
            one.title,
            one.category,
            _shown(line),
            line.base,
            line.per_cent,
            line.before,
            *([line.figure or None] if document.figures else []),
        )


def _shown(line: Line) -> Value:
    return HIDDEN if line.value is None else line.value


def _breakdowns(document: Document) -> Rows:
    sources = {_cell(one.count): one.source for one in document.additions}
    for measure, one in MEASURES.items():
        for breakdown in BREAKDOWNS:
            for part, value in parts(document.picture.counts, measure, breakdown).items():
                source = sources.get(Cell(measure, breakdown, part), "counted")
                yield measure, one.title, breakdown, part, value, source
        if total := sources.get(Cell(measure)):
            yield measure, one.title, "total", None, document.picture.counts[Cell(measure)], total


def _cell(count: pb.Count) -> Cell:
    return Cell(count.measure, count.breakdown, count.category)


def _checks(document: Document) -> Rows:
    for check in document.checks:
        expected = f"at most {check.expected}" if check.at_most else check.expected
        yield check.cell, check.rule, expected, check.found, "holds" if check.holds else "does not hold"
    if _brought_forward(_of(document)) is None:
        yield "M0", FIRST_RETURN, None, None, "not checked"


def _revisions(document: Document) -> Rows:
    """Every revision up to this one: what became of it, and what changed against the one before."""
    for version in document.versions:
        number, reason = version.monthly_return.revision, version.monthly_return.heading.reason
        if reason:
            yield number, None, "why", None, None, None, reason
        for step in version.steps:
            state = life.name(step.state)
            yield number, _london(step.recorded_time), state, None, None, step.recorded_by, step.text
        for cell, before in version.changes.items():
            yield number, None, str(cell), before, version.counts.get(cell, 0), None, None


def _notes() -> Rows:
    for measure, one in MEASURES.items():
        yield measure, one.title, one.definition, one.unit, str(one.kind)


def _of(document: Document) -> pb.Return:
    assert document.version is not None, "a workbook is of one area's return"
    return document.version.monthly_return


def _brought_forward(monthly_return: pb.Return) -> int | None:
    return monthly_return.brought_forward if monthly_return.HasField("brought_forward") else None


def _fill(sheet: Worksheet, head: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
    for place, row in enumerate([head, *rows], start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(place, column, value)
            cell.alignment = LEFT
            cell.number_format = NUMBER
            if isinstance(value, str):
                # What somebody typed is never a formula.
                cell.data_type = "s"


def _fit(sheet: Worksheet) -> None:
    """Columns as wide and rows as high as what stands in them: not every program does that by itself."""
    for letter, cells in zip(ascii_uppercase, sheet.iter_cols(), strict=False):
        cells[0].font, cells[0].border = HEAD, Border(bottom=Side("thin"))
        # The form has numbers and words below each other.
        if cells[0].value and any(isinstance(cell.value, int) for cell in cells):
            for cell in cells:
                cell.alignment = RIGHT
        longest = max(len(str(cell.value or "")) for cell in cells)
        sheet.column_dimensions[letter].width = min(longest + 4, WIDEST)
    for place, row in enumerate(sheet.iter_rows(), start=1):
        lines = max(-(-len(str(cell.value or "")) // (WIDEST - 4)) for cell in row)
        if lines > 1:
            sheet.row_dimensions[place].height = lines * LINE_POINTS


def _print(sheet: Worksheet, document: Document) -> None:
    """On A4, as wide as the page, its head again on each."""
    sheet.freeze_panes = "A2"
    sheet.print_title_rows = "1:1"
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    whose = f"{document.name}, {document.month:%B %Y}, revision {_of(document).revision}"
    # An ampersand begins a code there.
    header, footer = sheet.oddHeader, sheet.oddFooter
    assert header is not None, "every worksheet is made with one"
    assert footer is not None, "every worksheet is made with one"
    header.left.text = f"{whose}: {sheet.title}".replace("&", "&&")
    footer.left.text = NOT_SHOWN if document.published else None
    footer.right.text = "Page &P of &N"


def _london(time: Timestamp) -> str:
    at = months.instant(time).astimezone(LONDON)
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
