"""The service's RPCs, one short method each."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceServicer
from services.people import identifiers
from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Denied, Illegal, Invalid, NotFound
from services.runtime.reference import Reference
from services.runtime.rpc import Context
from services.tracking import addresses, caseload, contacts, days, disputes, journey, progress, serving
from services.tracking.audit import audit
from services.tracking.casefile import CaseFile, Entry
from services.tracking.explaining import explained
from services.tracking.letters import Letters
from services.tracking.loading import Loading
from services.tracking.models import Person, requests
from services.tracking.months import Months
from services.tracking.notices import OWNER
from services.tracking.replay import Replay
from services.tracking.reporting import Report
from services.tracking.reviews import Reviews
from services.tracking.settle import Settler
from services.tracking.store import areas, casebook, facts, figures, lateness, months, notices, persons
from services.tracking.suppositions import suppose
from services.tracking.take import Taking
from services.tracking.watch import Board

MOST_NOTICES, NOTICES = 500, 100
# What a case comes to is not foretold for longer.
FARTHEST = timedelta(days=3660)
PLACES = ("ocus", "outside_areas")
UNKNOWN_AREA = "is no OCU, and no area outside, that the reference data knows"

Told: TypeAlias = (
    pb.RecordStageRequest
    | pb.AssignManagersRequest
    | pb.SetResidenceRequest
    | pb.PlanReleaseRequest
    | pb.RecordTenancyRequest
    | pb.RecordPrisonWorkRequest
    | pb.WithdrawFactRequest
    | pb.RaiseDisputeRequest
    | pb.DecideDisputeRequest
)
Reply = TypeVar("Reply", bound=Message)


class Tracking(TrackingServiceServicer):
    def __init__(
        self,
        database: Database,
        clock: Clock,
        reference: Reference,
        settler: Settler,
        taking: Taking,
        board: Board,
        months: Months,
        loading: Loading,
        reviews: Reviews,
        replay: Replay,
        letters: Letters,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._settler = settler
        self._taking = taking
        self._board = board
        self._months = months
        self._loading = loading
        self._reviews = reviews
        self._replay = replay
        self._letters = letters

    # ---- movements

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

    # ---- what is told of a case

    async def RecordStage(self, request: pb.RecordStageRequest, _: Context) -> pb.RecordStageResponse:
        occurred = request.occurred_time.ToDatetime(UTC)
        if occurred > self._clock.now():
            raise Invalid("occurred_time", "lies in the future")

        now = self._clock.now()

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

    async def RecordPrisonWork(
        self, request: pb.RecordPrisonWorkRequest, _: Context
    ) -> pb.RecordPrisonWorkResponse:
        return await self._tell(request, lambda case: pb.RecordPrisonWorkResponse(case=case))

    # ---- what somebody must look at

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
        handover = _time(request, "handover_time", request.handover_time)
        if handover is not None and handover < effective:
            raise Invalid("handover_time", "lies before the move")
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.SetResidenceResponse:
            told = await addresses.locate(session, request, days.day(effective), now)
            return pb.SetResidenceResponse(case=await self._record(session, told, effective, now))

        return await requests.once(self._database, request, pb.SetResidenceResponse, act, now)

    async def PlanRelease(self, request: pb.PlanReleaseRequest, _: Context) -> pb.PlanReleaseResponse:
        addresses.refuse_unfit(request)
        if not request.HasField("release_date"):
            return await self._lose_release(request)
        _refuse_partial(request.release_date, "release_date")
        if _day(request.release_date) < days.day(self._clock.now()):
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

    async def RecordTenancy(self, request: pb.RecordTenancyRequest, _: Context) -> pb.RecordTenancyResponse:
        return await self._tell(request, lambda case: pb.RecordTenancyResponse(case=case))

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

    # ---- what is asked

    async def GetJourney(self, request: pb.GetJourneyRequest, _: Context) -> pb.GetJourneyResponse:
        self._refuse_unknown_caller()
        as_of = _time(request, "as_of_time", request.as_of_time) or self._clock.now()
        known_at = _time(request, "known_at_time", request.known_at_time)
        async with self._database.snapshot() as session:
            nominal_id, file = await self._found(session, request.identifier)
        steps = file.journey(as_of, known_at)
        return pb.GetJourneyResponse(journey=journey.to_proto(nominal_id, steps))

    async def ExplainOwnership(
        self, request: pb.ExplainOwnershipRequest, _: Context
    ) -> pb.ExplainOwnershipResponse:
        self._refuse_unknown_caller()
        now = self._clock.now()
        at = _time(request, "as_of_time", request.as_of_time) or now
        known_at = _time(request, "known_at_time", request.known_at_time)
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

    # ---- areas

    async def LoadAreas(
        self, requests: AsyncIterator[pb.LoadAreasRequest], _: Context
    ) -> pb.LoadAreasResponse:
        return await self._loading.run(requests)

    async def ListAreaVersions(
        self, _: pb.ListAreaVersionsRequest, __: Context
    ) -> pb.ListAreaVersionsResponse:
        async with self._database.transaction() as session:
            loaded = await areas.versions(session)
        return pb.ListAreaVersionsResponse(versions=[one.to_proto() for one in loaded])

    async def SearchAreas(self, request: pb.SearchAreasRequest, _: Context) -> pb.SearchAreasResponse:
        on = days.day(self._clock.now())
        if request.HasField("date"):
            _refuse_partial(request.date, "date")
            on = _day(request.date)
        place = addresses.address(request.postcode, request.premises)
        async with self._database.snapshot() as session:
            version, line = await addresses.find(session, place)
        return serving.found(self._reference, version, line, on)

    async def ListCaseloads(self, request: pb.ListCaseloadsRequest, _: Context) -> pb.ListCaseloadsResponse:
        at = _time(request, "as_of_time", request.as_of_time) or self._clock.now()
        if at > self._clock.now():
            raise Invalid("as_of_time", "lies in the future")
        async with self._database.transaction() as session:
            held = await figures.held(session, at)
        return pb.ListCaseloadsResponse(
            caseloads=caseload.caseloads(held, caseload.guides(self._reference, at))
        )

    # ---- notices

    async def ListNotices(self, request: pb.ListNoticesRequest, _: Context) -> pb.ListNoticesResponse:
        size = request.page_size or NOTICES
        if not 0 < size <= MOST_NOTICES:
            raise Invalid("page_size", f"is at most {MOST_NOTICES}")
        async with self._database.transaction() as session:
            found = await notices.latest(
                session,
                identity.current().organisation,
                _token(request.page_token),
                size,
                unacknowledged=request.unacknowledged,
            )
        following = str(found[-1].number) if len(found) == size else ""
        return pb.ListNoticesResponse(notices=[one.to_sent() for one in found], next_page_token=following)

    async def WatchNotices(
        self, request: pb.WatchNoticesRequest, _: Context
    ) -> AsyncIterator[pb.WatchNoticesResponse]:
        if request.after_number < 0:
            raise Invalid("after_number", "is the number of a notice, or 0")
        async for sent in self._board.follow(identity.current().organisation, request.after_number):
            yield sent

    async def AcknowledgeNotice(
        self, request: pb.AcknowledgeNoticeRequest, _: Context
    ) -> pb.AcknowledgeNoticeResponse:
        now, organisation = self._clock.now(), identity.current().organisation
        if request.revision < 0:
            raise Invalid("revision", "is that of a notice, or 0 for the latest")

        async def act(session: AsyncSession) -> pb.AcknowledgeNoticeResponse:
            had = await notices.sent(session, request.notice_id, organisation, request.revision)
            if not had:
                # Whether others were sent one is not for the caller to know.
                raise NotFound("your organisation was sent no such notice")
            reply = pb.AcknowledgeNoticeResponse()
            reply.acknowledged_time.FromDatetime(notices.settle(had, now))
            await lateness.settle(session, request.notice_id, organisation, now)
            return reply

        return await requests.once(self._database, request, pb.AcknowledgeNoticeResponse, act, now)

    async def TraceNotice(self, request: pb.TraceNoticeRequest, _: Context) -> pb.TraceNoticeResponse:
        async with self._database.transaction() as session:
            notice = await notices.notice(session, request.notice_id)
            sent = await notices.deliveries(session, request.notice_id)
            published = await notices.published(session, sent)
            late = await lateness.of_notice(session, request.notice_id)
        if notice is None:
            raise NotFound("there is no such notice")
        return pb.TraceNoticeResponse(
            type=pb.NoticeType.ValueType(notice.type),
            deliveries=[one.to_proto(published.get(one.event), late.get(one.organisation)) for one in sent],
        )

    async def ListOverdueNotices(
        self, request: pb.ListOverdueNoticesRequest, _: Context
    ) -> pb.ListOverdueNoticesResponse:
        size = request.page_size or NOTICES
        if not 0 < size <= MOST_NOTICES:
            raise Invalid("page_size", f"is at most {MOST_NOTICES}")
        async with self._database.transaction() as session:
            found = await lateness.overdue(session, request.organisation, size)
        return pb.ListOverdueNoticesResponse(notices=found)

    async def ReplayNotices(self, request: pb.ReplayNoticesRequest, _: Context) -> pb.ReplayNoticesResponse:
        since = _time(request, "from_time", request.from_time)
        if request.after_number < 0:
            raise Invalid("after_number", "is the last_number of the call before, or 0")

        async def act(session: AsyncSession) -> pb.ReplayNoticesResponse:
            sent, last = await self._replay.send(session, request.organisation, since, request.after_number)
            return pb.ReplayNoticesResponse(sent=sent, last_number=last)

        return await requests.once(self._database, request, pb.ReplayNoticesResponse, act, self._clock.now())

    # ---- dead letters

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, _: Context
    ) -> pb.ListDeadLettersResponse:
        return pb.ListDeadLettersResponse(letters=await self._letters.listed(everything=request.all))

    async def RetryDeadLetter(
        self, request: pb.RetryDeadLetterRequest, _: Context
    ) -> pb.RetryDeadLetterResponse:
        async def act(session: AsyncSession) -> pb.RetryDeadLetterResponse:
            return pb.RetryDeadLetterResponse(letter=await self._letters.retry(session, request.letter_id))

        return await requests.once(
            self._database, request, pb.RetryDeadLetterResponse, act, self._clock.now()
        )

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, _: Context
    ) -> pb.DiscardDeadLetterResponse:
        async def act(session: AsyncSession) -> pb.DiscardDeadLetterResponse:
            letter = await self._letters.discard(session, request.letter_id, request.reason)
            return pb.DiscardDeadLetterResponse(letter=letter)

        return await requests.once(
            self._database, request, pb.DiscardDeadLetterResponse, act, self._clock.now()
        )

    # ---- the month

    async def CloseMonth(self, request: pb.CloseMonthRequest, context: Context) -> pb.CloseMonthResponse:
        return await self._months.close(request, context.time_remaining())

    async def CloseMonths(
        self, request: pb.CloseMonthsRequest, context: Context
    ) -> AsyncIterator[pb.CloseMonthsResponse]:
        async for closed in self._months.close_all(request, context.time_remaining()):
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

    # ---- what the methods share

    async def _tell(
        self,
        request: Told,
        reply: Callable[[pb.Case], Reply],
        occurred: datetime | None = None,
        check: Callable[[CaseFile], None] = lambda file: None,
    ) -> Reply:
        now = self._clock.now()

        async def act(session: AsyncSession) -> Reply:
            return reply(await self._record(session, request, occurred or now, now, check))

        kind = type(reply(pb.Case()))
        return await requests.once(self._database, request, kind, act, now)

    async def _record(
        self,
        session: AsyncSession,
        request: Told,
        occurred: datetime,
        now: datetime,
        check: Callable[[CaseFile], None] = lambda file: None,
    ) -> pb.Case:
        living = await persons.living(session, request.nominal_id)
        await lock(session, living)
        person, file = await self._file(session, living)
        check(file)
        caller = identity.current()
        name = f"{request.DESCRIPTOR.name}/{caller.subject}/{request.request_id}"
        entry = Entry(name, request, occurred, now)
        # It stays with the nominal that it was said of, should the merge be taken back.
        await facts.record(session, entry, nominal_id=request.nominal_id)
        case = await self._settler.settle(session, person.nominal_id, now)
        assert case is not None, "the person is there"
        return case

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
            told = await addresses.locate(session, request, _day(request.release_date), now)
        living = await persons.living(session, request.nominal_id)
        await lock(session, living)
        person, file = await self._file(session, living)
        plan, out = file.planned, file.discharge(_day(request.release_date))
        if plan is not None and request.date_alone:
            if plan.release == out:
                known = person.to_proto(now)
                return pb.PlanReleaseResponse(case=known, unchanged=True, release_date=days.proto(out))
            told = _redated(file, request)
            told.ocu = plan.area
        case = await self._record(session, told, now, now)
        return pb.PlanReleaseResponse(case=case, release_date=days.proto(out))

    async def _found(self, session: AsyncSession, identifier: person_pb2.Identifier) -> tuple[str, CaseFile]:
        try:
            value = identifiers.canonical(identifier.kind, identifier.value)
        except identifiers.Malformed as malformed:
            raise Invalid("identifier", str(malformed)) from None
        nominal_id = await persons.holder(session, identifier.kind, value)
        if nominal_id is None:
            raise NotFound("nobody who was ever on the register has this identifier")
        return nominal_id, (await self._file(session, nominal_id))[1]

    async def _file(self, session: AsyncSession, nominal_id: str) -> tuple[Person, CaseFile]:
        person = await persons.person(session, nominal_id)
        if person is None:
            raise NotFound("nobody who was ever on the register has this nominal id")
        return person, await self._settler.file(session, person)

    def _refuse_unknown_caller(self) -> None:
        """Who manages cases for the police does so for an OCU that there is, or was."""
        caller = identity.current()
        if caller.role == OWNER and caller.organisation not in self._reference.ids("ocus"):
            raise Denied(f"{caller.organisation!r} is no OCU that the reference data knows")

    def _refuse_unknown_area(self, area: str) -> None:
        now = self._clock.now()
        if not any(self._reference.row(table, area, at=now) for table in PLACES):
            raise Invalid("ocu", UNKNOWN_AREA)

    def _refuse_unknown_ocu(self, ocu: str) -> None:
        if self._reference.row("ocus", ocu, at=self._clock.now()) is None:
            raise Invalid("ocu", "is no OCU that the reference data knows")


def _time(request: Message, field: str, time: Timestamp) -> datetime | None:
    return time.ToDatetime(UTC) if request.HasField(field) else None


def _refuse_partial(day: Date, field: str) -> None:
    if not (day.year and day.month and day.day):
        raise Invalid(field, "needs its year, month and day")


def _redated(file: CaseFile, request: pb.PlanReleaseRequest) -> pb.PlanReleaseRequest:
    """All that was planned before, on another day."""
    told, before = pb.PlanReleaseRequest(), file.last(pb.PlanReleaseRequest)
    if before is not None:
        told.CopyFrom(before[1])
    told.MergeFrom(request)
    return told


def _day(given: Date) -> date:
    return date(given.year, given.month, given.day)


def _token(page_token: str) -> int:
    if page_token and not (page_token.isascii() and page_token.isdigit() and len(page_token) < 19):
        raise Invalid("page_token", "is not one that this service has given")
    return int(page_token or 0)
