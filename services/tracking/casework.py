"""What providers and courts call, under names that tell them nothing of the scheme."""

from casework.v1 import casework_pb2 as pb
from casework.v1 import court_pb2 as court
from casework.v1.casework_pb2_grpc import CaseworkServiceServicer
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Invalid, NotFound
from services.runtime.rpc import Context
from services.tracking import days, housing
from services.tracking.models import Delivery, requests
from services.tracking.store import lateness, notices

CASE, COURT = pb.CaseNotice.DESCRIPTOR.full_name, court.CourtNotice.DESCRIPTOR.full_name


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
            if not had or had[-1].message_type not in (CASE, COURT):
                raise NotFound("your organisation was sent no such notice")
            latest = had[-1]
            entered = housing.entered(_about_housing(latest), request, days.day(now))
            if latest.acknowledged_time is None:
                latest.register_date = entered
            if latest.register_date != entered:
                raise Conflict("the notice was acknowledged with another register_date")
            reply = pb.AcknowledgeNoticeResponse()
            reply.acknowledged_time.FromDatetime(notices.settle(had, now))
            await lateness.settle(session, request.notice_id, organisation, now)
            return reply

        return await requests.once(self._database, request, pb.AcknowledgeNoticeResponse, act, now)


def _about_housing(sent: Delivery) -> pb.CaseNotice:
    """To a court nothing is: it is asked for no date."""
    return pb.CaseNotice.FromString(sent.message) if sent.message_type == CASE else pb.CaseNotice()
