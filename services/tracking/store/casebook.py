"""What a transaction knows of many persons: each table read in one statement, and written in one."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.database import copy_rows
from services.tracking.casefile import KINDS, Entry
from services.tracking.corrections import Period
from services.tracking.models import SCHEMA, Ownership, Person

_KINDS = {kind.DESCRIPTOR.full_name: kind for kind in KINDS}
_NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER


class FactRow(NamedTuple):
    fact_id: str
    nominal_id: str | None
    prison_number: str | None
    message_type: str
    message: bytes
    occurred_time: datetime
    recorded_time: datetime
    withdrawn_time: datetime | None


@dataclass(slots=True)
class NoticeRow:
    """A Notice, without what makes a mapped row slow to make and to change."""

    notice_id: str
    nominal_id: str
    type: int
    cause: str
    prison: str = ""
    told: str = ""
    revision: int = 0
    state: int = 0
    recorded_time: datetime | None = None
    hold_time: datetime | None = None
    goes_on_as: str = ""


@dataclass(frozen=True, slots=True)
class OwnershipRow:
    """An Ownership; its id is None until it is written."""

    nominal_id: str
    effective_time: datetime
    owner: str
    rule: str
    state: int
    recorded_time: datetime
    ownership: bytes
    home_ocu: str
    ownership_id: int | None = None

    def to_proto(self) -> pb.Ownership:
        return pb.Ownership.FromString(self.ownership)

    def to_period(self) -> Period:
        return Period(self.effective_time, self.to_proto(), self.recorded_time)


def _of(columns: str, table: str, by: str = "nominal_id", rest: str = "") -> TextClause:
    # One array in the place of many parameters: the same statement for however many.
    return text(f"SELECT {columns} FROM {SCHEMA}.{table} WHERE {by} = ANY (CAST(:ids AS text[])) {rest}")


_PERSON = 'nominal_id, flag, flag_version, merged_into, case_reference, case_version, "case", known_time'
_FACT = ", ".join(FactRow._fields)
NOTICED = tuple(NoticeRow.__dataclass_fields__)
OWNED = tuple(OwnershipRow.__dataclass_fields__)
_NOTICE = ", ".join(NOTICED)
_OWNERSHIP = ", ".join(OWNED)

_PERSONS = _of(_PERSON, "person")
_MERGED = _of(_PERSON, "person", "merged_into")
_HOLDERS = _of("value, nominal_id", "identifier", "value", f"AND kind = {_NUMBER}")
_NUMBERS = _of("value, nominal_id", "identifier", rest=f"AND kind = {_NUMBER}")
_FACTS = _of(_FACT, "fact")
_MOVEMENTS = _of(_FACT, "fact", "prison_number")
_KNOWN = _of("fact_id", "fact", "fact_id")
_STAGES = _of("nominal_id, effective_time, position", "stage", rest="ORDER BY effective_time")
_STANDING = _of(_OWNERSHIP, "ownership", rest="AND superseded_time IS NULL ORDER BY effective_time")
_REVIEWS = _of("nominal_id, subject, kind, reason, resolved_time IS NOT NULL AS resolved", "review")
_NOTICES = _of(_NOTICE, "notice", rest="ORDER BY recorded_time")
_DUE = _of("key, due_time", "due", "key", "AND kind = :kind")


_CLAIM = text(
    f"WITH oldest AS MATERIALIZED (SELECT key FROM {SCHEMA}.due WHERE kind = :kind AND due_time <= :now"
    " ORDER BY due_time LIMIT :limit)"
    " SELECT key FROM oldest WHERE pg_try_advisory_xact_lock(hashtextextended(key, 0))"
)


async def persons(session: AsyncSession, nominal_ids: Collection[str]) -> list[Person]:
    rows = await session.execute(_PERSONS, {"ids": list(nominal_ids)})
    return [Person(**row._mapping) for row in rows]


async def merged_into(session: AsyncSession, nominal_ids: Collection[str]) -> list[Person]:
    """Those that live on in one of these."""
    rows = await session.execute(_MERGED, {"ids": list(nominal_ids)})
    return [Person(**row._mapping) for row in rows]


async def holders(session: AsyncSession, numbers: Collection[str]) -> dict[str, str]:
    """The nominal that each prison number was last given to."""
    rows = await session.execute(_HOLDERS, {"ids": list(numbers)})
    return {row.value: row.nominal_id for row in rows}


async def known(session: AsyncSession, fact_ids: Collection[str]) -> set[str]:
    return set(await session.scalars(_KNOWN, {"ids": list(fact_ids)}))


async def entries(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, list[Entry]]:
    """By nominal; with the movements under the nominal's prison numbers."""
    ids = {"ids": list(nominal_ids)}
    numbers = {row.value: row.nominal_id for row in await session.execute(_NUMBERS, ids)}
    found: dict[str, list[Entry]] = defaultdict(list)
    for row in await session.execute(_FACTS, ids):
        found[row.nominal_id].append(_entry(row))
    for row in await session.execute(_MOVEMENTS, {"ids": list(numbers)}):
        found[numbers[row.prison_number]].append(_entry(row))
    return found


