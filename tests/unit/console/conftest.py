"""The command as a person runs it, and services of the real contracts that answer what a test tells them."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import grpc
import pytest
import structlog
from casework.v1 import casework_pb2 as casework
from casework.v1 import casework_pb2_grpc
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from deploy.embedded.keys import Keys
from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1 import custody_pb2_grpc
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1 import flagging_pb2_grpc
from ppo.flagging.v1 import roll_pb2 as roll
from ppo.person.v1 import screening_pb2 as screening
from ppo.returns.v1 import returns_pb2 as returns
from ppo.returns.v1 import returns_pb2_grpc
from ppo.tracking.v1 import movement_pb2 as movement
from ppo.tracking.v1 import tracking_pb2 as tracking
from ppo.tracking.v1 import tracking_pb2_grpc
from services.console import session
from services.console.__main__ import main
from services.runtime import identity, rpc, validation
from services.runtime.errors import Invalid, NotFound, Refusal
from services.runtime.server import Server
from services.runtime.settings import Address

Run = Callable[..., "Ran"]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Custody(custody_pb2_grpc.CustodyServiceServicer):
    """Answers every RPC with the detention it holds, which has the answer it holds."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer = custody.Answer()
        self.refusal: Refusal | None = None
        self.events: list[custody.WatchSuiteResponse] = []

    async def CheckPerson(
        self, request: custody.CheckPersonRequest, context: object
    ) -> custody.CheckPersonResponse:
        self._ask(request)
        return custody.CheckPersonResponse(answer=self.answer)

    async def BookIn(self, request: custody.BookInRequest, context: object) -> custody.BookInResponse:
        self._ask(request)
        return custody.BookInResponse(detention=self.detention(request.person))

    async def ConfirmMatch(
        self, request: custody.ConfirmMatchRequest, context: object
    ) -> custody.ConfirmMatchResponse:
        self._ask(request)
        return custody.ConfirmMatchResponse(detention=self.detention())

    async def RecordDrugTest(
        self, request: custody.RecordDrugTestRequest, context: object
    ) -> custody.RecordDrugTestResponse:
        self._ask(request)
        test = custody.DrugTest(
            suite_id="D3",
            result=request.result,
            drug=request.drug,
            route=custody.REFERRAL_ROUTE_PPO_DRUG_TEAM,
        )
        return custody.RecordDrugTestResponse(drug_test=test)

    async def ListDetentions(
        self, request: custody.ListDetentionsRequest, context: object
    ) -> custody.ListDetentionsResponse:
        if request.suite_id == "ZZ":
            raise Invalid("suite_id", "is no custody suite that the reference data knows")
        return custody.ListDetentionsResponse()

    async def WatchSuite(
        self, request: custody.WatchSuiteRequest, context: object
    ) -> AsyncIterator[custody.WatchSuiteResponse]:
        self._ask(request)
        for event in self.events:
            if event.number > request.after_number:
                yield event
        raise Invalid("suite_id", "the test's watch has an end")

    def detention(self, person: Any = None) -> custody.Detention:
        return custody.Detention(detention_id="detention-1", suite_id="D3", person=person, answer=self.answer)

    def _ask(self, request: Message) -> None:
        self.asked.append(request)
        if self.refusal is not None:
            raise self.refusal


