"""What would change whose case it is: what time alone will bring, and what somebody might record."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days
from services.tracking.casefile import Standing, Tenure
from services.tracking.evidence import Case, Dispute, Evidence, ForumDecision, Limits, Plan, Residence
from services.tracking.ownership import decide

HOME = pb.RESIDENCE_KIND_HOME
# More than a colleague would say at once.
MOST_AHEAD, MOST_CONCEIVABLE, MOST_AREAS = 3, 5, 3


@dataclass(frozen=True)
class Prospect:
    """In words what would have to be so; `at` where time alone will bring it."""

    condition: str
    ownership: pb.Ownership
    at: datetime | None = None


def prospects(standing: Standing, ahead: Iterable[Tenure], at: datetime, limits: Limits) -> list[Prospect]:
    """`ahead`: whose case it will be while nothing happens."""
    case = Case(standing.evidence, at, limits)
    now = decide(standing.evidence, at, limits).ownership
    found = [
        Prospect(condition, ownership)
        for condition, evidence in _conceivable(case, now)
        if _differ(now, ownership := decide(evidence, at, limits).ownership)
    ]
    return [*list(_by_time(now, ahead))[:MOST_AHEAD], *found[:MOST_CONCEIVABLE]]


def _by_time(now: pb.Ownership, ahead: Iterable[Tenure]) -> Iterator[Prospect]:
    before = now
    for tenure in ahead:
        then = tenure.decision.ownership
        if _differ(before, then) or before.interested_ocus != then.interested_ocus:
            yield Prospect("", then, tenure.start)
        before = then


def _differ(one: pb.Ownership, other: pb.Ownership) -> bool:
    return (one.owner, one.state, one.proposed_owner) != (other.owner, other.state, other.proposed_owner)


def _conceivable(case: Case, now: pb.Ownership) -> Iterator[tuple[str, Evidence]]:
    if not case.live or case.child:
        return
    others = _others(case, now)
    if case.dispute:
        yield from _decisions(case, [now.owner, *others])
        return
    if case.stay:
        yield from _releases(case, others)
    else:
        yield from _homes(case, now, others)
    claimant = others[0]
    disputed = Dispute((claimant,), case.at)
    yield f"a dispute raised by {claimant}", case.evidence._replace(dispute=disputed, forum=None)


def _others(case: Case, now: pb.Ownership) -> list[str]:
    """The OCUs that have to do with the case; where there is none, any other."""
    concerned = [now.proposed_owner, *now.interested_ocus]
    known = [ocu for ocu in dict.fromkeys(concerned) if case.inside(ocu) and ocu != now.owner]
    return known[:MOST_AREAS] or sorted(case.evidence.areas.ocus - {now.owner})[:1]


def _homes(case: Case, now: pb.Ownership, others: Iterable[str]) -> Iterator[tuple[str, Evidence]]:
    for ocu in (*([now.owner] if now.state != pb.OWNERSHIP_STATE_ASSIGNED else ()), *others):
        home = Residence(HOME, ocu, case.at)
        yield f"a home in {ocu}", case.evidence._replace(residences=(*case.evidence.residences, home))


def _releases(case: Case, others: Iterable[str]) -> Iterator[tuple[str, Evidence]]:
    assert case.stay
    stay = case.stay
    where = f" to the confirmed address in {stay.plan.area}" if stay.plan and stay.plan.area else ""
    yield f"a release{where}", _with_stay(case, released=case.at)
    for ocu in others:
        if stay.plan and stay.plan.area == ocu:
            continue
        plan = Plan(stay.plan.release if stay.plan else days.day(case.at), ocu)
        yield f"an address for the release confirmed in {ocu}", _with_stay(case, plan=plan)
    if stay.plan and stay.plan.area:
        on = days.words(stay.plan.release)
        yield f"no confirmed address for the release on {on}", _with_stay(case, plan=Plan(stay.plan.release))


def _with_stay(case: Case, **changes: object) -> Evidence:
    changed = (replace(one, **changes) if one is case.stay else one for one in case.evidence.stays)  # type: ignore[arg-type]
    return case.evidence._replace(stays=tuple(changed))


def _decisions(case: Case, ocus: Iterable[str]) -> Iterator[tuple[str, Evidence]]:
    for ocu in ocus:
        forum = ForumDecision(ocu, "the forum", case.at)
        yield f"a decision of the forum for {ocu}", case.evidence._replace(dispute=None, forum=forum)
