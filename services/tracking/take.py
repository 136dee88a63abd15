"""Takes what becomes known of a person: a flag, a movement, something from custody."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, groupby
from typing import TypeAlias

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.people import identifiers
from services.prisons import hmpps
from services.prisons.reasons import DIED
from services.runtime.clock import Clock
from services.runtime.database import lock_all
from services.runtime.errors import Invalid, Refusal
from services.tracking.addresses import AREAS
from services.tracking.casebook import DUE_TOGETHER, SETTLE, Casebook, Held
from services.tracking.casefile import Entry, members
from services.tracking.models import DetentionCount, due, outbox
from services.tracking.settle import Settler
from services.tracking.store import casebook, facts, persons
from services.tracking.store.persons import Given

Told: TypeAlias = tuple[movement_pb2.Movement, datetime]
Fate: TypeAlias = pb.MovementFate.ValueType
# What is a fact by itself; a test told again rights the one before.
OfDetention: TypeAlias = custody.PpoArrested | custody.PpoDisposed
FromCustody: TypeAlias = custody.PpoArrested | custody.PpoDrugTested | custody.PpoDisposed

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
# The clocks of prisons run ahead a little.
AHEAD = timedelta(minutes=10)
# Whoever has got a number by then is on the register; what is left is of people whom nobody here asks about.
PARKED_FOR = timedelta(days=90)
LAPSE = "lapse"
MOVEMENTS = "ppo.tracking.movements.v1"
# The lock of a prison number, and the key under which its parked movements lapse.
_HELD = "prison number "

LAPSED = Counter(
    "ppo_movements_lapsed", "Parked movements dropped because for 90 days nobody had their number."
)


class Taking:
    def __init__(self, settler: Settler, clock: Clock) -> None:
        self._settler = settler
        self._clock = clock

    async def settle(
        self, session: AsyncSession, nominal_id: str, occurred: datetime | None = None
    ) -> pb.Case | None:
        return await self._settler.settle(session, nominal_id, self._clock.now(), occurred)

    async def due(self, session: AsyncSession, nominal_id: str, kind: str = SETTLE) -> None:
        """With whoever falls due, others who are due already: midnight brings many at once."""
        now = self._clock.now()
        try:
            async with session.begin_nested():
                others = await casebook.claim_due(session, kind, now, DUE_TOGETHER)
                await due.drop_all(session, kind, others)
                await self._settler.settle_all(session, {nominal_id, *others}, now)
        except Refusal:
            await self.settle(session, nominal_id)

    async def redrawn(self, session: AsyncSession, nominal_id: str) -> None:
        """Whoever lives where a boundary has moved, with others who do."""
        await self.due(session, nominal_id, AREAS)

    async def hold(self, session: AsyncSession, numbers: Iterable[str], nominal_ids: Iterable[str]) -> None:
        """For whoever takes several at once: numbers first, then persons, each in one order everywhere.

        The rows of organisations come last of all, as the transaction ends.
        """
        of_numbers = {number for number in numbers if number}
        named = {nominal_id for nominal_id in nominal_ids if nominal_id}
        held: set[str] = session.sync_session.info.setdefault(_HELD, set())
        if of_numbers | named <= held:
            return
        await _hold(session, *of_numbers)
        await lock_all(session, await persons.concerned(session, sorted(of_numbers), named))
        held |= of_numbers | named

    # ---- flags

    async def flag(self, session: AsyncSession, flag: flagging.Flag) -> None:
        await self.flags(session, [flag])

    async def flags(self, session: AsyncSession, flags: Sequence[flagging.Flag]) -> None:
        """As one after the other: only those that have nothing to do with each other are taken together."""
        told = [concerned(flag) for flag in flags]
        own = chain(await persons.lost(session, flags), chain.from_iterable(own for own, _ in told))
        await self.hold(session, own, chain.from_iterable(of for _, of in told))
        # Who is another, or is not any more, first: what they were told of goes on with whom it belongs to.
        for together in _apart(sorted(flags, key=lambda flag: not flag.merges)):
            await self._flags(session, together)

    async def _flags(self, session: AsyncSession, flags: Sequence[flagging.Flag]) -> None:
        newer = await persons.take(session, flags, self._clock.now())
        taken = [flag for flag in flags if flag.nominal_id in newer]
        affected = {flag.nominal_id for flag in taken} | await persons.unite(session, taken)
        for flag in taken:
            if flag.merged_into:
                affected.add(await persons.living(session, flag.nominal_id))
        given = [
            Given(identifier.kind, identifier.value, flag.nominal_id, flag.version)
            for flag in taken
            for identifier in flag.person.identifiers
        ]
        await self._take_away(session, taken)
        affected |= await self._give(session, given)
        await self._settler.settle_all(session, affected, self._clock.now())

    async def _take_away(self, session: AsyncSession, taken: Sequence[flagging.Flag]) -> None:
        """What moved under a number waits for whoever has it, and lapses where nobody has."""
        lost = await persons.lost(session, taken)
        await persons.take_away(session, lost)
        for number in lost:
            # What had waited for the number earlier was taken out when somebody got it.
            await due.put(session, LAPSE, _HELD + number, self._clock.now() + PARKED_FOR)

    async def give(self, session: AsyncSession, numbers: Sequence[str], nominal_id: str) -> None:
        """Somebody has decided whose the prison numbers are; a later flag may say otherwise."""
        affected = {nominal_id, *(await casebook.holders(session, numbers)).values()}
        await persons.assign(session, numbers, nominal_id)
        await self._give(session, [Given(NUMBER, number, nominal_id, 0) for number in numbers])
        living = {await persons.living(session, one) for one in affected}
        await self._settler.settle_all(session, living, self._clock.now())

    async def _give(self, session: AsyncSession, given: Sequence[Given]) -> set[str]:
        """Returns whose they were before."""
        own = [one.value for one in given if one.kind == NUMBER]
        await _hold(session, *own)
        before, moved = await persons.give(session, given)
        await self._move(session, await facts.unpark(session, own))
        await self._tell_register(session, {value for kind, value in moved if kind == NUMBER})
        return before

    async def _tell_register(self, session: AsyncSession, numbers: Collection[str]) -> None:
        """Flagging has kept nothing of what it heard of numbers while they were another's or nobody's."""
        for movement in await facts.movements(session, numbers) if numbers else ():
            if _concerns_register(movement, pb.MOVEMENT_FATE_RECORDED):
                # Under an id of its own: what it was heard as before is not heard again.
                number, now = movement.prison_number, self._clock.now()
                await outbox.append(session, MOVEMENTS, number, movement, time=now)

    # ---- movements

    async def movement(self, session: AsyncSession, movement: movement_pb2.Movement) -> Fate:
        return (await self.movements(session, [movement]))[0]

    async def movements(
        self, session: AsyncSession, movements: Sequence[movement_pb2.Movement], *, heard: bool = False
    ) -> list[Fate]:
        """What each came to. Raises Invalid for what can be no movement.

        Of one that was not `heard` on a topic, flagging hears what may change the register.
        """
        now = self._clock.now()
        told = [canonical(movement, now) for movement in movements]
        fates = await self._move(session, [(_nameless(movement), now) for movement in told])
        for movement, fate in zip(told, fates, strict=True):
            if not heard and _concerns_register(movement, fate):
                await _pass_on(session, movement, now)
        return fates

    async def take_back(self, session: AsyncSession, movement: movement_pb2.Movement) -> None:
        """Somebody here has found that it was never so: a death that ended a registration did not."""
        if _is_death(movement):
            reversal = movement_pb2.Movement(
                movement_id=hmpps.movement_id("withdrawn", movement.movement_id),
                prison_number=movement.prison_number,
                kind=movement_pb2.MOVEMENT_KIND_REVERSAL,
                corrects_movement_id=movement.movement_id,
                occurred_time=movement.occurred_time,
                source="tracking",
            )
            await _pass_on(session, reversal, self._clock.now())

    def canonical(self, movement: movement_pb2.Movement) -> movement_pb2.Movement:
        """Raises Invalid for what can be no movement."""
        return canonical(movement, self._clock.now())

    async def _move(self, session: AsyncSession, told: Sequence[Told]) -> list[Fate]:
        """A merge gives numbers to others, so none is taken together with what comes after it."""
        fates: list[Fate] = []
        for merge, together in groupby(told, lambda one: one[0].kind == movement_pb2.MOVEMENT_KIND_MERGE):
            if merge:
                fates += [await self._merge(session, *one) for one in together]
            else:
                fates += await self._moved(session, list(together))
        return fates

    async def _moved(self, session: AsyncSession, told: Sequence[Told]) -> list[Fate]:
        of_numbers = {movement.prison_number for movement, _ in told}
        await self.hold(session, of_numbers, ())
        known = await casebook.known(session, {movement.movement_id for movement, _ in told})
        holders = await persons.living_holders(session, of_numbers)
        book = await Casebook.open(session, set(holders.values()))
        unheld: list[Told] = []
        fates: list[Fate] = []
        for movement, recorded in told:
            held = book.of(holders.get(movement.prison_number, ""))
            if movement.movement_id in known:
                fates.append(pb.MOVEMENT_FATE_REPEATED)
            elif held is None:
                fates.append(pb.MOVEMENT_FATE_PARKED)
                unheld.append((movement, recorded))
            else:
                known.add(movement.movement_id)
                entry = _entry(movement, held.after_others(recorded))
                entry = book.corrected(held, entry, movement)
                book.record(held, entry, number=movement.prison_number)
                await self._settler.settle_in(book, held.nominal_id, self._clock.now(), entry.occurred)
                fates.append(pb.MOVEMENT_FATE_RECORDED)
        await book.write(self._clock.now())
        if not unheld:
            return fates
        parked = iter([await _park(session, one, [one.prison_number], at) for one, at in unheld])
        return [next(parked) if fate == pb.MOVEMENT_FATE_PARKED else fate for fate in fates]

    async def _merge(
        self, session: AsyncSession, movement: movement_pb2.Movement, recorded: datetime
    ) -> Fate:
        """The removed number is the holder's of the kept one; the other way round where only it is known."""
        both = numbers(movement)
        await self.hold(session, both, ())
        if await facts.known(session, movement.movement_id):
            return pb.MOVEMENT_FATE_REPEATED
        kept, removed = [await persons.holder(session, NUMBER, number) for number in both]
        holder = kept or removed
        if holder is None:
            return await _park(session, movement, both, recorded)
        await facts.record(session, _entry(movement, recorded), number=movement.prison_number)
        if kept and removed and kept != removed:
            for nominal_id in (kept, removed):
                await facts.review_merge(session, movement.movement_id, nominal_id, self._clock.now())
            return pb.MOVEMENT_FATE_RECORDED
        await self._give(session, [Given(NUMBER, number, holder, 0) for number in both])
        await self.settle(session, holder)
        return pb.MOVEMENT_FATE_RECORDED

    async def lapse(self, session: AsyncSession, key: str) -> None:
        """Drops what has waited too long for a number, which the key names."""
        number, now = key.removeprefix(_HELD), self._clock.now()
        LAPSED.inc(await facts.lapse(session, number, now - PARKED_FOR))
        if not await casebook.holders(session, [number]):
            LAPSED.inc(await facts.forget(session, number))
        since = await facts.parked_since(session, number)
        if since is not None:
            await due.put(session, LAPSE, key, since + PARKED_FOR)

    # ---- custody

    async def together(self, session: AsyncSession, told: Sequence[OfDetention]) -> None:
        """As one after the other, but read and written at once, and each person settled once."""
        nominal_ids = {one.nominal_id for one in told}
        await self.hold(session, (), nominal_ids)
        known = await casebook.known(session, {_custody_id(one) for one in told})
        book = await Casebook.open(session, nominal_ids)
        settled: dict[str, datetime] = {}
        apart: list[OfDetention] = []
        for one in told:
            held, name = book.of(one.nominal_id), _custody_id(one)
            if held is None or held.person.merged_into:
                apart.append(one)
            elif name not in known:
                known.add(name)
                recorded = one.recorded_time.ToDatetime(UTC)
                entry = Entry(name, one, _occurred(one), recorded, _withdrawal(held, one, recorded))
                book.record(held, entry, nominal_id=one.nominal_id)
                first = settled.get(held.nominal_id, entry.occurred)
                settled[held.nominal_id] = min(first, entry.occurred)
        for nominal_id, occurred in settled.items():
            await self._settler.settle_in(book, nominal_id, self._clock.now(), occurred)
        await book.write(self._clock.now())
        for one in apart:
            await self.from_custody(session, one)

    async def from_custody(self, session: AsyncSession, told: FromCustody) -> None:
        recorded = told.recorded_time.ToDatetime(UTC)
        withdrawn = await facts.withdrawal(session, told.detention_id, told.nominal_id, recorded)
        if isinstance(told, custody.PpoDrugTested):
            righted = await facts.supersede_test(session, told)
            withdrawn = min(filter(None, (withdrawn, righted)), default=None)
        entry = Entry(_custody_id(told), told, _occurred(told), recorded, withdrawn)
        if await facts.record(session, entry, nominal_id=told.nominal_id):
            await self.settle(session, await persons.living(session, told.nominal_id), entry.occurred)

    async def withdrawn(self, session: AsyncSession, told: custody.PpoArrestWithdrawn) -> None:
        at = told.recorded_time.ToDatetime(UTC)
        if await facts.record(session, Entry(_custody_id(told), told, at, at), nominal_id=told.nominal_id):
            await facts.withdraw(session, told, at)
            await self.settle(session, await persons.living(session, told.nominal_id))

    async def counted(self, session: AsyncSession, told: custody.DetentionCounted) -> None:
        day = told.disposal_date
        row = DetentionCount(
            detention_id=told.detention_id,
            suite_id=told.suite_id,
            disposal_date=date(day.year, day.month, day.day),
            test_result=told.test_result,
            recorded_time=_recorded(told, self._clock.now()),
        )
        await facts.count_detention(session, row)


