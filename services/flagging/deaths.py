"""Deaths that prisons tell, which end a registration by themselves, and take back, which brings it back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2 as pb
from services.flagging import changes, fields, nominals, register, steps
from services.flagging.changes import History
from services.flagging.fates import Fate
from services.flagging.models import PrisonDeath, Registration, due
from services.flagging.store import deaths
from services.flagging.store import nominals as store
from services.runtime import identity
from services.runtime.database import lock
from services.runtime.errors import Illegal, Invalid

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
# As whom a step is recorded that nobody decided.
ITSELF = "flagging"
REVERSAL_LAPSES = "reversal_lapses"
# No record is sent again later than that: so long topics and their dead letters are kept.
KEPT = timedelta(days=90)
TAKEN_BACK = "the prison has taken the death back"
NEVER_THEIRS = "the prison number was never this person's"


async def died(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Raises Invalid for what can be no death."""
    death = fields.time(movement.occurred_time)
    if death > now:
        raise Invalid("occurred_time", "nobody is known to die in the future")
    history = await _history(session, movement, now)
    if history is None:
        return Fate.UNKNOWN_NUMBER
    fate, told = Fate.NOTHING_NEW, await _told_of(session, movement.movement_id)
    if told is None or await _anothers(session, told, history):
        await deaths.forget(session, movement.movement_id)
        fate, of = end(history, death)
        if of is not None:
            session.add(_told(movement, now, registration_id=of.registration_id, died_time=death))
        if told is not None and fate == Fate.ENDED:
            fate = Fate.TAKEN_BACK_BY_ANOTHER
    # Whatever it was: time may have brought something to an end.
    await changes.conclude(session, [history])
    return fate


async def taken_back(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Of a movement that corrects another, which may have told of a death; the order they come in is any."""
    history = await _history(session, movement, now)
    told = await _told_of(session, movement.corrects_movement_id)
    if told is None:
        return await _keep(session, movement, history, now)
    if told.undone_time is not None:
        return Fate.NOTHING_NEW
    # One of another person is not its sender's to take back; the number may be one that a merge has kept.
    if history is None or all(row.registration_id != told.registration_id for row in history.rows):
        return Fate.TAKEN_BACK_BY_ANOTHER
    told.undone_time = now
    await session.flush()
    fate = await _return(session, history, told.registration_id, ITSELF, TAKEN_BACK)
    await changes.conclude(session, [history])
    return fate


async def disowned(session: AsyncSession, histories: Sequence[History]) -> list[tuple[str, Fate]]:
    """Of people who have other prison numbers now: no death under a number that is not theirs was theirs.

    It was that of whoever among them has the number. By registration; who calls concludes the histories.
    """
    by_id = {row.registration_id: history for history in histories for row in history.rows}
    told = await deaths.told_of(session, by_id)
    holders = await store.holders(session, {(NUMBER, one.prison_number) for one in told})
    fates: list[tuple[str, Fate]] = []
    for one in told:
        ended, holder = one.registration_id or "", holders.get((NUMBER, one.prison_number))
        if holder in by_id[ended].members:
            continue
        fates += await _inherit(
            session, one, next((each for each in histories if holder in each.members), None)
        )
        await session.flush()
        by = identity.current().subject
        fates.append((ended, await _return(session, by_id[ended], ended, by, NEVER_THEIRS)))
    return fates


async def _inherit(session: AsyncSession, told: PrisonDeath, heir: History | None) -> list[tuple[str, Fate]]:
    """The death becomes another's; whoever else is given the number, tracking tells it again."""
    fate, of = end(heir, told.died_time) if heir and told.died_time else (Fate.NOTHING_NEW, None)
    if of is None:
        await session.delete(told)
        return []
    told.registration_id = of.registration_id
    return [(of.registration_id, fate)]


async def lapse(session: AsyncSession, movement_id: str) -> None:
    """Nobody has told of the death that was taken back."""
    await deaths.forget(session, movement_id)


async def _keep(session: AsyncSession, movement: pb.Movement, history: History | None, now: datetime) -> Fate:
    """It may take back a death that is still to come, which may even be the first to tell the number."""
    corrected = movement.corrects_movement_id
    session.add(_told(movement, now, movement_id=corrected, undone_time=now))
    await due.put(session, REVERSAL_LAPSES, corrected, now + KEPT)
    return Fate.NOT_USED if history is None else await _unexplained(session, history)


async def _told_of(session: AsyncSession, movement_id: str) -> PrisonDeath | None:
    """A death and what takes it back may come at once, by two ways."""
    await lock(session, movement_id)
    return await deaths.told(session, movement_id)


async def _anothers(session: AsyncSession, kept: PrisonDeath, history: History) -> bool:
    """A reversal that came first, under a number that is not theirs who died."""
    number = (NUMBER, kept.prison_number)
    holder = (await store.holders(session, [number])).get(number)
    return kept.died_time is None and holder not in history.members


async def _history(session: AsyncSession, movement: pb.Movement, now: datetime) -> History | None:
    number = _number(movement)
    holder = (await store.holders(session, [number])).get(number)
    return None if holder is None else (await changes.claim(session, [holder], now))[holder]


def _number(movement: pb.Movement) -> nominals.Key:
    return nominals.number(NUMBER, movement.prison_number, "prison_number")


def _told(movement: pb.Movement, now: datetime, **told: str | datetime) -> PrisonDeath:
    known = {"movement_id": movement.movement_id, "prison_number": _number(movement)[1]}
    return PrisonDeath(recorded_time=now, **(known | told))


def end(history: History, death: datetime) -> tuple[Fate, Registration | None]:
    """Also the registration that the death was told of, if any."""
    row = next((row for row in history.rows if row.state in register.LIVE), None)
    if row is None:
        return Fate.NOTHING_NEW, _dead(history)
    if row.state not in register.FLAGGED:
        return Fate.ONLY_NOMINATED, _dead(history)
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
