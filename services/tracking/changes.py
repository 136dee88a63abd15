"""What has happened to a person that somebody must be told, each change under the cause it keeps."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, TypeAlias

from ppo.custody.v1 import events_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import KEPT, Basis, ReleaseKind
from services.prisons.reasons import Transfer as Reason
from services.tracking.facts import Event, Fact
from services.tracking.state import State
from services.tracking.steps import Step
from services.tracking.transfers import ARRIVALS, Transfer, transfers

NoticeType: TypeAlias = pb.NoticeType.ValueType

TOLD_BASES = (Basis.REMAND, Basis.SENTENCED, Basis.RECALL)


class Change(NamedTuple):
    type: NoticeType
    # What it is known by for good: the first fact that told of it, the registration, the detention.
    cause: str
    occurred: datetime
    # When it became known: a time limit on what cannot be told earlier runs from here.
    recorded: datetime
    prison_number: str = ""
    # Empty on the way from one prison to another.
    prison: str = ""
    from_prison: str = ""
    basis: str = ""
    release: ReleaseKind | None = None
    suite: str = ""
    offences: tuple[str, ...] = ()
    summons: str = ""
    # Whether one of the offences may be tested for drugs.
    trigger: bool = False
    # Of a transfer: where to and why, as the prison that was left has said, and when it was left.
    bound: str = ""
    reason: Reason = Reason.UNKNOWN
    left: datetime | None = None
    # Nobody has received the person within the limit.
    late: bool = False
    # Since when the suite holds the person.
    booked: datetime | None = None
    # Of a reception: whether the person has a tenancy.
    tenancy: pb.TenancyHeld.ValueType = pb.TENANCY_HELD_UNKNOWN
    # Of a flag: the register's version, and from when on it is so.
    version: int = 0
    effective: datetime | None = None
    # What else there is to tell, as the contract has it.
    planned: notice_pb2.Release | None = None
    work: pb.PrisonWork | None = None
    breach: notice_pb2.Breach | None = None
    # Of a breach: the court that has to do with it, and what it knows the proceedings by.
    court: str = ""
    court_reference: str = ""
    owned: notice_pb2.OwnershipChange | None = None
    review: date | None = None
    # What others were asked for and have not taken on yet.
    matters: tuple[notice_pb2.OpenMatter, ...] = ()
    # When it is to be settled, where the kind of the notice does not say.
    due: datetime | None = None
    # The notices, by their types, whose recipients are told as well: it undoes what those told.
    undoes: tuple[NoticeType, ...] = ()


def arrested(arrest: events_pb2.PpoArrested, *, trigger: bool = False) -> Change:
    return Change(
        pb.NOTICE_TYPE_PPO_ARRESTED,
        cause=f"{arrest.detention_id}/arrest",
        occurred=arrest.arrested_time.ToDatetime(UTC),
        recorded=arrest.recorded_time.ToDatetime(UTC),
        suite=arrest.suite_id,
        offences=tuple(arrest.offence_codes),
        summons=arrest.arrest_summons_number,
        trigger=trigger,
        booked=arrest.booked_time.ToDatetime(UTC) if arrest.HasField("booked_time") else None,
    )


def tested(test: events_pb2.PpoDrugTested) -> Change:
    """Of a positive test whose referral goes to the drug team for PPOs; of no other."""
    return Change(
        pb.NOTICE_TYPE_DRUG_TEST_ROUTED,
        cause=f"{test.detention_id}/{test.drug_test.test_id}",
        occurred=test.drug_test.tested_time.ToDatetime(UTC),
        recorded=test.recorded_time.ToDatetime(UTC),
        suite=test.suite_id,
    )


def of_journey(steps: Sequence[Step]) -> tuple[Change, ...]:
    """All that the movements of a journey amount to. What is not among it any more was told in error."""
    told: dict[tuple[NoticeType, str], Change] = {}
    moves = {fact_id: move for move in transfers(steps) for fact_id in move.fact_ids}
    before = State()
    for step in steps:
        move = moves.get(step.fact.id)
        change = _transferred(move) if move else _change(before, step, told.values())
        if change is not None:
            told[change.type, change.cause] = change
        before = step.state
    return tuple(told.values())


def _change(before: State, step: Step, told: Collection[Change]) -> Change | None:
    if step.again:
        return None
    if step.fact.event == Event.RELEASE:
        return _release(before, step)
    arrived = step.fact.event in ARRIVALS and not step.impossible
    return _arrival(before, step, told) if arrived else None


def _release(before: State, step: Step) -> Change | None:
    """Told too of somebody never seen to come in: it waits for review, and they are out meanwhile."""
    out = before.custody is not None and step.state.custody is None
    never_in = before.custody is None and before.served is None and not before.dead
    unseen = never_in and step.fact.release not in KEPT
    if step.state.dead or not (out or unseen or (before.freed and not step.impossible)):
        return None
    return _movement(pb.NOTICE_TYPE_RELEASED, step.fact, release=step.fact.release)


def _arrival(before: State, step: Step, told: Collection[Change]) -> Change | None:
    fact, custody = step.fact, step.state.custody
    if custody is None:
        return None
    basis = custody.basis if custody.basis in TOLD_BASES else ""
    if before.custody is None or not before.prison:
        return _movement(pb.NOTICE_TYPE_PRISON_RECEPTION, fact, basis=basis)
    # The same reception told again, and better.
    received = _latest(told, pb.NOTICE_TYPE_PRISON_RECEPTION) if fact.event == Event.RECEPTION else None
    return received and received._replace(basis=basis)


def _transferred(move: Transfer) -> Change:
    """From its departure to its arrival one change: what is known of both, as of the later."""
    last = move.facts[-1]
    return Change(
        pb.NOTICE_TYPE_PRISON_TRANSFER,
        cause=move.id,
        occurred=last.occurred,
        recorded=max(fact.recorded for fact in move.facts),
        prison_number=last.prison_number,
        prison=move.to_prison,
        from_prison=move.from_prison,
        bound=move.bound,
        reason=move.left.transfer if move.left else Reason.UNKNOWN,
        left=move.left.occurred if move.left else None,
    )


def _movement(notice: NoticeType, fact: Fact, **told: Any) -> Change:
    return Change(
        notice,
        fact.cause,
        fact.occurred,
        fact.recorded,
        prison_number=fact.prison_number,
        prison=fact.prison,
        **told,
    )


def _latest(told: Collection[Change], notice: NoticeType) -> Change | None:
    return next((change for change in reversed([*told]) if change.type == notice), None)
