"""A change of the register: the person's history under a lock, the step, the new version, the flag."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import person_pb2
from services.flagging import flags, register
from services.flagging.models import NominalMerge, Registration, RegistrationStep, due
from services.flagging.nominals import united
from services.flagging.register import Standing
from services.flagging.store import flags as flag_store
from services.flagging.store import merges, nominals, registrations
from services.people.flags import next_turn
from services.runtime.database import lock_all

FLAG_ENDS = "flag_ends"


@dataclass
class History:
    """A person's registrations, the first first, which nobody else changes in this transaction."""

    # The nominal that lives on, of those in `members`.
    nominal_id: str
    members: dict[str, person_pb2.Person]
    rows: list[Registration]
    merges: list[NominalMerge]
    now: datetime
    changed: list[Registration] = field(default_factory=list)

    @property
    def recorded(self) -> datetime:
        """Now, but never before what was recorded first: who waited for the lock read the clock too early."""
        return max([self.now, *(step.recorded_time for row in self.rows for step in row.steps)])

    @property
    def person(self) -> person_pb2.Person:
        return united([self.members[self.nominal_id], *self._others.values()])

    @property
    def _others(self) -> dict[str, person_pb2.Person]:
        """As they were filed."""
        return {member: person for member, person in self.members.items() if member != self.nominal_id}

    def others(self, row: Registration) -> list[Standing]:
        """What it has to fit in with. What two nominals had at once, before they were one, may stay."""
        return [
            other.standing
            for other in self.rows
            if other is not row
            and (other.nominal_id == row.nominal_id or not register.at_once(other.standing, row.standing))
        ]

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

    def flags(self) -> Iterator[events_pb2.Flag]:
        """Of all members; the one that lives on has everybody's episodes."""
        for member, person in self.members.items():
            told = [merge.to_proto() for merge in self.merges if merge.nominal_id == member]
            if member != self.nominal_id:
                yield flags.merged(member, person, self.nominal_id, self.now, told)
                continue
            episodes = [row.to_episode() for row in self.rows if row.standing.counts]
            yield flags.flag(member, self.person, episodes, self.now, told, self._others)


async def claim(session: AsyncSession, nominal_ids: Collection[str], now: datetime) -> dict[str, History]:
    """The histories of those who are in the index, by the nominal asked for; one history for one person."""
    await hold(session, nominal_ids)
    return await _histories(session, nominal_ids, now)


async def hold(session: AsyncSession, nominal_ids: Collection[str]) -> None:
    """Nobody else changes these persons' histories in this transaction."""
    # What falls due for a person is done under the same lock, and taken before anything else of theirs.
    held: set[str] = set()
    while wanted := set((await merges.living(session, nominal_ids)).values()) - held:
        await lock_all(session, wanted)
        held |= wanted


def unite(living: History, other: History, merge: NominalMerge) -> History:
    """The history of the one person that the two are from now on."""
    return History(
        living.nominal_id,
        living.members | other.members,
        sorted(living.rows + other.rows, key=lambda row: (row.began, row.opened_time, row.registration_id)),
        [*living.merges, *other.merges, merge],
        living.now,
        living.changed + other.changed,
    )


def part(history: History, living_id: str, members: Collection[str]) -> History:
    """The history of some members, who are a person of their own from now on."""
    ids = [living_id, *sorted(set(members) - {living_id})]
    rows = [row for row in history.rows if row.nominal_id in members]
    return History(
        living_id,
        {member: history.members[member] for member in ids},
        rows,
        [merge for merge in history.merges if merge.nominal_id in members],
        history.now,
        [row for row in history.changed if row in rows],
    )


async def _histories(
    session: AsyncSession, nominal_ids: Collection[str], now: datetime
) -> dict[str, History]:
    living = await merges.living(session, nominal_ids)
    families = await merges.families(session, set(living.values()))
    persons = await nominals.locked(session, [member for family in families.values() for member in family])
    found = {
        living_id: History(living_id, {member: persons[member] for member in family}, [], [], now)
        for living_id, family in families.items()
        if living_id in persons
    }
    by_member = {member: history for history in found.values() for member in history.members}
    for row in await registrations.of(session, by_member):
        by_member[row.nominal_id].rows.append(row)
    for merge in await merges.of(session, by_member):
        by_member[merge.nominal_id].merges.append(merge)
    for history in found.values():
        history.settle()
    return {nominal_id: by_member[nominal_id] for nominal_id in nominal_ids if nominal_id in by_member}


async def conclude(session: AsyncSession, concluded: Sequence[History]) -> None:
    """Raises the register's version, publishes each flag that says something new, and notes when it ends."""
    people = list({history.nominal_id: history for history in concluded}.values())
    published = await _publish(session, people)
    turns = {flag.nominal_id: next_turn(people[0].now, flags.spans(flag)) for flag in published}
    await due.put_all(session, FLAG_ENDS, {one: turn for one, turn in turns.items() if turn is not None})
    await due.drop_all(session, FLAG_ENDS, [one for one, turn in turns.items() if turn is None])


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
    subjects = [one for one in concluded if one.changed or not changed.keys().isdisjoint(one.members)]
    if not subjects:
        return []
    session.add_all(row for one in subjects for row in one.changed)
    # Flushed first: from here on every other change of the register waits for this one.
    await session.flush()
    told = {
        one.nominal_id: [changed[member] for member in one.members if member in changed] for one in subjects
    }
    epoch, versions = await registrations.raise_version(
        session, sum(max(1, len(one)) for one in told.values())
    )
    left = iter(versions)
    for history in subjects:
        own = told[history.nominal_id]
        taken = [next(left) for _ in own or history.changed[:1]]
        for row in history.changed:
            row.version = taken[-1]
        for version, flag in zip(taken, own, strict=bool(own)):
            flag.epoch, flag.version = epoch, version
    if changed:
        await flag_store.put(session, list(changed.values()))
    return changed.values()


async def _changed_flags(session: AsyncSession, concluded: Sequence[History]) -> dict[str, events_pb2.Flag]:
    held = await flag_store.held(session, [member for one in concluded for member in one.members])
    stated = [flag for one in concluded for flag in _stated(one, held)]
    return {
        flag.nominal_id: flag
        for flag in stated
        if not (flag.nominal_id in held and flags.says_the_same(flag, held[flag.nominal_id]))
    }


def _stated(history: History, held: Collection[str]) -> list[events_pb2.Flag]:
    """None of a person of whom nothing was ever published, and who never was a PPO."""
    found = list(history.flags())
    known = any(flag.episodes or flag.nominal_id in held for flag in found)
    return found if known else []
