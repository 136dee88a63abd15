"""Where a drug referral goes, by result and by what is known of the person; only a referral is held."""

from typing import NamedTuple, TypeAlias

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import screening_pb2

Outcome: TypeAlias = screening_pb2.Outcome.ValueType
Result: TypeAlias = pb.TestResult.ValueType
Route: TypeAlias = pb.ReferralRoute.ValueType


class Referral(NamedTuple):
    """Where it goes, and whether it goes marked "PPO status not known"."""

    route: Route
    status_not_known: bool = False


_ROUTES: dict[Outcome, Route] = {
    screening_pb2.OUTCOME_FLAGGED: pb.REFERRAL_ROUTE_PPO_DRUG_TEAM,
    screening_pb2.OUTCOME_NOT_FLAGGED: pb.REFERRAL_ROUTE_DIP_TEAM,
}


def route(result: Result, outcome: Outcome) -> Route:
    """A possible match that nobody has decided is as unknown as UNKNOWN itself."""
    if result != pb.TEST_RESULT_POSITIVE:
        return pb.REFERRAL_ROUTE_NONE
    return _ROUTES.get(outcome, pb.REFERRAL_ROUTE_HELD)


def reroute(current: Referral, outcome: Outcome, *, ruled_out: bool, here: bool) -> Referral:
    """Where a referral goes once the answer is another one. Not knowing any more moves nothing.

    But where it rested on a PPO who is `ruled_out` it is held again, or goes marked if they have left.
    """
    if current.route == pb.REFERRAL_ROUTE_NONE:
        return current
    if outcome in _ROUTES:
        return Referral(_ROUTES[outcome])
    if not ruled_out:
        return current
    held = pb.REFERRAL_ROUTE_HELD
    return Referral(held) if here else depart(held)


def depart(current: Route) -> Referral:
    """Where the referral of somebody who leaves goes."""
    if current == pb.REFERRAL_ROUTE_HELD:
        return Referral(pb.REFERRAL_ROUTE_DIP_TEAM, status_not_known=True)
    return Referral(current)


def correct(current: Referral, result: Result, outcome: Outcome, *, here: bool) -> Referral:
    """Where a referral goes whose test was recorded wrongly; one that stands stays where it went."""
    right = route(result, outcome)
    if pb.REFERRAL_ROUTE_NONE not in (current.route, right):
        return current
    return Referral(right) if here else depart(right)
