"""Which promise of the suite is broken, since when and for how many, as its health and metrics tell."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.runtime.reference import LONDON

# A watermark comes every 2 seconds, and what is due is done within one: past this, something is wrong.
LATE_SECONDS = 30


@dataclass(frozen=True)
class Reading:
    """What one service tells of itself; `since` is when its process came to be as it is."""

    answers: bool
    since: datetime | None = None
    # The dependencies that do not answer it, with when that began.
    down: Mapping[str, datetime | None] = field(default_factory=dict)
    # The metrics without labels.
    gauges: Mapping[str, float] = field(default_factory=dict)
    # In how many days the return of an area is due.
    due: Mapping[str, float] = field(default_factory=dict)

    def count(self, gauge: str) -> int:
        return int(self.gauges.get(gauge, 0))


Readings = Mapping[str, Reading]


@dataclass(frozen=True)
class Promise:
    number: int
    text: str
    faults: tuple[str, ...]
    # Those whose metrics are missing: what they keep of it cannot be told.
    silent: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.faults and not self.silent


def promises(readings: Readings) -> list[Promise]:
    """Those that metrics tell of; the others are kept by tests."""
    return [
        Promise(number, kept.text, tuple(kept.faults(readings)), _silent(readings, kept.by))
        for number, kept in _PROMISES.items()
    ]


def _silent(readings: Readings, services: Iterable[str]) -> tuple[str, ...]:
    return tuple(service for service in services if not readings[service].gauges)


def _unanswered(readings: Readings) -> Iterator[str]:
    custody, flagging = readings["custody"], readings["flagging"]
    if not custody.answers:
        yield f"custody does not answer{_since(custody.since)}: no suite is answered"
    if not flagging.answers or "flagging" in custody.down:
        began = custody.down.get("flagging") or (None if flagging.answers else flagging.since)
        yield f"flagging does not answer{_since(began)}{_waiting(custody)}"


def _unseen(readings: Readings) -> Iterator[str]:
    custody, flagging = readings["custody"], readings["flagging"]
    if "replica" in custody.down:
        yield f"the suites' copy of the register is not whole{_since(custody.down['replica'])}"
    age = flagging.gauges.get("ppo_watermark_age_seconds", 0)
    if age > LATE_SECONDS:
        yield f"the register has told its copies nothing for {age:.0f} seconds"


def _unsent(readings: Readings) -> Iterator[str]:
    for service, reading in readings.items():
        for name in ("kafka", "postgres"):
            if name in reading.down:
                waiting = reading.count("ppo_outbox_waiting")
                began = _since(reading.down[name])
                yield f"{name} does not answer {service}{began}; {waiting:,} events wait to be sent"
        late = reading.gauges.get("ppo_due_overdue_seconds", 0)
        if late > LATE_SECONDS:
            yield f"what {service} had to do by now is {late:.0f} seconds late"
        if spooled := reading.count("ppo_custody_decisions_spooled"):
            yield f"{spooled:,} decisions wait on disk for the database"
    tracking = readings["tracking"]
    if not tracking.answers:
        yield f"tracking does not answer{_since(tracking.since)}: what happens waits in Kafka, nobody is told"


def _unowned(readings: Readings) -> Iterator[str]:
    tracking = readings["tracking"]
    if not tracking.answers:
        yield f"tracking does not answer{_since(tracking.since)}: nobody can ask whose case it is"
    if wrong := tracking.count("ppo_registrations_without_owner"):
        yield f"{wrong:,} {'PPO has' if wrong == 1 else 'PPOs have'} not exactly one owner"


def _uncounted(readings: Readings) -> Iterator[str]:
    returns = readings["returns"]
    if not returns.answers:
        yield f"returns does not answer{_since(returns.since)}: no month can be closed or sent"
    if "postgres" in returns.down:
        yield f"postgres does not answer returns{_since(returns.down['postgres'])}: no month can be closed"


class Kept(NamedTuple):
    text: str
    by: tuple[str, ...]
    faults: Callable[[Readings], Iterator[str]]


_PROMISES = {
    1: Kept("the check answers", ("flagging", "custody"), _unanswered),
    2: Kept("a flag that is committed is seen by the next check", ("flagging", "custody"), _unseen),
    3: Kept("no notice is lost", ("flagging", "custody", "tracking"), _unsent),
    4: Kept("every PPO has exactly one owner", ("tracking",), _unowned),
    7: Kept("a return balances or does not leave", ("tracking", "returns"), _uncounted),
}


def remarks(readings: Readings) -> Iterator[str]:
    """What breaks no promise, and should be looked at."""
    for service, reading in readings.items():
        if "redis" in reading.down:
            yield f"redis does not answer {service}{_since(reading.down['redis'])}: screens may lag a second"
        if dead := reading.count("ppo_events_dead_total"):
            yield f"{service} has put {dead:,} records on a dead-letter topic since it started"
    tracking = readings["tracking"]
    for gauge, (one, several) in _TO_DO.items():
        if waiting := tracking.count(gauge):
            yield f"{waiting:,} {one if waiting == 1 else several}"
    for area, days in readings["returns"].due.items():
        if days < 0:
            yield f"{area} has not sent a return that was due {-days:.0f} days ago"


_TO_DO = {
    "ppo_notices_overdue": (
        "record of a notice was not acknowledged in time",
        "records of notices were not acknowledged in time",
    ),
    "ppo_movements_parked": (
        "movement waits for somebody who has its prison number",
        "movements wait for somebody who has their prison number",
    ),
    "ppo_reviews": (
        "fact or case waits for somebody to look at it",
        "facts or cases wait for somebody to look at them",
    ),
}


def _since(began: datetime | None) -> str:
    return f" since {began.astimezone(LONDON):%H:%M:%S (%-d %B)}" if began else ""


def _waiting(custody: Reading) -> str:
    if not custody.gauges:
        return ""
    waiting = custody.count("ppo_custody_rechecks_open")
    return f"; {waiting:,} {'answer awaits' if waiting == 1 else 'answers await'} a re-check"
