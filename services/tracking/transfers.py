"""Transfers from prison to prison: a departure and a reception that nothing joins but what lies between."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.tracking.facts import Event, Fact
from services.tracking.state import IN_TRANSIT, State
from services.tracking.steps import Step

ARRIVALS = (Event.RECEPTION, Event.TRANSFER_IN, Event.ABSENCE_END)


@dataclass(frozen=True)
class Transfer:
    left: Fact | None
    arrived: Fact | None
    from_prison: str
    # Empty on the way.
    to_prison: str
    # Where it was bound for, where somebody has said so.
    bound: str = ""

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in (self.left, self.arrived) if fact is not None)

    @property
    def fact_ids(self) -> tuple[str, ...]:
        return tuple(fact.id for fact in self.facts)

    @property
    def id(self) -> str:
        """The same whichever of the two is known first, and once both are."""
        return min(self.facts, key=lambda fact: fact.recorded).cause


def transfers(steps: Iterable[Step]) -> list[Transfer]:
    found: list[Transfer] = []
    before = State()
    for step in steps:
        if not step.impossible:
            _take(found, before, step)
        before = step.state
    return found


def in_transit(state: State) -> bool:
    return state.custody is not None and state.custody.away == IN_TRANSIT


def _take(found: list[Transfer], before: State, step: Step) -> None:
    custody = step.state.custody
    if custody is None:
        return
    if in_transit(step.state) and not in_transit(before):
        found.append(Transfer(step.fact, None, before.prison, "", step.fact.bound))
    elif step.fact.event in ARRIVALS and in_transit(before):
        if found:
            found[-1] = replace(found[-1], arrived=step.fact, to_prison=custody.prison)
    elif step.fact.event in ARRIVALS and before.prison and before.prison != custody.prison:
        found.append(Transfer(None, step.fact, before.prison, custody.prison))
