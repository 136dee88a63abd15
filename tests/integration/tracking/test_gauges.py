"""What operations see of notices and owners, through the real process."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from casework.v1 import casework_pb2 as casework
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from services.runtime.database import Database
from services.runtime.policy import Viewer
from services.tracking.models import SCHEMA, outbox
from services.tracking.store import figures
from tests.integration.tracking.running import NOW, REGISTERED, SECONDS, Ppo, World, december, hmpps, stamp

RECEPTIONS = 'ppo_notices{{state="NOTICE_STATE_{}",type="NOTICE_TYPE_PRISON_RECEPTION"}}'
PROVISIONAL, RETRACTED = RECEPTIONS.format("PROVISIONAL"), RECEPTIONS.format("RETRACTED")
OVERDUE = 'ppo_notices_overdue{type="NOTICE_TYPE_PRISON_TRANSFER"}'
TICK = timedelta(microseconds=1)
OWNERLESS = "ppo_registrations_without_owner"


async def until(world: World, metric: str, value: float) -> None:
    async with asyncio.timeout(SECONDS):
        while await world.processes.metric(metric) != value:
            await asyncio.sleep(0.1)


async def test_a_notice_that_is_retracted_is_not_counted_as_it_was_any_more(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await until(world, PROVISIONAL, 1)

    ppo.annulled = True
    await world.flag(ppo)

    await until(world, RETRACTED, 1)
    assert await world.processes.metric(PROVISIONAL) == 0


async def test_what_housing_has_said_nothing_of_for_36_hours_is_counted(world: World) -> None:
    before = await world.processes.metric("ppo_housing_nearly_late")

    for hours in (35, 37):
        ppo = await world.known(Ppo(ocu="F2"))
        received = NOW - timedelta(hours=hours)
        await world.publish(hmpps("received", ppo.number, received, "ADMISSION", "BMI", "N"))
        await world.moved(ppo, 1)

    await until(world, "ppo_housing_nearly_late", before + 1)


async def test_an_acknowledged_revision_settles_those_before_it_and_a_retraction_the_rest(
    world: World,
) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await moved(world, ppo)
    [*_, transfer] = await world.notices("F1", ppo, 4)
    # The owner, its probation office, both prisons and their drug workers, though most had two records.
    await until(world, OVERDUE, 6)

    await acknowledge(world, "F1", transfer.notice_id, revision=1)
    assert await settled(world, transfer.notice_id) == {("F1", 1)}
    await acknowledge(world, "FSI", transfer.notice_id, "prison_offender_management_unit")
    await until(world, OVERDUE, 5)
    await acknowledge(world, "F1", transfer.notice_id)
    await until(world, OVERDUE, 4)
    assert await settled(world, transfer.notice_id) == {("F1", 1), ("F1", 2), ("FSI", 2)}

    ppo.annulled = True
    await world.flag(ppo)
    await until(world, OVERDUE, 0)


async def test_a_later_revision_settles_those_before_it(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await moved(world, ppo)
    [*_, transfer] = await world.notices("F1", ppo, 4)

    await acknowledge(world, "F1", transfer.notice_id, revision=2)

    assert await settled(world, transfer.notice_id) == {("F1", 1), ("F1", 2)}


async def test_a_revision_that_was_not_sent_is_not_acknowledged(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    [notice] = await world.notices("F1", ppo, 1)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await acknowledge(world, "F1", notice.notice_id, revision=2)

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert await settled(world, notice.notice_id) == set()


async def moved(world: World, ppo: Ppo) -> None:
    """From one prison to another, which is told in two revisions, and long ago."""
    await world.publish(
        hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"),
        hmpps("released", ppo.number, december(3), "TRANSFERRED", "BMI", "NOTR"),
    )
    await world.moved(ppo, 2)
    await world.publish(hmpps("received", ppo.number, december(3, 12), "TRANSFERRED", "FSI", "INT"))
    await world.moved(ppo, 3)


async def acknowledge(
    world: World,
    organisation: str,
    notice_id: str,
    role: str = "police_offender_manager",
    *,
    revision: int = 0,
) -> None:
    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=notice_id, revision=revision)
    await (await world.tracking(role, organisation)).AcknowledgeNotice(request, timeout=SECONDS)


async def settled(world: World, notice_id: str) -> set[tuple[str, int]]:
    """The organisations that have a revision, and which."""
    ops = await world.tracking("ops", "ppo")
    traced = await ops.TraceNotice(pb.TraceNoticeRequest(notice_id=notice_id), timeout=SECONDS)
    return {
        (one.organisation, one.revision) for one in traced.deliveries if one.HasField("acknowledged_time")
    }


async def test_a_ppo_without_an_owner_is_counted(world: World) -> None:
    ppo = await world.known(Ppo())
    before = await world.processes.metric(OWNERLESS)

    with psycopg.connect(world.processes.database.superuser, autocommit=True) as superuser:
        superuser.execute("DELETE FROM tracking.ownership WHERE nominal_id = %s", [ppo.nominal_id])

    await until(world, OWNERLESS, before + 1)


async def test_an_ocus_cases_are_counted_beside_the_guide_and_only_roughly_in_a_metric(world: World) -> None:
    before = await caseload(world, "F3")
    for _ in range(3):
        await world.lives(await world.known(Ppo(ocu="D1")), "F3")

    after = await caseload(world, "F3")

    assert (before.cases, after.cases, after.guide) == (0, 3, 30)
    await until(world, 'ppo_caseload{ocu="F3"}', 5)
    assert await world.processes.metric('ppo_caseload_guide{ocu="F3"}') == 30
    assert (await caseload(world, "F3", as_of_time=stamp(december(1)))).cases == 3
    assert (await caseload(world, "F3", as_of_time=stamp(REGISTERED - TICK))).cases == 0


async def test_no_caseload_of_the_future_is_told(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await caseload(world, "F3", as_of_time=stamp(NOW + timedelta(days=1)))

    assert channel.violations(refused.value) == [("as_of_time", "lies in the future")]


async def caseload(world: World, ocu: str, **asked: Any) -> pb.Caseload:
    service = await world.tracking("returns_officer", "birmingham")
    counted = await service.ListCaseloads(pb.ListCaseloadsRequest(**asked), timeout=SECONDS)
    return next(one for one in counted.caseloads if one.owner == ocu)


async def test_what_a_provider_was_not_sent_yet_counts_as_undelivered(world: World) -> None:
    database = Database(world.processes.database.url(SCHEMA), SCHEMA)
    try:
        async with database.transaction() as session:
            before = await figures.undelivered(session)
            await a_notice_for_a_provider(session)

            assert await figures.undelivered(session) == before + 1
    finally:
        await database.close()


async def a_notice_for_a_provider(session: AsyncSession) -> None:
    notice = casework.CaseNotice(notice_id="n", revision=1, case_reference="c")
    housing = Viewer("housing_provider", "birmingham-housing")
    topic = "casework.birmingham-housing.v1"
    await outbox.append(session, topic, "c", notice, time=NOW, audience=housing)
