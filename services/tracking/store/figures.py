"""What operations look at, counted."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import distinct, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.caseload import Held
from services.tracking.models import CASEWORK, NOTICES, Delivery, Notice, Parked, Review, outbox

# Of everybody who is on the register now: how many owners stand, and in which state.
_OWNERS = text(
    """
    SELECT standing.owner <> '' AS owned, standing.state, count(*)
    FROM (
        SELECT DISTINCT nominal_id FROM episode
        WHERE start_time <= :now AND (end_time IS NULL OR end_time > :now)
    ) live
    JOIN person ON person.nominal_id = live.nominal_id AND person.merged_into IS NULL
    LEFT JOIN LATERAL (
        SELECT owner, state FROM ownership
        WHERE ownership.nominal_id = live.nominal_id AND superseded_time IS NULL AND effective_time <= :now
        ORDER BY effective_time DESC LIMIT 1
    ) standing ON true
    GROUP BY 1, 2
    """
)

# The cases of everybody who is on the register at an instant, as they stand now.
_LIVE = """
    SELECT live.nominal_id, standing.owner, standing.state, standing.ownership
    FROM (
        SELECT DISTINCT nominal_id FROM episode
        WHERE start_time <= :at AND (end_time IS NULL OR end_time > :at)
    ) live
    JOIN person ON person.nominal_id = live.nominal_id AND person.merged_into IS NULL
    JOIN LATERAL (
        SELECT owner, state, ownership FROM ownership
        WHERE ownership.nominal_id = live.nominal_id AND superseded_time IS NULL AND effective_time <= :at
        ORDER BY effective_time DESC LIMIT 1
    ) standing ON standing.owner <> ''
"""
_HELD = text(
    f"""
    SELECT owned.ownership, stage.position FROM ({_LIVE}) owned
    LEFT JOIN LATERAL (
        SELECT position FROM stage WHERE stage.nominal_id = owned.nominal_id AND effective_time <= :at
        ORDER BY effective_time DESC LIMIT 1
    ) stage ON true
    """
)
_DISPUTED = text(f"SELECT nominal_id, ownership FROM ({_LIVE}) owned WHERE state = :state")
_OWNED = text(f"SELECT owner, count(*) FROM ({_LIVE}) owned GROUP BY owner")


async def notices(session: AsyncSession) -> Sequence[tuple[int, int, int]]:
    """(type, state, how many)."""
    rows = select(Notice.type, Notice.state, func.count()).group_by(Notice.type, Notice.state)
    return [(row[0], row[1], row[2]) for row in await session.execute(rows)]


async def undelivered(session: AsyncSession) -> int:
    rows = outbox.rows
    notices = rows.c.topic.startswith(NOTICES) | rows.c.topic.startswith(CASEWORK)
    unsent = select(func.count()).where(rows.c.sent_time.is_(None), notices)
    return int(await session.scalar(unsent) or 0)


async def overdue(session: AsyncSession, now: datetime) -> Sequence[tuple[int, int]]:
    """(type, how many): each notice once for each organisation that has not acknowledged it in time.

    A later revision leaves the earlier one's time limit as it was; a retraction ends it.
    """
    whose = func.count(distinct(tuple_(Delivery.notice_id, Delivery.organisation)))
    late = select(Notice.type, whose).join(Delivery, Delivery.notice_id == Notice.notice_id)
    later = aliased(Delivery)
    ended = select(later.number).where(
        later.notice_id == Delivery.notice_id,
        later.organisation == Delivery.organisation,
        later.revision > Delivery.revision,
        later.state == pb.NOTICE_STATE_RETRACTED,
    )
    unsettled = (Delivery.acknowledged_time.is_(None), ~ended.exists())
    rows = late.where(Delivery.due_time < now, *unsettled).group_by(Notice.type)
    return [(row[0], row[1]) for row in await session.execute(rows)]


async def parked(session: AsyncSession) -> tuple[int, datetime | None]:
    """How many, and since when the oldest."""
    rows = select(func.count(func.distinct(Parked.movement_id)), func.min(Parked.recorded_time))
    count, oldest = (await session.execute(rows)).one()
    return count, oldest


async def reviews(session: AsyncSession) -> Sequence[tuple[str, int]]:
    rows = await session.execute(
        select(Review.kind, func.count()).where(Review.resolved_time.is_(None)).group_by(Review.kind)
    )
    return [(row[0], row[1]) for row in rows]


async def held(session: AsyncSession, at: datetime) -> list[Held]:
    rows = await session.execute(_HELD, {"at": at})
    return [
        Held(pb.Ownership.FromString(row.ownership), row.position or pb.POSITION_OTHER_OR_NOT_KNOWN)
        for row in rows
    ]


async def owned(session: AsyncSession, now: datetime) -> dict[str, int]:
    """How many cases each owner has."""
    rows = await session.execute(_OWNED, {"at": now})
    return {row[0]: row[1] for row in rows}


async def disputed(session: AsyncSession, now: datetime) -> list[tuple[str, pb.Ownership]]:
    """The live cases about which there is an open dispute."""
    rows = await session.execute(_DISPUTED, {"at": now, "state": pb.OWNERSHIP_STATE_DISPUTED})
    return [(row[0], pb.Ownership.FromString(row[1])) for row in rows]


async def owners(session: AsyncSession, now: datetime) -> Sequence[tuple[bool, int, int]]:
    """(has an owner, ppo.tracking.v1.OwnershipState, how many)."""
    rows = await session.execute(_OWNERS, {"now": now})
    return [(bool(row[0]), row[1] or 0, row[2]) for row in rows]
