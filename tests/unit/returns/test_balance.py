"""Counts that balance pass, and whatever does not is named."""

import re
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.returns import balance
from services.returns.definitions import ANYWHERE, BREAKDOWNS, STAGES, Cell
from tests.unit.returns.builders import NOVEMBER, OCUS, december, totals

BROKEN_DOWN = {
    "M1": ("ocu", "sex", "age_band", "ethnicity"),
    "M5": ("ocu", "reason"),
    "M6": ("ocu",),
    "M7": ("ocu",),
    "M8": ("ocu",),
    "M9": ("drug_class",),
    "M10": ("position",),
}


@st.composite
def shares(draw: Any, total: int, parts: tuple[Any, ...]) -> dict[Any, int]:
    """`total` divided among `parts` anyhow."""
    divided: dict[Any, int] = {}
    for part in parts[:-1]:
        divided[part] = draw(st.integers(0, total - sum(divided.values())))
    return divided | {parts[-1]: total - sum(divided.values())}


@st.composite
def movements(draw: Any) -> tuple[int, dict[Cell, int]]:
    """M0 of the month before, and a month's totals that follow from it."""
    brought, merged = draw(st.integers(50, 400)), draw(st.integers(-3, 3))
    moved, added = draw(st.integers(-20, 20)), draw(st.integers(0, 50))
    new = draw(st.integers(0, added))
    start = brought + moved + merged
    removed = draw(st.integers(added - new, start + added))
    counts = totals(M0=start + added - removed, M1=start + new, ADDED=added, REMOVED=removed, MOVED=moved)
    return brought, counts | totals(MERGED=merged, NEW_PERSONS=new)


@st.composite
def balanced(draw: Any) -> tuple[int, dict[Cell, int]]:
    brought, counts = draw(movements())
    tested = draw(st.integers(0, 500))
    ppos = draw(st.integers(0, tested))
    counts |= totals(M5=draw(st.integers(0, 60)), M6=draw(st.integers(0, 60)), M7=tested, M8=ppos)
    counts |= totals(M9=draw(st.integers(0, ppos)), **draw(shares(counts[Cell("M1")], tuple(STAGES))))
    for measure, breakdowns in BROKEN_DOWN.items():
        for breakdown in breakdowns:
            parts = (BREAKDOWNS[breakdown] or OCUS) + ANYWHERE
            divided = draw(shares(counts[Cell(measure)], parts))
            counts |= {Cell(measure, breakdown, part): value for part, value in divided.items()}
    return brought, counts


def imbalances(
    counts: dict[Cell, int], brought_forward: int | None = NOVEMBER, *more: tuple[Cell, int]
) -> list[str]:
    found = balance.imbalances([*counts.items(), *more], brought_forward, OCUS)
    return [check.cell for check in found]


@given(balanced())
def test_whatever_balances_passes(month: tuple[int, dict[Cell, int]]) -> None:
    brought, counts = month

    assert imbalances(counts, brought) == []
    assert imbalances(counts, None) == []


@given(balanced(), st.data(), st.sampled_from([-1, 1]))
def test_any_cell_that_is_wrong_by_one_is_refused_and_named(
    month: tuple[int, dict[Cell, int]], data: st.DataObject, wrong: int
) -> None:
    brought, counts = month
    cell = data.draw(st.sampled_from(sorted(counts)))

    found = balance.imbalances(list((counts | {cell: counts[cell] + wrong}).items()), brought, OCUS)

    if cell.category:
        assert f"{cell.measure} by {cell.breakdown}" in [check.cell for check in found]
    else:
        assert any(re.search(rf"\b{cell.measure}\b", str(check)) for check in found)


def test_december_2004_balances() -> None:
    assert imbalances(december()) == []


def test_an_imbalance_says_what_was_expected_and_what_was_found() -> None:
    counts = december() | {Cell("M1", "sex", "male"): 314}

    [found] = balance.imbalances(list(counts.items()), NOVEMBER, OCUS)

    assert (found.cell, found.expected, found.found) == ("M1 by sex", 321, 320)
    assert str(found) == "M1 by sex: expected 321, found 320 (the parts sum to the total of M1)"


