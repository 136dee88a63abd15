"""Every query of custody, in the transaction of whoever asks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.custody.models import CaseState, Decision, Detention, DrugTest, Suite, SuiteEvent, due
from services.runtime.database import Database, lock
from services.runtime.errors import NotFound
from services.runtime.line import Line

# An answer by the register or the replica is looked at again: of a custody record, and of a check alone.
RECHECK = "recheck"
ASK_AGAIN = "ask_again"
# And all of whom a number says who they are.
RECHECK_NUMBERED = "recheck_numbered"
# Who is arrested here may be elsewhere too; its keys begin with the nominal id.
ELSEWHERE = "elsewhere"
# What nobody needs any more goes.
PRUNE = "prune"


_NAMES = Decision.__table__.columns.keys()
_ADD = (
    f"INSERT INTO decision ({', '.join(_NAMES)}) VALUES ({', '.join(f'%({name})s' for name in _NAMES)})"
    " ON CONFLICT DO NOTHING"
)
# What the register did not answer is due to be asked again.
_ADD_ASKED_AGAIN = (
    f"WITH stored AS ({_ADD} RETURNING decision_id)"
    f" INSERT INTO {due.table.name} (kind, key, due_time)"
    f" SELECT '{ASK_AGAIN}', decision_id, %(again)s FROM stored"
)
_LAST_KNOWN = (
    "SELECT outcome, answered_time FROM decision"
    " WHERE subjects && CAST(%(subjects)s AS bytea[]) AND outcome <> 'OUTCOME_UNKNOWN'"
    " ORDER BY answered_time DESC LIMIT 1"
)
_LAST_NUMBERS = f"SELECT suite_id, last_number FROM {Suite.__tablename__}"
_CASE = f"SELECT message FROM {CaseState.__tablename__} WHERE nominal_id = %(nominal_id)s"


async def add_decisions(line: Line, rows: Sequence[dict[str, Any]], again: datetime) -> None:
    """In their order, in one trip and one transaction; one that is stored already stays as it is.

    Those that keep their input are due to be asked `again`.
    """
    together = groupby(rows, key=lambda row: row["input"] is not None)
    await line.write(
        *(
            (_ADD_ASKED_AGAIN, [row | {"again": again} for row in some]) if asked else (_ADD, [*some])
            for asked, some in together
        )
    )


async def decision(session: AsyncSession, decision_id: str) -> Decision | None:
    return await session.get(Decision, decision_id)


async def last_known(line: Line, subjects: Sequence[bytes]) -> tuple[str, datetime] | None:
    """Outcome and time of the latest answer about the same person that was not UNKNOWN."""
    for outcome, answered_time in await line.read(_LAST_KNOWN, {"subjects": subjects}):
        return outcome, answered_time
    return None


async def forget_inputs(session: AsyncSession, detention_id: str) -> None:
    inputs = update(Decision).where(Decision.detention_id == detention_id, Decision.input.is_not(None))
    await session.execute(inputs.values(input=None))


async def detention(session: AsyncSession, detention_id: str) -> Detention:
    found = await session.get(Detention, detention_id)
    if found is None:
        raise NotFound(f"no custody record {detention_id}")
    return found


async def locked(session: AsyncSession, detention_id: str) -> Detention:
    """The custody record, which nobody else changes until this transaction has ended."""
    await lock(session, detention_id)
    return await detention(session, detention_id)


async def open_detentions(session: AsyncSession, suite_id: str) -> Sequence[Detention]:
    rows = select(Detention).where(Detention.suite_id == suite_id, Detention.disposed_time.is_(None))
    return (await session.scalars(rows.order_by(Detention.booked_time))).all()


async def concerned(session: AsyncSession) -> Sequence[Detention]:
    """Whom a flag may concern: who is in a suite, or has left with a referral that nobody could route."""
    here = select(Detention.detention_id).where(Detention.disposed_time.is_(None))
    left = select(DrugTest.detention_id).where(DrugTest.status_not_known)
    rows = select(Detention).where(Detention.detention_id.in_(here.union(left)))
    return (await session.scalars(rows)).all()


async def arrested(session: AsyncSession, nominal_id: str) -> Sequence[Detention]:
    """Every custody record that is open on the arrest of this nominal, each locked, in one order for all."""
    theirs = (Detention.arrested_nominal == nominal_id, Detention.disposed_time.is_(None))
    ids = select(Detention.detention_id).where(*theirs).order_by(Detention.detention_id)
    for detention_id in (await session.scalars(ids)).all():
        await lock(session, detention_id)
    held = select(Detention).where(*theirs).order_by(Detention.suite_id, Detention.detention_id)
    return (await session.scalars(held)).all()


async def referrals(
    session: AsyncSession, route: str, suites: Collection[str], *, left_unknown: bool
) -> Sequence[Row[DrugTest, bytes]]:
    rows = select(DrugTest, Detention.person).join(Detention)
    rows = rows.where(DrugTest.route == route, DrugTest.suite_id.in_(suites))
    if left_unknown:
        rows = rows.where(DrugTest.status_not_known)
    return (await session.execute(rows.order_by(DrugTest.referred_time))).all()


async def next_number(session: AsyncSession, suite_id: str) -> int:
    """Updating the suite's row makes what happens there commit one after the other."""
    first = insert(Suite).values(suite_id=suite_id, last_number=1)
    upsert = first.on_conflict_do_update(
        index_elements=["suite_id"], set_={"last_number": Suite.last_number + 1}
    )
    return (await session.execute(upsert.returning(Suite.last_number))).scalar_one()


