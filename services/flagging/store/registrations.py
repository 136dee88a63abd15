"""Queries on the register."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.flagging.models import Register, Registration
from services.flagging.register import FLAGGED, MERGED, REMOVED


async def of(session: AsyncSession, nominal_ids: Collection[str]) -> Sequence[Registration]:
    """Those of the persons, the first first, with their steps."""
    found = select(Registration).where(Registration.nominal_id.in_(nominal_ids))
    began = func.coalesce(Registration.effective_start_time, Registration.opened_time)
    ordered = found.order_by(
        began, Registration.opened_time, Registration.version, Registration.registration_id
    )
    return (await session.scalars(ordered.options(selectinload(Registration.steps)))).all()


async def nominal_of(session: AsyncSession, registration_id: str) -> str | None:
    return await session.scalar(select(Registration.nominal_id).filter_by(registration_id=registration_id))


async def imported(
    session: AsyncSession, source: str, references: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Nominal and registration by the source's reference."""
    found = select(Registration.source_reference, Registration.nominal_id, Registration.registration_id)
    rows = await session.execute(
        found.filter_by(source=source).where(Registration.source_reference.in_(references))
    )
    return {
        reference: (nominal_id, registration_id)
        for reference, nominal_id, registration_id in rows
        if reference
    }


async def on_list(session: AsyncSession, at: datetime) -> Sequence[str]:
    """The registrations by which somebody was a PPO at `at`, as is known now; the first first."""
    on_it = (
        select(Registration.registration_id)
        .where(
            Registration.state.in_((*FLAGGED, REMOVED, MERGED)),
            Registration.effective_start_time <= at,
            or_(Registration.effective_end_time.is_(None), Registration.effective_end_time > at),
            or_(Registration.merged_time.is_(None), Registration.merged_time > at),
        )
        .order_by(Registration.effective_start_time, Registration.registration_id)
    )
    return (await session.scalars(on_it)).all()


async def opened(session: AsyncSession, by: datetime) -> Sequence[str]:
    """Those of which anything was recorded by then."""
    found = select(Registration.registration_id).where(Registration.opened_time <= by)
    return (
        await session.scalars(found.order_by(Registration.opened_time, Registration.registration_id))
    ).all()


async def with_steps(session: AsyncSession, registration_ids: Sequence[str]) -> list[Registration]:
    """In the order asked for."""
    found = select(Registration).where(Registration.registration_id.in_(registration_ids))
    rows = {
        row.registration_id: row
        for row in await session.scalars(found.options(selectinload(Registration.steps)))
    }
    return [rows[registration_id] for registration_id in registration_ids]


async def raise_version(session: AsyncSession, steps: int) -> tuple[str, range]:
    """The epoch and the new versions. Everybody else's change waits until this one is committed."""
    raised = update(Register).values(version=Register.version + steps)
    epoch, last = (await session.execute(raised.returning(Register.epoch, Register.version))).one()
    return epoch, range(last - steps + 1, last + 1)
