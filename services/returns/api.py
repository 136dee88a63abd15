"""The service's RPCs, one short method each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date
from uuid import UUID

from google.type.date_pb2 import Date
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceServicer
from services.returns import closing, life, measures, months, store, workbook
from services.returns.areas import Areas
from services.returns.definitions import Cell
from services.returns.models import Revision, requests
from services.returns.stream import counted
from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Illegal, Invalid, NotFound
from services.runtime.rpc import Context

REFUSED = Counter("ppo_returns_refused", "Steps of a return that its rules do not allow.", ["rule"])

PART_BYTES = 64 * 1024


class Returns(ReturnsServiceServicer):
    def __init__(self, database: Database, clock: Clock, areas: Areas) -> None:
        self._database = database
        self._clock = clock
        self._areas = areas

    async def RecordReturn(
        self, messages: AsyncIterator[pb.RecordReturnRequest], _: Context
    ) -> pb.RecordReturnResponse:
        counting = await counted(messages)
        month = closing.month(counting.opening.heading, self._areas)
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.RecordReturnResponse:
            row = await closing.close(session, month, counting.counts, now)
            return pb.RecordReturnResponse(monthly_return=row.to_proto())

        reply = pb.RecordReturnResponse
        with _refusals():
            return await requests.once(self._database, counting.opening, reply, act, now, rest=counting.body)

    async def SubmitReturn(self, request: pb.SubmitReturnRequest, _: Context) -> pb.SubmitReturnResponse:
        return_id = _own_id(request.return_id)
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.SubmitReturnResponse:
            row = await store.claimed(session, return_id)
            if row is None:
                raise NotFound("there is no such return")
            row.state = life.submit(row.state, request.revision, row.revision)
            row.submitted_time, row.submitted_by = now, identity.current().subject
            return pb.SubmitReturnResponse(monthly_return=row.to_proto())

        with _refusals():
            return await requests.once(self._database, request, pb.SubmitReturnResponse, act, now)

    async def GetReturn(self, request: pb.GetReturnRequest, _: Context) -> pb.GetReturnResponse:
        row, counts = await self._read(request.area, request.month, request.revision)
        cells = [pb.Count(**cell._asdict(), value=value) for cell, value in counts.items()]
        return pb.GetReturnResponse(monthly_return=row.to_proto(), counts=cells)

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
        async with self._database.snapshot() as session:
            rows = await store.series(session, request.area, first, last)
            series = [(row, await store.counts(session, row)) for row in rows]
        for row, counts in series:
            area = self._areas.area(request.area, row.of.month, "area")
            for headline in measures.headlines(counts, area.planned):
                yield _headline(row.of.month, headline)

    async def ExportReturn(
        self, request: pb.ExportReturnRequest, _: Context
    ) -> AsyncIterator[pb.ExportReturnResponse]:
        row, counts = await self._read(request.area, request.month, request.revision)
        area = self._areas.area(row.of.area, row.of.month, "area")
        content = await asyncio.to_thread(workbook.build, row.to_proto(), area, counts)
        for place in range(0, len(content), PART_BYTES):
            yield pb.ExportReturnResponse(part=content[place : place + PART_BYTES])

    async def _read(self, area: str, month: Date, revision: int) -> tuple[Revision, dict[Cell, int]]:
        async with self._database.snapshot() as session:
            row = await store.of(session, area, months.month(month, "month"), revision)
            if row is None:
                raise NotFound("there is no such return")
            return row, await store.counts(session, row)


def _headline(month: date, headline: measures.Headline) -> pb.StreamHeadlineMeasuresResponse:
    return pb.StreamHeadlineMeasuresResponse(
        month=months.to_date(month),
        measure=headline.measure,
        title=headline.title,
        category=headline.category,
        value=headline.value,
        base=headline.base,
        per_cent=headline.per_cent,
    )


def _own_id(given: str) -> str:
    try:
        return str(UUID(given))
    except ValueError:
        raise Invalid("return_id", "is not an id of a return") from None


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Illegal as refusal:
        REFUSED.labels(refusal.rule).inc()
        raise
