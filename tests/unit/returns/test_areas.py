"""What was published stands beside the month and the area that it is of, and beside no other."""

from datetime import date
from pathlib import Path

import pytest

from services.returns.areas import NATION, NEEDS, Areas, beside
from services.runtime.errors import Invalid
from services.runtime.reference import Reference

BIRMINGHAM = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
DECEMBER, JANUARY = date(2004, 12, 1), date(2005, 1, 1)


@pytest.fixture(scope="module")
def areas() -> Areas:
    return Areas(Reference.load(BIRMINGHAM, needs=NEEDS))


def test_no_figure_of_the_nation_stands_beside_an_areas(areas: Areas) -> None:
    figures = beside(areas.published("birmingham", DECEMBER))

    assert figures["M1", ""] == "321"
    assert figures["M2", "male"] == "over 98%"
    assert figures["M8", ""] == "13, 3%"
    assert ("M10", "") not in figures


def test_a_figure_of_one_month_is_not_anothers(areas: Areas) -> None:
    figures = beside(areas.published("birmingham", JANUARY))

    assert ("M1", "") not in figures
    assert figures["M4", "non-White"] == "about 25%"


def test_the_published_shares_of_the_nation_leave_19_per_cent(areas: Areas) -> None:
    figures = beside(areas.published(NATION, DECEMBER))

    shares = [int(figures[f"M{number}", ""].removesuffix("%")) for number in range(10, 14)]
    assert shares == [40, 12, 17, 12]
    assert 100 - sum(shares) == 19
    assert figures["M9", ""] == "57%"
    assert beside(areas.published(NATION, date(2005, 2, 1)))["M9", ""] == "about 58%"


def test_a_scope_is_an_area_a_region_or_the_nation(areas: Areas) -> None:
    assert areas.scope("birmingham", DECEMBER, "area").single
    assert areas.scope("west-midlands", DECEMBER, "area").ids == ["birmingham"]
    assert areas.scope(NATION, DECEMBER, "area").name == "England and Wales"
    with pytest.raises(Invalid):
        areas.scope("atlantis", DECEMBER, "area")


def test_january_2005_has_a_new_tool(areas: Areas) -> None:
    assert (areas.tool(DECEMBER), areas.tool(JANUARY)) == ("1", "2")


def test_a_published_figure_has_its_words_period_and_source(areas: Areas) -> None:
    figures = areas.published("birmingham", DECEMBER)

    assert {one.period for one in figures} == {"2004-12", "returns so far", "plan"}
    assert all(one.source and one.words for one in figures)
    [male] = [one for one in figures if one.category == "male"]
    assert (male.words, male.quote) == ("over 98%", "Over 98 per cent were male")
