"""The facts that decide whose case it is, as a colleague would say them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days
from services.tracking.evidence import ADULT, Case, ForumDecision, Plan, Status

LIVES = {
    pb.RESIDENCE_KIND_HOME: "Lives in",
    pb.RESIDENCE_KIND_RELATIVE: "Lives with a relative in",
    pb.RESIDENCE_KIND_APPROVED_PREMISES: "Is in approved premises in",
    pb.RESIDENCE_KIND_HOSTEL: "Is in a hostel in",
    pb.RESIDENCE_KIND_HOSPITAL: "Is in hospital in",
    pb.RESIDENCE_KIND_BAIL_ADDRESS: "Is at a bail address in",
}
LEAD = {
    Status.LICENCE: "On licence: probation leads, with the police offender manager.",
    Status.COMMUNITY_ORDER: "On a community order: probation leads, with the police offender manager.",
    Status.NONE: "Under no order: the police lead, and probation is consulted.",
}


def child(case: Case) -> str:
    born = case.evidence.birth_date
    if born is None:
        return (
            "Of an age not known, and registered in Prevent and Deter: the youth offending team has the case."
        )
    turns = days.words(days.birthday(born, ADULT))
    return f"Under 18 until {turns}: the youth offending team has the case, and no OCU."


def dispute(case: Case, keeper: str) -> str:
    assert case.dispute
    claimants, raised = listed(case.dispute.claimants), days.words(days.day(case.dispute.raised))
    return f"Disputed by {claimants} since {raised}: {keeper} has the case until the forum decides."


def forum(decision: ForumDecision) -> str:
    text = f"{decision.forum} decided for {decision.ocu} on {days.words(days.day(decision.decided))}"
    if decision.expires:
        text += f", until {days.words(days.day(decision.expires))}"
    return f"{text}."


def custody(case: Case) -> str:
    assert case.stay
    since = days.words(days.day(case.stay.received))
    return f"In prison since {since}; where the prison stands does not count."


def plan(planned: Plan) -> str:
    return f"To be released on {days.words(planned.release)} to a confirmed address in {planned.area}."


def residence(case: Case) -> str:
    where = case.residence
    if where is None:
        return "No residence is known."
    since = days.words(days.day(where.start))
    if where.kind not in LIVES:
        return f"Of no fixed abode since {since}."
    long = f", for more than {case.limits.temporary_days} days" if case.overstayed else ""
    return f"{LIVES[where.kind]} {where.area} since {since}{long}."


def offending(case: Case) -> str:
    months = f"in the last {case.limits.window_months} months"
    counts = [f"{_offences(len(times))} in {ocu}" for ocu, times in sorted(case.offending.items())]
    return f"{listed(counts)} {months}." if counts else f"No offences in any OCU {months}."


def move(old: str, new: str, handover: datetime | None) -> str:
    if handover is None:
        return f"{old} keeps the case until a hand-over to {new} is agreed."
    return f"{old} keeps the case until it hands over to {new} on {days.words(days.day(handover))}."


def lead(case: Case) -> Iterable[str]:
    if case.live and not case.child:
        yield LEAD[case.evidence.status]


def listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _offences(count: int) -> str:
    return "1 offence" if count == 1 else f"{count} offences"