class Flagging(flagging_pb2_grpc.FlaggingServiceServicer):
    """Takes every row that its contract allows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.sources: list[str] = []
        self.begin_after = 0
        self.breaks_off = 0
        self.found: list[flagging.FoundNominal] = []
        self.ppos: list[flagging.ListPposResponse] = []
        self.registration = flagging.GetRegistrationResponse()
        self.persistence: flagging.Persistence | None = None
        self.lines: list[roll.ScreenRollRequest] = []
        # By prison number; whoever has none here is no PPO.
        self.prisoners: dict[str, roll.RollAnswer] = {}
        self.matches: list[roll.PrisonMatch] = []
        self.asked: list[Any] = []
        # By the identifier asked for: the nominal that has it, where that lives on in another.
        self.merged: dict[str, str] = {}
        # Whose an identifier is; empty: nobody's.
        self.nominal_ids: dict[str, str] = {}
        # Of a nominal; None: there never was one.
        self.registrations: dict[str, flagging.Registration | None] = {}

    async def LoadNominals(
        self, request: AsyncIterator[flagging.LoadNominalsRequest], context: Any
    ) -> AsyncIterator[flagging.LoadNominalsResponse]:
        """Keeps no more than how far it came, for a stream that begins again."""
        first = await anext(request)
        self.sources.append(first.source)
        report = flagging.ImportReport()
        refusals: list[flagging.RowRefusal] = []
        yield flagging.LoadNominalsResponse(last_line=self.begin_after)
        async for batch in request:
            if self.breaks_off:
                self.breaks_off -= 1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            assert (batch.request_id, batch.source) == (first.request_id, first.source)
            refusals += [*batch.unreadable, *self._refused(batch.rows)]
            report.created, report.refused = len(self.rows), len(refusals)
            self.begin_after = batch.last_line
            yield flagging.LoadNominalsResponse(last_line=batch.last_line, report=report)
        for at in range(0, len(refusals) or 1, 1_000):
            told = flagging.ImportReport(created=report.created, refused=report.refused)
            told.refusals.extend(sorted(refusals, key=lambda one: one.line)[at : at + 1_000])
            yield flagging.LoadNominalsResponse(last_line=self.begin_after, report=told, ended=True)

    def _refused(self, rows: Iterable[flagging.NominalRow]) -> Iterator[flagging.RowRefusal]:
        for row in rows:
            try:
                validation.check(row)
            except Invalid as refusal:
                yield flagging.RowRefusal(line=row.line, field=refusal.field, rule=refusal.rule)
            else:
                self.rows.append(row)

    async def ImportRegistrations(
        self, request: AsyncIterator[flagging.ImportRegistrationsRequest], context: object
    ) -> flagging.ImportRegistrationsResponse:
        return flagging.ImportRegistrationsResponse(report=await self._taken(request))

    async def _taken(self, rows: AsyncIterator[Any]) -> flagging.ImportReport:
        report = flagging.ImportReport()
        async for row in rows:
            try:
                validation.check(row)
            except Invalid as refusal:
                report.refused += 1
                report.refusals.add(line=row.line, field=refusal.field, rule=refusal.rule)
            else:
                self.rows.append(row)
                report.created += 1
        return report

    async def SearchNominals(
        self, request: flagging.SearchNominalsRequest, context: object
    ) -> flagging.SearchNominalsResponse:
        self.asked.append(request)
        return flagging.SearchNominalsResponse(found=self.found)

    async def GetNominal(
        self, request: flagging.GetNominalRequest, context: object
    ) -> flagging.GetNominalResponse:
        self.asked.append(request)
        merged = self.merged.get(request.identifier.value, "")
        nominal_id = self.nominal_ids.get(request.identifier.value, "nominal-1")
        if not nominal_id:
            raise NotFound("no nominal has this identifier")
        return flagging.GetNominalResponse(
            nominal=flagging.Nominal(nominal_id=nominal_id), merged_nominal_id=merged
        )

    async def MergeNominals(
        self, request: flagging.MergeNominalsRequest, context: object
    ) -> flagging.MergeNominalsResponse:
        self.asked.append(request)
        return flagging.MergeNominalsResponse(
            nominal=flagging.Nominal(nominal_id=request.into_nominal_id),
            merged_registration=flagging.Registration(registration_id="registration-1"),
        )

    async def UnmergeNominals(
        self, request: flagging.UnmergeNominalsRequest, context: object
    ) -> flagging.UnmergeNominalsResponse:
        self.asked.append(request)
        return flagging.UnmergeNominalsResponse(
            nominal=flagging.Nominal(nominal_id=request.nominal_id),
            other_nominal=flagging.Nominal(nominal_id="nominal-1"),
            restored_registrations=[
                flagging.Registration(
                    registration_id="registration-1", state=flagging.REGISTRATION_STATE_ACTIVE
                )
            ],
        )

    async def ScreenRoll(
        self, request: AsyncIterator[roll.ScreenRollRequest], context: object
    ) -> AsyncIterator[roll.ScreenRollResponse]:
        async for line in request:
            self.lines.append(line)
            if line.prison_number == "bad":
                refusal = roll.RollRefusal(field="prison_number", rule="its form is wrong")
                yield roll.ScreenRollResponse(line=line.line, refusal=refusal)
            else:
                none = roll.RollAnswer(outcome=screening.OUTCOME_NOT_FLAGGED)
                answer = self.prisoners.get(line.prison_number, none)
                answer.prison_number = line.prison_number
                yield roll.ScreenRollResponse(line=line.line, answer=answer)

    async def ListPrisonMatches(
        self, request: roll.ListPrisonMatchesRequest, context: object
    ) -> AsyncIterator[roll.ListPrisonMatchesResponse]:
        for match in self.matches:
            yield roll.ListPrisonMatchesResponse(match=match)

    async def ResolvePrisonMatch(
        self, request: roll.ResolvePrisonMatchRequest, context: object
    ) -> roll.ResolvePrisonMatchResponse:
        self.asked.append(request)
        link = roll.NUMBER_LINK_LINKED if request.nominal_id else roll.NUMBER_LINK_RULED_OUT
        return roll.ResolvePrisonMatchResponse(link=link)

    async def NominatePpo(
        self, request: flagging.NominatePpoRequest, context: object
    ) -> flagging.NominatePpoResponse:
        self.asked.append(request)
        registration = flagging.Registration(
            registration_id="registration-1", state=flagging.REGISTRATION_STATE_NOMINATED
        )
        return flagging.NominatePpoResponse(registration=registration, persistence=self.persistence)

    async def DecideNomination(
        self, request: flagging.DecideNominationRequest, context: object
    ) -> flagging.DecideNominationResponse:
        self.asked.append(request)
        return flagging.DecideNominationResponse(registration=self.registration.registration)

    async def GetRegistration(
        self, request: flagging.GetRegistrationRequest, context: object
    ) -> flagging.GetRegistrationResponse:
        self.asked.append(request)
        if request.nominal_id in self.registrations:
            if (one := self.registrations[request.nominal_id]) is None:
                raise NotFound("there is no such registration")
            return flagging.GetRegistrationResponse(registration=one)
        self.registration.as_of_time.CopyFrom(request.as_of_time)
        self.registration.known_at_time.GetCurrentTime()
        if request.HasField("known_at_time"):
            self.registration.known_at_time.CopyFrom(request.known_at_time)
        return self.registration

    async def ListPpos(
        self, request: flagging.ListPposRequest, context: object
    ) -> AsyncIterator[flagging.ListPposResponse]:
        self.asked.append(request)
        for one in self.ppos:
            yield one


class Tracking(tracking_pb2_grpc.TrackingServiceServicer):
    """Answers with what it holds, and takes every movement that its contract allows."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.callers: list[identity.Caller] = []
        self.moved: list[movement.Movement] = []
        self.notices: list[tracking.SentNotice] = []
        self.deliveries: list[tracking.NoticeDelivery] = []
        self.journey = tracking.Journey()
        self.ownership = tracking.Ownership()
        self.explained = tracking.ExplainOwnershipResponse()
        self.contacts: dict[str, tracking.Contact] = {}
        self.planned: dict[str, Date] = {}
        self.released: Date | None = None
        self.reviews: list[tracking.Review] = []
        self.caseloads: list[tracking.Caseload] = []
        self.disputes: list[tracking.DisputedCase] = []
        self.areas = tracking.LoadAreasResponse()
        self.found = tracking.SearchAreasResponse()
        self.versions: list[tracking.AreaVersion] = []
        self.refusal: Refusal | None = None

    async def SetResidence(
        self, request: tracking.SetResidenceRequest, context: object
    ) -> tracking.SetResidenceResponse:
        self._ask(request)
        return tracking.SetResidenceResponse(case=tracking.Case(ownership=self.ownership))

    async def AssignManagers(
        self, request: tracking.AssignManagersRequest, context: object
    ) -> tracking.AssignManagersResponse:
        self._ask(request)
        case = tracking.Case(
            police_manager=request.police, probation_manager=request.probation, lead=tracking.LEAD_POLICE
        )
        return tracking.AssignManagersResponse(case=case)

    async def LoadAreas(
        self, requests: AsyncIterator[tracking.LoadAreasRequest], context: object
    ) -> tracking.LoadAreasResponse:
        async for request in requests:
            self._ask(request)
        return self.areas

    async def SearchAreas(
        self, request: tracking.SearchAreasRequest, context: object
    ) -> tracking.SearchAreasResponse:
        self._ask(request)
        return self.found

    async def ListAreaVersions(
        self, request: tracking.ListAreaVersionsRequest, context: object
    ) -> tracking.ListAreaVersionsResponse:
        self._ask(request)
        return tracking.ListAreaVersionsResponse(versions=self.versions)

    async def RaiseDispute(
        self, request: tracking.RaiseDisputeRequest, context: object
    ) -> tracking.RaiseDisputeResponse:
        self._ask(request)
        return tracking.RaiseDisputeResponse(case=tracking.Case(ownership=self.ownership))

    async def DecideDispute(
        self, request: tracking.DecideDisputeRequest, context: object
    ) -> tracking.DecideDisputeResponse:
        self._ask(request)
        return tracking.DecideDisputeResponse(case=tracking.Case(ownership=self.ownership))

    async def ListDisputes(
        self, request: tracking.ListDisputesRequest, context: object
    ) -> tracking.ListDisputesResponse:
        self._ask(request)
        return tracking.ListDisputesResponse(disputes=self.disputes)

    async def ListCaseloads(
        self, request: tracking.ListCaseloadsRequest, context: object
    ) -> tracking.ListCaseloadsResponse:
        self._ask(request)
        return tracking.ListCaseloadsResponse(caseloads=self.caseloads)

    async def ReportMovements(
        self, request: AsyncIterator[tracking.ReportMovementsRequest], context: object
    ) -> tracking.ReportMovementsResponse:
        response = tracking.ReportMovementsResponse()
        async for row in request:
            try:
                validation.check(row)
            except Invalid as refusal:
                response.refused += 1
                response.refusals.add(line=row.line, field=refusal.field, rule=refusal.rule)
            else:
                self.moved.append(row.movement)
                response.recorded += 1
        return response

    async def GetJourney(
        self, request: tracking.GetJourneyRequest, context: object
    ) -> tracking.GetJourneyResponse:
        self._ask(request)
        return tracking.GetJourneyResponse(journey=self.journey)

    async def RecordStage(
        self, request: tracking.RecordStageRequest, context: object
    ) -> tracking.RecordStageResponse:
        self._ask(request)
        return tracking.RecordStageResponse(journey=self.journey)

    async def RecordTenancy(
        self, request: tracking.RecordTenancyRequest, context: object
    ) -> tracking.RecordTenancyResponse:
        self._ask(request)
        return tracking.RecordTenancyResponse()

    async def ExplainOwnership(
        self, request: tracking.ExplainOwnershipRequest, context: object
    ) -> tracking.ExplainOwnershipResponse:
        self._ask(request)
        return self.explained

    async def ListContacts(
        self, request: tracking.ListContactsRequest, context: object
    ) -> tracking.ListContactsResponse:
        self._ask(request)
        found = (self.contacts.get(one.nominal_id, tracking.Contact()) for one in request.persons)
        return tracking.ListContactsResponse(contacts=found)

    async def PlanRelease(
        self, request: tracking.PlanReleaseRequest, context: object
    ) -> tracking.PlanReleaseResponse:
        self._ask(request)
        if request.date_alone and request.nominal_id not in self.contacts:
            raise NotFound("nobody who was ever on the register has this nominal id")
        unchanged = request.date_alone and self.planned.get(request.nominal_id) == request.release_date
        self.planned[request.nominal_id] = request.release_date
        return tracking.PlanReleaseResponse(
            case=tracking.Case(ownership=self.ownership), unchanged=unchanged, release_date=self.released
        )

    async def ListReviews(
        self, request: tracking.ListReviewsRequest, context: object
    ) -> AsyncIterator[tracking.ListReviewsResponse]:
        self._ask(request)
        for review in self.reviews:
            yield tracking.ListReviewsResponse(review=review)

    async def ResolveReview(
        self, request: tracking.ResolveReviewRequest, context: object
    ) -> tracking.ResolveReviewResponse:
        self._ask(request)
        return tracking.ResolveReviewResponse(review=tracking.Review(resolution=request.resolution))

    async def WithdrawFact(
        self, request: tracking.WithdrawFactRequest, context: object
    ) -> tracking.WithdrawFactResponse:
        self._ask(request)
        return tracking.WithdrawFactResponse()

    async def RecordPrisonWork(
        self, request: tracking.RecordPrisonWorkRequest, context: object
    ) -> tracking.RecordPrisonWorkResponse:
        self._ask(request)
        return tracking.RecordPrisonWorkResponse()

    async def WatchNotices(
        self, request: tracking.WatchNoticesRequest, context: object
    ) -> AsyncIterator[tracking.WatchNoticesResponse]:
        self._ask(request)
        for sent in self.notices:
            if sent.number > request.after_number:
                yield tracking.WatchNoticesResponse(notice=sent)
        raise Invalid("after_number", "the test's watch has an end")

    async def AcknowledgeNotice(
        self, request: tracking.AcknowledgeNoticeRequest, context: object
    ) -> tracking.AcknowledgeNoticeResponse:
        self._ask(request)
        response = tracking.AcknowledgeNoticeResponse()
        response.acknowledged_time.FromJsonString("2004-12-31T21:00:00Z")
        return response

    async def TraceNotice(
        self, request: tracking.TraceNoticeRequest, context: object
    ) -> tracking.TraceNoticeResponse:
        self._ask(request)
        return tracking.TraceNoticeResponse(
            type=tracking.NOTICE_TYPE_PRISON_RECEPTION, deliveries=self.deliveries
        )

    async def CloseMonth(
        self, request: tracking.CloseMonthRequest, context: object
    ) -> tracking.CloseMonthResponse:
        self._ask(request)
        return tracking.CloseMonthResponse(
            return_id="return-1", revision=2, counts_sent=88, corrects_revision=1, cells_changed=3
        )

    async def CloseMonths(
        self, request: tracking.CloseMonthsRequest, context: object
    ) -> AsyncIterator[tracking.CloseMonthsResponse]:
        self._ask(request)
        yield tracking.CloseMonthsResponse(
            area="birmingham", closed=tracking.CloseMonthResponse(return_id="return-1", revision=1)
        )
        yield tracking.CloseMonthsResponse(
            area="walsall", reason="DOES_NOT_BALANCE", detail="M1 by sex: expected 3, found 2"
        )

    def _ask(self, request: Message) -> None:
        self.asked.append(request)
        self.callers.append(identity.current())
        if self.refusal is not None:
            raise self.refusal


