"""A stay in prison: the tenancy outside, the work inside, and the release that is planned."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.database import lock
from services.runtime.errors import Illegal, Invalid
from services.runtime.rpc import Context
from services.tracking import addresses, days
from services.tracking.api import given
from services.tracking.api.servicer import PLACES, UNKNOWN_AREA, Servicer
from services.tracking.casefile import CaseFile
from services.tracking.models import requests
from services.tracking.store import persons


class Releases(Servicer):
    async def RecordTenancy(self, request: pb.RecordTenancyRequest, _: Context) -> pb.RecordTenancyResponse:
        return await self._tell(request, lambda case: pb.RecordTenancyResponse(case=case))

    async def RecordPrisonWork(
        self, request: pb.RecordPrisonWorkRequest, _: Context
    ) -> pb.RecordPrisonWorkResponse:
        return await self._tell(request, lambda case: pb.RecordPrisonWorkResponse(case=case))

    async def PlanRelease(self, request: pb.PlanReleaseRequest, _: Context) -> pb.PlanReleaseResponse:
        addresses.refuse_unfit(request)
        if not request.HasField("release_date"):
            return await self._lose_release(request)
        given.refuse_partial(request.release_date, "release_date")
        if given.day(request.release_date) < days.day(self._clock.now()):
            raise Invalid("release_date", "lies in the past")
        if request.ocu:
            self._refuse_unknown_area(request.ocu)
        for field in ("ocu", "postcode"):
            if request.date_alone and getattr(request, field):
                raise Invalid(field, "is not given with the date alone")
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.PlanReleaseResponse:
            return await self._plan_release(session, request, now)

        return await requests.once(self._database, request, pb.PlanReleaseResponse, act, now)

    async def _lose_release(self, request: pb.PlanReleaseRequest) -> pb.PlanReleaseResponse:
        for field in ("ocu", "postcode", "date_alone"):
            if getattr(request, field):
                raise Invalid(field, "goes with a release_date")

        def planned(file: CaseFile) -> None:
            if file.planned is None:
                raise Illegal("NOT_PLANNED", "no release is planned that could be lost")

        return await self._tell(request, lambda case: pb.PlanReleaseResponse(case=case), check=planned)

    async def _plan_release(
        self, session: AsyncSession, request: pb.PlanReleaseRequest, now: datetime
    ) -> pb.PlanReleaseResponse:
        # The areas before the person: a reform holds them so.
        told = request
        if not request.date_alone:
            told = await addresses.locate(session, request, given.day(request.release_date), now)
        living = await persons.living(session, request.nominal_id)
        await lock(session, living)
        person, file = await self._file(session, living)
        plan, out = file.planned, file.discharge(given.day(request.release_date))
        if plan is not None and request.date_alone:
            if plan.release == out:
                known = person.to_proto(now)
                return pb.PlanReleaseResponse(case=known, unchanged=True, release_date=days.proto(out))
            told = _redated(file, request)
            told.ocu = plan.area
        case = await self._record(session, told, now, now)
        return pb.PlanReleaseResponse(case=case, release_date=days.proto(out))

    def _refuse_unknown_area(self, area: str) -> None:
        now = self._clock.now()
        if not any(self._reference.row(table, area, at=now) for table in PLACES):
            raise Invalid("ocu", UNKNOWN_AREA)


def _redated(file: CaseFile, request: pb.PlanReleaseRequest) -> pb.PlanReleaseRequest:
    """All that was planned before, on another day."""
    told, before = pb.PlanReleaseRequest(), file.last(pb.PlanReleaseRequest)
    if before is not None:
        told.CopyFrom(before[1])
    told.MergeFrom(request)
    return told
