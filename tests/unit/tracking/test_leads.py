"""Who manages a case and who leads it: named for its owner, and never nobody."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference
from services.tracking.casefile import CaseFile, Entry
from services.tracking.leads import leads
from tests.integration.tracking.running import stamp

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
TOOK_OVER = NOON - timedelta(days=30)
TICK = timedelta(microseconds=1)
BIRMINGHAM = Reference.load(Path(__file__).parents[3] / "deploy" / "reference" / "birmingham")


def stage(kind: pb.StageKind.ValueType, days: float) -> Entry:
    request = pb.RecordStageRequest(kind=kind)
    return Entry(f"stage {days}", request, NOON - timedelta(days=days), NOON)


def named(police: str, probation: str, at: datetime) -> Entry:
    request = pb.AssignManagersRequest(
        police=pb.Manager(name="PC Hill", organisation=police),
        probation=pb.Manager(name="Ann Wood", organisation=probation),
    )
    return Entry("managers", request, at, at)


def owned(owner: str, *interested: str) -> pb.Ownership:
    return pb.Ownership(owner=owner, interested_ocus=interested, effective_time=stamp(TOOK_OVER))


def case(*entries: Entry) -> CaseFile:
    begun = stamp(NOON - timedelta(days=90))
    flag = flagging.Flag(episodes=[flagging.Episode(nominating_ocu="D2", effective_start_time=begun)])
    return CaseFile(flag, entries, BIRMINGHAM)


def names(file: CaseFile, ownership: pb.Ownership) -> tuple[str, str]:
    found = leads(file, ownership, NOON)
    assert found.police
    assert found.probation
    return found.police.name, found.probation.name


IN_COURT = stage(pb.STAGE_KIND_CHARGED, 20)
ORDER = stage(pb.STAGE_KIND_COMMUNITY_SENTENCE, 10)
DESKS = ("Offender management unit, E3", "Tier 4 probation officer, E3")


def test_by_the_order_of_a_court_probation_leads_and_without_one_the_police() -> None:
    ended = stage(pb.STAGE_KIND_ORDER_ENDED, 5)

    assert leads(case(), owned("E3"), NOON).lead == pb.LEAD_POLICE
    assert leads(case(IN_COURT, ORDER), owned("E3"), NOON).lead == pb.LEAD_PROBATION
    assert leads(case(IN_COURT, ORDER, ended), owned("E3"), NOON).lead == pb.LEAD_POLICE


def test_of_a_childs_case_the_youth_offending_team_leads_and_both_are_named() -> None:
    file, ownership = case(IN_COURT, ORDER), owned("birmingham-yot", "E3")

    assert leads(file, ownership, NOON).lead == pb.LEAD_YOUTH_OFFENDING_TEAM
    assert names(file, ownership) == DESKS


def test_until_somebody_is_named_the_desks_of_the_owner_are() -> None:
    found = leads(case(), owned("E3"), NOON)

    assert names(case(), owned("E3")) == DESKS
    assert found.probation
    assert found.probation.organisation == "probation-5"


@pytest.mark.parametrize(
    ("entry", "police", "probation"),
    [
        # While this owner has the case.
        (named("", "", TOOK_OVER), "PC Hill", "Ann Wood"),
        # A move told after the fact: PC Hill is the OCU's that had the case.
        (named("D3", "", TOOK_OVER), DESKS[0], "Ann Wood"),
        # For the owner before it.
        (named("D3", "probation-2", TOOK_OVER - TICK), *DESKS),
        # Ahead of the hand-over, by those who take the case over.
        (named("E3", "probation-2", TOOK_OVER - TICK), "PC Hill", DESKS[1]),
        (named("D3", "probation-5", TOOK_OVER - TICK), DESKS[0], "Ann Wood"),
    ],
)
def test_who_is_named_is_named_for_an_owner(entry: Entry, police: str, probation: str) -> None:
    assert names(case(entry), owned("E3")) == (police, probation)


def test_of_an_owner_outside_those_of_who_nominated_are_named() -> None:
    assert names(case(), owned("K1")) == ("Offender management unit, D2", "Tier 4 probation officer, D2")


def test_nobody_manages_what_is_nobodys_case() -> None:
    found = leads(case(named("E3", "", NOON)), pb.Ownership(state=pb.OWNERSHIP_STATE_NONE), NOON)

    assert (found.lead, found.police, found.probation) == (pb.LEAD_UNSPECIFIED, None, None)
