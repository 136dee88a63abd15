"""What operations see of notices and owners, through the real process."""

import asyncio

import psycopg
from casework.v1 import casework_pb2 as casework
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime.database import Database
from services.runtime.policy import Viewer
from services.tracking.models import SCHEMA, outbox
from services.tracking.store import figures
from tests.integration.tracking.running import NOW, SECONDS, Ppo, World, december, hmpps

RECEPTIONS = 'ppo_notices{{state="NOTICE_STATE_{}",type="NOTICE_TYPE_PRISON_RECEPTION"}}'
CONFIRMED, RETRACTED = RECEPTIONS.format("CONFIRMED"), RECEPTIONS.format("RETRACTED")
OWNERLESS = "ppo_registrations_without_owner"


async def until(world: World, metric: str, value: float) -> None:
    async with asyncio.timeout(SECONDS):
        while await world.processes.metric(metric) != value:
            await asyncio.sleep(0.1)


async def test_a_notice_that_is_retracted_is_not_counted_as_confirmed_any_more(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await until(world, CONFIRMED, 1)

    ppo.annulled = True
    await world.flag(ppo)

    await until(world, RETRACTED, 1)
    assert await world.processes.metric(CONFIRMED) == 0


async def test_a_ppo_without_an_owner_is_counted(world: World) -> None:
    ppo = await world.known(Ppo())
    await until(world, 'ppo_owners{state="OWNERSHIP_STATE_INTERIM"}', 1)
    assert await world.processes.metric(OWNERLESS) == 0

    with psycopg.connect(world.processes.database.superuser, autocommit=True) as superuser:
        superuser.execute("DELETE FROM tracking.ownership WHERE nominal_id = %s", [ppo.nominal_id])

    await until(world, OWNERLESS, 1)


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
