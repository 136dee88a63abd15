"""Mutations that can be repeated: the first reply to a request id is the reply to every repeat of it."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table, Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.runtime import identity
from services.runtime.database import Database
from services.runtime.errors import Conflict, Invalid
from services.runtime.identity import Caller

M = TypeVar("M", bound=Message)

# It is part of an index, which takes no long text.
LONGEST_ID = 200


class Requests:
    """The requests that changed something, per caller and RPC."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "request",
            metadata,
            Column("caller", Text, primary_key=True),
            Column("rpc", Text, primary_key=True),
            Column("request_id", Text, primary_key=True),
            Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the request"),
            Column(
                "reply",
                LargeBinary,
                nullable=True,
                comment="What was answered",
            ),
            Column("recorded_time", DateTime(timezone=True), nullable=False),
        )

    async def once(
        self,
        database: Database,
        request: Message,
        reply: type[M],
        act: Callable[[AsyncSession], Awaitable[M]],
        now: datetime,
        *,
        rest: bytes = b"",
    ) -> M:
        """Does `act` in one transaction, unless it was answered before. Raises Conflict as `begin` does."""
        caller = identity.current()
        async with database.transaction() as session:
            first = await self.begin(session, caller, request, reply, now, rest)
            if first is not None:
                return first
            answer = await act(session)
            await self.end(session, caller, request, answer)
            return answer

    async def begin(
        self,
        session: AsyncSession,
        caller: Caller,
        request: Message,
        reply: type[M],
        now: datetime,
        rest: bytes = b"",
    ) -> M | None:
        """None for a new request, the first reply for a repeat; Conflict for another body under the id.

        `rest` is what came after `request`, where that is the first message of a stream.
        A second caller with the same id waits here until the first transaction has ended.
        """
        row = _key(caller, request) | {"digest": _digest(request, rest), "recorded_time": now}
        created = await session.scalar(
            insert(self.table).values(row).on_conflict_do_nothing().returning(self.table.c.request_id)
        )
        if created is not None:
            return None
        stored = (await session.execute(select(self.table).filter_by(**_key(caller, request)))).one()
        if stored.digest != _digest(request, rest):
            raise Conflict(f"request_id {row['request_id']} was used for another request")
        return reply.FromString(stored.reply)

    async def prune(self, session: AsyncSession, before: datetime) -> None:
        """Forgets the replies from before then: who repeats such a request makes a new one."""
        await session.execute(self.table.delete().where(self.table.c.recorded_time < before))

    async def end(self, session: AsyncSession, caller: Caller, request: Message, reply: Message) -> None:
        update = self.table.update().filter_by(**_key(caller, request))
        await session.execute(update.values(reply=reply.SerializeToString()))


def _key(caller: Caller, request: Message) -> dict[str, str]:
    request_id: str = getattr(request, "request_id")  # noqa: B009 - every mutation has one, by a test over the contracts
    if len(request_id) > LONGEST_ID:
        raise Invalid("request_id", f"is longer than {LONGEST_ID} characters")
    return {"caller": caller.subject, "rpc": request.DESCRIPTOR.full_name, "request_id": request_id}


def _digest(request: Message, rest: bytes) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True) + rest).digest()
