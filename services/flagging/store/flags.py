"""Queries on the flags."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import person_pb2
from services.flagging.flags import FLAGGED
from services.flagging.models import Flag, Register, outbox
from services.flagging.nominals import NOMINAL_ID, Key, united
from services.people.flags import DIGESTS
from services.runtime.line import Line
from services.runtime.outbox import Event

TOPIC = "ppo.flagging.flags.v1"

Holder = tuple[str, person_pb2.Person]

# So few that a check which comes meanwhile does not wait for them.
PAGE = 500

# One statement, so one trip and one state of the register.
READ = f"""
    SELECT 'register' AS what, epoch::text AS id, version, NULL::bytea AS body, 0 AS kind, '' AS value
    FROM register
    UNION ALL
    (SELECT 'flag', nominal_id::text, version, flag, 0, '' FROM flag
    WHERE version > %(held)s ORDER BY version LIMIT {PAGE})
"""
# Of those who have an identifier, or the id itself, the one that lives on and all that were merged into it.
READ_HOLDERS = f"""
    {READ}
    UNION ALL
    SELECT CASE member_id WHEN held.living_id THEN 'holder' ELSE 'member' END, held.living_id::text, 0,
        person, kind, value
    FROM (
        SELECT kind, value, nominal_id
        FROM unnest(CAST(%(kinds)s AS smallint[]), CAST(%(values)s AS text[])) AS typed (kind, value)
        JOIN nominal_identifier USING (kind, value)
        UNION ALL
        SELECT {int(NOMINAL_ID)}, nominal_id::text, nominal_id
        FROM unnest(CAST(%(ids)s AS uuid[])) AS own (nominal_id)
    ) AS asked
    LEFT JOIN nominal_merge AS merge ON merge.nominal_id = asked.nominal_id AND merge.undone_time IS NULL
    CROSS JOIN LATERAL (SELECT coalesce(merge.living_id, asked.nominal_id) AS living_id) AS held
    CROSS JOIN LATERAL (
        SELECT held.living_id AS member_id
        UNION ALL
        SELECT nominal_id FROM nominal_merge WHERE living_id = held.living_id AND undone_time IS NULL
    ) AS family
    JOIN nominal ON nominal.nominal_id = member_id
"""
# The digest as people.flags has it: all of them read and summed in this process would keep checks waiting.
_FLAGGED = text(f"""
    SELECT count(*), coalesce(sum(('x' || left(
        encode(sha256(convert_to(nominal_id || '/' || version, 'UTF8')), 'hex'), 16
    ))::bit(64)::bigint), 0)
    FROM flag WHERE state = {int(FLAGGED)}
""")


class Reading(NamedTuple):
    """The register at one instant, as far as it was not known before."""

    # When it was begun.
    time: datetime
    # Without it there is more above `version` than one reading brings.
    whole: bool
    epoch: str
    version: int
    flags: list[events_pb2.Flag]
    holders: dict[Key, list[Holder]]


async def read(line: Line, held: int, asked: Collection[Key], time: datetime) -> Reading:
    """The flags above the version `held`, and who holds the identifiers asked for."""
    numbers = [key for key in asked if key[0] != NOMINAL_ID]
    rows = await line.read(
        READ_HOLDERS if asked else READ,
        {
            "held": held,
            "kinds": [kind for kind, _ in numbers],
            "values": [value for _, value in numbers],
            "ids": [value for kind, value in asked if kind == NOMINAL_ID],
        },
    )
    epoch, version = "", 0
    flags: list[events_pb2.Flag] = []
    persons: dict[tuple[Key, str], list[person_pb2.Person]] = defaultdict(list)
    for what, own_id, level, body, kind, value in rows:
        if what == "register":
            epoch, version = own_id, level
        elif what == "flag":
            flags.append(events_pb2.Flag.FromString(body))
        else:
            known = persons[(kind, value), own_id]
            # The one that lives on first, and the others as they come.
            known.insert(0 if what == "holder" else len(known), person_pb2.Person.FromString(body))
    holders: dict[Key, list[Holder]] = defaultdict(list)
    for (key, nominal_id), found in persons.items():
        holders[key] += [(nominal_id, united(found)), *((nominal_id, one) for one in found[1:])]
    whole = len(flags) < PAGE
    return Reading(time, whole, epoch, version if whole else flags[-1].version, flags, holders)


async def held(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, events_pb2.Flag]:
    rows = await session.execute(select(Flag.nominal_id, Flag.flag).where(Flag.nominal_id.in_(nominal_ids)))
    return {nominal_id: events_pb2.Flag.FromString(flag) for nominal_id, flag in rows}


async def put(session: AsyncSession, flags: Sequence[events_pb2.Flag]) -> None:
    """Keeps the flags and publishes them."""
    rows = [
        {
            "nominal_id": one.nominal_id,
            "version": one.version,
            "state": one.state,
            "flag": one.SerializeToString(),
        }
        for one in flags
    ]
    states = insert(Flag).values(rows)
    changed = {name: states.excluded[name] for name in ("version", "state", "flag")}
    await session.execute(states.on_conflict_do_update(index_elements=["nominal_id"], set_=changed))
    events = [
        Event.of(TOPIC, one.nominal_id, one, time=one.recorded_time.ToDatetime(tzinfo=UTC)) for one in flags
    ]
    await outbox.append_all(session, events)


async def register(session: AsyncSession) -> tuple[str, int]:
    """Epoch and version."""
    epoch, version = (await session.execute(select(Register.epoch, Register.version))).one()
    return epoch, version


async def flagged(session: AsyncSession) -> tuple[int, int]:
    """Of everybody whose published state is FLAGGED, how many they are and their digest."""
    count, total = (await session.execute(_FLAGGED)).one()
    return count, int(total) % DIGESTS


async def last_watermark(session: AsyncSession, partitions: int) -> datetime | None:
    """When the last ones were written."""
    keys = [watermark_key(partition) for partition in range(partitions)]
    rows = outbox.rows.c
    last: datetime | None = await session.scalar(
        select(func.max(rows.event_time)).where(rows.topic == TOPIC, rows.key.in_(keys))
    )
    return last


def watermark_key(partition: int) -> str:
    return f"watermark/{partition}"
