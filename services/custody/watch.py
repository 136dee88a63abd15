"""What the screens of a suite are told: numbered events, read from the database, woken by the bell."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import screening_pb2
from services.custody import store
from services.custody.models import SuiteEvent
from services.runtime.cache import Bell
from services.runtime.database import Database
from services.runtime.errors import Unavailable

SCREENS = Gauge("ppo_custody_screens", "Screens that watch a suite now.")

# How often this process looks, for all its screens together: a ring may be lost.
LOOK_SECONDS = 0.5
# A screen that nothing wakes looks by itself.
LONG_SECONDS = 60.0
BATCH = 100


class Board:
    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._committed: asyncio.Queue[str] = asyncio.Queue()
        # How many screens watch each suite, and the last number that they have been woken for.
        self._watched: Counter[str] = Counter()
        self._numbers: dict[str, int] = {}
        # How often screens have been woken.
        self._woken = 0
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

    async def look(self) -> None:
        """Wakes the screens of a suite where something has been committed by whomever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if +self._watched and (changed := await self._changed()):
                self._wake(changed)

    async def _changed(self) -> list[str]:
        """With the database away, every suite: a screen that cannot be told anything is told so."""
        try:
            numbers = await store.last_numbers(self._database)
        except Unavailable:
            return [*self._watched]
        changed = [suite_id for suite_id, last in numbers.items() if last != self._numbers.get(suite_id)]
        self._numbers = numbers
        return changed

    @contextmanager
    def _watching(self, suite_id: str) -> Iterator[None]:
        self._watched[suite_id] += 1
        SCREENS.inc()
        try:
            yield
        finally:
            self._watched[suite_id] -= 1
            SCREENS.dec()

    async def follow(self, suite_id: str, number: int) -> AsyncGenerator[pb.WatchSuiteResponse]:
        """Every event after `number`."""
        with self._watching(suite_id):
            async for event in self._events(suite_id, number):
                yield event

    async def _events(self, suite_id: str, number: int) -> AsyncGenerator[pb.WatchSuiteResponse]:
        """No transaction is open while a slow reader takes one."""
        while self._open:
            woken = self._woken
            async with self._database.transaction() as session:
                events = await store.events_after(session, suite_id, number, BATCH)
            for each in events:
                yield each.to_proto()
                number = each.number
            # Woken while it was reading, it has heard nothing of that.
            if not events and self._woken == woken:
                await self._bell.wait(suite_id, LONG_SECONDS)
        raise Unavailable("custody", "stops: watch again from the last number on")

    def close(self) -> None:
        """Ends every stream, so that none holds up the stop of the server."""
        self._open = False
        self._wake([*self._watched])

    def _wake(self, suites: Iterable[str]) -> None:
        self._woken += 1
        for suite_id in suites:
            self._bell.wake(suite_id)
