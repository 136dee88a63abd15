"""The headline measures as they are printed: whole per cent, half up, of the base that is defined."""

import pytest

from services.returns.definitions import STAGES, Cell
from services.returns.measures import Headline, headlines
from tests.unit.returns.builders import december, parts, totals


def shown(measure: str, counts: dict[Cell, int] | None = None) -> list[tuple[str, int, int, int]]:
    found = headlines(december() if counts is None else counts, planned=270)
    return [(one.category, one.value, one.base, one.per_cent) for one in found if one.measure == measure]


@pytest.mark.parametrize(
    ("value", "base", "per_cent"),
    [(13, 408, 3), (9, 13, 69), (1, 200, 1), (1, 201, 0), (5, 1000, 1), (0, 7, 0), (7, 7, 100), (7, 0, -1)],
)
def test_a_share_is_whole_per_cent_half_up(value: int, base: int, per_cent: int) -> None:
    assert Headline("M8", "", value, base).per_cent == per_cent


def test_of_408_tests_13_were_of_ppos_and_9_of_these_positive() -> None:
    assert shown("M7") == [("", 408, 0, -1)]
    assert shown("M8") == [("", 13, 408, 3)]
    assert shown("M9") == [("", 9, 13, 69), ("heroin", 5, 9, 56), ("heroin and cocaine", 4, 9, 44)]


def test_the_people_of_december_are_as_published() -> None:
    assert shown("M1") == [("", 321, 0, -1)]
    nobody = ("not recorded", 0, 321, 0)
    assert shown("M2") == [("male", 315, 321, 98), ("female", 6, 321, 2), nobody]
    assert shown("M3") == [("18-25", 170, 321, 53), ("26+", 151, 321, 47), nobody]
    assert shown("M5")[0] == ("", 21, 0, -1)


def test_ethnicity_is_rolled_up_with_and_without_those_not_recorded() -> None:
    assert shown("M4") == [
        ("White", 158, 321, 49),
        ("non-White", 80, 321, 25),
        ("not stated", 0, 321, 0),
        ("not recorded", 83, 321, 26),
        ("White of those recorded", 158, 238, 66),
        ("non-White of those recorded", 80, 238, 34),
    ]
    assert shown("M20") == [("", 238, 321, 74)]


def test_who_was_asked_and_did_not_say_is_recorded() -> None:
    asked = december() | {Cell("M1", "ethnicity", "NS"): 3, Cell("M1", "ethnicity", "not recorded"): 80}

    assert ("not stated", 3, 321, 1) in shown("M4", asked)
    assert shown("M20", asked) == [("", 241, 321, 75)]


def test_stages_are_shares_of_the_people_with_remand_and_sentence_apart() -> None:
    assert shown("M10") == [
        ("", 120, 321, 37),
        ("custody remand", 50, 321, 16),
        ("custody sentenced", 70, 321, 22),
    ]
    assert sum(shown(stage)[0][1] for stage in STAGES) == 321


def test_size_is_held_against_the_plan_of_thirty_an_ocu() -> None:
    assert shown("M15")[:2] == [("", 321, 270, 119), ("D1", 36, 30, 120)]
    assert len(shown("M15")) == 10


def test_an_area_without_a_plan_has_sizes_without_a_share() -> None:
    sizes = [one for one in headlines(december(), planned=0) if one.measure == "M15"]

    assert {one.per_cent for one in sizes} == {-1}


def test_a_month_without_tests_has_no_shares_of_them() -> None:
    nobody = {cell: value for cell, value in december().items() if cell.measure not in ("M7", "M8", "M9")}

    assert shown("M8", nobody | totals(M7=0, M8=0, M9=0)) == [("", 0, 0, -1)]


def test_measures_stand_in_their_order_and_what_is_not_counted_does_not_stand() -> None:
    measures = list(dict.fromkeys(one.measure for one in headlines(december() | totals(M24=7), planned=270)))

    assert measures == [f"M{number}" for number in (*range(16), 20, 24)]
    assert shown("M24", december() | totals(M24=7)) == [("", 7, 0, -1)]


