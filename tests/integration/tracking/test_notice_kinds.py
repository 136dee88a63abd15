"""Each kind of notice reaches those whom it concerns, with what it must hold and when it must come."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from casework.v1 import casework_pb2 as casework
from google.type.date_pb2 import Date

from deploy.embedded import clock
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from services.runtime.broker import Record
from tests.integration.tracking.running import (
    NOW,
    REGISTERED,
    SECONDS,
    Ppo,
    World,
    casework_notice,
    december,
    hmpps,
    stamp,
)
from tests.integration.tracking.test_reviews import until, waiting

PRE_RELEASE, TRANSFER = pb.NOTICE_TYPE_PRE_RELEASE_DUE, pb.NOTICE_TYPE_PRISON_TRANSFER
IDENTIFIED, HANDOVER = pb.NOTICE_TYPE_PPO_IDENTIFIED_IN_CUSTODY, pb.NOTICE_TYPE_CARE_PLAN_HANDOVER
TRAINING = "casework.eespro.v1"


async def prison(world: World) -> Any:
    return await world.tracking("prison_offender_management_unit", "BMI")


async def plan(world: World, ppo: Ppo, on: Date, **told: Any) -> pb.PlanReleaseResponse:
    request = pb.PlanReleaseRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, release_date=on, **told
    )
    response: pb.PlanReleaseResponse = await (await prison(world)).PlanRelease(request, timeout=SECONDS)
    return response


async def held(world: World) -> Ppo:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    return ppo


async def test_a_flag_is_told_with_its_version_and_since_when(world: World) -> None:
    ppo = await world.known(Ppo())

    [told] = await world.notices("E3", ppo, 1)

    assert told.effective_time == stamp(REGISTERED)
    assert told.register_version > 0


async def test_a_prison_that_holds_somebody_learns_that_they_have_become_a_ppo(world: World) -> None:
    ppo = await world.known(Ppo(start=december(10)))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))

    [told] = await world.notices("BMI", ppo, 1, IDENTIFIED)

    assert (told.movement.prison_id, told.ownership.owner) == ("BMI", "E3")
    # Friday the 10th: a working day from then.
    assert told.due_time == stamp(december(14, 0))


async def test_who_must_be_ready_is_told_what_is_known_of_the_release(world: World) -> None:
    ppo = await held(world)
    arrangements = pb.ReleaseArrangements(
        collected_by="PC Hollis", appointments=[pb.Appointment(place="probation", time=stamp(NOW))]
    )
    needs = {"outstanding_needs": ["no bed found"], "condition_codes": ["curfew"], "licence": True}

    await plan(world, ppo, Date(year=2005, month=2, day=14), ocu="F2", arrangements=arrangements, **needs)

    [owner] = await world.notices("E3", ppo, 1, PRE_RELEASE)
    [proposed] = await world.notices("F2", ppo, 1, PRE_RELEASE)
    assert (owner.release.ahead, owner.release.area, owner.release.licence) == ("3 months", "F2", True)
    assert list(owner.release.outstanding_needs) == ["no bed found"]
    assert owner.release.arrangements.collected_by == "PC Hollis"
    assert owner.care_plan_reference == ppo.registration_id
    # The OCU that is to have the case sees the date, and not what the person needs, nor where they go.
    assert proposed.release.release_date == owner.release.release_date
    assert not proposed.release.outstanding_needs
    assert proposed.release.area == ""


async def test_a_provider_is_told_to_prepare_for_the_date_and_nothing_else(world: World) -> None:
    ppo = await held(world)
    await plan(world, ppo, Date(year=2005, month=2, day=14), ocu="F2")

    records = await world.records(TRAINING, 2, key=world.case_reference(ppo))

    told = [casework_notice(one) for one in records]
    assert [one.kind for one in told] == [
        casework.CASE_NOTICE_KIND_AVAILABLE_FROM,
        casework.CASE_NOTICE_KIND_PREPARE,
    ]
    assert told[1].needed_time == told[1].due_time == told[0].needed_time


async def test_a_release_on_a_sunday_is_planned_for_the_friday(world: World) -> None:
    ppo = await held(world)

    response = await plan(world, ppo, Date(year=2005, month=6, day=12))

    [told] = await world.notices("E3", ppo, 1, pb.NOTICE_TYPE_RELEASE_PLANNED)
    assert response.release_date == told.release.release_date == Date(year=2005, month=6, day=10)


async def test_a_release_is_not_planned_in_the_past(world: World) -> None:
    ppo = await held(world)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plan(world, ppo, Date(year=2004, month=12, day=31))

    assert channel.violations(refused.value) == [("release_date", "lies in the past")]


async def test_what_was_learnt_in_prison_reaches_who_goes_on_with_it(world: World) -> None:
    ppo = await held(world)
    work = pb.PrisonWork(
        courses=[pb.Course(title="Bricklaying", level="level 1")], contact_name="A Instructor"
    )
    request = pb.RecordPrisonWorkRequest(request_id=str(uuid4()), nominal_id=ppo.nominal_id, work=work)
    await (await prison(world)).RecordPrisonWork(request, timeout=SECONDS)

    await plan(world, ppo, Date(year=2005, month=6, day=10))

    [owner] = await world.notices("E3", ppo, 1, HANDOVER)
    records = await world.records(TRAINING, 2, key=world.case_reference(ppo))
    [done] = [one for one in map(casework_notice, records) if one.kind == casework.CASE_NOTICE_KIND_WORK_DONE]
    assert owner.work == work
    assert [(one.title, one.level) for one in done.work] == [("Bricklaying", "level 1")]


async def test_a_breach_is_told_to_the_managers_and_interested_ocus(world: World) -> None:
    ppo = await held(world)
    await world.arrest(ppo, december(2), suite="D3")
    await world.publish(hmpps("released", ppo.number, december(6), "RELEASED", "BMI", "CR"))
    await world.moved(ppo, 3)
    request = pb.RecordStageRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        kind=pb.STAGE_KIND_RECALL_REQUESTED,
        occurred_time=stamp(december(20)),
        reason_code="NON_COMPLIANCE",
    )

    await (await world.tracking()).RecordStage(request, timeout=SECONDS)

    for organisation in ("E3", "probation-5", "D3"):
        [told] = await world.notices(organisation, ppo, 1, pb.NOTICE_TYPE_RECALL_REQUESTED)
        assert (told.breach.order_kind, told.breach.reason_code) == ("LICENCE", "NON_COMPLIANCE")


async def test_both_owners_are_told_that_a_case_has_gone_over(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")

    await world.lives(ppo, "F2")

    for organisation in ("E3", "F2"):
        [told] = await world.notices(organisation, ppo, 1, pb.NOTICE_TYPE_OWNERSHIP_CHANGED)
        assert (told.ownership_change.from_owner, told.ownership_change.to_owner) == ("E3", "F2")
        assert len(told.ownership_change.facts_hash) == 64
        assert not told.ownership.facts


async def test_a_transfer_tells_why_and_where_to_and_comes_to_where_it_comes(world: World) -> None:
    ppo = await held(world)
    away = hmpps("released", ppo.number, december(3), "TRANSFERRED", "BMI", "OVCROW")

    await world.publish(away, hmpps("received", ppo.number, december(3, 12), "TRANSFERRED", "FSI", "INT"))

    [there] = await world.notices("FSI", ppo, 1, TRANSFER)
    steps = (await world.moved(ppo, 3)).steps
    assert there.movement.transfer_reason == "OVERCROWDING"
    assert there.movement.left_time == stamp(december(3))
    assert there.care_plan_reference == ppo.registration_id
    assert [one.transfer_id for one in steps] == ["", there.movement.transfer_id, there.movement.transfer_id]


# ---- what time brings; these come last, for the clock goes on


async def test_nobody_has_received_the_person_within_the_limit_and_somebody_must_look(world: World) -> None:
    ppo = await held(world)
    left = NOW - timedelta(hours=2)
    await world.publish(hmpps("released", ppo.number, left, "TRANSFERRED", "BMI", "NOTR"))
    [first] = await world.notices("E3", ppo, 1, TRANSFER)

    clock.move(world.processes.directory, left + timedelta(hours=20, minutes=1))

    late = (await world.notices("E3", ppo, 2, TRANSFER))[-1]
    assert not first.movement.reception_late
    assert late.movement.reception_late
    assert late.notice_id == first.notice_id
    assert not late.silent


async def test_a_recall_that_nobody_executes_is_somebodys_to_ask_after(world: World) -> None:
    ppo = await held(world)
    await world.publish(hmpps("released", ppo.number, december(6), "RELEASED", "BMI", "CR"))
    await world.moved(ppo, 2)
    asked = pb.RecordStageRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        kind=pb.STAGE_KIND_RECALL_REQUESTED,
        occurred_time=stamp(NOW),
        reason_code="NON_COMPLIANCE",
    )
    await (await world.tracking()).RecordStage(asked, timeout=SECONDS)
    before = await waiting(world, ppo)

    clock.move(world.processes.directory, NOW + timedelta(hours=48, minutes=1))
    [late] = await until(world, ppo, len)
    executed = pb.RecordStageRequest()
    executed.CopyFrom(asked)
    executed.request_id, executed.kind = str(uuid4()), pb.STAGE_KIND_RECALL_EXECUTED
    executed.occurred_time.FromDatetime(NOW + timedelta(hours=48))
    await (await world.tracking()).RecordStage(executed, timeout=SECONDS)

    assert before == []
    assert (late.kind, late.reason) == (pb.REVIEW_KIND_RECALL, "a recall was requested and is not executed")
    assert await waiting(world, ppo) == []


async def test_a_plan_is_to_be_looked_at_on_its_day_and_the_forum_is_told_nobodys_name(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))

    # The programme began on 4 October; monthly since the new year, on the 4th.
    clock.move(world.processes.directory, NOW + timedelta(days=32))

    [told] = await world.notices("F1", ppo, 1, pb.NOTICE_TYPE_REVIEW_DUE)
    # What nobody has acknowledged for so long has come to the forum too.
    [record] = await world.records("ppo.notices.forum-f1.v1", 1, key=ppo.registration_id, of=_is_review)
    to_forum = notice_pb2.Notice.FromString(record.value or b"")
    assert told.review_date == Date(year=2005, month=2, day=4)
    assert told.care_plan_reference == to_forum.care_plan_reference == ppo.registration_id
    assert told.due_time == to_forum.due_time
    assert {field.name for field, _ in to_forum.ListFields()} == {
        *("notice_id", "revision", "state", "type", "recorded_time", "due_time", "purpose"),
        *("protocol_version", "care_plan_reference"),
    }


def _is_review(record: Record) -> bool:
    return notice_pb2.Notice.FromString(record.value or b"").type == pb.NOTICE_TYPE_REVIEW_DUE
