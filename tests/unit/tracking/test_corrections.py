"""Two histories of one case held against each other: the stretches that are somebody else's now."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.corrections import Period, all_of, between, breaches, known

START = datetime(2004, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def period(hour: int, owner: str, recorded: int, superseded: int | None = None) -> Period:
    gone = None if superseded is None else START + superseded * HOUR
    return Period(START + hour * HOUR, pb.Ownership(owner=owner, rule="O5"), START + recorded * HOUR, gone)


def said(found: list[pb.OwnershipCorrection]) -> list[tuple[str, str, float, float | None]]:
    return [
        (
            one.owner_before,
            one.owner,
            (one.start_time.ToDatetime(UTC) - START) / HOUR,
            (one.end_time.ToDatetime(UTC) - START) / HOUR if one.HasField("end_time") else None,
        )
        for one in found
    ]


def test_a_move_told_late_corrects_from_the_move_on() -> None:
    history = [period(0, "E3", 0), period(10, "D3", 30)]

    assert said(all_of(history)) == [("E3", "D3", 10, None)]


def test_a_stretch_in_the_middle_has_its_end() -> None:
    history = [period(0, "E3", 0), period(20, "F2", 20), period(10, "D3", 30), period(15, "E3", 30)]

    assert said(all_of(history)) == [("E3", "D3", 10, 15)]


def test_what_is_superseded_is_held_against_what_stands_instead() -> None:
    history = [period(0, "E3", 0), period(10, "D3", 10, 30), period(10, "F2", 30)]

    assert said(all_of(history)) == [("D3", "F2", 10, None)]


def test_what_is_known_in_its_minute_corrects_nothing() -> None:
    soon = Period(START + 30 * HOUR - timedelta(seconds=59), pb.Ownership(owner="D3"), START + 30 * HOUR)

    assert all_of([period(0, "E3", 0), soon]) == []


def test_the_first_history_corrects_nothing() -> None:
    assert all_of([period(0, "E3", 30), period(10, "D3", 30)]) == []


def test_the_same_owner_by_another_rule_is_no_correction() -> None:
    other = Period(START + 5 * HOUR, pb.Ownership(owner="E3", rule="O6"), START + 30 * HOUR)

    assert all_of([period(0, "E3", 0), other]) == []


def test_as_known_then_is_what_stood_then() -> None:
    history = [period(0, "E3", 0), period(10, "D3", 10, 30), period(10, "F2", 30)]

    assert [one.ownership.owner for one in known(history, START + 29 * HOUR)] == ["E3", "D3"]
    assert [one.ownership.owner for one in known(history, START + 30 * HOUR)] == ["E3", "F2"]


histories = st.dictionaries(st.integers(0, 20), st.sampled_from(["E3", "D3", "F2"]), min_size=1, max_size=6)


@given(histories, histories)
def test_at_every_hour_of_a_correction_and_at_no_other_the_owners_differ(
    before: dict[int, str], after: dict[int, str]
) -> None:
    old, new = ([period(hour, owner, 0) for hour, owner in sorted(one.items())] for one in (before, after))
    found = said(list(between(old, new, START + 30 * HOUR)))

    for hour in range(30):
        was, now = (
            next((one[start] for start in sorted(one, reverse=True) if start <= hour), "")
            for one in (before, after)
        )
        corrected = [
            (one, other) for one, other, start, end in found if start <= hour < (30 if end is None else end)
        ]
        assert corrected == ([(was, now)] if was != now else [])


# ---- instants without exactly one owner

LIVE = (START, START + 20 * HOUR)
LATER = START + 100 * HOUR


def test_a_history_that_begins_and_ends_with_the_registration_has_no_breach() -> None:
    assert breaches([LIVE], [period(0, "E3", 0), period(5, "D3", 5), period(20, "", 20)], LATER) == 0


@pytest.mark.parametrize(
    "history",
    [
        [],
        [period(1, "E3", 0), period(20, "", 20)],
        [period(0, "E3", 0), period(5, "", 5), period(6, "E3", 6), period(20, "", 20)],
        [period(0, "E3", 0)],
        [period(0, "E3", 0), period(21, "", 21)],
        [period(0, "E3", 0), period(5, "D3", 5), period(5, "F2", 5), period(20, "", 20)],
    ],
)
def test_a_gap_an_owner_too_long_and_two_at_once_are_breaches(history: list[Period]) -> None:
    assert breaches([LIVE], history, LATER) > 0


def test_what_lies_ahead_is_no_breach_yet() -> None:
    assert breaches([LIVE], [period(0, "E3", 0)], START + 19 * HOUR) == 0