def _entry(row: Any) -> Entry:
    message = _KINDS[row.message_type].FromString(row.message)
    return Entry(row.fact_id, message, row.occurred_time, row.recorded_time, row.withdrawn_time)


async def stages(
    session: AsyncSession, nominal_ids: Collection[str]
) -> dict[str, list[tuple[datetime, int]]]:
    found: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for row in await session.execute(_STAGES, {"ids": list(nominal_ids)}):
        found[row.nominal_id].append((row.effective_time, row.position))
    return found


async def standing(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, list[OwnershipRow]]:
    found: dict[str, list[OwnershipRow]] = defaultdict(list)
    for row in await session.execute(_STANDING, {"ids": list(nominal_ids)}):
        found[row.nominal_id].append(OwnershipRow(*row))
    return found


async def ledger(session: AsyncSession, nominal_id: str) -> list[Period]:
    """Every row that ever stood, superseded ones too."""
    rows = await session.scalars(select(Ownership).where(Ownership.nominal_id == nominal_id))
    return [row.to_period() for row in rows]


async def reviews(
    session: AsyncSession, nominal_ids: Collection[str]
) -> dict[str, dict[str, tuple[str, str, bool]]]:
    """By nominal and subject, the kind, the reason, and whether somebody has looked at it."""
    found: dict[str, dict[str, tuple[str, str, bool]]] = defaultdict(dict)
    for row in await session.execute(_REVIEWS, {"ids": list(nominal_ids)}):
        found[row.nominal_id][row.subject] = (row.kind, row.reason, row.resolved)
    return found


async def notices(session: AsyncSession, nominal_ids: Collection[str]) -> list[NoticeRow]:
    rows = await session.execute(_NOTICES, {"ids": list(nominal_ids)})
    return [NoticeRow(*row) for row in rows]


async def due_times(session: AsyncSession, kind: str, keys: Collection[str]) -> dict[str, datetime]:
    rows = await session.execute(_DUE, {"ids": list(keys), "kind": kind})
    return {row.key: row.due_time for row in rows}


async def claim_due(session: AsyncSession, kind: str, now: datetime, limit: int) -> list[str]:
    """Holds, for this transaction, those due longest that nobody else holds."""
    return list(await session.scalars(_CLAIM, {"kind": kind, "now": now, "limit": limit}))


# ---- write


async def withdraw_facts(session: AsyncSession, gone: Mapping[str, datetime]) -> None:
    if gone:
        statement = text(
            f"UPDATE {SCHEMA}.fact SET withdrawn_time = at"
            " FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS gone (id, at)"
            " WHERE fact_id = gone.id"
        )
        await session.execute(statement, {"ids": list(gone), "times": list(gone.values())})


async def add_facts(session: AsyncSession, rows: Sequence[FactRow]) -> None:
    await _copy(session, "fact", FactRow._fields, rows)


async def set_stages(
    session: AsyncSession, since: Mapping[str, datetime], rows: Sequence[tuple[str, datetime, int]]
) -> None:
    """`rows` in the place of each person's from an instant on."""
    if since:
        gone = text(
            f"DELETE FROM {SCHEMA}.stage USING unnest(CAST(:ids AS text[]), CAST(:since AS timestamptz[]))"
            " AS gone (id, since) WHERE nominal_id = gone.id AND effective_time >= gone.since"
        )
        await session.execute(gone, {"ids": list(since), "since": list(since.values())})
    await _copy(session, "stage", ("nominal_id", "effective_time", "position"), rows)


