"""At the instant at which a notice is overdue, and a step later each, the next one up is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime.clock import Clock
from services.tracking.casebook import OVERDUE, Casebook
from services.tracking.lateness import following, level
from services.tracking.models import due
from services.tracking.settle import Settler
from services.tracking.store import lateness as store
from services.tracking.store.lateness import Late


@dataclass(frozen=True)
class Escalation:
    """`step`: how long after one the next one up is told."""

    settler: Settler
    clock: Clock
    step: timedelta

    async def act(self, session: AsyncSession, nominal_id: str) -> None:
        """The person is locked by whoever claims what is due."""
        now = self.clock.now()
        late = await store.unsettled(session, nominal_id)
        risen = [one for one in late if level(one.overdue_time, now, self.step) > one.level]
        if risen:
            await self._tell(session, nominal_id, risen, now)
        times = (following(one.overdue_time, now, self.step) for one in late)
        upcoming = min((at for at in times if at is not None), default=None)
        if upcoming is not None:
            await due.put(session, OVERDUE, nominal_id, upcoming)

    async def _tell(self, session: AsyncSession, nominal_id: str, risen: list[Late], now: datetime) -> None:
        book = await Casebook.open(session, [nominal_id])
        for one in risen:
            reached = level(one.overdue_time, now, self.step)
            await store.rise(session, one, reached, now)
            await self.settler.tell_of_lateness(book, nominal_id, one.to_proto(reached, now), now)
        await book.write(now)
