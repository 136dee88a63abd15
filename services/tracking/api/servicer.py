"""What the RPCs of every subject share: a case is found, told something, and answered with."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias, TypeVar

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceServicer
from services.people import identifiers
from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Denied, Invalid, NotFound
from services.runtime.reference import Reference
from services.tracking.casefile import CaseFile, Entry
from services.tracking.letters import Letters
from services.tracking.loading import Loading
from services.tracking.models import Person, requests
from services.tracking.months import Months
from services.tracking.notices import OWNER
from services.tracking.replay import Replay
from services.tracking.reviews import Reviews
from services.tracking.settle import Settler
from services.tracking.store import facts, persons
from services.tracking.take import Taking
from services.tracking.watch import Board

PLACES = ("ocus", "outside_areas")
UNKNOWN_AREA = "is no OCU, and no area outside, that the reference data knows"

Reply = TypeVar("Reply", bound=Message)

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


class Servicer(TrackingServiceServicer):
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

    def _refuse_unknown_ocu(self, ocu: str) -> None:
        if self._reference.row("ocus", ocu, at=self._clock.now()) is None:
            raise Invalid("ocu", "is no OCU that the reference data knows")
