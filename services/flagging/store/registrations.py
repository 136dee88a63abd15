"""Queries on the register."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.flagging.models import Nominal, Register, Registration, RegistrationStep
from services.flagging.register import ANNULLED


async def of(session: AsyncSession, nominal_ids: Collection[str]) -> Sequence[Registration]:
    """Those of the persons, the first first, with their steps."""
    found = select(Registration).where(Registration.nominal_id.in_(nominal_ids))
    began = func.coalesce(Registration.effective_start_time, Registration.opened_time)
    ordered = found.order_by(began, Registration.opened_time, Registration.registration_id)
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


async def listed(
    session: AsyncSession, at: datetime, ocu: str
) -> Sequence[Row[Registration, bytes, int | None]]:
    """Who was on the register at `at`, as is known now, with the person and the state of that instant."""
    then = (
        select(RegistrationStep.state)
        .where(
            RegistrationStep.registration_id == Registration.registration_id,
            RegistrationStep.effective_time <= at,
        )
        .order_by(RegistrationStep.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    on_it = (
        select(Registration, Nominal.person, then)
        .join(Nominal, Nominal.nominal_id == Registration.nominal_id)
        .where(
            Registration.state != ANNULLED,
            Registration.effective_start_time <= at,
            or_(Registration.effective_end_time.is_(None), Registration.effective_end_time > at),
        )
        .order_by(Registration.effective_start_time, Registration.registration_id)
    )
    if ocu:
        on_it = on_it.where(Registration.nominating_ocu == ocu)
    return (await session.execute(on_it)).all()


async def raise_version(session: AsyncSession, steps: int) -> tuple[str, range]:
    """The epoch and the new versions. Everybody else's change waits until this one is committed."""
    raised = update(Register).values(version=Register.version + steps)
    epoch, last = (await session.execute(raised.returning(Register.epoch, Register.version))).one()
    return epoch, range(last - steps + 1, last + 1)
