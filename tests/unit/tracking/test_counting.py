"""What the database counted is told in the words of a return, and what was none is told too."""

import pytest

from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.returns import definitions
from services.tracking.counting import BY_OCU, CROSSED, LIMITS, MEASURED, WORDS, Area, Cell, Row, cells

AREA = Area(("D3", "E3"), {"birmingham-yot": ("D3", "E3")}, {})


def told(*rows: tuple[str, str, str, int]) -> dict[Cell, int]:
    given = (Row("here", *row) for row in rows)
    return {cell: value for cell, value in cells(given, AREA).items() if value}


def test_every_measure_and_every_ocu_is_told_where_nothing_was_counted() -> None:
    found = cells([], AREA)

    assert {cell.measure for cell in found} == set(MEASURED)
    assert {cell.category for cell in found if cell[:2] == ("M1", "ocu")} == {"D3", "E3"}
    assert not any(found.values())


def test_every_measure_of_a_return_is_sent_or_made_of_what_is() -> None:
    derived = {"M2", "M3", "M4", "M15"}

    assert set(MEASURED) | derived == definitions.MEASURES.keys()
    assert set(BY_OCU) <= set(MEASURED)


def test_the_limits_are_those_of_a_return() -> None:
    assert set(LIMITS.values()) == set(definitions.LIMITS)


def test_a_position_is_told_with_its_stage() -> None:
    remand, other, unspecified = str(pb.POSITION_CUSTODY_REMAND), str(pb.POSITION_OTHER_OR_NOT_KNOWN), "0"
    positions = {remand: 3, other: 4, unspecified: 2}

    assert told(*(("M1", "position", one, value) for one, value in positions.items())) == {
        Cell("M1", "position", "custody remand"): 3,
        Cell("M10"): 3,
        Cell("M10", "position", "custody remand"): 3,
        Cell("M1", "position", "other or not known"): 4,
        Cell("M1", "position", "not recorded"): 2,
        Cell("M14"): 6,
        Cell("M14", "position", "other or not known"): 4,
        Cell("M14", "position", "not recorded"): 2,
    }


def test_a_reason_that_nobody_told_is_not_recorded_and_one_of_a_later_contract_is_another() -> None:
    moved = str(flagging_pb2.REMOVAL_REASON_MOVED_AWAY)

    assert told(("M5", "reason", moved, 2), ("M5", "reason", "0", 1), ("M5", "reason", "99", 1)) == {
        Cell("M5", "reason", "moved away"): 2,
        Cell("M5", "reason", "not recorded"): 1,
        Cell("M5", "reason", "other or not known"): 1,
    }


def test_codes_of_eighteen_are_told_as_those_of_sixteen_and_what_is_no_code_as_other() -> None:
    rows = [("M1", "ethnicity", code, 1) for code in ("A4", "W3", "W1", "", "??")]

    assert {cell.category: value for cell, value in told(*rows).items()} == {
        "O1": 1,
        "W9": 1,
        "W1": 1,
        "not recorded": 1,
        "other or not known": 1,
    }


def test_whoever_is_in_no_ocu_of_the_area_is_told_as_other() -> None:
    assert told(("M1", "ocu", "", 2)) == {Cell("M1", "ocu", "other or not known"): 2}


# Before or after can be said only of what is known.
PLACES_AND_WINDOWS = {"ocu", "team", "agency", "court", "window_days"}


@pytest.mark.parametrize("breakdown", sorted(set(definitions.BREAKDOWNS) - PLACES_AND_WINDOWS - set(CROSSED)))
def test_not_recorded_and_other_are_parts_of_every_breakdown_of_a_return(breakdown: str) -> None:
    for part in definitions.ANYWHERE:
        assert definitions.cell("M1", breakdown, part).category == part


def test_the_words_of_a_category_are_those_of_a_return() -> None:
    drugs = [WORDS["drug_class"](str(number)) for number in custody_pb2.Drug.values()]
    kinds = (pb.PROGRESS_KIND_ATTENDED, pb.PROGRESS_KIND_ACCEPTABLE_ABSENCE)

    assert set(drugs) <= {*(definitions.BREAKDOWNS["drug_class"] or ()), "not recorded"}
    assert [WORDS["attendance"](str(kind)) for kind in kinds] == ["attended", "acceptable absence"]
