"""Who is on duty at an instant: midnight, the clock changed, a rota that changes, has a gap or ends."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from services.police.duty import on_call
from services.runtime.reference import Reference

COLUMNS = """
[columns.duty_contacts]
ocu = "text"
rank = "number"
days = "texts"
starts = "time"
ends = "time"
"""
SUNDAY = '["Sun"]'
EVERY_DAY = '["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]'
# In 2004 the clocks went forward on 28 March at 01:00 and back on 31 October at 02:00: both Sundays.

Rung = Callable[..., str | None]


def shift(
    row_id: str,
    starts: str,
    ends: str,
    *,
    days: str = EVERY_DAY,
    since: str = "2004-01-01",
    until: str = "",
    ocu: str = "D3",
    rank: int = 1,
) -> str:
    to = f"to = {until}" if until else ""
    return f"""
[[duty_contacts]]
id = "{row_id}"
from = {since}
{to}
ocu = "{ocu}"
rank = {rank}
days = {days}
starts = {starts}:00
ends = {ends}:00
"""


@pytest.fixture
def rung(tmp_path: Path) -> Rung:
    def ask(rota: str, at: str, *owners: str) -> str | None:
        (tmp_path / "rota.toml").write_text(COLUMNS + rota)
        reference = Reference.load(tmp_path)
        found = on_call(reference, owners=owners or ("D3",), at=datetime.fromisoformat(at))
        return found.id if found else None

    return ask


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2004-03-28T00:59:59+00:00", "night"),
        # A second later it is two o'clock: what begins at 01:30 has begun.
        ("2004-03-28T02:00:00+01:00", "odd"),
        ("2004-03-28T05:59:59+01:00", "odd"),
        ("2004-03-28T06:00:00+01:00", None),
    ],
)
def test_in_spring_the_hour_that_is_left_out_is_nobodys(rung: Rung, at: str, who: str | None) -> None:
    rota = shift("night", "22:00", "02:00") + shift("odd", "01:30", "06:00", days=SUNDAY)

    assert rung(rota, at) == who


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2004-10-31T00:30:00+01:00", "night"),
        ("2004-10-31T01:30:00+01:00", "night"),
        # The same hour again.
        ("2004-10-31T01:30:00+00:00", "night"),
        ("2004-10-31T02:00:00+00:00", "morning"),
        # Twenty-five hours after its start the day is over.
        ("2004-10-31T23:59:59+00:00", "late"),
        ("2004-11-01T00:00:00+00:00", "night"),
    ],
)
def test_in_autumn_the_hour_that_comes_twice_is_worked_twice(rung: Rung, at: str, who: str) -> None:
    rota = (
        shift("night", "00:00", "02:00")
        + shift("morning", "02:00", "12:00")
        + shift("late", "12:00", "00:00")
    )

    assert rung(rota, at) == who


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2004-12-31T23:59:59.999999+00:00", "saturday night"),
        ("2005-01-01T00:00:00+00:00", "saturday night"),
        ("2005-01-01T05:59:59+00:00", "saturday night"),
        ("2005-01-01T06:00:00+00:00", None),
        # It begins on Fridays alone.
        ("2005-01-02T00:00:00+00:00", None),
    ],
)
def test_a_shift_over_midnight_is_of_the_day_it_began(rung: Rung, at: str, who: str | None) -> None:
    assert rung(shift("saturday night", "22:00", "06:00", days='["Fri"]'), at) == who


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2004-12-31T23:00:00+00:00", "old"),
        # The rota changed at midnight, the shift did not: who began it ends it.
        ("2005-01-01T05:59:59+00:00", "old"),
        ("2005-01-01T06:00:00+00:00", None),
        ("2005-01-01T22:00:00+00:00", "new"),
        ("2005-01-02T05:59:59+00:00", "new"),
    ],
)
def test_a_night_shift_is_worked_to_its_end_though_the_rota_changes(
    rung: Rung, at: str, who: str | None
) -> None:
    rota = shift("old", "22:00", "06:00", until="2005-01-01") + shift(
        "new", "22:00", "06:00", since="2005-01-01"
    )

    assert rung(rota, at) == who


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2005-01-01T08:59:59+00:00", "inspector"),
        ("2005-01-01T09:00:00+00:00", "manager"),
        ("2005-01-01T17:00:00+00:00", "inspector"),
        # Nobody of D3's: the next owner's. Nobody at all: the control room.
        ("2005-01-01T19:00:00+00:00", "E3"),
        ("2005-01-01T21:00:00+00:00", None),
    ],
)
def test_a_gap_in_a_rota_is_the_next_ones(rung: Rung, at: str, who: str | None) -> None:
    rota = (
        shift("inspector", "07:00", "18:00", rank=2)
        + shift("manager", "09:00", "17:00")
        + shift("E3", "07:00", "20:00", ocu="E3")
    )

    assert rung(rota, at, "D3", "E3") == who


def test_a_rota_that_has_ended_leaves_the_next_owner_and_then_the_control_room(rung: Rung) -> None:
    rota = shift("D3", "00:00", "00:00", until="2005-01-01") + shift("E3", "00:00", "00:00", ocu="E3")

    assert rung(rota, "2004-12-31T23:59:59+00:00", "D3", "E3") == "D3"
    assert rung(rota, "2005-01-01T00:00:00+00:00", "D3", "E3") == "E3"
    assert rung(rota, "2005-01-01T00:00:00+00:00", "D3") is None
