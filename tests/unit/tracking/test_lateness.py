"""Who has been told by when that a notice was not acknowledged."""

from datetime import UTC, datetime, timedelta

import pytest

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.lateness import GRACE, begins, following, level

DUE = datetime(2004, 12, 1, 9, tzinfo=UTC)
STEP = timedelta(hours=24)


@pytest.mark.parametrize(
    ("hours", "reached", "then"),
    [
        (-1, pb.ESCALATION_LEVEL_UNSPECIFIED, 0),
        (0, pb.ESCALATION_LEVEL_OFFENDER_MANAGER, 24),
        (23, pb.ESCALATION_LEVEL_OFFENDER_MANAGER, 24),
        (24, pb.ESCALATION_LEVEL_OCU_LEAD, 48),
        (48, pb.ESCALATION_LEVEL_FORUM, None),
        (480, pb.ESCALATION_LEVEL_FORUM, None),
    ],
)
def test_each_step_is_one_up(hours: int, reached: int, then: int | None) -> None:
    now = DUE + timedelta(hours=hours)

    assert level(DUE, now, STEP) == reached
    assert following(DUE, now, STEP) == (None if then is None else DUE + timedelta(hours=then))


def test_what_is_told_late_leaves_time_to_acknowledge() -> None:
    assert begins(DUE, DUE - timedelta(days=1)) == DUE
    assert begins(DUE, DUE + timedelta(days=1)) == DUE + timedelta(days=1) + GRACE
