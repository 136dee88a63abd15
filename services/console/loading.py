"""Sends nominals in batches, each acknowledged once it is committed, and goes on where one broke off."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from services.console import imports, output, rows
from services.console.lines import RowError
from services.runtime import channel

# The contract's own limit, and half of what a message may hold.
BATCH = 1_000
BYTES = 1 << 20
# On their way at once: enough that the service never waits for us.
AHEAD = 16
# A service that is started again is found again; one that stays away is not waited for.
PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 1.0
# Who is writing when a call breaks off is told this by grpc itself, whatever the service's own status was.
BROKEN_OFF = "Internal error from Core"

# Told of each part of the final report: all counts, and up to a thousand refusals.
Tell = Callable[[flagging.ImportReport], None]


async def load(
    service: FlaggingServiceStub, path: Path, form: rows.Form, source: str, tell: Tell = lambda _: None
) -> flagging.ImportReport:
    """The last part of the report."""
    extent = await asyncio.to_thread(rows.extent, path, form)
    with output.progress() as bar:
        stream = _Stream(path, form, source, extent.digest, tell, bar, extent.lines)
        while True:
            try:
                return await stream.run(service)
            except channel.CallError as error:
                if not _broke_off(error) or not stream.may_go_on():
                    raise
            await asyncio.sleep(AGAIN_SECONDS)


def _broke_off(error: channel.CallError) -> bool:
    return error.code().name == "UNAVAILABLE" or error.details() == BROKEN_OFF


class _Stream:
    """One import, over as many calls as it takes."""

    def __init__(
        self, path: Path, form: rows.Form, source: str, digest: str, tell: Tell, bar: Progress, total: int
    ) -> None:
        self._path = path
        self._form = form
        self._first = flagging.LoadNominalsRequest(request_id=digest, source=source)
        self._tell = tell
        self._bar = bar
        self._task: TaskID = bar.add_task(f"Sending {path.name}", total=total)
        self._ended = False
        self._heard: float | None = None

    def may_go_on(self) -> bool:
        """Nothing is told twice, and nobody waits for ever, nor for a service that was never there."""
        if self._ended or self._heard is None:
            return False
        return time.monotonic() - self._heard < PATIENCE_SECONDS

    async def run(self, service: FlaggingServiceStub) -> flagging.ImportReport:
        call: Any = service.LoadNominals(timeout=imports.STREAM_SECONDS)
        await imports.sent(call, self._first)
        report = flagging.ImportReport()
        places = asyncio.Semaphore(AHEAD)
        sender: asyncio.Task[None] | None = None
        try:
            async for reply in call:
                sender = sender or asyncio.create_task(self._send(call, reply.last_line, places))
                places.release()
                report = self._take(reply)
            return report
        except asyncio.CancelledError:
            # Perhaps by our own sender, whose error is the one to tell.
            if sender is not None and sender.done() and (error := sender.exception()):
                raise error from None
            raise
        finally:
            if sender is not None:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
            # A call that broke off still waits for more to send, until it hears that there is none.
            await imports.sent(call, None)
            call.cancel()

    def _take(self, reply: flagging.LoadNominalsResponse) -> flagging.ImportReport:
        self._heard = time.monotonic()
        self._bar.update(self._task, completed=reply.last_line)
        if reply.ended:
            self._ended = True
            self._tell(reply.report)
        return reply.report

    async def _send(self, call: Any, after: int, places: asyncio.Semaphore) -> None:
        try:
            for batch in batches(self._path, self._form, self._first, after):
                await places.acquire()
                if not await imports.sent(call, batch):
                    return
            await imports.sent(call, None)
        except BaseException:
            # The file's error, or ours: the call must not wait for more.
            call.cancel()
            raise


def batches(
    path: Path, form: rows.Form, first: flagging.LoadNominalsRequest, after: int
) -> Iterator[flagging.LoadNominalsRequest]:
    """The file behind a line."""
    batch = _Batch(first)
    for line, last_line, row in rows.read(path, rows.NOMINALS, form, after):
        batch.add(line, last_line, row)
        if batch.full:
            yield batch.request
            batch = _Batch(first)
    if batch.request.last_line:
        yield batch.request


class _Batch:
    def __init__(self, first: flagging.LoadNominalsRequest) -> None:
        self.request = flagging.LoadNominalsRequest(request_id=first.request_id, source=first.source)
        self._count = self._bytes = 0

    @property
    def full(self) -> bool:
        return self._count == BATCH or self._bytes > BYTES

    def add(self, line: int, last_line: int, row: flagging.NominalRow | RowError) -> None:
        if isinstance(row, RowError):
            self.request.unreadable.add(line=line, field=row.field, rule=row.rule)
        else:
            row.line = line
            self.request.rows.append(row)
            self._bytes += row.ByteSize()
        self._count += 1
        self.request.last_line = last_line
