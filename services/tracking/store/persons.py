"""Persons, their episodes and their identifiers."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from services.tracking import days
from services.tracking.casefile import members, span
from services.tracking.models import SCHEMA, Episode, Identifier, NominalMerge, Person
from services.tracking.store import casebook


async def person(session: AsyncSession, nominal_id: str) -> Person | None:
    return await session.get(Person, nominal_id, populate_existing=True)


async def page(session: AsyncSession, after: str, size: int) -> Sequence[str]:
    """The next nominals that live on in no other, in their order."""
    rows = select(Person.nominal_id).where(Person.nominal_id > after, Person.merged_into.is_(None))
    return (await session.scalars(rows.order_by(Person.nominal_id).limit(size))).all()


async def several(session: AsyncSession, nominal_ids: Collection[str]) -> Sequence[Person]:
    return (await session.scalars(select(Person).where(Person.nominal_id.in_(nominal_ids)))).all()


_TAKE = text(
    f"""
    INSERT INTO {SCHEMA}.person AS held
        (nominal_id, flag, flag_version, merged_into, case_reference, sex, ethnicity_code, born_first,
         born_last, case_version, "case", known_time)
    SELECT *, 0, ''::bytea, CAST(:now AS timestamptz) FROM unnest(
        CAST(:ids AS text[]), CAST(:flags AS bytea[]), CAST(:versions AS bigint[]), CAST(:merged AS text[]),
        CAST(:references AS text[]), CAST(:sexes AS smallint[]), CAST(:codes AS text[]),
        CAST(:born_first AS date[]), CAST(:born_last AS date[])
    )
    ON CONFLICT (nominal_id) DO UPDATE
        SET flag = excluded.flag, flag_version = excluded.flag_version, merged_into = excluded.merged_into,
            sex = excluded.sex, ethnicity_code = excluded.ethnicity_code, born_first = excluded.born_first,
            born_last = excluded.born_last
        WHERE held.flag_version < excluded.flag_version
    RETURNING nominal_id
    """
)


async def take(session: AsyncSession, flags: Sequence[flagging.Flag], now: datetime) -> set[str]:
    """The nominals whose state is newer than what is held; no two flags are of one."""
    merged = screening_pb2.FLAG_STATE_MERGED_INTO
    in_order = sorted(flags, key=lambda flag: flag.nominal_id)
    values = {
        "ids": [flag.nominal_id for flag in in_order],
        "flags": [flag.SerializeToString() for flag in in_order],
        "versions": [flag.version for flag in in_order],
        "merged": [flag.merged_into if flag.state == merged else None for flag in in_order],
        "references": [secrets.token_hex(8) for _ in in_order],
        "sexes": [flag.person.sex for flag in in_order],
        "codes": [flag.person.ethnicity_code for flag in in_order],
        "born_first": [days.earliest(flag.person.birth_date) for flag in in_order],
        "born_last": [days.latest(flag.person.birth_date) for flag in in_order],
        "now": now,
    }
    newer = set(await session.scalars(_TAKE, values))
    taken = [flag for flag in in_order if flag.nominal_id in newer]
    if taken:
        await _episodes(session, taken)
        await _merges(session, taken)
    return newer


_UNITE = text(
    f"""
    UPDATE {SCHEMA}.person SET merged_into = told.into_id
    FROM unnest(CAST(:ids AS text[]), CAST(:into AS text[]), CAST(:versions AS bigint[]))
        AS told (id, into_id, version)
    WHERE nominal_id = told.id AND flag_version < told.version AND merged_into IS DISTINCT FROM told.into_id
    RETURNING nominal_id
    """
)


async def unite(session: AsyncSession, flags: Sequence[flagging.Flag]) -> set[str]:
    """Whoever lives on in these; their own flags say so too, and may come later."""
    told = {(one, flag.nominal_id, flag.version) for flag in flags for one in members(flag)}
    if not told:
        return set()
    ids, into, versions = zip(*sorted(told), strict=True)
    values = {"ids": list(ids), "into": list(into), "versions": list(versions)}
    return set(await session.scalars(_UNITE, values))


_GONE = text(
    f"""
    DELETE FROM {SCHEMA}.episode USING unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]))
        AS told (id, version)
    WHERE nominal_id = told.id AND flag_version <= told.version
        AND registration_id <> ALL (CAST(:registrations AS text[]))
    """
)


async def _episodes(session: AsyncSession, flags: Sequence[flagging.Flag]) -> None:
    """An episode is the person's of the latest flag that has it: a merge and its end move it."""
    rows = [_episode(flag, episode) for flag in flags for episode in flag.episodes]
    values = {
        "ids": [flag.nominal_id for flag in flags],
        "versions": [flag.version for flag in flags],
        "registrations": [row["registration_id"] for row in rows],
    }
    await session.execute(_GONE, values)
    if rows:
        table = Episode.metadata.tables[f"{SCHEMA}.episode"]
        row = insert(table)
        changed = {name: row.excluded[name] for name in rows[0] if name != "registration_id"}
        newer = table.c.flag_version <= row.excluded.flag_version
        upsert = row.on_conflict_do_update(index_elements=["registration_id"], set_=changed, where=newer)
        await session.execute(upsert, rows)


