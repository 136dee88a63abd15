"""Records that could not be taken."""

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.rpc import Context
from services.tracking.api.servicer import Servicer
from services.tracking.models import requests


class DeadLetters(Servicer):
    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, _: Context
    ) -> pb.ListDeadLettersResponse:
        return pb.ListDeadLettersResponse(letters=await self._letters.listed(everything=request.all))

    async def RetryDeadLetter(
        self, request: pb.RetryDeadLetterRequest, _: Context
    ) -> pb.RetryDeadLetterResponse:
        async def act(session: AsyncSession) -> pb.RetryDeadLetterResponse:
            return pb.RetryDeadLetterResponse(letter=await self._letters.retry(session, request.letter_id))

        return await requests.once(
            self._database, request, pb.RetryDeadLetterResponse, act, self._clock.now()
        )

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, _: Context
    ) -> pb.DiscardDeadLetterResponse:
        async def act(session: AsyncSession) -> pb.DiscardDeadLetterResponse:
            letter = await self._letters.discard(session, request.letter_id, request.reason)
            return pb.DiscardDeadLetterResponse(letter=letter)

        return await requests.once(
            self._database, request, pb.DiscardDeadLetterResponse, act, self._clock.now()
        )
