"""Whose arrest stands, and what is told when that changes."""

from datetime import timedelta

import pytest

from ppo.custody.v1 import custody_pb2 as pb
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import screening_pb2
from services.custody import arrests
from services.custody.arrests import Change
from tests.unit.custody.register import DAY, NOW, flag
from tests.unit.custody.test_answers import NO, POSSIBLE, UNREACHED, YES, by_register, screening

BOOKED = NOW - timedelta(minutes=30)
ANNULLED = flagging.Flag(nominal_id="n1", state=screening_pb2.FLAG_STATE_NOT_FLAGGED)


@pytest.mark.parametrize(
    ("earlier", "answer", "living", "ruled_out", "change"),
    [
        ("", YES, "", False, Change("n1", arrested="n1")),
        ("", NO, "", False, Change("")),
        ("n1", YES, "n1", False, Change("n1")),
        ("n1", NO, "n1", False, Change("n1")),
        ("n1", UNREACHED, "n1", False, Change("n1")),
        ("n1", NO, "n1", True, Change("", withdrawn="n1")),
        ("n2", YES, "n2", False, Change("n1", withdrawn="n2", arrested="n1")),
        # n2 was merged into n1: the same person.
        ("n2", YES, "n1", False, Change("n1")),
    ],
)
def test_what_a_new_answer_tells_of_arrests(
    earlier: str, answer: pb.Answer, living: str, ruled_out: bool, change: Change
) -> None:
    assert arrests.change(earlier, answer, living=living, ruled_out=ruled_out) == change


def ruled_out(
    answer: pb.Answer,
    *,
    excluded: frozenset[str] = frozenset(),
    reidentified: bool = False,
    state: flagging.Flag | None = None,
    caught_up: bool = False,
) -> bool:
    return arrests.ruled_out(
        "n1",
        answer,
        excluded=excluded,
        reidentified=reidentified,
        flag=state,
        booked_time=BOOKED,
        caught_up=caught_up,
    )


def test_who_was_registered_in_error_was_never_arrested_as_a_ppo() -> None:
    assert ruled_out(NO, state=ANNULLED)


def test_who_was_removed_after_the_booking_stays_arrested_as_a_ppo() -> None:
    assert not ruled_out(NO, state=flag("n1", flagged=False, end=NOW))


def test_who_had_been_removed_before_the_booking_was_not_arrested_as_a_ppo() -> None:
    assert ruled_out(NO, state=flag("n1", flagged=False, start=NOW - 9 * DAY, end=NOW - DAY))


def test_an_outage_rules_nobody_out() -> None:
    assert not ruled_out(UNREACHED, reidentified=True, state=ANNULLED)


def test_an_officer_rules_a_nominal_out_whatever_the_register_says() -> None:
    assert ruled_out(UNREACHED, excluded=frozenset({"n1"}))


def test_a_new_identity_that_is_not_flagged_rules_the_old_one_out() -> None:
    assert ruled_out(NO, reidentified=True, state=flag("n1"))
    assert ruled_out(by_register(screening(POSSIBLE, "n2")), reidentified=True, state=flag("n1"))
    assert not ruled_out(NO, state=flag("n1"))


def test_who_is_found_to_be_another_than_somebody_who_is_a_ppo_still_was_never_arrested_as_that_one() -> None:
    no = pb.Answer()
    no.CopyFrom(NO)
    no.answered_time.FromDatetime(NOW)

    assert ruled_out(no, state=flag("n1"), caught_up=True)
    # What is held of the register may be older than its answer: then the one may have been removed since.
    assert not ruled_out(no, state=flag("n1"), caught_up=False)
    assert not ruled_out(no, state=flag("n1", flagged=False, end=NOW), caught_up=True)