class Casework(casework_pb2_grpc.CaseworkServiceServicer):
    """Takes every acknowledgement of a provider."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.callers: list[identity.Caller] = []

    async def AcknowledgeNotice(
        self, request: casework.AcknowledgeNoticeRequest, context: object
    ) -> casework.AcknowledgeNoticeResponse:
        self.asked.append(request)
        self.callers.append(identity.current())
        response = casework.AcknowledgeNoticeResponse()
        response.acknowledged_time.FromJsonString("2004-12-31T21:00:00Z")
        return response


class Returns(returns_pb2_grpc.ReturnsServiceServicer):
    """Has one return, of whatever month is asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.measures: list[returns.StreamHeadlineMeasuresResponse] = []
        self.parts: list[bytes] = []
        self.refusal: Refusal | None = None

    async def GetReturn(
        self, request: returns.GetReturnRequest, context: object
    ) -> returns.GetReturnResponse:
        self.asked.append(request)
        if self.refusal is not None:
            raise self.refusal
        return returns.GetReturnResponse(monthly_return=_return(request, returns.RETURN_STATE_CHECKED))

    async def SubmitReturn(
        self, request: returns.SubmitReturnRequest, context: object
    ) -> returns.SubmitReturnResponse:
        looked_at = self.asked[-1]
        self.asked.append(request)
        return returns.SubmitReturnResponse(monthly_return=_return(looked_at, returns.RETURN_STATE_SUBMITTED))

    async def StreamHeadlineMeasures(
        self, request: returns.StreamHeadlineMeasuresRequest, context: object
    ) -> AsyncIterator[returns.StreamHeadlineMeasuresResponse]:
        self.asked.append(request)
        for measure in self.measures:
            yield measure

    async def ExportReturn(
        self, request: returns.ExportReturnRequest, context: object
    ) -> AsyncIterator[returns.ExportReturnResponse]:
        self.asked.append(request)
        for part in self.parts:
            yield returns.ExportReturnResponse(part=part)


