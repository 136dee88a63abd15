"""Facts, parked movements, and what is derived of facts: stages, ownership, reviews."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from google.protobuf.message import Message
from sqlalchemy import ColumnElement, Delete, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as custody
from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2
from services.tracking.casefile import KINDS, Entry, Tenure
from services.tracking.models import DetentionCount, Fact, Identifier, Ownership, Parked, Review, Stage

_KINDS = {kind.DESCRIPTOR.full_name: kind for kind in KINDS}
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
    return new is not None


async def entries(session: AsyncSession, nominal_ids: Sequence[str]) -> list[Entry]:
    """Of these nominals, and the movements under their prison numbers."""
    numbers = select(Identifier.value).where(
        Identifier.kind == person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, Identifier.nominal_id.in_(nominal_ids)
    )
    theirs = or_(Fact.nominal_id.in_(nominal_ids), Fact.prison_number.in_(numbers))
    rows = await session.scalars(select(Fact).where(theirs).order_by(Fact.occurred_time, Fact.fact_id))
    return [_entry(row) for row in rows]


def _entry(row: Fact) -> Entry:
    message: Message = _KINDS[row.message_type].FromString(row.message)
    return Entry(row.fact_id, message, row.occurred_time, row.recorded_time, row.withdrawn_time)


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


async def unpark(session: AsyncSession, number: str) -> list[tuple[movement_pb2.Movement, datetime]]:
    """Takes out what waits for this number, with the time it was recorded."""
    gone = _gone(Parked.prison_number == number)
    rows = (
        await session.execute(gone.returning(Parked.movement_id, Parked.movement, Parked.recorded_time))
    ).all()
    first = {row.movement_id: row for row in rows}
    return [
        (movement_pb2.Movement.FromString(row.movement), row.recorded_time)
        for row in sorted(first.values(), key=lambda row: (row.recorded_time, row.movement_id))
    ]


async def lapse(session: AsyncSession, number: str, before: datetime) -> int:
    """Drops what has waited for this number since before then; returns how many movements."""
    gone = _gone(Parked.prison_number == number, Parked.recorded_time <= before)
    return len(set(await session.scalars(gone.returning(Parked.movement_id))))


def _gone(*which: ColumnElement[bool]) -> Delete:
    """A merge goes from under both its numbers."""
    return delete(Parked).where(Parked.movement_id.in_(select(Parked.movement_id).where(*which)))


async def parked_since(session: AsyncSession, number: str) -> datetime | None:
    since: datetime | None = await session.scalar(
        select(func.min(Parked.recorded_time)).where(Parked.prison_number == number)
    )
    return since


async def known(session: AsyncSession, movement_id: str) -> bool:
    return await session.get(Fact, movement_id) is not None


# ---- derived


async def set_stages(session: AsyncSession, nominal_id: str, stages: Sequence[tuple[datetime, int]]) -> None:
    held = select(Stage.effective_time, Stage.position).where(Stage.nominal_id == nominal_id)
    before = (await session.execute(held.order_by(Stage.effective_time))).all()
    if [tuple(row) for row in before] == list(stages):
        return
    await session.execute(delete(Stage).where(Stage.nominal_id == nominal_id))
    rows = [{"nominal_id": nominal_id, "effective_time": at, "position": position} for at, position in stages]
    if rows:
        await session.execute(insert(Stage).values(rows))


async def standing(session: AsyncSession, nominal_id: str) -> Sequence[Ownership]:
    rows = select(Ownership).where(Ownership.nominal_id == nominal_id, Ownership.superseded_time.is_(None))
    return (await session.scalars(rows.order_by(Ownership.effective_time))).all()


async def owned(session: AsyncSession, nominal_id: str, at: datetime) -> Ownership | None:
    rows = select(Ownership).where(
        Ownership.nominal_id == nominal_id,
        Ownership.superseded_time.is_(None),
        Ownership.effective_time <= at,
    )
    return await session.scalar(rows.order_by(Ownership.effective_time.desc()).limit(1))


async def set_ownership(
    session: AsyncSession, nominal_id: str, tenures: Sequence[Tenure], now: datetime
) -> None:
    """Supersedes the rows that do not stand any more, and adds those that do now."""
    told = {tenure.start: tenure.decision.ownership for tenure in tenures}
    before = await standing(session, nominal_id)
    kept = {row.effective_time for row in before if told.get(row.effective_time) == row.to_proto()}
    gone = [row.ownership_id for row in before if row.effective_time not in kept]
    if gone:
        await session.execute(
            update(Ownership).where(Ownership.ownership_id.in_(gone)).values(superseded_time=now)
        )
    rows = [
        {
            "nominal_id": nominal_id,
            "effective_time": start,
            "owner": ownership.owner,
            "rule": ownership.rule,
            "state": ownership.state,
            "recorded_time": now,
            "ownership": ownership.SerializeToString(),
        }
        for start, ownership in told.items()
        if start not in kept
    ]
    if rows:
        await session.execute(insert(Ownership).values(rows))


async def set_reviews(
    session: AsyncSession, nominal_id: str, reviews: Iterable[tuple[str, str, str]], now: datetime
) -> None:
    """(subject, kind, reason) of what is to be looked at now; a merge stays until it is settled."""
    rows = [
        {"subject": subject, "nominal_id": nominal_id, "kind": kind, "reason": reason, "recorded_time": now}
        for subject, kind, reason in reviews
    ]
    subjects = [row["subject"] for row in rows]
    gone = delete(Review).where(
        Review.nominal_id == nominal_id, Review.kind != MERGE, Review.subject.not_in(subjects)
    )
    await session.execute(gone)
    if rows:
        await session.execute(insert(Review).values(rows).on_conflict_do_nothing())


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
