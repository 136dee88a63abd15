"""The screen of a suite, as a program reads it: every event with the moment at which it came."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.policy.v1 import policy_pb2 as policy
from services.console.session import STREAM_SECONDS
from services.console.stop import Stop

# What takes longer than this is not going to come.
PATIENCE = 60.0


class Seen(NamedTuple):
    event: custody.WatchSuiteResponse
    # By time.monotonic().
    at: float


class Screen:
    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._came = asyncio.Event()

    async def follow(self, desk: CustodyServiceStub, suite: str) -> None:
        request = custody.WatchSuiteRequest(suite_id=suite, purpose=policy.PURPOSE_ARREST)
        async for event in desk.WatchSuite(request, timeout=STREAM_SECONDS):
            self._seen.append(Seen(event, time.monotonic()))
            self._came.set()

    async def shows(self, what: str, wanted: Callable[[custody.WatchSuiteResponse], bool]) -> Seen:
        """The first event that is wanted, once it has come. Raises Stop when it does not."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    for seen in self._seen:
                        if wanted(seen.event):
                            return seen
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise Stop(f"the suite's screen did not show {what} within {PATIENCE:.0f} seconds") from None


@asynccontextmanager
async def watching(desk: CustodyServiceStub, suite: str) -> AsyncIterator[Screen]:
    screen = Screen()
    task = asyncio.create_task(screen.follow(desk, suite))
    try:
        yield screen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
