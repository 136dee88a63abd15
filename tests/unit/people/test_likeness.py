"""Likeness is the same from both sides, and total."""

import string
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.people import likeness, names

# Names of few letters come near each other often; texts of all scripts hardly ever do.
near = st.lists(st.text("abj", min_size=1, max_size=5), max_size=3).map(" ".join)
wild = st.text(max_size=40).map(names.normal)
dates = st.tuples(st.sampled_from([0, 1978, 1979, 1987]), st.integers(0, 12), st.integers(0, 31))


def given_name(one: str, other: str) -> str:
    held = likeness.Spellings()
    code = np.array([held.code(other)], np.int32)
    return likeness.NAMES[likeness.given_names(one, held, code)[0]]


def family_name(one: str, other: str) -> str:
    held = likeness.Spellings()
    code = np.array([held.code(other)], np.int32)
    return likeness.NAMES[likeness.family_names(one, held, code)[0]]


def birth_date(one: likeness.Born, other: likeness.Born) -> str:
    others = np.array([likeness.date_code(other)], np.int32)
    [relation] = likeness.birth_dates(likeness.date_code(one), others)
    return likeness.DATES[likeness.DATE_LEVELS.flat[relation]]


@pytest.mark.parametrize("compare", [given_name, family_name])
@given(one=near | wild, other=near | wild)
def test_two_names_are_as_like_from_either_side(
    compare: Callable[[str, str], str], one: str, other: str
) -> None:
    assert compare(one, other) == compare(other, one)


@pytest.mark.parametrize(
    ("letter", "whole", "level"),
    [("j", "jonathan", "initial"), ("р", "роберт", "initial"), ("小", "小明", "differs")],
    ids=ascii,
)
def test_only_a_letter_that_has_a_capital_is_an_initial(letter: str, whole: str, level: str) -> None:
    assert given_name(letter, whole) == given_name(whole, letter) == level


@given(dates, dates)
def test_two_dates_are_as_like_from_either_side(one: likeness.Born, other: likeness.Born) -> None:
    assert birth_date(one, other) == birth_date(other, one)


@given(near | wild)
def test_every_name_is_exactly_itself(name: str) -> None:
    assert given_name(name, name) == family_name(name, name) == ("exact" if name else "")


@given(near | wild)
def test_a_missing_name_is_like_nothing_and_unlike_nothing(name: str) -> None:
    assert given_name(name, "") == family_name("", name) == ""


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
    assert family_name(one, other) == level


@given(st.text(string.ascii_lowercase, min_size=3, max_size=20), st.data())
def test_two_neighbouring_letters_swapped_are_one_edit(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 2))
    swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]

    assert family_name(name, swapped) in ("exact", "one edit")


@pytest.mark.parametrize("other", [(1978, 5, 1), (1989, 5, 1), (1979, 6, 1), (1979, 5, 10), (1997, 5, 1)])
def test_one_digit_wrong_or_two_swapped_is_one_slip(other: likeness.Born) -> None:
    assert birth_date((1979, 5, 1), other) == "one digit"
