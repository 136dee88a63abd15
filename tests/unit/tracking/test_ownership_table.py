"""Every combination of the conditions, each answered by the rule that the page names for it."""

from collections import Counter
from datetime import date
from itertools import product
from typing import Any, NamedTuple

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days
from services.tracking.evidence import Case, Dispute, ForumDecision, Plan, Stay
from services.tracking.ownership import TABLE, decide
from tests.unit.tracking.cases import AT, DAY, HOSTEL, NOWHERE, ago, evidence, lives, offends, owns

# Whoever is in a hostel had a home in D1 before; the offences are in E3, the home, in D3 and outside in K2.
RESIDENCES: dict[str, dict[str, Any]] = {
    "not known": {},
    "no fixed abode": {"residences": (lives("", kind=NOWHERE),)},
    "home": {"residences": (lives("E3"),)},
    "home outside": {"residences": (lives("K1"),)},
    "home outside, registered there": {"residences": (lives("K1"),), "registered_outside": {"K1": ago(9)}},
    "hostel": {"residences": (lives("D1"), lives("E3", 20, HOSTEL))},
    "hostel for long": {"residences": (lives("D1"), lives("E3", 90, HOSTEL))},
    "hostel outside for long": {"residences": (lives("D1"), lives("K1", 90, HOSTEL))},
}
OFFENCES = {
    "none": (),
    "at home": offends("E3"),
    "elsewhere": offends("D3"),
    "both": offends("E3", "D3"),
    "outside": offends("K2"),
}
OWNERS = {"none": None, "interim": owns("F3", interim=True), "E3": owns("E3"), "F1": owns("F1")}
FORUMS: dict[str, dict[str, Any]] = {
    "none": {},
    "in force": {"forum": ForumDecision("F2", "forum-e3", ago(9))},
    "expired": {"forum": ForumDecision("F2", "forum-e3", ago(9), ago(1))},
    "overtaken": {"forum": ForumDecision("F2", "forum-e3", ago(9)), "sentences": (ago(2),)},
}
CUSTODY = {"out": None, "no address": "", "to E3": "E3", "to F2": "F2", "to K1": "K1"}


class Conditions(NamedTuple):
    live: bool
    child: bool
    disputed: bool
    forum: str
    custody: str
    residence: str
    offences: str
    owner: str

    def case(self) -> Any:
        address = CUSTODY[self.custody]
        plan = Plan(days.day(AT + 30 * DAY), address) if address else None
        given: dict[str, Any] = {
            "registered": ((ago(200), None if self.live else ago(1)),),
            "birth_date": date(1988, 1, 1) if self.child else date(1980, 1, 1),
            "dispute": Dispute(("F2",), ago(1)) if self.disputed else None,
            "stays": () if address is None else (Stay(ago(5), None, plan),),
            "offences": OFFENCES[self.offences],
            "existing": OWNERS[self.owner],
        }
        return evidence(**given, **FORUMS[self.forum], **RESIDENCES[self.residence])

    def keeper(self) -> str:
        """Who keeps the case of a prisoner, in the words of the page."""
        home = {"home": "E3", "hostel": "D1", "hostel for long": "D1", "hostel outside for long": "D1"}
        by_offences = {"at home": "E3", "elsewhere": "D3", "both": "D3"}
        existing = self.owner if self.owner in ("E3", "F1") else ""
        return existing or home.get(self.residence) or by_offences.get(self.offences) or "D2"

    def rule(self) -> str:
        if not self.live:
            return "O12"
        if self.child:
            return "O11"
        if self.disputed:
            return "O1"
        if self.forum == "in force":
            return "O2"
        if self.custody != "out":
            return "O3" if CUSTODY[self.custody] in ("", self.keeper()) else "O4"
        return self.rule_at_liberty()

    def rule_at_liberty(self) -> str:
        if self.residence in ("hostel", "hostel outside for long"):
            return "O7"
        if self.residence.startswith("home outside"):
            return "O9"
        if self.residence in ("not known", "no fixed abode"):
            return "O8"
        return "O6" if self.offences in ("elsewhere", "both") else "O5"


COMBINATIONS = [
    Conditions(*values)
    for values in product(
        (True, False), (True, False), (True, False), FORUMS, CUSTODY, RESIDENCES, OFFENCES, OWNERS
    )
]


def test_there_are_25600_combinations_and_each_is_answered_by_the_rule_of_the_page() -> None:
    wrong, answered = [], Counter[str]()
    for conditions in COMBINATIONS:
        case = Case(conditions.case(), AT)
        rule = next(rule.id for rule in TABLE if rule.holds(case))
        answered[rule] += 1
        if rule != conditions.rule():
            wrong.append((conditions, rule))

    assert wrong == []
    assert answered.total() == 2 * 2 * 2 * 4 * 5 * 8 * 5 * 4 == 25_600
    assert answered.keys() == {rule.id for rule in TABLE}


def test_each_combination_has_one_owner_if_the_registration_is_live() -> None:
    for conditions in COMBINATIONS:
        found = decide(conditions.case(), AT).ownership

        assert bool(found.owner) == conditions.live, conditions
        assert found.owner not in found.interested_ocus, conditions


def test_only_a_long_stay_in_a_hostel_makes_the_owner_of_a_resident_another() -> None:
    moved = {
        (conditions.residence, conditions.owner)
        for conditions in COMBINATIONS
        if decide(conditions.case(), AT).ownership.rule == "O10"
    }

    assert moved == {("hostel for long", "F1")}


def test_a_prisoner_stays_with_who_keeps_the_case_wherever_they_go() -> None:
    for conditions in COMBINATIONS:
        if conditions.rule() in ("O3", "O4"):
            found = decide(conditions.case(), AT).ownership

            assert found.owner == conditions.keeper(), conditions
            assert (found.state == pb.OWNERSHIP_STATE_PROPOSED) == (conditions.rule() == "O4"), conditions
