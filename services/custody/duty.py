"""Who can be rung at an instant, and what the law says of drug tests then."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ppo.custody.v1 import custody_pb2 as pb
from services.custody.instructions import Law, Whom
from services.police import duty
from services.runtime.reference import Reference, Row

_ROUTES = {Whom.PPO_TEAM: "PPO_DRUG_TEAM", Whom.DIP_TEAM: "DIP_TEAM"}


def contact(reference: Reference, *, owners: Iterable[str], suite: Row, at: datetime) -> Row:
    """The contact on duty of the first owner who has one, else the suite's control room: always somebody."""
    on_call = duty.on_call(reference, owners=owners, at=at)
    return on_call or reference.follow(suite, "control_room", at=at)


def reach(
    reference: Reference, whom: Whom, *, owners: Sequence[str], suite: Row, at: datetime
) -> tuple[str, pb.Contact]:
    """Whose it is to be told, and who can be rung for that now."""
    found = _team(reference, whom, owners, suite, at)
    if found is not None:
        # Teams have one number, at any hour.
        return found.id, pb.Contact(
            title=found.text("name"), telephone=found.text("telephone"), organisation=found.text("name")
        )
    probation = _probation(reference, owners, at) if whom == Whom.PROBATION else None
    row = probation or contact(reference, owners=owners, suite=suite, at=at)
    return next(iter(owners), row.id), spoken(row)


def spoken(row: Row) -> pb.Contact:
    return pb.Contact(
        title=row.text("title"), telephone=row.text("telephone"), organisation=row.text("organisation")
    )


def law(reference: Reference, codes: Iterable[str], at: datetime) -> Law:
    """Before the first law nobody is tested."""
    row = reference.row("drug_testing", "class-a", at=at)
    if row is None:
        return Law(trigger=False, stage="", minimum_age=0)
    trigger = bool(trigger_offences(reference, codes, at))
    return Law(trigger, row.text("stage"), row.number("minimum_age"))


def trigger_offences(reference: Reference, codes: Iterable[str], at: datetime) -> list[str]:
    return [code for code in codes if reference.row("trigger_offences", code, at=at) is not None]


def _probation(reference: Reference, owners: Iterable[str], at: datetime) -> Row | None:
    """Of the first owner whose probation offices have somebody on duty."""
    rota = duty.on_duty(reference, "probation_duty_contacts", at)
    for owner in owners:
        offices = {row.id for row in _serving(reference, "probation_offices", owner, at)}
        if rung := next((row for row in rota if row.text("office") in offices), None):
            return rung
    return None


def _team(reference: Reference, whom: Whom, owners: Iterable[str], suite: Row, at: datetime) -> Row | None:
    ocu = suite.text("ocu")
    if whom == Whom.DIP_CONTACT:
        return next(iter(reference.rows("dip_contact_points", at=at)), None)
    if whom == Whom.YOUTH:
        return _youth_team(reference, [*owners, ocu], at)
    if whom in _ROUTES:
        teams = _serving(reference, "drug_teams", ocu, at)
        return next((row for row in teams if row.text("route") == _ROUTES[whom]), None)
    return None


def _youth_team(reference: Reference, owners: Iterable[str], at: datetime) -> Row | None:
    """The owner itself, else the team that serves the OCU which nominated, else that of the suite's OCU."""
    for owner in owners:
        named = reference.row("youth_offending_teams", owner, at=at)
        if team := named or next(iter(_serving(reference, "youth_offending_teams", owner, at)), None):
            return team
    return None


def _serving(reference: Reference, table: str, ocu: str, at: datetime) -> list[Row]:
    return [row for row in reference.rows(table, at=at) if ocu in row.texts("ocus")]
