"""What housing and training providers call, under names that tell them nothing of the scheme."""

from casework.v1 import casework_pb2 as pb
from casework.v1.casework_pb2_grpc import CaseworkServiceServicer
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Invalid, NotFound
from services.runtime.rpc import Context
from services.tracking import days, housing
from services.tracking.models import requests
from services.tracking.store import lateness, notices


class Casework(CaseworkServiceServicer):
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def AcknowledgeNotice(
        self, request: pb.AcknowledgeNoticeRequest, _: Context
    ) -> pb.AcknowledgeNoticeResponse:
        now, organisation = self._clock.now(), identity.current().organisation
        if request.revision < 0:
            raise Invalid("revision", "is that of a notice, or 0 for the latest")

        async def act(session: AsyncSession) -> pb.AcknowledgeNoticeResponse:
            had = await notices.sent(session, request.notice_id, organisation, request.revision)
            if not had or had[-1].message_type != pb.CaseNotice.DESCRIPTOR.full_name:
                raise NotFound("your organisation was sent no such notice")
            latest = had[-1]
            entered = housing.entered(pb.CaseNotice.FromString(latest.message), request, days.day(now))
            if latest.acknowledged_time is None:
                latest.register_date = entered
            if latest.register_date != entered:
                raise Conflict("the notice was acknowledged with another register_date")
            reply = pb.AcknowledgeNoticeResponse()
            reply.acknowledged_time.FromDatetime(notices.settle(had, now))
            await lateness.settle(session, request.notice_id, organisation, now)
            return reply

        return await requests.once(self._database, request, pb.AcknowledgeNoticeResponse, act, now)
