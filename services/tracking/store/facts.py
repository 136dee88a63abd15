"""Facts, parked movements, merges to be looked at, and detentions counted."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Delete, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as custody
from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2
from services.tracking.casefile import Entry
from services.tracking.models import SCHEMA, DetentionCount, DrugTest, Fact, Identifier, Parked, Review

_ARREST = (custody.PpoArrested, custody.PpoDisposed, custody.PpoDrugTested)


async def record(session: AsyncSession, entry: Entry, *, nominal_id: str = "", number: str = "") -> bool:
    """False for a fact that is known."""
    row = insert(Fact).values(
        fact_id=entry.id,
        nominal_id=nominal_id or None,
        prison_number=number or None,
        message_type=entry.message.DESCRIPTOR.full_name,
        message=entry.message.SerializeToString(),
        occurred_time=entry.occurred,
        recorded_time=entry.recorded,
        withdrawn_time=entry.withdrawn,
    )
    new = await session.scalar(row.on_conflict_do_nothing().returning(Fact.fact_id))
    if new is not None and isinstance(entry.message, custody.PpoDrugTested):
        await _count_test(session, entry, entry.message)
    return new is not None


async def _count_test(session: AsyncSession, entry: Entry, told: custody.PpoDrugTested) -> None:
    row = insert(DrugTest).values(
        fact_id=entry.id,
        detention_id=told.detention_id,
        suite_id=told.suite_id,
        tested_time=entry.occurred,
        result=told.drug_test.result,
        drug=told.drug_test.drug,
    )
    await session.execute(row)


async def withdraw(session: AsyncSession, withdrawn: custody.PpoArrestWithdrawn, at: datetime) -> None:
    """What custody recorded of the detention for this nominal until then was wrong."""
    kinds = [kind.DESCRIPTOR.full_name for kind in _ARREST]
    wrong = (
        Fact.fact_id.startswith(f"{withdrawn.detention_id}/{withdrawn.nominal_id}/", autoescape=True),
        Fact.message_type.in_(kinds),
        Fact.recorded_time <= at,
        Fact.withdrawn_time.is_(None),
    )
    await session.execute(update(Fact).where(*wrong).values(withdrawn_time=at))


async def withdrawal(
    session: AsyncSession, detention_id: str, nominal_id: str, recorded: datetime
) -> datetime | None:
    """When what was recorded then was withdrawn, by a withdrawal that came before it."""
    later = select(func.min(Fact.recorded_time)).where(
        Fact.fact_id.startswith(f"{detention_id}/{nominal_id}/", autoescape=True),
        Fact.message_type == custody.PpoArrestWithdrawn.DESCRIPTOR.full_name,
        Fact.recorded_time >= recorded,
    )
    found: datetime | None = await session.scalar(later)
    return found


async def supersede_test(session: AsyncSession, told: custody.PpoDrugTested) -> datetime | None:
    """A test told again was recorded wrongly before. Returns when this one was corrected, if it was."""
    recorded = told.recorded_time.ToDatetime(UTC)
    same = (
        Fact.fact_id.startswith(f"{told.detention_id}/{told.nominal_id}/", autoescape=True),
        Fact.message_type == told.DESCRIPTOR.full_name,
    )
    wrong = (*same, Fact.recorded_time < recorded, Fact.withdrawn_time.is_(None))
    await session.execute(update(Fact).where(*wrong).values(withdrawn_time=recorded))
    later = select(func.min(Fact.recorded_time)).where(*same, Fact.recorded_time > recorded)
    found: datetime | None = await session.scalar(later)
    return found


async def withdraw_fact(
    session: AsyncSession, fact_id: str, nominal_ids: Sequence[str], kinds: Sequence[str], at: datetime
) -> bool:
    """False where these nominals have no such fact of these kinds that stands."""
    numbers = select(Identifier.value).where(
        Identifier.kind == person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, Identifier.nominal_id.in_(nominal_ids)
    )
    theirs = or_(Fact.nominal_id.in_(nominal_ids), Fact.prison_number.in_(numbers))
    wrong = (Fact.fact_id == fact_id, theirs, Fact.message_type.in_(kinds), Fact.withdrawn_time.is_(None))
    gone = update(Fact).where(*wrong).values(withdrawn_time=at).returning(Fact.fact_id)
    return await session.scalar(gone) is not None


# ---- movements of nobody known


async def park(session: AsyncSession, movement: movement_pb2.Movement, number: str, now: datetime) -> bool:
    """False for one that is parked already."""
    row = insert(Parked).values(
        movement_id=movement.movement_id,
        prison_number=number,
        movement=movement.SerializeToString(),
        recorded_time=now,
    )
    return (await session.scalar(row.on_conflict_do_nothing().returning(Parked.movement_id))) is not None


async def unpark(
    session: AsyncSession, numbers: Collection[str]
) -> list[tuple[movement_pb2.Movement, datetime]]:
    """Takes out what waits for these numbers, with the time it was recorded."""
    if not numbers:
        return []
    gone = await session.execute(_UNPARK, {"numbers": list(numbers)})
    first = {row.movement_id: row for row in gone}
    return [
        (movement_pb2.Movement.FromString(row.movement), row.recorded_time)
        for row in sorted(first.values(), key=lambda row: (row.recorded_time, row.movement_id))
    ]


# A merge goes from under both its numbers.
_UNPARK = text(
    f"""
    DELETE FROM {SCHEMA}.parked WHERE movement_id IN (
        SELECT movement_id FROM {SCHEMA}.parked WHERE prison_number = ANY (CAST(:numbers AS text[]))
    ) RETURNING movement_id, movement, recorded_time
    """
)


async def lapse(session: AsyncSession, number: str, before: datetime) -> int:
    """Drops what has waited for this number since before then; returns how many movements."""
    gone = _gone(Parked.prison_number == number, Parked.recorded_time <= before)
    return len(set(await session.scalars(gone.returning(Parked.movement_id))))


async def forget(session: AsyncSession, number: str) -> int:
    """Drops what was recorded under a number that is nobody's any more; returns how many movements."""
    gone = delete(Fact).where(Fact.prison_number == number).returning(Fact.fact_id)
    return len((await session.scalars(gone)).all())


