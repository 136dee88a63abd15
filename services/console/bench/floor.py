"""The hops of a check and nothing else: `python -m services.console.bench.floor LISTEN POSTGRES [NEXT]`."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import psycopg

SERVICE = "bare.Floor"
TABLE = (
    "CREATE TABLE IF NOT EXISTS public.bare_decision (decision_id uuid PRIMARY KEY, answer bytea NOT NULL)"
)
SELECT = "SELECT epoch, version FROM flagging.register"
INSERT = "INSERT INTO public.bare_decision VALUES (%s, %s)"
# As large as a decision with its answer and its input.
ANSWER = bytes(1_000)
# As many connections as the services' own pools hold.
CONNECTIONS = 15
SECONDS = 10

Call = Callable[[bytes, object], Awaitable[bytes]]


class Floor:
    """One statement a call, each its own transaction, as the server is set: a commit is on the disk."""

    def __init__(self, behind: grpc.aio.Channel | None) -> None:
        self._free: asyncio.Queue[psycopg.AsyncConnection[tuple[object, ...]]] = asyncio.Queue()
        self._select: Any = behind.unary_unary(f"/{SERVICE}/Select") if behind else None

    async def open(self, url: str, stack: AsyncExitStack) -> None:
        for _ in range(CONNECTIONS):
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
            self._free.put_nowait(await stack.enter_async_context(connection))

    async def empty(self, request: bytes, _: object) -> bytes:
        return request

    async def select(self, _: bytes, __: object) -> bytes:
        connection = await self._free.get()
        try:
            row = await (await connection.execute(SELECT)).fetchone()
        finally:
            self._free.put_nowait(connection)
        return repr(row).encode()

    async def check(self, request: bytes, _: object) -> bytes:
        answer = bytes(await self._select(request, timeout=SECONDS))
        connection = await self._free.get()
        try:
            await connection.execute(INSERT, (uuid.uuid4(), ANSWER))
        finally:
            self._free.put_nowait(connection)
        return answer

    def handler(self) -> grpc.GenericRpcHandler:
        calls: dict[str, Call] = {"Empty": self.empty, "Select": self.select, "Check": self.check}
        methods: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(call) for name, call in calls.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)


async def serve(listen: str, url: str, behind: str = "") -> None:
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(grpc.aio.insecure_channel(behind)) if behind else None
        floor = Floor(wire)
        await floor.open(url, stack)
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((floor.handler(),))
        server.add_insecure_port(listen)
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