def _episode(flag: flagging.Flag, episode: flagging.Episode) -> dict[str, Any]:
    start, end = span(episode)
    return {
        "registration_id": episode.registration_id,
        "nominal_id": flag.nominal_id,
        "strand": episode.strand,
        "nominating_ocu": episode.nominating_ocu,
        "start_time": start,
        "end_time": end,
        "registered_id": episode.nominal_id or None,
        "merged": episode.merged,
        "flag_version": flag.version,
        "removal_reason": episode.removal_reason,
    }


_UNMERGED = text(f"DELETE FROM {SCHEMA}.nominal_merge WHERE nominal_id = ANY (CAST(:ids AS text[]))")


async def _merges(session: AsyncSession, flags: Sequence[flagging.Flag]) -> None:
    await session.execute(_UNMERGED, {"ids": [flag.nominal_id for flag in flags]})
    for flag in flags:
        for merge in flag.merges:
            until = merge.unmerged_time.ToDatetime(UTC) if merge.HasField("unmerged_time") else None
            row = insert(NominalMerge).values(
                nominal_id=flag.nominal_id,
                into_id=merge.into_nominal_id,
                merged_time=merge.merged_time.ToDatetime(UTC),
                unmerged_time=until,
            )
            await session.execute(row.on_conflict_do_nothing())


async def merged_with(session: AsyncSession, nominal_id: str) -> Sequence[Person]:
    """Those that live on in this nominal, through however many merges."""
    family = select(Person.nominal_id).where(Person.merged_into == nominal_id).cte(recursive=True)
    older = select(Person.nominal_id).join(family, Person.merged_into == family.c.nominal_id)
    found = select(Person).where(Person.nominal_id.in_(select(family.union(older).c.nominal_id)))
    return (await session.scalars(found.execution_options(populate_existing=True))).all()


async def holder(session: AsyncSession, kind: int, value: str) -> str | None:
    """Whose identifier it is: the nominal that lives on."""
    if kind == person_pb2.IDENTIFIER_KIND_NOMINAL_ID:
        found = await session.scalar(select(Person.nominal_id).where(Person.nominal_id == value))
    else:
        found = await session.scalar(_holder(kind, value))
    return found if found is None else await living(session, found)


async def concerned(
    session: AsyncSession, numbers: Collection[str], nominal_ids: Collection[str]
) -> set[str]:
    """These nominals, those who hold the prison numbers, and whoever they live on in."""
    found = {*nominal_ids, *(await casebook.holders(session, numbers)).values()}
    elsewhere = await session.scalars(_ELSEWHERE, {"ids": list(found)})
    return found | {await living(session, one) for one in elsewhere.all()}


def _holder(kind: int, value: str) -> Select[str]:
    return select(Identifier.nominal_id).where(Identifier.kind == kind, Identifier.value == value)


async def living(session: AsyncSession, nominal_id: str) -> str:
    into = await session.scalar(select(Person.merged_into).where(Person.nominal_id == nominal_id))
    known = await session.scalar(select(Person.nominal_id).where(Person.nominal_id == into)) if into else None
    return await living(session, known) if known else nominal_id


async def assign(session: AsyncSession, numbers: Sequence[str], nominal_id: str) -> None:
    """As a prison's merge gives them: a flag that comes later may say otherwise."""
    kind = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
    these = (Identifier.kind == kind, Identifier.value.in_(numbers))
    await session.execute(update(Identifier).where(*these).values(nominal_id=nominal_id, flag_version=0))


class Given(NamedTuple):
    """An identifier is a nominal's, as a flag of that version says; 0 for a prison's merge."""

    kind: int
    value: str
    nominal_id: str
    version: int