def _gone(*which: ColumnElement[bool]) -> Delete:
    """A merge goes from under both its numbers."""
    return delete(Parked).where(Parked.movement_id.in_(select(Parked.movement_id).where(*which)))


async def parked_since(session: AsyncSession, number: str) -> datetime | None:
    since: datetime | None = await session.scalar(
        select(func.min(Parked.recorded_time)).where(Parked.prison_number == number)
    )
    return since


async def movement(session: AsyncSession, movement_id: str) -> movement_pb2.Movement | None:
    row = await session.get(Fact, movement_id)
    kind = movement_pb2.Movement
    known = row is not None and row.message_type == kind.DESCRIPTOR.full_name
    return kind.FromString(row.message) if row is not None and known else None


async def movements(session: AsyncSession, numbers: Collection[str]) -> list[movement_pb2.Movement]:
    """What stands under these prison numbers, in the order in which it was recorded."""
    rows = (
        select(Fact.message)
        .where(Fact.prison_number.in_(numbers), Fact.withdrawn_time.is_(None))
        .order_by(Fact.recorded_time, Fact.fact_id)
    )
    return [movement_pb2.Movement.FromString(message) for message in await session.scalars(rows)]


async def known(session: AsyncSession, movement_id: str) -> bool:
    return await session.get(Fact, movement_id) is not None


# ---- derived


MERGE = "merge"


async def review_merge(session: AsyncSession, movement_id: str, nominal_id: str, now: datetime) -> None:
    row = insert(Review).values(
        subject=movement_id,
        nominal_id=nominal_id,
        kind=MERGE,
        reason="a prison has merged the numbers of two people",
        recorded_time=now,
    )
    await session.execute(row.on_conflict_do_nothing())


async def count_detention(session: AsyncSession, row: DetentionCount) -> None:
    """Over an earlier one only: a corrected test is counted once, as it is now."""
    values = {
        "detention_id": row.detention_id,
        "suite_id": row.suite_id,
        "disposal_date": row.disposal_date,
        "test_result": row.test_result,
        "recorded_time": row.recorded_time,
    }
    counted = insert(DetentionCount).values(values)
    changed = {name: counted.excluded[name] for name in values}
    newer = DetentionCount.recorded_time < counted.excluded.recorded_time
    await session.execute(
        counted.on_conflict_do_update(index_elements=["detention_id"], set_=changed, where=newer)
    )
