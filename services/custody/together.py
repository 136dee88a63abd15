"""Rows that come while others are being stored are stored together: one trip and one flush to the disk."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.runtime.errors import Conflict

Row = dict[str, Any]


class Together:
    def __init__(self, store: Callable[[Sequence[Row]], Awaitable[None]]) -> None:
        self._store = store
        self._gathered: list[Row] | None = None
        self._next: asyncio.Task[None] | None = None

    async def put(self, row: Row) -> None:
        """Returns once the row is stored; raises what kept it from that."""
        if self._gathered is None or self._next is None:
            self._gathered = []
            self._next = asyncio.create_task(self._store_after(self._next))
            # Heard here too, for whoever waited may have gone.
            self._next.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._gathered.append(row)
        try:
            await asyncio.shield(self._next)
        except Conflict:
            # Another row's, or its own: alone it is refused for itself.
            await self._store([row])

    async def _store_after(self, earlier: "asyncio.Task[None] | None") -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        rows, self._gathered = self._gathered or [], None
        await self._store(rows)
