"""Returns of its own for each test: a migrated database, a clock that stands, the real server in-process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from services.returns.__main__ import MIGRATIONS
from services.returns.models import SCHEMA
from services.runtime import migrations
from tests import servers
from tests.integration.returns.service import Service


@pytest.fixture(scope="session")
def migrated_returns(servers: servers.Servers) -> Iterator[servers.Database]:
    """Migrated once; every test has a copy."""
    with servers.database() as template:
        migrations.upgrade(template.url(SCHEMA), SCHEMA, MIGRATIONS)
        yield template


@pytest.fixture
def own(servers: servers.Servers, migrated_returns: servers.Database) -> Iterator[servers.Database]:
    with servers.database(migrated_returns) as database:
        yield database


@pytest_asyncio.fixture
async def service(own: servers.Database) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        yield await Service.start(own.url(SCHEMA), stack)
