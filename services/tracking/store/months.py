"""A month's counts, and the months that were closed."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.counting import Row
from services.tracking.models import Closing, Progress
from services.tracking.store import listed

_CELLS, _MOVEMENTS = text(listed.CELLS), text(listed.MOVEMENTS)


async def cells(session: AsyncSession, asked: Mapping[str, Any]) -> list[Row]:
    await _settle_on_plan(session)
    rows = await session.execute(_CELLS, asked)
    return [Row(measure, breakdown, category, int(value)) for measure, breakdown, category, value in rows]


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
        "reason": row.reason,
        "explanation": row.explanation,
        "tool_version": row.tool_version,
        "members": row.members,
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


async def sent(session: AsyncSession, area: str, month: date) -> Closing | None:
    """The month's latest closing that the returns have."""
    rows = select(Closing).where(Closing.area == area, Closing.month == month, Closing.revision.is_not(None))
    return await session.scalar(rows.order_by(Closing.revision.desc()).limit(1))
