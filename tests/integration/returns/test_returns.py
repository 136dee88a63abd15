"""What becomes of a recorded month: submitted, listed, measured, shown in the metrics."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.type.date_pb2 import Date
from prometheus_client import REGISTRY

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell
from tests.integration.returns.service import DECEMBER, JANUARY, NOW, SECONDS, Service, refusal
from tests.integration.returns.test_record import LATER
from tests.servers import Database
from tests.unit.returns.builders import after, december, totals

SECOND = """
    INSERT INTO returns.revision (return_id, revision, state, cut_off_time, tool_version, recorded_time,
        recorded_by, submitted_by)
    SELECT return_id, 2, state, cut_off_time, tool_version, recorded_time, recorded_by, submitted_by
    FROM returns.revision
"""


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"area": "birmingham"} | labels)


async def test_a_checked_draft_is_submitted_once(service: Service) -> None:
    recorded = await service.record()

    submitted = await service.submit(recorded)

    assert (submitted.state, submitted.submitted_time) == (pb.RETURN_STATE_SUBMITTED, LATER)
    assert (await service.get()).monthly_return == submitted
    refused = await refusal(service.submit(recorded))
    assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_repeated_submission_gets_the_first_reply(service: Service) -> None:
    recorded = await service.record()
    first = await service.submit(recorded, request_id="s-1")
    service.clock.at += timedelta(hours=1)

    assert await service.submit(recorded, request_id="s-1") == first


async def test_a_submission_waits_for_a_closing_that_is_under_way(service: Service, own: Database) -> None:
    recorded = await service.record()
    with psycopg.connect(own.superuser) as closing:
        closing.execute("UPDATE returns.monthly_return SET latest_revision = 2")
        closing.execute(SECOND)
        submission = asyncio.create_task(service.submit(recorded))
        async with asyncio.timeout(SECONDS):
            while closing.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None:
                await asyncio.sleep(0.01)
        closing.commit()

    assert (await refusal(submission)).details() == "revision 2 is the latest of this return, not 1"


async def test_only_the_latest_revision_is_submitted(service: Service) -> None:
    first, second = await service.record(), await service.record()

    refused = await refusal(service.submit(first))

    assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert (await service.submit(second)).state == pb.RETURN_STATE_SUBMITTED
    assert (await service.get(revision=1)).monthly_return.state == pb.RETURN_STATE_CHECKED


@pytest.mark.parametrize(
    ("return_id", "code"),
    [("december", grpc.StatusCode.INVALID_ARGUMENT), (str(uuid4()), grpc.StatusCode.NOT_FOUND)],
)
async def test_what_is_no_return_is_not_submitted(
    service: Service, return_id: str, code: grpc.StatusCode
) -> None:
    assert (await refusal(service.submit(pb.Return(return_id=return_id, revision=1)))).code() == code


async def test_a_month_or_a_revision_that_is_not_there_is_not_found(service: Service) -> None:
    await service.record()

    for missing in (service.get(JANUARY), service.get(revision=2)):
        assert (await refusal(missing)).code() == grpc.StatusCode.NOT_FOUND


async def test_returns_are_listed_by_their_latest_revision_the_latest_month_first(service: Service) -> None:
    await service.record()
    second = await service.record()
    next_month = await service.record(after(300), month=JANUARY)

    assert await service.listed() == [next_month, second]
    request = pb.ListReturnsRequest(area="gloucestershire")
    assert not (await (await service.stub()).ListReturns(request, timeout=5)).returns


async def test_the_headline_measures_are_streamed_month_by_month(service: Service) -> None:
    await service.record()
    await service.record(after(300), month=JANUARY)

    series = await service.measures(Date(year=2004, month=10), Date(year=2005, month=6))

    people = [(one.month, one.value) for one in series if one.measure == "M1"]
    assert people == [(DECEMBER, 321), (JANUARY, 309)]
    [tested] = [one for one in series if one.measure == "M8" and one.month == DECEMBER]
    assert (tested.title, tested.value, tested.base) == ("PPOs among those tested", 13, 408)
    assert tested.per_cent == 3


async def test_the_headline_measures_are_those_of_the_latest_revision(service: Service) -> None:
    await service.record()
    await service.record(december() | totals(M7=407) | {Cell("M7", "ocu", "D1"): 45})

    assert [one.value for one in await service.measures(DECEMBER, DECEMBER) if one.measure == "M7"] == [407]


async def test_a_series_that_ends_before_it_begins_is_refused(service: Service) -> None:
    refused = await refusal(service.measures(JANUARY, DECEMBER))

    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_the_metrics_show_the_return_that_comes_next_and_how_long_it_has(service: Service) -> None:
    await service.deadlines.step()
    assert metric("ppo_return_state", state="NOT_RECORDED") == 1
    assert metric("ppo_return_days_to_due") == 2

    recorded = await service.record()
    service.clock.at = NOW + timedelta(days=3)
    await service.deadlines.step()
    assert metric("ppo_return_state", state="NOT_RECORDED") == 0
    assert metric("ppo_return_state", state="CHECKED") == 1
    assert metric("ppo_return_days_to_due") == -1

    await service.submit(recorded)
    await service.deadlines.step()
    assert metric("ppo_return_state", state="NOT_RECORDED") == 1
    assert metric("ppo_return_days_to_due") == 27


async def test_whoever_has_not_sent_a_return_is_reminded_from_the_third_working_day(service: Service) -> None:
    service.clock.at = NOW.replace(day=5)
    await service.deadlines.step()
    assert metric("ppo_return_warned") == 0

    service.clock.at = NOW.replace(day=6)
    await service.deadlines.step()
    assert metric("ppo_return_warned") == 1

    await service.submit(await service.record())
    await service.deadlines.step()
    assert metric("ppo_return_warned") == 0


async def test_a_correction_that_is_prepared_is_not_overdue(service: Service) -> None:
    await service.submit(await service.record())
    await service.record(reason="something was told late")

    await service.deadlines.step()

    assert metric("ppo_return_state", state="NOT_RECORDED") == 1
