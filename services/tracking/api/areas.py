"""Which area an address lies in."""

from collections.abc import AsyncIterator

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.rpc import Context
from services.tracking import addresses, days, serving
from services.tracking.api import given
from services.tracking.api.servicer import Servicer
from services.tracking.store import areas


class Areas(Servicer):
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
            given.refuse_partial(request.date, "date")
            on = given.day(request.date)
        place = addresses.address(request.postcode, request.premises)
        async with self._database.snapshot() as session:
            version, line = await addresses.find(session, place)
        return serving.found(self._reference, version, line, on)
