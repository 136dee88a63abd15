"""What is told of a case: managers, stages, homes, releases and disputes, and whose case it is then."""

from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import SECONDS, Ppo, World, december, hmpps, stamp


def asked(kind: Any, ppo: Ppo, /, **told: Any) -> Any:
    return kind(request_id=str(uuid4()), nominal_id=ppo.nominal_id, **told)


async def test_managers_are_named_in_the_case(world: World) -> None:
    ppo = await world.known(Ppo())
    police, probation = pb.Manager(name="PC Hill"), pb.Manager(name="Ann Wood", organisation="probation-1")
    request = asked(pb.AssignManagersRequest, ppo, police=police, probation=probation)

    await (await world.tracking()).AssignManagers(request, timeout=SECONDS)

    case = await world.case(ppo, lambda case: case.police_manager == police)
    assert (case.probation_manager, case.lead) == (probation, pb.LEAD_POLICE)


async def test_a_case_names_both_managers_from_the_first_and_those_of_the_next_owner_after_a_move(
    world: World,
) -> None:
    ppo = await world.known(Ppo(ocu="E3"))

    first = await world.case(ppo, lambda case: True)
    police = pb.Manager(name="PC Hill", organisation="E3")
    request = asked(pb.AssignManagersRequest, ppo, police=police, probation=pb.Manager(name="Ann Wood"))
    named = (await (await world.tracking()).AssignManagers(request, timeout=SECONDS)).case
    moved = asked(
        pb.SetResidenceRequest,
        ppo,
        kind=pb.RESIDENCE_KIND_HOME,
        ocu="F2",
        effective_time=stamp(named.recorded_time.ToDatetime(UTC) + timedelta(microseconds=1)),
    )
    after = (await (await world.tracking()).SetResidence(moved, timeout=SECONDS)).case

    assert (first.police_manager.organisation, first.probation_manager.organisation) == ("E3", "probation-5")
    assert (named.police_manager.name, named.probation_manager.name) == ("PC Hill", "Ann Wood")
    assert (after.police_manager.organisation, after.probation_manager.organisation) == ("F2", "probation-6")


async def test_a_stage_is_a_step_of_the_journey(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.arrest(ppo, december(10))
    await world.moved(ppo, 1)
    request = asked(pb.RecordStageRequest, ppo, kind=pb.STAGE_KIND_CHARGED, occurred_time=stamp(december(11)))
    bail = asked(pb.RecordStageRequest, ppo, kind=pb.STAGE_KIND_BAILED, occurred_time=stamp(december(12)))

    await (await world.tracking()).RecordStage(request, timeout=SECONDS)
    answer = await (await world.tracking()).RecordStage(bail, timeout=SECONDS)

    assert answer.journey.position == pb.POSITION_IN_CJS
    assert answer.journey.detail == "ON_BAIL"
    assert len(answer.journey.steps) == 3


async def test_a_dispute_keeps_the_owner_until_the_forum_decides(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    dispute = asked(pb.RaiseDisputeRequest, ppo, ocu="F2", reason="offends here alone")
    decision = asked(
        pb.DecideDisputeRequest,
        ppo,
        forum_id="forum-e3-east",
        ocu="F2",
        # As older callers say it.
        agreeing_agencies=["police", "probation"],
    )

    disputed = await (await world.tracking(organisation="F2")).RaiseDispute(dispute, timeout=SECONDS)
    keeper = await world.tracking("register_keeper", "D1")
    decided = await keeper.DecideDispute(decision, timeout=SECONDS)

    before, after = disputed.case.ownership, decided.case.ownership
    assert (before.owner, before.rule, before.state) == ("E3", "O1", pb.OWNERSHIP_STATE_DISPUTED)
    assert (after.owner, after.rule) == ("F2", "O2")


async def test_an_ocu_disputes_in_its_own_name(world: World) -> None:
    ppo = await world.known(Ppo())
    dispute = asked(pb.RaiseDisputeRequest, ppo, ocu="F2", reason="offends here alone")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (await world.tracking(organisation="D1")).RaiseDispute(dispute, timeout=SECONDS)

    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_what_nobody_disputes_is_not_decided(world: World) -> None:
    ppo = await world.known(Ppo())
    decision = asked(
        pb.DecideDisputeRequest,
        ppo,
        forum_id="forum-d1",
        ocu="F2",
        agreeing_agencies=["police", "probation"],
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (await world.tracking("register_keeper", "D1")).DecideDispute(decision, timeout=SECONDS)

    assert channel.reason(refused.value) == "NO_DISPUTE"


async def test_a_release_planned_elsewhere_proposes_the_new_owner_and_tells_the_provider(
    world: World,
) -> None:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    plan = asked(pb.PlanReleaseRequest, ppo, release_date=Date(year=2005, month=2, day=14), ocu="F2")

    prison = await world.tracking("prison_offender_management_unit", "BMI")
    ownership = (await prison.PlanRelease(plan, timeout=SECONDS)).case.ownership

    told = await world.notices("F2", ppo, 1)
    assert (ownership.owner, ownership.proposed_owner, ownership.rule) == ("E3", "F2", "O4")
    assert told[0].type == pb.NOTICE_TYPE_RELEASE_PLANNED


async def test_nobody_on_the_register_has_no_case(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.lives(Ppo(), "E3")

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
