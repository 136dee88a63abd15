"""How long a notice is provisional: what others have told may still be taken back."""

from datetime import datetime, timedelta

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.changes import Change

# Of what a suite or a prison has entered. What the register or a manager has decided, or time alone has
# brought, is so from the first.
ENTERED = (
    pb.NOTICE_TYPE_PPO_ARRESTED,
    pb.NOTICE_TYPE_DRUG_TEST_ROUTED,
    pb.NOTICE_TYPE_PRISON_RECEPTION,
    pb.NOTICE_TYPE_PRISON_TRANSFER,
    pb.NOTICE_TYPE_RELEASED,
)


def held_until(change: Change, hold: timedelta, now: datetime) -> datetime | None:
    """When what the change tells is confirmed; None where it is from the first.

    From when it became known: what has waited for a prison number for a day was not taken back in that day.
    """
    ends = change.recorded + hold
    return ends if change.type in ENTERED and now < ends else None
