"""The whole stack on one data directory: servers, then migrations, then services; and down again."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from deploy.embedded import clock, kafka, ports, postgres, process, state
from deploy.embedded.backing import Backing, Options
from deploy.embedded.keys import Keys
from deploy.embedded.process import Command, Server, StackError
from deploy.embedded.services import REFERENCE, ROOT, SERVICES, TOPICS, ServiceProcess, Suite
from deploy.embedded.supervisor import Supervisor

DATABASE = "ppo"
TOPICS_SECONDS = 60
# A stack that was killed takes its processes along, which takes them a moment.
DYING_SECONDS = 5

Progress = Callable[[str], None]


class Stack:
    """One run of it. Raises StackError, one line for the person at the terminal, when it cannot start."""

    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._data = options.data.absolute()
        self._logs = self._data / "logs"
        self._progress = progress
        self._keys = Keys(self._data / "secrets")
        self._backing = Backing(options, self._keys)
        self._state = state.begun(os.getpid(), options.offset)
        self._supervisor = Supervisor(self._state.processes, self._write)

    def _write(self) -> None:
        self._state.write(self._data)

    async def run(self, ready: Callable[[state.State], None]) -> None:
        await _finish_off(state.read(self._data))
        ports.refuse_taken(self._ports())
        self._write()
        try:
            await self._up()
            ready(self._state)
            await asyncio.Event().wait()
        finally:
            await self._down()

    def _ports(self) -> dict[str, int]:
        processes: list[Server] = [*self._backing.own, *self._services({})]
        return {role: port for server in processes for role, port in server.ports.items()}

    async def _up(self) -> None:
        begun = time.monotonic()
        self._set_clock()
        self._state.kafka = self._backing.kafka_described
        await _together(self._postgres(), self._redis(), self._kafka())
        suite = self._suite()
        services = self._services({service.name: suite.settings(service) for service in suite.services})
        await _together(*(service.migrate() for service in services))
        await _together(*(self._start(service) for service in services))
        self._state.addresses = {service.name: suite.address(service.name) for service in suite.services}
        self._state.ready = True
        self._write()
        self._progress(f"ready in {time.monotonic() - begun:.1f} s")

    async def _down(self) -> None:
        self._state.ready = False
        await self._supervisor.stop()
        self._write()

    def _set_clock(self) -> None:
        if self._options.clock_start is not None:
            clock.move(self._data, self._options.clock_start)
        if clock.file(self._data).exists():
            self._progress(f"clock: moved, it is {clock.now(self._data):%-d %B %Y %H:%M} UTC here")

    async def _postgres(self) -> None:
        if self._backing.own_postgres is not None:
            await self._start(self._backing.own_postgres)
        await postgres.create_database(self._backing.postgres, DATABASE)
        passwords = {service.name: self._keys.password(service.name) for service in SERVICES}
        database = postgres.at(self._backing.postgres, DATABASE)
        await postgres.apply_roles(database, passwords, self._logs / "roles.log")

    async def _redis(self) -> None:
        if self._backing.own_redis is not None:
            await self._start(self._backing.own_redis)
            return
        named = urlsplit(self._backing.redis)
        if not await ports.reachable(named.hostname or "", named.port or 6379):
            raise StackError(f"PPO_REDIS cannot be reached at {named.hostname}:{named.port or 6379}")

    async def _kafka(self) -> None:
        own = self._backing.own_kafka
        if isinstance(own, kafka.Kafka) and not kafka.jars(own.cache).exists():
            self._progress(f"kafka: fetching {own.description} with Maven, once, about 45 MB")
        if own is not None:
            await self._start(own)
        self._progress(f"kafka: {self._backing.kafka_described}")
        if not self._backing.kafka_mock:
            await process.run(self._topics(), TOPICS_SECONDS)

    def _topics(self) -> Command:
        return Command(
            name="the creation of topics",
            arguments=[
                *(sys.executable, "-m", "deploy.embedded.topics"),
                *(self._backing.kafka, str(TOPICS), str(REFERENCE)),
            ],
            log=self._logs / "topics.log",
            directory=ROOT,
        )

    def _suite(self) -> Suite:
        return Suite(
            data=self._data,
            offset=self._options.offset,
            postgres=postgres.at(self._backing.postgres, DATABASE),
            redis=self._backing.redis,
            kafka=self._backing.kafka,
            kafka_mock=self._backing.kafka_mock,
            keys=self._keys,
            services=self._options.services,
            reference=self._options.reference,
        )

    def _services(self, settings: dict[str, dict[str, str]]) -> list[ServiceProcess]:
        return [
            ServiceProcess(
                service=service,
                settings=settings.get(service.name, {}),
                logs=self._logs,
                offset=self._options.offset,
                home=self._data / service.name,
            )
            for service in self._options.services
        ]

    async def _start(self, server: Server) -> None:
        begun = time.monotonic()
        await server.prepare()
        await self._supervisor.start(server)
        self._progress(f"{server.name}: ready in {time.monotonic() - begun:.1f} s")


async def _finish_off(former: state.State | None) -> None:
    """What a killed stack left dies with it; what does not, is made to, before its ports are looked at."""
    left = [entry.pid for entry in former.processes.values() if entry.alive] if former else []
    with suppress(TimeoutError):
        async with asyncio.timeout(DYING_SECONDS):
            await process.until_gone(left)
    for pid in filter(process.alive, left):
        os.kill(pid, signal.SIGKILL)
    await process.until_gone(left)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """The first that fails ends the others; its error alone is told."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
