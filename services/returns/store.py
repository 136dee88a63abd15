"""Every query of the service; transactions are opened by the caller."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import Select, Subquery, and_, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from services.returns.definitions import OF_AN_AREA, Cell
from services.returns.models import Addition, Count, MonthlyReturn, Revision, Step


async def of(session: AsyncSession, area: str, month: date, revision: int = 0) -> Revision | None:
    """That revision of the month, the latest where it is 0."""
    number = revision or MonthlyReturn.latest_revision
    found = _revisions().where(Revision.revision == number)
    return await session.scalar(found.where(MonthlyReturn.area == area, MonthlyReturn.month == month))


async def claimed(session: AsyncSession, return_id: str, revision: int) -> Revision | None:
    """That revision, while the latest stays the latest for this transaction."""
    # Locked by itself: a join that has waited would still look for the revision that was the latest before.
    await session.execute(select(MonthlyReturn).filter_by(return_id=return_id).with_for_update())
    found = _revisions().where(Revision.return_id == return_id, Revision.revision == revision)
    return await session.scalar(found.execution_options(populate_existing=True))


async def sent(session: AsyncSession, return_id: str) -> Revision | None:
    """The latest revision that was submitted."""
    found = _revisions().where(Revision.return_id == return_id, Revision.submitted_time.is_not(None))
    return await session.scalar(found.order_by(Revision.revision.desc()).limit(1))


async def sent_of(session: AsyncSession, area: str, month: date) -> Revision | None:
    """The latest revision of an area's month that was submitted."""
    found = _revisions().where(
        MonthlyReturn.area == area, MonthlyReturn.month == month, Revision.submitted_time.is_not(None)
    )
    return await session.scalar(found.order_by(Revision.revision.desc()).limit(1))


async def listed(session: AsyncSession, area: str) -> Sequence[Revision]:
    """The latest revision of each month, the latest month first; of every area where none is given."""
    found = _latest().order_by(MonthlyReturn.month.desc(), MonthlyReturn.area)
    return (await session.scalars(found.where(MonthlyReturn.area == area) if area else found)).all()


async def series(session: AsyncSession, area: str, first: date, last: date) -> Sequence[Revision]:
    """As `listed`, for the months from `first` to `last`, the first month first."""
    found = _latest().where(MonthlyReturn.area == area, MonthlyReturn.month.between(first, last))
    return (await session.scalars(found.order_by(MonthlyReturn.month))).all()


async def counts(session: AsyncSession, row: Revision) -> dict[Cell, int]:
    """As they were sent, without additions."""
    found = select(Count).filter_by(return_id=row.return_id, revision=row.revision)
    ordered = found.order_by(Count.measure, Count.breakdown, Count.category)
    return {count.cell: count.value for count in await session.scalars(ordered)}


async def additions(session: AsyncSession, row: Revision) -> Sequence[Addition]:
    found = select(Addition).filter_by(return_id=row.return_id, revision=row.revision)
    ordered = found.order_by(Addition.measure, Addition.breakdown, Addition.category)
    return (await session.scalars(ordered)).all()


async def whole(session: AsyncSession, row: Revision) -> dict[Cell, int]:
    """With the additions, each instead of the none that was counted of its measure."""
    added = {one.cell: one.value for one in await additions(session, row)}
    measures = {cell.measure for cell in added}
    counted = await counts(session, row)
    return {cell: value for cell, value in counted.items() if cell.measure not in measures} | added


async def earlier(session: AsyncSession, row: Revision) -> Sequence[Revision]:
    """This revision and those before it, oldest first."""
    found = _revisions().where(Revision.return_id == row.return_id, Revision.revision <= row.revision)
    return (await session.scalars(found.order_by(Revision.revision))).all()


async def summed(
    session: AsyncSession, areas: Collection[str], month: date
) -> tuple[dict[Cell, int], set[str]]:
    """What these areas have submitted for the month, together, and which of them have.

    Without what only one area has: its OCUs, courts, agencies and teams.
    """
    theirs = (
        select(MonthlyReturn.area, Revision.return_id, func.max(Revision.revision).label("revision"))
        .join(MonthlyReturn, MonthlyReturn.return_id == Revision.return_id)
        .where(
            MonthlyReturn.month == month,
            MonthlyReturn.area.in_(areas),
            Revision.submitted_time.is_not(None),
        )
        .group_by(MonthlyReturn.area, Revision.return_id)
    )
    given = set((await session.execute(select(theirs.subquery().c.area))).scalars())
    found: Counter[Cell] = Counter()
    for table in (Count, Addition):
        for row in await session.execute(_sums(table, theirs.subquery())):
            found[Cell(row.measure, row.breakdown, row.category)] += row.value
    return dict(found), given


def _sums(table: type[Count] | type[Addition], sent: Subquery) -> Select[str, str, str, int]:
    rows = select(table.measure, table.breakdown, table.category, func.sum(table.value).label("value")).join(
        sent, and_(sent.c.return_id == table.return_id, sent.c.revision == table.revision)
    )
    shared = table.breakdown.not_in(OF_AN_AREA)
    return rows.where(shared).group_by(table.measure, table.breakdown, table.category)


async def set_additions(session: AsyncSession, row: Revision, given: Iterable[tuple[Cell, int, str]]) -> None:
    """Instead of what was added to the same measures before."""
    revision = {"return_id": row.return_id, "revision": row.revision}
    values = [revision | cell._asdict() | {"value": value, "source": source} for cell, value, source in given]
    measures = {value["measure"] for value in values}
    await session.execute(delete(Addition).filter_by(**revision).where(Addition.measure.in_(measures)))
    await session.execute(insert(Addition), values)


async def steps(session: AsyncSession, row: Revision) -> Sequence[Step]:
    found = select(Step).filter_by(return_id=row.return_id, revision=row.revision)
    return (await session.scalars(found.order_by(Step.place))).all()


async def step(
    session: AsyncSession, row: Revision, words: str, now: datetime | None = None, by: str = ""
) -> None:
    """What the revision has come to."""
    last = select(func.coalesce(func.max(Step.place), 0)).filter_by(
        return_id=row.return_id, revision=row.revision
    )
    session.add(
        Step(
            return_id=row.return_id,
            revision=row.revision,
            place=int(await session.scalar(last) or 0) + 1,
            state=row.state,
            recorded_time=now or row.recorded_time,
            recorded_by=by or row.recorded_by,
            words=words,
        )
    )
    await session.flush()


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
