"""Which organisations have to do with a case on a day, by reference data."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference, Row
from services.tracking import days, forums

PPO_DRUG_TEAM = "PPO_DRUG_TEAM"
NONE: Mapping[str, str] = MappingProxyType({})
# How many days are kept at hand.
REMEMBERED = 64


class Parties(NamedTuple):
    """Ids of organisations; empty where there is none that can be told."""

    owner: str = ""
    interested: tuple[str, ...] = ()
    ocus: frozenset[str] = frozenset()
    youth_teams: frozenset[str] = frozenset()
    youth_team: str = ""
    probation: str = ""
    # The probation office of each OCU.
    offices: Mapping[str, str] = NONE
    drug_team: str = ""
    housing: str = ""
    training: str = ""
    # Where the owner's cases are discussed next.
    forum: str = ""
    # Those that are told of their own prisoners here.
    prisons: frozenset[str] = frozenset()
    # The drug workers of each prison, and the arrest referral workers of each suite.
    carat: Mapping[str, str] = NONE
    arrest_referral: Mapping[str, str] = NONE
    desk: str = ""
    desk_telephone: str = ""


def parties(
    reference: Reference,
    ownership: pb.Ownership,
    *,
    probation: str = "",
    nominating_ocu: str = "",
    at: datetime,
) -> Parties:
    """`probation`: the probation manager's office, where one is named; else it is the owner's."""
    here = _here(reference, days.day(at))
    owner = ownership.owner if ownership.owner in here.ocus else ""
    youth_team = ownership.owner if ownership.owner in here.youth_teams else ""
    area = owner or next(iter(ownership.interested_ocus), "") or nominating_ocu
    named = reference.row("probation_offices", probation, at=at) is not None
    office = probation if named else here.offices.get(area, "")
    return here._replace(
        owner=owner,
        interested=tuple(ocu for ocu in ownership.interested_ocus if ocu in here.ocus),
        youth_team=youth_team,
        probation="" if youth_team else office,
        drug_team=_drug_team(reference, area, at),
        forum=forums.next_to_meet(reference, owner, at) if owner else "",
    )


@lru_cache(REMEMBERED)
def _here(reference: Reference, on: date) -> Parties:
    """Those that are the same for every case."""
    at = days.midnight(on)
    desk = _first(reference, "referral_desks", at)
    return Parties(
        ocus=frozenset(row.id for row in reference.rows("ocus", at=at)),
        youth_teams=frozenset(row.id for row in reference.rows("youth_offending_teams", at=at)),
        offices=_offices(reference, at),
        housing=_id(_first(reference, "housing_providers", at)),
        training=_id(_first(reference, "training_providers", at)),
        prisons=frozenset(row.id for row in reference.rows("prisons", at=at)),
        carat={row.text("prison"): row.id for row in reference.rows("carat_teams", at=at)},
        arrest_referral={
            suite: row.id
            for row in reference.rows("arrest_referral_teams", at=at)
            for suite in row.texts("suites")
        },
        desk=desk.text("name") if desk else "",
        desk_telephone=desk.text("telephone") if desk else "",
    )


def _offices(reference: Reference, at: datetime) -> dict[str, str]:
    """The first of each OCU."""
    offices = reference.rows("probation_offices", at=at)
    return {ocu: row.id for row in reversed(offices) for ocu in row.texts("ocus")}


def _drug_team(reference: Reference, ocu: str, at: datetime) -> str:
    teams = (row for row in reference.rows("drug_teams", at=at) if row.text("route") == PPO_DRUG_TEAM)
    return next((row.id for row in teams if ocu in row.texts("ocus")), "")


def _first(reference: Reference, table: str, at: datetime) -> Row | None:
    return next(iter(reference.rows(table, at=at)), None)


def _id(row: Row | None) -> str:
    return row.id if row else ""
