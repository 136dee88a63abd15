"""`ppo register reconcile`: what is read of the register for a list, what is shown, and how it ends."""

import json
from pathlib import Path

import pytest

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.people import identifiers
from services.runtime.errors import Unavailable
from tests.builders import person, pnc_id
from tests.unit.console.conftest import Run, Served

HEADER = "pnc_id,start,end,owner"


def pnc(serial: int) -> str:
    return identifiers.pnc_id(2001, serial)


def registration(
    nominal_id: str, start: str = "2004-09-05T23:30:00Z", end: str = ""
) -> flagging.Registration:
    """From 6 September on: in London's summer that instant is the next day."""
    made = flagging.Registration(nominal_id=nominal_id)
    made.effective_start_time.FromJsonString(start)
    if end:
        made.effective_end_time.FromJsonString(end)
    return made


@pytest.fixture
def two_ppos(served: Served) -> Served:
    for serial in (1, 2):
        nominal_id = f"nominal-{serial}"
        served.flagging.ppos.append(
            flagging.ListPposResponse(
                registration=registration(nominal_id), person=person(identifiers=[pnc_id(serial)])
            )
        )
        served.tracking.contacts[nominal_id] = tracking.Contact(nominal_id=nominal_id, owner="D3")
    return served


def written(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_a_list_that_agrees_ends_with_0(ppo: Run, two_ppos: Served, tmp_path: Path) -> None:
    file = written(tmp_path / "l.csv", HEADER, f"{pnc(1)},2004-09-06,,D3", f"{pnc(2)[2:]},06/09/2004,,")

    ran = ppo("register", "reconcile", file)

    assert (ran.code, ran.err) == (0, "")
    assert "The two agree." in ran.out


def test_each_difference_is_named_with_its_reason(ppo: Run, two_ppos: Served, tmp_path: Path) -> None:
    served = two_ppos.flagging
    served.nominal_ids = {pnc(3): "", pnc(4): "nominal-4", pnc(5): "nominal-5", pnc(6): "nominal-1"}
    served.registrations["nominal-5"] = registration("nominal-5", end="2004-12-01T09:00:00Z")
    served.registrations["nominal-4"] = None
    served.merged[pnc(6)] = "nominal-6"
    lines = [
        f"{pnc(1)},2004-10-01,,E3",
        *(f"{pnc(serial)},,," for serial in (3, 4, 5, 6)),
        "01/1A,,,",
        "x,,soon,",
    ]

    ran = ppo("register", "reconcile", written(tmp_path / "l.csv", HEADER, *lines), "--json")

    *found, last = map(json.loads, ran.out.splitlines())
    assert ran.code == 1
    assert [one["kind"] for one in found] == [
        "DIFFERS",
        "UNKNOWN",
        "NEVER_REGISTERED",
        "ENDED_HERE",
        "MERGED",
        "MALFORMED",
        "UNREADABLE",
        "NONE",
        "MISSING",
    ]
    assert found[0]["says"] == [
        "starts on 2004-10-01 there, on 2004-09-06 here",
        "is E3's there, D3's here",
    ]
    assert found[-1]["nominal_id"] == "nominal-2"
    assert last["summary"]["agrees"] is False
    assert sum(last["summary"]["lines"].values()) == len(lines)
    assert sum(last["summary"]["entries"].values()) == 2


def test_the_tables_show_the_numbers_and_every_difference(ppo: Run, two_ppos: Served, tmp_path: Path) -> None:
    two_ppos.flagging.nominal_ids[pnc(3)] = ""

    ran = ppo("register", "reconcile", written(tmp_path / "l.csv", HEADER, f"{pnc(1)},,,", f"{pnc(3)},,,"))

    shown = " ".join(ran.out.split())
    assert ran.code == 1
    assert f"3 {pnc(3)} is unknown to the index" in shown
    assert f"{pnc(2)} nominal-2 2004-09-06 D3 is not listed there" in shown
    assert "The two differ." in shown


def test_the_index_is_asked_only_of_those_who_are_not_on_the_list_of_ppos(
    ppo: Run, two_ppos: Served, tmp_path: Path
) -> None:
    ppo(
        "register", "reconcile", written(tmp_path / "l.csv", HEADER, f"{pnc(1)},,,", f"{pnc(3)},,,", "bad,,,")
    )

    asked = [one for one in two_ppos.flagging.asked if isinstance(one, flagging.GetNominalRequest)]
    assert [one.identifier.value for one in asked] == [pnc(3)]


def test_without_tracking_owners_are_not_compared_and_that_is_said(
    ppo: Run, two_ppos: Served, tmp_path: Path
) -> None:
    two_ppos.tracking.refusal = Unavailable("postgres")
    file = written(tmp_path / "l.csv", HEADER, f"{pnc(1)},,,E3", f"{pnc(2)},,,")

    ran = ppo("register", "reconcile", file)

    assert ran.code == 0
    assert "owners are not compared" in ran.err


def test_an_outage_of_the_register_is_no_difference(ppo: Run, data: Path, tmp_path: Path) -> None:
    ran = ppo("register", "reconcile", written(tmp_path / "l.csv", HEADER, f"{pnc(1)},,,"))

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
