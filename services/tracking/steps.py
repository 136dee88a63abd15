"""A step of a journey."""

from dataclasses import dataclass

from services.tracking.facts import Fact
from services.tracking.state import State


@dataclass(frozen=True)
class Step:
    """One fact, what was true after it, and why it waits for review if it does."""

    fact: Fact
    state: State
    review: str = ""
    # It cannot be so, and has changed nothing.
    impossible: bool = False
