"""Whose case somebody is, as far as that can be read now: an answer does not wait for it."""

import asyncio

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.custody import store
from services.custody.spool import Spool
from services.runtime.database import Database
from services.runtime.errors import Unavailable

UNREAD = Counter(
    "ppo_custody_cases_unread", "Answers given without the owner because the database did not say in time."
)

LOOK_UP_SECONDS = 0.2


class Cases:
    def __init__(self, database: Database, spool: Spool) -> None:
        self._line = database.line()
        self._spool = spool

    async def of(self, nominal_id: str, session: AsyncSession | None = None) -> tracking.Case | None:
        """In the transaction of `session`; without one, None where it cannot be read at once."""
        if session is not None:
            return await store.case(session, nominal_id)
        try:
            return await self._at_once(nominal_id)
        except (Unavailable, TimeoutError):
            UNREAD.inc()
            return None

    async def _at_once(self, nominal_id: str) -> tracking.Case | None:
        if self._spool.waiting:
            # No officer waits to learn once more that the database is away.
            raise Unavailable("postgres")
        async with asyncio.timeout(LOOK_UP_SECONDS):
            return await store.case_at_once(self._line, nominal_id)
