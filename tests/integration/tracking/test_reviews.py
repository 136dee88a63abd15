"""What contradicts what is known waits for somebody, who settles it; what was wrong is taken back."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import grpc
import pytest

from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import (
    MOVEMENTS,
    SECONDS,
    Ppo,
    World,
    december,
    hmpps,
    movement,
    stamp,
)
from tests.integration.tracking.test_merges import merged, send

RECEPTION, RELEASE = movement_pb2.MOVEMENT_KIND_RECEPTION, movement_pb2.MOVEMENT_KIND_RELEASE
REVERSAL = movement_pb2.MOVEMENT_KIND_REVERSAL
RELEASED = pb.NOTICE_TYPE_RELEASED
PROVISIONAL, RETRACTED = pb.NOTICE_STATE_PROVISIONAL, pb.NOTICE_STATE_RETRACTED
ACCEPTED, WITHDRAWN, BOTH_NUMBERS = (
    pb.REVIEW_RESOLUTION_ACCEPTED,
    pb.REVIEW_RESOLUTION_WITHDRAWN,
    pb.REVIEW_RESOLUTION_BOTH_NUMBERS,
)


async def waiting(world: World, ppo: Ppo, *, resolved: bool = False) -> list[pb.Review]:
    request = pb.ListReviewsRequest(purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT, resolved=resolved)
    keeper = await world.tracking("register_keeper", "west-midlands")
    found = [one.review async for one in keeper.ListReviews(request, timeout=SECONDS)]
    return [one for one in found if one.nominal_id == ppo.nominal_id]


async def until(
    world: World, ppo: Ppo, holds: Callable[[list[pb.Review]], object], *, resolved: bool = False
) -> list[pb.Review]:
    async with asyncio.timeout(SECONDS):
        while not holds(found := await waiting(world, ppo, resolved=resolved)):
            await asyncio.sleep(0.1)
    return found


async def resolve(
    world: World,
    review: pb.Review,
    found: pb.ReviewResolution.ValueType,
    role: str = "register_keeper",
    organisation: str = "west-midlands",
) -> pb.Review:
    request = pb.ResolveReviewRequest(
        request_id=str(uuid4()),
        subject=review.subject,
        nominal_id=review.nominal_id,
        resolution=found,
        note="rang the prison",
    )
    stub = await world.tracking(role, organisation)
    return (await stub.ResolveReview(request, timeout=SECONDS)).review


async def contradiction(world: World) -> tuple[Ppo, pb.Review]:
    """Somebody is released who was never seen to come in."""
    ppo = await world.known(Ppo())
    await world.publish(hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "CR"))
    [review] = await until(world, ppo, len)
    return ppo, review


async def test_a_contradiction_waits_with_its_reason_and_is_withdrawn_by_who_looks_at_it(
    world: World,
) -> None:
    ppo, review = await contradiction(world)
    await world.notices("E3", ppo, 1, RELEASED)

    settled = await resolve(world, review, WITHDRAWN)

    told = await world.notices("E3", ppo, 2, RELEASED)
    assert (review.kind, review.reason) == (pb.REVIEW_KIND_FACT, "release before any reception")
    assert [one.state for one in told] == [PROVISIONAL, RETRACTED]
    assert len((await world.journey(ppo)).steps) == 0
    assert await waiting(world, ppo) == []
    assert (settled.resolution, settled.note) == (WITHDRAWN, "rang the prison")
    assert [one.resolved_by for one in await waiting(world, ppo, resolved=True)] == [settled.resolved_by]


async def test_what_somebody_has_accepted_does_not_wait_again(world: World) -> None:
    ppo, review = await contradiction(world)

    await resolve(world, review, ACCEPTED)
    await world.lives(ppo, "E3")

    assert await waiting(world, ppo) == []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await resolve(world, review, WITHDRAWN)
    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS


async def test_a_reason_that_nobody_knows_takes_effect_and_waits(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.publish(hmpps("received", ppo.number, december(1), "ABDUCTED", "BMI", "N"))

    [review] = await until(world, ppo, len)
    assert review.reason == "reception for an unknown reason: ABDUCTED"
    assert (await world.journey(ppo)).prison_id == "BMI"


# ---- numbers that a prison has merged


async def two(world: World) -> tuple[Ppo, Ppo, pb.Review]:
    kept, other = await world.known(Ppo()), await world.known(Ppo())
    await world.send(MOVEMENTS, other.number, movement(other, RECEPTION, december(2), prison_id="BMI"))
    await world.moved(other, 1)
    merge = movement(kept, movement_pb2.MOVEMENT_KIND_MERGE, december(5), removed_prison_number=other.number)
    await world.send(MOVEMENTS, kept.number, merge)
    [review] = await until(world, kept, len)
    return kept, other, review


async def test_the_keeper_says_whose_the_numbers_are_that_a_prison_has_merged(world: World) -> None:
    kept, other, review = await two(world)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await resolve(world, review, BOTH_NUMBERS, "police_offender_manager", "E3")
    await resolve(world, review, BOTH_NUMBERS)

    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert (await world.journey(kept)).prison_id == "BMI"
    assert len((await world.journey(other)).steps) == 0
    assert [await waiting(world, ppo) for ppo in (kept, other)] == [[], []]


async def test_a_merge_that_the_register_makes_as_well_waits_no_more(world: World) -> None:
    kept, other, _ = await two(world)

    await send(world, merged(other, kept))

    await until(world, kept, lambda found: not found)
    [settled] = await waiting(world, kept, resolved=True)
    assert settled.resolution == BOTH_NUMBERS


async def test_a_merge_cannot_be_withdrawn(world: World) -> None:
    _, _, review = await two(world)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await resolve(world, review, WITHDRAWN)

    assert channel.violations(refused.value) == [("resolution", "is not one for a review of a merge")]


# ---- what was wrong


async def test_a_reversal_retracts_what_was_told_and_both_are_known_as_they_were(world: World) -> None:
    ppo = await world.known(Ppo())
    inside = movement(ppo, RECEPTION, december(1), prison_id="BMI", reason_code="I")
    out = movement(ppo, RELEASE, december(20), prison_id="BMI", reason_code="CR")
    for one in (inside, out):
        await world.send(MOVEMENTS, ppo.number, one)
    await world.notices("E3", ppo, 1, RELEASED)
    before = (await world.journey(ppo)).steps[-1].recorded_time

    back = movement(ppo, REVERSAL, december(20), corrects_movement_id=out.movement_id)
    await world.send(MOVEMENTS, ppo.number, back)

    first, second = await world.notices("E3", ppo, 2, RELEASED)
    assert (first.notice_id, first.state) == (second.notice_id, PROVISIONAL)
    assert second.state == RETRACTED
    assert (await world.journey(ppo)).position == pb.POSITION_CUSTODY_SENTENCED
    assert len((await world.journey(ppo, known_at_time=before)).steps) in (1, 2)


async def test_a_reversal_that_comes_before_its_movement_takes_it_back_all_the_same(world: World) -> None:
    ppo = await world.known(Ppo())
    out = movement(ppo, RELEASE, december(20), prison_id="BMI", reason_code="CR")
    back = movement(ppo, REVERSAL, december(20), corrects_movement_id=out.movement_id)
    inside = movement(ppo, RECEPTION, december(1), prison_id="BMI", reason_code="I")

    for one in (back, out, inside):
        await world.send(MOVEMENTS, ppo.number, one)

    journey = await world.moved(ppo, 1)
    assert [step.event for step in journey.steps] == ["RECEPTION I"]


async def test_a_correction_takes_the_place_of_what_was_wrong(world: World) -> None:
    ppo = await world.known(Ppo())
    wrong = movement(ppo, RECEPTION, december(1), prison_id="BMI", reason_code="N")
    right = movement(
        ppo, RECEPTION, december(1), prison_id="FSI", reason_code="I", corrects_movement_id=wrong.movement_id
    )
    await world.send(MOVEMENTS, ppo.number, wrong)
    await world.notices("BMI", ppo, 1)

    await world.send(MOVEMENTS, ppo.number, right)

    _, told = await world.notices("BMI", ppo, 2)
    assert told.state == RETRACTED
    journey = await world.journey(ppo)
    assert (journey.prison_id, len(journey.steps)) == ("FSI", 1)


async def test_nobody_takes_back_a_movement_of_another_number(world: World) -> None:
    ppo, other = await world.known(Ppo()), await world.known(Ppo())
    inside = movement(ppo, RECEPTION, december(1), prison_id="BMI", reason_code="I")
    await world.send(MOVEMENTS, ppo.number, inside)
    await world.moved(ppo, 1)

    back = movement(other, REVERSAL, december(2), corrects_movement_id=inside.movement_id)
    request = pb.ReportMovementRequest(request_id=str(uuid4()), movement=back)
    await (await world.tracking("importer")).ReportMovement(request, timeout=SECONDS)

    assert len((await world.journey(ppo)).steps) == 1


@pytest.mark.parametrize(
    "order", ["wrong merge back", "wrong back merge", "back wrong merge", "merge back wrong"]
)
async def test_a_reversal_under_the_number_that_a_merge_has_kept_takes_the_movement_back(
    world: World, order: str
) -> None:
    ppo, removed = await world.known(Ppo()), Ppo()
    wrong = movement(removed, RECEPTION, december(1), prison_id="BMI", reason_code="I")
    told = {
        "wrong": wrong,
        "merge": movement(
            ppo, movement_pb2.MOVEMENT_KIND_MERGE, december(2), removed_prison_number=removed.number
        ),
        "back": movement(ppo, REVERSAL, december(1), corrects_movement_id=wrong.movement_id),
        "stays": movement(removed, RECEPTION, december(3), prison_id="FSI", reason_code="I"),
    }
    request_id = str(uuid4())
    rows = [
        pb.ReportMovementsRequest(request_id=request_id, line=line, movement=told[one])
        for line, one in enumerate([*order.split(), "stays"], start=1)
    ]

    await (await world.tracking("importer")).ReportMovements(iter(rows), timeout=SECONDS)

    assert [step.prison_id for step in (await world.moved(ppo, 1)).steps] == ["FSI"]


async def test_a_fact_is_withdrawn_by_its_name_and_one_that_is_not_there_is_not_found(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    step = (await world.moved(ppo, 1)).steps[0]
    own = await world.tracking()

    async def withdraw(fact_id: str) -> pb.Case:
        request = pb.WithdrawFactRequest(
            request_id=str(uuid4()), nominal_id=ppo.nominal_id, fact_id=fact_id, reason="the wrong man"
        )
        return (await own.WithdrawFact(request, timeout=SECONDS)).case

    case = await withdraw(step.fact_id)
    with pytest.raises(grpc.aio.AioRpcError) as again:
        await withdraw(step.fact_id)

    assert case.position == pb.POSITION_OTHER_OR_NOT_KNOWN
    assert again.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("kind", "told", "field"),
    [
        (REVERSAL, {}, "corrects_movement_id"),
        (RECEPTION, {"destination_prison_id": "FSI"}, "destination_prison_id"),
        (
            movement_pb2.MOVEMENT_KIND_MERGE,
            {"removed_prison_number": "A9999ZZ", "corrects_movement_id": "m"},
            "corrects_movement_id",
        ),
    ],
)
async def test_a_correction_that_cannot_be_is_refused_by_its_field(
    world: World, kind: movement_pb2.MovementKind.ValueType, told: dict[str, str], field: str
) -> None:
    request = pb.ReportMovementRequest(
        request_id=str(uuid4()), movement=movement(Ppo(), kind, december(1), **told)
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (await world.tracking("importer")).ReportMovement(request, timeout=SECONDS)

    assert [name for name, _ in channel.violations(refused.value)] == [field]


# ---- one movement in three forms


async def test_a_movement_is_the_same_in_whatever_form_it_comes(world: World) -> None:
    ppos = [await world.known(Ppo()) for _ in range(3)]
    by_json, by_record, by_stream = ppos
    told = {"prison_id": "BMI", "reason_code": "L"}
    await world.publish(hmpps("received", by_json.number, december(1), "ADMISSION", "BMI", "L"))
    await world.send(MOVEMENTS, by_record.number, movement(by_record, RECEPTION, december(1), **told))
    row = pb.ReportMovementsRequest(
        request_id=str(uuid4()), line=1, movement=movement(by_stream, RECEPTION, december(1), **told)
    )
    await (await world.tracking("importer")).ReportMovements(iter([row]), timeout=SECONDS)

    journeys = [await world.moved(ppo, 1) for ppo in ppos]

    assert len({(one.position, one.prison_id, one.detail, one.steps[0].event) for one in journeys}) == 1
    assert journeys[0].steps[0].occurred_time == stamp(december(1))
