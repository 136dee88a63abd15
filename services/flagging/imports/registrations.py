"""A running register with its dates, ended registrations too."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import changes, fields, nominals, register
from services.flagging.changes import History
from services.flagging.imports.report import Report, blamed, rows
from services.flagging.models import Registration, RegistrationStep
from services.flagging.nominals import NOMINAL_ID, Key
from services.flagging.register import Standing
from services.flagging.store import nominals as nominal_store
from services.flagging.store import registrations as store
from services.runtime import identity
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Invalid
from services.runtime.reference import Reference

# Every change of the register waits for the batch before it.
BATCH = 200


class Row(NamedTuple):
    """A row of the stream, checked."""

    request: pb.ImportRegistrationsRequest
    key: Key
    standing: Standing


class RegistrationImport:
    """Safe to repeat: a row that is known and the same changes nothing, none undoes a decision made here."""

    def __init__(self, database: Database, clock: Clock, reference: Reference) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._report = Report("registrations")

    async def run(self, requests: AsyncIterator[pb.ImportRegistrationsRequest]) -> pb.ImportReport:
        batch: list[Row] = []
        async for _, row in rows(requests, self._row, self._report):
            batch.append(row)
            if len(batch) == BATCH:
                await self._take(batch)
                batch = []
        if batch:
            await self._take(batch)
        return self._report.to_proto()

    def _row(self, request: pb.ImportRegistrationsRequest) -> Row:
        now = self._clock.now()
        fields.criteria(request.criteria)
        start = fields.time(request.effective_start_time)
        if start > now:
            raise Invalid("effective_start_time", "is in the future")
        fields.ocu(self._reference, request.nominating_ocu, start, now)
        end = fields.time(request.effective_end_time) if request.HasField("effective_end_time") else None
        if (end is None) != (request.removal_reason == pb.REMOVAL_REASON_UNSPECIFIED):
            raise Invalid("removal_reason", "is given with an end, and only with one")
        with blamed("effective_end_time"):
            standing = register.imported(start, end, request.removal_reason).at(now)
        return Row(request, nominals.identifier(request.identifier, "identifier"), standing)

    async def _take(self, batch: Sequence[Row]) -> None:
        now = self._clock.now()
        results: list[str | Invalid] = []
        async with self._database.transaction() as session:
            source = batch[0].request.source
            await lock(session, f"registrations of {source}")
            known = await store.imported(session, source, [row.request.source_reference for row in batch])
            subjects = await _subjects(session, batch)
            claimed = await changes.claim(
                session, {*subjects.values(), *(nominal_id for nominal_id, _ in known.values())}, now
            )
            results = [_settle(row, subjects, known, claimed) for row in batch]
            await changes.conclude(session, list(claimed.values()))
        self._count(batch, results)

    def _count(self, batch: Sequence[Row], results: Sequence[str | Invalid]) -> None:
        for row, result in zip(batch, results, strict=True):
            if isinstance(result, Invalid):
                self._report.refuse(row.request.line, result)
        created, updated, unchanged = (results.count(one) for one in ("created", "updated", "unchanged"))
        self._report.count(created=created, updated=updated, unchanged=unchanged)


async def _subjects(session: AsyncSession, batch: Sequence[Row]) -> dict[Key, str]:
    """Whom the rows are about."""
    keys = {row.key for row in batch}
    held = await nominal_store.holders(session, [key for key in keys if key[0] != NOMINAL_ID])
    return held | {key: key[1] for key in keys if key[0] == NOMINAL_ID}


def _settle(
    row: Row,
    subjects: Mapping[Key, str],
    known: dict[str, tuple[str, str]],
    claimed: Mapping[str, History],
) -> str | Invalid:
    try:
        history = claimed.get(subjects.get(row.key, ""))
        if history is None:
            raise Invalid("identifier.value", "belongs to no nominal of the index")
        reference = row.request.source_reference
        if reference not in known:
            known[reference] = history.nominal_id, _create(history, row)
            return "created"
        if known[reference][0] not in history.members:
            raise Invalid("source_reference", "is the registration of another person")
        return _update(history, history.row(known[reference][1]), row)
    except Invalid as refusal:
        return refusal


def _create(history: History, row: Row) -> str:
    _refuse_misfit(history, row, [one.standing for one in history.rows])
    registration = Registration(
        provenance=pb.PROVENANCE_IMPORTED,
        source=row.request.source,
        source_reference=row.request.source_reference,
        steps=[],
    )
    _record(history, history.open(registration), row)
    return registration.registration_id


def _update(history: History, registration: Registration, row: Row) -> str:
    if _same(registration, row):
        return "unchanged"
    if any(step.provenance == pb.PROVENANCE_DECIDED for step in registration.steps):
        raise Invalid("source_reference", "was decided upon here since it was imported")
    _refuse_misfit(history, row, history.others(registration))
    _record(history, registration, row)
    return "updated"


def _refuse_misfit(history: History, row: Row, others: Sequence[Standing]) -> None:
    with blamed("strand"):
        start = fields.time(row.request.effective_start_time)
        register.refuse_age(row.request.strand, history.person.birth_date, start)
    with blamed("effective_start_time"):
        register.place(row.standing, others)


def _same(registration: Registration, row: Row) -> bool:
    """As the last import of it, whatever was decided here since."""
    steps = [step for step in registration.steps if step.provenance == pb.PROVENANCE_IMPORTED]
    told = [(step.state, step.effective_time, step.reason) for step in steps]
    now_told = [(step.state, step.effective_time, step.reason) for step in _steps(row)]
    particulars = (registration.strand, registration.criteria, registration.nominating_ocu)
    request = row.request
    now_particulars = (request.strand, list(request.criteria), request.nominating_ocu)
    return told[-len(now_told) :] == now_told and particulars == now_particulars


def _record(history: History, registration: Registration, row: Row) -> None:
    registration.strand = row.request.strand
    registration.criteria = list(row.request.criteria)
    registration.nominating_ocu = row.request.nominating_ocu
    steps = _steps(row)
    steps[0].say(registration.particulars)
    for step in steps:
        history.take(registration, row.standing, step, identity.current().subject)


def _steps(row: Row) -> list[RegistrationStep]:
    steps = [_step(register.ACTIVE, row.standing.start, "")]
    if row.standing.end is not None:
        steps.append(
            _step(register.REMOVED, row.standing.end, pb.RemovalReason.Name(row.request.removal_reason))
        )
    return steps


def _step(state: register.State, effective: datetime | None, reason: str) -> RegistrationStep:
    return RegistrationStep(
        state=state, effective_time=effective, provenance=pb.PROVENANCE_IMPORTED, reason=reason
    )
