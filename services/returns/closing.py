"""A month is closed: its counts are held against each other and the month before, and kept as a revision."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import balance, months, store
from services.returns.areas import Area, Areas
from services.returns.balance import Check
from services.returns.definitions import Cell
from services.returns.models import MonthlyReturn, Revision
from services.runtime import identity
from services.runtime.database import lock
from services.runtime.errors import Illegal, Invalid

LONGEST_VERSION = 100
# All of them would not fit into the trailers of an answer.
MOST_NAMED = 10


class Month(NamedTuple):
    """A heading, checked."""

    area: Area
    month: date
    due_date: date
    cut_off: datetime
    tool_version: str


def month(heading: pb.Heading, areas: Areas) -> Month:
    closed = months.month(heading.month, "heading.month")
    area = areas.area(heading.area, closed, "heading.area")
    cut_off = heading.cut_off_time.ToDatetime(tzinfo=UTC)
    if cut_off < months.end(closed):
        raise Invalid("heading.cut_off_time", "is before the month has ended")
    # It stands in workbooks, whose format has no place for control characters.
    if not heading.tool_version.isprintable() or len(heading.tool_version) > LONGEST_VERSION:
        raise Invalid(
            "heading.tool_version", f"is not at most {LONGEST_VERSION} characters that can be printed"
        )
    return Month(area, closed, areas.due_date(closed), cut_off, heading.tool_version)


async def close(
    session: AsyncSession, month: Month, counts: Sequence[tuple[Cell, int]], now: datetime
) -> Revision:
    """The month's next revision; those before it stay as they are."""
    # One at a time in an area: the month before stays as it was while this one is held against it.
    await lock(session, f"returns of {month.area.id}")
    before = await store.total(session, month.area.id, months.preceding(month.month), "M0")
    if failed := balance.imbalances(counts, before, month.area.ocus):
        raise Illegal("DOES_NOT_BALANCE", _told(failed))
    latest = await store.of(session, month.area.id, month.month)
    if latest is not None and month.cut_off < latest.cut_off_time:
        raise Illegal("CLOSED_LATER", f"revision {latest.revision} was closed later than this")
    row = _next(month, latest)
    row.brought_forward = before
    row.recorded_time, row.recorded_by = now, identity.current().subject
    await store.add(session, row, counts)
    return row


def _next(month: Month, latest: Revision | None) -> Revision:
    of = latest.of if latest else _first(month)
    of.latest_revision += 1
    return Revision(
        return_id=of.return_id,
        revision=of.latest_revision,
        state=pb.RETURN_STATE_CHECKED,
        cut_off_time=month.cut_off,
        tool_version=month.tool_version,
        of=of,
    )


def _first(month: Month) -> MonthlyReturn:
    return MonthlyReturn(
        return_id=str(uuid4()),
        area=month.area.id,
        month=month.month,
        due_date=month.due_date,
        latest_revision=0,
    )


def _told(failed: Sequence[Check]) -> str:
    more = [f"and {len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
    return "; ".join([*map(str, failed[:MOST_NAMED]), *more])
