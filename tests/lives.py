"""Any life on the register, hour by hour, beside a list of all that was ever said of every hour."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

START = datetime(2004, 12, 1, tzinfo=UTC)
FIRST, HOURS = 48, 400
FLAGGED = {"ACTIVE", "EXIT_PLANNED"}

# domain.md 3.2: what may be done with a registration in which state, and what it is then.
ALLOWED = {
    "review": ({"NOMINATED"}, "UNDER_REVIEW"),
    "activate": ({"NOMINATED", "UNDER_REVIEW"}, "ACTIVE"),
    "decline": ({"NOMINATED", "UNDER_REVIEW"}, "DECLINED"),
    "plan exit": ({"ACTIVE"}, "EXIT_PLANNED"),
    "cancel exit": ({"EXIT_PLANNED"}, "ACTIVE"),
    "remove": ({"EXIT_PLANNED"}, "REMOVED"),
    "die": (FLAGGED, "REMOVED"),
    "annul": (FLAGGED, "ANNULLED"),
}
ONWARDS = {
    "NOMINATED": "activate",
    "UNDER_REVIEW": "activate",
    "ACTIVE": "plan exit",
    "EXIT_PLANNED": "remove",
}
OFF = st.one_of(st.just(0), st.integers(-20, 20))
NOW_ONLY = ("plan exit", "cancel exit", "annul")


def instant(hour: int) -> datetime:
    return START + timedelta(hours=hour)


@dataclass
class Told:
    """What is said of each hour of one registration, and all that was said before."""

    hours: list[str] = field(default_factory=lambda: [""] * HOURS)
    said: list[tuple[int, list[str]]] = field(default_factory=list)
    start: int | None = None
    planned: int = 0
    dead: bool = False

    def say(self, now: int, state: str, since: int, until: int = HOURS) -> None:
        self.hours[since:until] = [state] * (until - since)
        self.said = [*self.said, (now, list(self.hours))]

    def at(self, hour: int, known: int) -> str:
        said = [hours for now, hours in self.said if now <= known]
        return said[-1][hour] if said else ""

    def name(self, now: int) -> str:
        return "DECEASED" if self.dead and self.hours[now] == "REMOVED" else self.hours[now]


class Life(RuleBasedStateMachine):
    """One person; what is tried is allowed or refused as the table says, and every answer is the list's."""

    def __init__(self) -> None:
        super().__init__()
        self.now = FIRST
        self.told: list[Told] = []

    def take(self, step: str, effective: int) -> str:
        """Takes the step with the person's latest registration; the rule that refuses it, else nothing."""
        raise NotImplementedError

    def read(self, hour: int, known: int) -> tuple[str, bool]:
        """The state of the registration at that hour and whether the person was a PPO, as known then."""
        raise NotImplementedError

    @rule(hours=st.integers(0, 6))
    def wait(self, hours: int) -> None:
        self.now = min(self.now + hours, HOURS - 50)

    @rule(step=st.sampled_from(sorted([*ALLOWED, "nominate"])), off=OFF)
    def try_anything(self, step: str, off: int) -> None:
        self._try(step, off)

    @rule(off=OFF)
    def go_on(self, off: int) -> None:
        """On the way from a nomination to a removal: else few lives come far."""
        state = self.told[-1].hours[self.now] if self.told else ""
        self._try(ONWARDS.get(state, "nominate"), off)

    def _nominate(self) -> None:
        refused = self.take("nominate", self.now)
        assert refused == self._nomination()
        if not refused:
            self.told.append(Told())
            self.told[-1].say(self.now, "NOMINATED", self.now)

    def _try(self, step: str, off: int) -> None:
        if step == "nominate" or not self.told:
            self._nominate()
            return
        ahead = off if step == "remove" else min(off, 0)
        effective = self.now if step in NOW_ONLY else self.now + ahead
        refused = self.take(step, effective)
        assert refused == self._refusal(step, effective)
        if not refused:
            self._say(step, effective)

    @rule(hour=st.integers(0, HOURS - 1), known=st.integers(0, HOURS - 1))
    def ask(self, hour: int, known: int) -> None:
        self._compare(hour, min(known, self.now))

    @invariant()
    def now_is_answered(self) -> None:
        self._compare(self.now, self.now)

    def _compare(self, hour: int, known: int) -> None:
        states = [state for one in self.told if (state := one.at(hour, known))]
        flagged = [state for state in states if state in FLAGGED]
        assert len(flagged) <= 1
        assert self.read(hour, known) == ((flagged or states or [""])[-1], bool(flagged))

    def _nomination(self) -> str:
        if any(one.dead and one.hours[self.now] == "REMOVED" for one in self.told):
            return "DECEASED_TO_NOMINATED"
        open_states = {"NOMINATED", "UNDER_REVIEW", *FLAGGED}
        return "ON_REGISTER" if any(one.hours[self.now] in open_states for one in self.told) else ""

    def _refusal(self, step: str, effective: int) -> str:
        one, (states, target) = self.told[-1], ALLOWED[step]
        if one.hours[self.now] not in states:
            return f"{one.name(self.now)}_TO_{target}"
        if step == "activate":
            earlier = (state for told in self.told[:-1] for state in told.hours[effective:])
            return "OVERLAPS" if FLAGGED & set(earlier) else ""
        if step == "remove" and effective < one.planned:
            return "BEFORE_EXIT_PLAN"
        if step in ("remove", "die") and one.start is not None and effective <= one.start:
            return "ENDS_BEFORE_IT_STARTS"
        return ""

    def _say(self, step: str, effective: int) -> None:
        one, target = self.told[-1], ALLOWED[step][1]
        if step == "activate":
            one.start = effective
        elif step == "plan exit":
            one.planned = self.now
        elif step == "remove":
            # An end that was planned for another time is planned no more.
            one.hours[one.planned :] = ["EXIT_PLANNED"] * (HOURS - one.planned)
        elif step == "annul":
            effective = one.start or 0
        one.dead = one.dead or step == "die"
        one.say(self.now, target, effective)