def _is_death(movement: movement_pb2.Movement) -> bool:
    return movement.kind == movement_pb2.MOVEMENT_KIND_RELEASE and movement.reason_code == DIED


def _concerns_register(movement: movement_pb2.Movement, fate: Fate) -> bool:
    """A death or a merge, what takes one back, and whom a prison names where nobody has the number."""
    if fate == pb.MOVEMENT_FATE_REPEATED:
        return False
    named = fate == pb.MOVEMENT_FATE_PARKED and bool(movement.name.family_name)
    merge = movement.kind == movement_pb2.MOVEMENT_KIND_MERGE
    return named or merge or _is_death(movement) or bool(movement.corrects_movement_id)


async def _pass_on(session: AsyncSession, movement: movement_pb2.Movement, now: datetime) -> None:
    number, own = movement.prison_number, movement.movement_id
    await outbox.append(session, MOVEMENTS, number, movement, time=now, event_id=own)


def _recorded(told: custody.DetentionCounted, now: datetime) -> datetime:
    """What an older custody told bears no time."""
    return told.recorded_time.ToDatetime(UTC) if told.HasField("recorded_time") else now


def concerned(flag: flagging.Flag) -> tuple[list[str], list[str]]:
    """The prison numbers and the nominals that a flag may say something new of."""
    own = [one.value for one in flag.person.identifiers if one.kind == NUMBER]
    return own, [flag.nominal_id, flag.merged_into, *members(flag)]


