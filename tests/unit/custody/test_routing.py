"""Where a drug referral goes; only a referral is ever held."""

import pytest

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import screening_pb2
from services.custody import routing
from services.custody.routing import Referral

FLAGGED = screening_pb2.OUTCOME_FLAGGED
POSSIBLE = screening_pb2.OUTCOME_POSSIBLE
NOT_FLAGGED = screening_pb2.OUTCOME_NOT_FLAGGED
UNKNOWN = screening_pb2.OUTCOME_UNKNOWN
NONE = pb.REFERRAL_ROUTE_NONE
PPO = pb.REFERRAL_ROUTE_PPO_DRUG_TEAM
DIP = pb.REFERRAL_ROUTE_DIP_TEAM
HELD = pb.REFERRAL_ROUTE_HELD
POSITIVE, NEGATIVE = pb.TEST_RESULT_POSITIVE, pb.TEST_RESULT_NEGATIVE


@pytest.mark.parametrize(
    ("outcome", "route"), [(FLAGGED, PPO), (NOT_FLAGGED, DIP), (POSSIBLE, HELD), (UNKNOWN, HELD), (99, HELD)]
)
def test_a_positive_test_is_routed_by_what_is_known(
    outcome: screening_pb2.Outcome.ValueType, route: pb.ReferralRoute.ValueType
) -> None:
    assert routing.route(pb.TEST_RESULT_POSITIVE, outcome) == route


@pytest.mark.parametrize("outcome", [FLAGGED, POSSIBLE, NOT_FLAGGED, UNKNOWN])
@pytest.mark.parametrize("result", [pb.TEST_RESULT_NEGATIVE, pb.TEST_RESULT_REFUSED])
def test_a_test_that_is_not_positive_refers_nobody(
    result: pb.TestResult.ValueType, outcome: screening_pb2.Outcome.ValueType
) -> None:
    assert routing.route(result, outcome) == NONE


@pytest.mark.parametrize(
    ("current", "outcome", "route"),
    [
        (HELD, FLAGGED, PPO),
        (HELD, NOT_FLAGGED, DIP),
        (HELD, POSSIBLE, HELD),
        (HELD, UNKNOWN, HELD),
        (DIP, FLAGGED, PPO),
        (PPO, NOT_FLAGGED, DIP),
        (PPO, UNKNOWN, PPO),
        (DIP, POSSIBLE, DIP),
        (NONE, FLAGGED, NONE),
        (NONE, NOT_FLAGGED, NONE),
    ],
)
def test_a_changed_answer_moves_a_referral_only_to_where_it_is_known_to_belong(
    current: pb.ReferralRoute.ValueType,
    outcome: screening_pb2.Outcome.ValueType,
    route: pb.ReferralRoute.ValueType,
) -> None:
    for here in (True, False):
        moved = routing.reroute(Referral(current), outcome, ruled_out=False, here=here)
        assert moved == Referral(route)


def test_once_the_answer_is_known_a_referral_is_not_marked_any_more() -> None:
    marked = Referral(DIP, status_not_known=True)

    assert routing.reroute(marked, NOT_FLAGGED, ruled_out=False, here=False) == Referral(DIP)
    assert routing.reroute(marked, UNKNOWN, ruled_out=False, here=False) == marked


@pytest.mark.parametrize("outcome", [POSSIBLE, UNKNOWN])
def test_who_is_ruled_out_takes_the_referral_from_the_ppo_drug_team(
    outcome: screening_pb2.Outcome.ValueType,
) -> None:
    before = Referral(PPO)

    assert routing.reroute(before, outcome, ruled_out=True, here=True) == Referral(HELD)
    assert routing.reroute(before, outcome, ruled_out=True, here=False) == Referral(DIP, True)
    assert routing.reroute(Referral(NONE), outcome, ruled_out=True, here=True) == Referral(NONE)


@pytest.mark.parametrize(
    ("current", "result", "here", "right"),
    [
        (Referral(NONE), POSITIVE, True, Referral(HELD)),
        (Referral(NONE), POSITIVE, False, Referral(DIP, True)),
        (Referral(HELD), NEGATIVE, True, Referral(NONE)),
        (Referral(DIP, True), NEGATIVE, False, Referral(NONE)),
        # Another drug: the referral that went out stands.
        (Referral(PPO), POSITIVE, True, Referral(PPO)),
        (Referral(DIP, True), POSITIVE, False, Referral(DIP, True)),
        (Referral(NONE), NEGATIVE, True, Referral(NONE)),
    ],
)
def test_a_corrected_test_moves_a_referral_only_where_its_result_is_another(
    current: Referral, result: pb.TestResult.ValueType, here: bool, right: Referral
) -> None:
    assert routing.correct(current, result, UNKNOWN, here=here) == right


@pytest.mark.parametrize(
    ("current", "departed"),
    [(HELD, (DIP, True)), (PPO, (PPO, False)), (DIP, (DIP, False)), (NONE, (NONE, False))],
)
def test_a_held_referral_of_somebody_who_leaves_goes_to_the_dip_marked_status_not_known(
    current: pb.ReferralRoute.ValueType, departed: tuple[pb.ReferralRoute.ValueType, bool]
) -> None:
    assert routing.depart(current) == departed
