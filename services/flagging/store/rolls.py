"""Queries on the rolls of prisons: who asked, who may be a PPO, and what the keeper of the register said."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.flagging.models import PrisonMatch, PrisonRuling, Roll, due

MATCH_LAPSES = "prison_match_lapses"


async def count(session: AsyncSession, roll_id: str, counts: Mapping[str, int], version: int) -> None:
    added = {name: getattr(Roll, name) + number for name, number in counts.items()}
    await session.execute(update(Roll).filter_by(roll_id=roll_id).values(register_version=version, **added))


async def waiting(session: AsyncSession, numbers: Collection[str]) -> list[str]:
    found = select(PrisonMatch.prison_number).where(PrisonMatch.prison_number.in_(numbers))
    return list(await session.scalars(found))


async def queue(session: AsyncSession, matches: Iterable[PrisonMatch]) -> None:
    """Asked again, an entry keeps the time at which it was first asked."""
    for match in matches:
        values = {
            name: getattr(match, name) for name in ("prison_number", "person", "candidates", "lapse_time")
        }
        row = insert(PrisonMatch).values(asked_time=match.asked_time, **values)
        await session.execute(row.on_conflict_do_update(index_elements=["prison_number"], set_=values))
        await due.put(session, MATCH_LAPSES, match.prison_number, match.lapse_time)


async def forget(session: AsyncSession, numbers: Collection[str]) -> bool:
    """Whether there was anything to forget."""
    gone = delete(PrisonMatch).where(PrisonMatch.prison_number.in_(numbers))
    found = list(await session.scalars(gone.returning(PrisonMatch.prison_number)))
    for number in found:
        await due.drop(session, MATCH_LAPSES, number)
    return bool(found)


async def matches(session: AsyncSession) -> Sequence[PrisonMatch]:
    ordered = select(PrisonMatch).order_by(PrisonMatch.asked_time, PrisonMatch.prison_number)
    return (await session.scalars(ordered)).all()


async def match(session: AsyncSession, number: str) -> PrisonMatch | None:
    return await session.get(PrisonMatch, number)


async def queued(session: AsyncSession) -> tuple[int, datetime | None]:
    """How many, and since when the oldest has waited."""
    counted = select(func.count(), func.min(PrisonMatch.asked_time))
    number, oldest = (await session.execute(counted)).one()
    return number, oldest


async def ruled_out(session: AsyncSession, numbers: Collection[str]) -> dict[str, set[str]]:
    rows = select(PrisonRuling.prison_number, PrisonRuling.ruled_out)
    found: dict[str, set[str]] = defaultdict(set)
    for number, nominal_ids in await session.execute(rows.where(PrisonRuling.prison_number.in_(numbers))):
        found[number] |= set(nominal_ids)
    return found
