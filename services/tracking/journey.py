"""Where a person is in the justice process: one position at any instant, derived from all that happened."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.facts import Fact, known, ordered, told_twice
from services.tracking.state import State
from services.tracking.steps import Step
from services.tracking.transfers import transfers
from services.tracking.transitions import Impossible, apply, doubt


def journey(facts: Iterable[Fact]) -> tuple[Step, ...]:
    """In whatever order they came, and however often, the same facts are the same journey."""
    steps: list[Step] = []
    state = State()
    history = ordered(facts)
    better, again = told_twice(history)
    for fact in history:
        known = better.get(fact.id, fact)
        step = Step(fact, state, again=True) if fact.id in again else _step(state, known)
        steps.append(step)
        state = step.state
    return tuple(steps)


def known_journey(
    facts: Iterable[Fact], *, as_of: datetime | None = None, known_at: datetime | None = None
) -> tuple[Step, ...]:
    return journey(known(facts, as_of=as_of, known_at=known_at))


def state_at(steps: Sequence[Step], instant: datetime) -> State:
    begun = bisect_right(steps, instant, key=lambda step: step.fact.occurred)
    return steps[begun - 1].state if begun else State()


def to_proto(nominal_id: str, steps: Sequence[Step]) -> pb.Journey:
    state = steps[-1].state if steps else State()
    message = pb.Journey(
        nominal_id=nominal_id, position=state.position, prison_id=state.prison, detail=state.detail
    )
    moves = {fact_id: move.id for move in transfers(steps) for fact_id in move.fact_ids}
    for step in steps:
        message.steps.append(_step_to_proto(step, moves.get(step.fact.id, "")))
    if since := _since(steps):
        message.since_time.FromDatetime(since)
    return message


def _step_to_proto(step: Step, transfer_id: str) -> pb.JourneyStep:
    message = pb.JourneyStep(
        event=f"{step.fact.event} {step.fact.code}".strip(),
        position=step.state.position,
        prison_id=step.state.prison,
        review_reason=step.review,
        fact_id=step.fact.id,
        transfer_id=transfer_id,
    )
    message.occurred_time.FromDatetime(step.fact.occurred)
    message.recorded_time.FromDatetime(step.fact.recorded)
    return message


def _since(steps: Sequence[Step]) -> datetime | None:
    """When the person came to be where the last step leaves them."""
    stays = groupby(steps, key=lambda step: (step.state.position, step.state.prison, step.state.detail))
    begun = [next(stay).fact.occurred for _, stay in stays]
    return begun[-1] if begun else None


def _step(state: State, fact: Fact) -> Step:
    try:
        return Step(fact, apply(state, fact), doubt(state, fact))
    except Impossible as impossible:
        return Step(fact, state, str(impossible), impossible=True)
