"""How far the lateness of an acknowledgement has gone: offender manager, OCU lead, forum."""

from datetime import datetime, timedelta
from typing import TypeAlias

from ppo.tracking.v1 import tracking_pb2 as pb

Level: TypeAlias = pb.EscalationLevel.ValueType

# Each is told one step after the one before; the first at the instant at which it is overdue.
LEVELS: tuple[Level, ...] = (
    pb.ESCALATION_LEVEL_OFFENDER_MANAGER,
    pb.ESCALATION_LEVEL_OCU_LEAD,
    pb.ESCALATION_LEVEL_FORUM,
)


# However late a notice is told, so long there is to acknowledge it.
GRACE = timedelta(hours=1)


def begins(due: datetime, told: datetime) -> datetime:
    """When a notice that was told then is overdue."""
    return max(due, told + GRACE)


def level(due: datetime, now: datetime, step: timedelta) -> Level:
    reached = [one for place, one in enumerate(LEVELS) if due + place * step <= now]
    return reached[-1] if reached else pb.ESCALATION_LEVEL_UNSPECIFIED


def following(due: datetime, now: datetime, step: timedelta) -> datetime | None:
    """The next instant at which somebody is told; None once all have been."""
    return next((at for place in range(len(LEVELS)) if (at := due + place * step) > now), None)