_ASKED = "unnest(CAST(:kinds AS smallint[]), CAST(:values AS text[])) AS asked (kind, value)"
_BEFORE = text(f"SELECT kind, value, nominal_id FROM {SCHEMA}.identifier JOIN {_ASKED} USING (kind, value)")
_GIVE = text(
    f"""
    INSERT INTO {SCHEMA}.identifier AS held (kind, value, nominal_id, flag_version)
    SELECT * FROM unnest(
        CAST(:kinds AS smallint[]), CAST(:values AS text[]), CAST(:ids AS text[]), CAST(:versions AS bigint[])
    )
    ON CONFLICT (kind, value) DO UPDATE
        SET nominal_id = excluded.nominal_id, flag_version = excluded.flag_version
        WHERE held.flag_version <= excluded.flag_version
    RETURNING kind, value, nominal_id
    """
)


async def give(session: AsyncSession, given: Sequence[Given]) -> tuple[set[str], set[tuple[int, str]]]:
    """Each is this nominal's, unless a later flag says otherwise. Whose they were, and what moved."""
    if not given:
        return set(), set()
    in_order = sorted({(one.kind, one.value): one for one in given}.values())
    asked = {"kinds": [one.kind for one in in_order], "values": [one.value for one in in_order]}
    before = {(row.kind, row.value): row.nominal_id for row in await session.execute(_BEFORE, asked)}
    whose = {"ids": [one.nominal_id for one in in_order], "versions": [one.version for one in in_order]}
    now = {(row.kind, row.value): row.nominal_id for row in await session.execute(_GIVE, asked | whose)}
    return set(before.values()), {one for one, nominal_id in now.items() if before.get(one) != nominal_id}


_LOSABLE = text(
    f"""
    SELECT value, nominal_id, flag_version FROM {SCHEMA}.identifier
    WHERE nominal_id = ANY (CAST(:ids AS text[])) AND kind = {person_pb2.IDENTIFIER_KIND_PRISON_NUMBER}
    """
)
_TAKE_AWAY = text(
    f"""
    DELETE FROM {SCHEMA}.identifier AS held
    USING unnest(CAST(:values AS text[]), CAST(:ids AS text[])) AS lost (value, nominal_id)
    WHERE held.kind = {person_pb2.IDENTIFIER_KIND_PRISON_NUMBER} AND held.value = lost.value
        AND held.nominal_id = lost.nominal_id AND held.flag_version > 0
    """
)


async def lost(session: AsyncSession, flags: Sequence[flagging.Flag]) -> dict[str, str]:
    """The prison numbers, and whose they are, that an earlier flag of theirs had and these have not.

    What a prison's merge gave stands until a flag has had it.
    """
    version = {flag.nominal_id: flag.version for flag in flags}
    has = {(flag.nominal_id, one.value) for flag in flags for one in flag.person.identifiers}
    rows = await session.execute(_LOSABLE, {"ids": list(version)})
    return {
        value: nominal_id
        for value, nominal_id, said in rows
        if 0 < said < version[nominal_id] and (nominal_id, value) not in has
    }


async def take_away(session: AsyncSession, numbers: Mapping[str, str]) -> None:
    """From these, unless somebody else was given one meanwhile."""
    if numbers:
        await session.execute(_TAKE_AWAY, {"values": list(numbers), "ids": list(numbers.values())})


_ELSEWHERE = text(
    f"SELECT nominal_id FROM {SCHEMA}.person"
    " WHERE nominal_id = ANY (CAST(:ids AS text[])) AND merged_into IS NOT NULL"
)


async def living_holders(session: AsyncSession, numbers: Collection[str]) -> dict[str, str]:
    """By prison number whose it is: the nominal that lives on."""
    held = await casebook.holders(session, numbers)
    merged = set(await session.scalars(_ELSEWHERE, {"ids": list(set(held.values()))}))
    return {
        number: await living(session, nominal_id) if nominal_id in merged else nominal_id
        for number, nominal_id in held.items()
    }


async def elsewhere(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, str]:
    """Those of these who live on in others, each with whom."""
    merged = await session.scalars(_ELSEWHERE, {"ids": list(nominal_ids)})
    found = {one: await living(session, one) for one in merged.all()}
    return {one: head for one, head in found.items() if head != one}


async def families(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, str]:
    """Those who live on in these, through however many merges, each with whom."""
    found: dict[str, str] = {}
    heads = {one: one for one in nominal_ids}
    while heads:
        older = await casebook.merged_into(session, list(heads))
        heads = {one.nominal_id: heads[one.merged_into or ""] for one in older if one.nominal_id not in found}
        found |= heads
    return found


async def live(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Everybody who is on the register, as the nominal that lives on."""
    open_then = (Episode.start_time <= now, or_(Episode.end_time.is_(None), Episode.end_time > now))
    rows = select(Episode.nominal_id).join(Person, Person.nominal_id == Episode.nominal_id)
    return (await session.scalars(rows.where(*open_then, Person.merged_into.is_(None)).distinct())).all()
