"""Queries on the deaths that prisons have told."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.flagging.models import PrisonDeath


async def told(session: AsyncSession, movement_id: str) -> PrisonDeath | None:
    return await session.get(PrisonDeath, movement_id)


async def standing(session: AsyncSession, registration_id: str) -> int:
    """How many tell of the death that ended the registration, and were not taken back."""
    rows = select(func.count()).where(
        PrisonDeath.registration_id == registration_id, PrisonDeath.undone_time.is_(None)
    )
    return await session.scalar(rows) or 0
