"""Queries on the deaths that prisons have told."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from services.flagging.models import PrisonDeath


async def told(session: AsyncSession, movement_id: str) -> PrisonDeath | None:
    return await session.get(PrisonDeath, movement_id)


async def told_of(session: AsyncSession, registration_ids: Collection[str]) -> Sequence[PrisonDeath]:
    """What was told of the registrations, and not taken back."""
    rows = select(PrisonDeath).where(
        PrisonDeath.registration_id.in_(registration_ids), PrisonDeath.undone_time.is_(None)
    )
    return (await session.scalars(rows)).all()


async def standing(session: AsyncSession, registration_ids: Collection[str]) -> set[str]:
    """Those of the registrations of which a death was told that was not taken back."""
    return {one.registration_id or "" for one in await told_of(session, registration_ids)}


async def forget(session: AsyncSession, movement_id: str) -> None:
    """What was taken back and never told."""
    rows = delete(PrisonDeath).where(PrisonDeath.movement_id == movement_id)
    await session.execute(rows.where(PrisonDeath.died_time.is_(None)))


_UNDER = text("""
    SELECT DISTINCT nominal_id::text FROM prison_death
        JOIN nominal_identifier ON kind = :kind AND value = prison_number
        JOIN nominal USING (nominal_id)
    WHERE registration_id IS NOT NULL AND undone_time IS NULL AND source = :source
        AND source_reference = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:asked AS jsonb))))
""")


async def holders(session: AsyncSession, source: str, references: str) -> set[str]:
    """Those of the source's nominals, in a JSON list, under whose prison numbers a death stands."""
    asked = {"kind": person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, "source": source, "asked": references}
    return set(await session.scalars(_UNDER, asked))
