"""What the screens of a suite are told: numbered events, read from the database, woken by the bell."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import screening_pb2
from services.custody import store
from services.custody.models import SuiteEvent
from services.runtime.cache import Bell
from services.runtime.database import Database
from services.runtime.errors import Unavailable

# How often a screen's stream looks by itself: a ring may be lost.
LOOK_SECONDS = 0.5
BATCH = 100


class Board:
    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._committed: asyncio.Queue[str] = asyncio.Queue()
        self._open = True

    async def post(
        self,
        session: AsyncSession,
        kind: pb.SuiteEventKind.ValueType,
        detention: pb.Detention,
        now: datetime,
        earlier: screening_pb2.Outcome.ValueType = screening_pb2.OUTCOME_UNSPECIFIED,
    ) -> None:
        session.add(
            SuiteEvent(
                suite_id=detention.suite_id,
                number=await store.next_number(session, detention.suite_id),
                kind=pb.SuiteEventKind.Name(kind),
                recorded_time=now,
                detention=detention.SerializeToString(),
                earlier_outcome=screening_pb2.Outcome.Name(earlier),
            )
        )
        # Called for a savepoint too, which wakes for nothing and does no harm.
        event.listen(
            session.sync_session, "after_commit", lambda _: self._committed.put_nowait(detention.suite_id)
        )

    async def run(self) -> None:
        """Wakes the screens of a suite where something has been committed."""
        while True:
            await self._bell.ring(await self._committed.get())

    async def follow(self, suite_id: str, number: int) -> AsyncGenerator[pb.WatchSuiteResponse]:
        """Every event after `number`. No transaction is open while a slow reader takes one."""
        while self._open:
            async with self._database.transaction() as session:
                events = await store.events_after(session, suite_id, number, BATCH)
            for each in events:
                yield each.to_proto()
                number = each.number
            if not events:
                await self._bell.wait(suite_id, LOOK_SECONDS)
        raise Unavailable("custody", "stops: watch again from the last number on")

    def close(self) -> None:
        """Ends every stream, so that none holds up the stop of the server."""
        self._open = False
