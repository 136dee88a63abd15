"""What a registration was at an instant, as far as its steps were known at another: nothing else is read."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import reduce
from typing import NamedTuple

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging.register import (
    ACTIVE,
    ANNULLED,
    DECLINED,
    FLAGGED,
    MERGED,
    NOMINATED,
    REMOVED,
    UNDER_REVIEW,
    Reason,
    Standing,
    State,
    unmerge,
)
from services.people.flags import flagged_at

BEFORE_IT_STARTS = frozenset({NOMINATED, UNDER_REVIEW, DECLINED})


class Particulars(NamedTuple):
    """What else a registration says, which no rule of the steps looks at."""

    strand: int
    criteria: tuple[int, ...]
    nominating_ocu: str


class Step(NamedTuple):
    state: State
    effective: datetime
    recorded: datetime
    removal_reason: Reason = pb.REMOVAL_REASON_UNSPECIFIED
    # Where the step says them anew.
    particulars: Particulars | None = None


class Timeline(NamedTuple):
    """The steps of one registration in the order in which they were recorded, one or more."""

    steps: tuple[Step, ...]

    @property
    def standing(self) -> Standing:
        return reduce(_after, self.steps, Standing(NOMINATED))

    @property
    def particulars(self) -> Particulars | None:
        told = (step.particulars for step in reversed(self.steps) if step.particulars is not None)
        return next(told, None)

    @property
    def began(self) -> datetime:
        """For the order of a person's registrations."""
        return self.standing.start or self.steps[0].recorded

    def state(self, instant: datetime) -> State | None:
        """None before there was anything of it."""
        held = self.standing
        if held.merged is not None and held.merged <= instant:
            return MERGED
        if held.start is None or instant < held.start:
            return self._last(BEFORE_IT_STARTS, instant)
        if held.state == ANNULLED:
            return ANNULLED
        if held.end is not None and held.end <= instant:
            return REMOVED
        return self._last(FLAGGED, instant) or ACTIVE

    def flagged(self, instant: datetime) -> bool:
        """Whether the person is a PPO by it."""
        held = self.standing
        return held.start is not None and held.counts and flagged_at(instant, [(held.start, held.until)])

    def _last(self, states: Collection[State], instant: datetime) -> State | None:
        begun = (step.state for step in reversed(self.steps) if step.effective <= instant)
        return next((state for state in begun if state in states), None)


def known(steps: Iterable[Step], at: datetime | None) -> Timeline | None:
    """From the steps that were recorded by then, all where no time is given; None where none was."""
    recorded = tuple(step for step in steps if at is None or step.recorded <= at)
    return Timeline(recorded) if recorded else None


def _after(before: Standing, step: Step) -> Standing:
    if before.state == MERGED:
        # The merge was taken back.
        return unmerge(before)
    if step.state == MERGED:
        return before._replace(state=MERGED, merged=step.effective, merged_state=before.state)
    if step.state == ACTIVE:
        # After a planned exit, or a death that was taken back, the registration goes on; an import says anew
        # when it began.
        goes_on = before.start is not None and step.particulars is None
        return Standing(ACTIVE, before.start if goes_on else step.effective)
    if step.state == REMOVED:
        return before._replace(end=step.effective, removal_reason=step.removal_reason)
    return before._replace(state=step.state)
