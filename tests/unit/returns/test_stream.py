"""A stream of counts is taken whole or not at all."""

from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell
from services.returns.stream import Counting
from services.runtime.errors import Invalid

HEADING = pb.Heading(
    area="birmingham",
    month=Date(year=2004, month=12),
    cut_off_time=Timestamp(seconds=1_104_537_600),
    tool_version="1",
)
OPENING = pb.RecordReturnRequest(request_id="r", heading=HEADING)


def count(value: int, category: str = "male", **changes: Any) -> pb.RecordReturnRequest:
    sent = pb.Count(measure="M1", breakdown="sex", category=category, value=value)
    request: dict[str, Any] = {"request_id": "r", "count": sent}
    return pb.RecordReturnRequest(**(request | changes))


def taken(messages: Iterable[pb.RecordReturnRequest]) -> Counting:
    counting = Counting()
    for message in messages:
        counting.take(message)
    counting.close()
    return counting


LAST = pb.RecordReturnRequest(request_id="r", counts_sent=1)


@pytest.mark.parametrize("stream", [[OPENING, count(3), LAST], [OPENING, count(3, counts_sent=1)]])
def test_the_end_may_stand_with_the_last_count_or_alone(stream: list[pb.RecordReturnRequest]) -> None:
    assert taken(stream).counts == [(Cell("M1", "sex", "male"), 3)]


@pytest.mark.parametrize(
    ("stream", "field"),
    [
        ([], "heading"),
        ([count(3)], "heading"),
        ([pb.RecordReturnRequest(request_id="r", heading=HEADING, count=count(3).count)], "heading"),
        ([OPENING, OPENING], "heading"),
        ([OPENING, count(3)], "counts_sent"),
        ([OPENING, count(3), pb.RecordReturnRequest(request_id="r", counts_sent=2)], "counts_sent"),
        ([OPENING, LAST], "counts_sent"),
        ([OPENING, count(3, counts_sent=1), count(4, "female")], "counts_sent"),
        ([OPENING, count(3, request_id="s")], "request_id"),
        ([OPENING, count(3, request_id="")], "request_id"),
        ([OPENING, count(3, category="boy")], "count.category"),
        ([pb.RecordReturnRequest(request_id="r", heading=pb.Heading(area="birmingham"))], "heading.month"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused(stream: list[pb.RecordReturnRequest], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        taken(stream)

    assert refusal.value.field == field


def test_a_stream_has_an_end() -> None:
    with pytest.raises(Invalid, match="no return has more than 10000 counts"):
        taken([OPENING, *[count(1)] * 10_001])


def test_the_same_counts_in_another_order_are_the_same_body() -> None:
    one = taken([OPENING, count(3), count(4, "female", counts_sent=2)])
    other = taken([OPENING, count(4, "female"), count(3, counts_sent=2)])
    third = taken([OPENING, count(4, "female"), count(2, counts_sent=2)])

    assert one.body == other.body
    assert one.body != third.body
