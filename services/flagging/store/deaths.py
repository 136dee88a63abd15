"""Queries on the deaths that prisons have told."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.flagging.models import PrisonDeath, Registration


async def told(session: AsyncSession, movement_id: str) -> PrisonDeath | None:
    return await session.get(PrisonDeath, movement_id)


async def nominal_of(session: AsyncSession, movement_id: str) -> str | None:
    """Whose registration the movement told of."""
    found = select(Registration.nominal_id).join(
        PrisonDeath, PrisonDeath.registration_id == Registration.registration_id
    )
    return await session.scalar(found.where(PrisonDeath.movement_id == movement_id))


async def under(
    session: AsyncSession, prison_number: str, registration_ids: Collection[str]
) -> Sequence[PrisonDeath]:
    """What was told of the registrations under the number, and not taken back."""
    rows = select(PrisonDeath).where(
        PrisonDeath.prison_number == prison_number,
        PrisonDeath.registration_id.in_(registration_ids),
        PrisonDeath.undone_time.is_(None),
    )
    return (await session.scalars(rows)).all()


async def standing(session: AsyncSession, registration_ids: Collection[str]) -> set[str]:
    """Those of the registrations of which a death was told that was not taken back."""
    rows = select(PrisonDeath.registration_id).where(
        PrisonDeath.registration_id.in_(registration_ids), PrisonDeath.undone_time.is_(None)
    )
    return {one for one in await session.scalars(rows) if one is not None}
