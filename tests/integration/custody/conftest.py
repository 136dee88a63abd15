"""Flagging and custody as processes: one pair for all tests that leave them alone, another for each that does not."""

from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from pathlib import Path

import pytest
import pytest_asyncio

from services.custody.__main__ import MIGRATIONS as CUSTODY
from services.flagging.__main__ import MIGRATIONS as FLAGGING
from services.runtime import migrations
from tests.integration.custody.running import Desk, Processes, desk
from tests.servers import Database, Servers

# Every test has a suite for itself, as long as there are suites.
SUITES = cycle(["D1", "D2", "D3", "D3-2", "E1", "E2", "E3", "E3-2", "F1", "F2", "F3"])


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> Iterator[Database]:
    """Migrated once; every pair of processes has a copy."""
    with servers.database() as template:
        migrations.upgrade(template.url("flagging"), "flagging", FLAGGING)
        migrations.upgrade(template.url("custody"), "custody", CUSTODY)
        yield template
