"""`ppo return`: a month is closed, looked at, sent and taken along as a workbook."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from google.type.date_pb2 import Date
from rich.table import Table

from ppo.returns.v1 import returns_pb2 as pb
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, output, session
from services.console.stop import Stop

ROLE = "returns_officer"
# Every person of the area is counted, and every count is sent on.
CLOSE_SECONDS = 120.0
EXPORT_SECONDS = 60.0
FORMATS = {
    ".csv": pb.EXPORT_FORMAT_CSV,
    ".json": pb.EXPORT_FORMAT_JSON,
    ".html": pb.EXPORT_FORMAT_REPORT,
}

Area = Annotated[str, typer.Argument(help="Such as birmingham.")]
Month = Annotated[str, typer.Argument(help="Such as 2004-12.")]
Since = Annotated[str, typer.Option(help="What has become known since; needed once the month was submitted.")]
Revision = Annotated[int, typer.Option(min=0, help="The latest when not given.")]


def close(
    area: Area,
    month: Month,
    reason: Since = "",
    explanation: Annotated[
        str, typer.Option(help="Of what does not follow from the month before, where that is refused.")
    ] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Counts a month that is over and has it checked: a draft, or what does not balance.

    ```
    ppo return close birmingham 2004-12
    ppo return close birmingham 2004-12 --reason "a removal was told late"
    ```
    """
    request = tracking.CloseMonthRequest(
        request_id=session.request_id(request_id),
        area=area,
        month=details.month(month),
        reason=reason,
        explanation=explanation,
    )
    response = asyncio.run(closed(session.Session(data, ROLE, area), request))
    if json:
        output.emit(response)
    else:
        output.show(
            f"{area}, {words(request.month)}: closed as revision {response.revision}, "
            f"from {response.counts_sent:,} counts, and it balances"
        )
        if response.revision > 1:
            output.show(_corrects(response))
        output.say(f"next: ppo return show {area} {month}")
    return 0


