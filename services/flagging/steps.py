"""The steps of a registration, each from its request: checked, decided, recorded."""

from datetime import datetime
from typing import Any

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import screening_pb2
from services.flagging import fields, persistence, register
from services.flagging.changes import History
from services.flagging.models import Registration, RegistrationStep, readable
from services.flagging.register import Standing
from services.flagging.timeline import Timeline
from services.runtime import identity
from services.runtime.errors import Invalid
from services.runtime.reference import Reference

DECISIONS = {
    pb.NOMINATION_DECISION_REVIEW: register.UNDER_REVIEW,
    pb.NOMINATION_DECISION_ACTIVATE: register.ACTIVE,
    pb.NOMINATION_DECISION_DECLINE: register.DECLINED,
}
_DECEASED = pb.RemovalReason.Name(register.DECEASED)


def nominate(history: History, request: pb.NominatePpoRequest, reference: Reference) -> Registration:
    fields.criteria(request.criteria)
    fields.evidence(request.evidence)
    fields.convictions(request.convictions, register.day(history.now))
    fields.ocu(reference, request.nominating_ocu, history.now)
    standing = register.nominate(row.standing for row in history.rows)
    register.refuse_age(request.strand, history.person.birth_date, history.now)
    row = history.open(
        Registration(
            strand=request.strand,
            criteria=list(request.criteria),
            nominating_ocu=request.nominating_ocu,
            provenance=pb.PROVENANCE_DECIDED,
            steps=[],
        )
    )
    step = _step(standing.state, history.now, evidence=[readable(one) for one in request.evidence])
    if request.convictions:
        told = persistence.indicator(request.convictions, history.person.birth_date, history.now)
        step.persistence = readable(told)
    step.say(row.particulars)
    _take(history, row, standing, step)
    return row


def decide(
    history: History, row: Registration, request: pb.DecideNominationRequest, reference: Reference
) -> None:
    fields.forum(reference, request.forum_id, history.now)
    fields.votes(request.votes)
    effective = _effective(request, history.now)
    if effective > history.now:
        raise Invalid("effective_time", "is in the future")
    standing = _decided(history, row, request, effective)
    step = _step(standing.state, effective, votes=[readable(vote) for vote in request.votes])
    step.forum_id, step.doubtful, step.reason = request.forum_id, request.doubtful, request.reason
    if request.strand:
        row.strand = request.strand
        step.say(row.particulars)
    _take(history, row, standing, step)


def plan_exit(history: History, row: Registration, request: pb.PlanExitRequest, _: Reference) -> None:
    standing = register.plan_exit(row.standing, request.plan)
    _take(history, row, standing, _step(standing.state, history.now, exit_plan=readable(request.plan)))


def cancel_exit(history: History, row: Registration, request: pb.CancelExitRequest, _: Reference) -> None:
    standing = register.cancel_exit(row.standing)
    _take(history, row, standing, _step(standing.state, history.now, reason=request.reason))


def remove(history: History, row: Registration, request: pb.RemovePpoRequest, reference: Reference) -> None:
    if request.forum_id:
        fields.forum(reference, request.forum_id, history.now)
    fields.votes(request.votes)
    effective = _effective(request, history.now)
    if request.reason == register.DECEASED and effective > history.now:
        raise Invalid("effective_time", "nobody is known to die in the future")
    step = _step(register.REMOVED, effective, votes=[readable(vote) for vote in request.votes])
    step.forum_id = request.forum_id
    _remove(history, row, request, step, identity.current().subject)


def end_by_death(history: History, row: Registration, death: datetime, by: str) -> None:
    """Nobody decides it: `by` says who told of it."""
    request = pb.RemovePpoRequest(reason=register.DECEASED)
    _remove(history, row, request, _step(register.REMOVED, death), by)


def return_from_death(history: History, row: Registration, by: str, reason: str) -> None:
    """As it was before the death was told: active, with the exit and the end that were planned, if any.

    Nobody decides it: `by` says who has taken the death back, or the number under which it was told.
    """
    before = [step for step in row.steps if step.reason != _DECEASED]
    began = max(place for place, step in enumerate(before) if step.state == register.ACTIVE)
    standing = Timeline(tuple(step.told for step in before)).standing.at(history.now)
    register.place(standing, history.others(row))
    again = _step(register.ACTIVE, history.now, reason=reason)
    for step in (again, *map(_repeated, before[began + 1 :])):
        history.take(row, standing, step, by)


def annul(history: History, row: Registration, request: pb.AnnulRegistrationRequest, _: Reference) -> None:
    standing = register.annul(row.standing)
    _take(history, row, standing, _step(standing.state, history.now, reason=request.reason))


def _decided(
    history: History, row: Registration, request: pb.DecideNominationRequest, effective: datetime
) -> Standing:
    match DECISIONS[request.decision]:
        case register.UNDER_REVIEW:
            return register.review(row.standing)
        case register.DECLINED:
            return register.decline(row.standing)
    standing = register.activate(row.standing, request, row.criteria, effective)
    strand = screening_pb2.Strand.ValueType(request.strand or row.strand)
    register.refuse_age(strand, history.person.birth_date, effective)
    register.place(standing, history.others(row))
    return standing


def _remove(
    history: History, row: Registration, request: pb.RemovePpoRequest, step: RegistrationStep, by: str
) -> None:
    standing = register.remove(row.standing, request, step.effective_time, _planned(row))
    register.place(standing, history.others(row))
    step.reason = pb.RemovalReason.Name(request.reason)
    history.take(row, standing.at(history.now), step, by)


def _repeated(step: RegistrationStep) -> RegistrationStep:
    """What had been decided, recorded once more."""
    votes, plan = list(step.votes), step.exit_plan
    copy = _step(pb.RegistrationState.ValueType(step.state), step.effective_time, votes=votes, exit_plan=plan)
    copy.forum_id, copy.reason = step.forum_id, step.reason
    return copy


def _step(state: register.State, effective: datetime, **recorded: Any) -> RegistrationStep:
    return RegistrationStep(
        state=state, effective_time=effective, provenance=pb.PROVENANCE_DECIDED, **recorded
    )


def _take(history: History, row: Registration, standing: Standing, step: RegistrationStep) -> None:
    history.take(row, standing, step, identity.current().subject)


def _effective(request: pb.DecideNominationRequest | pb.RemovePpoRequest, now: datetime) -> datetime:
    return fields.time(request.effective_time) if request.HasField("effective_time") else now


def _planned(row: Registration) -> datetime:
    planned = [step.effective_time for step in row.steps if step.state == register.EXIT_PLANNED]
    return max(planned, default=row.opened_time)
