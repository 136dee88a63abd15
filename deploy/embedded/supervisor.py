"""Starts processes, starts those again that end unasked, and stops all of them in the reverse order."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from deploy.embedded import process, state
from deploy.embedded.process import Command, Server, StackError

READY_SECONDS = 60
FAREWELL_SECONDS = 20
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
# Who has run this long is well again: the next pause is the first.
WELL_SECONDS = 60


@dataclass
class Watched:
    server: Server
    command: Command
    process: Process
    entry: state.Entry
    watch: asyncio.Task[None] | None = None


class Supervisor:
    def __init__(self, processes: dict[str, state.Entry], changed: Callable[[], None]) -> None:
        self._processes = processes
        self._changed = changed
        self.watched: list[Watched] = []

    async def start(self, server: Server) -> None:
        """Returns when it answers. Raises StackError when it ends before."""
        watched = await self._begin(server)
        await process.until_ready(server, watched.command, watched.process, READY_SECONDS)
        watched.entry.enter(state.READY)
        self._changed()
        watched.watch = asyncio.create_task(self._watch(watched), name=f"watch {server.name}")

    async def _begin(self, server: Server) -> Watched:
        command = server.command()
        running = await process.start(command)
        entry = state.entry(running.pid, dict(server.ports), command.log)
        watched = Watched(server, command, running, entry)
        self.watched.append(watched)
        self._processes[server.name] = entry
        self._changed()
        return watched

    async def _watch(self, watched: Watched) -> None:
        pause = FIRST_PAUSE
        while True:
            well = monotonic() + WELL_SECONDS
            await watched.process.wait()
            pause = FIRST_PAUSE if monotonic() > well else min(pause * 2, LONGEST_PAUSE)
            watched.entry.restarts += 1
            watched.entry.enter(state.RESTARTING, f"ended with code {watched.process.returncode}")
            self._changed()
            await asyncio.sleep(pause)
            await self._again(watched)

    async def _again(self, watched: Watched) -> None:
        """What fails here ends or is ended, and so comes back to the watch."""
        watched.process = await process.start(watched.command)
        watched.entry.pid, watched.entry.born = watched.process.pid, process.born(watched.process.pid)
        self._changed()
        try:
            await process.until_ready(watched.server, watched.command, watched.process, READY_SECONDS)
        except StackError as error:
            await process.kill(watched.process)
            watched.entry.enter(state.RESTARTING, str(error))
        else:
            watched.entry.enter(state.READY)
        self._changed()

    async def stop(self) -> None:
        for watched in reversed(self.watched):
            if watched.watch is not None:
                watched.watch.cancel()
                await asyncio.gather(watched.watch, return_exceptions=True)
            await process.stop(watched.process, watched.command.farewell, FAREWELL_SECONDS)
            self._processes.pop(watched.server.name)
            self._changed()
        self.watched.clear()
