"""`ppo return`: what becomes of a return once it is counted, and all returns together."""

import asyncio
import csv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Protocol

import typer
from google.type.date_pb2 import Date
from rich.table import Table

from ppo.returns.v1 import returns_pb2 as pb
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, output, returns, session
from services.console.returns import Area, Month
from services.console.stop import Stop

HOME_OFFICE, KEEPER = "home_office", "register_keeper"
# Sixty months of the nation.
SERIES_SECONDS = 300.0
COLUMNS = ("measure", "breakdown", "category", "count", "source")

Number = Annotated[int, typer.Option("--revision", min=1, help="The one that you have looked at.")]
Words = Annotated[str, typer.Argument(help="In one sentence.")]


def listing(
    area: Annotated[str, typer.Argument(help="All when not given.")] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists each month's latest revision, with its state and when it was due.

    ```
    ppo return list
    ppo return list birmingham
    ```
    """
    response = asyncio.run(_list(session.Session(data, returns.ROLE, area or "all"), area))
    if json:
        output.emit(response)
        return 0
    made = output.table("Area", "Month", "Revision", "State", "Due")
    for one in response.returns:
        state = output.word(pb.ReturnState, one.state)
        month = returns.words(one.heading.month)
        made.add_row(one.heading.area, month, str(one.revision), state, output.day(one.due_date))
    output.show(made)
    return 0


async def _list(officer: session.Session, area: str) -> pb.ListReturnsResponse:
    async with officer.returns() as service:
        return await service.ListReturns(pb.ListReturnsRequest(area=area), timeout=session.CALL_SECONDS)


def series(
    area: Annotated[str, typer.Argument(help="An area, a region, or england-and-wales.")],
    first: Annotated[str, typer.Argument(help="Such as 2004-11.")],
    last: Annotated[str, typer.Argument(help="Such as 2005-01.")],
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows the headline measures month by month, beside what was published.

    Of a region and of the nation they are what the areas have submitted; those that have not are named.

    ```
    ppo return series birmingham 2004-11 2005-01
    ppo return series england-and-wales 2004-12 2004-12
    ```
    """
    request = pb.StreamHeadlineMeasuresRequest(
        area=area, first_month=details.month(first), last_month=details.month(last)
    )
    asyncio.run(_series(session.Session(data, returns.ROLE, area), request, as_json=json))
    return 0


async def _series(
    officer: session.Session, request: pb.StreamHeadlineMeasuresRequest, *, as_json: bool
) -> None:
    month: list[pb.StreamHeadlineMeasuresResponse] = []
    async with officer.returns() as service:
        async for one in service.StreamHeadlineMeasures(request, timeout=SERIES_SECONDS):
            if as_json:
                output.emit(one)
                continue
            if month and month[0].month != one.month:
                _show(month)
                month.clear()
            month.append(one)
    if month:
        _show(month)


def _show(month: list[pb.StreamHeadlineMeasuresResponse]) -> None:
    output.show(returns.words(month[0].month), "bold")
    if month[0].HasField("coverage"):
        coverage = month[0].coverage
        output.show(f"from {coverage.areas - len(coverage.missing)} of {coverage.areas} areas")
        if coverage.missing:
            output.show(f"missing: {', '.join(coverage.missing)}")
    output.show(returns.headlines(month))
    output.show()


def movements(
    area: Area, month: Month, json: output.AsJson = False, data: session.Data = session.DATA
) -> int:
    """Lists who came onto an area's list in a month or left it: what stands behind its balance.

    For the keeper of the register: a return has no persons. "Known later" and "known not to be" are those
    whom the return of the month before counted otherwise: the residual.

    ```
    ppo return movements birmingham 2004-12
    ```
    """
    request = tracking.ListMonthMovementsRequest(area=area, month=details.month(month))
    found = asyncio.run(_movements(session.Session(data, KEEPER, area), request))
    if json:
        for one in found:
            output.emit(one)
        return 0
    output.show(_table(found) if found else "nobody came or left")
    return 0


async def _movements(
    keeper: session.Session, request: tracking.ListMonthMovementsRequest
) -> list[tracking.ListMonthMovementsResponse]:
    async with keeper.tracking() as service:
        stream = service.ListMonthMovements(request, timeout=returns.CLOSE_SECONDS)
        return [one async for one in stream]


def _table(found: list[tracking.ListMonthMovementsResponse]) -> Table:
    made = output.table("Nominal", "What", "Times")
    for one in found:
        made.add_row(one.nominal_id, output.word(tracking.MonthMovement, one.movement), str(one.times))
    return made


def add(
    area: Area,
    month: Month,
    file: Annotated[Path, typer.Argument(help=f"CSV with the columns {', '.join(COLUMNS)}.")],
    revision: Number,
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Adds figures that the area has from elsewhere, with their source; the draft is then checked again.

    A measure is added whole: its total (breakdown total, no category) and all parts of a breakdown.

    ```
    ppo return add birmingham 2004-12 attendance.csv --revision 1
    ```
    """
    given = pb.AddFiguresRequest(
        request_id=session.request_id(request_id), revision=revision, additions=_read(file)
    )
    whose = session.Session(data, returns.ROLE, area)
    return _step(whose, area, month, given, lambda service: service.AddFigures)


def _read(file: Path) -> list[pb.Addition]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{file} cannot be read: {error}") from None
    if not rows or any(None in row or None in row.values() or set(row) != set(COLUMNS) for row in rows):
        raise Stop(f"{file}: every line has the columns {', '.join(COLUMNS)}")
    return [_addition(file, line, row) for line, row in enumerate(rows, start=2)]


def _addition(file: Path, line: int, row: dict[str, str]) -> pb.Addition:
    if not row["count"].strip().isdigit():
        raise Stop(f"{file}: line {line}: count: {row['count']!r} is no whole number")
    count = pb.Count(
        measure=row["measure"].strip(),
        breakdown=row["breakdown"].strip(),
        category=row["category"].strip(),
        value=int(row["count"]),
    )
    return pb.Addition(count=count, source=row["source"].strip())


def check(
    area: Area,
    month: Month,
    revision: Number,
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Holds a draft with its additions against the rules.

    ```
    ppo return check birmingham 2004-12 --revision 1
    ```
    """
    given = pb.CheckDraftRequest(request_id=session.request_id(request_id), revision=revision)
    whose = session.Session(data, returns.ROLE, area)
    return _step(whose, area, month, given, lambda service: service.CheckDraft)


def query(
    area: Area,
    month: Month,
    question: Words,
    revision: Number,
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Sends a submitted return back with a question, for the Home Office.

    ```
    ppo return query birmingham 2004-12 "Why have tests doubled?" --revision 1
    ```
    """
    given = pb.QueryReturnRequest(
        request_id=session.request_id(request_id), revision=revision, question=question
    )
    whose = session.Session(data, HOME_OFFICE, area)
    return _step(whose, area, month, given, lambda service: service.QueryReturn)


def answer(
    area: Area,
    month: Month,
    words: Words,
    revision: Number,
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Answers a question: the return stands as it was submitted. Close the month again where it is wrong.

    ```
    ppo return answer birmingham 2004-12 "A second suite began to test." --revision 1
    ```
    """
    given = pb.AnswerQueryRequest(request_id=session.request_id(request_id), revision=revision, answer=words)
    whose = session.Session(data, returns.ROLE, area)
    return _step(whose, area, month, given, lambda service: service.AnswerQuery)


def accept(
    area: Area,
    month: Month,
    revision: Number,
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Takes a submitted return as it is, for the Home Office.

    ```
    ppo return accept birmingham 2004-12 --revision 1
    ```
    """
    given = pb.AcceptReturnRequest(request_id=session.request_id(request_id), revision=revision)
    whose = session.Session(data, HOME_OFFICE, area)
    return _step(whose, area, month, given, lambda service: service.AcceptReturn)


class Answer(Protocol):
    @property
    def monthly_return(self) -> pb.Return: ...


Given = (
    pb.AddFiguresRequest
    | pb.CheckDraftRequest
    | pb.QueryReturnRequest
    | pb.AnswerQueryRequest
    | pb.AcceptReturnRequest
)
Method = Callable[[ReturnsServiceStub], Callable[..., Awaitable[Answer]]]


def _step(whose: session.Session, area: str, month: str, given: Given, method: Method) -> int:
    told = asyncio.run(_taken(whose, area, details.month(month), given, method))
    output.show(output.facts(returns.facts(told)))
    return 0


async def _taken(whose: session.Session, area: str, month: Date, given: Given, method: Method) -> pb.Return:
    asked = pb.GetReturnRequest(area=area, month=month, revision=given.revision)
    async with whose.returns() as service:
        found = await service.GetReturn(asked, timeout=session.CALL_SECONDS)
        given.return_id = found.monthly_return.return_id
        return (await method(service)(given, timeout=session.CALL_SECONDS)).monthly_return
