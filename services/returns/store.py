"""Every query of the service; transactions are opened by the caller."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Select, Subquery, and_, delete, func, insert, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from services.returns.definitions import CROSSED, OF_AN_AREA, TOTAL, Cell, Counts
from services.returns.models import SCHEMA, Addition, Count, MonthlyReturn, Revision, Step
from services.returns.months import preceding
from services.runtime.database import copy_rows

# An area and a month.
Place: TypeAlias = tuple[str, date]
COUNTED = ("return_id", "revision", *Cell._fields, "value")
# In the database: of a nation's returns these are twice as many cells as were sent.
_CHANGED = text(
    f"""
    SELECT return_id::text, count(*) FROM (
        SELECT return_id, measure, breakdown, category
        FROM {SCHEMA}.monthly_return JOIN {SCHEMA}.count USING (return_id)
        WHERE return_id = ANY (CAST(:ids AS uuid[])) AND revision IN (latest_revision - 1, latest_revision)
        GROUP BY return_id, measure, breakdown, category
        HAVING sum(CASE revision WHEN latest_revision THEN value ELSE -value END) <> 0
    ) AS changed GROUP BY return_id
    """
)
STEPPED = ("return_id", "revision", "place", "state", "recorded_time", "recorded_by", "words")


class Standing(NamedTuple):
    """What there is of an area's month and of the one before, as it is about to be closed."""

    # M0 of the month before; None where that was never returned.
    brought_forward: int | None = None
    latest: Revision | None = None
    # The latest revision that was submitted; 0 where none was.
    sent: int = 0


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


async def listed(session: AsyncSession, area: str) -> Sequence[Revision]:
    """The latest revision of each month, the latest month first; of every area where none is given."""
    found = _latest().order_by(MonthlyReturn.month.desc(), MonthlyReturn.area)
    return (await session.scalars(found.where(MonthlyReturn.area == area) if area else found)).all()


async def states(
    session: AsyncSession, unsent: Collection[int], month: date
) -> Sequence[tuple[str, date, int, int]]:
    """Area, month, state and what it corrects: of each latest revision that is unsent or of that month."""
    columns = MonthlyReturn.area, MonthlyReturn.month, Revision.state, Revision.corrects_revision
    found = select(*columns).join(Revision.of).where(Revision.revision == MonthlyReturn.latest_revision)
    rows = await session.execute(found.where(Revision.state.in_(unsent) | (MonthlyReturn.month == month)))
    return [(row.area, row.month, row.state, row.corrects_revision) for row in rows]


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
    return _together(await counts(session, row), added)


def _together(counted: Counts, added: Counts) -> dict[Cell, int]:
    measures = {cell.measure for cell in added}
    return {cell: value for cell, value in counted.items() if cell.measure not in measures} | dict(added)


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
    last = func.max(Revision.revision).label("revision")
    theirs = _sent(areas, month).with_only_columns(MonthlyReturn.area, Revision.return_id, last)
    theirs = theirs.group_by(MonthlyReturn.area, Revision.return_id)
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


async def submitted(
    session: AsyncSession, areas: Collection[str], month: date
) -> dict[str, list[dict[Cell, int]]]:
    """What each of these areas has submitted for the month, revision after revision, as `whole`.

    Without what is counted by two things, of which there is most.
    """
    sent = _sent(areas, month)
    revisions = (await session.execute(sent.order_by(Revision.return_id, Revision.revision))).all()
    counted, added = [await _cells(session, table, sent.subquery()) for table in (Count, Addition)]
    found: dict[str, list[dict[Cell, int]]] = {}
    for area, *which in revisions:
        whole = _together(counted.get(tuple(which), {}), added.get(tuple(which), {}))
        found.setdefault(area, []).append(whole)
    return found


def _sent(areas: Collection[str], month: date) -> Select[str, str, int]:
    found = select(MonthlyReturn.area, Revision.return_id, Revision.revision).join(Revision.of)
    of_month = MonthlyReturn.month == month, MonthlyReturn.area.in_(areas)
    return found.where(*of_month, Revision.submitted_time.is_not(None))


