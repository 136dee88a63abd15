"""A change of the register: the person's history under a lock, the step, the new version, the flag."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import person_pb2
from services.flagging import flags
from services.flagging.models import Registration, RegistrationStep, due
from services.flagging.register import Standing
from services.flagging.store import flags as flag_store
from services.flagging.store import nominals, registrations
from services.people.flags import next_turn
from services.runtime.database import lock

FLAG_ENDS = "flag_ends"


@dataclass
class History:
    """A person's registrations, the first first, which nobody else changes in this transaction."""

    nominal_id: str
    person: person_pb2.Person
    rows: list[Registration]
    now: datetime
    changed: list[Registration] = field(default_factory=list)

    @property
    def recorded(self) -> datetime:
        """Now, but never before what was recorded first: who waited for the lock read the clock too early."""
        return max([self.now, *(step.recorded_time for row in self.rows for step in row.steps)])

    def others(self, row: Registration) -> list[Standing]:
        return [other.standing for other in self.rows if other is not row]

    def row(self, registration_id: str) -> Registration:
        return next(row for row in self.rows if row.registration_id == registration_id)

    def open(self, row: Registration) -> Registration:
        row.registration_id = str(uuid4())
        row.nominal_id = self.nominal_id
        row.opened_time = row.recorded_time = self.now
        self.rows.append(row)
        return row

    def take(self, row: Registration, standing: Standing, step: RegistrationStep, by: str) -> None:
        """`step` says what was decided, `standing` where the registration stands then."""
        step.number = len(row.steps) + 1
        step.recorded_time = self.recorded
        step.recorded_by = by
        row.steps.append(step)
        row.stand(standing, self.now)
        self.changed.append(row)

    def settle(self) -> None:
        """What time has brought to an end since."""
        for row in self.rows:
            if row.standing.at(self.now) != row.standing:
                row.stand(row.standing.at(self.now), self.now)
                self.changed.append(row)

    def flag(self) -> events_pb2.Flag:
        episodes = [row.to_episode() for row in self.rows if row.standing.counts]
        return flags.flag(self.nominal_id, self.person, episodes, self.now)


async def claim(session: AsyncSession, nominal_ids: Collection[str], now: datetime) -> dict[str, History]:
    """The histories of those who are in the index, for a change of when they are PPOs."""
    # What falls due for a person is done under the same lock, and taken before anything else of theirs.
    for nominal_id in sorted(nominal_ids):
        await lock(session, nominal_id)
    return await _histories(session, nominal_ids, now)


async def _histories(
    session: AsyncSession, nominal_ids: Collection[str], now: datetime
) -> dict[str, History]:
    persons = await nominals.locked(session, nominal_ids)
    found = {nominal_id: History(nominal_id, person, [], now) for nominal_id, person in persons.items()}
    for row in await registrations.of(session, nominal_ids):
        found[row.nominal_id].rows.append(row)
    for history in found.values():
        history.settle()
    return found


async def conclude(session: AsyncSession, concluded: Sequence[History]) -> None:
    """Raises the register's version, publishes each flag that says something new, and notes when it ends."""
    for flag in await _publish(session, concluded):
        turn = next_turn(concluded[0].now, flags.spans(flag))
        if turn is None:
            await due.drop(session, FLAG_ENDS, flag.nominal_id)
        else:
            await due.put(session, FLAG_ENDS, flag.nominal_id, turn)


async def republish(session: AsyncSession, nominal_ids: Collection[str], now: datetime) -> None:
    """After a change of who the persons are; those who never had a flag have none now."""
    flagged = await flag_store.held(session, nominal_ids)
    if flagged:
        await _publish(session, list((await _histories(session, flagged, now)).values()))


async def end_flag(session: AsyncSession, nominal_id: str, now: datetime) -> None:
    """A planned end has come."""
    await conclude(session, list((await claim(session, [nominal_id], now)).values()))


async def _publish(session: AsyncSession, concluded: Sequence[History]) -> Collection[events_pb2.Flag]:
    changed = await _changed_flags(session, concluded)
    subjects = [one for one in concluded if one.changed or one.nominal_id in changed]
    if not subjects:
        return []
    session.add_all(row for one in subjects for row in one.changed)
    # Flushed first: from here on every other change of the register waits for this one.
    await session.flush()
    epoch, versions = await registrations.raise_version(session, len(subjects))
    for version, history in zip(versions, subjects, strict=True):
        for row in history.changed:
            row.version = version
        if flag := changed.get(history.nominal_id):
            flag.epoch, flag.version = epoch, version
    if changed:
        await flag_store.put(session, list(changed.values()))
    return changed.values()


async def _changed_flags(session: AsyncSession, concluded: Iterable[History]) -> dict[str, events_pb2.Flag]:
    stated = {one.nominal_id: one.flag() for one in concluded}
    held = await flag_store.held(session, stated.keys())
    return {
        nominal_id: flag
        for nominal_id, flag in stated.items()
        if (nominal_id in held or flag.episodes)
        and not (nominal_id in held and flags.says_the_same(flag, held[nominal_id]))
    }
