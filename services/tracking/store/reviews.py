"""What somebody must look at, and what became of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.models import Review
from services.tracking.store.facts import MERGE

ITSELF = "tracking"


async def waiting(session: AsyncSession, kind: str, *, resolved: bool) -> Sequence[Review]:
    rows = select(Review)
    if not resolved:
        rows = rows.where(Review.resolved_time.is_(None))
    if kind:
        rows = rows.where(Review.kind == kind)
    return (await session.scalars(rows.order_by(Review.recorded_time, Review.subject))).all()


async def one(session: AsyncSession, subject: str, nominal_id: str) -> Review | None:
    return await session.get(Review, (subject, nominal_id), with_for_update=True)


async def merged(session: AsyncSession, movement_id: str) -> Sequence[Review]:
    """Of both people whose numbers a prison has merged."""
    rows = select(Review).where(Review.subject == movement_id, Review.kind == MERGE)
    return (await session.scalars(rows.order_by(Review.nominal_id).with_for_update())).all()


async def unite(session: AsyncSession, nominal_id: str, living: str, now: datetime) -> None:
    """The register has found the two to be one person: the prison was right about their numbers."""
    subjects = select(Review.subject).where(Review.nominal_id == nominal_id, Review.kind == MERGE)
    both = (
        Review.subject.in_(subjects),
        Review.nominal_id.in_((nominal_id, living)),
        Review.resolved_time.is_(None),
    )
    found = {"resolution": pb.REVIEW_RESOLUTION_BOTH_NUMBERS, "resolved_time": now, "resolved_by": ITSELF}
    note = "the register has merged the two nominals"
    await session.execute(update(Review).where(*both).values(found | {"note": note}))
