"""Queries on merges: which nominals are one person."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.flagging.models import Nominal, NominalMerge


async def living(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, str]:
    """The nominal that each lives on as; itself where it was not merged."""
    rows = select(NominalMerge.nominal_id, NominalMerge.living_id).where(
        NominalMerge.nominal_id.in_(nominal_ids), NominalMerge.undone_time.is_(None)
    )
    found = {row.nominal_id: row.living_id for row in await session.execute(rows)}
    return {nominal_id: found.get(nominal_id, nominal_id) for nominal_id in nominal_ids}


async def families(session: AsyncSession, living_ids: Collection[str]) -> dict[str, list[str]]:
    """The nominals that are one person, the one that lives on first."""
    rows = select(NominalMerge.living_id, NominalMerge.nominal_id).where(
        NominalMerge.living_id.in_(living_ids), NominalMerge.undone_time.is_(None)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for living_id, nominal_id in await session.execute(rows.order_by(NominalMerge.nominal_id)):
        found[living_id].append(nominal_id)
    return {living_id: [living_id, *found[living_id]] for living_id in living_ids}


async def members(session: AsyncSession, nominal_id: str) -> list[str]:
    """All nominals that are the same person as this one."""
    if not nominal_id:
        return []
    [living_id] = (await living(session, [nominal_id])).values()
    return (await families(session, [living_id]))[living_id]


async def known(session: AsyncSession, at: datetime) -> dict[str, str]:
    """Into which each was merged, as far as was known then."""
    rows = select(NominalMerge.nominal_id, NominalMerge.into_id).where(
        NominalMerge.recorded_time <= at,
        or_(NominalMerge.undone_time.is_(None), NominalMerge.undone_time > at),
    )
    return {row.nominal_id: row.into_id for row in await session.execute(rows)}


async def concerned(session: AsyncSession, nominal_ids: Collection[str]) -> set[str]:
    """Those of the nominals that are one person with another."""
    stands = NominalMerge.undone_time.is_(None)
    away = select(NominalMerge.nominal_id).where(NominalMerge.nominal_id.in_(nominal_ids), stands)
    living_ = select(NominalMerge.living_id).where(NominalMerge.living_id.in_(nominal_ids), stands)
    return set(await session.scalars(away.union(living_)))


async def of(session: AsyncSession, nominal_ids: Collection[str]) -> Sequence[NominalMerge]:
    """Whenever one of these was merged into another, the first first; those taken back too."""
    rows = select(NominalMerge).where(NominalMerge.nominal_id.in_(nominal_ids))
    return (await session.scalars(rows.order_by(NominalMerge.recorded_time, NominalMerge.merge_id))).all()


async def persons(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, list[Nominal]]:
    """The rows that make up each person, the living one's first, by the id of that one."""
    families_ = await families(session, set((await living(session, nominal_ids)).values()))
    members = {member for family in families_.values() for member in family}
    rows = await session.scalars(select(Nominal).where(Nominal.nominal_id.in_(members)))
    by_id = {row.nominal_id: row for row in rows}
    return {
        living_id: [by_id[member] for member in family]
        for living_id, family in families_.items()
        if living_id in by_id
    }
