"""How many cases each owner has: every live one counted once, beside a guide that limits nobody."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference
from services.tracking.caseload import Held, caseloads, guides, rounded

REFERENCE = Path(__file__).parents[3] / "deploy" / "reference"
AT = datetime(2004, 12, 31, 12, tzinfo=UTC)
ASSIGNED = pb.OWNERSHIP_STATE_ASSIGNED
FREE = pb.POSITION_SUPERVISED


def held(
    owner: str,
    state: pb.OwnershipState.ValueType = ASSIGNED,
    position: pb.Position.ValueType = FREE,
    proposed: str = "",
) -> Held:
    return Held(pb.Ownership(owner=owner, state=state, proposed_owner=proposed), position)


def test_each_case_is_its_owners_and_a_proposed_one_is_not_the_next_ones_yet() -> None:
    cases = [
        held("E3"),
        held("E3", pb.OWNERSHIP_STATE_INTERIM),
        held("E3", pb.OWNERSHIP_STATE_DISPUTED, pb.POSITION_CUSTODY_REMAND),
        held("E3", pb.OWNERSHIP_STATE_PROPOSED, pb.POSITION_CUSTODY_SENTENCED, "D3"),
        held("birmingham-yot"),
    ]

    counted = list(caseloads(cases, {"D3": 30, "E3": 30}))

    assert counted == [
        pb.Caseload(owner="D3", proposed=1, guide=30),
        pb.Caseload(owner="E3", cases=4, unsettled=2, in_custody=2, guide=30),
        pb.Caseload(owner="birmingham-yot", cases=1),
    ]


def test_more_than_the_guide_are_counted_as_they_are() -> None:
    [load] = caseloads([held("E3")] * 40, {"E3": 30})

    assert (load.cases, load.guide) == (40, 30)


@given(st.lists(st.sampled_from(["D3", "E3", "K1"])))
def test_every_live_case_is_counted_once(owners: list[str]) -> None:
    assert sum(load.cases for load in caseloads(map(held, owners), {"D3": 30, "E3": 30})) == len(owners)


def test_birmingham_planned_thirty_in_each_ocu_and_of_gloucestershire_no_plan_is_known() -> None:
    birmingham = guides(Reference.load(REFERENCE / "birmingham"), AT)

    assert (len(birmingham), set(birmingham.values())) == (9, {30})
    assert guides(Reference.load(REFERENCE / "gloucestershire"), AT) == {"A": 0, "B": 0, "C": 0}


def test_what_is_rounded_tells_of_no_small_cell() -> None:
    assert [rounded(count) for count in (0, 2, 3, 4, 7, 8, 36)] == [0, 0, 5, 5, 5, 10, 35]
