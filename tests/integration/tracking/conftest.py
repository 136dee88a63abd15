"""Tracking and returns as processes: one pair for all tests, each with people of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integration.tracking import running
from tests.integration.tracking.running import World
from tests.processes import Processes
from tests.servers import Servers


@pytest.fixture(scope="module")
def processes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with (
        running.migrated(servers) as template,
        running.started(servers, template, tmp_path_factory.mktemp("ppo")) as processes,
    ):
        yield processes


@pytest_asyncio.fixture
async def world(processes: Processes) -> AsyncIterator[World]:
    async for one in running.world(processes):
        yield one
