"""The demo, for real: its story from beginning to end, and Ctrl-C in the middle of it."""

import re
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.e2e.terminal import foreground, ppo, processes_that_name

STORY = [
    "The suite starts",
    "kafka: ready",
    "20,000 people known to the police and 320 registrations",
    "299 people are on the list now. 320 were on it at some time in December",
    "21 were taken off",
    "Quarrington is booked in at E3",
    "FLAGGED",
    "Duty offender manager, E3",
    "the desk writes down",
    "POSSIBLE",
    "On the register",
    "ZULFQARNAIN, Tariq",
    "FLAGGED",
    "Ottershaw is booked in",
    "NOT FLAGGED",
    "Somebody will not say who they are",
    "UNKNOWN",
    "neither a name nor an identifier was given",
    "Vassellton is in a cell",
    "the answer has changed: FLAGGED, before: not flagged",
    "milliseconds after the decision",
    "Vassellton: referred to the PPO drug team",
    "Ottershaw: referred to the DIP team",
    "The register is taken away",
    "FLAGGED",
    "this suite's copy of the register",
    "UNKNOWN",
    "not flagged, said on 31 Dec 2004",
    "BROKEN promise 1: the check answers: flagging does not answer",
    "the answer has changed: NOT FLAGGED, before: unknown",
    "holds promise 1: the check answers",
    "NOT FLAGGED",
    "406 people were booked in, tested and sent on",
    "has come in on remand",
    "D3 ",
    "prison reception",
    "birmingham-housing",
    "housing needed",
    "were not told of this",
    "was moved, which is two events",
    "FSI ",
    "was released on licence",
    "training provider",
    "Nobody was told: that is no release",
    "A0001AA is nobody on the list",
    "This is E3's case",
    "Rule O6",
    "The next desk in D3 will read",
    "Owner",
    "December is closed",
    "It balances",
    "PPOs in the scheme 321 321",
    "no longer a threat",
    "408 408",
    "13 408 3 13, 3%",
    "9 13 69 9",
    "The workbook of the return is",
    "All of it was as it should be",
    "What to look at next",
    "Everything is stopped",
]


@pytest.mark.timeout(400)
def test_the_demo_tells_its_whole_story(tmp_path: Path) -> None:
    workbook, room = tmp_path / "december.xlsx", tmp_path / "room"
    room.mkdir()

    ran = ppo("demo", "--workbook", str(workbook), data=tmp_path / "none", TMPDIR=str(room))

    assert (ran.code, ran.err) == (0, "")
    # Columns are as wide as what stands in them.
    rest = " ".join(ran.out.split())
    for words in STORY:
        _, found, rest = rest.partition(words)
        assert found, f"{words!r} is missing, or too early"
    assert re.search(r"\d+ milliseconds", ran.out)
    assert load_workbook(workbook).sheetnames[0] == "form"
    assert list(room.iterdir()) == []


@pytest.mark.timeout(200)
def test_ctrl_c_in_the_demo_leaves_nothing(tmp_path: Path) -> None:
    with foreground("demo", data=tmp_path / "none", TMPDIR=str(tmp_path)) as demo:
        demo.until("postgres: ready")

        ran = demo.interrupt()

    assert ran.code == 130
    assert "Traceback" not in ran.out
    assert list(tmp_path.iterdir()) == []
    assert processes_that_name(tmp_path) == []
