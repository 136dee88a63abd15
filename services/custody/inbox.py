"""What custody hears of flags and cases that change: who in the suites is concerned is asked about again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2 as events
from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.custody import answers, store
from services.custody.models import Detention, due
from services.people.index import Index
from services.runtime.broker import Record
from services.runtime.clock import Clock
from services.runtime.consumer import ERASURE, Handler, Take, Unreadable

GROUP = "custody"
CASES = "ppo.tracking.cases.v1"
# More open custody records than this are not looked like one person.
MOST_MATCHES = 1_000


@dataclass
class Suites:
    """Everybody whom a flag may concern, found by their details, candidates and arrests."""

    people: Index = field(default_factory=Index)
    by_nominal: dict[str, set[str]] = field(default_factory=dict)

    def add(self, detention: Detention) -> None:
        self.people.put(detention.detention_id, detention.details())
        said = (each.nominal_id for each in detention.verdicts)
        for nominal_id in {*detention.candidates, *said, detention.arrested_nominal or ""}:
            self.by_nominal.setdefault(nominal_id, set()).add(detention.detention_id)

    def concerned(self, flag: events.Flag) -> set[str]:
        """Too many rather than too few: the check that follows decides."""
        records = (flag.person, *flag.merged_persons)
        by_details = (each.nominal_id for one in records for each in self.people.matches(one, MOST_MATCHES))
        return {*by_details, *self._by_number(flag), *self.by_nominal.get(flag.nominal_id, ())}

    def _by_number(self, flag: events.Flag) -> Iterator[str]:
        for identifier in flag.person.identifiers:
            yield from self.people.holders(identifier)


class Inbox:
    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        """`wake` those who look at what is due: a screen has it within a second."""
        self._clock = clock
        self._wake = wake

    @property
    def handlers(self) -> dict[str, Take]:
        return {
            events.Flag.DESCRIPTOR.full_name: Handler(events.Flag, self.flag),
            tracking.Case.DESCRIPTOR.full_name: Handler(tracking.Case, self.case),
            ERASURE: self.erased,
        }

    async def flag(self, session: AsyncSession, flag: events.Flag) -> None:
        if flag.state == screening_pb2.FLAG_STATE_FLAGGED:
            # First, as whoever does it puts the records after it: in one order nobody waits for each other.
            await due.put_first(session, store.RECHECK_NUMBERED, "all", self._clock.now())
        await self._recheck(session, (await _suites(session)).concerned(flag))

    async def case(self, session: AsyncSession, case: tracking.Case) -> None:
        if not case.nominal_id or not case.version:
            raise Unreadable("is nobody's case, or has no version")
        before = await store.case(session, case.nominal_id)
        if before is not None and before.version >= case.version:
            return
        await store.put_case(session, case)
        if answers.entrusted(before) != answers.entrusted(case):
            await self._recheck(session, (await _suites(session)).by_nominal.get(case.nominal_id, ()))

    async def erased(self, session: AsyncSession, record: Record) -> None:
        """Of a case: the replica takes the erasure of a flag by itself. What was answered before stands."""
        if record.topic == CASES:
            await store.drop_case(session, record.key)

    async def _recheck(self, session: AsyncSession, detention_ids: Iterable[str]) -> None:
        concerned = sorted(detention_ids)
        for detention_id in concerned:
            await due.put(session, store.RECHECK, detention_id, self._clock.now())
        if concerned:
            event.listen(session.sync_session, "after_commit", lambda _: self._wake())


async def _suites(session: AsyncSession) -> Suites:
    """Read once for all the flags of a batch, which share their transaction."""
    suites = session.info.get(Suites)
    if not isinstance(suites, Suites):
        suites = Suites()
        for detention in await store.concerned(session):
            suites.add(detention)
        session.info[Suites] = suites
    return suites
