"""What a bench stands on: a suite, or a PostgreSQL alone, on free ports in a directory that goes with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.embedded import ports, postgres, process, state
from deploy.embedded.backing import Options
from deploy.embedded.keys import Keys
from deploy.embedded.postgres import Postgres
from deploy.embedded.services import REFERENCE, SERVICES, ServiceProcess, Suite
from deploy.embedded.stack import DATABASE, Stack
from services.console import output
from services.console.demo import free_offset

READY_SECONDS = 60


@asynccontextmanager
async def suite(
    *names: str, reference: Path = REFERENCE, clock_start: datetime | None = None
) -> AsyncIterator[Path]:
    """These services and their servers, as durable as in production; the data directory, for a Session."""
    chosen = tuple(service for service in SERVICES if service.name in names)
    with TemporaryDirectory(prefix="ppo-bench-") as home:
        options = Options(
            data=Path(home),
            offset=free_offset(),
            services=chosen,
            reference=reference,
            clock_start=clock_start,
        )
        ready = asyncio.Event()
        running = asyncio.create_task(Stack(options, output.say).run(lambda _: ready.set()))
        try:
            await _first(running, ready)
            yield options.data
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def _first(running: "asyncio.Task[None]", ready: asyncio.Event) -> None:
    """Until it is ready; where it cannot start, that error."""
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if running.done():
        await running


@asynccontextmanager
async def database() -> AsyncIterator[str]:
    """A PostgreSQL alone, as durable as in production: a superuser's URL of an empty database."""
    with TemporaryDirectory(prefix="ppo-bench-") as home:
        data = Path(home)
        server = Postgres(data / "postgres", data / "logs", ports.free(), "superuser")
        await server.prepare()
        command = server.command()
        running = await process.start(command)
        try:
            await process.until_ready(server, command, running, READY_SECONDS)
            await postgres.create_database(server.url, DATABASE)
            yield postgres.at(server.url, DATABASE)
        finally:
            await process.stop(running, command.farewell, READY_SECONDS)


@asynccontextmanager
async def replicas(data: Path, name: str, count: int) -> AsyncIterator[None]:
    """So many more of a service of the suite that runs in this directory."""
    running = state.read(data)
    assert running is not None
    at = {server: entry.ports.get(server, 0) for server, entry in running.processes.items()}
    async with AsyncExitStack() as stack:
        for number in range(1, count + 1):
            port, metrics = ports.free() - running.offset, ports.free() - running.offset
            suite = Suite(
                data=data,
                offset=running.offset,
                postgres=superuser(data),
                redis=f"redis://{ports.HOST}:{at['redis']}",
                kafka=f"{ports.HOST}:{at['kafka']}",
                kafka_mock=False,
                keys=Keys(data / "secrets"),
                services=tuple(
                    replace(one, port=port, metrics=metrics) if one.name == name else one for one in SERVICES
                ),
            )
            [service] = [one for one in suite.services if one.name == name]
            settings = suite.settings(service) | {f"PPO_{name}_INSTANCE".upper(): str(number)}
            home = data / f"{name}-{number}"
            server = ServiceProcess(service, settings, data / "logs", running.offset, home)
            await stack.enter_async_context(_running(server))
        yield


@asynccontextmanager
async def _running(server: process.Server) -> AsyncIterator[None]:
    await server.prepare()
    command = server.command()
    running = await process.start(command)
    try:
        await process.until_ready(server, command, running, READY_SECONDS)
        yield
    finally:
        await process.stop(running, command.farewell, READY_SECONDS)


def superuser(data: Path) -> str:
    """The URL of the database of a suite that runs in this directory."""
    running = state.read(data)
    assert running is not None
    port = running.processes["postgres"].ports["postgres"]
    server = Postgres(data / "postgres", data / "logs", port, Keys(data / "secrets").password("postgres"))
    return postgres.at(server.url, DATABASE)
