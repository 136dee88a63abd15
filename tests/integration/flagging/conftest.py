"""A register of its own for each test: a migrated database, a clock that stands, the real server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest
import pytest_asyncio

from services.flagging.__main__ import MIGRATIONS
from services.flagging.models import SCHEMA
from services.runtime import migrations
from tests import servers
from tests.integration.flagging.service import Service


@pytest.fixture(scope="session")
def migrated(servers: servers.Servers) -> Iterator[servers.Database]:
    """Migrated once; every test has a copy."""
    with servers.database() as template:
        migrations.upgrade(template.url(SCHEMA), SCHEMA, MIGRATIONS)
        yield template


@pytest.fixture
def own(servers: servers.Servers, migrated: servers.Database) -> Iterator[servers.Database]:
    with servers.database(migrated) as database:
        with psycopg.connect(database.url(SCHEMA)) as connection:
            # A copy, but no copy of the same register.
            connection.execute("UPDATE register SET epoch = gen_random_uuid()")
        yield database


@pytest_asyncio.fixture
async def service(own: servers.Database) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        yield await Service.start(own.url(SCHEMA), stack)
