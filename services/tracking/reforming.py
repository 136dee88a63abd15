"""Decides every case again on the day on which an OCU, or a youth team's area, begins or ends."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.reference import Reference
from services.tracking.addresses import AREAS
from services.tracking.casefile import reforms
from services.tracking.models import due
from services.tracking.store import persons

REFORM = "reform"


@dataclass(frozen=True)
class Reforming:
    database: Database
    clock: Clock
    reference: Reference

    async def plan(self) -> None:
        """Of the files that were read at this start: those who were settled by others know of none."""
        async with self.database.transaction() as session:
            for turn in reforms(self.reference):
                if turn > self.clock.now():
                    await due.put_first(session, REFORM, f"reform {turn.isoformat()}", turn)

    async def decide(self, session: AsyncSession, _: str) -> None:
        now = self.clock.now()
        for nominal_id in await persons.live(session, now):
            await due.put(session, AREAS, nominal_id, now)
