"""Redis: wakes those who wait, on this and every other replica; it never decides, and may be away."""

import asyncio
from collections import defaultdict

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.runtime.errors import Unavailable

CHANNEL = "wake"
RETRY_SECONDS = 1

log = structlog.get_logger()


class Bell:
    """Whoever waits must look by itself now and then: a ring may be lost."""

    def __init__(self, url: str, prefix: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._channel = f"{prefix}:{CHANNEL}"
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def ring(self, name: str) -> None:
        self.wake(name)
        try:
            await self._redis.publish(self._channel, name)
        except (RedisError, OSError):
            log.warning("redis is away; other replicas look by themselves")

    async def wait(self, name: str, seconds: float) -> None:
        """Until `name` rings, or `seconds` have passed."""
        rung = asyncio.Event()
        self._waiting[name].add(rung)
        try:
            await asyncio.wait_for(rung.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting[name].discard(rung)

    async def run(self) -> None:
        """Passes on what other replicas ring."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError):
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
                if message is not None:
                    self.wake(message["data"].decode())

    def wake(self, name: str) -> None:
        """Those who wait here."""
        for rung in self._waiting.get(name, ()):
            rung.set()

    async def probe(self) -> None:
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            raise Unavailable("redis") from None

    async def close(self) -> None:
        await self._redis.aclose()