def _return(of: returns.GetReturnRequest, state: returns.ReturnState.ValueType) -> returns.Return:
    heading = returns.Heading(area=of.area, month=of.month)
    return returns.Return(return_id="return-1", revision=of.revision or 2, heading=heading, state=state)


class Served(NamedTuple):
    custody: Custody
    flagging: Flagging
    tracking: Tracking
    casework: Casework
    returns: Returns


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory in which nothing was started; the environment names nothing else."""
    targets = [f"PPO_{service.upper()}_TARGET" for service in session.PORTS]
    for name in ("PPO_TOKEN", "PPO_CA", "PPO_SUITE", "PPO_OCU", "PPO_PRISON", *targets):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PPO_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def served(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """All contracts behind the real gate; callers' tokens are signed with the key in the data directory."""
    # What a test does not call is not answered.
    servants = Served(Custody(), Flagging(), Tracking(), Casework(), Returns())  # type: ignore[abstract]
    port: SimpleQueue[int] = SimpleQueue()
    verifier = identity.Verifier(Keys(data / "secrets").verifying_key.read_bytes())
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(_serve(servants, verifier, port, stop),), daemon=True
    )
    thread.start()
    target = f"127.0.0.1:{port.get(timeout=10)}"
    for service in session.PORTS:
        monkeypatch.setenv(f"PPO_{service.upper()}_TARGET", target)
    # The services' log is not what the command writes.
    with structlog.testing.capture_logs():
        yield servants
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


