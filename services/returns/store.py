"""Every query of the service; transactions are opened by the caller."""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import Select, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from services.returns.definitions import Cell
from services.returns.models import Count, MonthlyReturn, Revision


async def of(session: AsyncSession, area: str, month: date, revision: int = 0) -> Revision | None:
    """That revision of the month, the latest where it is 0."""
    number = revision or MonthlyReturn.latest_revision
    found = _revisions().where(Revision.revision == number)
    return await session.scalar(found.where(MonthlyReturn.area == area, MonthlyReturn.month == month))


async def claimed(session: AsyncSession, return_id: str) -> Revision | None:
    """The latest revision, which stays the latest for this transaction."""
    # Locked by itself: a join that has waited would still look for the revision that was the latest before.
    await session.execute(select(MonthlyReturn).filter_by(return_id=return_id).with_for_update())
    return await session.scalar(_latest().where(Revision.return_id == return_id))


async def listed(session: AsyncSession, area: str) -> Sequence[Revision]:
    """The latest revision of each month, the latest month first; of every area where none is given."""
    found = _latest().order_by(MonthlyReturn.month.desc(), MonthlyReturn.area)
    return (await session.scalars(found.where(MonthlyReturn.area == area) if area else found)).all()


async def series(session: AsyncSession, area: str, first: date, last: date) -> Sequence[Revision]:
    """As `listed`, for the months from `first` to `last`, the first month first."""
    found = _latest().where(MonthlyReturn.area == area, MonthlyReturn.month.between(first, last))
    return (await session.scalars(found.order_by(MonthlyReturn.month))).all()


async def counts(session: AsyncSession, row: Revision) -> dict[Cell, int]:
    found = select(Count).filter_by(return_id=row.return_id, revision=row.revision)
    ordered = found.order_by(Count.measure, Count.breakdown, Count.category)
    return {count.cell: count.value for count in await session.scalars(ordered)}


async def total(session: AsyncSession, area: str, month: date, measure: str) -> int | None:
    """Of the month's latest revision; None where the month was never returned."""
    row = await of(session, area, month)
    if row is None:
        return None
    cell = {"measure": measure, "breakdown": "total", "category": ""}
    found = select(Count.value).filter_by(return_id=row.return_id, revision=row.revision, **cell)
    return await session.scalar(found)


async def add(session: AsyncSession, row: Revision, counts: Iterable[tuple[Cell, int]]) -> None:
    session.add(row)
    await session.flush()
    revision = {"return_id": row.return_id, "revision": row.revision}
    values = [revision | cell._asdict() | {"value": value} for cell, value in counts]
    await session.execute(insert(Count), values)


def _revisions() -> Select[Revision]:
    return select(Revision).join(Revision.of).options(contains_eager(Revision.of))


def _latest() -> Select[Revision]:
    return _revisions().where(Revision.revision == MonthlyReturn.latest_revision)
