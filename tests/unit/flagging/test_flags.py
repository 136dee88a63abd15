"""What a flag says, and whom it makes a candidate at which instant."""

from datetime import UTC, datetime, timedelta

import pytest

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import screening_pb2
from services.flagging import flags
from services.flagging.fields import stamp
from tests.builders import person

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def episode(start: datetime, end: datetime | None, ocu: str = "D1") -> events_pb2.Episode:
    return events_pb2.Episode(
        registration_id="r",
        strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
        nominating_ocu=ocu,
        effective_start_time=stamp(start),
        effective_end_time=stamp(end),
    )


def flag(*episodes: events_pb2.Episode, now: datetime = NOON) -> events_pb2.Flag:
    return flags.flag("n", person(), episodes, now)


@pytest.mark.parametrize(
    ("episodes", "state"),
    [
        ([], flags.NOT_FLAGGED),
        ([episode(NOON - DAY, None)], flags.FLAGGED),
        ([episode(NOON, None)], flags.FLAGGED),
        ([episode(NOON - DAY, NOON + DAY)], flags.FLAGGED),
        ([episode(NOON - DAY, NOON)], flags.NOT_FLAGGED),
        ([episode(NOON - 3 * DAY, NOON - 2 * DAY), episode(NOON - DAY, None)], flags.FLAGGED),
    ],
)
def test_the_state_is_that_of_the_episodes_at_the_recorded_time(
    episodes: list[events_pb2.Episode], state: screening_pb2.FlagState.ValueType
) -> None:
    assert flag(*episodes).state == state


def test_a_candidate_is_named_with_the_episode_of_the_instant() -> None:
    held = flag(episode(NOON - 3 * DAY, NOON - 2 * DAY, "E3"), episode(NOON - DAY, NOON + DAY, "F2"))

    assert getattr(flags.candidate(held, NOON - 2.5 * DAY), "nominating_ocu", None) == "E3"
    assert getattr(flags.candidate(held, NOON), "nominating_ocu", None) == "F2"
    assert flags.candidate(held, NOON + DAY - timedelta(microseconds=1)) is not None
    assert flags.candidate(held, NOON + DAY) is None


def test_two_flags_say_the_same_but_for_when_and_by_which_version() -> None:
    held = flag(episode(NOON - DAY, None))
    later = flag(episode(NOON - DAY, None), now=NOON + DAY)
    later.version, later.epoch = 7, "e"

    assert flags.says_the_same(held, later)


@pytest.mark.parametrize("ocu", ["D1", "E3"])
@pytest.mark.parametrize("end", [None, NOON + DAY])
@pytest.mark.parametrize("family", ["Carter", "Doyle"])
def test_another_name_ocu_or_end_says_something_new(ocu: str, end: datetime | None, family: str) -> None:
    held = flag(episode(NOON - DAY, None))
    other = flags.flag("n", person(family=family), [episode(NOON - DAY, end, ocu)], NOON)

    assert flags.says_the_same(held, other) == ((ocu, end, family) == ("D1", None, "Carter"))
