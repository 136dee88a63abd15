"""Facts of a journey, hour by hour, with only what matters said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.prisons.reasons import Basis, ReleaseKind
from services.runtime.reference import Reference
from services.tracking.facts import Event, Fact
from services.tracking.journey import journey
from services.tracking.state import State

BEGIN = datetime(2004, 12, 1, 9, tzinfo=UTC)
REFERENCE = Reference.load(Path(__file__).parents[3] / "deploy" / "reference" / "birmingham")


def fact(hour: int, event: Event, **changed: Any) -> Fact:
    given = {"recorded": BEGIN + timedelta(hours=hour), "prison": "BMI", **changed}
    return Fact(f"{event}/{hour}", event, BEGIN + timedelta(hours=hour), **given)


def reception(hour: int, basis: Basis = Basis.REMAND, **changed: Any) -> Fact:
    return fact(hour, Event.RECEPTION, basis=basis, **changed)


def release(hour: int, kind: ReleaseKind = ReleaseKind.SUPERVISED, **changed: Any) -> Fact:
    return fact(hour, Event.RELEASE, release=kind, **changed)


def end(*facts: Fact) -> State:
    return journey(facts)[-1].state


def reviews(*facts: Fact) -> list[str]:
    return [step.review for step in journey(facts) if step.review]


# Facts that lead from nothing to each standing that the table of positions knows.
LICENSED = (reception(-20, Basis.SENTENCED), release(-10))
FREE = (reception(-20, Basis.SENTENCED), release(-10, ReleaseKind.UNSUPERVISED))
ARRESTED = (fact(-5, Event.ARREST),)
REMANDED = (reception(-5),)
IMPRISONED = (reception(-5, Basis.SENTENCED),)
ORDERED = (fact(-20, Event.ARREST), fact(-10, Event.COMMUNITY_SENTENCE))
BAILED = (fact(-20, Event.ARREST), fact(-10, Event.BAILED))
