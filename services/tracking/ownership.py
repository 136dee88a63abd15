"""Whose case a person is: the ownership table, the first rule that holds, and when a change takes effect."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days, wording
from services.tracking.evidence import Case, Evidence, Existing, Former, Limits

OwnershipState: TypeAlias = pb.OwnershipState.ValueType

ASSIGNED = pb.OWNERSHIP_STATE_ASSIGNED
PROPOSED = pb.OWNERSHIP_STATE_PROPOSED
DISPUTED = pb.OWNERSHIP_STATE_DISPUTED
INTERIM = pb.OWNERSHIP_STATE_INTERIM
NONE = pb.OWNERSHIP_STATE_NONE


class Verdict(NamedTuple):
    """Who has the case, who is to have it from when on, and the facts in words."""

    owner: str
    state: OwnershipState = ASSIGNED
    facts: tuple[str, ...] = ()
    proposed: str = ""
    handover: datetime | None = None


class Rule(NamedTuple):
    id: str
    condition: str
    holds: Callable[[Case], bool]
    decide: Callable[[Case], Verdict]


class Decision(NamedTuple):
    ownership: pb.Ownership
    # The next instant at which time alone could change it.
    next_time: datetime | None
    # Why somebody must look at the case; changes nothing by itself.
    reviews: tuple[str, ...] = ()


def decide(evidence: Evidence, at: datetime, limits: Limits | None = None) -> Decision:
    """Exactly one rule answers; at a due instant ask for that instant, however late it is."""
    case = Case(evidence, at, limits or Limits())
    rule = first(case)
    rule_id, verdict = _in_effect(case, rule.id, rule.decide(case))
    turns = (turn for turn in _turns(case, verdict) if turn > at)
    return Decision(_ownership(case, rule_id, verdict), min(turns, default=None), tuple(_reviews(case)))


def follow(evidence: Evidence, decision: Decision) -> Evidence:
    """The same evidence once the decision stands: its owner is the existing one of the next."""
    existing, former = successor(evidence.existing, evidence.former, decision)
    return evidence._replace(existing=existing, former=former)


def successor(
    before: Existing | None, former: Former | None, decision: Decision
) -> tuple[Existing | None, Former | None]:
    """Who owns the case once the decision stands, and who did so lately."""
    owned = decision.ownership
    if not owned.owner:
        return None, None
    interim = owned.state == INTERIM
    if before and before.owner == owned.owner:
        waits = owned.state in (DISPUTED, PROPOSED)
        return Existing(owned.owner, before.since, before.interim if waits else interim), former
    since = owned.effective_time.ToDatetime(UTC)
    return Existing(owned.owner, since, interim), Former(before.owner, since) if before else None


def history(
    evidence: Evidence, start: datetime, until: datetime, limits: Limits | None = None
) -> Iterator[tuple[datetime, Decision]]:
    """Each decision from an instant on, as time alone brings it; each lasts until the next."""
    at: datetime | None = start
    while at is not None and at <= until:
        decision = decide(evidence, at, limits)
        yield at, decision
        evidence, at = follow(evidence, decision), decision.next_time


def first(case: Case) -> Rule:
    return next(rule for rule in TABLE if rule.holds(case))


# ---- what each rule decides


def _nobody(case: Case) -> Verdict:
    return Verdict("", NONE, ("There is no live registration: nobody owns a case.",))


def _youth_team(case: Case) -> Verdict:
    if not case.youth_team:
        facts = (wording.child(case), "The area has no youth offending team.")
        return Verdict(case.evidence.nominating_ocu, INTERIM, facts)
    return Verdict(case.youth_team, ASSIGNED, (wording.child(case),))


def _disputed(case: Case) -> Verdict:
    assert case.dispute
    keeper = _keeper(case, case.home)
    heard = case.dispute.hearing(keeper.owner)
    told = (wording.dispute(case, keeper.owner), wording.hearing(heard, case.at))
    return keeper._replace(state=DISPUTED, facts=(*told, *keeper.facts))


def _forum(case: Case) -> Verdict:
    assert case.forum
    return Verdict(case.forum.ocu, ASSIGNED, (wording.forum(case.forum),))


def _in_custody(case: Case) -> Verdict:
    keeper = _keeper(case, case.home_at_reception)
    return keeper._replace(facts=(wording.custody(case), *keeper.facts))


def _to_be_released_elsewhere(case: Case) -> Verdict:
    assert case.plan
    verdict, release = _in_custody(case), case.plan.release
    facts = (*verdict.facts, wording.plan(case.plan))
    if case.at < days.midnight(days.shift(release, -case.limits.proposal_months)):
        return verdict._replace(facts=facts)
    # A scheme outside is not bound by our table: nothing is handed over before it has the person registered.
    bound = case.may_own(case.plan.area)
    handover = days.midnight(release) if bound else None
    return verdict._replace(state=PROPOSED, facts=facts, proposed=case.plan.area, handover=handover)


def _temporary(case: Case) -> Verdict:
    keeper = _keeper(case, case.home)
    return keeper._replace(facts=(wording.residence(case), *keeper.facts))


def _outside(case: Case) -> Verdict:
    lives = wording.residence(case)
    if case.accepted(case.lives):
        return Verdict(
            case.lives, ASSIGNED, (lives, f"The scheme of {case.lives} has the person registered.")
        )
    keeper = _keeper(case, "")
    state = PROPOSED if case.holder else INTERIM
    facts = (lives, f"The scheme of {case.lives} has not registered the person.", *keeper.facts)
    return Verdict(keeper.owner, state, facts, proposed=case.lives)


def _nowhere(case: Case) -> Verdict:
    keeper = _keeper(case, "")
    return keeper._replace(facts=(wording.residence(case), *keeper.facts))


def _resident(case: Case) -> Verdict:
    return Verdict(case.lives, ASSIGNED, (wording.residence(case), wording.offending(case)))


def _keeper(case: Case, home: str) -> Verdict:
    """The existing owner; else the home; else by the offences; else, for the time being, who nominated."""
    if case.holder:
        return Verdict(case.holder, ASSIGNED, (f"{case.holder} had the case before, and keeps it.",))
    if home:
        return Verdict(home, ASSIGNED, (f"The last home known is in {home}.",))
    if case.offending:
        return Verdict(_most_offences(case), ASSIGNED, (wording.offending(case),))
    nominating = case.evidence.nominating_ocu
    return Verdict(nominating, INTERIM, (f"{nominating} nominated the person, and nothing else is known.",))


def _most_offences(case: Case) -> str:
    """By the number of offences; a tie by the latest one; a tie again by the lowest code."""
    times = case.offending
    most = max((len(times[ocu]), max(times[ocu])) for ocu in times)
    return min(ocu for ocu in times if (len(times[ocu]), max(times[ocu])) == most)


# Evaluated in this order; the last one holds whenever it is reached.
TABLE: tuple[Rule, ...] = (
    Rule("O12", "no live registration", lambda case: not case.live, _nobody),
    Rule("O11", "aged under 18", lambda case: case.child, _youth_team),
    Rule("O1", "an open dispute", lambda case: case.dispute is not None, _disputed),
    Rule("O2", "a forum decision in force", lambda case: case.forum is not None, _forum),
    Rule(
        "O4",
        "in custody, a release address confirmed in another area",
        lambda case: case.plan is not None and case.plan.area != _in_custody(case).owner,
        _to_be_released_elsewhere,
    ),
    Rule("O3", "in custody otherwise", lambda case: case.stay is not None, _in_custody),
    Rule("O7", "a temporary residence", lambda case: case.temporary, _temporary),
    Rule("O9", "lives outside", lambda case: bool(case.lives) and not case.inside(case.lives), _outside),
    Rule("O8", "no fixed abode, or residence unknown", lambda case: not case.lives, _nowhere),
    Rule(
        "O5", "lives and offends in one OCU", lambda case: not case.offending.keys() - {case.lives}, _resident
    ),
    Rule("O6", "lives in one OCU, offends in others", lambda case: True, _resident),
)
BY_RESIDENCE = ("O5", "O6")


# ---- when it takes effect, and who else is told


def _in_effect(case: Case, rule: str, verdict: Verdict) -> tuple[str, Verdict]:
    """O10: who has the case keeps it until the hand-over; only where a stay grew long is none agreed yet."""
    if rule not in BY_RESIDENCE or case.residence is None or verdict.owner == case.current:
        return rule, verdict
    handover = case.residence.handover
    agreed = handover is not None and case.at < handover
    keeper = case.current if agreed else case.holder if case.overstayed and handover is None else ""
    if not keeper:
        return rule, verdict
    facts = (*verdict.facts, wording.move(keeper, verdict.owner, handover))
    return "O10", Verdict(keeper, PROPOSED, facts, verdict.owner, handover)


def _dispute(case: Case, keeper: str) -> pb.Dispute:
    """The clock of an open dispute: two meetings of a forum, then the Core Priority Group."""
    assert case.dispute
    heard = case.dispute.hearing(keeper)
    clock = pb.Dispute(claimants=case.dispute.claimants, stage=pb.DISPUTE_STAGE_UNLISTED)
    clock.raised_time.FromDatetime(case.dispute.raised)
    if heard is None:
        return clock
    clock.forum_id = heard.forum
    clock.escalation_time.FromDatetime(heard.second)
    if case.at >= heard.second:
        clock.stage, clock.forum_id = pb.DISPUTE_STAGE_ESCALATED, heard.above
        return clock
    first = case.at < heard.first
    clock.stage = pb.DISPUTE_STAGE_LISTED if first else pb.DISPUTE_STAGE_ADJOURNED
    clock.hearing_time.FromDatetime(heard.first if first else heard.second)
    return clock


def _turns(case: Case, verdict: Verdict) -> Iterable[datetime]:
    yield from case.turns()
    if heard := case.dispute and case.dispute.hearing(verdict.owner):
        yield from (heard.first, heard.second)
    if case.current and case.current != verdict.owner:
        yield case.interest_ends(case.at)


def _ownership(case: Case, rule: str, verdict: Verdict) -> pb.Ownership:
    ownership = pb.Ownership(
        owner=verdict.owner,
        interested_ocus=_interested(case, rule, verdict),
        proposed_owner=verdict.proposed,
        state=verdict.state,
        rule=rule,
        facts=[*verdict.facts, *wording.lead(case)],
        home_ocu=case.youth_ocu if rule == "O11" else "",
    )
    if rule == "O1":
        ownership.dispute.CopyFrom(_dispute(case, verdict.owner))
    if verdict.handover:
        ownership.handover_time.FromDatetime(verdict.handover)
    if verdict.owner:
        existing = case.evidence.existing
        unchanged = existing is not None and existing.owner == verdict.owner
        ownership.effective_time.FromDatetime(existing.since if existing and unchanged else case.at)
    return ownership


def _interested(case: Case, rule: str, verdict: Verdict) -> list[str]:
    """Every other OCU that is affected; of a child's case the OCU of the residence, of no case none."""
    if rule == "O12":
        return []
    homes = [case.residence.area if case.residence else "", case.home if case.temporary else ""]
    affected = homes if rule == "O11" else [*homes, *_affected(case, verdict)]
    return sorted({ocu for ocu in affected if case.inside(ocu)} - {verdict.owner})


def _affected(case: Case, verdict: Verdict) -> Iterable[str]:
    yield from case.offending
    yield from (verdict.proposed, case.current, case.former)
    yield from case.dispute.claimants if case.dispute else ()
    if case.plan:
        yield case.plan.area


def _reviews(case: Case) -> Iterable[str]:
    if not case.live:
        return
    if case.stay and case.at >= days.midnight(
        days.shift(days.day(case.stay.received), case.limits.custody_review_months)
    ):
        yield f"in custody for {case.limits.custody_review_months} months or more"
    if case.overstayed and not case.stay:
        yield f"in temporary accommodation for more than {case.limits.temporary_days} days"
