"""The service's RPCs, one short method each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TypeVar

from google.protobuf.message import Message
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceServicer
from services.returns import (
    areas,
    closing,
    definitions,
    document,
    draft,
    measures,
    months,
    picture,
    report,
    store,
    tabular,
    workbook,
)
from services.returns.areas import Areas
from services.returns.closing import Closed
from services.returns.definitions import Cell
from services.returns.document import Document
from services.returns.models import Revision, requests
from services.returns.picture import Picture
from services.returns.stream import counted, several
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Illegal, Invalid
from services.runtime.rpc import Context

REFUSED = Counter("ppo_returns_refused", "Steps of a return that its rules do not allow.", ["rule"])

PART_BYTES = 64 * 1024
EXPORTS: Mapping[int, Callable[[Document], bytes]] = {
    pb.EXPORT_FORMAT_WORKBOOK: workbook.build,
    pb.EXPORT_FORMAT_CSV: tabular.as_csv,
    pb.EXPORT_FORMAT_JSON: tabular.as_json,
    pb.EXPORT_FORMAT_REPORT: report.page,
}

Reply = TypeVar("Reply", bound=Message)


class Returns(ReturnsServiceServicer):
    def __init__(self, database: Database, clock: Clock, areas: Areas) -> None:
        self._database = database
        self._clock = clock
        self._areas = areas

    async def RecordReturn(
        self, messages: AsyncIterator[pb.RecordReturnRequest], _: Context
    ) -> pb.RecordReturnResponse:
        counting = await counted(messages)
        closed = self._closed(counting.opening.heading, counting.counts)
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.RecordReturnResponse:
            [row] = await closing.close(session, [closed], now)
            if isinstance(row, Illegal):
                raise row
            return pb.RecordReturnResponse(monthly_return=row.to_proto())

        reply = pb.RecordReturnResponse
        with _refusals():
            return await requests.once(self._database, counting.opening, reply, act, now, rest=counting.body)

    async def RecordReturns(
        self, messages: AsyncIterator[pb.RecordReturnsRequest], _: Context
    ) -> pb.RecordReturnsResponse:
        given = await several(messages)
        closed = [self._closed(heading, counts) for heading, counts in given.returns]
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.RecordReturnsResponse:
            found = await closing.close(session, closed, now)
            return pb.RecordReturnsResponse(returns=map(_recorded, found))

        reply = pb.RecordReturnsResponse
        return await requests.once(self._database, given.opening, reply, act, now, rest=given.body)

    async def AddFigures(self, request: pb.AddFiguresRequest, _: Context) -> pb.AddFiguresResponse:
        reply = pb.AddFiguresResponse
        return await self._step(request, reply, lambda session, now: draft.add(session, request, now))

    async def CheckDraft(self, request: pb.CheckDraftRequest, _: Context) -> pb.CheckDraftResponse:
        return await self._step(
            request,
            pb.CheckDraftResponse,
            lambda session, now: draft.check(session, request, self._areas, now),
        )

    async def SubmitReturn(self, request: pb.SubmitReturnRequest, _: Context) -> pb.SubmitReturnResponse:
        reply = pb.SubmitReturnResponse
        return await self._step(request, reply, lambda session, now: draft.submit(session, request, now))

    async def QueryReturn(self, request: pb.QueryReturnRequest, _: Context) -> pb.QueryReturnResponse:
        question = draft.said("question", request.question)
        return await self._step(
            request,
            pb.QueryReturnResponse,
            lambda session, now: draft.take(session, "query", request, now, question),
        )

    async def AnswerQuery(self, request: pb.AnswerQueryRequest, _: Context) -> pb.AnswerQueryResponse:
        answer = draft.said("answer", request.answer)
        return await self._step(
            request,
            pb.AnswerQueryResponse,
            lambda session, now: draft.take(session, "answer", request, now, answer),
        )

    async def AcceptReturn(self, request: pb.AcceptReturnRequest, _: Context) -> pb.AcceptReturnResponse:
        return await self._step(
            request,
            pb.AcceptReturnResponse,
            lambda session, now: draft.take(session, "accept", request, now),
        )

    async def GetReturn(self, request: pb.GetReturnRequest, _: Context) -> pb.GetReturnResponse:
        month = months.month(request.month, "month")
        self._areas.area(request.area, month, "area")
        async with self._database.snapshot() as session:
            found = await document.of(session, self._areas, request.area, month, request.revision)
        version = found.version
        assert version is not None, "an area's document has one"
        changes = [
            pb.CellChange(count=definitions.count(cell, version.counts.get(cell, 0)), before=before)
            for cell, before in version.changes.items()
        ]
        return pb.GetReturnResponse(
            monthly_return=version.monthly_return,
            counts=[definitions.count(cell, value) for cell, value in found.picture.counts.items()],
            additions=found.additions,
            steps=version.steps,
            changes=changes,
        )

    async def ListReturns(self, request: pb.ListReturnsRequest, _: Context) -> pb.ListReturnsResponse:
        async with self._database.transaction() as session:
            rows = await store.listed(session, request.area)
        return pb.ListReturnsResponse(returns=[row.to_proto() for row in rows])

    async def StreamHeadlineMeasures(
        self, request: pb.StreamHeadlineMeasuresRequest, _: Context
    ) -> AsyncIterator[pb.StreamHeadlineMeasuresResponse]:
        first = months.month(request.first_month, "first_month")
        last = months.month(request.last_month, "last_month")
        if last < first:
            raise Invalid("last_month", "is before first_month")
        # One month after the other: a series of the nation is never held as a whole.
        async with self._database.snapshot() as session:
            async for this, before in picture.series(session, self._areas, request.area, first, last):
                figures = areas.beside(self._areas.published(request.area, this.month))
                for told in _headlines(this, before, figures):
                    yield told

    async def ExportReturn(
        self, request: pb.ExportReturnRequest, _: Context
    ) -> AsyncIterator[pb.ExportReturnResponse]:
        month = months.month(request.month, "month")
        make = EXPORTS.get(request.format or pb.EXPORT_FORMAT_WORKBOOK)
        if make is None:
            raise Invalid("format", "is not one that this service writes")
        if make is workbook.build:
            self._areas.area(request.area, month, "area")
        async with self._database.snapshot() as session:
            found = await document.of(
                session,
                self._areas,
                request.area,
                month,
                request.revision,
                published=request.published,
            )
        content = await asyncio.to_thread(make, found)
        for place in range(0, len(content), PART_BYTES):
            yield pb.ExportReturnResponse(part=content[place : place + PART_BYTES])

    def _closed(self, heading: pb.Heading, counts: Sequence[tuple[Cell, int]]) -> Closed:
        return Closed(closing.month(heading, self._areas), counts)

    async def _step(
        self,
        request: draft.Named,
        reply: Callable[..., Reply],
        act: Callable[[AsyncSession, datetime], Awaitable[Revision]],
    ) -> Reply:
        now = self._clock.now()

        async def step(session: AsyncSession) -> Reply:
            row = await act(session, now)
            return reply(monthly_return=row.to_proto())

        with _refusals():
            return await requests.once(self._database, request, type(reply()), step, now)


def _recorded(found: Revision | Illegal) -> pb.RecordedReturn:
    if isinstance(found, Revision):
        return pb.RecordedReturn(monthly_return=found.to_proto())
    REFUSED.labels(found.rule).inc()
    return pb.RecordedReturn(reason=found.rule, detail=str(found))


def _headlines(
    this: Picture, before: Picture | None, figures: Mapping[tuple[str, str], str]
) -> Iterator[pb.StreamHeadlineMeasuresResponse]:
    coverage = this.coverage
    told = {(one.measure, one.category): one.value for one in before.headlines} if before else {}
    for one in this.headlines:
        place = (one.measure, one.category)
        yield _headline(this.month, one, told.get(place), figures.get(place, ""), coverage)
        coverage = None


def _headline(
    month: date,
    headline: measures.Headline,
    before: int | None,
    published: str,
    coverage: pb.Coverage | None,
) -> pb.StreamHeadlineMeasuresResponse:
    return pb.StreamHeadlineMeasuresResponse(
        month=months.to_date(month),
        measure=headline.measure,
        title=headline.title,
        category=headline.category,
        value=headline.value,
        base=headline.base,
        per_cent=headline.per_cent,
        value_before=before,
        coverage=coverage,
        published=published,
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Illegal as refusal:
        REFUSED.labels(refusal.rule).inc()
        raise
