"""Tracking with its inbox or its outbox broken: `python -m tests.mutations NAME` starts it so."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from unittest.mock import patch

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime import process
from services.runtime.broker import Producer, Record
from services.runtime.consumer import Consumer, Inbox
from services.runtime.outbox import Event, Outbox
from services.tracking.__main__ import main


def skip_inbox() -> None:
    """Whatever comes is new."""

    async def admit(
        self: Inbox, session: AsyncSession, group: str, ids: Sequence[str], now: datetime
    ) -> set[str]:
        return set(ids)

    patch.object(Inbox, "admit", admit).start()


def commit_early() -> None:
    """The offset is committed before what came takes effect."""
    finish = Consumer._finish

    async def early(self: Consumer, records: Sequence[Record]) -> None:
        await self._subscription.commit(records)
        await finish(self, records)

    patch.object(Consumer, "_finish", early).start()


def publish_early() -> None:
    """What is to leave is sent before the transaction of its change commits."""
    append, producer = Outbox.append_all, Producer(os.environ["PPO_TRACKING_KAFKA"], mock=False)

    async def publish(self: Outbox, session: AsyncSession, events: Sequence[Event]) -> None:
        await append(self, session, events)
        ours = select(self.rows).where(self.rows.c.event_id.in_([event.event_id for event in events]))
        rows = (await session.execute(ours.order_by(self.rows.c.id))).all()
        await producer.send([_record(self, row) for row in rows])

    patch.object(Outbox, "append_all", publish).start()


def _record(outbox: Outbox, row: Any) -> Record:
    headers = outbox.headers(row.topic, row.event_id, row.event_type, row.event_time, row.sequence)
    return Record(row.topic, row.key, row.payload, headers, partition=row.partition)


MUTATIONS: Mapping[str, Callable[[], None]] = {
    one.__name__: one for one in (skip_inbox, commit_early, publish_early)
}


if __name__ == "__main__":
    MUTATIONS[sys.argv.pop()]()
    process.run(main)
