"""Movements and stages, the journey they make, and what of them somebody must look at."""

from collections.abc import AsyncIterator
from datetime import UTC

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Invalid
from services.runtime.rpc import Context
from services.tracking import courts, journey
from services.tracking.api import given
from services.tracking.api.servicer import Servicer
from services.tracking.models import requests
from services.tracking.reporting import Report
from services.tracking.store import persons


class Journeys(Servicer):
    async def ReportMovement(
        self, request: pb.ReportMovementRequest, context: Context
    ) -> pb.ReportMovementResponse:
        async def act(session: AsyncSession) -> pb.ReportMovementResponse:
            return pb.ReportMovementResponse(fate=await self._taking.movement(session, request.movement))

        # Its own canonical form would be another request under the same id.
        asked = pb.ReportMovementRequest()
        asked.CopyFrom(request)
        return await requests.once(self._database, asked, pb.ReportMovementResponse, act, self._clock.now())

    async def ReportMovements(
        self, requests: AsyncIterator[pb.ReportMovementsRequest], _: Context
    ) -> pb.ReportMovementsResponse:
        return await Report(self._database, self._taking).run(requests)

    async def RecordStage(self, request: pb.RecordStageRequest, _: Context) -> pb.RecordStageResponse:
        occurred = request.occurred_time.ToDatetime(UTC)
        if occurred > self._clock.now():
            raise Invalid("occurred_time", "lies in the future")
        now = self._clock.now()
        courts.refuse(request, {row.id for row in self._reference.rows("courts", at=now)})

        async def act(session: AsyncSession) -> pb.RecordStageResponse:
            await self._record(session, request, occurred, now)
            living = await persons.living(session, request.nominal_id)
            file = (await self._file(session, living))[1]
            steps = file.journey(now, None)
            return pb.RecordStageResponse(journey=journey.to_proto(living, steps))

        return await requests.once(self._database, request, pb.RecordStageResponse, act, now)

    async def WithdrawFact(self, request: pb.WithdrawFactRequest, _: Context) -> pb.WithdrawFactResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.WithdrawFactResponse:
            await self._taking.hold(session, (), [request.nominal_id])
            await self._reviews.withdraw(session, request.nominal_id, request.fact_id, now)
            return pb.WithdrawFactResponse(case=await self._record(session, request, now, now))

        return await requests.once(self._database, request, pb.WithdrawFactResponse, act, now)

    async def GetJourney(self, request: pb.GetJourneyRequest, _: Context) -> pb.GetJourneyResponse:
        self._refuse_unknown_caller()
        as_of = given.time(request, "as_of_time", request.as_of_time) or self._clock.now()
        known_at = given.time(request, "known_at_time", request.known_at_time)
        async with self._database.snapshot() as session:
            nominal_id, file = await self._found(session, request.identifier)
        steps = file.journey(as_of, known_at)
        return pb.GetJourneyResponse(journey=journey.to_proto(nominal_id, steps))

    async def ListReviews(
        self, request: pb.ListReviewsRequest, _: Context
    ) -> AsyncIterator[pb.ListReviewsResponse]:
        async for one in self._reviews.waiting(request):
            yield one

    async def ResolveReview(self, request: pb.ResolveReviewRequest, _: Context) -> pb.ResolveReviewResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.ResolveReviewResponse:
            return pb.ResolveReviewResponse(review=await self._reviews.resolve(session, request, now))

        return await requests.once(self._database, request, pb.ResolveReviewResponse, act, now)
