"""Where a drug referral goes, by result and by what is known of the person; only a referral is held."""

from typing import TypeAlias

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import screening_pb2

Outcome: TypeAlias = screening_pb2.Outcome.ValueType
Result: TypeAlias = pb.TestResult.ValueType
Route: TypeAlias = pb.ReferralRoute.ValueType

_ROUTES: dict[Outcome, Route] = {
    screening_pb2.OUTCOME_FLAGGED: pb.REFERRAL_ROUTE_PPO_DRUG_TEAM,
    screening_pb2.OUTCOME_NOT_FLAGGED: pb.REFERRAL_ROUTE_DIP_TEAM,
}


def route(result: Result, outcome: Outcome) -> Route:
    """A possible match that nobody has decided is as unknown as UNKNOWN itself."""
    if result != pb.TEST_RESULT_POSITIVE:
        return pb.REFERRAL_ROUTE_NONE
    return _ROUTES.get(outcome, pb.REFERRAL_ROUTE_HELD)


def reroute(current: Route, outcome: Outcome) -> Route:
    """Where a referral goes once the answer is another one; not knowing any more moves nothing."""
    if current == pb.REFERRAL_ROUTE_NONE:
        return current
    return _ROUTES.get(outcome, current)


def depart(current: Route) -> tuple[Route, bool]:
    """Where the referral of somebody who leaves goes, and whether it goes marked "PPO status not known"."""
    if current == pb.REFERRAL_ROUTE_HELD:
        return pb.REFERRAL_ROUTE_DIP_TEAM, True
    return current, False
