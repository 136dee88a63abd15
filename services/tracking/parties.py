"""Which organisations have to do with a case on a day, by reference data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference, Row
from services.tracking import forums

PPO_DRUG_TEAM = "PPO_DRUG_TEAM"


@dataclass(frozen=True)
class Parties:
    """Ids of organisations; empty where there is none that can be told."""

    owner: str = ""
    interested: tuple[str, ...] = ()
    ocus: frozenset[str] = frozenset()
    youth_teams: frozenset[str] = frozenset()
    youth_team: str = ""
    probation: str = ""
    # The probation office of each OCU.
    offices: Mapping[str, str] = field(default_factory=dict)
    drug_team: str = ""
    housing: str = ""
    training: str = ""
    # Where the owner's cases are discussed next.
    forum: str = ""
    # Those that are told of their own prisoners here.
    prisons: frozenset[str] = frozenset()
    # The drug workers of each prison, and the arrest referral workers of each suite.
    carat: Mapping[str, str] = field(default_factory=dict)
    arrest_referral: Mapping[str, str] = field(default_factory=dict)
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
    ocus = {row.id for row in reference.rows("ocus", at=at)}
    teams = {row.id for row in reference.rows("youth_offending_teams", at=at)}
    known = {"ocus": frozenset(ocus), "youth_teams": frozenset(teams)}
    owner = ownership.owner if ownership.owner in ocus else ""
    youth_team = ownership.owner if ownership.owner in teams else ""
    area = owner or next(iter(ownership.interested_ocus), "") or nominating_ocu
    desk = _first(reference, "referral_desks", at)
    return Parties(
        owner=owner,
        interested=tuple(ocu for ocu in ownership.interested_ocus if ocu in ocus),
        youth_team=youth_team,
        **known,
        offices=_offices(reference, at),
        probation="" if youth_team else _office(reference, probation, area, at),
        drug_team=_drug_team(reference, area, at),
        housing=_id(_first(reference, "housing_providers", at)),
        training=_id(_first(reference, "training_providers", at)),
        forum=forums.next_to_meet(reference, owner, at) if owner else "",
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


def _office(reference: Reference, named: str, ocu: str, at: datetime) -> str:
    if named in {row.id for row in reference.rows("probation_offices", at=at)}:
        return named
    return _offices(reference, at).get(ocu, "")


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
