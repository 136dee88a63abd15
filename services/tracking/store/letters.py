"""What was done about records that could not be taken."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.tracking.models import LetterFate


async def fates(session: AsyncSession) -> dict[str, LetterFate]:
    return {row.letter_id: row for row in await session.scalars(select(LetterFate))}
