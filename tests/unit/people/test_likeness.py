"""Likeness is the same from both sides, and total."""

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.people import likeness, names, weights

# Names of few letters come near each other often; texts of all scripts hardly ever do.
near = st.lists(st.text("abj", min_size=1, max_size=5), max_size=3).map(" ".join)
wild = st.text(max_size=40).map(names.normal)
dates = st.tuples(st.sampled_from([0, 1978, 1979, 1987]), st.integers(0, 12), st.integers(0, 31))


@pytest.mark.parametrize("compare", [likeness.given_name, likeness.family_name])
@given(one=near | wild, other=near | wild)
def test_two_names_are_as_like_from_either_side(
    compare: Callable[[str, str], str], one: str, other: str
) -> None:
    level = compare(one, other)

    assert level == compare(other, one)
    assert level in {"", *weights.NAMES}


@given(dates, dates)
def test_two_dates_are_as_like_from_either_side(one: likeness.Born, other: likeness.Born) -> None:
    level = likeness.birth_date(one, other)

    assert level == likeness.birth_date(other, one)
    assert level in {"", "exact", "partial", *weights.DATES}


@given(near | wild)
def test_every_name_is_exactly_itself(name: str) -> None:
    assert likeness.given_name(name, name) == likeness.family_name(name, name) == ("exact" if name else "")


@given(near | wild)
def test_a_missing_name_is_like_nothing_and_unlike_nothing(name: str) -> None:
    assert likeness.given_name(name, "") == likeness.family_name("", name) == ""


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("smith jones", "smith", "shared word"),
        ("smith jones", "smithjones", "exact"),
        ("smith", "smyth", "one edit"),
        ("smith", "simth", "one edit"),
        ("wolstenholme", "wolstenhome", "one edit"),
        ("wright", "right", "one edit"),
        ("brown", "crowd", "two edits"),
        ("li", "xu", "differs"),
        ("smith", "jones", "differs"),
    ],
)
def test_a_family_name_says_how_it_differs(one: str, other: str, level: str) -> None:
    assert likeness.family_name(one, other) == level


@given(st.text(string.ascii_lowercase, min_size=3, max_size=20), st.data())
def test_two_neighbouring_letters_swapped_are_one_edit(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 2))
    swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]

    assert likeness.family_name(name, swapped) in ("exact", "one edit")


@pytest.mark.parametrize("other", [(1978, 5, 1), (1989, 5, 1), (1979, 6, 1), (1979, 5, 10), (1997, 5, 1)])
def test_one_digit_wrong_or_two_swapped_is_one_slip(other: likeness.Born) -> None:
    assert likeness.birth_date((1979, 5, 1), other) == "one digit"
