"""A wire that a test can cut: what goes through it is held up for nobody, until it is cut."""

import asyncio
from contextlib import suppress

from deploy.embedded.ports import HOST, free
from tests.servers import Loop


class Proxy:
    def __init__(self, port: int, loop: Loop) -> None:
        self._behind = port
        self._loop = loop
        self.port = free()
        self._server: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()

    def mend(self) -> None:
        self._loop(self._mend())

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, HOST, self.port)

    def cut(self) -> None:
        """Every connection breaks, and there is no new one."""
        self._loop(self._cut())

    async def _cut(self) -> None:
        assert self._server is not None
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
                await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
        except asyncio.CancelledError:
            # The wire was cut.
            pass
        finally:
            for end in ends:
                end.transport.abort()
            self._carried.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
