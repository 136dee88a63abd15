"""The service's RPCs, one short method each."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.flagging.v1 import roll_pb2
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceServicer
from services.flagging import changes, fields, matches, merges, nominals, reading, steps
from services.flagging.changes import History
from services.flagging.imports.checking import Checker
from services.flagging.imports.loading import Loading
from services.flagging.imports.nominals import NominalImport
from services.flagging.imports.registrations import RegistrationImport
from services.flagging.index import People
from services.flagging.models import Registration, requests
from services.flagging.rolls import RollCall
from services.flagging.screening import Screening
from services.flagging.search import search
from services.flagging.store import registrations
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Illegal, NotFound
from services.runtime.reference import Reference
from services.runtime.rpc import Context

REFUSED = Counter(
    "ppo_flagging_refused_steps", "Steps that the rules of the register do not allow.", ["rule"]
)

Step = (
    pb.DecideNominationRequest
    | pb.PlanExitRequest
    | pb.CancelExitRequest
    | pb.RemovePpoRequest
    | pb.AnnulRegistrationRequest
)
Request = TypeVar("Request", bound=Step)
Reply = TypeVar(
    "Reply",
    pb.NominatePpoResponse,
    pb.DecideNominationResponse,
    pb.PlanExitResponse,
    pb.CancelExitResponse,
    pb.RemovePpoResponse,
    pb.AnnulRegistrationResponse,
)

Take = Callable[[History, Registration, Request, Reference], None]


class Flagging(FlaggingServiceServicer):
    def __init__(
        self,
        database: Database,
        clock: Clock,
        reference: Reference,
        screening: Screening,
        people: People,
        checker: Checker,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._screening = screening
        self._people = people
        self._checker = checker

    # The check.

    async def ScreenPerson(self, request: pb.ScreenPersonRequest, _: Context) -> pb.ScreenPersonResponse:
        given = nominals.canonical(request.person)
        answer = await self._screening.screen(given, fingerprint=request.fingerprint)
        return pb.ScreenPersonResponse(screening=answer)

    # The rolls of prisons.

    async def ScreenRoll(
        self, requests: AsyncIterator[roll_pb2.ScreenRollRequest], _: Context
    ) -> AsyncIterator[roll_pb2.ScreenRollResponse]:
        async for answer in RollCall(self._database, self._clock, self._screening, self._reference).run(
            requests
        ):
            yield answer

    async def ListPrisonMatches(
        self, request: roll_pb2.ListPrisonMatchesRequest, _: Context
    ) -> AsyncIterator[roll_pb2.ListPrisonMatchesResponse]:
        async with self._database.snapshot() as session:
            found = await matches.listed(session, self._screening)
        for match in found:
            yield roll_pb2.ListPrisonMatchesResponse(match=match)

    async def ResolvePrisonMatch(
        self, request: roll_pb2.ResolvePrisonMatchRequest, _: Context
    ) -> roll_pb2.ResolvePrisonMatchResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> roll_pb2.ResolvePrisonMatchResponse:
            return await matches.resolve(session, request, now)

        reply = roll_pb2.ResolvePrisonMatchResponse
        return await requests.once(self._database, request, reply, act, now)

    async def WithdrawPrisonNumber(
        self, request: roll_pb2.WithdrawPrisonNumberRequest, _: Context
    ) -> roll_pb2.WithdrawPrisonNumberResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> roll_pb2.WithdrawPrisonNumberResponse:
            return await matches.withdraw(session, request, now)

        reply = roll_pb2.WithdrawPrisonNumberResponse
        return await requests.once(self._database, request, reply, act, now)

    # Nominals.

    async def ImportNominals(
        self, requests: AsyncIterator[pb.ImportNominalsRequest], _: Context
    ) -> pb.ImportNominalsResponse:
        report = await NominalImport(self._database, self._clock).run(requests)
        return pb.ImportNominalsResponse(report=report)

    async def LoadNominals(
        self, requests: AsyncIterator[pb.LoadNominalsRequest], _: Context
    ) -> AsyncIterator[pb.LoadNominalsResponse]:
        with self._people.giving_way():
            async for response in Loading(self._database, self._clock, self._checker).run(requests):
                yield response

    async def GetNominal(self, request: pb.GetNominalRequest, _: Context) -> pb.GetNominalResponse:
        async with self._database.transaction() as session:
            return await reading.nominal(session, request, self._clock.now())

    async def SearchNominals(
        self, request: pb.SearchNominalsRequest, _: Context
    ) -> pb.SearchNominalsResponse:
        async with self._database.transaction() as session:
            return await search(session, self._people, request)

    async def MergeNominals(self, request: pb.MergeNominalsRequest, _: Context) -> pb.MergeNominalsResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.MergeNominalsResponse:
            living_id, ended = await merges.merge(session, request, now)
            return pb.MergeNominalsResponse(
                nominal=await reading.living(session, living_id),
                merged_registration=None if ended is None else ended.to_proto(now),
            )

        with _refusals():
            return await requests.once(self._database, request, pb.MergeNominalsResponse, act, now)

    async def UnmergeNominals(
        self, request: pb.UnmergeNominalsRequest, _: Context
    ) -> pb.UnmergeNominalsResponse:
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.UnmergeNominalsResponse:
            unmerged = await merges.unmerge(session, request, now)
            return pb.UnmergeNominalsResponse(
                nominal=await reading.living(session, unmerged.nominal_id),
                other_nominal=await reading.living(session, unmerged.living_id),
                restored_registrations=[row.to_proto(now) for row in unmerged.restored],
            )

        with _refusals():
            return await requests.once(self._database, request, pb.UnmergeNominalsResponse, act, now)

    # The register.

    async def NominatePpo(self, request: pb.NominatePpoRequest, _: Context) -> pb.NominatePpoResponse:
        nominal_id = nominals.own_id(request.nominal_id, "nominal_id")
        now = self._clock.now()

        async def act(session: AsyncSession) -> pb.NominatePpoResponse:
            history = (await changes.claim(session, [nominal_id], now)).get(nominal_id)
            if history is None:
                raise NotFound("there is no such nominal")
            row = steps.nominate(history, request, self._reference)
            await changes.conclude(session, [history])
            told = row.steps[0].to_proto()
            return pb.NominatePpoResponse(
                registration=row.to_proto(now),
                persistence=told.persistence if told.HasField("persistence") else None,
            )

        with _refusals():
            return await requests.once(self._database, request, pb.NominatePpoResponse, act, now)

    async def DecideNomination(
        self, request: pb.DecideNominationRequest, _: Context
    ) -> pb.DecideNominationResponse:
        return await self._step(request, pb.DecideNominationResponse, steps.decide)

    async def PlanExit(self, request: pb.PlanExitRequest, _: Context) -> pb.PlanExitResponse:
        return await self._step(request, pb.PlanExitResponse, steps.plan_exit)

    async def CancelExit(self, request: pb.CancelExitRequest, _: Context) -> pb.CancelExitResponse:
        return await self._step(request, pb.CancelExitResponse, steps.cancel_exit)

    async def RemovePpo(self, request: pb.RemovePpoRequest, _: Context) -> pb.RemovePpoResponse:
        return await self._step(request, pb.RemovePpoResponse, steps.remove)

    async def AnnulRegistration(
        self, request: pb.AnnulRegistrationRequest, _: Context
    ) -> pb.AnnulRegistrationResponse:
        return await self._step(request, pb.AnnulRegistrationResponse, steps.annul)

    async def ImportRegistrations(
        self, requests: AsyncIterator[pb.ImportRegistrationsRequest], _: Context
    ) -> pb.ImportRegistrationsResponse:
        report = await RegistrationImport(self._database, self._clock, self._reference).run(requests)
        return pb.ImportRegistrationsResponse(report=report)

    async def GetRegistration(
        self, request: pb.GetRegistrationRequest, _: Context
    ) -> pb.GetRegistrationResponse:
        async with self._database.snapshot() as session:
            return await reading.registration(session, request, self._clock.now())

    async def ListPpos(self, request: pb.ListPposRequest, _: Context) -> AsyncIterator[pb.ListPposResponse]:
        if request.nominating_ocu:
            fields.ocu_ever(self._reference, request.nominating_ocu)
        async with self._database.snapshot() as session:
            # Read to its end first: no transaction waits for a slow reader.
            found = [one async for one in reading.on_list(session, request, self._clock.now())]
        for one in found:
            yield one

    async def _step(self, request: Request, reply: type[Reply], take: Take[Request]) -> Reply:
        registration_id = nominals.own_id(request.registration_id, "registration_id")
        now = self._clock.now()

        async def act(session: AsyncSession) -> Reply:
            nominal_id = await registrations.nominal_of(session, registration_id)
            if nominal_id is None:
                raise NotFound("there is no such registration")
            history = (await changes.claim(session, [nominal_id], now))[nominal_id]
            row = history.row(registration_id)
            take(history, row, request, self._reference)
            await changes.conclude(session, [history])
            return reply(registration=row.to_proto(now))

        with _refusals():
            return await requests.once(self._database, request, reply, act, now)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Illegal as refusal:
        REFUSED.labels(refusal.rule).inc()
        raise
