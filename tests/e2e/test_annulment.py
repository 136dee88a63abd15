"""Somebody registered in error: one decision, and everybody who was told is told otherwise."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e import suite
from tests.e2e.suite import Prisons, Processes, Told, told
from tests.e2e.test_day import QUIET_SECONDS, RECEIVED, december, moved, numbered
from tests.integration.custody import running
from tests.servers import Servers

NUMBER = "A1000BC"
# Registration and reception; the owner's two, the prison with its drug workers, and the housing provider.
TELLINGS = 7


@pytest.mark.timeout(400)
async def test_an_annulment_retracts_every_notice_from_everybody_who_had_it(
    servers: Servers, tmp_path: Path
) -> None:
    with (
        suite.started(servers, tmp_path, december(1)) as processes,
        closing(Prisons(processes.kafka)) as prisons,
    ):
        async with running.desk(processes, "D3") as desk:
            registration = await desk.flag(await desk.nominal(numbered(NUMBER)), "F1")
            await suite.quiet(processes, 2, QUIET_SECONDS)
            processes.move_clock(december(2))
            event = moved(NUMBER, RECEIVED, december(2, 7))
            await prisons.publish(NUMBER, json.dumps(event).encode())
            first = await standing(processes, TELLINGS)
            assert {one.state for one in first} == {"CONFIRMED", "PROVISIONAL"}

            await desk.annul(registration)
            both = await standing(processes, 2 * TELLINGS)

    last = {(one.organisation, notice(one)): one for one in both}
    assert last.keys() == {(one.organisation, notice(one)) for one in first}
    assert {(one.state, one.revision) for one in last.values()} == {("RETRACTED", 2)}
    assert {one.organisation for one in first} >= {"F1", "probation-6", "BMI", "birmingham-housing"}


async def standing(processes: Processes, many: int) -> list[Told]:
    await suite.quiet(processes, many, QUIET_SECONDS)
    return told(processes.kafka)


def notice(one: Told) -> str:
    return one.event_id.rpartition("/")[0]
