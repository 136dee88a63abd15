"""A month is closed: its counts are held against each other and the month before, and kept as a revision."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import balance, months, store
from services.returns.areas import Area, Areas
from services.returns.balance import Check
from services.returns.definitions import Cell, Counts
from services.returns.models import MonthlyReturn, Revision
from services.returns.store import Place, Standing
from services.runtime import identity
from services.runtime.database import lock_all
from services.runtime.errors import Illegal, Invalid

LONGEST = 1_000
# All of them would not fit into the trailers of an answer.
MOST_NAMED = 10


class Month(NamedTuple):
    """A heading, checked."""

    area: Area
    month: date
    due_date: date
    cut_off: datetime
    tool_version: str
    # Why it is closed again, and what explains a residual; empty where nobody said.
    reason: str
    explanation: str


def month(heading: pb.Heading, areas: Areas) -> Month:
    closed = months.month(heading.month, "heading.month")
    area = areas.area(heading.area, closed, "heading.area")
    cut_off = months.instant(heading.cut_off_time)
    if cut_off < months.end(closed):
        raise Invalid("heading.cut_off_time", "is before the month has ended")
    tool = areas.tool(closed)
    if heading.tool_version != tool:
        raise Invalid("heading.tool_version", f"is not that of the month, which is {tool}")
    for field in ("reason", "explanation"):
        _refuse_unprintable(f"heading.{field}", getattr(heading, field))
    return Month(area, closed, areas.due_date(closed), cut_off, tool, heading.reason, heading.explanation)


def _refuse_unprintable(field: str, text: str) -> None:
    # It stands in workbooks, whose format has no place for control characters.
    if not text.isprintable() or len(text) > LONGEST:
        raise Invalid(field, f"is not at most {LONGEST} characters that can be printed")


class Closed(NamedTuple):
    month: Month
    counts: Sequence[tuple[Cell, int]]

    @property
    def place(self) -> Place:
        return self.month.area.id, self.month.month


async def close(session: AsyncSession, closed: Sequence[Closed], now: datetime) -> list[Revision | Illegal]:
    """The next revision of each month, or why it is refused; those before it stay as they are."""
    if len({one.month.area.id for one in closed}) < len(closed):
        raise Invalid("heading.area", "is given twice")
    # One at a time in an area: the month before stays as it was while this one is held against it.
    await lock_all(session, (f"returns of {one.month.area.id}" for one in closed))
    standing = await store.standing(session, [one.place for one in closed])
    found = [_tried(one, standing[one.place], now) for one in closed]
    made = zip(found, closed, strict=True)
    await store.add(session, [(row, one.counts) for row, one in made if isinstance(row, Revision)])
    return found


def _tried(closed: Closed, standing: Standing, now: datetime) -> Revision | Illegal:
    try:
        return _next(closed, standing, now)
    except Illegal as refusal:
        return refusal


def _next(closed: Closed, standing: Standing, now: datetime) -> Revision:
    month, latest, before = closed.month, standing.latest, standing.brought_forward
    residual = balance.residual(dict(closed.counts), before)
    _refuse_imbalance(closed, before, residual)
    if latest is not None and month.cut_off < latest.cut_off_time:
        raise Illegal("CLOSED_LATER", f"revision {latest.revision} was closed later than this")
    if standing.sent and not month.reason:
        raise Illegal(
            "REASON_MISSING",
            f"revision {standing.sent} was submitted: a correction says with reason what has become known",
        )
    of = latest.of if latest else _first(month)
    of.latest_revision += 1
    return Revision(
        return_id=of.return_id,
        revision=of.latest_revision,
        state=pb.RETURN_STATE_CHECKED,
        cut_off_time=month.cut_off,
        tool_version=month.tool_version,
        brought_forward=before,
        recorded_time=now,
        recorded_by=identity.current().subject,
        reason=month.reason,
        explanation=month.explanation,
        residual=residual,
        corrects_revision=standing.sent,
        cells_changed=0,
        of=of,
    )


def changes(counts: Counts, before: Counts) -> dict[Cell, int]:
    """The cells that are other than before, each as it was; what is not given is none."""
    return {
        cell: before.get(cell, 0)
        for cell in sorted(counts.keys() | before.keys())
        if counts.get(cell, 0) != before.get(cell, 0)
    }


def _refuse_imbalance(closed: Closed, before: int | None, residual: int) -> None:
    explained = residual if closed.month.explanation else 0
    failed = balance.imbalances(closed.counts, before, closed.month.area.ocus, explained)
    if not failed:
        return
    advice = f"; {residual} of M0 do not follow: correct the month before, or explain it" if residual else ""
    raise Illegal("DOES_NOT_BALANCE", told(failed) + advice)


def _first(month: Month) -> MonthlyReturn:
    return MonthlyReturn(
        return_id=str(uuid4()),
        area=month.area.id,
        month=month.month,
        due_date=month.due_date,
        latest_revision=0,
    )


def told(failed: Sequence[Check]) -> str:
    more = [f"and {len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
    return "; ".join([*map(str, failed[:MOST_NAMED]), *more])
