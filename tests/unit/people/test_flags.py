"""A person is flagged from the first instant of an episode to just before its last."""

import hashlib
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.people import flags

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

instants = st.integers(-50, 50).map(lambda hours: NOON + timedelta(hours=hours))
spans = st.lists(st.tuples(instants, st.none() | instants), max_size=4)


def test_an_episode_holds_its_start_and_not_its_end() -> None:
    span = (NOON, NOON + timedelta(days=1))

    assert [
        flags.flagged_at(NOON + step, [span]) for step in (-TICK, 0 * TICK, timedelta(days=1) - TICK)
    ] == [
        False,
        True,
        True,
    ]
    assert not flags.flagged_at(NOON + timedelta(days=1), [span])


def test_an_episode_without_end_stands_for_ever() -> None:
    assert flags.flagged_at(NOON + timedelta(days=40_000), [(NOON, None)])


def test_one_episode_ends_as_the_next_begins() -> None:
    assert flags.flagged_at(NOON, [(NOON - TICK, NOON), (NOON, NOON + TICK)])


def test_nobody_is_flagged_by_an_empty_episode() -> None:
    assert not flags.flagged_at(NOON, [(NOON, NOON)])


@given(instants, spans)
def test_until_the_next_turn_the_answer_stands(instant: datetime, spans: list[flags.Span]) -> None:
    turn = flags.next_turn(instant, spans) or NOON + timedelta(days=40_000)

    assert turn > instant
    assert flags.flagged_at(turn - TICK, spans) == flags.flagged_at(instant, spans)


def test_a_contribution_is_the_first_eight_bytes_of_the_hash() -> None:
    written = hashlib.sha256(b"0b3f2a74-6c1d-4e5f-8a9b-0c1d2e3f4a5b/17").hexdigest()

    assert flags.contribution("0b3f2a74-6c1d-4e5f-8a9b-0c1d2e3f4a5b", 17) == int(written[:16], 16)
