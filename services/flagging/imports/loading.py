"""An import of nominals in batches: each is one transaction, and says how far the import has come."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple, TypeVar

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import fields
from services.flagging.imports.checking import Batch, Checker
from services.flagging.imports.nominals import take
from services.flagging.imports.report import ROWS
from services.flagging.models import NominalImport
from services.flagging.store import imports as store
from services.runtime import validation
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Invalid

T = TypeVar("T")

# So many messages, where they wait, become one transaction: each trip to the database costs as much as rows.
TOGETHER = 4
# As many refusals to a message as a report of the older kind has.
TOLD = 1_000


class Checked(NamedTuple):
    """Messages that are checked and not written yet."""

    messages: int
    last_line: int
    batch: Batch


class Loading:
    """One stream. It goes on where the import of the same request_id broke off."""

    def __init__(self, database: Database, clock: Clock, checker: Checker) -> None:
        self._database = database
        self._clock = clock
        self._checker = checker

    async def run(
        self, requests: AsyncIterator[pb.LoadNominalsRequest]
    ) -> AsyncIterator[pb.LoadNominalsResponse]:
        first = await anext(requests, None)
        if first is None:
            raise Invalid("request_id", "is required")
        _check_first(first)
        self._source, self._request_id = first.source, first.request_id
        begun = await self._begin()
        self._last_line = begun.last_line
        yield begun
        groups = _together(self._messages(requests), TOGETHER)
        # One is checked while another is written.
        async for [checked] in _together(self._checked(groups), 1):
            settled = await self._settle(checked)
            for _ in range(checked.messages):
                yield settled
        async for told in self._told():
            yield told
        await self._end()

    async def _begin(self) -> pb.LoadNominalsResponse:
        async with self._database.transaction() as session:
            progress = await store.progress(session, self._source)
            if progress is not None and progress.request_id == self._request_id:
                return progress.to_proto()
            if progress is not None:
                await session.delete(progress)
                await session.flush()
            return (
                await store.begin(session, self._source, self._request_id, self._clock.system())
            ).to_proto()

    async def _messages(
        self, requests: AsyncIterator[pb.LoadNominalsRequest]
    ) -> AsyncIterator[pb.LoadNominalsRequest]:
        last_line = self._last_line
        async for request in requests:
            self._refuse(request, last_line)
            last_line = request.last_line
            yield request

    async def _checked(self, groups: AsyncIterator[list[pb.LoadNominalsRequest]]) -> AsyncIterator[Checked]:
        last_line = self._last_line
        async for group in groups:
            batch = await self._checker.check(group, last_line, self._clock.now().date())
            last_line = group[-1].last_line
            yield Checked(len(group), last_line, batch)

    def _refuse(self, request: pb.LoadNominalsRequest, last_line: int) -> None:
        if request.request_id != self._request_id:
            raise Invalid("request_id", "is the same on every message of an import")
        if request.source != self._source:
            raise Invalid("source", "is the same on every message of an import")
        for field, given in (("rows", request.rows), ("unreadable", request.unreadable)):
            if len(given) > validation.MOST_ITEMS:
                raise Invalid(field, f"has more than {validation.MOST_ITEMS} items")
        if request.last_line <= last_line:
            raise Invalid("last_line", "is not behind the last line of the batch before")

    async def _settle(self, checked: Checked) -> pb.LoadNominalsResponse:
        async with self._database.transaction() as session:
            progress = await store.progress(session, self._source)
            if progress is None or not self._is_ours(progress):
                raise Conflict("another import of this source has begun, or this one has ended")
            taken = await take(session, self._source, checked.batch, self._clock.now())
            refused = [*checked.batch.refused, *((line, it.field, it.rule) for line, it in taken.refused)]
            await store.refuse(session, self._source, refused)
            progress.last_line = checked.last_line
            progress.created += taken.created
            progress.updated += taken.updated
            progress.unchanged += taken.unchanged
            progress.refused += len(refused)
            progress.recorded_time = self._clock.system()
        self._last_line = checked.last_line
        for result in ("created", "updated", "unchanged"):
            ROWS.labels("nominals", result).inc(getattr(taken, result))
        ROWS.labels("nominals", "refused").inc(len(refused))
        return progress.to_proto()

    def _is_ours(self, progress: NominalImport) -> bool:
        return (progress.request_id, progress.last_line) == (self._request_id, self._last_line)

    async def _told(self) -> AsyncIterator[pb.LoadNominalsResponse]:
        """Every refusal by line, before a break too."""
        line = 0
        while True:
            async with self._database.transaction() as session:
                found = await store.refusals(session, self._source, line, TOLD)
                progress = await store.progress(session, self._source)
            if progress is None or not self._is_ours(progress):
                raise Conflict("another import of this source has begun, or this one has ended")
            response = progress.to_proto()
            response.ended = True
            response.report.refusals.extend(one.to_proto() for one in found)
            yield response
            if len(found) < TOLD:
                return
            line = found[-1].line

    async def _end(self) -> None:
        """From now on the same file is a new import, which finds that it changes nothing."""
        async with self._database.transaction() as session:
            progress = await store.progress(session, self._source)
            if progress is not None and self._is_ours(progress):
                await session.delete(progress)


def _check_first(request: pb.LoadNominalsRequest) -> None:
    validation.check(request)
    fields.key(request.request_id, "request_id")
    fields.key(request.source, "source")
    if request.rows or request.unreadable:
        raise Invalid("rows", "the first message has none: its reply says from which line on they are wanted")


async def _together(items: AsyncIterator[T], most: int) -> AsyncIterator[list[T]]:
    """All that was made ready while the last ones were worked on."""
    waiting: asyncio.Queue[T | None] = asyncio.Queue()
    places = asyncio.Semaphore(most)
    filling = asyncio.create_task(_fill(waiting, places, items))
    try:
        while (item := await waiting.get()) is not None:
            group = [item]
            while not waiting.empty() and (item := waiting.get_nowait()) is not None:
                group.append(item)
            for _ in group:
                places.release()
            yield group
            if item is None:
                break
        await filling
    finally:
        filling.cancel()


async def _fill(
    waiting: "asyncio.Queue[T | None]", places: asyncio.Semaphore, items: AsyncIterator[T]
) -> None:
    try:
        async for item in items:
            await places.acquire()
            waiting.put_nowait(item)
    finally:
        waiting.put_nowait(None)
