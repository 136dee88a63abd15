"""A wire that a test can cut, or stop at a request: what goes through it is held up for nobody until then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from deploy.embedded.ports import HOST, free
from tests.servers import Loop

# Reads what a client sends, each piece with the name of what it asks for, where a wire may stop at that.
Requests: TypeAlias = Callable[[asyncio.StreamReader], AsyncIterator[tuple[str, bytes]]]

NOTICES = b"COPY tracking.delivery"
COMMIT, ROLLBACK = b"Q\x00\x00\x00\x0bCOMMIT\x00", b"Q\x00\x00\x00\x0dROLLBACK\x00"
# By Kafka's number of the request.
ASKED = {0: "produce", 8: "offsets"}


async def postgres(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, bytes]]:
    """`commit` is the end of a transaction that has written notices."""
    wrote = False
    while data := await reader.read(65_536):
        wrote = wrote or NOTICES in data
        yield "commit" if wrote and data.endswith(COMMIT) else "", data
        wrote = wrote and not data.endswith((COMMIT, ROLLBACK))


async def kafka(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, bytes]]:
    with suppress(asyncio.IncompleteReadError):
        while True:
            size = await reader.readexactly(4)
            request = await reader.readexactly(int.from_bytes(size, "big"))
            yield ASKED.get(int.from_bytes(request[:2], "big"), ""), size + request


class Stop(NamedTuple):
    """Before the first such request gets to the server, or when its answer is about to get back."""

    request: str
    answered: bool
    reached: "Future[None]"


class Proxy:
    def __init__(self, port: int, loop: Loop, requests: Requests) -> None:
        self._behind = port
        self._loop = loop
        self._requests = requests
        self.port = free()
        self._server: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()
        self._stop: Stop | None = None

    def mend(self) -> None:
        self._loop(self._mend())

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, HOST, self.port)

    def stop(self, request: str, *, answered: bool) -> "Future[None]":
        """The connection that reaches this says no more, until the wire is cut."""
        self._stop = Stop(request, answered, Future())
        return self._stop.reached

    def cut(self) -> None:
        """Every connection breaks, and there is no new one; what was held back is lost."""
        self._loop(self._cut())

    async def _cut(self) -> None:
        assert self._server is not None
        self._stop = None
        self._server.close()
        for task in self._carried:
            task.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carried.add(task)
        ends = [writer]
        try:
            with suppress(OSError):
                inner, outer = await asyncio.open_connection(HOST, self._behind)
                ends.append(outer)
                awaited = asyncio.Event()
                await asyncio.gather(
                    self._ask(reader, outer, awaited),
                    self._answer(inner, writer, awaited),
                )
        except asyncio.CancelledError:
            # The wire was cut.
            pass
        finally:
            for end in ends:
                end.transport.abort()
            self._carried.discard(task)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, awaited: asyncio.Event
    ) -> None:
        async for request, data in self._requests(reader):
            if self._stop and self._stop.request == request:
                if not self._stop.answered:
                    await _held(self._stop)
                awaited.set()
            await _sent(writer, data)
        writer.write_eof()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, awaited: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            if self._stop and awaited.is_set():
                await _held(self._stop)
            await _sent(writer, data)
        writer.write_eof()


async def _held(stop: Stop) -> None:
    if not stop.reached.done():
        stop.reached.set_result(None)
    await asyncio.Event().wait()


async def _sent(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
