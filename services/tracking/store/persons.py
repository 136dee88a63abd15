"""Persons, their episodes and their identifiers."""

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from services.tracking.casefile import span
from services.tracking.models import Episode, Identifier, NominalMerge, Person


async def person(session: AsyncSession, nominal_id: str) -> Person | None:
    return await session.get(Person, nominal_id, populate_existing=True)


async def several(session: AsyncSession, nominal_ids: Collection[str]) -> Sequence[Person]:
    return (await session.scalars(select(Person).where(Person.nominal_id.in_(nominal_ids)))).all()


async def take(session: AsyncSession, flag: flagging.Flag) -> bool:
    """Whether the state is newer than what is held."""
    merged = flag.state == screening_pb2.FLAG_STATE_MERGED_INTO
    values = {
        "flag": flag.SerializeToString(),
        "flag_version": flag.version,
        "merged_into": flag.merged_into if merged else None,
    }
    row = insert(Person).values(
        nominal_id=flag.nominal_id, case_reference=secrets.token_hex(8), case_version=0, case=b"", **values
    )
    taken = row.on_conflict_do_update(
        index_elements=[Person.nominal_id], set_=values, where=Person.flag_version < flag.version
    )
    if await session.scalar(taken.returning(Person.nominal_id)) is None:
        return False
    await _episodes(session, flag)
    await _merges(session, flag)
    return True


async def _episodes(session: AsyncSession, flag: flagging.Flag) -> None:
    """An episode is the person's of the latest flag that has it: a merge and its end move it."""
    ids = [one.registration_id for one in flag.episodes]
    gone = delete(Episode).where(Episode.nominal_id == flag.nominal_id, Episode.registration_id.not_in(ids))
    await session.execute(gone.where(Episode.flag_version <= flag.version))
    for episode in flag.episodes:
        start, end = span(episode)
        values = {
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
        row = insert(Episode).values(registration_id=episode.registration_id, **values)
        await session.execute(
            row.on_conflict_do_update(
                index_elements=[Episode.registration_id],
                set_=values,
                where=Episode.flag_version <= flag.version,
            )
        )


async def _merges(session: AsyncSession, flag: flagging.Flag) -> None:
    await session.execute(delete(NominalMerge).where(NominalMerge.nominal_id == flag.nominal_id))
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


async def concerned(session: AsyncSession, numbers: Sequence[str], nominal_ids: Collection[str]) -> set[str]:
    """These nominals, those who hold the prison numbers, and whoever they live on in."""
    kind = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
    held = select(Identifier.nominal_id).where(Identifier.kind == kind, Identifier.value.in_(numbers))
    found = {*nominal_ids, *(await session.scalars(held))}
    into = select(Person.merged_into).where(Person.nominal_id.in_(found), Person.merged_into.is_not(None))
    return found | {await living(session, one) for one in await session.scalars(into) if one}


def _holder(kind: int, value: str) -> Select[str]:
    return select(Identifier.nominal_id).where(Identifier.kind == kind, Identifier.value == value)


async def living(session: AsyncSession, nominal_id: str) -> str:
    into = await session.scalar(select(Person.merged_into).where(Person.nominal_id == nominal_id))
    known = await session.scalar(select(Person.nominal_id).where(Person.nominal_id == into)) if into else None
    return await living(session, known) if known else nominal_id


async def give(session: AsyncSession, kind: int, value: str, nominal_id: str, version: int) -> str | None:
    """The identifier is this nominal's, unless a later flag says otherwise; returns whose it was before."""
    before = await session.scalar(_holder(kind, value))
    values = {"nominal_id": nominal_id, "flag_version": version}
    row = insert(Identifier).values(kind=kind, value=value, **values)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[Identifier.kind, Identifier.value],
            set_=values,
            where=Identifier.flag_version <= version,
        )
    )
    return before