def test_days_have_a_median_and_a_mean() -> None:
    given = (("10", 2), ("64", 1), ("9", 1), ("not recorded", 3))
    days = {Cell("M16", "days", day): times for day, times in given}

    assert [(one[0], one[1]) for one in shown("M16", december() | totals(M16=7) | days)] == [
        ("", 7),
        ("days not recorded", 3),
        ("median days", 10),
        ("mean days", 23),
    ]


def test_days_of_each_ocu_and_court_have_a_median_and_a_mean() -> None:
    days = {("ocu_days", "D3: 10"): 2, ("ocu_days", "E1: 64"): 1, ("court_days", "birmingham-crown: 64"): 1}
    counts = december() | totals(M16=3) | {Cell("M16", *part): times for part, times in days.items()}

    assert [(one[0], one[1]) for one in shown("M16", counts)] == [
        ("", 3),
        ("D3, median days", 10),
        ("D3, mean days", 10),
        ("E1, median days", 64),
        ("E1, mean days", 64),
        ("birmingham-crown, median days", 64),
        ("birmingham-crown, mean days", 64),
    ]


def test_each_ocu_agency_and_prison_has_its_share_of_what_was_due() -> None:
    crossed = {
        ("M17", "ocu_treatment", "D3: in treatment"): 1,
        ("M17", "ocu_treatment", "D3: not in treatment"): 2,
        ("M18", "ocu_attendance", "D3: attended"): 3,
        ("M18", "agency_attendance", "probation: attended"): 3,
        ("M18", "agency_attendance", "probation: unacceptable absence"): 1,
        ("M19", "prison_limit", "BMI: release told 3 months before, in time"): 1,
        ("M19", "prison_limit", "BMI: release told 3 months before, late"): 2,
        ("M19", "prison_limit", "BMI: release told 3 months before, not recorded"): 1,
    }
    counts = december() | {Cell(*cell): value for cell, value in crossed.items()}

    assert ("D3, in treatment", 1, 3, 33) in shown("M17", counts)
    assert ("D3, attended", 3, 3, 100) in shown("M18", counts)
    assert ("probation, attended", 3, 4, 75) in shown("M18", counts)
    assert shown("M19", counts | totals(M19=0))[1:] == [
        ("BMI, release told 3 months before, in time", 1, 4, 25),
        ("BMI, release told 3 months before, not recorded", 1, 4, 25),
    ]


NEEDS = parts("M1", "drug_need", need_identified=100, no_need=21, not_recorded=200)


def test_whose_drug_need_is_not_recorded_is_a_share_of_all() -> None:
    assert shown("M17", december() | totals(M17=100) | NEEDS) == [
        ("need identified", 100, 321, 31),
        ("no need", 21, 321, 7),
        ("need not recorded", 200, 321, 62),
    ]


def test_needs_that_the_area_counted_itself_say_nothing_of_who_has_none() -> None:
    assert shown("M17", december() | totals(M17=120) | NEEDS) == [("need identified", 120, 321, 37)]


def test_rates_before_and_after_are_for_so_many_ppos_and_days_half_up() -> None:
    counts = december() | totals(M21=60, M22=60)
    for measure in ("M21", "M22"):
        counts[Cell(measure, "follow_up", "followed up")] = 40
    for of, before, after in (
        ("CONVICTIONS", 90, 50),
        ("OFFENCES", 130, 61),
        ("LIBERTY_DAYS", 8_000, 12_200),
    ):
        counts |= parts(of, "window", before=before, after=after)

    assert shown("M21", counts)[1:] == [
        ("convictions before", 90, 0, -1),
        ("convictions before, for 100 PPOs", 225, 0, -1),
        ("convictions after", 50, 0, -1),
        ("convictions after, for 100 PPOs", 125, 0, -1),
    ]
    assert [one[:2] for one in shown("M22", counts)][-2:] == [
        ("offences before, for 1,000 days at liberty", 16),
        ("offences after, for 1,000 days at liberty", 5),
    ]
