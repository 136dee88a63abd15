"""An organisation says that it has a notice, by either contract."""

from collections.abc import Callable
from typing import TypeVar

from casework.v1 import casework_pb2 as casework
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Invalid, NotFound
from services.tracking.models import Delivery, requests
from services.tracking.store import lateness, notices

Reply = TypeVar("Reply", pb.AcknowledgeNoticeResponse, casework.AcknowledgeNoticeResponse)
NOT_SENT = "your organisation was sent no such notice"


async def acknowledge(
    database: Database,
    clock: Clock,
    request: pb.AcknowledgeNoticeRequest | casework.AcknowledgeNoticeRequest,
    reply: type[Reply],
    heed: Callable[[Delivery], None] = lambda latest: None,
) -> Reply:
    """`heed` takes what else the request says of the latest that is acknowledged."""
    now, organisation = clock.now(), identity.current().organisation
    if request.revision < 0:
        raise Invalid("revision", "is that of a notice, or 0 for the latest")

    async def act(session: AsyncSession) -> Reply:
        had = await notices.sent(session, request.notice_id, organisation, request.revision)
        if not had:
            # Whether others were sent one is not for the caller to know.
            raise NotFound(NOT_SENT)
        heed(had[-1])
        answer = reply()
        answer.acknowledged_time.FromDatetime(notices.settle(had, now))
        await lateness.settle(session, request.notice_id, organisation, now)
        return answer

    return await requests.once(database, request, reply, act, now)
