"""What operations look at, counted every few seconds: no person and no identifier."""

import asyncio

import structlog
from prometheus_client import Gauge

from services.flagging.store import rolls
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Unavailable

MATCHES = Gauge("ppo_flagging_prison_matches", "Prisoners who may be PPOs and whom somebody has to look at.")
MATCHES_SECONDS = Gauge("ppo_flagging_prison_matches_seconds", "How long the oldest of them has waited.")

LOOK_SECONDS = 5

log = structlog.get_logger()


class Gauges:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except Unavailable as outage:
                log.warning("gauges wait", dependency=outage.dependency)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        async with self._database.transaction() as session:
            number, oldest = await rolls.queued(session)
        MATCHES.set(number)
        MATCHES_SECONDS.set((self._clock.now() - oldest).total_seconds() if oldest else 0)
