"""Records that could not be taken: read from their topics, retried, discarded with a reason."""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import identity
from services.runtime.broker import Record, Tail, revived
from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.errors import Illegal, NotFound, Refusal, Unavailable
from services.tracking.models import SCHEMA, LetterFate, stamp
from services.tracking.store import letters as store

# A topic is read once nothing has come so often; each look waits half a second.
QUIET = 2


class Letters:
    """`tail` reads a topic; `consumer` takes what is retried."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        topics: Sequence[str],
        tail: Callable[[str], Tail],
        consumer: Consumer,
    ) -> None:
        self._database = database
        self._clock = clock
        self._topics = [f"{topic}.dead" for topic in topics]
        self._tail = tail
        self._consumer = consumer

    async def listed(self, *, everything: bool) -> list[pb.DeadLetter]:
        records = await self._records(self._topics)
        async with self._database.transaction() as session:
            fates = await store.fates(session)
        found = [_letter(record, fates.get(_name(record))) for record in reversed(records)]
        return [one for one in found if everything or one.fate == pb.DEAD_LETTER_FATE_OPEN]

    async def retry(self, session: AsyncSession, letter_id: str) -> pb.DeadLetter:
        record = await self._found(session, letter_id)
        if "dead_sha256" in record.headers:
            raise Illegal("TRUNCATED", "only the head of this record was kept: its sender must send it again")
        try:
            await self._consumer.retry(revived(record))
        except Unavailable:
            raise
        except Refusal as refusal:
            raise Illegal("STILL_REFUSED", str(refusal)) from None
        return await self._end(session, record, pb.DEAD_LETTER_FATE_RETRIED, "")

    async def discard(self, session: AsyncSession, letter_id: str, reason: str) -> pb.DeadLetter:
        record = await self._found(session, letter_id)
        return await self._end(session, record, pb.DEAD_LETTER_FATE_DISCARDED, reason)

    async def _found(self, session: AsyncSession, letter_id: str) -> Record:
        """Raises NotFound, and Illegal for one that was discarded."""
        topic = letter_id.partition("/")[0]
        records = await self._records([topic]) if topic in self._topics else []
        found = next((record for record in records if _name(record) == letter_id), None)
        if found is None:
            raise NotFound("there is no such dead letter")
        fate = (await store.fates(session)).get(letter_id)
        if fate is not None and fate.fate == pb.DEAD_LETTER_FATE_DISCARDED:
            raise Illegal("DISCARDED", "the dead letter was discarded")
        return found

    async def _end(
        self, session: AsyncSession, record: Record, fate: pb.DeadLetterFate.ValueType, reason: str
    ) -> pb.DeadLetter:
        caller, now = identity.current(), self._clock.now()
        row = LetterFate(
            letter_id=_name(record), fate=fate, reason=reason, caller=caller.subject, recorded_time=now
        )
        await session.merge(row)
        return _letter(record, row)

    async def _records(self, topics: Sequence[str]) -> list[Record]:
        """Those of this service: others bury what they refuse in the same topics."""
        read = await asyncio.gather(*(self._read(topic) for topic in topics))
        return [one for records in read for one in records if one.headers.get("dead_group") == SCHEMA]

    async def _read(self, topic: str) -> list[Record]:
        tail, found, quiet = self._tail(topic), list[Record](), 0
        try:
            await tail.start({})
            while quiet < QUIET:
                polled = await tail.poll()
                found += polled
                quiet = 0 if polled else quiet + 1
        finally:
            await tail.close()
        return found


def _name(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _letter(record: Record, fate: LetterFate | None) -> pb.DeadLetter:
    told = record.headers
    return pb.DeadLetter(
        letter_id=_name(record),
        reason=told.get("dead_reason", ""),
        topic=told.get("dead_topic", ""),
        partition=int(told.get("dead_partition", "0")),
        offset=int(told.get("dead_offset", "0")),
        event_type=told.get("ce_type", ""),
        event_id=told.get("ce_id", ""),
        truncated="dead_sha256" in told,
        fate=pb.DeadLetterFate.ValueType(fate.fate) if fate else pb.DEAD_LETTER_FATE_OPEN,
        fate_time=stamp(fate.recorded_time if fate else None),
        discard_reason=fate.reason if fate else "",
    )
