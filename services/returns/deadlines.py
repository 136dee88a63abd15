"""Which return each area sends next and how long it has, for those who look at the metrics."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date

import structlog
from prometheus_client import Gauge

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import due, life, months, store
from services.returns.areas import Areas
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Unavailable

STATE = Gauge("ppo_return_state", "1 for the state of the return that an area sends next.", ["area", "state"])
DAYS = Gauge(
    "ppo_return_days_to_due", "In how many days that return is due; below zero once it is overdue.", ["area"]
)

WARNED = Gauge(
    "ppo_return_warned", "1 from the third working day on, until the return that is due is sent.", ["area"]
)

EVERY_SECONDS = 10
# Of a month that has no return yet.
NOT_RECORDED = "NOT_RECORDED"

log = structlog.get_logger()


class Deadlines:
    def __init__(self, database: Database, clock: Clock, areas: Areas) -> None:
        self._database = database
        self._clock = clock
        self._areas = areas

    async def run(self) -> None:
        while True:
            try:
                await self.step()
            except Unavailable as outage:
                log.warning("deadlines wait", dependency=outage.dependency)
            await asyncio.sleep(EVERY_SECONDS)

    async def step(self) -> None:
        now = self._clock.now()
        today = months.today(now)
        async with self._database.transaction() as session:
            rows = await store.states(session, due.UNSENT, months.preceding(today.replace(day=1)))
        # In one pass: whatever holds up this process holds up every call.
        states = _by_area(rows)
        for area in self._areas.ids(now):
            self._show(area, states.get(area, {}), today)

    def _show(self, area: str, states: Mapping[date, int], today: date) -> None:
        month = due.awaited(states, today)
        current = life.name(states[month]) if month in states else NOT_RECORDED
        for state in (NOT_RECORDED, *map(life.name, due.UNSENT)):
            STATE.labels(area, state).set(state == current)
        WARNED.labels(area).set(today >= due.warned(month))
        DAYS.labels(area).set((self._areas.due_date(month) - today).days)


def _by_area(rows: Iterable[tuple[str, date, int, int]]) -> dict[str, dict[date, int]]:
    """What is sent stands until its correction is: that has no deadline."""
    found: dict[str, dict[date, int]] = {}
    for area, month, state, corrects in rows:
        found.setdefault(area, {})[month] = pb.RETURN_STATE_SUBMITTED if corrects else state
    return found
