"""How long a notice is provisional: 45 minutes from when it became known, for what others have entered."""

from datetime import UTC, datetime, timedelta

import pytest

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.changes import Change
from services.tracking.holding import held_until

KNOWN = datetime(2004, 12, 3, 17, tzinfo=UTC)
HOLD = timedelta(minutes=45)


def change(kind: str) -> Change:
    return Change(pb.NoticeType.Value(f"NOTICE_TYPE_{kind}"), "cause-1", KNOWN - timedelta(hours=2), KNOWN)


@pytest.mark.parametrize(
    "kind", ["PPO_ARRESTED", "DRUG_TEST_ROUTED", "PRISON_RECEPTION", "PRISON_TRANSFER", "RELEASED"]
)
def test_what_others_have_entered_is_held_from_when_it_became_known(kind: str) -> None:
    assert held_until(change(kind), HOLD, KNOWN) == KNOWN + HOLD
    assert held_until(change(kind), HOLD, KNOWN + HOLD) is None


@pytest.mark.parametrize("kind", ["PPO_FLAG_SET", "PPO_FLAG_CLEARED", "RELEASE_PLANNED", "RELEASE_CANCELLED"])
def test_what_somebody_has_decided_is_confirmed_from_the_first(kind: str) -> None:
    assert held_until(change(kind), HOLD, KNOWN) is None


def test_without_a_hold_everything_is_confirmed_from_the_first() -> None:
    assert held_until(change("RELEASED"), timedelta(), KNOWN) is None
