"""Nominals from a police system: a batch of rows to a transaction."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2
from services.flagging import changes, copying, movements, nominals
from services.flagging.imports import checking
from services.flagging.imports.checking import Batch, Row
from services.flagging.imports.report import Report, rows
from services.flagging.nominals import Key
from services.flagging.store import deaths
from services.flagging.store import nominals as store
from services.flagging.store.nominals import Filed
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Invalid

BATCH = 1_000


class Taken(NamedTuple):
    """What became of rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: Sequence[tuple[int, Invalid]] = ()

    def and_then(self, other: "Taken") -> "Taken":
        return Taken(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            (*self.refused, *other.refused),
        )


class NominalImport:
    """Safe to repeat, whole or in part: a row that is known and the same changes nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._report = Report("nominals")

    async def run(self, requests: AsyncIterator[pb.ImportNominalsRequest]) -> pb.ImportReport:
        batch: list[Row] = []
        source = ""
        async for request, row in rows(requests, self._row, self._report):
            source = request.source
            batch.append(row)
            if len(batch) == BATCH:
                await self._take(source, batch)
                batch = []
        if batch:
            await self._take(source, batch)
        return self._report.to_proto()

    def _row(self, request: pb.ImportNominalsRequest) -> Row:
        return checking.checked(request, self._clock.now().date())

    async def _take(self, source: str, rows: Sequence[Row]) -> None:
        async with self._database.transaction() as session:
            taken = await take(session, source, checking.batch(source, rows), self._clock.now())
        for line, refusal in taken.refused:
            self._report.refuse(line, refusal)
        self._report.count(created=taken.created, updated=taken.updated, unchanged=taken.unchanged)


async def take(session: AsyncSession, source: str, batch: Batch, now: datetime) -> Taken:
    # One batch at a time in the whole index: who holds an identifier stays true until it is written.
    await lock(session, "nominals")
    if await _all_new(session, source, batch):
        await store.create(session, batch.nominals, batch.identifiers, now)
        return Taken(created=batch.size)
    taken = Taken()
    for part in _parts(batch.rows):
        taken = taken.and_then(await _take(session, source, part, now))
    return taken


async def _all_new(session: AsyncSession, source: str, batch: Batch) -> bool:
    if not batch.distinct or await store.known(session, source, batch.references):
        return False
    return not await store.held(session, batch.kinds, batch.values)


def _parts(batch: Sequence[Row]) -> Iterator[list[Row]]:
    """The same key again comes after what the first said."""
    part: dict[str, Row] = {}
    for row in batch:
        if row.reference in part:
            yield list(part.values())
            part = {}
        part[row.reference] = row
    yield list(part.values())


async def _take(session: AsyncSession, source: str, batch: Sequence[Row], now: datetime) -> Taken:
    references = json.dumps([row.reference for row in batch])
    # As a death does: the histories first, the persons' rows after them.
    dead = await deaths.holders(session, source, references)
    if dead:
        await changes.hold(session, dead)
    known = await store.known(session, source, references)
    batch = await _complete(session, batch, known)
    news = [row for row in batch if known.get(row.reference, ("", b""))[1] != row.person]
    filed, refused = _settle(news, known, await store.holders(session, _keys(news)))
    created = [row for row in filed if row.reference not in known]
    changed = [row for row in filed if row.reference in known]
    # What a changed row no longer has may be a new one's.
    if changed:
        await store.put(session, source, changed, now)
    if created:
        await _create(session, source, created, now)
    await changes.republish(session, [row.nominal_id for row in changed], now)
    if lost := {row.nominal_id for row in changed} & dead:
        await movements.renumbered(session, lost, now)
    told = [(row.line, refusal) for row, refusal in refused]
    return Taken(len(created), len(changed), len(batch) - len(news), told)


async def _create(session: AsyncSession, source: str, rows: Sequence[Filed], now: datetime) -> None:
    system = copying.cell(source)
    lines = [copying.nominal(row.nominal_id, system, row.reference, row.person) for row in rows]
    held = "".join([copying.identifiers(row.nominal_id, row.keys) for row in rows])
    await store.create(session, lines, held, now)


async def _complete(
    session: AsyncSession, batch: Sequence[Row], known: dict[str, tuple[str, bytes]]
) -> Sequence[Row]:
    """With the prison numbers that merges have brought, of which the police's row knows nothing."""
    if not known:
        return batch
    learnt = await store.learnt(session, [nominal_id for nominal_id, _ in known.values()])
    if not learnt:
        return batch
    return [_with(row, learnt.get(known.get(row.reference, ("", b""))[0], ())) for row in batch]


def _with(row: Row, learnt: Sequence[Key]) -> Row:
    if not learnt:
        return row
    person = nominals.with_learnt(person_pb2.Person.FromString(row.person), learnt)
    return row._replace(
        person=person.SerializeToString(deterministic=True), keys=nominals.keys(person), learnt=learnt
    )


def _settle(
    batch: Iterable[Row], known: dict[str, tuple[str, bytes]], holders: dict[Key, str]
) -> tuple[list[Filed], list[tuple[Row, Invalid]]]:
    """Who is filed under which id, and whose identifiers are another's."""
    filed, refused = [], []
    for row in batch:
        nominal_id = known[row.reference][0] if row.reference in known else str(uuid4())
        try:
            _refuse_held(row, nominal_id, holders)
        except Invalid as refusal:
            refused.append((row, refusal))
        else:
            holders.update(dict.fromkeys(row.keys, nominal_id))
            filed.append(Filed(nominal_id, row.reference, row.person, row.keys, row.learnt))
    return filed, refused


def _refuse_held(row: Row, nominal_id: str, holders: dict[Key, str]) -> None:
    for place, key in enumerate(row.keys):
        if holders.get(key, nominal_id) != nominal_id:
            raise Invalid(f"person.identifiers[{place}]", "belongs to another nominal")


def _keys(batch: Iterable[Row]) -> list[Key]:
    return [key for row in batch for key in row.keys]