def numbers(movement: movement_pb2.Movement) -> list[str]:
    return [movement.prison_number, movement.removed_prison_number]


async def _hold(session: AsyncSession, *numbers: str) -> None:
    """Nobody is given a number while somebody else finds that nobody has it."""
    await lock_all(session, [_HELD + number for number in numbers])


def _apart(flags: Sequence[flagging.Flag]) -> Iterator[list[flagging.Flag]]:
    """Runs of flags of which no two are of one person, share an identifier, or tell of a merge."""
    together: list[flagging.Flag] = []
    touched: set[tuple[int, str]] = set()
    for flag in flags:
        touches = {(0, flag.nominal_id), *((one.kind, one.value) for one in flag.person.identifiers)}
        merging = bool(flag.merged_into or flag.merges)
        if together and (merging or touched & touches):
            yield together
            together, touched = [], set()
        together.append(flag)
        touched |= touches
        if merging:
            yield together
            together, touched = [], set()
    if together:
        yield together


async def _park(
    session: AsyncSession, movement: movement_pb2.Movement, numbers: Sequence[str], recorded: datetime
) -> Fate:
    new = [await facts.park(session, movement, number, recorded) for number in numbers]
    if not any(new):
        return pb.MOVEMENT_FATE_REPEATED
    for number in numbers:
        await due.put_first(session, LAPSE, _HELD + number, recorded + PARKED_FOR)
    return pb.MOVEMENT_FATE_PARKED


