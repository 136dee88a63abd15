"""The facts that decide whose case it is, as a colleague would say them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ppo.flagging.v1 import flagging_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days
from services.tracking.evidence import ADULT, Case, ForumDecision, Hearing, Plan, Residence, Status

LIVES = {
    pb.RESIDENCE_KIND_HOME: "Has lived in",
    pb.RESIDENCE_KIND_RELATIVE: "Has lived with a relative in",
    pb.RESIDENCE_KIND_APPROVED_PREMISES: "Has been in approved premises in",
    pb.RESIDENCE_KIND_HOSTEL: "Has been in a hostel in",
    pb.RESIDENCE_KIND_HOSPITAL: "Has been in hospital in",
    pb.RESIDENCE_KIND_BAIL_ADDRESS: "Has been at a bail address in",
}
PLACES = {
    pb.RESIDENCE_KIND_HOME: "home",
    pb.RESIDENCE_KIND_RELATIVE: "with a relative",
    pb.RESIDENCE_KIND_APPROVED_PREMISES: "approved premises",
    pb.RESIDENCE_KIND_HOSTEL: "hostel",
    pb.RESIDENCE_KIND_HOSPITAL: "hospital",
    pb.RESIDENCE_KIND_BAIL_ADDRESS: "bail address",
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


def hearing(heard: Hearing | None, at: datetime) -> str:
    if heard is None:
        return "No forum is known that hears it."
    first, second = (days.words(days.day(one)) for one in (heard.first, heard.second))
    if at < heard.first:
        return f"{heard.name} hears it on {first}, and if need be on {second}."
    if at < heard.second:
        return f"{heard.name} did not settle it on {first} and hears it again on {second}."
    return f"{heard.name} did not settle it on {first} nor on {second}: it is with the Core Priority Group."


def forum(decision: ForumDecision) -> str:
    text = f"{decision.forum} decided for {decision.ocu} on {days.words(days.day(decision.decided))}"
    if decision.expires:
        text += f", until {days.words(days.day(decision.expires))}"
    if decision.votes:
        text += f": {decision.votes}"
    return f"{text}."


def votes(decided: pb.DecideDisputeRequest) -> str:
    """Every agency's, as far as they were told."""
    agreed = [_agency(vote) for vote in decided.votes if vote.agrees]
    against = [_agency(vote) for vote in decided.votes if not vote.agrees]
    said = ((agreed, "for it"), (against, "against it"))
    return "; ".join(f"{listed(agencies)} {voted}" for agencies, voted in said if agencies)


def _agency(vote: flagging_pb2.Vote) -> str:
    return flagging_pb2.Agency.Name(vote.agency).removeprefix("AGENCY_").replace("_", " ").lower()


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
    drawn = f", by the boundary of {days.words(days.day(where.redrawn))}" if where.redrawn else ""
    return f"{LIVES[where.kind]} {where.area} since {since}{long}{drawn}."


def place(where: Residence) -> str:
    kind = "no fixed abode" if where.kind not in PLACES else f"{PLACES[where.kind]} in {where.area}"
    later = where.handover is not None and where.handover > where.start
    return f"{kind}, handed over {days.words(days.day(where.handover))}" if where.handover and later else kind


def stay(prison: str) -> str:
    return f"in prison, {prison}" if prison else "in prison"


def release(planned: Plan) -> str:
    to = f", to {planned.area}" if planned.area else ""
    return f"planned for {days.words(planned.release)}{to}"


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
