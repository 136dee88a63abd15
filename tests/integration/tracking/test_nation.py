"""A month of more areas than go at once: each is told in its turn, and a repeat sends the same again."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.returns.models import SCHEMA as RETURNS
from services.runtime import channel, identity
from services.runtime.database import Database
from services.runtime.errors import Unavailable
from services.runtime.identity import Caller
from services.runtime.reference import Reference
from services.tracking.models import SCHEMA
from services.tracking.months import AT_ONCE, IN_FLIGHT, Months
from tests import servers
from tests.integration.returns.service import NOW, PRIVATE, Service, Still
from tests.integration.tracking import running

DECEMBER = Date(year=2004, month=12)
# The last part is not full.
AREAS = [f"area-{number:03}" for number in range(IN_FLIGHT * AT_ONCE + AT_ONCE + 1)]

TABLES = """
[columns.areas]
name = "text"
ocus = "-> many ocus"
planned = "number"
region = "text"
[columns.ocus]
[columns.youth_offending_teams]
ocus = "-> many ocus"
[columns.suites]
ocu = "-> ocus"
[columns.return_calendar]
due = "day"
[columns.return_tools]
ethnicity_codes = "text"
[[return_tools]]
id = "1"
from = 2004-04-01
ethnicity_codes = "16+1"
"""


def reference(directory: Path) -> Path:
    ocus = "\n".join(f'[[ocus]]\nid = "{area}"\nfrom = 2004-04-01' for area in AREAS)
    areas = "\n".join(
        f'[[areas]]\nid = "{area}"\nfrom = 2004-04-01\nname = "Area {area}"\nocus = ["{area}"]\n'
        'planned = 30\nregion = "north"'
        for area in AREAS
    )
    (directory / "all.toml").write_text(f"{TABLES}\n{ocus}\n{areas}\n")
    return directory


@pytest.fixture(scope="module")
def own(servers: servers.Servers) -> Iterator[servers.Database]:
    with running.migrated(servers) as template, servers.database(template) as database:
        yield database


@pytest_asyncio.fixture
async def months(own: servers.Database, tmp_path: Path) -> AsyncIterator[Months]:
    async with AsyncExitStack() as stack:
        found = Reference.load(reference(tmp_path))
        service = await Service.start(own.url(RETURNS), stack, tmp_path)
        database = Database(own.url(SCHEMA), SCHEMA)
        stack.push_async_callback(database.close)
        token = identity.issue(PRIVATE, caller("service_tracking"))
        wire = channel.connect(f"127.0.0.1:{service.port}", lambda: token)
        identity.enter(caller("returns_officer"))
        yield Months(database, Still(NOW), found, await stack.enter_async_context(wire))


def caller(role: str) -> Caller:
    return Caller(f"{role}-1", role, "all", datetime.now(UTC) + timedelta(hours=1))


async def closed(
    months: Months, request_id: str, left: float | None = None
) -> list[tuple[str, pb.CloseMonthResponse]]:
    request = pb.CloseMonthsRequest(request_id=request_id, month=DECEMBER)
    return [(one.area, one.closed) async for one in months.close_all(request, left)]


async def test_every_area_of_a_nation_is_told_once_in_its_turn(months: Months) -> None:
    request_id = str(uuid4())

    first = await closed(months, request_id)
    again = await closed(months, request_id)

    assert [area for area, _ in first] == AREAS
    assert len({one.return_id for _, one in first}) == len(AREAS)
    assert again == first


async def test_a_nation_that_was_sent_in_part_is_sent_whole_by_a_repeat(months: Months) -> None:
    request_id, told = str(uuid4()), await closed(months, str(uuid4()))
    request = pb.CloseMonthsRequest(request_id=request_id, month=DECEMBER)
    async with aclosing(months.close_all(request, None)) as broken_off:
        await anext(broken_off)
    with pytest.raises(Unavailable):
        await closed(months, request_id, left=0.001)

    whole = await closed(months, request_id)

    assert [(area, one.revision) for area, one in whole] == [(area, one.revision + 1) for area, one in told]
