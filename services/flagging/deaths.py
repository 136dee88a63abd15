"""Deaths that prisons tell, which end a registration by themselves, and take back, which brings it back."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2 as pb
from services.flagging import changes, fields, nominals, register, steps
from services.flagging.changes import History
from services.flagging.fates import Fate
from services.flagging.models import PrisonDeath, Registration
from services.flagging.store import deaths
from services.flagging.store import nominals as store
from services.runtime import identity
from services.runtime.errors import Illegal, Invalid

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
# As whom a step is recorded that nobody decided.
ITSELF = "flagging"
TAKEN_BACK = "the prison has taken the death back"
NEVER_THEIRS = "the prison number was never this person's"


async def died(session: AsyncSession, movement: pb.Movement, now: datetime, *, just_learnt: bool) -> Fate:
    """Raises Invalid for what can be no death. `just_learnt`: nobody held the number before this movement."""
    death = fields.time(movement.occurred_time)
    if death > now:
        raise Invalid("occurred_time", "nobody is known to die in the future")
    history = await _history(session, movement, now)
    if history is None:
        return Fate.UNKNOWN_NUMBER
    fate = Fate.NOTHING_NEW
    if await deaths.told(session, movement.movement_id) is None:
        fate, of = end(history, death, just_learnt=just_learnt)
        if of is not None:
            session.add(_told(movement, now, registration_id=of.registration_id, died_time=death))
    # Whatever it was: time may have brought something to an end.
    await changes.conclude(session, [history])
    return fate


async def taken_back(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Of a movement that corrects another, which may have told of a death; the order they come in is any."""
    history = await _history_told(session, movement, now)
    if history is None or not history.rows:
        return Fate.NOT_USED
    told = await deaths.told(session, movement.corrects_movement_id)
    if told is None:
        session.add(_told(movement, now, movement_id=movement.corrects_movement_id, undone_time=now))
        return await _unexplained(session, history)
    # One of another number is not its sender's to take back.
    if told.undone_time is not None or told.prison_number != _number(movement)[1]:
        return Fate.NOTHING_NEW
    told.undone_time = now
    await session.flush()
    fate = await _return(session, history, told.registration_id, ITSELF, TAKEN_BACK)
    await changes.conclude(session, [history])
    return fate


async def disowned(
    session: AsyncSession, number: nominals.Key, nominal_id: str, now: datetime
) -> Collection[Fate]:
    """The number was never this person's, and so no death under it was; publishes the flag."""
    history = (await changes.claim(session, [nominal_id], now))[nominal_id]
    told = await deaths.under(session, number[1], [row.registration_id for row in history.rows])
    for one in told:
        one.undone_time = now
    await session.flush()
    by, ended = identity.current().subject, {one.registration_id for one in told}
    fates = {await _return(session, history, one, by, NEVER_THEIRS) for one in ended}
    await changes.conclude(session, [history])
    return fates


async def _history_told(session: AsyncSession, movement: pb.Movement, now: datetime) -> History | None:
    """Of whoever the death was told, whose the number may not be any more."""
    nominal_id = await deaths.nominal_of(session, movement.corrects_movement_id)
    if nominal_id is None:
        return await _history(session, movement, now)
    return (await changes.claim(session, [nominal_id], now))[nominal_id]


async def _history(session: AsyncSession, movement: pb.Movement, now: datetime) -> History | None:
    number = _number(movement)
    holder = (await store.holders(session, [number])).get(number)
    return None if holder is None else (await changes.claim(session, [holder], now))[holder]


def _number(movement: pb.Movement) -> nominals.Key:
    return nominals.number(NUMBER, movement.prison_number, "prison_number")


def _told(movement: pb.Movement, now: datetime, **told: str | datetime) -> PrisonDeath:
    known = {"movement_id": movement.movement_id, "prison_number": _number(movement)[1]}
    return PrisonDeath(recorded_time=now, **(known | told))


def end(history: History, death: datetime, *, just_learnt: bool) -> tuple[Fate, Registration | None]:
    """Also the registration that the death was told of, if any."""
    row = next((row for row in history.rows if row.state in register.LIVE), None)
    if row is None:
        return Fate.NOTHING_NEW, _dead(history)
    if row.state not in register.FLAGGED:
        return Fate.ONLY_NOMINATED, _dead(history)
    # A reversal that came first found nobody, and nothing is kept of nobody.
    if just_learnt:
        return Fate.NUMBER_JUST_LEARNT, row
    try:
        steps.end_by_death(history, row, death, ITSELF)
    except Illegal:
        # Dead before the registration began: one of the two is mistaken.
        return Fate.DOES_NOT_FIT, _dead(history)
    return Fate.ENDED, row


def bring_back(history: History, registration_id: str | None, by: str, reason: str) -> Fate:
    row = next((row for row in history.rows if row.registration_id == registration_id), None)
    if row is None or not register.dead(row.standing):
        return Fate.NOTHING_NEW
    if row.steps[-1].recorded_by != ITSELF:
        return Fate.DECIDED_BY_SOMEBODY
    # Of two nominals that were merged dead, the other has come back already.
    if any(other.state in register.LIVE for other in history.rows):
        return Fate.DOES_NOT_FIT
    try:
        steps.return_from_death(history, row, by, reason)
    except Illegal:
        return Fate.DOES_NOT_FIT
    return Fate.RETURNED


def _dead(history: History) -> Registration | None:
    ended = (row for row in reversed(history.rows) if register.dead(row.standing))
    return next(ended, None)


async def _unexplained(session: AsyncSession, history: History) -> Fate:
    """A death was told before its movements were kept: whether this is the one nobody can say."""
    by_itself = {
        row.registration_id
        for row in history.rows
        if register.dead(row.standing) and row.steps[-1].recorded_by == ITSELF
    }
    explained = await deaths.standing(session, by_itself)
    return Fate.DOES_NOT_FIT if by_itself - explained else Fate.NOT_USED


async def _return(
    session: AsyncSession, history: History, registration_id: str | None, by: str, reason: str
) -> Fate:
    fate = bring_back(history, registration_id, by, reason)
    if fate != Fate.RETURNED:
        return fate
    # Who may be alive is checked for: it is the other telling that somebody must look at.
    still = await deaths.standing(session, [row.registration_id for row in history.rows])
    return Fate.TOLD_BY_ANOTHER if still else Fate.RETURNED
