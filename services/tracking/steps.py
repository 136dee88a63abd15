"""A step of a journey."""

from typing import NamedTuple

from services.tracking.facts import Fact
from services.tracking.state import State


class Step(NamedTuple):
    """One fact, what was true after it, and why it waits for review if it does."""

    fact: Fact
    state: State
    review: str = ""
    # It cannot be so, and has changed nothing.
    impossible: bool = False
    # It only tells an earlier one again.
    again: bool = False
