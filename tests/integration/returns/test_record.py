"""A month is recorded whole, once, and only when it balances."""

import asyncio
from datetime import date
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from sqlalchemy import text

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import store
from services.returns.definitions import Cell
from services.returns.models import Revision
from tests.integration.returns.service import JANUARY, NOW, SECONDS, Service, refusal, stream
from tests.servers import Database
from tests.unit.returns.builders import after, december, messages, totals

LATER = Timestamp(seconds=int(NOW.timestamp()))


async def test_counts_that_balance_become_a_checked_draft(service: Service) -> None:
    recorded = await service.record()

    assert (recorded.revision, recorded.state) == (1, pb.RETURN_STATE_CHECKED)
    assert recorded.due_date == Date(year=2005, month=1, day=11)
    assert recorded.recorded_time == LATER
    held = await service.get()
    assert held.monthly_return == recorded
    assert sorted(map(str, held.counts)) == sorted(map(str, messages(december())))


async def test_counts_that_do_not_balance_are_refused_by_name_and_not_kept(service: Service) -> None:
    wrong = december() | {Cell("M1", "sex", "male"): 314}

    refused = await refusal(service.record(wrong))

    assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert refused.details() == "M1 by sex: expected 321, found 320 (the parts sum to the total of M1)"
    assert await service.listed() == []


async def test_a_refusal_of_everything_fits_into_an_answer(service: Service) -> None:
    refused = await refusal(service.record({Cell("M24", "ocu", f"Z{number}"): -1 for number in range(3_000)}))

    assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "more" in (refused.details() or "")


async def test_a_first_return_says_that_nothing_was_brought_forward(service: Service) -> None:
    first, second = await service.record(), await service.record(after(300), month=JANUARY)

    assert not first.HasField("brought_forward")
    assert second.brought_forward == 300


async def test_a_month_that_does_not_follow_from_the_one_before_is_refused(service: Service) -> None:
    await service.record()

    refused = await refusal(service.record(month=JANUARY))

    assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "M0: expected 288, found 300" in (refused.details() or "")


async def test_a_correction_of_the_month_before_is_what_the_next_month_follows_from(service: Service) -> None:
    await service.record()
    await service.record(after(300))

    followed = await service.record(after(288), month=JANUARY)

    assert followed.brought_forward == 288


async def test_a_repeat_gets_the_first_reply_even_after_another_closing(service: Service) -> None:
    first = await service.record(request_id="r-1")
    await service.record()

    assert await service.record(request_id="r-1") == first
    assert (await service.get()).monthly_return.revision == 2


async def test_the_same_counts_in_another_order_are_a_repeat(service: Service) -> None:
    first = await service.record(request_id="r-1")
    counts = dict(reversed(december().items()))

    assert await service.record(counts, request_id="r-1") == first
    assert (await service.get()).monthly_return.revision == 1


async def test_other_counts_under_the_same_request_are_a_conflict(service: Service) -> None:
    await service.record(request_id="r-1")
    other = december() | {Cell("M9", "drug_class", "heroin"): 4, Cell("M9", "drug_class", "cocaine"): 1}

    refused = await refusal(service.record(other, request_id="r-1"))

    assert refused.code() == grpc.StatusCode.ALREADY_EXISTS


async def test_a_new_closing_is_the_next_revision_and_the_first_is_kept(service: Service) -> None:
    first = await service.submit(await service.record())
    other = december() | totals(M7=407) | {Cell("M7", "ocu", "D1"): 45}

    second = await service.record(other, cut_off_time=LATER, reason="a test was entered twice")

    assert (second.return_id, second.revision) == (first.return_id, 2)
    assert second.state == pb.RETURN_STATE_CHECKED
    held = await service.get(revision=1)
    assert held.monthly_return == first
    assert pb.Count(measure="M7", breakdown="total", value=408) in held.counts


async def test_a_closing_that_comes_after_a_later_one_is_refused(service: Service) -> None:
    await service.record(cut_off_time=LATER)

    refused = await refusal(service.record())

    assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert (await service.get()).monthly_return.revision == 1


