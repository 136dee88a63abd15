"""What an organisation does not acknowledge in time is overdue at its instant, and told one up at a time."""

from datetime import timedelta
from uuid import uuid4

from deploy.embedded import clock
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.lateness import GRACE
from tests.integration.tracking.running import NOW, SECONDS, Ppo, World, casework_notice, december, hmpps
from tests.integration.tracking.test_disclosure import ENTERED, HOUSING, acknowledging
from tests.integration.tracking.test_merges import merged, send

STEP = timedelta(hours=24)
# The clock runs on while a test runs.
SLACK = timedelta(minutes=20)
LEVELS = (
    pb.ESCALATION_LEVEL_OFFENDER_MANAGER,
    pb.ESCALATION_LEVEL_OCU_LEAD,
    pb.ESCALATION_LEVEL_FORUM,
)


class Hours:
    """The clock goes on for all tests of the module."""

    passed = timedelta()


def later(world: World, by: timedelta) -> None:
    Hours.passed += by
    clock.move(world.processes.directory, NOW + Hours.passed)


async def received(world: World, ppo: Ppo | None = None) -> notice_pb2.Notice:
    """Somebody is in prison: what the owner was told of it."""
    ppo = await world.known(ppo or Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    return (await world.notices(ppo.ocu, ppo, 1, pb.NOTICE_TYPE_PRISON_RECEPTION))[0]


async def acknowledge(world: World, notice_id: str, role: str, organisation: str) -> None:
    service = await world.tracking(role, organisation)
    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=notice_id)
    await service.AcknowledgeNotice(request, timeout=SECONDS)


async def escalations(
    world: World, notice: notice_pb2.Notice, of: str, many: int, owner: str = "E3", whose: str = ""
) -> list[int]:
    """The levels at which the owner was told that this organisation has not acknowledged the notice."""
    ppo = Ppo(nominal_id=whose or notice.nominal_id)
    told: list[int] = []
    seen = 0
    while len(told) < many:
        seen += 1
        notices = await world.notices(owner, ppo, seen, pb.NOTICE_TYPE_NOT_ACKNOWLEDGED)
        late = [one.overdue for one in notices if one.overdue.notice_id == notice.notice_id]
        told = [one.escalation for one in late if one.organisation == of]
    return told


async def deliveries(world: World, notice_id: str) -> dict[str, pb.NoticeDelivery]:
    ops = await world.tracking("ops", "ppo")
    traced = await ops.TraceNotice(pb.TraceNoticeRequest(notice_id=notice_id), timeout=SECONDS)
    return {one.organisation: one for one in traced.deliveries}


async def test_what_is_not_acknowledged_goes_up_a_step_at_a_time(world: World) -> None:
    notice = await received(world)

    for many, by in enumerate((GRACE, STEP, STEP), start=1):
        later(world, by + SLACK)
        assert await escalations(world, notice, "BMI", many) == list(LEVELS[:many])

    ops = await world.tracking("ops", "ppo")
    listed = await ops.ListOverdueNotices(
        pb.ListOverdueNoticesRequest(organisation="BMI", page_size=500), timeout=SECONDS
    )
    assert (notice.notice_id, LEVELS[-1]) in {(one.notice_id, one.escalation) for one in listed.notices}


async def test_one_organisation_that_is_late_says_nothing_of_another(world: World) -> None:
    notice = await received(world)
    await acknowledge(world, notice.notice_id, "prison_offender_management_unit", "BMI")

    later(world, GRACE + SLACK)
    await escalations(world, notice, "E3", 1)

    traced = await deliveries(world, notice.notice_id)
    assert traced["BMI"].HasField("acknowledged_time")
    assert traced["BMI"].escalation == pb.ESCALATION_LEVEL_UNSPECIFIED
    assert not traced["E3"].HasField("acknowledged_time")
    assert traced["E3"].escalation == pb.ESCALATION_LEVEL_OFFENDER_MANAGER
    assert all(one.HasField("published_time") for one in traced.values())


async def test_what_was_acknowledged_after_all_goes_no_further(world: World) -> None:
    notice = await received(world)
    later(world, GRACE + SLACK)
    await escalations(world, notice, "BMI", 1)

    await acknowledge(world, notice.notice_id, "prison_offender_management_unit", "BMI")
    later(world, STEP)
    # Others are told of later, so all that was due has been done.
    assert await escalations(world, notice, "E3", 2) == list(LEVELS[:2])

    assert await escalations(world, notice, "BMI", 1) == list(LEVELS[:1])
    ops = await world.tracking("ops", "ppo")
    listed = await ops.ListOverdueNotices(
        pb.ListOverdueNoticesRequest(organisation="BMI", page_size=500), timeout=SECONDS
    )
    assert notice.notice_id not in {one.notice_id for one in listed.notices}


async def test_who_gets_a_case_learns_at_once_what_has_gone_up_and_the_next_step_comes_when_it_would(
    world: World,
) -> None:
    notice = await received(world, Ppo(ocu="D3"))
    later(world, GRACE + SLACK)
    await escalations(world, notice, "BMI", 1, "D3")
    before = (await deliveries(world, notice.notice_id))["BMI"]

    await world.lives(Ppo(nominal_id=notice.nominal_id), "F1")
    told = await escalations(world, notice, "BMI", 1, "F1")
    after = (await deliveries(world, notice.notice_id))["BMI"]
    later(world, STEP)

    assert told == list(LEVELS[:1])
    assert after == before
    assert await escalations(world, notice, "BMI", 2, "F1") == list(LEVELS[:2])


async def test_who_lives_on_in_another_brings_along_what_has_gone_up(world: World) -> None:
    away, living = Ppo(ocu="D3"), await world.known(Ppo(ocu="F2"))
    notice = await received(world, away)
    await world.lives(away, "D3")
    await world.lives(living, "F2")
    later(world, GRACE + SLACK + 2 * STEP)
    assert await escalations(world, notice, "BMI", 1, "D3") == list(LEVELS[-1:])

    await send(world, merged(away, living))

    assert await escalations(world, notice, "BMI", 1, "F2", living.nominal_id) == list(LEVELS[-1:])
    # Those who had the case before have heard it.
    assert await escalations(world, notice, "BMI", 1, "D3") == list(LEVELS[-1:])


async def test_what_was_acknowledged_after_all_and_then_changed_is_late_from_the_first_level(
    world: World,
) -> None:
    ppo = await world.known(Ppo(ocu="F3"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    reference = world.case_reference(ppo)
    needed = casework_notice((await world.records(HOUSING, 1, key=reference))[0])
    notice = notice_pb2.Notice(notice_id=needed.notice_id, nominal_id=ppo.nominal_id)
    later(world, GRACE + SLACK)
    assert await escalations(world, notice, "birmingham-housing", 1, "F3") == list(LEVELS[:1])
    await (await world.casework()).AcknowledgeNotice(
        acknowledging(notice.notice_id, ENTERED), timeout=SECONDS
    )

    prison = await world.tracking("prison_offender_management_unit", "BMI")
    tenancy = pb.RecordTenancyRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, held=pb.TENANCY_HELD_YES
    )
    await prison.RecordTenancy(tenancy, timeout=SECONDS)
    await world.records(HOUSING, 2, key=reference)
    later(world, GRACE + SLACK)

    assert await escalations(world, notice, "birmingham-housing", 2, "F3") == list(LEVELS[:1]) * 2
