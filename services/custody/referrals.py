"""Whose drug referrals a caller may list: a team's own route and area, a suite's own people."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from ppo.custody.v1 import custody_pb2 as pb
from services.runtime.errors import Denied
from services.runtime.reference import Reference

_OWN_ROUTES = {
    "ppo_drug_team": pb.REFERRAL_ROUTE_PPO_DRUG_TEAM,
    "dip_team": pb.REFERRAL_ROUTE_DIP_TEAM,
}


class Scope(NamedTuple):
    suites: frozenset[str]
    # Only those of people who left before their status was known.
    left_unknown: bool = False


def scope(
    reference: Reference, role: str, organisation: str, route: pb.ReferralRoute.ValueType, at: datetime
) -> Scope:
    """Raises Denied."""
    suites = {row.id: row.text("ocu") for row in reference.rows("suites", at=at)}
    if role not in _OWN_ROUTES:
        return Scope(_own_suite(organisation, suites))
    if route != _OWN_ROUTES[role]:
        raise Denied("a drug team lists the referrals of its own route")
    if role == "dip_team" and reference.row("dip_contact_points", organisation, at=at):
        return Scope(frozenset(suites), left_unknown=True)
    team = reference.row("drug_teams", organisation, at=at)
    if team is None or team.text("route") != pb.ReferralRoute.Name(route).removeprefix("REFERRAL_ROUTE_"):
        raise Denied("the token's organisation is no drug team of that route")
    return Scope(frozenset(suite for suite, ocu in suites.items() if ocu in team.texts("ocus")))


def _own_suite(organisation: str, suites: Collection[str]) -> frozenset[str]:
    if organisation not in suites:
        raise Denied("the token's organisation is no custody suite")
    return frozenset({organisation})