def canonical(movement: movement_pb2.Movement, now: datetime) -> movement_pb2.Movement:
    """Raises Invalid for a movement that cannot be one."""
    movement.prison_number = _number(movement.prison_number, "prison_number")
    merge = movement.kind == movement_pb2.MOVEMENT_KIND_MERGE
    if merge != bool(movement.removed_prison_number):
        raise Invalid("removed_prison_number", "is given with a merge, and only with one")
    if merge:
        movement.removed_prison_number = _number(movement.removed_prison_number, "removed_prison_number")
    if merge and movement.prison_number == movement.removed_prison_number:
        raise Invalid("removed_prison_number", "is the number that stays")
    _refuse_correction(movement)
    if movement.name.family_name and not movement.HasField("birth_date"):
        raise Invalid("birth_date", "is required with a name")
    if movement.destination_prison_id and movement.kind != movement_pb2.MOVEMENT_KIND_TRANSFER_OUT:
        raise Invalid("destination_prison_id", "is given with a transfer out, and only with one")
    if movement.occurred_time.ToDatetime(UTC) > now + AHEAD:
        raise Invalid("occurred_time", "lies in the future")
    return movement


def _nameless(movement: movement_pb2.Movement) -> movement_pb2.Movement:
    """Whom it is taken for is not kept here."""
    told = movement_pb2.Movement()
    told.CopyFrom(movement)
    told.ClearField("name")
    told.ClearField("birth_date")
    told.ClearField("pnc_id")
    return told


