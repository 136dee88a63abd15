"""Keeps the replica: reads the whole flags topic into it, from the disk's snapshot on."""

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from ppo.flagging.v1 import events_pb2 as events
from services.custody import snapshot
from services.custody.replica import Replica
from services.custody.snapshot import Snapshot
from services.runtime.broker import Cluster, Record, Tail, Topic
from services.runtime.clock import Clock
from services.runtime.consumer import Unreadable, read
from services.runtime.errors import Unavailable

AGE = Gauge(
    "ppo_custody_replica_age_seconds", "How old the replica of the register is; -1 while that is not known."
)
WHOLE = Gauge(
    "ppo_custody_replica_whole", "1 while the replica's count and digest agree with the register's."
)
VERSION = Gauge("ppo_custody_replica_version", "The register's version up to which the replica is counted.")
SIZE = Gauge("ppo_custody_replica_flagged", "Persons whom the replica holds as flagged now.")
THRESHOLD = Gauge("ppo_custody_threshold_bits", "From how many bits on the replica calls a match POSSIBLE.")
UNREADABLE = Counter("ppo_custody_replica_unreadable", "Records of the flags topic that could not be read.")

FLAGS = "ppo.flagging.flags.v1"
FILE = "replica.json"
# A changed replica is saved this often; one that only grew older, so that its age on disk stays true.
SAVE_SECONDS = 5.0
SAVE_AGE_SECONDS = 60.0
CLUSTER_SECONDS = 5.0
RETRY_SECONDS = 0.5
# Watermarks come every 2 seconds.
FRESH = timedelta(seconds=10)

log = structlog.get_logger()


class Follower:
    def __init__(
        self,
        replica: Replica,
        tail: Tail,
        cluster: Cluster,
        topic: Topic,
        clock: Clock,
        directory: Path,
        false_alarms: float,
    ) -> None:
        self._replica = replica
        self._tail = tail
        self._cluster = cluster
        self._clock = clock
        self._path = directory / FILE
        self._false_alarms = false_alarms
        # A tombstone may be gone after this, so what was not heard of for half of it may hold the erased.
        self._patience = timedelta(seconds=topic.retention_seconds / 2)
        self._cluster_id = ""
        self._offsets: dict[int, int] = {}
        # When the broker answered while nothing of it was unread.
        self._heard_time: datetime | None = None
        self._caught_up = False
        self._looked = self._saved = float("-inf")
        self._saved_changes = 0
        self._saving: asyncio.Task[None] | None = None

    def load(self) -> None:
        """From the disk, before anything else is asked."""
        kept = snapshot.load(self._path)
        if kept is None or self._too_old(kept.heard_time):
            return
        self._replica.partitions = kept.partitions
        self._replica.restore(kept.contents)
        self._cluster_id, self._offsets = kept.cluster_id, dict(kept.offsets)
        self._heard_time = kept.heard_time
        self._measure()

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._start()
                    while await self._look():
                        await self._round()
                except Unavailable as outage:
                    log.warning("the replica waits", dependency=outage.dependency)
                    self._measure()
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._saved_to_disk()

    async def probe(self) -> None:
        """Raises Unavailable unless the replica is whole and fresh."""
        age = self._age()
        if not self._replica.whole or age is None or age > FRESH:
            raise Unavailable("replica", "is not whole or not fresh")

    async def _start(self) -> None:
        cluster_id = await self._cluster.cluster_id()
        if self._heard_time is not None and self._too_old(self._heard_time):
            self._replica.clear()
            self._offsets = {}
        if cluster_id != self._cluster_id:
            # What is known stays known, but another cluster numbers its records anew.
            self._cluster_id, self._offsets = cluster_id, {}
        self._replica.partitions = await self._tail.start(self._offsets)

    async def _look(self) -> bool:
        """False where this is another cluster than the one that is being read."""
        first = self._caught_up and self._heard_time is None
        if not first and time.monotonic() - self._looked < CLUSTER_SECONDS:
            return True
        self._looked = time.monotonic()
        if await self._cluster.cluster_id() != self._cluster_id:
            return False
        if self._caught_up:
            self._heard_time = self._clock.system()
        return True

    async def _round(self) -> None:
        records = await self._tail.poll()
        for record in records:
            take(self._replica, record)
            self._offsets[record.partition] = record.offset
        self._caught_up = not records
        self._measure()
        await self._save()

    def _measure(self) -> None:
        # Also places what the last records changed, so that no check has to.
        flagged = self._replica.flagged(self._clock.now())
        age = self._age()
        AGE.set(-1 if age is None else age.total_seconds())
        WHOLE.set(self._replica.whole)
        VERSION.set(self._replica.version)
        SIZE.set(len(flagged))
        THRESHOLD.set(flagged.index.threshold(self._false_alarms))

    def _age(self) -> timedelta | None:
        return None if self._replica.time is None else self._clock.system() - self._replica.time

    def _too_old(self, heard_time: datetime) -> bool:
        return self._clock.system() - heard_time > self._patience

    async def _save(self) -> None:
        changed = self._replica.changes != self._saved_changes
        pause = SAVE_SECONDS if changed else SAVE_AGE_SECONDS
        if self._heard_time is None or time.monotonic() - self._saved < pause:
            return
        self._saved, self._saved_changes = time.monotonic(), self._replica.changes
        self._saving = asyncio.create_task(self._write(self._heard_time))
        await asyncio.shield(self._saving)

    async def _saved_to_disk(self) -> None:
        """The last words of a stop, after those that were being written."""
        if self._saving is not None:
            await self._saving
        if self._heard_time is not None:
            await self._write(self._heard_time)

    async def _write(self, heard_time: datetime) -> None:
        state = Snapshot(
            self._cluster_id,
            heard_time,
            self._replica.partitions,
            dict(self._offsets),
            self._replica.contents(),
        )
        try:
            await asyncio.to_thread(snapshot.save, self._path, state)
        except OSError as error:
            # A full disk: the next start reads the topic instead.
            log.error("the replica cannot be kept on disk", error=type(error).__name__)


def take(replica: Replica, record: Record) -> None:
    """One record of the flags topic; of one that cannot be read the replica knows that it lacks it."""
    try:
        _apply(replica, record)
    except Unreadable:
        UNREADABLE.inc()
        replica.damage(record.partition)
        log.error("unreadable flag", partition=record.partition, offset=record.offset)


def _apply(replica: Replica, record: Record) -> None:
    kind = record.headers.get("ce_type", "")
    if record.value is None:
        replica.erase(record.key)
    elif kind == events.Flag.DESCRIPTOR.full_name:
        flag = read(record, events.Flag)
        if flag.nominal_id != record.key or not flag.version:
            raise Unreadable("is not its person's")
        replica.apply(flag)
    elif kind == events.Watermark.DESCRIPTOR.full_name:
        replica.mark(read(record, events.Watermark))
    elif not kind:
        raise Unreadable("has no ce_type header")