async def supersede(session: AsyncSession, gone: Sequence[tuple[int | None, datetime]]) -> None:
    """Of (row, since when it does not stand any more)."""
    if gone:
        statement = text(
            f"UPDATE {SCHEMA}.ownership SET superseded_time = since"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:times AS timestamptz[])) AS gone (id, since)"
            " WHERE ownership_id = gone.id"
        )
        ids, times = zip(*gone, strict=True)
        await session.execute(statement, {"ids": list(ids), "times": list(times)})


async def add_owners(session: AsyncSession, rows: Sequence[OwnershipRow]) -> None:
    columns = OWNED[:-1]
    await _copy(session, "ownership", columns, ([getattr(row, name) for name in columns] for row in rows))


async def drop_reviews(session: AsyncSession, reviews: Sequence[tuple[str, str]]) -> None:
    """Of (nominal, subject)."""
    if reviews:
        gone = text(
            f"DELETE FROM {SCHEMA}.review USING unnest(CAST(:ids AS text[]), CAST(:subjects AS text[]))"
            " AS gone (id, gone_subject) WHERE nominal_id = gone.id AND subject = gone_subject"
        )
        ids, subjects = zip(*reviews, strict=True)
        await session.execute(gone, {"ids": list(ids), "subjects": list(subjects)})


REVIEWED = ("subject", "nominal_id", "kind", "reason", "recorded_time")


async def add_reviews(session: AsyncSession, rows: Sequence[tuple[str, str, str, str, datetime]]) -> None:
    await _copy(session, "review", REVIEWED, rows)


async def set_cases(session: AsyncSession, changed: Sequence[Person]) -> None:
    if changed:
        statement = text(
            f'UPDATE {SCHEMA}.person SET "case" = told, case_version = version'
            " FROM unnest(CAST(:ids AS text[]), CAST(:told AS bytea[]), CAST(:versions AS bigint[]))"
            " AS now (id, told, version) WHERE nominal_id = now.id"
        )
        values = {
            "ids": [person.nominal_id for person in changed],
            "told": [person.case for person in changed],
            "versions": [person.case_version for person in changed],
        }
        await session.execute(statement, values)


async def add_notices(session: AsyncSession, rows: Sequence[NoticeRow]) -> None:
    await _copy(session, "notice", NOTICED, ([getattr(row, name) for name in NOTICED] for row in rows))


async def change_notices(session: AsyncSession, rows: Sequence[NoticeRow]) -> None:
    """What a notice tells, its revision and its state."""
    if rows:
        statement = text(
            f"UPDATE {SCHEMA}.notice SET prison = :prison, told = :told, revision = :revision,"
            " state = :state, recorded_time = :recorded_time, hold_time = :hold_time,"
            " goes_on_as = :goes_on_as WHERE notice_id = :notice_id"
        )
        changing = ("prison", "told", "revision", "state", "recorded_time", "hold_time", "goes_on_as")
        names = ("notice_id", *changing)
        await session.execute(statement, [{name: getattr(row, name) for name in names} for row in rows])


async def set_due_first(session: AsyncSession, kind: str, times: Mapping[str, datetime]) -> None:
    """Sets the instants, or brings them forward."""
    if times:
        statement = text(
            f"INSERT INTO {SCHEMA}.due AS held (kind, key, due_time) SELECT :kind, * FROM"
            " unnest(CAST(:keys AS text[]), CAST(:times AS timestamptz[]))"
            " ON CONFLICT (kind, key) DO UPDATE SET due_time = excluded.due_time, attempts = 0"
            " WHERE excluded.due_time < held.due_time"
        )
        in_order = sorted(times)
        at = [times[key] for key in in_order]
        await session.execute(statement, {"kind": kind, "keys": in_order, "times": at})


async def _copy(
    session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    rows = list(rows)
    if rows:
        await copy_rows(session, f"{SCHEMA}.{table}", columns, rows)
