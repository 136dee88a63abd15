"""`ppo return`: a month is closed, shown beside what was published, sent and written as a workbook."""

import json
from pathlib import Path

import pytest
from google.type.date_pb2 import Date

from ppo.returns.v1 import returns_pb2 as returns
from services.runtime.errors import Illegal, NotFound
from tests.unit.console.conftest import Run, Served

DECEMBER = Date(year=2004, month=12)


def test_a_close_asks_for_the_month_and_says_the_revision(ppo: Run, served: Served) -> None:
    ran = ppo("return", "close", "birmingham", "2004-12", "--request-id", "r-1")

    [asked], [caller] = served.tracking.asked, served.tracking.callers
    assert (asked.request_id, asked.area, asked.month) == ("r-1", "birmingham", DECEMBER)
    assert (caller.role, caller.organisation) == ("returns_officer", "birmingham")
    assert ran.out == (
        "birmingham, December 2004: closed as revision 2, from 88 counts, and it balances\n"
        "3 cells are other than in revision 1; revision 1 was submitted and stands until this one is\n"
    )


def test_all_areas_are_closed_and_each_that_is_refused_is_one_line(ppo: Run, served: Served) -> None:
    ran = ppo("return", "close-all", "2004-12", "--area", "birmingham", "--area", "walsall")

    [asked] = served.tracking.asked
    assert (list(asked.areas), asked.month) == (["birmingham", "walsall"], DECEMBER)
    assert ran.code == 1
    assert ran.out == "walsall: M1 by sex: expected 3, found 2\n"
    assert ran.err == "December 2004: 1 areas closed, 1 refused\n"


def test_a_month_that_does_not_balance_is_one_line(ppo: Run, served: Served) -> None:
    served.tracking.refusal = Illegal("DOES_NOT_BALANCE", "M1 by ocu: 321 expected, 320 found")

    ran = ppo("return", "close", "birmingham", "2004-12")

    assert (ran.code, ran.err) == (1, "ppo: tracking: M1 by ocu: 321 expected, 320 found\n")


@pytest.mark.parametrize("month", ["2004", "2004-13", "December 2004", "2004-12-31"])
def test_what_is_no_month_is_one_line(ppo: Run, served: Served, month: str) -> None:
    ran = ppo("return", "close", "birmingham", month)

    assert (ran.code, ran.err) == (2, f"ppo: MONTH '{month}' is not a month; write it as 2004-12\n")


def test_measures_are_shown_beside_what_was_published(ppo: Run, served: Served) -> None:
    served.returns.measures = [
        returns.StreamHeadlineMeasuresResponse(
            measure="M8", title="PPOs among those tested", value=13, base=408, per_cent=3, published="13, 3%"
        )
    ]

    ran = ppo("return", "show", "birmingham", "2004-12")

    [line] = [line for line in ran.out.splitlines() if line.startswith("M8")]
    assert line.split() == ["M8", "PPOs", "among", "those", "tested", "13", "408", "3", "13,", "3%"]
    assert "birmingham, December 2004, revision 2" in ran.out


def test_a_return_as_json_is_followed_by_its_measures(ppo: Run, served: Served) -> None:
    served.returns.measures = [returns.StreamHeadlineMeasuresResponse(measure="M1", value=321)]

    ran = ppo("return", "show", "birmingham", "2004-12", "--json")

    first, second = (json.loads(line) for line in ran.out.splitlines())
    assert first["monthly_return"]["revision"] == 2
    assert (second["measure"], second["value"]) == ("M1", "321")


def test_a_submission_names_the_return_and_the_revision_that_was_looked_at(ppo: Run, served: Served) -> None:
    ran = ppo("return", "submit", "birmingham", "2004-12", "--revision", "1")

    looked_at, submitted = served.returns.asked
    assert looked_at.revision == 1
    assert (submitted.return_id, submitted.revision) == ("return-1", 1)
    assert "submitted" in ran.out


def test_a_submission_of_no_named_revision_is_refused(ppo: Run, served: Served) -> None:
    ran = ppo("return", "submit", "birmingham", "2004-12")

    assert ran.code == 2
    assert served.returns.asked == []


def test_a_workbook_is_written_whole(ppo: Run, served: Served, tmp_path: Path) -> None:
    served.returns.parts = [b"PK", b"\x03\x04", b"rest"]
    file = tmp_path / "december.xlsx"
    file.write_bytes(b"what stood there")

    ran = ppo("return", "export", "birmingham", "2004-12", str(file), "--revision", "1")

    [asked] = served.returns.asked
    assert (asked.area, asked.month, asked.revision) == ("birmingham", DECEMBER, 1)
    assert file.read_bytes() == b"PK\x03\x04rest"
    assert (ran.code, ran.out) == (0, f"{file}: 8 bytes\n")
    assert not file.with_name("december.xlsx.new").exists()


def test_a_workbook_that_cannot_be_written_is_one_line(ppo: Run, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "december.xlsx"

    ran = ppo("return", "export", "birmingham", "2004-12", str(file))

    assert (ran.code, ran.err) == (1, f"ppo: {file} cannot be written: No such file or directory\n")


def test_a_month_without_a_return_is_one_line(ppo: Run, served: Served) -> None:
    served.returns.refusal = NotFound("birmingham has no return of December 2004")

    ran = ppo("return", "show", "birmingham", "2004-12")

    assert (ran.code, ran.err) == (1, "ppo: returns: birmingham has no return of December 2004\n")