async def _serve(
    servants: Served, verifier: identity.Verifier, port: SimpleQueue[int], stop: asyncio.Event
) -> None:
    contracts = [
        custody.DESCRIPTOR.services_by_name["CustodyService"],
        flagging.DESCRIPTOR.services_by_name["FlaggingService"],
        tracking.DESCRIPTOR.services_by_name["TrackingService"],
        returns.DESCRIPTOR.services_by_name["ReturnsService"],
    ]
    apart = [casework.DESCRIPTOR.services_by_name["CaseworkService"]]
    gate = rpc.Gate(verifier, contracts, apart)
    server = Server(Address("127.0.0.1", 0), gate, contracts, {}, frozenset())
    custody_pb2_grpc.add_CustodyServiceServicer_to_server(servants.custody, server.grpc)
    flagging_pb2_grpc.add_FlaggingServiceServicer_to_server(servants.flagging, server.grpc)
    tracking_pb2_grpc.add_TrackingServiceServicer_to_server(servants.tracking, server.grpc)
    casework_pb2_grpc.add_CaseworkServiceServicer_to_server(servants.casework, server.grpc)
    returns_pb2_grpc.add_ReturnsServiceServicer_to_server(servants.returns, server.grpc)
    await server.start(None)
    port.put(server.port)
    await stop.wait()
    await server.stop()


@pytest.fixture
def ppo(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, on a pipe."""

    def run(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
