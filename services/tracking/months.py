"""A month is closed: counted at one instant, kept, and sent to the returns service."""

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, timedelta

from google.type.date_pb2 import Date

from ppo.returns.v1 import returns_pb2 as returns
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel, identity
from services.runtime.channel import CallError, Channel
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Illegal, Invalid, Unavailable
from services.runtime.reference import Reference, Row
from services.tracking import counting, days
from services.tracking.counting import Area, Cell, Month
from services.tracking.models import Closing
from services.tracking.store import months as store

YEARS = range(2000, 2100)
# How long the returns may take, where the caller gives no deadline.
SECONDS = 10.0
# It stands in workbooks, whose format has no place for control characters.
LONGEST = 1_000


class Months:
    def __init__(self, database: Database, clock: Clock, reference: Reference, connection: Channel) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._connection = connection
        self._returns = ReturnsServiceStub(connection)

    async def close(self, request: pb.CloseMonthRequest, left: float | None) -> pb.CloseMonthResponse:
        """A repeat sends what was counted first, so that the returns can tell that it is one."""
        month = _month(request.month)
        _refuse_unprintable(request)
        row = await self._counted(request, month)
        if (row.area, row.month) != (request.area, month.first):
            raise Conflict(f"request_id {request.request_id} was used for another month")
        cells = _read(row.counts)
        sent = await self._send(row, cells, min(left or SECONDS, SECONDS))
        async with self._database.transaction() as session:
            await store.close(session, row.closing_id, sent.return_id, sent.revision)
        return pb.CloseMonthResponse(
            return_id=sent.return_id,
            revision=sent.revision,
            counts_sent=len(cells),
            corrects_revision=sent.corrects_revision,
            cells_changed=sent.cells_changed,
        )

    async def movements(self, request: pb.ListMonthMovementsRequest) -> list[pb.ListMonthMovementsResponse]:
        month = _month(request.month)
        asked = counting.parameters(month, self._area(request.area, month))
        async with self._database.snapshot() as session:
            before = await store.sent(session, request.area, days.shift(month.first, -1))
            return await store.movements(session, asked, before.members if before else None)

    async def probe(self) -> None:
        if not await channel.serving(self._connection, 1):
            raise Unavailable("returns")

    async def _counted(self, request: pb.CloseMonthRequest, month: Month) -> Closing:
        caller, now = identity.current().subject, self._clock.now()
        area = self._area(request.area, month)
        if now < month.end:
            raise Illegal("MONTH_NOT_OVER", "a month is closed once it is over")
        async with self._database.snapshot() as session:
            held = await store.closing(session, caller, request.request_id)
            if held is not None:
                return held
            rows = await store.cells(session, counting.parameters(month, area))
        row = self._closing(request, month, area, rows, now)
        row.caller = caller
        async with self._database.transaction() as session:
            return await store.open_closing(session, row)

    def _closing(
        self, request: pb.CloseMonthRequest, month: Month, area: Area, rows: list[counting.Row], now: datetime
    ) -> Closing:
        members = [name for row in rows if row.measure == counting.MEMBERS for name in row.category.split()]
        counted = (row for row in rows if row.measure != counting.MEMBERS)
        return Closing(
            closing_id=str(uuid.uuid4()),
            request_id=request.request_id,
            area=request.area,
            month=month.first,
            cut_off_time=now,
            counts=_written(counting.cells(counted, area)),
            members=members,
            reason=request.reason,
            explanation=request.explanation,
            tool_version=self._tool(month).id,
        )

    async def _send(self, row: Closing, cells: dict[Cell, int], seconds: float) -> returns.Return:
        try:
            answer = await self._returns.RecordReturn(_requests(row, cells), timeout=seconds)
        except CallError as error:
            raise _refusal(error) from None
        return answer.monthly_return

    def _area(self, area: str, month: Month) -> Area:
        at = _last_instant(month)
        row = self._reference.row("areas", area, at=at)
        if row is None:
            raise Invalid("area", "is no area of the reference data in that month")
        ocus = row.texts("ocus")
        teams = self._reference.rows("youth_offending_teams", at=at)
        suites = {one.id: one.text("ocu") for one in self._reference.rows("suites", at=at)}
        return Area(
            ocus,
            [team.id for team in teams if set(team.texts("ocus")) & set(ocus)],
            {suite: ocu for suite, ocu in suites.items() if ocu in ocus},
        )

    def _tool(self, month: Month) -> Row:
        """By which a month is returned: a new one is put out for some months."""
        tools = self._reference.rows("return_tools", at=_last_instant(month))
        if not tools:
            raise Invalid("month", "is one for which the reference data have no return tool")
        return tools[-1]


def _month(given: Date) -> Month:
    if given.year not in YEARS or not given.month:
        raise Invalid("month", "is no month between 2000 and 2099")
    return Month(date(given.year, given.month, 1))


def _last_instant(month: Month) -> datetime:
    return month.end - timedelta(microseconds=1)


def _refuse_unprintable(request: pb.CloseMonthRequest) -> None:
    for field in ("reason", "explanation"):
        text = getattr(request, field)
        if len(text) > LONGEST or not text.isprintable():
            raise Invalid(field, f"is not at most {LONGEST} characters that can be printed")


async def _requests(row: Closing, cells: dict[Cell, int]) -> AsyncIterator[returns.RecordReturnRequest]:
    heading = returns.Heading(
        area=row.area,
        month=Date(year=row.month.year, month=row.month.month),
        tool_version=row.tool_version,
        reason=row.reason,
        explanation=row.explanation,
    )
    heading.cut_off_time.FromDatetime(row.cut_off_time)
    yield returns.RecordReturnRequest(request_id=row.closing_id, heading=heading)
    for count in _counts(cells):
        yield returns.RecordReturnRequest(request_id=row.closing_id, count=count)
    yield returns.RecordReturnRequest(request_id=row.closing_id, counts_sent=len(cells))


def _counts(cells: dict[Cell, int]) -> Iterator[returns.Count]:
    for cell, value in cells.items():
        yield returns.Count(
            measure=cell.measure, breakdown=cell.breakdown, category=cell.category, value=value
        )


def _written(cells: dict[Cell, int]) -> bytes:
    return "\n".join("\t".join((*cell, str(value))) for cell, value in cells.items()).encode()


def _read(counts: bytes) -> dict[Cell, int]:
    rows = (line.split("\t") for line in counts.decode().split("\n"))
    return {Cell(*cell): int(value) for *cell, value in rows}


def _refusal(error: CallError) -> Exception:
    """What the returns refuse is refused here; anything else is an outage of theirs."""
    reason = channel.reason(error)
    if reason and not reason.endswith("_UNAVAILABLE"):
        return Illegal(reason, str(error.details()))
    if violations := channel.violations(error):
        field, rule = violations[0]
        return Invalid(field, rule)
    return Unavailable("returns")
