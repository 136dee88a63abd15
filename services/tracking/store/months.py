"""A month's counts, and the months that were closed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.counting import Row
from services.tracking.models import SCHEMA, Closing, Progress
from services.tracking.store import counts
from services.tracking.store.counts.movements import MOVEMENTS

_CELLS, _MOVEMENTS = text(counts.CELLS), text(MOVEMENTS)
_CLOSE = text(
    f"UPDATE {SCHEMA}.closing SET return_id = one.return_id, revision = one.revision"
    " FROM unnest(CAST(:ids AS text[]), CAST(:returns AS text[]), CAST(:revisions AS int[]))"
    " AS one (id, return_id, revision) WHERE closing_id = one.id"
)
OPENED = (
    *("closing_id", "caller", "request_id", "area", "month", "cut_off_time", "counts", "reason"),
    *("explanation", "tool_version", "members"),
)


async def cells(session: AsyncSession, asked: Mapping[str, Any]) -> list[Row]:
    await _settle_on_plan(session)
    rows = await session.execute(_CELLS, asked)
    return [
        Row(area, measure, breakdown, category, int(value))
        for area, measure, breakdown, category, value in rows
    ]


async def movements(
    session: AsyncSession, asked: Mapping[str, Any], members: Sequence[str] | None
) -> list[pb.ListMonthMovementsResponse]:
    """`members`: whom the return of the month before counted at its end; None where there was none."""
    await _settle_on_plan(session)
    rows = await session.execute(_MOVEMENTS, {**asked, "members": members})
    return [
        pb.ListMonthMovementsResponse(
            nominal_id=nominal_id, movement=pb.MonthMovement.Value(f"MONTH_MOVEMENT_{name}"), times=times
        )
        for nominal_id, name, times in rows
    ]


async def _settle_on_plan(session: AsyncSession) -> None:
    # Compiling these statements takes longer than running them, for an area of any size.
    await session.execute(text("SET LOCAL jit = off"))
    # A month of a whole nation in one area, on a machine with other work.
    await session.execute(text("SET LOCAL statement_timeout = '60s'"))


async def record_progress(session: AsyncSession, row: Progress) -> None:
    session.add(row)
    await session.flush()


async def open_closings(session: AsyncSession, rows: Sequence[Closing]) -> list[Closing]:
    """The rows, or those that the same request made before."""
    values = [{name: getattr(row, name) for name in OPENED} for row in rows]
    await session.execute(insert(Closing).on_conflict_do_nothing(), values)
    return await closings(session, rows[0].caller, [row.request_id for row in rows])


async def closings(session: AsyncSession, caller: str, request_ids: Collection[str]) -> list[Closing]:
    rows = select(Closing).where(Closing.caller == caller, Closing.request_id.in_(request_ids))
    return list(await session.scalars(rows))


async def close(session: AsyncSession, done: Sequence[tuple[str, str, int]]) -> None:
    """Each with the id of its return and the revision there."""
    ids, returns, revisions = zip(*done, strict=True)
    values = {"ids": list(ids), "returns": list(returns), "revisions": list(revisions)}
    await session.execute(_CLOSE, values)


async def sent(session: AsyncSession, area: str, month: date) -> Closing | None:
    """The month's latest closing that the returns have."""
    rows = select(Closing).where(Closing.area == area, Closing.month == month, Closing.revision.is_not(None))
    return await session.scalar(rows.order_by(Closing.revision.desc()).limit(1))
