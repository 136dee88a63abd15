"""The life of a return: what may become of a revision, and from which state."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from ppo.returns.v1 import returns_pb2 as pb
from services.runtime.errors import Illegal

State: TypeAlias = pb.ReturnState.ValueType

DRAFT, CHECKED, SUBMITTED, QUERIED, ACCEPTED, CORRECTED = (
    pb.RETURN_STATE_DRAFT,
    pb.RETURN_STATE_CHECKED,
    pb.RETURN_STATE_SUBMITTED,
    pb.RETURN_STATE_QUERIED,
    pb.RETURN_STATE_ACCEPTED,
    pb.RETURN_STATE_CORRECTED,
)


class Step(NamedTuple):
    begins: frozenset[State]
    ends: State
    # Only with the latest revision: what is sent is what was counted last.
    latest: bool = False


STEPS: Mapping[str, Step] = {
    "add": Step(frozenset({DRAFT, CHECKED}), DRAFT, latest=True),
    "check": Step(frozenset({DRAFT}), CHECKED, latest=True),
    "submit": Step(frozenset({CHECKED}), SUBMITTED, latest=True),
    "query": Step(frozenset({SUBMITTED}), QUERIED),
    "answer": Step(frozenset({QUERIED}), SUBMITTED),
    "accept": Step(frozenset({SUBMITTED}), ACCEPTED),
    # By the submission of a later revision.
    "correct": Step(frozenset({SUBMITTED, QUERIED, ACCEPTED}), CORRECTED),
}
# With the Government Office, or already past it.
SENT = frozenset({SUBMITTED, QUERIED, ACCEPTED, CORRECTED})


def name(state: int) -> str:
    return pb.ReturnState.Name(State(state)).removeprefix("RETURN_STATE_")


def after(step: str, state: int, revision: int, latest: int) -> State:
    """The state that a revision comes into. Raises Illegal."""
    rule = STEPS[step]
    if rule.latest and revision != latest:
        raise Illegal("NOT_LATEST", f"revision {latest} is the latest of this return, not {revision}")
    if state not in rule.begins:
        may = " or ".join(sorted(map(name, rule.begins)))
        raise Illegal(
            f"{name(state)}_TO_{name(rule.ends)}",
            f"revision {revision} is {name(state)}; to {step} a return it has to be {may}",
        )
    return rule.ends