@pytest.mark.parametrize("measure", ["M1", "M7"])
def test_an_ocu_that_is_missing_is_named(measure: str) -> None:
    counts = december()
    counts[Cell(measure, "ocu", "F2")] += counts.pop(Cell(measure, "ocu", "F3"))

    assert imbalances(counts) == [f"{measure} by ocu, F3"]


def test_an_ocu_of_another_area_is_named() -> None:
    assert imbalances(december() | {Cell("M1", "ocu", "A"): 0}) == ["M1 by ocu, A"]


def test_who_has_no_known_ocu_is_counted_all_the_same() -> None:
    counts = december() | {Cell("M1", "ocu", "D1"): 30, Cell("M1", "ocu", "not recorded"): 6}

    assert imbalances(counts) == []


def test_a_count_below_zero_is_named() -> None:
    counts = december() | {Cell("M1", "sex", "male"): 316, Cell("M1", "sex", "not specified"): -1}
    counts[Cell("M1", "sex", "female")] = 6

    assert imbalances(counts) == ["M1 by sex, not specified"]


def test_a_count_that_no_area_can_have_is_named() -> None:
    huge = 10_000_001

    assert imbalances(december() | totals(M6=huge)) == ["M6"]


def test_a_cell_that_is_given_twice_is_named() -> None:
    assert imbalances(december(), NOVEMBER, (Cell("M6"), 9)) == ["M6"]


@pytest.mark.parametrize("measure", ["ADDED", "M6", "M14", "NEW_PERSONS"])
def test_a_total_that_is_missing_is_named(measure: str) -> None:
    counts = december()
    del counts[Cell(measure)]

    assert measure in imbalances(counts)


def test_a_breakdown_that_is_missing_is_named() -> None:
    counts = {cell: value for cell, value in december().items() if cell.breakdown != "ethnicity"}

    assert imbalances(counts) == ["M1 by ethnicity"]


def test_a_measure_that_need_not_be_given_has_a_total_once_it_has_parts() -> None:
    counts = december() | {Cell("M24", "sex", "male"): 3}

    assert imbalances(counts) == ["M24", "M24 by sex"]
    assert imbalances(counts | totals(M24=3)) == []


@pytest.mark.parametrize(
    ("changes", "cell"),
    [({"M8": 409, "M7": 408}, "M8"), ({"M9": 14}, "M9"), ({"ADDED": 8, "REMOVED": 20}, "NEW_PERSONS")],
)
def test_a_part_is_no_larger_than_what_it_is_part_of(changes: dict[str, int], cell: str) -> None:
    counts = {one: value for one, value in december().items() if one.measure != "M9" or not one.category}

    assert imbalances(counts | totals(**changes)) == [cell]


def test_the_stages_are_those_of_the_positions() -> None:
    positions = {"custody remand": 50, "custody sentenced": 70, "in cjs": 41, "supervised": 59}
    positions |= {"at liberty targeted": 41, "other or not known": 50, "not recorded": 10}
    counts = december() | {Cell("M1", "position", one): value for one, value in positions.items()}

    assert imbalances(counts) == ["M11", "M12"]


def test_every_position_belongs_to_one_stage() -> None:
    assert sorted(chain(*STAGES.values())) == sorted((*(BREAKDOWNS["position"] or ()), *ANYWHERE))


def test_the_month_follows_from_the_month_before() -> None:
    found = balance.imbalances(list(december().items()), NOVEMBER - 1, OCUS)

    assert [(check.cell, check.expected, check.found) for check in found] == [
        ("M0", 299, 300),
        ("M1", 320, 321),
    ]


def test_a_person_who_moves_in_and_two_who_are_one_change_both_stocks() -> None:
    counts = december() | totals(M0=300, MOVED=2, MERGED=-1, ADDED=8, NEW_PERSONS=8)

    assert imbalances(counts, NOVEMBER) == []


def test_a_first_return_is_held_against_itself_alone() -> None:
    assert imbalances(december(), None) == []
    assert imbalances(december() | totals(REMOVED=20), None) == ["M1"]
