"""The RPCs of custody."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceServicer
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import details, referrals, routing, store, verdicts
from services.custody.check import Checker, Decided
from services.custody.ledger import Ledger, Question
from services.custody.models import (
    Decision,
    Detention,
    DrugTest,
    DrugTestCorrection,
    Verdict,
    due,
    requests,
    timestamp,
)
from services.custody.recheck import LOOK_AGAIN
from services.custody.record import Records, take
from services.custody.routing import Referral
from services.custody.verdicts import Asked
from services.custody.watch import Board
from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Illegal, Invalid
from services.runtime.reference import Reference
from services.runtime.rpc import Context

# The replies that hold a custody record with its answer.
R = TypeVar("R", pb.BookInResponse, pb.IdentifyDetaineeResponse, pb.ConfirmMatchResponse)

_BASES = {
    screening_pb2.IDENTITY_BASIS_FINGERPRINT: True,
    screening_pb2.IDENTITY_BASIS_IDENTIFIER: False,
}


class Custody(CustodyServiceServicer):
    def __init__(
        self,
        database: Database,
        checker: Checker,
        ledger: Ledger,
        records: Records,
        board: Board,
        reference: Reference,
        clock: Clock,
    ) -> None:
        self._database = database
        self._checker = checker
        self._ledger = ledger
        self._records = records
        self._board = board
        self._reference = reference
        self._clock = clock

    async def CheckPerson(self, request: pb.CheckPersonRequest, context: Context) -> pb.CheckPersonResponse:
        now = self._clock.now()
        self._refuse_unknown_offences(request.offence_codes, now)
        asked = Asked(details.canonical(request.person, now.date()), request.fingerprint)
        offences = tuple(request.offence_codes)
        question = Question(asked, request.suite_id, request.purpose, identity.current(), offences)
        decided = await self._checker.decide(question, context.time_remaining())
        await self._ledger.keep(decided.row)
        return pb.CheckPersonResponse(answer=decided.answer)

    async def BookIn(self, request: pb.BookInRequest, context: Context) -> pb.BookInResponse:
        now = self._clock.now()
        _refuse_other_suite(self._checker.suite(request.suite_id).id)
        detention = self._booking(request, now)
        decided = await self._decide(detention, detention.asked, context)

        async def act(session: AsyncSession) -> Detention:
            take(detention, Decision(**decided.row))
            await self._records.open(session, detention, now)
            return detention

        return await self._once(request, pb.BookInResponse, act, context)

    async def IdentifyDetainee(
        self, request: pb.IdentifyDetaineeRequest, context: Context
    ) -> pb.IdentifyDetaineeResponse:
        learnt = details.canonical_identifiers(request.identifiers)
        before = await self._own(request.detention_id)
        _learn(before, learnt, request.fingerprint)
        decided = await self._decide(before, before.asked, context)

        async def act(session: AsyncSession) -> Detention:
            detention = await store.locked(session, request.detention_id)
            _learn(detention, learnt, request.fingerprint)
            await self._answer(session, detention, decided, before, context)
            return detention

        return await self._once(request, pb.IdentifyDetaineeResponse, act, context)

    async def ConfirmMatch(
        self, request: pb.ConfirmMatchRequest, context: Context
    ) -> pb.ConfirmMatchResponse:
        if request.identity_basis not in _BASES:
            raise Invalid("identity_basis", "a verdict rests on FINGERPRINT or IDENTIFIER")
        before = await self._own(request.detention_id)
        _refuse_stranger(before, request.nominal_id)
        verdict = self._verdict(request)
        asked = verdicts.asked(before.details(), before.fingerprints, [*before.said, verdict.to_said()])
        decided = await self._decide(before, asked, context)

        async def act(session: AsyncSession) -> Detention:
            detention = await store.locked(session, request.detention_id)
            _refuse_unfounded(detention, request)
            detention.verdicts.append(verdict)
            await self._answer(session, detention, decided, before, context)
            decided_time = self._clock.now()
            await self._records.tell(session, pb.SUITE_EVENT_KIND_MATCH_DECIDED, detention, decided_time)
            return detention

        return await self._once(request, pb.ConfirmMatchResponse, act, context)

    async def RecordDrugTest(
        self, request: pb.RecordDrugTestRequest, context: Context
    ) -> pb.RecordDrugTestResponse:
        now = self._clock.now()
        if (request.result == pb.TEST_RESULT_POSITIVE) != bool(request.drug):
            raise Invalid("drug", "is given with a positive result, and only with one")

        async def act(session: AsyncSession) -> pb.RecordDrugTestResponse:
            detention = await self._tested(session, request)
            after = detention.arrested_time
            tested = _moment("tested_time", request.tested_time, not_before=after, not_after=now)
            if detention.drug_test is None:
                detention.drug_test = _drug_test(request, detention, tested, now)
            else:
                _correct(detention, detention.drug_test, request, tested, now)
            await self._records.test(session, detention, now)
            return pb.RecordDrugTestResponse(drug_test=detention.to_proto().drug_test)

        return await requests.once(self._database, request, pb.RecordDrugTestResponse, act, now)

    async def RecordDisposal(
        self, request: pb.RecordDisposalRequest, context: Context
    ) -> pb.RecordDisposalResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.RecordDisposalResponse:
            detention = await self._in_suite(session, request.detention_id)
            after = detention.arrested_time
            disposed = _moment("disposed_time", request.disposed_time, not_before=after, not_after=now)
            await self._records.dispose(session, detention, request.disposal, disposed, now)
            return pb.RecordDisposalResponse(detention=detention.to_proto())

        return await requests.once(self._database, request, pb.RecordDisposalResponse, act, now)

    async def ListReferrals(
        self, request: pb.ListReferralsRequest, context: Context
    ) -> pb.ListReferralsResponse:
        if request.route == pb.REFERRAL_ROUTE_NONE:
            raise Invalid("route", "NONE is no referral")
        caller, now = identity.current(), self._clock.now()
        scope = referrals.scope(self._reference, caller.role, caller.organisation, request.route, now)
        route = pb.ReferralRoute.Name(request.route)
        async with self._database.transaction() as session:
            found = await store.referrals(session, route, scope.suites, left_unknown=scope.left_unknown)
        return pb.ListReferralsResponse(referrals=[_referral(*row) for row in found])

    async def ListDetentions(
        self, request: pb.ListDetentionsRequest, context: Context
    ) -> pb.ListDetentionsResponse:
        self._checker.suite(request.suite_id)
        async with self._database.transaction() as session:
            found = await store.open_detentions(session, request.suite_id)
        return pb.ListDetentionsResponse(detentions=[each.to_proto() for each in found])

    async def WatchSuite(
        self, request: pb.WatchSuiteRequest, context: Context
    ) -> AsyncIterator[pb.WatchSuiteResponse]:
        self._checker.suite(request.suite_id)
        if request.after_number < 0:
            raise Invalid("after_number", "is the number of an event, or 0")
        async for event in self._board.follow(request.suite_id, request.after_number):
            yield event

    # ---- what the methods share

    async def _once(
        self,
        request: Message,
        reply: type[R],
        act: Callable[[AsyncSession], Awaitable[Detention]],
        context: Context,
    ) -> R:
        """As `requests.once`, but a repeat has a fresh check, of all that has become known since."""
        caller = identity.current()
        async with self._database.transaction() as session:
            first = await requests.begin(session, caller, request, reply, self._clock.now())
            if first is not None:
                detention = await self._again(session, first.detention.detention_id, context)
                return reply(detention=detention.to_proto())
            detention = await act(session)
            await self._look_again(session, detention)
            response = reply(detention=detention.to_proto())
            await requests.end(session, caller, request, response)
        return response

    async def _again(self, session: AsyncSession, detention_id: str, context: Context) -> Detention:
        detention = await store.locked(session, detention_id)
        decided = await self._decide(detention, detention.asked, context)
        await self._records.answer(session, detention, decided.row, self._clock.now())
        await self._look_again(session, detention)
        return detention

    async def _answer(
        self,
        session: AsyncSession,
        detention: Detention,
        decided: Decided,
        before: Detention,
        context: Context,
    ) -> None:
        """`decided`: what was found out by `before`, the record as it was when the register was asked."""
        if detention.decision_id != before.decision_id:
            # Answered since: what is decided now hangs on all that was entered, and is no older than that.
            decided = await self._decide(detention, detention.asked, context)
        await self._records.answer(session, detention, decided.row, self._clock.now(), reidentified=True)

    async def _decide(self, detention: Detention, asked: Asked, context: Context) -> Decided:
        """Asked before the transaction opens, where nothing is repeated and nobody else enters anything."""
        question = Question(
            asked,
            detention.suite_id,
            policy_pb2.PURPOSE_ARREST,
            identity.current(),
            detention_id=detention.detention_id,
        )
        return await self._checker.decide(question, context.time_remaining())

    def _booking(self, request: pb.BookInRequest, now: datetime) -> Detention:
        person = details.canonical(request.person, now.date())
        self._refuse_unknown_offences(request.offence_codes, now)
        return Detention(
            detention_id=str(uuid.uuid4()),
            suite_id=request.suite_id,
            person=person.SerializeToString(),
            fingerprints=[each.value for each in person.identifiers if request.fingerprint],
            arrested_time=_moment("arrested_time", request.arrested_time, not_after=now),
            booked_time=now,
            booked_by=identity.current().subject,
            offence_codes=list(request.offence_codes),
            # Said to be empty, for nothing is loaded unasked.
            drug_test=None,
            verdicts=[],
            instructions=b"",
            elsewhere=[],
        )

    def _verdict(self, request: pb.ConfirmMatchRequest) -> Verdict:
        return Verdict(
            nominal_id=request.nominal_id,
            same_person=request.verdict == pb.MATCH_VERDICT_SAME_PERSON,
            fingerprint=_BASES[request.identity_basis],
            decided_by=identity.current().subject,
            recorded_time=self._clock.now(),
            reason=request.reason,
        )

    def _refuse_unknown_offences(self, codes: Iterable[str], now: datetime) -> None:
        for code in codes:
            if self._reference.row("offences", code, at=now) is None:
                known = ", ".join(sorted(row.id for row in self._reference.rows("offences", at=now)))
                raise Invalid(
                    "offence_codes", f"{code} is no offence that the reference data knows: these are {known}"
                )

    async def _own(self, detention_id: str) -> Detention:
        async with self._database.transaction() as session:
            detention = await store.detention(session, detention_id)
        _refuse_other_suite(detention.suite_id)
        return detention

    async def _in_suite(self, session: AsyncSession, detention_id: str) -> Detention:
        detention = await store.locked(session, detention_id)
        _refuse_other_suite(detention.suite_id)
        if not detention.open:
            raise Illegal("DISPOSED", "this custody record is closed")
        return detention

    async def _tested(self, session: AsyncSession, request: pb.RecordDrugTestRequest) -> Detention:
        """The custody record whose test this is; with a reason, one that is closed too."""
        detention = await store.locked(session, request.detention_id)
        _refuse_other_suite(detention.suite_id)
        if not detention.open and not request.reason:
            raise Illegal("DISPOSED", "this custody record is closed")
        if detention.drug_test is not None and not request.reason:
            raise Conflict("this person has been tested in this detention: a correction needs a reason")
        if detention.drug_test is None and request.reason:
            raise Invalid("reason", "is given with a correction, and no test has been recorded")
        return detention

    async def _look_again(self, session: AsyncSession, detention: Detention) -> None:
        await due.put(session, store.RECHECK, detention.detention_id, self._clock.now() + LOOK_AGAIN)


def _refuse_other_suite(suite_id: str) -> None:
    """What happens to somebody in a suite is that suite's to record; it is anybody's to ask."""
    if identity.current().organisation != suite_id:
        raise Illegal("OTHER_SUITE", f"this is suite {suite_id}'s to record")


def _moment(
    field: str, time: Timestamp, *, not_after: datetime, not_before: datetime | None = None
) -> datetime:
    moment = time.ToDatetime(UTC)
    if moment > not_after:
        raise Invalid(field, "lies in the future")
    if not_before is not None and moment < not_before:
        raise Invalid(field, "lies before the arrest")
    return moment


def _learn(detention: Detention, learnt: Iterable[person_pb2.Identifier], fingerprint: bool) -> None:
    """Adds identifiers to those the custody record has."""
    new, person = list(learnt), detention.details()
    known = details.canonical_identifiers([*person.identifiers, *new])
    del person.identifiers[:]
    person.identifiers.extend(known)
    detention.person = person.SerializeToString()
    if fingerprint:
        detention.fingerprints = sorted({*detention.fingerprints, *(each.value for each in new)})


def _refuse_stranger(detention: Detention, nominal_id: str) -> None:
    """What was said of a nominal can be corrected, also once it is no candidate any more."""
    if nominal_id not in {*detention.candidates, *(each.nominal_id for each in detention.verdicts)}:
        raise Invalid("nominal_id", "is no candidate of this custody record's latest answer")


def _refuse_unfounded(detention: Detention, request: pb.ConfirmMatchRequest) -> None:
    """Who was said to be somebody, or not, may have been told; what takes that back says why."""
    same = request.verdict == pb.MATCH_VERDICT_SAME_PERSON
    corrects = verdicts.contradicts(detention.said, request.nominal_id, same_person=same)
    if corrects and not request.reason.strip():
        raise Invalid("reason", "is required where this contradicts what was said before")
    if request.reason and not corrects:
        raise Invalid("reason", "is given with a correction, and this contradicts nothing said before")


def _drug_test(
    request: pb.RecordDrugTestRequest, detention: Detention, tested_time: datetime, now: datetime
) -> DrugTest:
    outcome = detention.decision.to_proto().screening.outcome
    return DrugTest(
        test_id=str(uuid.uuid4()),
        suite_id=detention.suite_id,
        result=pb.TestResult.Name(request.result),
        drug=pb.Drug.Name(request.drug),
        tested_time=tested_time,
        tested_by=identity.current().subject,
        recorded_time=now,
        route=pb.ReferralRoute.Name(routing.route(request.result, outcome)),
        referred_time=now,
        status_not_known=False,
        # Said to be empty, for nothing is loaded unasked.
        corrections=[],
    )


def _correct(
    detention: Detention,
    test: DrugTest,
    request: pb.RecordDrugTestRequest,
    tested_time: datetime,
    now: datetime,
) -> None:
    """Makes the test what it should have been recorded as, and keeps what had been."""
    test.corrections.append(_correction(test, request.reason, now))
    outcome = detention.decision.to_proto().screening.outcome
    route = pb.ReferralRoute.Value(test.route)
    referral = routing.correct(
        Referral(route, test.status_not_known), request.result, outcome, here=detention.open
    )
    test.result = pb.TestResult.Name(request.result)
    test.drug = pb.Drug.Name(request.drug)
    test.tested_time, test.recorded_time = tested_time, now
    test.tested_by = identity.current().subject
    if referral.route != route:
        test.referred_time = now
    test.route, test.status_not_known = pb.ReferralRoute.Name(referral.route), referral.status_not_known


def _correction(test: DrugTest, reason: str, now: datetime) -> DrugTestCorrection:
    return DrugTestCorrection(
        result=test.result,
        drug=test.drug,
        tested_time=test.tested_time,
        tested_by=test.tested_by,
        corrected_by=identity.current().subject,
        recorded_time=now,
        reason=reason,
    )


def _referral(test: DrugTest, person: bytes) -> pb.Referral:
    return pb.Referral(
        drug_test=test.to_proto(),
        person=person_pb2.Person.FromString(person),
        status_not_known=test.status_not_known,
        referred_time=timestamp(test.referred_time),
    )
