"""Queries on the nominal index."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.person.v1 import person_pb2
from services.flagging import copying, nominals
from services.flagging.models import Nominal, NominalIdentifier, NominalIndex
from services.flagging.nominals import NOMINAL_ID, Key
from services.runtime.database import copy
from services.runtime.line import Line

COLUMNS = "nominal_id, source, source_reference, person, version, recorded_time"
# Statements over columns, not over rows: one plan whatever their number, and nothing to compile.
PUT = text("""
    INSERT INTO nominal (nominal_id, source, source_reference, person, version, recorded_time)
    SELECT nominal_id, :source, reference, person, version, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:references AS text[]), CAST(:persons AS bytea[]),
                CAST(:versions AS bigint[]))
         AS filed (nominal_id, reference, person, version)
    ON CONFLICT (source, source_reference) DO UPDATE
    SET person = excluded.person, version = excluded.version, recorded_time = excluded.recorded_time
""")
PUT_IDENTIFIERS = text("""
    INSERT INTO nominal_identifier (kind, value, nominal_id, learnt)
    SELECT * FROM unnest(CAST(:kinds AS smallint[]), CAST(:values AS text[]), CAST(:ids AS uuid[]),
                         CAST(:learnt AS boolean[]))
""")
# What is asked for comes as one text: a thousand parameters in an array take longer to write than to find.
KNOWN = text("""
    SELECT source_reference, nominal_id::text, person FROM nominal
    WHERE source = :source
      AND source_reference = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:asked AS jsonb))))
    ORDER BY nominal_id FOR NO KEY UPDATE
""")
COMPLETE = text("""
    UPDATE nominal SET person = filed.person, version = filed.version, recorded_time = :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:persons AS bytea[]), CAST(:versions AS bigint[]))
         AS filed (nominal_id, person, version)
    WHERE nominal.nominal_id = filed.nominal_id
""")
VERSION = "SELECT epoch::text, nominal_index.version FROM register JOIN nominal_index USING (single)"
CHANGED = """
    SELECT nominal_id::text, version, person FROM nominal
    WHERE version > %(held)s ORDER BY version LIMIT %(limit)s
"""
HOLDERS = text("""
    SELECT kind, value, nominal_id::text FROM nominal_identifier
    JOIN unnest(CAST(string_to_array(:kinds, ' ') AS smallint[]), string_to_array(:values, ' '))
         AS asked (kind, value) USING (kind, value)
""")

AS_KNOWN = text("""
    SELECT nominal_id::text, source, recorded_time, person FROM nominal
    WHERE nominal_id = ANY (CAST(:ids AS uuid[]))
      AND (CAST(:at AS timestamptz) IS NULL OR recorded_time <= CAST(:at AS timestamptz))
    UNION ALL
    SELECT nominal_id::text, source, version.recorded_time, version.person
    FROM nominal_version version JOIN nominal USING (nominal_id)
    WHERE nominal_id = ANY (CAST(:ids AS uuid[]))
      AND version.recorded_time <= CAST(:at AS timestamptz) AND superseded_time > CAST(:at AS timestamptz)
""")
EVER_HELD = text("""
    SELECT nominal_id FROM nominal_identifier WHERE kind = :kind AND value = :value
    UNION SELECT nominal_id FROM former_holder WHERE kind = :kind AND value = :value
""")


class Version(NamedTuple):
    """A person as the index had one, from when on, and which system's person it is."""

    source: str
    recorded: datetime
    person: person_pb2.Person


class Filed(NamedTuple):
    """A person as the index keeps one."""

    nominal_id: str
    reference: str
    person: bytes
    keys: list[Key]
    learnt: Collection[Key] = ()


async def known(session: AsyncSession, source: str, references: str) -> dict[str, tuple[str, bytes]]:
    """Nominal id and person by reference, of those in a JSON list; locked, in the order in which all lock."""
    rows = await session.execute(KNOWN, {"source": source, "asked": references})
    return {reference: (nominal_id, person) for reference, nominal_id, person in rows}


async def locked(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, person_pb2.Person]:
    """The persons, who do not change until the transaction ends."""
    rows = select(Nominal.nominal_id, Nominal.person).where(Nominal.nominal_id.in_(nominal_ids))
    found = await session.execute(rows.order_by(Nominal.nominal_id).with_for_update(key_share=True))
    return {nominal_id: person_pb2.Person.FromString(person) for nominal_id, person in found}


async def persons(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, person_pb2.Person]:
    rows = select(Nominal.nominal_id, Nominal.person).where(Nominal.nominal_id.in_(nominal_ids))
    return {one: person_pb2.Person.FromString(body) for one, body in await session.execute(rows)}


async def holders(session: AsyncSession, keys: Collection[Key]) -> dict[Key, str]:
    """The nominal that each identifier belongs to; nominal ids are no identifiers here."""
    # No canonical identifier holds a space.
    kinds, values = " ".join(str(kind) for kind, _ in keys), " ".join(value for _, value in keys)
    return await held(session, kinds, values)


async def held(session: AsyncSession, kinds: str, values: str) -> dict[Key, str]:
    """As `holders`; each kind and each value with a space between."""
    rows = await session.execute(HOLDERS, {"kinds": kinds, "values": values})
    return {(kind, value): nominal_id for kind, value, nominal_id in rows}


async def learnt(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, list[Key]]:
    """The identifiers that did not come with the person's row."""
    rows = select(NominalIdentifier.nominal_id, NominalIdentifier.kind, NominalIdentifier.value)
    held = rows.where(NominalIdentifier.learnt, NominalIdentifier.nominal_id.in_(nominal_ids))
    found: dict[str, list[Key]] = defaultdict(list)
    for nominal_id, kind, value in await session.execute(held):
        found[nominal_id].append((kind, value))
    return found


