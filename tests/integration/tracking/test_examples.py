"""The example by which a provider or a court says that it has a notice, run as its README says."""

import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from docs import descriptors
from ppo.tracking.v1 import tracking_pb2 as pb
from tests.integration.tracking.running import SECONDS, Ppo, World, december, hmpps, stamp
from tests.integration.tracking.test_courts import COURT, TOPIC, record, reference, released, traced

EXAMPLE = Path(__file__).parents[3] / "examples" / "python" / "acknowledge.py"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sets")
    descriptors.write(directory)
    return directory


async def said(world: World, role: str, organisation: str, *given: str | Path) -> tuple[int | None, str]:
    """The exit code, and all that it prints."""
    process = await create_subprocess_exec(
        *(sys.executable, EXAMPLE, world.processes.tracking.address, *given),
        env={"TOKEN": world.processes.token(role, organisation)},
        stdout=PIPE,
        stderr=PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, (out + err).decode()


async def test_the_example_says_for_a_court_that_it_has_the_notice(world: World, sets: Path) -> None:
    ppo, own = await released(world), reference()
    await record(world, ppo, court_id=COURT, court_reference=own)
    [sent] = await world.records(TOPIC, 1, key=own)
    event_id = sent.headers["ce_id"]

    ran = [await said(world, "court", COURT, sets / "court.binpb", event_id) for _ in range(2)]

    since = (await traced(world, event_id.partition("/")[0]))[COURT].acknowledged_time.ToJsonString()
    assert ran == [(0, f"acknowledged {since}\n")] * 2


async def test_the_example_gives_the_date_of_entry_and_says_what_is_refused(world: World, sets: Path) -> None:
    ppo, housing = await world.known(Ppo()), "birmingham-housing"
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    [sent] = await world.records(f"casework.{housing}.v1", 1, key=world.case_reference(ppo))
    event_id, given = sent.headers["ce_id"], sets / "casework.binpb"

    undated = await said(world, "housing_provider", housing, given, event_id)
    dated = await said(world, "housing_provider", housing, given, event_id, "2004-12-02")

    request = pb.TraceNoticeRequest(notice_id=event_id.partition("/")[0])
    [entered] = (await (await world.tracking()).TraceNotice(request, timeout=SECONDS)).deliveries
    assert undated[0] == 1
    assert undated[1].startswith("INVALID_ARGUMENT: register_date: is required")
    assert dated == (0, f"acknowledged {entered.acknowledged_time.ToJsonString()}\n")
    assert entered.register_date.day == stamp(december(2)).ToDatetime().day
