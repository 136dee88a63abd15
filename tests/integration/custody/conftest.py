"""Flagging and custody as processes, one pair for each module of tests."""

from collections.abc import AsyncIterator, Iterator
from itertools import cycle

import psycopg
import pytest
import pytest_asyncio

from tests.integration.custody import running
from tests.integration.custody.running import JOURNAL, Desk, Processes
from tests.servers import Database, Servers

# Each test has a suite for itself, until all have had their turn.
SUITES = cycle(["D1", "D2", "D3", "D3-2", "E1", "E2", "E3", "E3-2", "F1", "F2", "F3"])

# In which order the decisions were stored, which no column of theirs says.
NUMBERED = f"""
    CREATE TABLE {JOURNAL} (number bigint GENERATED ALWAYS AS IDENTITY, decision_id text);
    CREATE FUNCTION number_stored() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO {JOURNAL} (decision_id) VALUES (NEW.decision_id); RETURN NEW; END
    $$;
    CREATE TRIGGER number_stored AFTER INSERT ON decision FOR EACH ROW EXECUTE FUNCTION number_stored();
"""


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> Iterator[Database]:
    with running.migrated(servers) as template:
        with psycopg.connect(template.url("custody")) as session:
            session.execute(NUMBERED)
        yield template


@pytest.fixture(scope="module")
def processes(
    servers: Servers, migrated: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Processes]:
    directory = tmp_path_factory.mktemp("ppo")
    with running.pair(servers, migrated, directory, register_seconds=5) as processes:
        yield processes


@pytest_asyncio.fixture
async def desk(processes: Processes) -> AsyncIterator[Desk]:
    async with running.desk(processes, next(SUITES)) as desk:
        yield desk
