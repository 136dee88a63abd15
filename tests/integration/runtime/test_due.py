"""What is due is done once its time has come: once, under the person's lock, whoever else tries."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import MetaData, create_engine
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime import due
from services.runtime.clock import Clock
from services.runtime.database import Database, driver_url
from services.runtime.due import Due, Runner
from services.runtime.errors import Conflict
from tests import servers

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Still(Clock):
    """Stands where the test puts it."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Work:
    database: Database
    due: Due
    clock: Still = field(default_factory=lambda: Still(NOON))
    done: list[str] = field(default_factory=list)
    refusals: int = 0

    def runner(self) -> Runner:
        return Runner(self.database, self.due, self.clock, {"flag_ends": self.act})

    async def act(self, session: AsyncSession, key: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Conflict("not yet")
        # Long enough for another runner to try the same.
        await asyncio.sleep(0.01)
        self.done.append(key)

    async def put(self, key: str, at: datetime) -> None:
        async with self.database.transaction() as session:
            await self.due.put(session, "flag_ends", key, at)


@pytest.fixture
async def work(database: servers.Database) -> AsyncIterator[Work]:
    metadata = MetaData(schema="flagging")
    table = Due(metadata)
    url = database.url("flagging")
    engine = create_engine(driver_url(url))
    metadata.create_all(engine)
    engine.dispose()
    work = Work(Database(url, "flagging"), table)
    yield work
    await work.database.close()


async def test_whoever_puts_what_is_due_now_wakes_the_runner(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From here on nobody looks by himself.
    monkeypatch.setattr(due, "IDLE_SECONDS", 3600)
    runner = work.runner()
    running = asyncio.create_task(runner.run())
    await work.put("n1", NOON)
    runner.wake()

    async with asyncio.timeout(10):
        while not work.done:
            await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.wait([running])
    assert work.done == ["n1"]


async def test_a_thing_is_done_at_its_time_and_not_before(work: Work) -> None:
    await work.put("n1", NOON + HOUR)
    assert not await work.runner().step()

    work.clock.at = NOON + HOUR

    assert await work.runner().step()
    assert work.done == ["n1"]
    assert not await work.runner().step()


async def test_what_is_put_again_is_moved(work: Work) -> None:
    await work.put("n1", NOON)
    await work.put("n1", NOON + HOUR)

    assert not await work.runner().step()


async def test_two_runners_do_a_thing_once(work: Work) -> None:
    for number in range(20):
        await work.put(f"n{number}", NOON)
    runners = [work.runner(), work.runner()]

    async def drain(runner: Runner) -> None:
        while await runner.step():
            pass

    await asyncio.gather(*map(drain, runners))

    assert sorted(work.done) == sorted({f"n{number}" for number in range(20)})


async def test_what_is_refused_is_tried_again_later_and_the_others_go_on(work: Work) -> None:
    await work.put("n1", NOON - HOUR)
    await work.put("n2", NOON)
    work.refusals = 1

    assert await work.runner().step()
    assert await work.runner().step()
    assert work.done == ["n2"]

    work.clock.at = NOON + HOUR
    assert await work.runner().step()
    assert work.done == ["n2", "n1"]


async def test_an_act_may_put_the_next_one(work: Work) -> None:
    async def weekly(session: AsyncSession, key: str) -> None:
        work.done.append(key)
        await work.due.put(session, "flag_ends", key, work.clock.at + 7 * 24 * HOUR)

    runner = Runner(work.database, work.due, work.clock, {"flag_ends": weekly})
    await work.put("n1", NOON)
    assert await runner.step()
    assert not await runner.step()

    work.clock.at = NOON + 7 * 24 * HOUR
    assert await runner.step()
    assert work.done == ["n1", "n1"]


async def test_an_error_of_ours_leaves_the_thing_due(work: Work) -> None:
    async def broken(session: AsyncSession, key: str) -> None:
        raise RuntimeError

    await work.put("n1", NOON)
    with pytest.raises(RuntimeError):
        await Runner(work.database, work.due, work.clock, {"flag_ends": broken}).step()

    assert await work.runner().step()
    assert work.done == ["n1"]
