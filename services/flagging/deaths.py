"""Deaths that prisons tell, which end a registration by themselves, and take back, which brings it back."""

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
from services.runtime.errors import Illegal, Invalid

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
# As whom a step is recorded that nobody decided.
ITSELF = "flagging"


async def died(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Raises Invalid for what can be no death."""
    death = fields.time(movement.occurred_time)
    if death > now:
        raise Invalid("occurred_time", "nobody is known to die in the future")
    history = await _history(session, movement, now)
    if history is None:
        return Fate.UNKNOWN_NUMBER
    fate = Fate.NOTHING_NEW
    if await deaths.told(session, movement.movement_id) is None:
        fate = _end(history, death)
        if (ended := _dead(history)) is not None:
            session.add(_told(movement, now, registration_id=ended.registration_id, died_time=death))
    # Whatever it was: time may have brought something to an end.
    await changes.conclude(session, [history])
    return fate


async def taken_back(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Of a movement that corrects another, which may have told of a death; the order they come in is any."""
    history = await _history(session, movement, now)
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
    fate = await _return(session, history, told)
    await changes.conclude(session, [history])
    return fate


async def _history(session: AsyncSession, movement: pb.Movement, now: datetime) -> History | None:
    number = _number(movement)
    holder = (await store.holders(session, [number])).get(number)
    return None if holder is None else (await changes.claim(session, [holder], now))[holder]


def _number(movement: pb.Movement) -> nominals.Key:
    return nominals.number(NUMBER, movement.prison_number, "prison_number")


def _told(movement: pb.Movement, now: datetime, **told: str | datetime) -> PrisonDeath:
    known = {"movement_id": movement.movement_id, "prison_number": _number(movement)[1]}
    return PrisonDeath(recorded_time=now, **(known | told))


def _end(history: History, death: datetime) -> Fate:
    row = next((row for row in history.rows if row.state in register.LIVE), None)
    if row is None:
        return Fate.NOTHING_NEW
    if row.state not in register.FLAGGED:
        return Fate.ONLY_NOMINATED
    try:
        steps.end_by_death(history, row, death, ITSELF)
    except Illegal:
        # Dead before the registration began: one of the two is mistaken.
        return Fate.DOES_NOT_FIT
    return Fate.ENDED


def _dead(history: History) -> Registration | None:
    ended = (row for row in history.rows if register.dead(row.standing))
    return next(ended, None)


async def _unexplained(session: AsyncSession, history: History) -> Fate:
    """A death was told before its movements were kept: whether this is the one nobody can say."""
    ended = _dead(history)
    if ended is None or ended.steps[-1].recorded_by != ITSELF:
        return Fate.NOT_USED
    explained = await deaths.standing(session, ended.registration_id)
    return Fate.NOT_USED if explained else Fate.DOES_NOT_FIT


async def _return(session: AsyncSession, history: History, told: PrisonDeath) -> Fate:
    ended = _dead(history)
    if ended is None or ended.registration_id != told.registration_id:
        return Fate.NOTHING_NEW
    if ended.steps[-1].recorded_by != ITSELF:
        return Fate.DECIDED_BY_SOMEBODY
    try:
        steps.return_from_death(history, ended, ITSELF)
    except Illegal:
        return Fate.DOES_NOT_FIT
    # Who may be alive is checked for: it is the other telling that somebody must look at.
    still = await deaths.standing(session, ended.registration_id)
    return Fate.TOLD_BY_ANOTHER if still else Fate.RETURNED
