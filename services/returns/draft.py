"""What happens to a recorded revision: figures added, checked, submitted, queried, answered, accepted."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import balance, closing, definitions, life, store
from services.returns.areas import Areas
from services.returns.definitions import LOCAL, Cell, Counts
from services.returns.models import Revision
from services.runtime import identity
from services.runtime.errors import Illegal, Invalid, NotFound

LONGEST = 1_000

Named: TypeAlias = (
    pb.AddFiguresRequest
    | pb.CheckDraftRequest
    | pb.SubmitReturnRequest
    | pb.QueryReturnRequest
    | pb.AnswerQueryRequest
    | pb.AcceptReturnRequest
)


async def take(session: AsyncSession, step: str, request: Named, now: datetime, words: str = "") -> Revision:
    """One step of its life. Raises Illegal for one that its state does not allow."""
    row = await _claimed(session, request)
    await _enter(session, step, row, now, words)
    return row


async def _enter(session: AsyncSession, step: str, row: Revision, now: datetime, words: str) -> None:
    row.state = life.after(step, row.state, row.revision, row.of.latest_revision)
    await store.step(session, row, words, now, identity.current().subject)


async def submit(session: AsyncSession, request: pb.SubmitReturnRequest, now: datetime) -> Revision:
    """What was submitted before is corrected by it."""
    row = await _claimed(session, request)
    with session.no_autoflush:
        row.submitted_time, row.submitted_by = now, identity.current().subject
        await _enter(session, "submit", row, now, "")
    if row.corrects_revision:
        corrected = await store.claimed(session, row.return_id, row.corrects_revision)
        assert corrected is not None, "it was there when this revision was closed"
        await _enter(session, "correct", corrected, now, f"by revision {row.revision}: {row.reason}")
    return row


async def add(session: AsyncSession, request: pb.AddFiguresRequest, now: datetime) -> Revision:
    given = [_addition(one, place) for place, one in enumerate(request.additions)]
    if len({cell for cell, _, _ in given}) < len(given):
        raise Invalid("additions", "give a cell twice")
    row = await take(session, "add", request, now, _sources(given))
    counts = await store.counts(session, row)
    for cell, _, _ in given:
        _refuse_counted(cell, counts)
    await store.set_additions(session, row, given)
    return row


async def check(
    session: AsyncSession, request: pb.CheckDraftRequest, areas: Areas, now: datetime
) -> Revision:
    row = await take(session, "check", request, now)
    counts = await store.whole(session, row)
    area = areas.area(row.of.area, row.of.month, "area")
    failed = balance.imbalances(list(counts.items()), row.brought_forward, area.ocus, row.residual)
    if failed:
        raise Illegal("DOES_NOT_BALANCE", closing.told(failed))
    return row


def said(field: str, text: str) -> str:
    # It stands in workbooks, whose format has no place for control characters.
    if len(text) > LONGEST or not text.isprintable():
        raise Invalid(field, f"is not at most {LONGEST} characters that can be printed")
    return text


async def _claimed(session: AsyncSession, request: Named) -> Revision:
    row = await store.claimed(session, _own_id(request.return_id), request.revision)
    if row is None:
        raise NotFound("there is no such return")
    return row


def _own_id(given: str) -> str:
    try:
        return str(UUID(given))
    except ValueError:
        raise Invalid("return_id", "is not an id of a return") from None


def _addition(one: pb.Addition, place: int) -> tuple[Cell, int, str]:
    field = f"additions[{place}]"
    count = one.count
    if count.measure not in LOCAL:
        raise Invalid(f"{field}.count.measure", f"is none of {', '.join(LOCAL)}, which an area may give")
    if not 0 <= count.value <= definitions.LARGEST:
        raise Invalid(f"{field}.count.value", f"is not from 0 to {definitions.LARGEST}")
    source = said(f"{field}.source", one.source)
    return definitions.cell(count.measure, count.breakdown, count.category), count.value, source


def _refuse_counted(cell: Cell, counts: Counts) -> None:
    if counts.get(Cell(cell.measure)):
        raise Illegal("COUNTED", f"{cell.measure} was counted in this month; nothing is added to it")


def _sources(given: Sequence[tuple[Cell, int, str]]) -> str:
    told = dict.fromkeys(f"{cell.measure} from {source}" for cell, _, source in given)
    return "; ".join(told)[:LONGEST]
