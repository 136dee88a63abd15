"""`ppo caseload`: what it asks for, and what a person reads."""

from ppo.tracking.v1 import tracking_pb2 as tracking
from tests.unit.console.conftest import Run, Served


def test_a_caseload_is_shown_beside_its_guide(ppo: Run, served: Served) -> None:
    served.tracking.caseloads = [
        tracking.Caseload(owner="D3", cases=36, guide=30, in_custody=14, unsettled=2, proposed=1),
        tracking.Caseload(owner="birmingham-yot", cases=3),
    ]

    ran = ppo("caseload", "--at", "2004-12-31T20:00")

    rows = [line.split() for line in ran.out.splitlines()]
    assert ran.code == 0
    assert rows[1:] == [
        ["D3", "36", "30", "+6", "14", "2", "1"],
        ["birmingham-yot", "3", "none", "0", "0", "0"],
        ["all", "39"],
    ]
    assert served.tracking.asked[-1].as_of_time.ToJsonString() == "2004-12-31T20:00:00Z"
