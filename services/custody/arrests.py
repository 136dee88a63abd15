"""Whose arrest a custody record stands for, and what has to be told when that changes."""

from collections.abc import Collection
from datetime import UTC, datetime
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
    caught_up: bool,
) -> bool:
    """The person was never that PPO: an officer or a new identity says so, the registration was annulled, or
    a merge was taken back by which the two were one. `caught_up`: the flag is as late as the answer.

    Who was a PPO when booked in and is removed later stays arrested as one. An outage rules nobody out.
    """
    if earlier in excluded:
        return True
    if not answers.settled(answer) or answer.screening.outcome == screening_pb2.OUTCOME_UNKNOWN:
        return False
    if flag is None:
        return reidentified
    parted = caught_up and _another(answer, flag)
    return reidentified or parted or not flagged_at(booked_time, spans(flag))


def _another(answer: pb.Answer, flag: flagging.Flag) -> bool:
    """That one is a PPO still, and the register does not say so of this person."""
    at = answer.answered_time.ToDatetime(UTC)
    return flag.nominal_id not in answers.nominals(answer) and flagged_at(at, spans(flag))