def _refuse_correction(movement: movement_pb2.Movement) -> None:
    corrects, kind = movement.corrects_movement_id, movement.kind
    if kind == movement_pb2.MOVEMENT_KIND_REVERSAL and not corrects:
        raise Invalid("corrects_movement_id", "is required with a reversal")
    if corrects == movement.movement_id:
        raise Invalid("corrects_movement_id", "is the movement itself")
    if corrects and kind == movement_pb2.MOVEMENT_KIND_MERGE:
        raise Invalid("corrects_movement_id", "goes with no merge: whose a number is the register says")


def _number(raw: str, field: str) -> str:
    try:
        return identifiers.canonical(NUMBER, raw)
    except identifiers.Malformed as malformed:
        raise Invalid(field, str(malformed)) from None


def _entry(movement: movement_pb2.Movement, recorded: datetime) -> Entry:
    return Entry(movement.movement_id, movement, movement.occurred_time.ToDatetime(UTC), recorded)


def _custody_id(told: FromCustody | custody.PpoArrestWithdrawn) -> str:
    """Recorded again after a withdrawal it is another fact."""
    recorded = told.recorded_time.ToJsonString()
    return f"{told.detention_id}/{told.nominal_id}/{told.DESCRIPTOR.name}/{recorded}"


def _withdrawal(held: Held, told: OfDetention, recorded: datetime) -> datetime | None:
    """When what was recorded then was withdrawn, by a withdrawal that came before it."""
    later = (
        entry.recorded
        for entry in held.entries
        if isinstance(entry.message, custody.PpoArrestWithdrawn)
        and entry.message.detention_id == told.detention_id
        and entry.message.nominal_id == told.nominal_id
        and entry.recorded >= recorded
    )
    return min(later, default=None)


def _occurred(told: FromCustody) -> datetime:
    match told:
        case custody.PpoArrested():
            return told.arrested_time.ToDatetime(UTC)
        case custody.PpoDrugTested():
            return told.drug_test.tested_time.ToDatetime(UTC)
        case custody.PpoDisposed():
            return told.disposed_time.ToDatetime(UTC)
