"""What a month's counts begin with, and the months that were closed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as custody
from services.tracking.headcount import Before, Head, Merge, Stretch
from services.tracking.models import Closing, DetentionCount, Episode, Fact, NominalMerge

# What is known of somebody at an instant.
_SEEN = text(
    """
    SELECT person.nominal_id, person.flag, coalesce(stage.position, 0) AS position,
        coalesce(latest.owner, '') AS owner
    FROM unnest(CAST(:ids AS text[]), CAST(:snapshots AS timestamptz[])) AS asked (nominal_id, snapshot)
    JOIN person USING (nominal_id)
    LEFT JOIN LATERAL (
        SELECT position FROM stage WHERE stage.nominal_id = asked.nominal_id AND effective_time <= snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) stage ON true
    LEFT JOIN LATERAL (
        SELECT owner FROM ownership
        WHERE ownership.nominal_id = asked.nominal_id AND superseded_time IS NULL
            AND effective_time <= snapshot
        ORDER BY effective_time DESC LIMIT 1
    ) latest ON true
    """
)
# Whose case it was before an instant; of somebody who was found to be another since, as was known until then.
_OWNED = text(
    """
    SELECT asked.nominal_id, coalesce(latest.owner, '') AS owner
    FROM unnest(CAST(:ids AS text[]), CAST(:changes AS timestamptz[])) AS asked (nominal_id, changed)
    LEFT JOIN LATERAL (
        SELECT owner FROM ownership
        WHERE ownership.nominal_id = asked.nominal_id AND effective_time < :start
            AND (superseded_time IS NULL OR superseded_time >= changed)
        ORDER BY coalesce(recorded_time < changed, true) DESC, effective_time DESC LIMIT 1
    ) latest ON true
    """
)


async def stretches(session: AsyncSession, start: datetime, end: datetime) -> list[Stretch]:
    """Of everybody who was on the list then, or until the instant before."""
    rows = select(Episode).where(
        Episode.start_time < end, or_(Episode.end_time.is_(None), Episode.end_time >= start)
    )
    return [row.to_stretch() for row in await session.scalars(rows)]


async def merges(session: AsyncSession) -> list[Merge]:
    return [row.to_merge() for row in await session.scalars(select(NominalMerge))]


async def seen(session: AsyncSession, heads: Sequence[Head]) -> dict[str, Row[Any]]:
    """Flag, position and owner of each at their snapshot."""
    asked = {"ids": [one.nominal_id for one in heads], "snapshots": [one.snapshot for one in heads]}
    return {row.nominal_id: row for row in await session.execute(_SEEN, asked)}


async def owned(session: AsyncSession, before: Sequence[Before], start: datetime) -> dict[str, str]:
    asked = {"ids": [one.nominal_id for one in before], "changes": [one.changed for one in before]}
    rows = await session.execute(_OWNED, asked | {"start": start})
    return {row.nominal_id: row.owner for row in rows}


async def detentions(session: AsyncSession, first: date, last: date) -> Sequence[DetentionCount]:
    """Of those who are no PPOs, by the day of their disposal."""
    rows = select(DetentionCount).where(DetentionCount.disposal_date.between(first, last))
    return (await session.scalars(rows)).all()


async def tests(session: AsyncSession, start: datetime, end: datetime) -> list[custody.PpoDrugTested]:
    """Of PPOs, each once as it was last told: an arrest is told again once a merge was taken back."""
    rows = select(Fact.message).where(
        Fact.message_type == custody.PpoDrugTested.DESCRIPTOR.full_name,
        Fact.withdrawn_time.is_(None),
        Fact.occurred_time >= start,
        Fact.occurred_time < end,
    )
    told = await session.scalars(rows.order_by(Fact.recorded_time, Fact.fact_id))
    return list({one.drug_test.test_id: one for one in map(custody.PpoDrugTested.FromString, told)}.values())


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
