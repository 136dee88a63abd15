"""Makes of all that is recorded of a person what follows: journey, owner, case, notices, what is due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.database import lock
from services.runtime.reference import Reference
from services.tracking.casefile import LIMITS, CaseFile
from services.tracking.evidence import Limits
from services.tracking.leads import leads
from services.tracking.models import Person, due, outbox
from services.tracking.store import facts as fact_store
from services.tracking.store import persons
from services.tracking.telling import Teller

CASES = "ppo.tracking.cases.v1"
SETTLE = "settle"

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
        """The case as it is now; None for somebody whom the flags topic has not brought yet.

        `occurred` is when the fact happened that has just become known.
        """
        await lock(session, nominal_id)
        person = await persons.person(session, nominal_id)
        if person is None:
            return None
        older = await persons.merged_with(session, nominal_id)
        file = await self._file(session, person, older)
        if person.merged_into:
            return await self._leave(session, person, older, file, now)
        if occurred is not None and any(entry.occurred > occurred for entry in file.entries):
            OUT_OF_ORDER.inc()
        tenures, next_time = file.tenures(now)
        await fact_store.set_stages(session, nominal_id, list(_stages(file)))
        await fact_store.set_ownership(session, nominal_id, tenures, now)
        decision = tenures[-1].decision if tenures else None
        cases = [("case", "case", reason) for reason in decision.reviews] if decision else []
        await fact_store.set_reviews(session, nominal_id, [*_doubts(file), *cases], now)
        ownership = decision.ownership if decision else pb.Ownership(state=pb.OWNERSHIP_STATE_NONE)
        case = _case(file, ownership, now)
        await self._publish(session, person, case, now)
        hold_ends = await self.teller.tell(session, person, older, file, case, now)
        await _put(session, nominal_id, next_time, hold_ends)
        return person.to_proto(now)

    async def _leave(
        self, session: AsyncSession, person: Person, older: Sequence[Person], file: CaseFile, now: datetime
    ) -> pb.Case:
        """Its stages and owners stay as they were: what goes on, goes on under the nominal that lives on."""
        owned = await fact_store.owned(session, person.nominal_id, now)
        last = owned.to_proto() if owned else pb.Ownership(state=pb.OWNERSHIP_STATE_NONE)
        await fact_store.set_reviews(session, person.nominal_id, [], now)
        gone = pb.Case(
            ownership=pb.Ownership(state=pb.OWNERSHIP_STATE_NONE), merged_into=person.merged_into or ""
        )
        await self._publish(session, person, gone, now)
        # Who had the case is told that this flag is no more.
        hold_ends = await self.teller.tell(session, person, older, file, _case(file, last, now), now)
        await _put(session, person.nominal_id, hold_ends)
        return person.to_proto(now)

    async def file(self, session: AsyncSession, person: Person) -> CaseFile:
        return await self._file(session, person, await persons.merged_with(session, person.nominal_id))

    async def _file(self, session: AsyncSession, person: Person, older: Sequence[Person]) -> CaseFile:
        ids = [person.nominal_id, *(one.nominal_id for one in older)]
        entries = await fact_store.entries(session, ids)
        told = (merge for one in older for merge in one.to_flag().merges)
        merges = tuple(
            sorted(one.merged_time.ToDatetime(UTC) for one in told if not one.HasField("unmerged_time"))
        )
        return CaseFile(person.to_flag(), entries, self.reference, self.limits, merges)

    async def _publish(self, session: AsyncSession, person: Person, case: pb.Case, now: datetime) -> None:
        content = case.SerializeToString(deterministic=True)
        if content == person.case:
            return
        person.case, person.case_version = content, person.case_version + 1
        await outbox.append(session, CASES, person.nominal_id, person.to_proto(now), time=now)


async def _put(session: AsyncSession, nominal_id: str, *times: datetime | None) -> None:
    """The next instant at which time alone changes something."""
    following = min((at for at in times if at is not None), default=None)
    if following is None:
        await due.drop(session, SETTLE, nominal_id)
    else:
        await due.put(session, SETTLE, nominal_id, following)


def _stages(file: CaseFile) -> Iterator[tuple[datetime, int]]:
    """Each change of position; of several at one instant the last."""
    stages: dict[datetime, int] = {step.fact.occurred: step.state.position for step in file.steps}
    before = 0
    for at, position in stages.items():
        if position != before:
            yield at, position
        before = position


def _doubts(file: CaseFile) -> Iterator[tuple[str, str, str]]:
    for step in file.steps:
        if step.review:
            yield step.fact.id, "fact", step.review


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