async def events_after(session: AsyncSession, suite_id: str, number: int, limit: int) -> Sequence[SuiteEvent]:
    rows = select(SuiteEvent).where(SuiteEvent.suite_id == suite_id, SuiteEvent.number > number)
    return (await session.scalars(rows.order_by(SuiteEvent.number).limit(limit))).all()


async def last_numbers(database: Database) -> dict[str, int]:
    """Of every suite, the number of its last event."""
    return dict(await database.glance(_LAST_NUMBERS))


async def prune_events(session: AsyncSession, before: datetime) -> None:
    """The numbers go on: who watches from one that is gone sees the gap."""
    await session.execute(delete(SuiteEvent).where(SuiteEvent.recorded_time < before))


async def open_rechecks(session: AsyncSession) -> int:
    rows = select(func.count()).select_from(due.table).where(due.table.c.kind.in_((RECHECK, ASK_AGAIN)))
    return (await session.execute(rows)).scalar_one()


async def hasten_rechecks(session: AsyncSession, now: datetime) -> None:
    rows = due.table.update().where(due.table.c.kind.in_((RECHECK, ASK_AGAIN)), due.table.c.due_time > now)
    await session.execute(rows.values(due_time=now))


async def case(session: AsyncSession, nominal_id: str) -> tracking.Case | None:
    held = await session.scalar(select(CaseState.message).filter_by(nominal_id=nominal_id))
    return None if held is None else tracking.Case.FromString(held)


async def case_at_once(line: Line, nominal_id: str) -> tracking.Case | None:
    found = await line.read(_CASE, {"nominal_id": nominal_id})
    return tracking.Case.FromString(found[0][0]) if found else None


async def drop_case(session: AsyncSession, nominal_id: str) -> None:
    await session.execute(delete(CaseState).filter_by(nominal_id=nominal_id))


async def put_case(session: AsyncSession, case: tracking.Case) -> None:
    """Over a lower version only."""
    row = insert(CaseState).values(
        nominal_id=case.nominal_id, version=case.version, message=case.SerializeToString()
    )
    changed = {"version": row.excluded.version, "message": row.excluded.message}
    newer = CaseState.version < row.excluded.version
    await session.execute(row.on_conflict_do_update(index_elements=["nominal_id"], set_=changed, where=newer))
