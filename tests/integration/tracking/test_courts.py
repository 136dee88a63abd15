"""A court that is named is told of a breach or a recall: the facts alone, under its own reference."""

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import grpc
import pytest
from casework.v1 import casework_pb2 as casework
from casework.v1 import court_pb2 as court
from google.type.date_pb2 import Date

from deploy.embedded import clock
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from services.runtime.broker import Record
from tests.integration.tracking.running import NOW, SECONDS, Ppo, World, december, hmpps, stamp
from tests.integration.tracking.test_merges import merged, send, unmerged

COURT = "birmingham-magistrates"
TOPIC = f"casework.{COURT}.v1"
BREACH, RECALL = pb.NOTICE_TYPE_BREACH_STARTED, pb.NOTICE_TYPE_RECALL_REQUESTED
OTHERS = ("E3", "probation-5", "D3")

_CASES = count(1)


def reference() -> str:
    return f"BM 04/{next(_CASES)}"


async def released(world: World) -> Ppo:
    """On licence, of interest to D3."""
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    await world.arrest(ppo, december(2), suite="D3")
    await world.publish(
        hmpps("received", ppo.number, december(3), "ADMISSION", "BMI", "I"),
        hmpps("released", ppo.number, december(6), "RELEASED", "BMI", "CR"),
    )
    await world.moved(ppo, 3)
    return ppo


async def record(world: World, ppo: Ppo, kind: str = "BREACH_PROCEEDINGS", **told: Any) -> pb.Journey:
    given: dict[str, Any] = {"occurred_time": stamp(december(20)), "reason_code": "NON_COMPLIANCE"}
    request = pb.RecordStageRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        kind=pb.StageKind.Value(f"STAGE_KIND_{kind}"),
        **(given | told),
    )
    return (await (await world.tracking()).RecordStage(request, timeout=SECONDS)).journey


async def told(world: World, key: str, many: int, topic: str = TOPIC) -> list[court.CourtNotice]:
    return [read(one) for one in await world.records(topic, many, key=key)]


def read(record: Record) -> court.CourtNotice:
    return court.CourtNotice.FromString(record.value or b"")


def acknowledging(notice_id: str, **said: Any) -> casework.AcknowledgeNoticeRequest:
    return casework.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=notice_id, **said)


async def traced(world: World, notice_id: str) -> dict[str, pb.NoticeDelivery]:
    ops = await world.tracking("ops", "ppo")
    found = await ops.TraceNotice(pb.TraceNoticeRequest(notice_id=notice_id), timeout=SECONDS)
    return {one.organisation: one for one in found.deliveries}


async def test_a_court_that_is_named_is_told_the_facts_and_neither_name_nor_scheme(world: World) -> None:
    ppo, own = await released(world), reference()

    await record(world, ppo, court_id=COURT, court_reference=own)

    [sent] = await world.records(TOPIC, 1, key=own)
    notice = read(sent)
    assert (notice.kind, notice.state) == (
        court.COURT_NOTICE_KIND_BREACH_STARTED,
        casework.CASE_NOTICE_STATE_CONFIRMED,
    )
    assert (notice.court_id, notice.court_reference) == (COURT, own)
    assert (notice.order_kind, notice.reason_code) == ("LICENCE", "NON_COMPLIANCE")
    assert notice.occurred_time == stamp(december(20))
    assert (sent.headers["ce_type"], sent.headers["ce_source"]) == ("casework.v1.CourtNotice", "/casework")
    whole = f"{sent.topic} {sent.key} {sent.headers} {sent.value!r}".lower()
    hidden = ("ppo", "tadcaster", "wilfred", ppo.nominal_id, ppo.number, ppo.registration_id)
    assert [word for word in (*hidden, world.case_reference(ppo)) if word.lower() in whole] == []
    for organisation in OTHERS:
        [other] = await world.notices(organisation, ppo, 1, BREACH)
        assert other.notice_id == notice.notice_id


async def test_where_no_court_is_named_none_is_told_and_the_others_are(world: World) -> None:
    ppo, own = await released(world), reference()

    await record(world, ppo, "RECALL_REQUESTED")
    await record(
        world,
        ppo,
        "RECALL_EXECUTED",
        occurred_time=stamp(december(21)),
        court_id=COURT,
        court_reference=own,
    )

    for organisation in OTHERS:
        [unnamed] = await world.notices(organisation, ppo, 1, RECALL)
    [executed] = await world.records(TOPIC, 1, key=own)
    assert read(executed).kind == court.COURT_NOTICE_KIND_RECALL_EXECUTED
    assert executed.headers["ce_sequence"] == "1"
    assert {*OTHERS} == (await traced(world, unnamed.notice_id)).keys()


async def test_what_is_withdrawn_is_retracted_at_the_court(world: World) -> None:
    ppo, own = await released(world), reference()
    journey = await record(world, ppo, court_id=COURT, court_reference=own)
    [first] = await told(world, own, 1)

    withdrawn = pb.WithdrawFactRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        fact_id=journey.steps[-1].fact_id,
        reason="entered for the wrong man",
    )
    await (await world.tracking()).WithdrawFact(withdrawn, timeout=SECONDS)

    last = (await told(world, own, 2))[-1]
    assert (last.notice_id, last.revision) == (first.notice_id, 2)
    assert last.state == casework.CASE_NOTICE_STATE_RETRACTED
    assert (last.court_reference, last.reason_code) == (own, "NON_COMPLIANCE")


