"""Queries on imports that have not ended."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.flagging.models import NominalImport, NominalRefusal


async def progress(session: AsyncSession, source: str) -> NominalImport | None:
    """Locked: of two streams of one source the second waits, and sees that it is not the first any more."""
    return await session.get(NominalImport, source, with_for_update=True)


async def begin(session: AsyncSession, source: str, request_id: str, now: datetime) -> NominalImport:
    begun = NominalImport(
        source=source,
        request_id=request_id,
        recorded_time=now,
        last_line=0,
        created=0,
        updated=0,
        unchanged=0,
        refused=0,
    )
    session.add(begun)
    await session.flush()
    return begun


async def refuse(session: AsyncSession, source: str, refused: Sequence[tuple[int, str, str]]) -> None:
    if refused:
        rows = [
            {"source": source, "line": line, "field": field, "rule": rule} for line, field, rule in refused
        ]
        await session.execute(insert(NominalRefusal).on_conflict_do_nothing(), rows)


async def refusals(session: AsyncSession, source: str, after: int, limit: int) -> Sequence[NominalRefusal]:
    """Those of the lines behind `after`."""
    rows = select(NominalRefusal).filter_by(source=source).where(NominalRefusal.line > after)
    return (await session.scalars(rows.order_by(NominalRefusal.line).limit(limit))).all()
