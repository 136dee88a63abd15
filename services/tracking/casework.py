"""What providers and courts call, under names that tell them nothing of the scheme."""

from datetime import date
from functools import partial

from casework.v1 import casework_pb2 as pb
from casework.v1 import court_pb2 as court
from casework.v1.casework_pb2_grpc import CaseworkServiceServicer

from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, NotFound
from services.runtime.rpc import Context
from services.tracking import days, housing
from services.tracking.acknowledging import NOT_SENT, acknowledge
from services.tracking.models import Delivery

CASE, COURT = pb.CaseNotice.DESCRIPTOR.full_name, court.CourtNotice.DESCRIPTOR.full_name


class Casework(CaseworkServiceServicer):
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def AcknowledgeNotice(
        self, request: pb.AcknowledgeNoticeRequest, _: Context
    ) -> pb.AcknowledgeNoticeResponse:
        heed = partial(_enter, request, days.day(self._clock.now()))
        return await acknowledge(self._database, self._clock, request, pb.AcknowledgeNoticeResponse, heed)


def _about_housing(sent: Delivery) -> pb.CaseNotice:
    """To a court nothing is: it is asked for no date."""
    return pb.CaseNotice.FromString(sent.message) if sent.message_type == CASE else pb.CaseNotice()


def _enter(request: pb.AcknowledgeNoticeRequest, today: date, latest: Delivery) -> None:
    if latest.message_type not in (CASE, COURT):
        raise NotFound(NOT_SENT)
    entered = housing.entered(_about_housing(latest), request, today)
    if latest.acknowledged_time is None:
        latest.register_date = entered
    if latest.register_date != entered:
        raise Conflict("the notice was acknowledged with another register_date")