async def test_only_the_court_that_was_told_acknowledges_and_the_trace_says_so(world: World) -> None:
    ppo, own = await released(world), reference()
    await record(world, ppo, court_id=COURT, court_reference=own)
    [notice] = await told(world, own, 1)

    for organisation, role in (("birmingham-crown", "court"), ("birmingham-housing", "housing_provider")):
        stub = await world.casework(organisation, role)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.AcknowledgeNotice(acknowledging(notice.notice_id), timeout=SECONDS)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    before = await traced(world, notice.notice_id)
    stub = await world.casework(COURT, "court")
    answer = await stub.AcknowledgeNotice(acknowledging(notice.notice_id, revision=1), timeout=SECONDS)

    after = (await traced(world, notice.notice_id))[COURT]
    assert before.keys() == {*OTHERS, COURT}
    assert not before[COURT].HasField("acknowledged_time")
    assert after.acknowledged_time == answer.acknowledged_time
    assert after.due_time == notice.due_time


async def test_a_court_has_no_date_of_entry_to_say(world: World) -> None:
    ppo, own = await released(world), reference()
    await record(world, ppo, court_id=COURT, court_reference=own)
    [notice] = await told(world, own, 1)
    entered = Date(year=2004, month=12, day=21)

    stub = await world.casework(COURT, "court")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.AcknowledgeNotice(acknowledging(notice.notice_id, register_date=entered), timeout=SECONDS)

    assert [field for field, _ in channel.violations(refused.value)] == ["register_date"]


async def test_tracking_itself_is_not_there_for_a_court(world: World) -> None:
    tracking = await world.tracking("court", COURT)
    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id="n")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await tracking.AcknowledgeNotice(request, timeout=SECONDS)

    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_courts_records_are_replayed_with_their_first_ids_and_sequences(world: World) -> None:
    ppo, own = await released(world), reference()
    named = {"court_id": COURT, "court_reference": own}
    await record(world, ppo, "RECALL_REQUESTED", **named)
    await record(world, ppo, "RECALL_EXECUTED", **named, occurred_time=stamp(december(21)))
    first = await world.records(TOPIC, 2, key=own)

    request = pb.ReplayNoticesRequest(request_id=str(uuid4()), organisation=COURT)
    await (await world.tracking("ops", "ppo")).ReplayNotices(request, timeout=SECONDS)

    again = await world.records(f"{TOPIC}.replay", 2, key=own)
    assert [(one.value, one.headers) for one in again] == [(one.value, one.headers) for one in first]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"court_id": "leeds-crown", "court_reference": "L 1"}, "court_id"),
        ({"court_reference": "L 1"}, "court_id"),
        ({"court_id": COURT}, "court_reference"),
        ({"court_id": COURT, "court_reference": "PPO 7"}, "court_reference"),
        ({"court_id": COURT, "court_reference": "L 1", "reason_code": "LEFT_PPO_SCHEME"}, "reason_code"),
        ({"court_id": COURT, "court_reference": "L 1", "kind": "CHARGED"}, "court_id"),
    ],
)
async def test_a_stage_that_a_court_may_not_be_told_of_is_refused_whole(
    world: World, given: dict[str, Any], field: str
) -> None:
    ppo = await world.known(Ppo())

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await record(world, ppo, **given)

    assert [named for named, _ in channel.violations(refused.value)] == [field]
    assert not (await world.journey(ppo)).steps


@pytest.mark.parametrize("order", [1, -1])
async def test_a_merge_of_nominals_is_nothing_to_a_court(world: World, order: int) -> None:
    away, living = await released(world), await world.known(Ppo(ocu="E3", start=december(22)))
    own = reference()
    named = {"court_id": COURT, "court_reference": own}
    await record(world, away, "RECALL_REQUESTED", **named)
    await told(world, own, 1)

    await send(world, merged(away, living)[::order])
    await world.notices("E3", away, 2, RECALL)
    # The other way round there is a retraction in between, for everybody.
    await send(world, unmerged(away, living)[::-1])
    await world.notices("E3", away, 3, RECALL)
    await record(world, away, "RECALL_EXECUTED", **named, occurred_time=stamp(december(21)))

    requested, executed = await told(world, own, 2)
    assert (requested.revision, requested.kind) == (1, court.COURT_NOTICE_KIND_RECALL_REQUESTED)
    assert (executed.revision, executed.kind) == (1, court.COURT_NOTICE_KIND_RECALL_EXECUTED)


# ---- this comes last, for the clock goes on


async def test_a_court_that_says_nothing_in_time_is_told_of_to_whoever_manages_the_case(world: World) -> None:
    ppo, own = await released(world), reference()
    await record(world, ppo, "RECALL_REQUESTED", court_id=COURT, court_reference=own)
    [notice] = await told(world, own, 1)

    clock.move(world.processes.directory, NOW + timedelta(days=2))

    def of_the_court(record: Record) -> bool:
        late = notice_pb2.Notice.FromString(record.value or b"").overdue
        return (late.organisation, late.notice_id) == (COURT, notice.notice_id)

    assert await world.records("ppo.notices.E3.v1", 1, key=ppo.nominal_id, of=of_the_court)
