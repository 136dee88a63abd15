"""What has happened to a person that somebody must be told, each change under the cause it keeps."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ppo.custody.v1 import events_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import Basis, ReleaseKind
from services.tracking.facts import Event, Fact
from services.tracking.journey import Step
from services.tracking.state import IN_TRANSIT, State

NoticeType: TypeAlias = pb.NoticeType.ValueType

ARRIVALS = (Event.RECEPTION, Event.TRANSFER_IN, Event.ABSENCE_END)
TOLD_BASES = (Basis.REMAND, Basis.SENTENCED, Basis.RECALL)


@dataclass(frozen=True)
class Change:
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
    # Whether one of the offences may be tested for drugs.
    trigger: bool = False
    # Since when the suite holds the person.
    booked: datetime | None = None
    # Of a reception: whether the person has a tenancy.
    tenancy: pb.TenancyHeld.ValueType = pb.TENANCY_HELD_UNKNOWN
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


def of_journey(steps: Iterable[Step]) -> tuple[Change, ...]:
    """All that the movements of a journey amount to. What is not among it any more was told in error."""
    told: dict[tuple[NoticeType, str], Change] = {}
    before = State()
    for step in steps:
        change = _change(before, step, tuple(told.values()))
        if change is not None:
            told[change.type, change.cause] = change
        before = step.state
    return tuple(told.values())


def _change(before: State, step: Step, told: tuple[Change, ...]) -> Change | None:
    if step.fact.event == Event.RELEASE:
        return _release(before, step)
    if step.review:
        return None
    if step.fact.event == Event.TRANSFER_OUT and not _in_transit(before):
        return _movement(pb.NOTICE_TYPE_PRISON_TRANSFER, step.fact, prison="", from_prison=before.prison)
    return _arrival(before, step, told) if step.fact.event in ARRIVALS else None


def _release(before: State, step: Step) -> Change | None:
    """Told too of somebody never seen to come in: it waits for review, and they are out meanwhile."""
    out = before.custody is not None and step.state.custody is None
    unseen = before.custody is None and before.served is None and not before.dead
    if step.state.dead or not (out or unseen or (before.freed and not step.review)):
        return None
    return _movement(pb.NOTICE_TYPE_RELEASED, step.fact, release=step.fact.release)


def _arrival(before: State, step: Step, told: tuple[Change, ...]) -> Change | None:
    fact, custody = step.fact, step.state.custody
    if custody is None:
        return None
    basis = custody.basis if custody.basis in TOLD_BASES else ""
    if before.custody is None or not (before.prison or _in_transit(before)):
        return _movement(pb.NOTICE_TYPE_PRISON_RECEPTION, fact, basis=basis)
    if _in_transit(before):
        left = _latest(told, pb.NOTICE_TYPE_PRISON_TRANSFER)
        return left and replace(left, occurred=fact.occurred, recorded=fact.recorded, prison=custody.prison)
    if before.prison != custody.prison:
        return _movement(pb.NOTICE_TYPE_PRISON_TRANSFER, fact, from_prison=before.prison)
    # The same reception told again, and better.
    received = _latest(told, pb.NOTICE_TYPE_PRISON_RECEPTION) if fact.event == Event.RECEPTION else None
    return received and replace(received, basis=basis)


def _movement(notice: NoticeType, fact: Fact, **told: Any) -> Change:
    known = Change(
        notice, fact.id, fact.occurred, fact.recorded, prison_number=fact.prison_number, prison=fact.prison
    )
    return replace(known, **told)


def _in_transit(state: State) -> bool:
    return state.custody is not None and state.custody.away == IN_TRANSIT


def _latest(told: tuple[Change, ...], notice: NoticeType) -> Change | None:
    return next((change for change in reversed(told) if change.type == notice), None)
