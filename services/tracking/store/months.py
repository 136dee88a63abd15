"""What a month's counts begin with, and the months that were closed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as custody
from services.tracking.models import Closing, DetentionCount, Fact

# One row a person: on the list at the end of the month before, or at any instant of this one. The snapshot is
# the month's last instant, or the last one before the person was removed for good.
_LISTED = text(
    """
    WITH listed AS (
        SELECT nominal_id,
            least(max(coalesce(end_time, 'infinity')), :end) - interval '1 microsecond' AS snapshot,
            bool_or(start_time < :start AND coalesce(end_time, 'infinity') >= :start) AS before,
            bool_or(start_time < :end AND coalesce(end_time, 'infinity') >= :end) AS at_end,
            count(*) FILTER (WHERE start_time >= :start AND start_time < :end) AS added,
            coalesce(
                array_agg(removal_reason) FILTER (WHERE end_time >= :start AND end_time < :end), '{}'
            ) AS removals,
            (array_agg(strand ORDER BY start_time DESC))[1] AS strand,
            (array_agg(nominating_ocu ORDER BY start_time DESC))[1] AS nominating_ocu
        FROM episode
        WHERE start_time < :end AND coalesce(end_time, 'infinity') >= :start
        GROUP BY nominal_id
    )
    SELECT listed.*, person.flag, coalesce(stage.position, 0) AS position,
        coalesce(latest.owner, '') AS owner, coalesce(earlier.owner, '') AS owner_before
    FROM listed
    JOIN person USING (nominal_id)
    LEFT JOIN LATERAL (
        SELECT position FROM stage WHERE stage.nominal_id = listed.nominal_id AND effective_time <= snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) stage ON true
    LEFT JOIN LATERAL (
        SELECT owner FROM ownership
        WHERE ownership.nominal_id = listed.nominal_id AND superseded_time IS NULL
            AND effective_time <= snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) latest ON true
    LEFT JOIN LATERAL (
        SELECT owner FROM ownership
        WHERE ownership.nominal_id = listed.nominal_id AND superseded_time IS NULL
            AND effective_time < :start
        ORDER BY effective_time DESC LIMIT 1
    ) earlier ON true
    ORDER BY listed.nominal_id
    """
)


async def listed(session: AsyncSession, start: datetime, end: datetime) -> Sequence[Row[Any]]:
    return (await session.execute(_LISTED, {"start": start, "end": end})).all()


async def detentions(session: AsyncSession, first: date, last: date) -> Sequence[DetentionCount]:
    """Of those who are no PPOs, by the day of their disposal."""
    rows = select(DetentionCount).where(DetentionCount.disposal_date.between(first, last))
    return (await session.scalars(rows)).all()


async def tests(session: AsyncSession, start: datetime, end: datetime) -> list[custody.PpoDrugTested]:
    """Of PPOs."""
    rows = select(Fact.message).where(
        Fact.message_type == custody.PpoDrugTested.DESCRIPTOR.full_name,
        Fact.withdrawn_time.is_(None),
        Fact.occurred_time >= start,
        Fact.occurred_time < end,
    )
    return [custody.PpoDrugTested.FromString(one) for one in await session.scalars(rows)]


async def open_closing(session: AsyncSession, row: Closing) -> Closing:
    """The row, or the one that the same request made before."""
    values = {
        "closing_id": row.closing_id,
        "caller": row.caller,
        "request_id": row.request_id,
        "area": row.area,
        "month": row.month,
        "cut_off_time": row.cut_off_time,
        "counts": row.counts,
    }
    await session.execute(insert(Closing).values(values).on_conflict_do_nothing())
    held = await closing(session, row.caller, row.request_id)
    assert held is not None, "it has just been written"
    return held


async def closing(session: AsyncSession, caller: str, request_id: str) -> Closing | None:
    rows = select(Closing).where(Closing.caller == caller, Closing.request_id == request_id)
    return await session.scalar(rows)


async def close(session: AsyncSession, closing_id: str, return_id: str, revision: int) -> None:
    done = update(Closing).where(Closing.closing_id == closing_id)
    await session.execute(done.values(return_id=return_id, revision=revision))
