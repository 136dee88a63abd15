"""Loads the areas: a trial says whose cases would change hands, a load has those cases decided again."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime

from google.type.date_pb2 import Date
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.police import areas
from services.police.areas import Row, RowError, Start, Starts
from services.runtime import identity, validation
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Illegal, Invalid
from services.runtime.reference import Reference
from services.tracking import boundaries
from services.tracking.addresses import AREAS
from services.tracking.casefile import Entry
from services.tracking.models import AreaVersion, due, requests
from services.tracking.settle import Settler
from services.tracking.store import areas as store
from services.tracking.store import facts, persons

# More than a police force has postcodes.
MOST_ROWS = 200_000


@dataclass(frozen=True)
class Change:
    """What a file changes of what stands."""

    version: int
    added: list[Start]
    withdrawn: list[Start]
    # By nominal: where their addresses lie from now on.
    touched: dict[str, list[Entry]]

    def to_proto(self, version: int) -> pb.LoadAreasResponse:
        return pb.LoadAreasResponse(
            version=version,
            rows_added=len(self.added),
            rows_withdrawn=len(self.withdrawn),
            cases_touched=len(self.touched),
        )


class Loading:
    def __init__(self, database: Database, clock: Clock, reference: Reference, settler: Settler) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._settler = settler

    async def run(self, stream: AsyncIterator[pb.LoadAreasRequest]) -> pb.LoadAreasResponse:
        head, rows, digest = await _read(stream)
        known, now = await asyncio.to_thread(self._starts, rows), self._clock.now()
        if head.validate_only:
            async with self._database.snapshot() as session:
                return await self._trial(session, known, now)

        async def act(session: AsyncSession) -> pb.LoadAreasResponse:
            return await self._load(session, head, known, now)

        return await requests.once(self._database, head, pb.LoadAreasResponse, act, now, rest=digest)

    async def _trial(self, session: AsyncSession, known: Starts, now: datetime) -> pb.LoadAreasResponse:
        change = await _change(session, known, now)
        response = change.to_proto(change.version)
        for nominal_id, located in change.touched.items():
            person = await persons.person(session, await persons.living(session, nominal_id))
            if person is None:
                continue
            file = await self._settler.file(session, person)
            if moved := boundaries.moved(file, located, now):
                owner, new_owner, at = moved
                told = response.changes.add(nominal_id=nominal_id, owner=owner, new_owner=new_owner)
                told.effective_time.FromDatetime(at)
        response.changes.sort(key=lambda one: one.effective_time.ToNanoseconds())
        return response

    async def _load(
        self, session: AsyncSession, head: pb.LoadAreasRequest, known: Starts, now: datetime
    ) -> pb.LoadAreasResponse:
        await lock(session, AREAS)
        change = await _change(session, known, now)
        if change.version != head.base_version:
            raise Illegal(
                "ANOTHER_VERSION", f"version {change.version} of the areas stands: preview it first"
            )
        if not (change.added or change.withdrawn):
            return change.to_proto(change.version)
        caller, told = identity.current(), change.to_proto(change.version + 1)
        made = AreaVersion(
            version=told.version,
            recorded_time=now,
            loaded_by=f"{caller.subject}, {caller.organisation}",
            reason=head.reason,
            rows_added=told.rows_added,
            rows_withdrawn=told.rows_withdrawn,
            cases_touched=told.cases_touched,
        )
        await store.change(session, made, change.added, change.withdrawn)
        for nominal_id, located in change.touched.items():
            for entry in located:
                await facts.record(session, entry, nominal_id=nominal_id)
            await due.put(session, AREAS, await persons.living(session, nominal_id), now)
        return told

    def _starts(self, rows: list[pb.AreaRow]) -> Starts:
        try:
            read = areas.canonical(map(_row, rows))
        except RowError as error:
            raise Invalid(f"rows[{error.place}].{error.field}", error.rule) from None
        known = {*self._reference.ids("ocus"), *self._reference.ids("outside_areas")}
        for place, row in enumerate(read):
            if row.area not in known:
                raise Invalid(f"rows[{place}].area", "is no OCU, and no area outside, that is known")
        return areas.starts(read)


async def _read(
    stream: AsyncIterator[pb.LoadAreasRequest],
) -> tuple[pb.LoadAreasRequest, list[pb.AreaRow], bytes]:
    """What the first message says of the load, all rows, and their digest."""
    head, digest = pb.LoadAreasRequest(), hashlib.sha256()
    rows: list[pb.AreaRow] = []
    async for request in stream:
        validation.check(request)
        if not head.request_id:
            head.CopyFrom(request)
            head.ClearField("rows")
        rows += request.rows
        digest.update(request.SerializeToString(deterministic=True))
        if len(rows) > MOST_ROWS:
            raise Invalid("rows", f"are at most {MOST_ROWS}")
    if not rows:
        raise Invalid("rows", "are the whole of the areas, and not none")
    if not (head.validate_only or head.reason.strip()):
        raise Invalid("reason", "is required")
    return head, rows, digest.digest()


async def _change(session: AsyncSession, known: Starts, now: datetime) -> Change:
    version, before = await store.version(session), await store.standing(session)
    added, withdrawn = boundaries.changes(before, known)
    touched: dict[str, list[Entry]] = {}
    for nominal_id, place in await store.addresses(session):
        line = areas.timeline(known, place)
        if line != areas.timeline(before, place):
            entry = boundaries.located(nominal_id, place, line, version + 1, now)
            touched.setdefault(nominal_id, []).append(entry)
    return Change(version, added, withdrawn, touched)


def _row(told: pb.AreaRow) -> Row:
    end = _day(told.effective_end_date) if told.HasField("effective_end_date") else None
    return Row(told.postcode, told.premises, told.area, _day(told.effective_start_date), end)


def _day(given: Date) -> date:
    return date(given.year, given.month, given.day)
