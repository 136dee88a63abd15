"""What a prisoner's death or the merge of two prison numbers changes in the register and in the index."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2 as pb
from services.flagging import changes, fields, nominals, register, steps
from services.flagging.changes import History
from services.flagging.nominals import Key
from services.flagging.store import merges
from services.flagging.store import nominals as store
from services.prisons.reasons import DIED
from services.runtime.database import lock
from services.runtime.errors import Illegal, Invalid

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
# As whom a step is recorded that nobody decided.
ITSELF = "flagging"


class Fate(StrEnum):
    ENDED = "ended"
    NUMBER_LEARNT = "number_learnt"
    # It was known before, or the person has no registration that could end.
    NOTHING_NEW = "nothing_new"
    UNKNOWN_NUMBER = "unknown_number"
    NOT_USED = "not_used"
    TWO_NOMINALS = "two_nominals"
    # A nomination is no registration yet: its forum declines it.
    ONLY_NOMINATED = "only_nominated"
    DOES_NOT_FIT = "does_not_fit"


DOUBTFUL = frozenset({Fate.TWO_NOMINALS, Fate.ONLY_NOMINATED, Fate.DOES_NOT_FIT})


async def take(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Raises Invalid for what can be no death or no merge."""
    if movement.kind == pb.MOVEMENT_KIND_RELEASE and movement.reason_code == DIED:
        death = fields.time(movement.occurred_time)
        return await _died(
            session, nominals.number(NUMBER, movement.prison_number, "prison_number"), death, now
        )
    if movement.kind == pb.MOVEMENT_KIND_MERGE:
        removed = nominals.number(NUMBER, movement.removed_prison_number, "removed_prison_number")
        return await _merged(
            session, nominals.number(NUMBER, movement.prison_number, "prison_number"), removed, now
        )
    return Fate.NOT_USED


async def _died(session: AsyncSession, number: Key, death: datetime, now: datetime) -> Fate:
    if death > now:
        raise Invalid("occurred_time", "nobody is known to die in the future")
    holder = (await store.holders(session, [number])).get(number)
    if holder is None:
        return Fate.UNKNOWN_NUMBER
    history = (await changes.claim(session, [holder], now))[holder]
    fate = _end(history, death)
    # Whatever it was: time may have brought something to an end.
    await changes.conclude(session, [history])
    return fate


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


async def _merged(session: AsyncSession, kept: Key, removed: Key, now: datetime) -> Fate:
    """Whoever holds one of the numbers holds both; the police may know the person by either."""
    # As for an import: who holds an identifier stays true until it is written.
    await lock(session, "nominals")
    holders = await store.holders(session, [kept, removed])
    if not holders:
        return Fate.UNKNOWN_NUMBER
    if len(set((await merges.living(session, holders.values())).values())) > 1:
        return Fate.TWO_NOMINALS
    missing = [number for number in (kept, removed) if number not in holders]
    holder = next(iter(holders.values()))
    await store.learn(session, dict.fromkeys(missing, holder), now)
    await changes.republish(session, [holder], now)
    return Fate.NUMBER_LEARNT if missing else Fate.NOTHING_NEW
