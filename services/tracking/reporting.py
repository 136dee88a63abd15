"""Many movements at once: what is refused is reported, and the rest goes on."""

from collections.abc import AsyncIterator

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import validation
from services.runtime.database import Database
from services.runtime.errors import Invalid
from services.tracking.take import Fate, Taking, numbers

# One transaction; a movement costs far less in it than alone.
BATCH = 200
MOST_TOLD = 1_000
RECORDED, REPEATED, PARKED = (
    pb.MOVEMENT_FATE_RECORDED,
    pb.MOVEMENT_FATE_REPEATED,
    pb.MOVEMENT_FATE_PARKED,
)


class Report:
    def __init__(self, database: Database, taking: Taking) -> None:
        self._database = database
        self._taking = taking
        self._fates: dict[Fate, int] = {}
        self._refused = 0
        self._refusals: list[pb.MovementRefusal] = []

    async def run(self, requests: AsyncIterator[pb.ReportMovementsRequest]) -> pb.ReportMovementsResponse:
        batch: list[pb.ReportMovementsRequest] = []
        async for request in requests:
            if self._readable(request):
                batch.append(request)
            if len(batch) == BATCH:
                await self._take(batch)
                batch.clear()
        await self._take(batch)
        return self._response()

    def _readable(self, request: pb.ReportMovementsRequest) -> bool:
        try:
            validation.check(request)
            self._taking.canonical(request.movement)
        except Invalid as invalid:
            self._refuse(request.line, invalid)
            return False
        return True

    async def _take(self, batch: list[pb.ReportMovementsRequest]) -> None:
        concerned = [number for request in batch for number in numbers(request.movement)]
        async with self._database.transaction() as session:
            await self._taking.hold(session, concerned, ())
            fates = await self._taking.movements(session, [request.movement for request in batch])
        for fate in fates:
            self._fates[fate] = self._fates.get(fate, 0) + 1

    def _refuse(self, line: int, invalid: Invalid) -> None:
        self._refused += 1
        if len(self._refusals) < MOST_TOLD:
            self._refusals.append(pb.MovementRefusal(line=line, field=invalid.field, rule=invalid.rule))

    def _response(self) -> pb.ReportMovementsResponse:
        return pb.ReportMovementsResponse(
            recorded=self._fates.get(RECORDED, 0),
            repeated=self._fates.get(REPEATED, 0),
            parked=self._fates.get(PARKED, 0),
            refused=self._refused,
            refusals=self._refusals,
        )
