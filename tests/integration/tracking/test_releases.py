"""A date of release that is set, lost and set again: whose case it is to be, and who is told each time."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from casework.v1 import casework_pb2 as casework
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import SECONDS, Ppo, World, casework_notice, december, hmpps

HOUSING = "casework.birmingham-housing.v1"
FEBRUARY = Date(year=2005, month=2, day=14)
PLANNED, CANCELLED = pb.NOTICE_TYPE_RELEASE_PLANNED, pb.NOTICE_TYPE_RELEASE_CANCELLED
CONFIRMED, RETRACTED = pb.NOTICE_STATE_CONFIRMED, pb.NOTICE_STATE_RETRACTED


async def plan(world: World, ppo: Ppo, **told: Any) -> pb.Case:
    request = pb.PlanReleaseRequest(request_id=str(uuid4()), nominal_id=ppo.nominal_id, **told)
    prison = await world.tracking("prison_offender_management_unit", "BMI")
    return (await prison.PlanRelease(request, timeout=SECONDS)).case


async def held(world: World) -> Ppo:
    """Somebody who lives in E3 and serves a sentence at BMI."""
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    return ppo


async def test_a_date_that_is_lost_is_cancelled_wherever_it_was_told(world: World) -> None:
    ppo = await held(world)
    planned = await plan(world, ppo, release_date=FEBRUARY, ocu="F2")

    lost = await plan(world, ppo)

    # No longer concerned, F2 is told all the same, for it was told of the date.
    told = await world.notices("F2", ppo, 3, PLANNED, CANCELLED)
    assert (planned.ownership.proposed_owner, lost.ownership.proposed_owner) == ("F2", "")
    assert [(one.type, one.state) for one in told] == [
        (PLANNED, CONFIRMED),
        (CANCELLED, CONFIRMED),
        (PLANNED, RETRACTED),
    ]
    assert told[1].movement.occurred_time == told[0].movement.occurred_time
    assert told[1].movement.prison_id == "BMI"


async def test_a_provider_is_told_that_the_date_is_lost(world: World) -> None:
    ppo = await held(world)
    await plan(world, ppo, release_date=FEBRUARY)

    await plan(world, ppo)

    # The reminder to prepare, which is taken back with the date, stands beside them.
    records = await world.records(HOUSING, 6, key=world.case_reference(ppo))
    every = [casework_notice(one) for one in records]
    told = [one for one in every if one.kind != casework.CASE_NOTICE_KIND_PREPARE]
    assert [(one.kind, one.state) for one in told] == [
        (casework.CASE_NOTICE_KIND_HOUSING_NEEDED, casework.CASE_NOTICE_STATE_PROVISIONAL),
        (casework.CASE_NOTICE_KIND_AVAILABLE_FROM, casework.CASE_NOTICE_STATE_CONFIRMED),
        (casework.CASE_NOTICE_KIND_DATE_CANCELLED, casework.CASE_NOTICE_STATE_CONFIRMED),
        (casework.CASE_NOTICE_KIND_AVAILABLE_FROM, casework.CASE_NOTICE_STATE_RETRACTED),
    ]
    assert told[2].needed_time == told[1].needed_time


async def test_another_date_is_a_further_revision_and_the_cancellation_stands(world: World) -> None:
    ppo = await held(world)
    await plan(world, ppo, release_date=FEBRUARY, ocu="F2")
    await plan(world, ppo)

    await plan(world, ppo, release_date=Date(year=2005, month=3, day=7))

    told = await world.notices("E3", ppo, 4, PLANNED, CANCELLED)
    assert [(one.type, one.revision, one.state) for one in told] == [
        (PLANNED, 1, CONFIRMED),
        (CANCELLED, 1, CONFIRMED),
        (PLANNED, 2, RETRACTED),
        (PLANNED, 3, CONFIRMED),
    ]


async def test_a_date_that_was_never_planned_is_not_lost(world: World) -> None:
    ppo = await held(world)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plan(world, ppo)

    assert channel.reason(refused.value) == "NOT_PLANNED"


async def test_the_ocu_of_the_address_is_one_that_there_is(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plan(world, Ppo(), release_date=Date(year=2005, month=2, day=14), ocu="ZZ")

    assert channel.violations(refused.value) == [
        ("ocu", "is no OCU, and no area outside, that the reference data knows")
    ]


@pytest.mark.parametrize("told", [{"ocu": "F2"}, {"date_alone": True}])
async def test_nothing_goes_with_a_date_that_is_lost(world: World, told: dict[str, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plan(world, Ppo(), **told)

    assert channel.violations(refused.value) == [(next(iter(told)), "goes with a release_date")]
