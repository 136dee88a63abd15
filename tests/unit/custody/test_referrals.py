"""Which referrals a caller may list: its own route, its own area, its own suite."""

from pathlib import Path

import pytest

from ppo.custody.v1 import custody_pb2 as pb
from services.custody.referrals import scope
from services.runtime.errors import Denied
from services.runtime.reference import Reference
from tests.unit.custody.register import NOW

REFERENCE = Reference.load(Path(__file__).parents[3] / "deploy" / "reference" / "birmingham")
PPO = pb.REFERRAL_ROUTE_PPO_DRUG_TEAM
DIP = pb.REFERRAL_ROUTE_DIP_TEAM
HELD = pb.REFERRAL_ROUTE_HELD


def test_a_dip_team_lists_the_suites_of_its_ocus() -> None:
    assert scope(REFERENCE, "dip_team", "dip-2", DIP, NOW).suites == {"D3", "D3-2"}


def test_the_ppo_drug_team_lists_every_suite() -> None:
    found = scope(REFERENCE, "ppo_drug_team", "drug-solutions-birmingham", PPO, NOW)

    assert {"D1", "E3-2", "F3"} <= found.suites
    assert not found.left_unknown


def test_the_single_point_of_contact_lists_those_who_left_unknown() -> None:
    found = scope(REFERENCE, "dip_team", "dip-contact-point", DIP, NOW)

    assert {"D1", "F3"} <= found.suites
    assert found.left_unknown


def test_an_arrest_referral_worker_lists_the_own_suite() -> None:
    assert scope(REFERENCE, "arrest_referral_worker", "D3", HELD, NOW).suites == {"D3"}


@pytest.mark.parametrize(
    ("role", "organisation", "route"),
    [
        ("dip_team", "dip-2", PPO),
        ("dip_team", "dip-2", HELD),
        ("ppo_drug_team", "drug-solutions-birmingham", DIP),
        ("ppo_drug_team", "drug-solutions-birmingham", HELD),
        ("ppo_drug_team", "dip-2", PPO),
        ("dip_team", "drug-solutions-birmingham", DIP),
        ("dip_team", "nobody", DIP),
        ("arrest_referral_worker", "nobody", HELD),
    ],
)
def test_nobody_lists_the_referrals_of_others(
    role: str, organisation: str, route: pb.ReferralRoute.ValueType
) -> None:
    with pytest.raises(Denied):
        scope(REFERENCE, role, organisation, route, NOW)
