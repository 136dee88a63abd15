"""A month is closed: counted at one instant, kept, and sent to the returns service."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

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
from services.runtime.validation import MOST_ITEMS
from services.tracking import counting, days
from services.tracking.counting import Area, Cell, Month
from services.tracking.models import Closing
from services.tracking.store import months as store

YEARS = range(2000, 2100)
# How long the returns may take, where the caller gives no deadline.
SECONDS = 10.0
# It stands in workbooks, whose format has no place for control characters.
LONGEST = 1_000
# So many areas are one transaction of the returns, and so many of those are on their way at once: while one
# is kept in the database the next is checked.
AT_ONCE = 50
IN_FLIGHT = 3
NAMESPACE = uuid.UUID("5c1ecf3a-6a52-4b69-9d0c-0f6a0a5a7f64")


class Asked(NamedTuple):
    """A month to close, of areas that each have a request id of their own."""

    month: Month
    areas: Mapping[str, str]
    reason: str = ""
    explanation: str = ""


class Months:
    def __init__(self, database: Database, clock: Clock, reference: Reference, connection: Channel) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._connection = connection
        self._returns = ReturnsServiceStub(connection)

    async def close(self, request: pb.CloseMonthRequest, left: float | None) -> pb.CloseMonthResponse:
        """A repeat sends what was counted first, so that the returns can tell that it is one."""
        _refuse_unprintable(request, "reason", "explanation")
        areas = {request.area: request.request_id}
        asked = Asked(_month(request.month), areas, request.reason, request.explanation)
        [row] = await self._counted(asked)
        try:
            sent = await self._returns.RecordReturn(_messages(row), timeout=_seconds(left))
        except CallError as error:
            raise _refusal(error) from None
        await self._close([(row, sent.monthly_return)])
        return _closed(row, sent.monthly_return)

    async def close_all(
        self, request: pb.CloseMonthsRequest, left: float | None
    ) -> AsyncGenerator[pb.CloseMonthsResponse, None]:
        """As `close` of each area, all of them counted at one instant."""
        _refuse_unprintable(request, "reason")
        month = _month(request.month)
        names = request.areas or [row.id for row in self._reference.rows("areas", at=_last_instant(month))]
        areas = {area: f"{request.request_id}/{area}" for area in names}
        rows = await self._counted(Asked(month, areas, request.reason))
        parts = [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
        turn = asyncio.Semaphore(IN_FLIGHT)
        sending = [asyncio.create_task(self._send(part, turn, left)) for part in parts]
        try:
            for task in sending:
                for row, one in await task:
                    yield _told(row, one)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _send(
        self, part: Sequence[Closing], turn: asyncio.Semaphore, left: float | None
    ) -> list[tuple[Closing, returns.RecordedReturn]]:
        async with turn:
            try:
                answer = await self._returns.RecordReturns(_several(part), timeout=_seconds(left))
            except CallError as error:
                raise _refusal(error) from None
            told = list(zip(part, answer.returns, strict=True))
            await self._close([(row, one.monthly_return) for row, one in told if not one.reason])
            return told

    async def movements(self, request: pb.ListMonthMovementsRequest) -> list[pb.ListMonthMovementsResponse]:
        month = _month(request.month)
        asked = counting.parameters(month, {request.area: self._area(request.area, month)})
        async with self._database.snapshot() as session:
            before = await store.sent(session, request.area, days.shift(month.first, -1))
            return await store.movements(session, asked, before.members if before else None)

    async def probe(self) -> None:
        if not await channel.serving(self._connection, 1):
            raise Unavailable("returns")

    async def _counted(self, asked: Asked) -> list[Closing]:
        caller, now, month = identity.current().subject, self._clock.now(), asked.month
        areas = {name: self._area(name, month) for name in asked.areas}
        if now < month.end:
            raise Illegal("MONTH_NOT_OVER", "a month is closed once it is over")
        async with self._database.snapshot() as session:
            held = await store.closings(session, caller, list(asked.areas.values()))
            if held:
                return _repeated(held, asked)
            rows = await store.cells(session, counting.parameters(month, areas))
        found: dict[str, list[counting.Row]] = {name: [] for name in areas}
        for row in rows:
            found[row.area].append(row)
        tool = self._tool(month).id
        made = [_opened(asked, name, areas[name], found[name]) for name in areas]
        for one in made:
            one.caller, one.cut_off_time, one.tool_version = caller, now, tool
        async with self._database.transaction() as session:
            return _repeated(await store.open_closings(session, made), asked)

    async def _close(self, done: Sequence[tuple[Closing, returns.Return]]) -> None:
        if done:
            async with self._database.transaction() as session:
                kept = [(row.closing_id, one.return_id, one.revision) for row, one in done]
                await store.close(session, kept)

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
            {team.id: team.texts("ocus") for team in teams if set(team.texts("ocus")) & set(ocus)},
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


def _seconds(left: float | None) -> float:
    return min(left or SECONDS, SECONDS)


def _refuse_unprintable(request: pb.CloseMonthRequest | pb.CloseMonthsRequest, *fields: str) -> None:
    for field in fields:
        text = getattr(request, field)
        if len(text) > LONGEST or not text.isprintable():
            raise Invalid(field, f"is not at most {LONGEST} characters that can be printed")


def _repeated(held: Sequence[Closing], asked: Asked) -> list[Closing]:
    """In the order of the areas; Conflict where these are of something else."""
    by_id = {row.request_id: row for row in held}
    for area, request_id in asked.areas.items():
        row = by_id.get(request_id)
        if row is None or (row.area, row.month) != (area, asked.month.first):
            raise Conflict(f"request_id {request_id} was used for another month")
    return [by_id[request_id] for request_id in asked.areas.values()]


def _opened(asked: Asked, name: str, area: Area, rows: Sequence[counting.Row]) -> Closing:
    counted = (row for row in rows if row.measure != counting.MEMBERS)
    return Closing(
        closing_id=str(uuid.uuid4()),
        request_id=asked.areas[name],
        area=name,
        month=asked.month.first,
        counts=_written(counting.cells(counted, area)),
        members=[one for row in rows if row.measure == counting.MEMBERS for one in row.category.split()],
        reason=asked.reason,
        explanation=asked.explanation,
    )


async def _messages(row: Closing) -> AsyncIterator[returns.RecordReturnRequest]:
    yield returns.RecordReturnRequest(request_id=row.closing_id, heading=_heading(row))
    counts = _counts(row)
    for count in counts:
        yield returns.RecordReturnRequest(request_id=row.closing_id, count=count)
    yield returns.RecordReturnRequest(request_id=row.closing_id, counts_sent=len(counts))


async def _several(rows: Sequence[Closing]) -> AsyncIterator[returns.RecordReturnsRequest]:
    # The same for the same closings, so that the returns can tell a repeat.
    request_id = str(uuid.uuid5(NAMESPACE, " ".join(row.closing_id for row in rows)))
    for row in rows:
        counts = _counts(row)
        for at in range(0, len(counts), MOST_ITEMS):
            heading = None if at else _heading(row)
            some = counts[at : at + MOST_ITEMS]
            yield returns.RecordReturnsRequest(request_id=request_id, heading=heading, counts=some)
    yield returns.RecordReturnsRequest(request_id=request_id, returns_sent=len(rows))


def _heading(row: Closing) -> returns.Heading:
    heading = returns.Heading(
        area=row.area,
        month=Date(year=row.month.year, month=row.month.month),
        tool_version=row.tool_version,
        reason=row.reason,
        explanation=row.explanation,
    )
    heading.cut_off_time.FromDatetime(row.cut_off_time)
    return heading


def _counts(row: Closing) -> list[returns.Count]:
    return [
        returns.Count(measure=cell.measure, breakdown=cell.breakdown, category=cell.category, value=value)
        for cell, value in _read(row.counts)
    ]


def _written(cells: Mapping[Cell, int]) -> bytes:
    return "\n".join("\t".join((*cell, str(value))) for cell, value in cells.items()).encode()


def _read(counts: bytes) -> Iterator[tuple[Cell, int]]:
    for line in counts.decode().split("\n"):
        *cell, value = line.split("\t")
        yield Cell(*cell), int(value)


def _told(row: Closing, one: returns.RecordedReturn) -> pb.CloseMonthsResponse:
    if one.reason:
        return pb.CloseMonthsResponse(area=row.area, reason=one.reason, detail=one.detail)
    return pb.CloseMonthsResponse(area=row.area, closed=_closed(row, one.monthly_return))


def _closed(row: Closing, sent: returns.Return) -> pb.CloseMonthResponse:
    return pb.CloseMonthResponse(
        return_id=sent.return_id,
        revision=sent.revision,
        counts_sent=row.counts.count(b"\n") + 1,
        corrects_revision=sent.corrects_revision,
        cells_changed=sent.cells_changed,
    )


def _refusal(error: CallError) -> Exception:
    """What the returns refuse is refused here; anything else is an outage of theirs."""
    reason = channel.reason(error)
    if reason and not reason.endswith("_UNAVAILABLE"):
        return Illegal(reason, str(error.details()))
    if violations := channel.violations(error):
        field, rule = violations[0]
        return Invalid(field, rule)
    return Unavailable("returns")
