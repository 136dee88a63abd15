"""What custody hears of flags that change: who in the suites may be concerned is asked about again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2 as events
from services.custody import store
from services.custody.models import Detention, due
from services.people.matching import Index
from services.runtime.clock import Clock
from services.runtime.consumer import Handler

GROUP = "custody"
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
        by_details = (each.nominal_id for each in self.people.matches(flag.person, MOST_MATCHES))
        return {*by_details, *self._by_number(flag), *self.by_nominal.get(flag.nominal_id, ())}

    def _by_number(self, flag: events.Flag) -> Iterator[str]:
        for identifier in flag.person.identifiers:
            yield from self.people.holders(identifier)


class Inbox:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def handlers(self) -> dict[str, Handler[Any]]:
        return {events.Flag.DESCRIPTOR.full_name: Handler(events.Flag, self.flag)}

    async def flag(self, session: AsyncSession, flag: events.Flag) -> None:
        for detention_id in sorted((await _suites(session)).concerned(flag)):
            await due.put(session, store.RECHECK, detention_id, self._clock.now())


async def _suites(session: AsyncSession) -> Suites:
    """Read once for all the flags of a batch, which share their transaction."""
    suites = session.info.get(Suites)
    if not isinstance(suites, Suites):
        suites = Suites()
        for detention in await store.concerned(session):
            suites.add(detention)
        session.info[Suites] = suites
    return suites
