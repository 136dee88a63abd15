"""Reference data holds from one day until another; a file that breaks a rule is refused in one line."""

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from services.runtime.reference import InvalidReference, Reference

COLUMNS = """
[columns.towns]
name = "text"

[columns.shops]
town = "-> towns"
sells = "texts"
shelves = "number"
opens = "time"
"""
TOWN = '[[towns]]\nid = "T"\nfrom = 2004-01-01\nname = "Old"\n'
SHOP = """
[[shops]]
id = "S"
from = 2004-01-01
town = "T"
sells = ["tea", "salt"]
shelves = 3
opens = 09:30:00
"""


def load(directory: Path, text: str) -> Reference:
    (directory / "data.toml").write_text(text)
    return Reference.load(directory)


def refusal(directory: Path, text: str) -> str:
    with pytest.raises(InvalidReference) as refused:
        load(directory, text)
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith(f"{directory / 'data.toml'}: ")
    return line.removeprefix(f"{directory / 'data.toml'}: ")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_row_gives_its_values_by_kind(tmp_path: Path) -> None:
    reference = load(tmp_path, COLUMNS + TOWN + SHOP)

    shop = reference.rows("shops", at=instant("2004-12-31T20:00"))[0]

    assert (shop.id, shop.effective_from, shop.effective_to) == ("S", date(2004, 1, 1), None)
    assert (shop.text("town"), shop.texts("sells")) == ("T", ("tea", "salt"))
    assert (shop.number("shelves"), shop.time_of_day("opens")) == (3, time(9, 30))


def test_a_value_asked_for_as_another_kind_is_refused(tmp_path: Path) -> None:
    shop = load(tmp_path, COLUMNS + TOWN + SHOP).rows("shops", at=instant("2004-12-31T20:00"))[0]

    with pytest.raises(TypeError, match="shops: shelves is int, not str"):
        shop.text("shelves")


@pytest.mark.parametrize(
    ("at", "name"),
    [
        ("2003-12-31T23:59:59", None),
        ("2004-01-01T00:00:00", "Old"),
        # London is an hour ahead in summer: the first of July begins at 23:00 of the day before.
        ("2004-06-30T22:59:59", "Old"),
        ("2004-06-30T23:00:00", "New"),
        ("2005-06-30T23:00:00", None),
    ],
)
def test_a_row_is_in_force_from_midnight_in_london_until_midnight(
    tmp_path: Path, at: str, name: str | None
) -> None:
    older = TOWN.replace("name", "to = 2004-07-01\nname")
    newer = '[[towns]]\nid = "T"\nfrom = 2004-07-01\nto = 2005-07-01\nname = "New"\n'
    reference = load(tmp_path, COLUMNS + newer + older)

    town = reference.row("towns", "T", at=instant(at))

    assert (town and town.text("name")) == name
    assert reference.rows("towns", at=instant(at)) == ([town] if town else [])


def test_an_instant_without_an_offset_is_refused(tmp_path: Path) -> None:
    reference = load(tmp_path, COLUMNS)

    with pytest.raises(ValueError, match="offset"):
        reference.rows("towns", at=datetime(2004, 12, 31))


def test_a_reference_is_followed_to_the_row_in_force(tmp_path: Path) -> None:
    reference = load(tmp_path, COLUMNS + TOWN + SHOP)
    shop = reference.rows("shops", at=instant("2004-12-31T20:00"))[0]

    assert reference.follow(shop, "town", at=instant("2004-12-31T20:00")).text("name") == "Old"
    with pytest.raises(LookupError, match="shops S: town leads nowhere"):
        reference.follow(shop, "town", at=instant("2003-12-31T20:00"))


