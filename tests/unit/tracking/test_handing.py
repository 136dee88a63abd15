"""What a change of ownership is told as, between two owners alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.handing import CHANGED, DISPUTED, PROPOSED, RESOLVED, concerned, handed
from tests.integration.tracking.running import stamp

NOW = datetime(2004, 12, 3, 15, tzinfo=UTC)
AHEAD = NOW + timedelta(days=20)


def owned(owner: str, state: str = "ASSIGNED", **told: Any) -> pb.Ownership:
    given: dict[str, Any] = {"effective_time": stamp(NOW), "rule": "O6", "facts": ["Lives in E3."]} | told
    return pb.Ownership(owner=owner, state=pb.OwnershipState.Value(f"OWNERSHIP_STATE_{state}"), **given)


TO_F2 = owned("E3", "PROPOSED", proposed_owner="F2", handover_time=stamp(AHEAD))


@pytest.mark.parametrize(
    ("before", "after", "kind", "whose"),
    [
        (owned("E3"), owned("D3"), CHANGED, ("E3", "D3")),
        (owned("E3"), TO_F2, PROPOSED, ("E3", "F2")),
        (TO_F2, owned("F2"), CHANGED, ("E3", "F2")),
        (owned("E3"), owned("E3", "DISPUTED"), DISPUTED, ("E3", "E3")),
        (owned("E3", "DISPUTED"), owned("F2"), RESOLVED, ("E3", "F2")),
        (owned("birmingham-yot"), owned("E3"), CHANGED, ("birmingham-yot", "E3")),
    ],
)
def test_a_change_is_told_with_both_owners(
    before: pb.Ownership, after: pb.Ownership, kind: int, whose: tuple[str, str]
) -> None:
    change = handed(before, after, 7, NOW)

    assert change is not None
    assert change.owned is not None
    assert change.type == kind
    assert (change.owned.from_owner, change.owned.to_owner) == whose
    assert change.owned.rule == "O6"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (owned("E3"), owned("E3")),
        (owned("E3", "INTERIM"), owned("E3")),
        # That a case has begun or ended the flag tells.
        (owned("", "NONE"), owned("E3")),
        (owned("E3"), owned("", "NONE")),
        (TO_F2, TO_F2),
    ],
)
def test_what_moves_no_case_is_not_told(before: pb.Ownership, after: pb.Ownership) -> None:
    assert handed(before, after, 7, NOW) is None


def test_a_proposal_is_due_before_it_takes_effect_and_a_dispute_before_the_next_forum() -> None:
    proposed = handed(owned("E3"), TO_F2, 7, NOW)
    disputed = handed(owned("E3"), owned("E3", "DISPUTED"), 7, NOW)

    assert proposed is not None
    assert proposed.due == AHEAD
    assert disputed is not None
    assert disputed.due == NOW + timedelta(days=14)


def disputed(stage: str, hearing: datetime | None = None) -> pb.Ownership:
    number = pb.DisputeStage.Value(f"DISPUTE_STAGE_{stage}")
    clock = pb.Dispute(claimants=["F2"], stage=number, hearing_time=stamp(hearing) if hearing else None)
    return owned("E3", "DISPUTED", dispute=clock)


def test_a_dispute_is_told_at_each_stage_and_is_due_when_it_is_heard() -> None:
    listed, adjourned = disputed("LISTED", AHEAD), disputed("ADJOURNED", AHEAD + timedelta(days=14))
    escalated = disputed("ESCALATED")

    told = [
        handed(*pair, 7, NOW) for pair in ((owned("E3"), listed), (listed, adjourned), (adjourned, escalated))
    ]

    assert [change and (change.type, change.due) for change in told] == [
        (DISPUTED, AHEAD),
        (DISPUTED, AHEAD + timedelta(days=14)),
        (DISPUTED, NOW + timedelta(days=14)),
    ]
    assert [change and change.owned and change.owned.dispute for change in told] == [
        one.dispute for one in (listed, adjourned, escalated)
    ]
    assert handed(listed, listed, 7, NOW) is None


def test_the_hash_is_of_the_facts_that_decided() -> None:
    one = handed(owned("E3"), owned("D3"), 7, NOW)
    other = handed(owned("E3"), owned("D3", facts=["Lives in D3."]), 7, NOW)

    assert one is not None
    assert one.owned is not None
    assert len(one.owned.facts_hash) == 64
    assert other is not None
    assert other.owned is not None
    assert one.owned.facts_hash != other.owned.facts_hash


@pytest.mark.parametrize(
    ("after", "kind", "to"),
    [
        # The release has lost its address, or has got another; or somebody else took the case over.
        (owned("E3"), PROPOSED, "E3"),
        (owned("E3", "PROPOSED", proposed_owner="D1", handover_time=stamp(AHEAD)), PROPOSED, "D1"),
        (owned("D1"), CHANGED, "D1"),
    ],
)
def test_who_was_to_have_a_case_and_is_not_any_more_is_told(after: pb.Ownership, kind: int, to: str) -> None:
    change = handed(TO_F2, after, 7, NOW)

    assert change is not None
    assert change.owned is not None
    assert (change.type, change.owned.to_owner, change.owned.withdrawn_owner) == (kind, to, "F2")
    assert "F2" in concerned(change.owned)


def test_who_has_the_case_now_was_not_withdrawn() -> None:
    change = handed(TO_F2, owned("F2"), 7, NOW)

    assert change is not None
    assert change.owned is not None
    assert not change.owned.withdrawn_owner


def corrected(before: str, owner: str) -> pb.OwnershipCorrection:
    return pb.OwnershipCorrection(owner_before=before, owner=owner, start_time=stamp(NOW - timedelta(days=9)))


def test_what_is_found_out_of_the_past_is_told_though_the_case_stays_where_it_is() -> None:
    change = handed(owned("E3"), owned("E3"), 7, NOW, [corrected("E3", "D3")])

    assert change is not None
    assert change.owned is not None
    assert (change.type, change.owned.from_owner, change.owned.to_owner) == (CHANGED, "E3", "E3")
    assert list(change.owned.corrections) == [corrected("E3", "D3")]
    assert concerned(change.owned) == {"D3", "E3"}


@pytest.mark.parametrize("correction", [corrected("", "E3"), corrected("E3", "")])
def test_that_a_case_began_or_ended_earlier_the_flag_tells(correction: pb.OwnershipCorrection) -> None:
    assert handed(owned("E3"), owned("E3"), 7, NOW, [correction]) is None
