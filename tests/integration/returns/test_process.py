"""The service as a process, from its settings to its metrics."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from deploy.embedded.keys import Keys
from deploy.embedded.ports import HOST, free
from deploy.embedded.services import Service, ServiceProcess, Suite
from ppo.returns.v1 import returns_pb2 as pb
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from services.runtime import channel
from services.runtime.identity import Caller
from tests.integration.returns.service import SECONDS, stream
from tests.servers import Database, Loop, Running
from tests.unit.returns.builders import december

RETURNS = Service("returns", free(), free())


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


@pytest.fixture
def process(own: Database, keys: Keys, tmp_path: Path) -> Iterator[Running]:
    # It speaks to PostgreSQL alone.
    suite = Suite(tmp_path, 0, own.superuser, "redis://127.0.0.1:1", "127.0.0.1:1", False, keys, (RETURNS,))
    settings = suite.settings(RETURNS) | {"PPO_RETURNS_POSTGRES": own.url("returns")}
    loop = Loop()
    server = ServiceProcess(RETURNS, settings, tmp_path / "logs", 0, tmp_path / "returns")
    running = Running(server, lambda: suite.address("returns"), loop)
    running.start()
    yield running
    running.kill()
    loop.close()


async def test_a_process_that_was_killed_has_what_it_said_it_recorded(process: Running, keys: Keys) -> None:
    caller = Caller("tracking", "service_tracking", "ppo", datetime.now(UTC) + timedelta(hours=1))

    async def record() -> pb.Return:
        async with channel.connect(process.address, lambda: keys.token(caller)) as wire:
            sent = iter(stream(december(), request_id="r-1"))
            return (await ReturnsServiceStub(wire).RecordReturn(sent, timeout=SECONDS)).monthly_return

    first = await record()
    process.restart()

    assert await record() == first


def metrics() -> str:
    with urlopen(f"http://{HOST}:{RETURNS.metrics}/metrics", timeout=SECONDS) as reply:
        shown: str = reply.read().decode()
    return shown


async def test_a_process_shows_its_health_and_its_deadline(process: Running) -> None:
    async with asyncio.timeout(SECONDS):
        while 'ppo_return_days_to_due{area="birmingham"}' not in (shown := await asyncio.to_thread(metrics)):
            await asyncio.sleep(0.1)

    assert 'ppo_dependency_up{dependency="postgres"} 1.0' in shown