async def learn(session: AsyncSession, numbers: Mapping[Key, str], now: datetime) -> None:
    """Gives persons identifiers that nobody holds."""
    if not numbers:
        return
    held = [(*key, nominal_id, True) for key, nominal_id in numbers.items()]
    await session.execute(PUT_IDENTIFIERS, _columns(held))
    nominal_ids = set(numbers.values())
    known = await learnt(session, nominal_ids)
    persons = await locked(session, nominal_ids)
    await _complete(
        session, {one: nominals.with_learnt(person, known[one]) for one, person in persons.items()}, now
    )


async def unlearn(session: AsyncSession, number: Key, now: datetime) -> bool:
    """Takes an identifier away that did not come with the person's row; False where none did."""
    kind, value = number
    gone = delete(NominalIdentifier).filter_by(kind=kind, value=value).where(NominalIdentifier.learnt)
    holder = await session.scalar(gone.returning(NominalIdentifier.nominal_id))
    if holder is None:
        return False
    persons = await locked(session, [holder])
    await _complete(session, {holder: nominals.without(persons[holder], number)}, now)
    return True


async def _complete(session: AsyncSession, persons: Mapping[str, person_pb2.Person], now: datetime) -> None:
    filed = [person.SerializeToString(deterministic=True) for person in persons.values()]
    versions = list(await raise_version(session, len(filed)))
    values = {"ids": list(persons), "persons": filed, "now": now, "versions": versions}
    await session.execute(COMPLETE, values)


async def create(
    session: AsyncSession, nominals: Sequence[str], identifiers: str, recorded: datetime
) -> None:
    """Persons whom the index does not have, in lines. Whoever writes here holds the lock on all of it."""
    versions = await raise_version(session, len(nominals))
    await copy(session, "nominal", COLUMNS, copying.whole(nominals, versions, recorded.isoformat()))
    await copy(session, "nominal_identifier", "kind, value, nominal_id", identifiers)


async def raise_version(session: AsyncSession, steps: int) -> range:
    """The new versions. Everybody else's change of the index waits until this one is committed."""
    raised = update(NominalIndex).values(version=NominalIndex.version + steps)
    last: int = (await session.execute(raised.returning(NominalIndex.version))).scalar_one()
    return range(last - steps + 1, last + 1)


async def put(session: AsyncSession, source: str, rows: Sequence[Filed], now: object) -> None:
    await session.execute(
        PUT,
        {
            "source": source,
            "now": now,
            "ids": [row.nominal_id for row in rows],
            "references": [row.reference for row in rows],
            "persons": [row.person for row in rows],
            "versions": list(await raise_version(session, len(rows))),
        },
    )
    # No person has none: whoever changed may have lost one.
    await session.execute(
        delete(NominalIdentifier).where(NominalIdentifier.nominal_id.in_([row.nominal_id for row in rows]))
    )
    held = [(*key, row.nominal_id, key in row.learnt) for row in rows for key in row.keys]
    await session.execute(PUT_IDENTIFIERS, _columns(held))


def _columns(held: Sequence[tuple[int, str, str, bool]]) -> dict[str, list[Any]]:
    """Kind, value, nominal id, and whether it was learnt."""
    names = ("kinds", "values", "ids", "learnt")
    return {name: [one[place] for one in held] for place, name in enumerate(names)}


async def by_key(session: AsyncSession, key: Key) -> Nominal | None:
    kind, value = key
    if kind == NOMINAL_ID:
        return await session.get(Nominal, value)
    held = select(NominalIdentifier.nominal_id).filter_by(kind=kind, value=value)
    return await session.scalar(select(Nominal).where(Nominal.nominal_id.in_(held)))


async def as_known(
    session: AsyncSession, nominal_ids: Collection[str], at: datetime | None
) -> dict[str, Version]:
    """The persons as the index had them then, or has them now; not whoever it did not know yet."""
    asked = {"ids": list(nominal_ids), "at": at}
    rows = await session.execute(AS_KNOWN, asked)
    return {
        nominal_id: Version(source, recorded, person_pb2.Person.FromString(person))
        for nominal_id, source, recorded, person in rows
    }


async def holder_then(session: AsyncSession, key: Key, at: datetime) -> tuple[str, Version] | None:
    """Who held the identifier, as the index knew it then."""
    kind, value = key
    if kind == NOMINAL_ID:
        ids = {value}
    else:
        asked = {"kind": kind, "value": value}
        ids = {str(one) for one in await session.scalars(EVER_HELD, asked)}
    found = await as_known(session, ids, at)
    held = ((one, it) for one, it in found.items() if kind == NOMINAL_ID or key in nominals.keys(it.person))
    return next(held, None)


async def by_ids(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, Nominal]:
    rows = await session.scalars(select(Nominal).where(Nominal.nominal_id.in_(nominal_ids)))
    return {row.nominal_id: row for row in rows}


async def version(line: Line) -> tuple[str, int]:
    """The register's epoch, and the index's version."""
    [(epoch, last)] = await line.read(VERSION, {})
    return epoch, last


async def changed(line: Line, held: int, limit: int) -> list[tuple[str, int, bytes]]:
    """Nominal id, version and person of whoever changed above the version `held`, the first change first."""
    rows = await line.read(CHANGED, {"held": held, "limit": limit})
    return [(nominal_id, version, person) for nominal_id, version, person in rows]
