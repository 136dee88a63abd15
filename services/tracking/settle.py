"""Makes of all that is recorded of a person what follows: journey, owner, case, notices, what is due."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.outbox import Event
from services.runtime.reference import Reference
from services.tracking import handing, news
from services.tracking.casebook import SETTLE, Casebook, Doubt, Held, on_their_own, together
from services.tracking.casefile import LIMITS, CaseFile
from services.tracking.evidence import Limits
from services.tracking.leads import leads
from services.tracking.models import Person
from services.tracking.store import casebook as casebook_store
from services.tracking.store import persons
from services.tracking.telling import Teller

__all__ = ["CASES", "SETTLE", "Settler"]

CASES = "ppo.tracking.cases.v1"

OUT_OF_ORDER = Counter("ppo_facts_out_of_order", "Facts dated before one that was already known.")


@dataclass(frozen=True)
class Settler:
    """Everything that is done for a person after something has become known, or an instant has come."""

    reference: Reference
    teller: Teller
    limits: Limits = LIMITS

    async def settle(
        self, session: AsyncSession, nominal_id: str, now: datetime, occurred: datetime | None = None
    ) -> pb.Case | None:
        """As `settle_in`, of one person alone, and written.

        The case as it is now; None for somebody whom the flags topic has not brought yet.
        """
        book = await Casebook.open(session, [nominal_id])
        await self.settle_in(book, nominal_id, now, occurred)
        await book.write(now)
        held = book.of(nominal_id)
        return held.person.to_proto(now) if held else None

    async def settle_all(self, session: AsyncSession, nominal_ids: Collection[str], now: datetime) -> None:
        book = await Casebook.open(session, nominal_ids)
        for nominal_id in sorted(nominal_ids):
            await self.settle_in(book, nominal_id, now)
        await book.write(now)

    async def settle_in(
        self, book: Casebook, nominal_id: str, now: datetime, occurred: datetime | None = None
    ) -> None:
        """`occurred` is when the fact happened that has just become known."""
        held = book.of(nominal_id)
        if held is None:
            return
        file = held.file(self.reference, self.limits)
        if held.person.merged_into:
            await self._leave(book, held, file, now)
            return
        if occurred is not None and any(entry.occurred > occurred for entry in file.entries):
            OUT_OF_ORDER.inc()
        tenures, next_time = file.tenures(now)
        held.stages = list(_stages(file))
        corrected = held.set_ownership(tenures, now)
        decision = tenures[-1].decision if tenures else None
        doubts = decision.reviews if decision else ()
        cases = [(f"case/{reason}", Doubt("case", reason)) for reason in doubts]
        late = [(subject, Doubt(kind, reason)) for kind, subject, reason in news.late(file, now)]
        held.set_reviews([*_doubts(file), *cases, *late])
        ownership = decision.ownership if decision else pb.Ownership(state=pb.OWNERSHIP_STATE_NONE)
        case, before = _case(file, ownership, now), held.person.to_proto(now)
        # What was found out last stands until more is.
        case.corrections.extend(corrected or before.corrections)
        _publish(book, held.person, case, now)
        moved = handing.handed(before.ownership, ownership, held.person.case_version, now, corrected)
        if moved is not None:
            open_matters = await book.open_matters(held)
            moved = moved._replace(matters=open_matters, **news.brought_along(file, now))
        hold_ends = await self.teller.tell(book, held, file, case, now, moved)
        held.due = _first(next_time, hold_ends, news.next_time(file, now))

    async def _leave(self, book: Casebook, held: Held, file: CaseFile, now: datetime) -> None:
        """Its stages and owners stay as they were: what goes on, goes on under the nominal that lives on."""
        owned = held.owned(now)
        last = owned.to_proto() if owned else pb.Ownership(state=pb.OWNERSHIP_STATE_NONE)
        held.set_reviews([])
        book.unite(held)
        gone = pb.Case(
            ownership=pb.Ownership(state=pb.OWNERSHIP_STATE_NONE), merged_into=held.person.merged_into or ""
        )
        _publish(book, held.person, gone, now)
        # Who had the case is told that this flag is no more; all else that was told goes on with the other's.
        await self.teller.leave(book, held, file, _case(file, last, now), now)
        held.due = None

    async def tell_of_lateness(
        self, book: Casebook, nominal_id: str, overdue: Iterable[pb.OverdueNotice], now: datetime
    ) -> None:
        if (held := book.of(nominal_id)) is None:
            return
        file = held.file(self.reference, self.limits)
        case = _case(file, file.ownership(now), now)
        for one in overdue:
            await self.teller.lateness(book, held, file, case, one, now)

    async def file(self, session: AsyncSession, person: Person) -> CaseFile:
        older = together(person, await persons.merged_with(session, person.nominal_id))
        ids = [person.nominal_id, *(one.nominal_id for one in older)]
        found = await casebook_store.entries(session, ids)
        entries = [entry for one in ids for entry in found.get(one, ())]
        apart = await on_their_own(session, [person], {person.nominal_id: older})
        return Held(person, older, entries, [], [], {}, [], None, apart).file(self.reference, self.limits)


def _publish(book: Casebook, person: Person, case: pb.Case, now: datetime) -> None:
    content = case.SerializeToString(deterministic=True)
    if content == person.case:
        return
    person.case, person.case_version = content, person.case_version + 1
    book.publish(Event.of(CASES, person.nominal_id, person.to_proto(now), time=now))


def _first(*times: datetime | None) -> datetime | None:
    """The next instant at which time alone changes something."""
    return min((at for at in times if at is not None), default=None)


def _stages(file: CaseFile) -> Iterator[tuple[datetime, int]]:
    """Each change of position; of several at one instant the last."""
    stages: dict[datetime, int] = {step.fact.occurred: step.state.position for step in file.steps}
    before = 0
    for at, position in stages.items():
        if position != before:
            yield at, position
        before = position


def _doubts(file: CaseFile) -> Iterator[tuple[str, Doubt]]:
    for step in file.steps:
        if step.review:
            yield step.fact.id, Doubt("fact", step.review)


def _case(file: CaseFile, ownership: pb.Ownership, now: datetime) -> pb.Case:
    state, managed = file.state(now), leads(file, ownership, now)
    return pb.Case(
        ownership=ownership,
        police_manager=managed.police,
        probation_manager=managed.probation,
        lead=managed.lead,
        strand=file.strand(now),
        recall_requested=bool(state.supervision and state.recall),
        legal_statuses=state.legal_statuses,
        position=state.position,
    )
