"""Who may decide a dispute, and with whose votes; what a forum reads of it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from ppo.flagging.v1 import flagging_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Illegal, Invalid
from services.runtime.reference import Reference
from services.tracking.casefile import Entry
from services.tracking.forums import ABOVE, FORUMS

MUST_AGREE = {"police", "probation"}
NEVER = datetime.max.replace(tzinfo=UTC)


def refuse_unfit(reference: Reference, request: pb.DecideDisputeRequest, at: datetime) -> None:
    """What can be said of a decision without its case."""
    forum, above = reference.row(FORUMS, request.forum_id, at=at), request.forum_id in reference.ids(ABOVE)
    if forum is None and not above:
        raise Invalid("forum_id", "is no forum that the reference data knows")
    agencies = [vote.agency for vote in request.votes]
    for place, agency in enumerate(agencies):
        if not agency or agency in agencies[:place]:
            raise Invalid(f"votes[{place}].agency", "is given, and each agency votes once")
    if above and not _majority(request.votes):
        raise Illegal("WITHOUT_AGREEMENT", "more of the group must agree than do not")
    if forum and not _agreeing(request) >= MUST_AGREE:
        raise Illegal("WITHOUT_AGREEMENT", "police and probation must agree")


def refuse_undecided(
    reference: Reference, request: pb.DecideDisputeRequest, owned: pb.Ownership, at: datetime
) -> None:
    """A forum of the OCU that has the case decides, and nobody but the Core Priority Group after it."""
    if not owned.HasField("dispute"):
        raise Illegal("NO_DISPUTE", "there is no open dispute about this case")
    dispute, above = owned.dispute, request.forum_id in reference.ids(ABOVE)
    if above != (dispute.stage == pb.DISPUTE_STAGE_ESCALATED):
        raise Illegal("ANOTHER_FORUM", f"it is for {dispute.forum_id} to decide at this stage")
    row = reference.row(FORUMS, request.forum_id, at=at)
    ours = row is not None and owned.owner in row.texts("ocus")
    if not (above or ours or dispute.forum_id in ("", request.forum_id)):
        raise Illegal("ANOTHER_FORUM", f"a forum of {owned.owner} decides it, such as {dispute.forum_id}")


def to_proto(
    nominal_id: str, owned: pb.Ownership, claims: Iterable[tuple[Entry, pb.RaiseDisputeRequest]]
) -> pb.DisputedCase:
    made = pb.DisputedCase(nominal_id=nominal_id, owner=owned.owner, dispute=owned.dispute)
    for entry, told in claims:
        made.claims.add(ocu=told.ocu, reason=told.reason).raised_time.FromDatetime(entry.occurred)
    return made


def heard(case: pb.DisputedCase) -> tuple[datetime, datetime]:
    """In the order of the meetings; those escalated, which have none, last."""
    dispute = case.dispute
    meeting = dispute.hearing_time.ToDatetime(UTC) if dispute.HasField("hearing_time") else NEVER
    return meeting, dispute.raised_time.ToDatetime(UTC)


def _agreeing(request: pb.DecideDisputeRequest) -> set[str]:
    if not request.votes:
        return {agency.lower() for agency in request.agreeing_agencies}
    agreed = (vote.agency for vote in request.votes if vote.agrees)
    return {flagging_pb2.Agency.Name(agency).removeprefix("AGENCY_").lower() for agency in agreed}


def _majority(votes: Iterable[flagging_pb2.Vote]) -> bool:
    return sum(1 if vote.agrees else -1 for vote in votes) > 0
