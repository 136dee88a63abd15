"""A repeated request gets the first reply; another body under its id is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy import MetaData, create_engine
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as flagging
from services.runtime import identity
from services.runtime.database import Database, driver_url
from services.runtime.errors import Conflict, Invalid
from services.runtime.identity import Caller
from services.runtime.requests import Requests
from tests import servers

NOW = datetime(2004, 12, 31, 20, tzinfo=UTC)


def keeper(subject: str = "keeper-1") -> Caller:
    return Caller(subject, "register_keeper", "birmingham", datetime.now(UTC) + timedelta(hours=1))


class Desk:
    def __init__(self, database: Database, requests: Requests) -> None:
        self.database = database
        self.requests = requests
        self.times = 0

    async def ask(self, reason: str = "mistaken identity", request_id: str = "r1") -> str:
        request = flagging.AnnulRegistrationRequest(
            request_id=request_id, registration_id="g1", reason=reason
        )
        reply = await self.requests.once(self.database, request, StringValue, self.act, NOW)
        return reply.value

    async def act(self, session: AsyncSession) -> StringValue:
        self.times += 1
        await asyncio.sleep(0.01)
        return StringValue(value=f"done {self.times}")


@pytest.fixture
async def desk(database: servers.Database) -> AsyncIterator[Desk]:
    metadata = MetaData(schema="flagging")
    requests = Requests(metadata)
    url = database.url("flagging")
    engine = create_engine(driver_url(url))
    metadata.create_all(engine)
    engine.dispose()
    identity.enter(keeper())
    desk = Desk(Database(url, "flagging"), requests)
    yield desk
    await desk.database.close()


async def test_a_repeat_gets_the_first_reply(desk: Desk) -> None:
    assert await desk.ask() == "done 1"
    assert await desk.ask() == "done 1"
    assert desk.times == 1


async def test_repeats_at_the_same_moment_are_done_once(desk: Desk) -> None:
    replies = await asyncio.gather(*(desk.ask() for _ in range(8)))

    assert set(replies) == {"done 1"}


async def test_another_body_under_the_same_id_is_a_conflict(desk: Desk) -> None:
    await desk.ask()

    with pytest.raises(Conflict, match="r1"):
        await desk.ask(reason="another reason")


async def test_another_caller_may_use_the_same_id(desk: Desk) -> None:
    await desk.ask()
    identity.enter(keeper("keeper-2"))

    assert await desk.ask() == "done 2"


async def test_what_failed_may_be_asked_again(desk: Desk) -> None:
    async def fails(session: AsyncSession) -> StringValue:
        raise Conflict("not now")

    request = flagging.AnnulRegistrationRequest(request_id="r1", registration_id="g1", reason="x")
    with pytest.raises(Conflict):
        await desk.requests.once(desk.database, request, StringValue, fails, NOW)

    assert await desk.ask(reason="x") == "done 1"


async def test_an_id_that_no_index_takes_is_refused_by_name(desk: Desk) -> None:
    with pytest.raises(Invalid, match="request_id"):
        await desk.ask(request_id="x" * 201)
