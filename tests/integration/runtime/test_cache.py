"""A bell wakes those who wait, here and at other replicas; without Redis, those here."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.runtime.cache import Bell
from tests.servers import Running


@pytest.fixture
async def bells(redis: Running) -> AsyncIterator[tuple[Bell, Bell]]:
    one, other = Bell(redis.address, "custody"), Bell(redis.address, "custody")
    listening = [asyncio.create_task(bell.run()) for bell in (one, other)]
    yield one, other
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    await one.close()
    await other.close()


async def waited(bell: Bell, name: str, seconds: float) -> float:
    start = time.monotonic()
    await bell.wait(name, seconds)
    return time.monotonic() - start


async def test_a_ring_wakes_another_replica(bells: tuple[Bell, Bell]) -> None:
    one, other = bells
    waiting = asyncio.create_task(waited(other, "D1", 20))
    while not waiting.done():
        # Until the subscription stands, a ring may be lost: rung again, as a poll would look again.
        await one.ring("D1")
        await asyncio.sleep(0.02)

    assert await waiting < 10


async def test_a_ring_for_one_wakes_no_other(bells: tuple[Bell, Bell]) -> None:
    one, _ = bells
    waiting = asyncio.create_task(waited(one, "E3", 0.3))
    await asyncio.sleep(0)
    await one.ring("D1")

    assert await waiting >= 0.3


async def test_without_redis_a_ring_wakes_those_here() -> None:
    bell = Bell("redis://127.0.0.1:1", "custody")
    waiting = asyncio.create_task(waited(bell, "D1", 20))
    await asyncio.sleep(0)
    await bell.ring("D1")

    assert await waiting < 10
    await bell.close()
