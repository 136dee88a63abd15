"""At the instant at which a notice is overdue, and a step later each, the next one up is told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.clock import Clock
from services.runtime.errors import Refusal
from services.tracking.casebook import DUE_TOGETHER, OVERDUE, Casebook
from services.tracking.lateness import following, level
from services.tracking.models import due
from services.tracking.settle import Settler
from services.tracking.store import casebook, persons
from services.tracking.store import lateness as store
from services.tracking.store.lateness import Late


@dataclass(frozen=True)
class Escalation:
    """`step`: how long after one the next one up is told."""

    settler: Settler
    clock: Clock
    step: timedelta

    async def act(self, session: AsyncSession, nominal_id: str) -> None:
        """The person is locked by whoever claims what is due; others whose time has come are taken along."""
        now = self.clock.now()
        try:
            async with session.begin_nested():
                others = await casebook.claim_due(session, OVERDUE, now, DUE_TOGETHER)
                await self._escalate(session, {nominal_id, *others}, now)
        except Refusal:
            await self._escalate(session, {nominal_id}, now)

    async def _escalate(self, session: AsyncSession, nominal_ids: set[str], now: datetime) -> None:
        elsewhere = await persons.elsewhere(session, nominal_ids)
        # Whoever has the case now is told, under the lock of who lives on.
        await casebook.set_due_first(session, OVERDUE, dict.fromkeys(elsewhere.values(), now))
        late = await self._late(session, nominal_ids - elsewhere.keys())
        reached = {nominal_id: list(self._reached(of_one, now)) for nominal_id, of_one in late.items()}
        if any(reached.values()):
            await self._tell(session, reached, now)
        upcoming = {nominal_id: self._following(of_one, now) for nominal_id, of_one in late.items()}
        await due.drop_all(session, OVERDUE, nominal_ids)
        again = {nominal_id: at for nominal_id, at in upcoming.items() if at is not None}
        await due.put_all(session, OVERDUE, again)

    async def _late(self, session: AsyncSession, nominal_ids: set[str]) -> dict[str, list[Late]]:
        """Of each person, with what was told of those who live on in them."""
        family = await persons.families(session, nominal_ids)
        found: dict[str, list[Late]] = {}
        for nominal_id, late in (await store.unsettled(session, nominal_ids | family.keys())).items():
            found.setdefault(family.get(nominal_id, nominal_id), []).extend(late)
        return found

    def _following(self, late: Iterable[Late], now: datetime) -> datetime | None:
        times = [following(one.overdue_time, now, self.step) for one in late]
        later = [one.last_time for one in late if one.last_time and one.last_time > now]
        return min((at for at in (*times, *later) if at is not None), default=None)

    def _reached(self, late: Iterable[Late], now: datetime) -> Iterator[pb.OverdueNotice]:
        """What has come to a level, now or before: whoever has the case may be another since."""
        for one in late:
            reached = level(one.overdue_time, now, self.step)
            if reached:
                yield one.to_proto(pb.EscalationLevel.ValueType(max(one.level, reached)), now)

    async def _tell(
        self, session: AsyncSession, reached: Mapping[str, Sequence[pb.OverdueNotice]], now: datetime
    ) -> None:
        book = await Casebook.open(session, [nominal_id for nominal_id, told in reached.items() if told])
        await store.rise(session, [one for told in reached.values() for one in told])
        for nominal_id, overdue in reached.items():
            await self.settler.tell_of_lateness(book, nominal_id, overdue, now)
        await book.write(now)