def close_all(
    month: Month,
    areas: Annotated[
        list[str] | None, typer.Option("--area", help="Several times; all when not given.")
    ] = None,
    reason: Since = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Counts a month of all areas at one instant; what does not balance is refused area by area.

    ```
    ppo return close-all 2004-12
    ppo return close-all 2004-12 --area birmingham --area gloucestershire
    ```
    """
    request = tracking.CloseMonthsRequest(
        request_id=session.request_id(request_id), month=details.month(month), areas=areas, reason=reason
    )
    return asyncio.run(_close_all(session.Session(data, ROLE, "all"), request, as_json=json))


async def _close_all(officer: session.Session, request: tracking.CloseMonthsRequest, *, as_json: bool) -> int:
    closed = refused = 0
    async with officer.tracking() as service:
        async for one in service.CloseMonths(request, timeout=CLOSE_SECONDS):
            closed, refused = closed + (not one.reason), refused + bool(one.reason)
            if as_json:
                output.emit(one)
            elif one.reason:
                output.show(f"{one.area}: {one.detail}")
    output.say(f"{words(request.month)}: {closed:,} areas closed, {refused:,} refused")
    return 1 if refused else 0


def _corrects(response: tracking.CloseMonthResponse) -> str:
    cells = "1 cell is" if response.cells_changed == 1 else f"{response.cells_changed:,} cells are"
    told = f"{cells} other than in revision {response.revision - 1}"
    if not response.corrects_revision:
        return told
    return f"{told}; revision {response.corrects_revision} was submitted and stands until this one is"


async def closed(
    officer: session.Session, request: tracking.CloseMonthRequest
) -> tracking.CloseMonthResponse:
    async with officer.tracking() as service:
        return await service.CloseMonth(request, timeout=CLOSE_SECONDS)


def submit(
    area: Area,
    month: Month,
    revision: Annotated[int, typer.Option(min=1, help="The one that you have looked at.")],
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Sends a checked draft to the Government Office.

    ```
    ppo return submit birmingham 2004-12 --revision 1
    ```
    """
    asked = pb.GetReturnRequest(area=area, month=details.month(month), revision=revision)
    name = session.request_id(request_id)
    response = asyncio.run(_submit(session.Session(data, ROLE, area), asked, name))
    if json:
        output.emit(response)
    else:
        output.show(output.facts(facts(response.monthly_return)))
    return 0


async def _submit(officer: session.Session, asked: pb.GetReturnRequest, name: str) -> pb.SubmitReturnResponse:
    async with officer.returns() as service:
        looked_at = await service.GetReturn(asked, timeout=session.CALL_SECONDS)
        request = pb.SubmitReturnRequest(
            request_id=name, return_id=looked_at.monthly_return.return_id, revision=asked.revision
        )
        return await service.SubmitReturn(request, timeout=session.CALL_SECONDS)


def show(
    area: Area,
    month: Month,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows a month's latest revision with its headline measures, beside what was published.

    ```
    ppo return show birmingham 2004-12
    ppo return show birmingham 2004-12 --json
    ```
    """
    asked = pb.GetReturnRequest(area=area, month=details.month(month))
    response, measures = asyncio.run(_read(session.Session(data, ROLE, area), asked))
    if json:
        for one in (response, *measures):
            output.emit(one)
        return 0
    output.show(output.facts([*facts(response.monthly_return), *_told(response)]))
    output.show()
    output.show(headlines(measures))
    return 0


async def _read(
    officer: session.Session, asked: pb.GetReturnRequest
) -> tuple[pb.GetReturnResponse, list[pb.StreamHeadlineMeasuresResponse]]:
    async with officer.returns() as service:
        response = await service.GetReturn(asked, timeout=session.CALL_SECONDS)
        return response, await measured(service, asked.area, asked.month)


async def measured(
    service: ReturnsServiceStub, area: str, month: Date
) -> list[pb.StreamHeadlineMeasuresResponse]:
    request = pb.StreamHeadlineMeasuresRequest(area=area, first_month=month, last_month=month)
    return [one async for one in service.StreamHeadlineMeasures(request, timeout=session.CALL_SECONDS)]


def export(
    area: Area,
    month: Month,
    file: Annotated[
        Path, typer.Argument(help="Where to, such as december.xlsx; what stands there is replaced.")
    ],
    revision: Revision = 0,
    publish: Annotated[bool, typer.Option(help="As it may be published: without small counts.")] = False,
    data: session.Data = session.DATA,
) -> int:
    """Writes a return as a workbook, as CSV, as JSON or as a page, by the ending of the file's name.

    A region and england-and-wales have a page, CSV and JSON, of what their areas submitted.

    ```
    ppo return export birmingham 2004-12 december.xlsx
    ppo return export birmingham 2004-12 first.csv --revision 1
    ppo return export birmingham 2004-12 december.html --publish
    ppo return export england-and-wales 2004-12 nation.html
    ```
    """
    request = pb.ExportReturnRequest(
        area=area,
        month=details.month(month),
        revision=revision,
        format=_format(file),
        published=publish,
    )
    content = asyncio.run(_export(session.Session(data, ROLE, area), request))
    write(file, content)
    output.show(f"{file}: {len(content):,} bytes")
    return 0


def _format(file: Path) -> pb.ExportFormat.ValueType:
    """A name with no ending that is known is a workbook's."""
    return FORMATS.get(file.suffix.lower(), pb.EXPORT_FORMAT_WORKBOOK)


async def _export(officer: session.Session, request: pb.ExportReturnRequest) -> bytes:
    async with officer.returns() as service:
        return await workbook(service, request)


async def workbook(service: ReturnsServiceStub, request: pb.ExportReturnRequest) -> bytes:
    return b"".join([one.part async for one in service.ExportReturn(request, timeout=EXPORT_SECONDS)])


def write(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    beside = file.with_name(f"{file.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(file)
    except OSError as error:
        raise Stop(f"{file} cannot be written: {error.strerror}") from None


def words(month: Date) -> str:
    return f"{details.MONTHS[month.month - 1]} {month.year}"


def _told(response: pb.GetReturnResponse) -> Iterator[tuple[str, str]]:
    """Questions and answers, and what others have counted."""
    for step in response.steps:
        if step.text and step.state != pb.RETURN_STATE_DRAFT:
            yield output.word(pb.ReturnState, step.state).capitalize(), step.text
    for source in dict.fromkeys(one.source for one in response.additions):
        measures = dict.fromkeys(one.count.measure for one in response.additions if one.source == source)
        yield "Added", f"{', '.join(measures)} from {source}"


def facts(one: pb.Return) -> list[tuple[str, str]]:
    told = [
        ("Return", f"{one.heading.area}, {words(one.heading.month)}, revision {one.revision}"),
        ("State", output.word(pb.ReturnState, one.state)),
        ("Closed at", output.moment(one.heading.cut_off_time)),
        ("Due", output.day(one.due_date)),
    ]
    if one.heading.reason:
        told.append(("Closed again", one.heading.reason))
    if one.residual:
        told.append(("Residual", f"{one.residual} of M0: {one.heading.explanation}"))
    if one.HasField("submitted_time"):
        told.append(("Submitted", output.moment(one.submitted_time)))
    return told


def headlines(measures: Iterable[pb.StreamHeadlineMeasuresResponse]) -> Table:
    made = output.table("", "Measure", "", "Count", "of", "%", "Before", "Published")
    for one in measures:
        share = (f"{one.base:,}", f"{one.per_cent}") if one.base else ("", "")
        before = f"{one.value_before:,}" if one.HasField("value_before") else ""
        made.add_row(one.measure, one.title, one.category, f"{one.value:,}", *share, before, one.published)
    for column in made.columns[3:7]:
        column.justify = "right"
    return made