def test_a_table_without_rows_is_empty(tmp_path: Path) -> None:
    assert load(tmp_path, COLUMNS).rows("shops", at=instant("2004-12-31T20:00")) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (TOWN.replace("from = 2004-01-01\n", ""), "towns T: from is missing"),
        (TOWN.replace("2004-01-01", '"2004-01-01"'), "towns T: from and to are days, such as 2004-09-06"),
        (
            TOWN.replace("2004-01-01", "2004-01-01T09:00:00"),
            "towns T: from and to are days, such as 2004-09-06",
        ),
        (TOWN.replace("name", "to = 2003-12-31\nname"), "towns T: to is not after from"),
        (TOWN.replace("name", "to = 2004-01-01\nname"), "towns T: to is not after from"),
        (TOWN + TOWN.replace("2004-01-01", "2004-03-01"), "towns T: stands twice on 2004-03-01"),
        (TOWN + TOWN, "towns T: stands twice on 2004-01-01"),
        (TOWN.replace('id = "T"\n', ""), "towns row 1: id is missing"),
        (TOWN.replace('name = "Old"', ""), "towns T: name is missing"),
        (TOWN + 'mayor = "M"\n', "towns T: mayor is not a column"),
        (TOWN.replace('"Old"', "7"), "towns T: name is of the wrong kind"),
        (TOWN + SHOP.replace("= 3", "= true"), "shops S: shelves is of the wrong kind"),
        (TOWN + SHOP.replace('"salt"', "7"), "shops S: sells is of the wrong kind"),
        (SHOP, "shops S: town names T, which towns does not hold all that time"),
        (
            TOWN.replace("2004-01-01", "2004-01-02") + SHOP,
            "shops S: town names T, which towns does not hold all that time",
        ),
        (
            TOWN.replace("name", "to = 2005-01-01\nname") + SHOP,
            "shops S: town names T, which towns does not hold all that time",
        ),
        ('[[rivers]]\nid = "R"\n', "rivers: has no [columns.rivers]"),
        ('[columns.rivers]\nlength = "miles"\n', "rivers: 'miles' is no kind of column"),
        ('[columns.rivers]\nsea = "-> seas"\n', "rivers: sea names seas, which is missing"),
        ('[towns]\nid = "T"\n', "towns: its rows are written [[towns]]"),
    ],
)
def test_a_broken_rule_is_refused_by_file_table_row_and_rule(tmp_path: Path, text: str, rule: str) -> None:
    assert refusal(tmp_path, COLUMNS + text) == rule


def test_a_reference_may_lead_through_rows_that_follow_each_other(tmp_path: Path) -> None:
    first = TOWN.replace("name", "to = 2004-07-01\nname")

    reference = load(tmp_path, COLUMNS + first + TOWN.replace("2004-01-01", "2004-07-01") + SHOP)

    assert reference.row("shops", "S", at=instant("2004-12-31T20:00")) is not None


def test_a_file_that_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    assert "line 1" in refusal(tmp_path, "towns = ]")


def test_an_empty_or_missing_directory_is_refused(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InvalidReference, match=r"holds no \.toml file"):
            Reference.load(directory)


def test_a_directory_includes_another_once(tmp_path: Path) -> None:
    area, country = tmp_path / "area", tmp_path / "country"
    area.mkdir()
    country.mkdir()
    (country / "towns.toml").write_text('include = ["../area"]\n[columns.towns]\nname = "text"\n' + TOWN)

    reference = load(area, 'include = ["../country", "../country"]\n')

    assert [town.id for town in reference.rows("towns", at=instant("2004-12-31T20:00"))] == ["T"]


def test_an_include_that_is_no_list_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, 'include = "../country"\n') == "include is not a list of directories"


def test_a_table_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "another.toml").write_text(COLUMNS)

    assert refusal(tmp_path, COLUMNS) == f"towns: stands in {tmp_path / 'another.toml'} as well"


def test_a_table_that_is_needed_is_named_when_it_is_missing(tmp_path: Path) -> None:
    load(tmp_path, COLUMNS)

    Reference.load(tmp_path, needs=["towns", "shops"])
    with pytest.raises(InvalidReference, match="rivers: the table is missing"):
        Reference.load(tmp_path, needs=["towns", "rivers"])
