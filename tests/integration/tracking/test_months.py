"""A month is closed: its counts balance with the month before, and the returns service has them."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import grpc
import pytest
from google.type.date_pb2 import Date

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import flagging_pb2
from ppo.returns.v1 import returns_pb2 as returns
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import ARRESTS, SECONDS, Ppo, World, december, hmpps, stamp

M5 = ("M5", "reason")
NOVEMBER, DECEMBER = Date(year=2004, month=11), Date(year=2004, month=12)


async def close(world: World, month: Date, request_id: str = "") -> pb.CloseMonthResponse:
    officer = await world.tracking("returns_officer", "birmingham")
    request = pb.CloseMonthRequest(request_id=request_id or str(uuid4()), area="birmingham", month=month)
    return await officer.CloseMonth(request, timeout=SECONDS)


async def counts(world: World, month: Date) -> Mapping[tuple[str, str, str], int]:
    token = world.processes.token("returns_officer", "birmingham")
    async with channel.connect(world.processes.returns.address, lambda: token) as wire:
        request = returns.GetReturnRequest(area="birmingham", month=month)
        answer = await ReturnsServiceStub(wire).GetReturn(request, timeout=SECONDS)
    return {(one.measure, one.breakdown, one.category): one.value for one in answer.counts}


def total(found: Mapping[tuple[str, str, str], int], *measures: str) -> list[int]:
    return [found[measure, "total", ""] for measure in measures]


def by_reason(found: Mapping[tuple[str, str, str], int]) -> dict[str, int]:
    return {category: value for (measure, part, category), value in found.items() if (measure, part) == M5}


async def somebody_else(
    world: World, suite: str, result: custody_pb2.TestResult.ValueType, detention: str = "", hour: int = 9
) -> str:
    detention = detention or str(uuid4())
    counted = custody.DetentionCounted(
        detention_id=detention,
        suite_id=suite,
        disposal_date=Date(year=2004, month=12, day=9),
        test_result=result,
        recorded_time=stamp(december(9, hour)),
    )
    await world.send(ARRESTS, detention, counted)
    return detention


async def test_two_months_balance_and_each_person_counts_once(world: World) -> None:
    there = await world.known(Ppo())
    await world.known(Ppo(ocu="F1", start=december(6)))
    await world.known(Ppo(ocu="D3", end=december(20), removed=flagging_pb2.REMOVAL_REASON_LONG_CUSTODY))
    await world.known(Ppo(ocu="D1", end=datetime(2004, 11, 20, tzinfo=UTC)))
    await world.publish(hmpps("received", there.number, december(1), "ADMISSION", "BMI", "I"))
    detention = await world.arrest(there, december(10), suite="E3")
    await world.test(there, detention, december(10, 12))
    for result in (custody_pb2.TEST_RESULT_NEGATIVE, custody_pb2.TEST_RESULT_POSITIVE):
        await somebody_else(world, "D3-2", result)
    await somebody_else(world, "D1", custody_pb2.TEST_RESULT_UNSPECIFIED)
    # A test that was corrected to none counts as it is now, in whatever order that arrives.
    corrected = await somebody_else(world, "D1", custody_pb2.TEST_RESULT_UNSPECIFIED, hour=12)
    await somebody_else(world, "D1", custody_pb2.TEST_RESULT_POSITIVE, corrected, hour=11)
    await world.notices("drug-solutions-birmingham", there, 1)

    first, second = await close(world, NOVEMBER), await close(world, DECEMBER)

    november, found = await counts(world, NOVEMBER), await counts(world, DECEMBER)
    assert (first.revision, second.revision) == (1, 1)
    assert second.counts_sent == len(found)
    assert total(november, "M0", "M1", "M5", "M6") == [2, 3, 1, 0]
    assert total(found, "M0", "M1", "M5", "M6", "NEW_PERSONS") == [2, 3, 1, 1, 1]
    assert total(found, "M7", "M8", "M9") == [3, 1, 1]
    assert total(found, "M10", "M11", "M12", "M13", "M14") == [1, 0, 0, 0, 2]
    assert found["M7", "ocu", "D3"] == 3
    assert by_reason(november) == {"not recorded": 1}
    assert by_reason(found) == {"long custody": 1}
    assert {ocu: found["M1", "ocu", ocu] for ocu in ("E3", "F1", "D3", "D1")} == {
        "E3": 1,
        "F1": 1,
        "D3": 1,
        "D1": 0,
    }


async def test_a_repeat_is_the_first_return_and_a_late_fact_makes_a_revision(world: World) -> None:
    request_id = str(uuid4())
    first = await close(world, NOVEMBER, request_id)
    before = total(await counts(world, NOVEMBER), "M1")[0]

    await world.known(Ppo(ocu="E1"))
    again = await close(world, NOVEMBER, request_id)
    later = await close(world, NOVEMBER)

    assert again == first
    assert (later.return_id, later.revision) == (first.return_id, first.revision + 1)
    assert total(await counts(world, NOVEMBER), "M1") == [before + 1]


async def test_a_month_that_does_not_balance_is_refused(world: World) -> None:
    await close(world, NOVEMBER)
    await world.known(Ppo(ocu="E1"))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(world, DECEMBER)

    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert channel.reason(refused.value) == "DOES_NOT_BALANCE"


async def close_all(world: World, month: Date, request_id: str = "") -> list[pb.CloseMonthsResponse]:
    officer = await world.tracking("returns_officer", "birmingham")
    request = pb.CloseMonthsRequest(request_id=request_id or str(uuid4()), month=month)
    return [one async for one in officer.CloseMonths(request, timeout=SECONDS)]


async def test_all_areas_are_closed_at_once_and_a_repeat_is_the_first_answer(world: World) -> None:
    await world.known(Ppo(ocu="E1"))
    alone, request_id = await close(world, NOVEMBER), str(uuid4())
    before = await counts(world, NOVEMBER)

    [first] = await close_all(world, NOVEMBER, request_id)
    await world.known(Ppo(ocu="E1"))
    [again] = await close_all(world, NOVEMBER, request_id)

    assert (first.area, first.reason) == ("birmingham", "")
    assert (first.closed.revision, first.closed.cells_changed) == (alone.revision + 1, 0)
    assert first.closed.counts_sent == alone.counts_sent == len(before)
    assert again == first


async def test_of_all_areas_those_that_do_not_balance_are_refused_by_themselves(world: World) -> None:
    await close(world, NOVEMBER)
    await world.known(Ppo(ocu="E1"))

    [refused] = await close_all(world, DECEMBER)

    assert (refused.reason, refused.HasField("closed")) == ("DOES_NOT_BALANCE", False)
    assert "of M0 do not follow" in refused.detail


async def test_a_request_id_is_of_one_month(world: World) -> None:
    request_id = str(uuid4())
    await close_all(world, NOVEMBER, request_id)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close_all(world, DECEMBER, request_id)

    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS


async def test_a_month_that_is_not_over_is_not_closed(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(world, Date(year=2005, month=1))

    assert channel.reason(refused.value) == "MONTH_NOT_OVER"


async def test_returns_that_are_away_are_said_to_be_and_the_same_request_succeeds_later(world: World) -> None:
    request_id = str(uuid4())
    world.processes.returns.stop()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(world, NOVEMBER, request_id)

    world.processes.returns.start()

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    async with asyncio.timeout(SECONDS):
        while (answer := await close_or_none(world, request_id)) is None:
            await asyncio.sleep(0.1)
    assert answer.revision > 1


async def close_or_none(world: World, request_id: str) -> pb.CloseMonthResponse | None:
    """Tracking looks for the others once a second."""
    try:
        return await close(world, NOVEMBER, request_id)
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return None


async def movements(world: World, month: Date) -> dict[tuple[str, int], int]:
    keeper = await world.tracking("register_keeper", "birmingham")
    request = pb.ListMonthMovementsRequest(area="birmingham", month=month)
    return {
        (one.nominal_id, one.movement): one.times
        async for one in keeper.ListMonthMovements(request, timeout=SECONDS)
    }


async def test_a_residual_has_its_persons_and_is_taken_once_it_is_explained(world: World) -> None:
    await close(world, NOVEMBER)
    late = await world.known(Ppo(ocu="E1"))
    added = await world.known(Ppo(ocu="F1", start=december(7)))

    found = await movements(world, DECEMBER)
    officer = await world.tracking("returns_officer", "birmingham")
    request = pb.CloseMonthRequest(
        request_id=str(uuid4()), area="birmingham", month=DECEMBER, explanation="one was registered late"
    )
    closed = await officer.CloseMonth(request, timeout=SECONDS)

    assert found[late.nominal_id, pb.MONTH_MOVEMENT_KNOWN_LATER] == 1
    assert found[added.nominal_id, pb.MONTH_MOVEMENT_ADDED] == 1
    assert closed.revision > 0
    await close(world, NOVEMBER)
    assert (late.nominal_id, pb.MONTH_MOVEMENT_KNOWN_LATER) not in await movements(world, DECEMBER)


async def test_a_returns_officer_sees_no_persons(world: World) -> None:
    officer = await world.tracking("returns_officer", "birmingham")
    request = pb.ListMonthMovementsRequest(area="birmingham", month=DECEMBER)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        [one async for one in officer.ListMonthMovements(request, timeout=SECONDS)]

    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def progress(world: World, ppo: Ppo, role: str, **told: object) -> pb.RecordProgressResponse:
    stub = await world.tracking(role, "E3")
    fixed = {"request_id": str(uuid4()), "nominal_id": ppo.nominal_id, "organisation": "probation-4"}
    request = pb.RecordProgressRequest(**(fixed | {"date": Date(year=2004, month=12, day=7)} | told))
    return await stub.RecordProgress(request, timeout=SECONDS)


async def test_what_was_recorded_of_progress_is_counted_once(world: World) -> None:
    ppo, request_id = await world.known(Ppo()), str(uuid4())
    kind, manager = pb.PROGRESS_KIND_ATTENDED, "probation_offender_manager"
    before = total(await closed_and_counted(world), "M18")[0]

    for _ in range(2):
        await progress(world, ppo, manager, request_id=request_id, kind=kind)

    assert total(await closed_and_counted(world), "M18")[0] == before + 1


async def closed_and_counted(world: World) -> Mapping[tuple[str, str, str], int]:
    await close(world, NOVEMBER)
    await close(world, DECEMBER)
    return await counts(world, DECEMBER)


SENTENCED, NEED = pb.PROGRESS_KIND_SENTENCED, pb.PROGRESS_KIND_DRUG_NEED_IDENTIFIED
MANAGER, TEAM = "police_offender_manager", "ppo_drug_team"


@pytest.mark.parametrize(
    ("role", "told", "rule"),
    [
        (MANAGER, {"kind": NEED}, "only the drug team records a drug need"),
        (TEAM, {"kind": SENTENCED}, "a drug team records no sentences"),
        (MANAGER, {"kind": SENTENCED}, "offence_date: is given with a sentence"),
        (
            MANAGER,
            {"kind": SENTENCED, "offence_date": Date(year=2004, month=12, day=8)},
            "offence_date: lies after the sentence",
        ),
        (MANAGER, {"kind": pb.PROGRESS_KIND_ATTENDED, "date": Date(year=2006, month=1, day=1)}, "date: lies"),
        (MANAGER, {"kind": pb.PROGRESS_KIND_ATTENDED, "nominal_id": "nobody"}, "nobody on the register"),
    ],
)
async def test_progress_that_cannot_be_is_refused(
    world: World, role: str, told: dict[str, object], rule: str
) -> None:
    ppo = await world.known(Ppo())

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await progress(world, ppo, role, **told)

    assert rule in (refused.value.details() or "")