async def test_closings_at_the_same_time_are_one_after_the_other(service: Service) -> None:
    recorded = await asyncio.gather(*(service.record() for _ in range(8)))

    assert sorted(one.revision for one in recorded) == list(range(1, 9))
    assert len({one.return_id for one in recorded}) == 1


async def test_a_repeat_at_the_same_time_is_recorded_once(service: Service) -> None:
    first, *others = await asyncio.gather(*(service.record(request_id="r-1") for _ in range(6)))

    assert all(other == first for other in others)
    assert first.revision == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"area": "atlantis"}, "heading.area"),
        ({"month": Date(year=2004)}, "heading.month"),
        ({"month": Date(year=9999, month=12)}, "heading.month"),
        ({"cut_off_time": Timestamp(seconds=int(NOW.timestamp()) - 10 * 86_400)}, "heading.cut_off_time"),
        ({"tool_version": "2"}, "heading.tool_version"),
        ({"reason": "late\x08"}, "heading.reason"),
        ({"explanation": "1" * 1_001}, "heading.explanation"),
    ],
)
async def test_a_heading_that_cannot_be_is_refused(
    service: Service, changes: dict[str, Any], field: str
) -> None:
    opening, *rest = stream(december())
    opening.heading.MergeFrom(pb.Heading(**{name: changes[name] for name in changes if name != "month"}))
    if "month" in changes:
        opening.heading.month.CopyFrom(changes["month"])

    refused = await refusal(service.record_messages([opening, *rest]))

    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.details() or "").startswith(field)


async def test_a_stream_that_ends_early_leaves_nothing(service: Service) -> None:
    *sent, _ = stream(december())

    refused = await refusal(service.record_messages(sent))

    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert await service.listed() == []


async def test_a_caller_that_breaks_off_leaves_nothing_and_may_begin_again(service: Service) -> None:
    request_id = str(uuid4())
    *sent, _ = stream(december(), request_id=request_id)
    call = (await service.stub("service_tracking")).RecordReturn(timeout=SECONDS)
    for message in sent:
        await call.write(message)

    call.cancel()

    assert await service.listed() == []
    assert (await service.record(request_id=request_id)).revision == 1


async def test_only_tracking_records_and_no_service_submits(service: Service) -> None:
    officer = await service.stub("returns_officer")
    tracking = await service.stub("service_tracking")
    request = pb.SubmitReturnRequest(request_id="r", return_id=str(uuid4()), revision=1)

    for call in (
        officer.RecordReturn(iter(stream(december())), timeout=SECONDS),
        tracking.SubmitReturn(request, timeout=SECONDS),
    ):
        assert (await refusal(call)).code() == grpc.StatusCode.PERMISSION_DENIED


async def test_no_count_is_ever_changed(service: Service, own: Database) -> None:
    await service.record()

    with psycopg.connect(own.url("returns")) as connection:
        for statement in ("UPDATE count SET value = 0", "DELETE FROM count"):
            with pytest.raises(psycopg.errors.RaiseException, match="rows are only ever added"):
                connection.execute(statement)
            connection.rollback()


async def test_what_is_kept_is_checked_by_its_key_and_all_else_is_planned_as_ever(
    service: Service, own: Database
) -> None:
    await service.record()
    with psycopg.connect(own.superuser, autocommit=True) as connection:
        connection.execute("ANALYZE returns.revision")
    read = text("SELECT pg_stat_get_xact_numscans('returns.revision'::regclass)")

    async with service.database.transaction() as session:
        first = await store.of(session, "birmingham", date(2004, 12, 1))
        assert first is not None
        # The check of so few revisions reads them all; a plan that was made a few times is kept.
        for _ in range(9):
            await store.step(session, first, "looked at")
        before = await session.scalar(read)
        second = _copied(first, revision=2)
        await store.add(session, [(second, [(Cell("M1"), 321)])])

        with session.no_autoflush:
            assert await session.scalar(read) == before
        assert await session.scalar(text("SHOW enable_seqscan")) == "on"


def _copied(row: Revision, **changes: object) -> Revision:
    values = {column.key: getattr(row, column.key) for column in Revision.__table__.columns}
    return Revision(**values | changes)
