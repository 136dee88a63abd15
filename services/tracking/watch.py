"""The streams of organisations that watch their notices: read from the database, woken by the bell."""

import asyncio
from collections.abc import AsyncIterator

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.cache import Bell
from services.runtime.database import Database
from services.tracking.store import notices

# How often a stream looks by itself: a ring may be lost.
LOOK_SECONDS = 0.5
BATCH = 100


class Board:
    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._committed: asyncio.Queue[str] = asyncio.Queue()

    def ring(self, session: AsyncSession, organisation: str) -> None:
        """Once the transaction has committed."""
        rung: set[str] | None = session.info.get(self)
        if rung is None:
            rung = session.info[self] = set()
            event.listen(session.sync_session, "after_commit", self._ended)
        rung.add(organisation)

    def _ended(self, session: Session) -> None:
        # Also called for a savepoint, which nobody else sees yet.
        if not session.in_nested_transaction():
            for organisation in session.info.pop(self, ()):
                self._committed.put_nowait(organisation)

    async def run(self) -> None:
        while True:
            await self._bell.ring(await self._committed.get())

    async def follow(self, organisation: str, number: int) -> AsyncIterator[pb.WatchNoticesResponse]:
        """Every record after `number`, for ever. No transaction is open while a slow reader takes one."""
        while True:
            async with self._database.transaction() as session:
                sent = await notices.after(session, organisation, number, BATCH)
            for delivery in sent:
                yield pb.WatchNoticesResponse(notice=delivery.to_sent())
                number = delivery.number
            if not sent:
                await self._bell.wait(organisation, LOOK_SECONDS)
