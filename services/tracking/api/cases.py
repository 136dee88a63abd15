"""Whose case it is, where the person lives, who manages it, and whether OCUs agree."""

from datetime import UTC, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import identity
from services.runtime.errors import Denied, Illegal, Invalid
from services.runtime.rpc import Context
from services.tracking import addresses, caseload, contacts, days, disputes
from services.tracking.api import given
from services.tracking.api.servicer import PLACES, UNKNOWN_AREA, Servicer
from services.tracking.audit import audit
from services.tracking.casefile import CaseFile
from services.tracking.explaining import explained
from services.tracking.models import requests
from services.tracking.store import casebook, figures, persons
from services.tracking.suppositions import suppose

# What a case comes to is not foretold for longer.
FARTHEST = timedelta(days=3660)


class Cases(Servicer):
    async def AssignManagers(
        self, request: pb.AssignManagersRequest, _: Context
    ) -> pb.AssignManagersResponse:
        return await self._tell(request, lambda case: pb.AssignManagersResponse(case=case))

    async def SetResidence(self, request: pb.SetResidenceRequest, _: Context) -> pb.SetResidenceResponse:
        addresses.refuse_unfit(request)
        if (request.kind == pb.RESIDENCE_KIND_NO_FIXED_ABODE) == bool(request.ocu or request.postcode):
            raise Invalid("ocu", "or a postcode is given unless the person has no fixed abode")
        if request.ocu and not any(request.ocu in self._reference.ids(table) for table in PLACES):
            raise Invalid("ocu", UNKNOWN_AREA)
        effective = request.effective_time.ToDatetime(UTC)
        handover = given.time(request, "handover_time", request.handover_time)
        if handover is not None and handover < effective:
            raise Invalid("handover_time", "lies before the move")
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.SetResidenceResponse:
            told = await addresses.locate(session, request, days.day(effective), now)
            return pb.SetResidenceResponse(case=await self._record(session, told, effective, now))

        return await requests.once(self._database, request, pb.SetResidenceResponse, act, now)

    async def RaiseDispute(self, request: pb.RaiseDisputeRequest, _: Context) -> pb.RaiseDisputeResponse:
        self._refuse_unknown_ocu(request.ocu)
        if identity.current().organisation != request.ocu:
            raise Denied("an OCU disputes in its own name")

        def owned(file: CaseFile) -> None:
            if not file.ownership(self._clock.now()).owner:
                raise Illegal("NO_CASE", "nobody owns a case of this person that could be disputed")

        return await self._tell(request, lambda case: pb.RaiseDisputeResponse(case=case), check=owned)

    async def DecideDispute(self, request: pb.DecideDisputeRequest, _: Context) -> pb.DecideDisputeResponse:
        self._refuse_unknown_ocu(request.ocu)
        now = self._clock.now()
        disputes.refuse_unfit(self._reference, request, now)

        def disputed(file: CaseFile) -> None:
            disputes.refuse_undecided(self._reference, request, file.ownership(now), now)

        return await self._tell(request, lambda case: pb.DecideDisputeResponse(case=case), check=disputed)

    async def ListDisputes(self, request: pb.ListDisputesRequest, _: Context) -> pb.ListDisputesResponse:
        now = self._clock.now()
        async with self._database.snapshot() as session:
            open_now = await figures.disputed(session, now)
            files = {nominal_id: (await self._file(session, nominal_id))[1] for nominal_id, _ in open_now}
        found = [
            disputes.to_proto(nominal_id, ownership, files[nominal_id].claims(now))
            for nominal_id, ownership in open_now
            if request.forum_id in ("", ownership.dispute.forum_id)
        ]
        return pb.ListDisputesResponse(disputes=sorted(found, key=disputes.heard))

    async def ExplainOwnership(
        self, request: pb.ExplainOwnershipRequest, _: Context
    ) -> pb.ExplainOwnershipResponse:
        self._refuse_unknown_caller()
        now = self._clock.now()
        at = given.time(request, "as_of_time", request.as_of_time) or now
        known_at = given.time(request, "known_at_time", request.known_at_time)
        if at > now + FARTHEST:
            raise Invalid("as_of_time", f"lies more than {FARTHEST.days} days ahead")
        if known_at is not None and request.suppositions:
            raise Invalid("suppositions", "are not made with a known_at_time")
        async with self._database.snapshot() as session:
            nominal_id, file = await self._found(session, request.identifier)
            ledger = await casebook.ledger(session, nominal_id)
        file = suppose(file, request.suppositions, now)
        return explained(file, ledger, at, now, known_at)

    async def CheckOwnerships(
        self, request: pb.CheckOwnershipsRequest, _: Context
    ) -> pb.CheckOwnershipsResponse:
        return await audit(self._database, self._settler, self._clock.now())

    async def ListContacts(self, request: pb.ListContactsRequest, _: Context) -> pb.ListContactsResponse:
        now = self._clock.now()
        async with self._database.transaction() as session:
            found = await persons.several(session, [one.nominal_id for one in request.persons])
        cases = {person.nominal_id: person.to_proto(now) for person in found}
        answered = (contacts.contact(self._reference, one, cases, now) for one in request.persons)
        return pb.ListContactsResponse(contacts=answered)

    async def ListCaseloads(self, request: pb.ListCaseloadsRequest, _: Context) -> pb.ListCaseloadsResponse:
        at = given.time(request, "as_of_time", request.as_of_time) or self._clock.now()
        if at > self._clock.now():
            raise Invalid("as_of_time", "lies in the future")
        async with self._database.transaction() as session:
            held = await figures.held(session, at)
        return pb.ListCaseloadsResponse(
            caseloads=caseload.caseloads(held, caseload.guides(self._reference, at))
        )
