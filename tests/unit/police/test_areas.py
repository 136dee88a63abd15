"""Which area an address lies in: the narrowest row, on its days, and no two rows at once."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.police import areas
from services.police.areas import Code, Row

APRIL, JUNE, JULY = date(2004, 4, 1), date(2004, 6, 1), date(2004, 7, 1)


def found(rows: list[Row], postcode: str, house: str = "") -> areas.Timeline:
    return areas.timeline(areas.starts(areas.canonical(rows)), areas.code(postcode, house))


@pytest.mark.parametrize("raw", ["B33 8TH", "b338th", " b33  8th ", "B3 38TH"])
def test_a_postcode_is_written_in_one_way(raw: str) -> None:
    assert areas.postcode(raw) == "B33 8TH"


@pytest.mark.parametrize("raw", ["", "B33", "B33 8", "8TH", "B33 8T", "B33 8TH2", "B33 8TH B33", "٣"])
def test_what_is_no_whole_postcode_is_none_of_an_address(raw: str) -> None:
    with pytest.raises(areas.Malformed, match="is no whole postcode"):
        areas.postcode(raw)


@pytest.mark.parametrize(
    ("raw", "code"),
    [("b33", "B33"), ("B33 8", "B33 8"), ("B3 3", "B3 3"), ("b33 8th", "B33 8TH"), ("EC1A 1BB", "EC1A 1BB")],
)
def test_a_row_is_of_a_district_a_sector_or_a_postcode(raw: str, code: str) -> None:
    assert areas.code(raw) == Code(code)


def test_the_narrowest_row_says_it() -> None:
    rows = [
        Row("B33", "", "D3", APRIL),
        Row("B33 8", "", "E1", APRIL),
        Row("B33 8TH", "", "E2", APRIL),
        Row("B33 8TH", "12a, The Lodge", "F1", APRIL),
    ]

    assert found(rows, "B33 8TH", "12A the lodge.") == ((APRIL, "F1"),)
    assert found(rows, "B33 8TH", "14") == ((APRIL, "E2"),)
    assert found(rows, "B33 8TJ") == ((APRIL, "E1"),)
    assert found(rows, "B33 9AA") == ((APRIL, "D3"),)
    # A district is no beginning of letters.
    assert found(rows, "B3 3AA") == ()
    assert found(rows, "B34 8TH") == ()


def test_a_boundary_moves_on_its_day_and_a_row_that_ends_leaves_it_to_the_wider_one() -> None:
    rows = [
        Row("B33", "", "D3", APRIL),
        Row("B33 8", "", "E1", JUNE, JULY),
    ]

    line = found(rows, "B33 8TH")

    assert line == ((APRIL, "D3"), (JUNE, "E1"), (JULY, "D3"))
    assert [areas.at(line, day) for day in (date(2004, 3, 31), APRIL, date(2004, 5, 31), JUNE, JULY)] == [
        "",
        "D3",
        "D3",
        "E1",
        "D3",
    ]


def test_a_row_that_says_the_same_again_moves_no_boundary() -> None:
    rows = [Row("B33", "", "D3", APRIL, JUNE), Row("B33", "", "D3", JUNE), Row("B33 8", "", "D3", JULY)]

    assert found(rows, "B33 8TH") == ((APRIL, "D3"),)


def test_what_nobody_covers_any_more_lies_nowhere() -> None:
    assert found([Row("B33", "", "D3", APRIL, JUNE)], "B33 8TH") == ((APRIL, "D3"), (JUNE, ""))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([Row("B33 8TH 9", "", "D3", APRIL)], "row 1: postcode is no whole postcode, such as B33 8TH"),
        ([Row("B33 8", "14", "D3", APRIL)], "row 1: postcode is no whole postcode, such as B33 8TH"),
        ([Row("B33", "", "D3", JUNE, JUNE)], "row 1: effective_end_date is not after effective_start_date"),
        (
            [Row("B34", "", "D3", APRIL), Row("b33", "", "D3", JUNE), Row("B33", "", "E1", APRIL)],
            "row 2: effective_start_date overlaps row 3, of the same postcode",
        ),
        (
            [Row("B33", "", "E1", APRIL, JULY), Row("B33", "", "D3", JUNE)],
            "row 2: effective_start_date overlaps row 1, of the same postcode",
        ),
    ],
)
def test_a_row_that_is_none_is_told_with_its_place_and_rule(rows: list[Row], told: str) -> None:
    with pytest.raises(areas.RowError) as refused:
        areas.canonical(rows)

    assert str(refused.value) == told


def test_one_row_follows_another_on_the_day_it_ends() -> None:
    rows = [Row("B33", "", "D3", APRIL, JUNE), Row("B33", "", "E1", JUNE)]

    assert found(rows, "B33 8TH") == ((APRIL, "D3"), (JUNE, "E1"))


codes = st.sampled_from(["B33", "B33 8", "B33 8TH", "B34"])
day = st.integers(0, 20).map(lambda n: date(2004, 1, 1 + n))
stretches = st.builds(Row, codes, st.just(""), st.sampled_from(["D3", "E1"]), day, st.none() | day)


@given(st.lists(stretches, max_size=6), day)
def test_a_timeline_is_the_narrowest_row_in_force_on_every_day(rows: list[Row], on: date) -> None:
    try:
        canonical = areas.canonical(rows)
    except areas.RowError:
        return
    in_force = [row for row in canonical if row.start <= on and (row.end is None or on < row.end)]
    covering = [row for code in ("B33 8TH", "B33 8", "B33") for row in in_force if row.postcode == code]

    line = areas.timeline(areas.starts(canonical), Code("B33 8TH"))

    assert areas.at(line, on) == (covering[0].area if covering else "")
