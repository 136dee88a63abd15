"""What organisations are told, what they have acknowledged, and the ledger sent once more."""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import identity
from services.runtime.errors import Invalid, NotFound
from services.runtime.rpc import Context
from services.tracking.acknowledging import acknowledge
from services.tracking.api import given
from services.tracking.api.servicer import Servicer
from services.tracking.models import requests
from services.tracking.store import lateness, notices

MOST_NOTICES, NOTICES = 500, 100


class Notices(Servicer):
    async def ListNotices(self, request: pb.ListNoticesRequest, _: Context) -> pb.ListNoticesResponse:
        size = request.page_size or NOTICES
        if not 0 < size <= MOST_NOTICES:
            raise Invalid("page_size", f"is at most {MOST_NOTICES}")
        async with self._database.transaction() as session:
            found = await notices.latest(
                session,
                identity.current().organisation,
                _token(request.page_token),
                size,
                unacknowledged=request.unacknowledged,
            )
        following = str(found[-1].number) if len(found) == size else ""
        return pb.ListNoticesResponse(notices=[one.to_sent() for one in found], next_page_token=following)

    async def WatchNotices(
        self, request: pb.WatchNoticesRequest, _: Context
    ) -> AsyncIterator[pb.WatchNoticesResponse]:
        if request.after_number < 0:
            raise Invalid("after_number", "is the number of a notice, or 0")
        async for sent in self._board.follow(identity.current().organisation, request.after_number):
            yield sent

    async def AcknowledgeNotice(
        self, request: pb.AcknowledgeNoticeRequest, _: Context
    ) -> pb.AcknowledgeNoticeResponse:
        return await acknowledge(self._database, self._clock, request, pb.AcknowledgeNoticeResponse)

    async def TraceNotice(self, request: pb.TraceNoticeRequest, _: Context) -> pb.TraceNoticeResponse:
        async with self._database.transaction() as session:
            notice = await notices.notice(session, request.notice_id)
            sent = await notices.deliveries(session, request.notice_id)
            published = await notices.published(session, sent)
            late = await lateness.of_notice(session, request.notice_id)
        if notice is None:
            raise NotFound("there is no such notice")
        return pb.TraceNoticeResponse(
            type=pb.NoticeType.ValueType(notice.type),
            deliveries=[one.to_proto(published.get(one.event), late.get(one.organisation)) for one in sent],
        )

    async def ListOverdueNotices(
        self, request: pb.ListOverdueNoticesRequest, _: Context
    ) -> pb.ListOverdueNoticesResponse:
        size = request.page_size or NOTICES
        if not 0 < size <= MOST_NOTICES:
            raise Invalid("page_size", f"is at most {MOST_NOTICES}")
        async with self._database.transaction() as session:
            found = await lateness.overdue(session, request.organisation, size)
        return pb.ListOverdueNoticesResponse(notices=found)

    async def ReplayNotices(self, request: pb.ReplayNoticesRequest, _: Context) -> pb.ReplayNoticesResponse:
        since = given.time(request, "from_time", request.from_time)
        if request.after_number < 0:
            raise Invalid("after_number", "is the last_number of the call before, or 0")

        async def act(session: AsyncSession) -> pb.ReplayNoticesResponse:
            sent, last = await self._replay.send(session, request.organisation, since, request.after_number)
            return pb.ReplayNoticesResponse(sent=sent, last_number=last)

        return await requests.once(self._database, request, pb.ReplayNoticesResponse, act, self._clock.now())


def _token(page_token: str) -> int:
    if page_token and not (page_token.isascii() and page_token.isdigit() and len(page_token) < 19):
        raise Invalid("page_token", "is not one that this service has given")
    return int(page_token or 0)
