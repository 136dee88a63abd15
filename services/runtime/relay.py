"""Sends what the outbox holds: every row at least once, those of a person in order, whoever dies when."""

import asyncio
import time
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from services.runtime.broker import Cluster, Producer, Record, Topic, Topics
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Unavailable
from services.runtime.outbox import SHARDS, Outbox

SENT = Counter("ppo_relay_sent", "Events that the broker has acknowledged.", ["topic"])
FAILED = Counter(
    "ppo_relay_failed", "Events that the broker did not acknowledge; each is sent again.", ["topic"]
)
WAITING = Gauge("ppo_outbox_waiting", "Events that are committed and not yet sent.")
REPUBLISHED = Counter(
    "ppo_relay_clusters_met", "Times the relay met another Kafka cluster and published all again."
)

# What a batch of a consumer leads to: what leaves together is packed better.
ROUND = 2_000
# What this process leaves is sent at once, what one that died has left at the next look.
IDLE_SECONDS = 0.2
RETRY_SECONDS = 0.5
CLUSTER_SECONDS = 5
PRUNE_SECONDS = 3600
# So many rows are forgotten in one transaction: it takes a second.
FORGOTTEN = 10_000
COUNT_SECONDS = 1
# Advisory locks have two numbers: this one says "a shard of an outbox"; the schema's own is added to it.
LOCK_CLASS = 7_051

# A transaction holds half of the shards, so that two relays find work at once.
HALVES = (range(SHARDS // 2), range(SHARDS // 2, SHARDS))

log = structlog.get_logger()


class Relay:
    """Several replicas may run: a transaction-level advisory lock gives each shard to one at a time.

    A relay that dies loses its transaction and with it the lock: the rows are unsent still, and another sends
    them, perhaps for the second time.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        producer: Producer,
        cluster: Cluster,
        topics: Topics,
        clock: Clock,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._producer = producer
        self._cluster = cluster
        self._topics = topics
        self._clock = clock
        self._woken = asyncio.Event()
        outbox.appended = self._woken.set
        self._met = self._pruned = self._counted = float("-inf")
        # Topics of which some of what the broker has dropped is still kept.
        self._unpruned: list[Topic] = []

    async def run(self) -> None:
        while True:
            try:
                await self._meet_cluster()
                await self._prune()
                sent = await self.round()
            except Unavailable as outage:
                log.warning("relay waits", dependency=outage.dependency)
                self._met = float("-inf")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not sent and not self._unpruned:
                await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._woken.wait()
        self._woken.clear()

    async def round(self) -> int:
        """Sends up to a round of what waits in each half. Returns how many rows the broker took."""
        shards = await self._outbox.waiting_shards(self._database)
        await self._count(shards)
        halves = [[shard for shard in half if shard in shards] for half in HALVES]
        return sum([await self._send_shards(half) for half in halves if half])

    async def _send_shards(self, waiting: Sequence[int]) -> int:
        async with self._database.transaction() as session:
            shards = await self._outbox.claim(session, LOCK_CLASS, waiting)
            rows = await self._outbox.waiting_rows(session, shards, ROUND)
            if not rows:
                return 0
            sent = await self._send(rows)
            await self._outbox.mark_sent(session, [row.id for row in sent], self._clock.system())
            compacted = {row.topic for row in sent if self._topics[row.topic].compacted}
            if compacted:
                keys = [row.key for row in sent if row.topic in compacted]
                await self._outbox.drop_superseded(session, list(compacted), keys)
        if len(sent) < len(rows):
            raise Unavailable("kafka", "did not take every event")
        return len(sent)

    async def _send(self, rows: Sequence[Any]) -> list[Any]:
        """The rows that the broker has. The next event of a person waits until it has the one before."""
        sent: list[Any] = []
        for wave in _waves(rows):
            acknowledged = await self._producer.send([self._record(row) for row in wave])
            told = Counts(zip((row.topic for row in wave), acknowledged, strict=True))
            for (topic, done), count in told.items():
                (SENT if done else FAILED).labels(topic).inc(count)
            sent += [row for row, done in zip(wave, acknowledged, strict=True) if done]
            if not all(acknowledged):
                break
        return sent

    def _record(self, row: Any) -> Record:
        headers = self._outbox.headers(row.topic, row.event_id, row.event_type, row.event_time, row.sequence)
        return Record(row.topic, row.key, row.payload, headers, partition=row.partition)

    async def _meet_cluster(self) -> None:
        if time.monotonic() - self._met < CLUSTER_SECONDS:
            return
        cluster_id = await self._cluster.cluster_id()
        again = FORGOTTEN
        while again == FORGOTTEN:
            async with self._database.transaction() as session:
                unsent = await self._outbox.meet_cluster(session, cluster_id, FORGOTTEN)
            again = unsent or 0
        if unsent is not None:
            REPUBLISHED.inc()
            log.warning("another Kafka cluster: all that is kept is published again")
        self._met = time.monotonic()

    async def _count(self, shards: Sequence[int]) -> None:
        """A long queue is not counted at every round."""
        if not shards:
            WAITING.set(0)
        elif time.monotonic() - self._counted > COUNT_SECONDS:
            async with self._database.transaction() as session:
                WAITING.set((await self._outbox.backlog(session))[0])
            self._counted = time.monotonic()

    async def _prune(self) -> None:
        """Drops a part of what the broker itself has dropped by now: notices wait for no more than that."""
        if not self._unpruned and time.monotonic() - self._pruned >= PRUNE_SECONDS:
            self._unpruned = [topic for topic in self._topics.by_name.values() if not topic.compacted]
            self._pruned = time.monotonic()
        if self._unpruned:
            topic = self._unpruned[-1]
            before = self._clock.system() - timedelta(seconds=topic.retention_seconds)
            if await self._drop(topic.name, before) < FORGOTTEN:
                self._unpruned.pop()

    async def _drop(self, topic: str, before: datetime) -> int:
        async with self._database.transaction() as session:
            return await self._outbox.drop_sent_before(session, topic, before, FORGOTTEN)


def _waves(rows: Iterable[Any]) -> list[list[Any]]:
    """The first row of each person and topic, then the second of each, and so on."""
    waves: dict[int, list[Any]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        place = seen[row.topic, row.key]
        seen[row.topic, row.key] += 1
        waves[place].append(row)
    return [waves[place] for place in sorted(waves)]
