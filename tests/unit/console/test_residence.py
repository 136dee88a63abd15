"""`ppo residence set` and `ppo managers assign`: what each asks for, as whom, and what a person reads."""

import pytest

from ppo.tracking.v1 import tracking_pb2 as tracking
from tests.unit.console.conftest import Run, Served


@pytest.fixture
def known(served: Served) -> Served:
    served.tracking.journey = tracking.Journey(nominal_id="nominal-1")
    served.tracking.ownership = tracking.Ownership(owner="E3", rule="O5")
    return served


def test_a_home_is_told_by_its_postcode_and_whose_case_it_is_then_is_said(ppo: Run, known: Served) -> None:
    where = ("--kind", "home", "--since", "2004-12-01T00:00", "--postcode", "b33 8th", "--premises", "14")

    ran = ppo("residence", "set", "A1234BC", *where, "--ocu", "D3")

    told, caller = known.tracking.asked[-1], known.tracking.callers[-1]
    assert (told.nominal_id, told.kind) == ("nominal-1", tracking.RESIDENCE_KIND_HOME)
    assert (told.ocu, told.postcode, told.premises) == ("", "b33 8th", "14")
    assert told.effective_time.ToJsonString() == "2004-12-01T00:00:00Z"
    assert not told.HasField("handover_time")
    assert (caller.role, caller.organisation) == ("police_offender_manager", "D3")
    assert (ran.code, "E3" in ran.out) == (0, True)


def test_a_move_has_a_hand_over(ppo: Run, known: Served) -> None:
    moved = ("--kind", "relative", "--since", "2005-01-10T00:00", "--in", "F2")

    ppo("residence", "set", "A1234BC", *moved, "--handover", "2005-01-24T09:00")

    told = known.tracking.asked[-1]
    assert (told.ocu, told.handover_time.ToJsonString()) == ("F2", "2005-01-24T09:00:00Z")


def test_both_managers_are_named_and_who_leads_is_said(ppo: Run, known: Served) -> None:
    named = ("--police", "PC Hill; 0121 496 0105; D3", "--probation", "Ann Wood")

    ran = ppo("managers", "assign", "A1234BC", *named)

    told = known.tracking.asked[-1]
    assert told.police == tracking.Manager(name="PC Hill", telephone="0121 496 0105", organisation="D3")
    assert told.probation == tracking.Manager(name="Ann Wood")
    assert ran.out == "named: PC Hill and Ann Wood; in the lead: police\n"


def test_a_manager_without_a_name_is_none(ppo: Run) -> None:
    ran = ppo("managers", "assign", "A1234BC", "--police", "; 0121", "--probation", "Ann Wood")

    assert (ran.code, "write it as" in ran.err) == (2, True)
