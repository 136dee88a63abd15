"""Nominals from a police system: a thousand rows to a transaction."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2
from services.flagging import changes, nominals
from services.flagging.imports.report import Report, rows
from services.flagging.nominals import Key
from services.flagging.store import nominals as store
from services.flagging.store.nominals import Filed
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Invalid

BATCH = 1_000


class Row(NamedTuple):
    """A row of the stream, checked and canonical."""

    line: int
    reference: str
    person: bytes
    keys: list[Key]
    born: int | None
    cues: list[str]
    learnt: Sequence[Key] = ()


class NominalImport:
    """Safe to repeat, whole or in part: a row that is known and the same changes nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._report = Report("nominals")

    async def run(self, requests: AsyncIterator[pb.ImportNominalsRequest]) -> pb.ImportReport:
        batch: dict[str, Row] = {}
        source = ""
        async for request, row in rows(requests, self._row, self._report):
            # The same key again comes after what the first said.
            if len(batch) == BATCH or row.reference in batch:
                await self._take(source, list(batch.values()))
                batch = {}
            source = request.source
            batch[row.reference] = row
        if batch:
            await self._take(source, list(batch.values()))
        return self._report.to_proto()

    def _row(self, request: pb.ImportNominalsRequest) -> Row:
        person = nominals.filed(request.person, self._clock.now().date())
        return Row(
            request.line,
            request.source_reference,
            person.SerializeToString(deterministic=True),
            nominals.keys(person),
            nominals.born(person),
            nominals.cues(person),
        )

    async def _take(self, source: str, batch: Sequence[Row]) -> None:
        now = self._clock.now()
        async with self._database.transaction() as session:
            # One batch at a time in the whole index: who holds an identifier stays true until it is written.
            await lock(session, "nominals")
            known = await store.known(session, source, [row.reference for row in batch])
            batch = await _complete(session, batch, known)
            news = [row for row in batch if known.get(row.reference, ("", b""))[1] != row.person]
            filed, refused = _settle(news, known, await store.holders(session, _keys(news)))
            if filed:
                await store.put(session, source, filed, now)
            changed = [row.nominal_id for row in filed if row.reference in known]
            await changes.republish(session, changed, now)
        for row, refusal in refused:
            self._report.refuse(row.line, refusal)
        unchanged = len(batch) - len(news)
        self._report.count(created=len(filed) - len(changed), updated=len(changed), unchanged=unchanged)


async def _complete(
    session: AsyncSession, batch: Sequence[Row], known: dict[str, tuple[str, bytes]]
) -> Sequence[Row]:
    """With the prison numbers that merges have brought, of which the police's row knows nothing."""
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
            filed.append(
                Filed(nominal_id, row.reference, row.person, row.keys, row.born, row.cues, row.learnt)
            )
    return filed, refused


def _refuse_held(row: Row, nominal_id: str, holders: dict[Key, str]) -> None:
    for place, key in enumerate(row.keys):
        if holders.get(key, nominal_id) != nominal_id:
            raise Invalid(f"person.identifiers[{place}]", "belongs to another nominal")


def _keys(batch: Iterable[Row]) -> list[Key]:
    return [key for row in batch for key in row.keys]
