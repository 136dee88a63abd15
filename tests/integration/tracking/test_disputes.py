"""A dispute through the real process: raised, listed for a forum, decided with votes, escalated by time."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from deploy.embedded import clock
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import NOW, SECONDS, Ppo, World, stamp
from tests.processes import Processes

# The next two meetings of the E3 forum that meets first after NOW.
WEST, FIRST, SECOND = (
    "forum-e3-west",
    datetime(2005, 1, 7, 10, tzinfo=UTC),
    datetime(2005, 1, 21, 10, tzinfo=UTC),
)
DISPUTED = pb.NOTICE_TYPE_OWNERSHIP_DISPUTED
GROUP = "core-priority-group"
POLICE, PROBATION, HOUSING = flagging.AGENCY_POLICE, flagging.AGENCY_PROBATION, flagging.AGENCY_HOUSING


def votes(*agreeing: flagging.Agency.ValueType, **against: flagging.Agency.ValueType) -> list[flagging.Vote]:
    agree = [flagging.Vote(agency=agency, agrees=True) for agency in agreeing]
    return [*agree, *(flagging.Vote(agency=agency) for agency in against.values())]


async def disputed(world: World, ppo: Ppo, reason: str = "offends here alone") -> pb.Ownership:
    await world.known(ppo)
    await world.lives(ppo, "E3")
    request = pb.RaiseDisputeRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, ocu="F2", reason=reason
    )
    service = await world.tracking(organisation="F2")
    return (await service.RaiseDispute(request, timeout=SECONDS)).case.ownership


async def decide(world: World, ppo: Ppo, forum: str = WEST, **told: Any) -> pb.Ownership:
    request = pb.DecideDisputeRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, forum_id=forum, ocu="F2", **told
    )
    keeper = await world.tracking("register_keeper", "west-midlands-police")
    return (await keeper.DecideDispute(request, timeout=SECONDS)).case.ownership


async def refused(world: World, ppo: Ppo, forum: str = WEST, **told: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await decide(world, ppo, forum, **told)
    return channel.reason(refusal.value) or channel.violations(refusal.value)[0][0]


async def listed(world: World, forum: str = "") -> dict[str, pb.DisputedCase]:
    keeper = await world.tracking("register_keeper", "west-midlands-police")
    found = await keeper.ListDisputes(pb.ListDisputesRequest(forum_id=forum), timeout=SECONDS)
    return {case.nominal_id: case for case in found.disputes}


async def test_a_dispute_is_listed_with_its_reason_for_the_next_forum_of_who_has_the_case(
    world: World,
) -> None:
    ppo = Ppo()
    owned = await disputed(world, ppo, "offends here alone")

    case = (await listed(world, WEST))[ppo.nominal_id]

    assert (owned.owner, owned.state) == ("E3", pb.OWNERSHIP_STATE_DISPUTED)
    assert (case.owner, case.dispute) == ("E3", owned.dispute)
    assert (case.dispute.stage, case.dispute.hearing_time) == (pb.DISPUTE_STAGE_LISTED, stamp(FIRST))
    assert [(claim.ocu, claim.reason) for claim in case.claims] == [("F2", "offends here alone")]
    assert ppo.nominal_id not in await listed(world, "forum-e3-east")


async def test_a_decision_keeps_every_agencys_vote_and_ends_the_dispute(world: World) -> None:
    ppo = Ppo()
    await disputed(world, ppo)

    owned = await decide(world, ppo, votes=votes(POLICE, PROBATION, housing=HOUSING))

    assert (owned.owner, owned.rule) == ("F2", "O2")
    assert "police and probation for it; housing against it." in owned.facts[0]
    assert "Shared Priority Forum E3 west decided for F2" in owned.facts[0]
    assert ppo.nominal_id not in await listed(world)
    assert await refused(world, ppo, votes=votes(POLICE, PROBATION)) == "NO_DISPUTE"


async def test_a_forum_decides_with_police_and_probation_and_for_its_own_ocu_alone(world: World) -> None:
    ppo = Ppo()
    await disputed(world, ppo)
    joint = votes(POLICE, PROBATION)

    assert await refused(world, ppo, votes=votes(POLICE, HOUSING, probation=PROBATION)) == "WITHOUT_AGREEMENT"
    assert await refused(world, ppo, votes=[]) == "WITHOUT_AGREEMENT"
    assert await refused(world, ppo, votes=votes(POLICE, PROBATION, twice=POLICE)) == "votes[2].agency"
    assert await refused(world, ppo, "forum-d1", votes=joint) == "ANOTHER_FORUM"
    assert await refused(world, ppo, GROUP, votes=joint) == "ANOTHER_FORUM"
    assert await refused(world, ppo, "forum-x", votes=joint) == "forum_id"
    # The other forum of the same OCU may.
    assert (await decide(world, ppo, "forum-e3-east", votes=joint)).owner == "F2"


async def test_what_is_nobodys_case_is_not_disputed(world: World) -> None:
    ppo = Ppo(annulled=True)
    await world.known(ppo)
    request = pb.RaiseDisputeRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, ocu="F2", reason="ours"
    )

    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await (await world.tracking(organisation="F2")).RaiseDispute(request, timeout=SECONDS)

    assert channel.reason(refusal.value) == "NO_CASE"


async def test_what_two_meetings_have_not_settled_goes_by_time_alone_to_the_core_priority_group(
    world: World, processes: Processes
) -> None:
    ppo = Ppo()
    await disputed(world, ppo)
    escalated = 'ppo_disputes{stage="DISPUTE_STAGE_ESCALATED"}'
    try:
        at(processes, FIRST)
        await world.case(ppo, at_stage(pb.DISPUTE_STAGE_ADJOURNED))
        at(processes, SECOND)
        case = await world.case(ppo, at_stage(pb.DISPUTE_STAGE_ESCALATED))
        await counted(world, escalated)

        assert (case.ownership.owner, case.ownership.dispute.forum_id) == ("E3", GROUP)
        told = [one for one in await world.notices("F2", ppo, 3) if one.type == DISPUTED]
        assert [one.ownership_change.dispute.stage for one in told] == [
            pb.DISPUTE_STAGE_LISTED,
            pb.DISPUTE_STAGE_ADJOURNED,
            pb.DISPUTE_STAGE_ESCALATED,
        ]
        weeks = (SECOND - FIRST).total_seconds()
        assert await world.processes.metric("ppo_dispute_oldest_seconds") > weeks
        assert await refused(world, ppo, votes=votes(POLICE, PROBATION)) == "ANOTHER_FORUM"
        tied = votes(POLICE, probation=PROBATION)
        assert await refused(world, ppo, GROUP, votes=tied) == "WITHOUT_AGREEMENT"
        # It decides where police and probation do not agree.
        owned = await decide(world, ppo, GROUP, votes=votes(POLICE, HOUSING, probation=PROBATION))
        assert (owned.owner, owned.rule) == ("F2", "O2")
    finally:
        at(processes, NOW)


def at(processes: Processes, moment: datetime) -> None:
    clock.move(Path(processes.directory), moment)


def at_stage(stage: pb.DisputeStage.ValueType) -> Any:
    return lambda case: case.ownership.dispute.stage == stage


async def counted(world: World, metric: str) -> None:
    async with asyncio.timeout(SECONDS):
        while await world.processes.metric(metric) < 1:
            await asyncio.sleep(0.1)
