"""Whose arrest a custody record stands for, and what has to be told when that changes."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from ppo.custody.v1 import custody_pb2 as pb
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import screening_pb2
from services.custody import answers
from services.custody.replica import spans
from services.people.flags import flagged_at


class Change(NamedTuple):
    standing: str
    withdrawn: str = ""
    arrested: str = ""


def change(earlier: str, answer: pb.Answer, *, living: str, ruled_out: bool) -> Change:
    """`earlier` is the nominal whose arrest was told; `living` the one it is now, where it was merged."""
    nominal_id = answers.flagged(answer)
    if not nominal_id:
        return Change("", withdrawn=earlier) if ruled_out else Change(earlier)
    if nominal_id in (earlier, living):
        # A merge is told by the register to everybody who knows of the arrest.
        return Change(nominal_id)
    return Change(nominal_id, withdrawn=earlier, arrested=nominal_id)


def ruled_out(
    earlier: str,
    answer: pb.Answer,
    *,
    excluded: Collection[str],
    reidentified: bool,
    flag: flagging.Flag | None,
    booked_time: datetime,
) -> bool:
    """The person was never that PPO: an officer or a new identity says so, or the registration was annulled.

    Who was a PPO when booked in and is removed later stays arrested as one. An outage rules nobody out.
    """
    if earlier in excluded:
        return True
    if not answers.settled(answer) or answer.screening.outcome == screening_pb2.OUTCOME_UNKNOWN:
        return False
    return reidentified or (flag is not None and not flagged_at(booked_time, spans(flag)))
