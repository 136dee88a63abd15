"""`ppo areas`: what a file must be, what is asked of the service, and what a person reads."""

from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as tracking
from tests.unit.console.conftest import Run, Served

HEADER = "postcode,premises,area,from,to\n"
SHIPPED = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham" / "postcodes.csv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "postcodes.csv"
    path.write_text(f"{HEADER}b33,,D3,2004-04-01,2005-02-01\nB33,,E1,2005-02-01,\n")
    return path


def test_the_file_that_ships_is_in_order(ppo: Run) -> None:
    ran = ppo("areas", "check", str(SHIPPED))

    assert (ran.code, ran.out.endswith("rows, none of them at odds with another\n")) == (0, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postcode,area\n", "line 1: the columns are postcode,premises,area,from,to"),
        (f"{HEADER}B33,,D3,2004-04-01\n", "line 2: has not as many cells as the header"),
        (f"{HEADER}B33,,,2004-04-01,\n", "line 2: area: is required"),
        (f"{HEADER}B33,,D3,1/4/04,\n", "line 2: from: '1/4/04' is no day; write it as 2005-04-01"),
        (f"{HEADER}B33,,D3,2004-04-01,\nX,,D3,2004-04-01,\n", "line 3: postcode: is no whole postcode"),
        (
            f"{HEADER}B33,,D3,2004-04-01,\nB33,,E1,2005-04-01,\n",
            "line 3: effective_start_date: overlaps row 1, of the same postcode",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(ppo: Run, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bad.csv").write_text(text)

    ran = ppo("areas", "check", str(tmp_path / "bad.csv"))

    assert (ran.code, told in ran.err) == (2, True)


def test_a_preview_shows_who_would_change_hands_and_changes_nothing(
    ppo: Run, served: Served, file: Path
) -> None:
    served.tracking.areas = tracking.LoadAreasResponse(version=3, rows_added=2, cases_touched=1)
    served.tracking.areas.changes.add(
        nominal_id="nominal-1", owner="D3", new_owner="E1", effective_time=Timestamp(seconds=1107216000)
    )

    ran = ppo("areas", "preview", str(file))

    [head, rows] = served.tracking.asked
    assert (head.validate_only, rows.request_id) == (True, head.request_id)
    assert rows.rows[0] == tracking.AreaRow(
        postcode="B33",
        area="D3",
        effective_start_date=Date(year=2004, month=4, day=1),
        effective_end_date=Date(year=2005, month=2, day=1),
    )
    assert ran.out.startswith("over version 3: starts added: 2, withdrawn: 0; cases touched: 1\n")
    assert "1 Feb 2005 00:00:00 D3 E1 nominal-1" in " ".join(ran.out.split())


def test_a_load_is_of_what_was_previewed_and_says_why(ppo: Run, served: Served, file: Path) -> None:
    served.tracking.areas = tracking.LoadAreasResponse(version=3, rows_added=2)

    ran = ppo("areas", "load", str(file), "--reason", "as agreed", "--yes")

    trial, _, load, _ = served.tracking.asked
    assert (trial.validate_only, load.validate_only) == (True, False)
    assert (load.base_version, load.reason) == (3, "as agreed")
    assert (ran.code, served.tracking.callers[-1].role) == (0, "register_keeper")
    assert "version 3 of the areas is loaded" in ran.out


def test_without_a_yes_or_a_change_nothing_is_loaded(ppo: Run, served: Served, file: Path) -> None:
    served.tracking.areas = tracking.LoadAreasResponse(version=3, rows_added=2)
    refused = ppo("areas", "load", str(file), "--reason", "as agreed")
    served.tracking.areas = tracking.LoadAreasResponse(version=3)
    same = ppo("areas", "load", str(file), "--reason", "as agreed", "--yes")

    assert [asked.validate_only for asked in served.tracking.asked if not asked.rows] == [True, True]
    # 130: nobody was there to say yes.
    assert (refused.code, same.code) == (130, 0)


def test_an_address_is_found_with_its_agencies(ppo: Run, served: Served) -> None:
    served.tracking.found = tracking.SearchAreasResponse(area="D3", version=3)
    served.tracking.found.later.add(area="E1", effective_start_date=Date(year=2005, month=2, day=1))
    served.tracking.found.agencies.add(kind="ldgs", id="ldg-3", name="Local Delivery Group 3")

    ran = ppo("areas", "find", "B33 8TH", "--premises", "14", "--on", "2005-01-03")

    [asked] = served.tracking.asked
    assert (asked.postcode, asked.premises, asked.date) == ("B33 8TH", "14", Date(year=2005, month=1, day=3))
    assert ran.out.startswith("D3, by version 3 of the areas\n  from 2005-02-01 E1\n")
    assert "ldgs ldg-3 Local Delivery Group 3" in " ".join(ran.out.split())


def test_what_was_loaded_is_listed_with_whom_and_why(ppo: Run, served: Served) -> None:
    served.tracking.versions = [
        tracking.AreaVersion(
            version=3,
            recorded_time=Timestamp(seconds=1104746400),
            loaded_by="Sgt Hill, west-midlands-police",
            reason="as agreed",
            rows_added=2,
            cases_touched=1,
        )
    ]

    ran = ppo("areas", "versions")

    shown = "3 3 Jan 2005 10:00:00 Sgt Hill, west-midlands-police 2 0 1 as agreed"
    assert shown in " ".join(ran.out.split())
