"""What a prisoner's death or the merge of two prison numbers changes in the register and in the index."""

from collections.abc import Collection
from datetime import datetime

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2 as pb
from services.flagging import changes, deaths, nominals
from services.flagging.fates import DOUBTFUL, Fate
from services.flagging.nominals import Key
from services.flagging.store import merges
from services.flagging.store import nominals as store
from services.prisons.reasons import DIED
from services.runtime.database import lock

REVIEW = Counter(
    "ppo_flagging_movements_review",
    "Deaths, taken back or not, and merges that contradict the register: somebody has to look at them.",
    ["reason"],
)

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER

log = structlog.get_logger()


async def take(session: AsyncSession, movement: pb.Movement, now: datetime) -> Fate:
    """Raises Invalid for what can be no death and no merge."""
    fate = Fate.NOT_USED
    if movement.corrects_movement_id:
        fate = await deaths.taken_back(session, movement, now)
    if movement.kind == pb.MOVEMENT_KIND_RELEASE and movement.reason_code == DIED:
        died = await deaths.died(session, movement, now)
        # Who was taken for dead is to be looked at, whatever becomes of who is.
        return fate if fate == Fate.TAKEN_BACK_BY_ANOTHER else died
    if movement.kind == pb.MOVEMENT_KIND_MERGE:
        removed = nominals.number(NUMBER, movement.removed_prison_number, "removed_prison_number")
        return await _merged(
            session, nominals.number(NUMBER, movement.prison_number, "prison_number"), removed, now
        )
    return fate


async def renumbered(session: AsyncSession, nominal_ids: Collection[str], now: datetime) -> None:
    """After these persons may have lost prison numbers; publishes their flags."""
    claimed = (await changes.claim(session, nominal_ids, now)).values()
    histories = list({history.nominal_id: history for history in claimed}.values())
    for registration_id, fate in await deaths.disowned(session, histories):
        review(fate, registration_id=registration_id)
    await changes.conclude(session, histories)


def review(fate: Fate, **place: object) -> None:
    """Says that somebody has to look at it, if so."""
    if fate in DOUBTFUL:
        REVIEW.labels(fate).inc()
        log.warning("a prisoner's movement contradicts the register", reason=fate, **place)


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
