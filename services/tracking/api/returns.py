"""The month that is counted, and what it counts besides."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import identity
from services.runtime.errors import NotFound
from services.runtime.rpc import Context
from services.tracking import progress
from services.tracking.api.servicer import Servicer
from services.tracking.models import requests
from services.tracking.store import months, persons


class MonthlyReturns(Servicer):
    async def CloseMonth(self, request: pb.CloseMonthRequest, context: Context) -> pb.CloseMonthResponse:
        return await self._months.close(request, context.time_remaining())

    async def CloseMonths(
        self, request: pb.CloseMonthsRequest, context: Context
    ) -> AsyncIterator[pb.CloseMonthsResponse]:
        async with aclosing(self._months.close_all(request, context.time_remaining())) as closing:
            async for closed in closing:
                yield closed

    async def ListMonthMovements(
        self, request: pb.ListMonthMovementsRequest, _: Context
    ) -> AsyncIterator[pb.ListMonthMovementsResponse]:
        for movement in await self._months.movements(request):
            yield movement

    async def RecordProgress(
        self, request: pb.RecordProgressRequest, _: Context
    ) -> pb.RecordProgressResponse:
        now = self._clock.now()
        row = progress.row(request, identity.current(), now)

        async def act(session: AsyncSession) -> pb.RecordProgressResponse:
            if await persons.person(session, row.nominal_id) is None:
                raise NotFound("nobody on the register has this nominal id")
            await months.record_progress(session, row)
            return pb.RecordProgressResponse(progress_id=row.progress_id)

        return await requests.once(self._database, request, pb.RecordProgressResponse, act, now)
