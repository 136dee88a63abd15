"""`ppo dispute`: what each step asks for, as whom, and what a person reads."""

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2 as tracking
from tests.unit.console.conftest import Run, Served

DISPUTED = tracking.Ownership(
    owner="E3",
    state=tracking.OWNERSHIP_STATE_DISPUTED,
    rule="O1",
    facts=["Shared Priority Forum E3 west hears it on 7 January 2005."],
)


def test_an_ocu_disputes_in_its_own_name_with_a_reason(ppo: Run, served: Served) -> None:
    served.tracking.journey = tracking.Journey(nominal_id="nominal-1")
    served.tracking.ownership = DISPUTED

    ran = ppo("dispute", "raise", "A1234BC", "--ocu", "F2", "--reason", "lives with his mother here")

    [_, raised], caller = served.tracking.asked, served.tracking.callers[-1]
    assert (raised.nominal_id, raised.ocu, raised.reason) == ("nominal-1", "F2", "lives with his mother here")
    assert (caller.role, caller.organisation) == ("police_offender_manager", "F2")
    assert (ran.code, "This is E3's case until the forum decides" in ran.out) == (0, True)
    assert "E3 west hears it on 7 January 2005." in ran.out


def test_a_forums_decision_carries_every_vote(ppo: Run, served: Served) -> None:
    decided = ("--agrees", "police", "--agrees", "probation", "--disagrees", "housing")

    ran = ppo("dispute", "decide", "A1234BC", "--forum", "forum-e3-west", "--owner", "F2", *decided)

    request = served.tracking.asked[-1]
    assert (ran.code, request.forum_id, request.ocu) == (0, "forum-e3-west", "F2")
    assert list(request.votes) == [
        flagging.Vote(agency=flagging.AGENCY_POLICE, agrees=True),
        flagging.Vote(agency=flagging.AGENCY_PROBATION, agrees=True),
        flagging.Vote(agency=flagging.AGENCY_HOUSING),
    ]
    assert served.tracking.callers[-1].role == "register_keeper"


def test_a_forums_list_says_when_each_is_heard_and_why(ppo: Run, served: Served) -> None:
    clock = tracking.Dispute(
        stage=tracking.DISPUTE_STAGE_LISTED,
        forum_id="forum-e3-west",
        hearing_time=Timestamp(seconds=1105092000),
        raised_time=Timestamp(seconds=1104746400),
    )
    claims = [tracking.Claim(ocu="F2", reason="offends here alone")]
    served.tracking.disputes = [
        tracking.DisputedCase(nominal_id="nominal-1", owner="E3", dispute=clock, claims=claims)
    ]

    ran = ppo("dispute", "list", "--forum", "forum-e3-west")

    assert served.tracking.asked[-1].forum_id == "forum-e3-west"
    assert (
        "7 Jan 2005 10:00:00 forum-e3-west listed 3 Jan 2005 10:00:00 E3 F2: offends here alone nominal-1"
        in " ".join(ran.out.split())
    )


def test_that_nothing_is_disputed_is_said(ppo: Run, served: Served) -> None:
    assert ppo("dispute", "list").out == "no dispute is open\n"