async def _cells(
    session: AsyncSession, table: type[Count] | type[Addition], sent: Subquery
) -> dict[tuple[Any, ...], dict[Cell, int]]:
    cell = table.measure, table.breakdown, table.category
    rows = select(table.return_id, table.revision, *cell, table.value).join(
        sent, and_(sent.c.return_id == table.return_id, sent.c.revision == table.revision)
    )
    found: dict[tuple[Any, ...], dict[Cell, int]] = {}
    for row in await session.execute(rows.where(table.breakdown.not_in(CROSSED))):
        found.setdefault(tuple(row[:2]), {})[Cell(*row[2:5])] = row[5]
    return found


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


async def standing(session: AsyncSession, places: Sequence[Place]) -> dict[Place, Standing]:
    before = await _brought_forward(session, [(area, preceding(month)) for area, month in places])
    found = await session.scalars(_latest().where(_place().in_(places)))
    latest = {(row.of.area, row.of.month): row for row in found}
    sent = await _last_sent(session, [row.return_id for row in latest.values()])
    return {
        place: Standing(before.get(place[0]), row, sent.get(row.return_id, 0))
        if (row := latest.get(place))
        else Standing(before.get(place[0]))
        for place in places
    }


async def _brought_forward(session: AsyncSession, places: Sequence[Place]) -> dict[str, int]:
    """M0 by area, in the month's latest revision."""
    columns = (MonthlyReturn.return_id, MonthlyReturn.latest_revision, MonthlyReturn.area)
    rows = await session.execute(select(*columns).where(_place().in_(places)))
    latest = {(return_id, revision): area for return_id, revision, area in rows}
    # By the key alone: joined, a planner without statistics reads all counts there ever were.
    key = tuple_(Count.return_id, Count.revision, Count.measure, Count.breakdown, Count.category)
    wanted = [(*one, "M0", TOTAL, "") for one in latest]
    found = await session.execute(select(Count.return_id, Count.revision, Count.value).where(key.in_(wanted)))
    return {latest[return_id, revision]: value for return_id, revision, value in found}


async def _last_sent(session: AsyncSession, return_ids: Sequence[str]) -> dict[str, int]:
    found = select(Revision.return_id, func.max(Revision.revision)).where(
        Revision.return_id.in_(return_ids), Revision.submitted_time.is_not(None)
    )
    return dict((await session.execute(found.group_by(Revision.return_id))).all())


async def add(session: AsyncSession, made: Sequence[tuple[Revision, Iterable[tuple[Cell, int]]]]) -> None:
    """Revisions with their counts, and the first step of their lives."""
    # What a row refers to is looked for by a plan that a connection made while there was little of it, and
    # keeps: it would read all revisions there ever were for every count.
    await session.execute(text("DISCARD PLANS"))
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    session.add_all(row for row, _ in made)
    await session.flush()
    first = [
        (row.return_id, row.revision, 1, row.state, row.recorded_time, row.recorded_by, "") for row, _ in made
    ]
    counts = ((row.return_id, row.revision, *cell, value) for row, counted in made for cell, value in counted)
    await copy_rows(session, f"{SCHEMA}.step", STEPPED, first)
    await copy_rows(session, f"{SCHEMA}.count", COUNTED, counts)
    await session.execute(text("SET LOCAL enable_seqscan TO DEFAULT"))
    changed = await _changed(session, [row.return_id for row, _ in made if row.revision > 1])
    for row, _ in made:
        row.cells_changed = changed.get(row.return_id, 0)


async def _changed(session: AsyncSession, return_ids: Sequence[str]) -> dict[str, int]:
    """How many cells of each one's latest revision are other than in the one before; none is as good as 0."""
    if not return_ids:
        return {}
    return dict((await session.execute(_CHANGED, {"ids": return_ids})).all())


def _place() -> ColumnElement[Any]:
    return tuple_(MonthlyReturn.area, MonthlyReturn.month)


def _latest_of(table: type[Count]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.return_id == MonthlyReturn.return_id, table.revision == MonthlyReturn.latest_revision


def _revisions() -> Select[Revision]:
    return select(Revision).join(Revision.of).options(contains_eager(Revision.of))


def _latest() -> Select[Revision]:
    return _revisions().where(Revision.revision == MonthlyReturn.latest_revision)
