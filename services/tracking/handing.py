"""What a change of ownership is told as."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.changes import Change, NoticeType

PROPOSED, CHANGED, DISPUTED, RESOLVED = (
    pb.NOTICE_TYPE_OWNERSHIP_PROPOSED,
    pb.NOTICE_TYPE_OWNERSHIP_CHANGED,
    pb.NOTICE_TYPE_OWNERSHIP_DISPUTED,
    pb.NOTICE_TYPE_OWNERSHIP_RESOLVED,
)
TYPES = (PROPOSED, CHANGED, DISPUTED, RESOLVED)
# Until somebody hears of a dispute that has no meeting to come.
FORUM = timedelta(days=14)


def handed(
    before: pb.Ownership,
    after: pb.Ownership,
    version: int,
    now: datetime,
    corrected: Sequence[pb.OwnershipCorrection] = (),
) -> Change | None:
    """Between two owners alone: that a case has begun or ended the flag tells.

    `corrected`: what was found out now about whose case it had been.
    """
    withdrawn = _withdrawn(before, after)
    kind = _kind(before, after) or (PROPOSED if withdrawn else None)
    kind = kind or (CHANGED if any(_between_owners(corrected)) else None)
    if kind is None or not (before.owner and after.owner):
        return None
    proposed = kind == PROPOSED
    takes_over = after.handover_time if proposed else after.effective_time
    known = after.HasField("handover_time" if proposed else "effective_time")
    owned = notice_pb2.OwnershipChange(
        from_owner=after.owner if proposed else before.owner,
        to_owner=(proposed and after.proposed_owner) or after.owner,
        rule=after.rule,
        effective_time=takes_over if known else None,
        facts_hash=sha256("\n".join(after.facts).encode()).hexdigest(),
        dispute=after.dispute if kind == DISPUTED else None,
        corrections=corrected,
        withdrawn_owner=withdrawn,
    )
    due = max(now, takes_over.ToDatetime(UTC)) if known else None
    by = _heard(after.dispute, now) if kind == DISPUTED else due
    return Change(kind, f"case {version}", now, now, owned=owned, due=by)


def concerned(owned: notice_pb2.OwnershipChange) -> set[str]:
    """Whose the case was, was taken for, is, is to be or was to be."""
    owners = (owner for one in owned.corrections for owner in (one.owner_before, one.owner))
    return {owned.from_owner, owned.to_owner, owned.withdrawn_owner, *owners} - {""}


def _withdrawn(before: pb.Ownership, after: pb.Ownership) -> str:
    """Whoever has got ready for a case that does not come must hear of it."""
    was = before.proposed_owner
    return "" if was in (after.owner, after.proposed_owner) else was


def _between_owners(corrected: Iterable[pb.OwnershipCorrection]) -> Iterable[bool]:
    return (bool(one.owner and one.owner_before) for one in corrected)


def _heard(dispute: pb.Dispute, now: datetime) -> datetime:
    return dispute.hearing_time.ToDatetime(UTC) if dispute.HasField("hearing_time") else now + FORUM


def _kind(before: pb.Ownership, after: pb.Ownership) -> NoticeType | None:
    was, now = before.state, after.state
    # At each further stage again: what two meetings have not settled is the Core Priority Group's.
    if now == pb.OWNERSHIP_STATE_DISPUTED and (was != now or before.dispute.stage != after.dispute.stage):
        return DISPUTED
    if was == pb.OWNERSHIP_STATE_DISPUTED != now:
        return RESOLVED
    if before.owner != after.owner:
        return CHANGED
    moved = (before.proposed_owner, before.handover_time) != (after.proposed_owner, after.handover_time)
    return PROPOSED if after.proposed_owner and moved else None
