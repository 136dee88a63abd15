"""The life of a return: what may become of a revision."""

from typing import TypeAlias

from ppo.returns.v1 import returns_pb2 as pb
from services.runtime.errors import Illegal

State: TypeAlias = pb.ReturnState.ValueType


def name(state: int) -> str:
    return pb.ReturnState.Name(State(state)).removeprefix("RETURN_STATE_")


def submit(state: int, revision: int, latest: int) -> State:
    if revision != latest:
        raise Illegal("NOT_LATEST", f"revision {latest} is the latest of this return, not {revision}")
    if state != pb.RETURN_STATE_CHECKED:
        raise Illegal(f"{name(state)}_TO_SUBMITTED", f"a return that is {name(state)} cannot be submitted")
    return pb.RETURN_STATE_SUBMITTED
