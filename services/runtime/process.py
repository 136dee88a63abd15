"""A service's process: its tasks run together, a signal ends them all, an error in one ends the process."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar

import structlog

from services.runtime.migrations import BehindError
from services.runtime.settings import SettingsError
from services.runtime.telemetry import error_place

T = TypeVar("T")

log = structlog.get_logger()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> NoReturn:
    """Exits 0 after a signal, 2 for what the operator must mend (in one line), 1 for an error of ours."""
    try:
        asyncio.run(main())
    except (SettingsError, BehindError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except Exception as error:
        log.error("stopped by an error", error=type(error).__name__, where=error_place(error))
        sys.exit(1)
    sys.exit(0)


@asynccontextmanager
async def tasks(*loops: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[Awaitable[None]]:
    """Runs `loops` until the block ends; what it yields returns at a signal, or raises a loop's error."""
    _settle_in()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    running = [asyncio.create_task(loop(), name=loop.__qualname__) for loop in loops]
    try:
        yield _stopped(stop, running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _settle_in() -> None:
    """What is there by now stays: a collection need not look at it, nor come after every few hundred objects.

    Of a batch of 500 records, which makes tens of thousands and leaves none, collections took a fifth.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # Threads of the Kafka clients work now and then; left at 5 ms, an answer waits so long for each of them.
    sys.setswitchinterval(0.0005)


async def _stopped(stop: asyncio.Event, running: list[asyncio.Task[None]]) -> None:
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done - {waiting}:
        task.result()


async def patiently(attempt: Callable[[], Awaitable[T]], refusal: type[Exception], seconds: float = 0.5) -> T:
    """Tries until it is not refused: at start, what a service depends on may come up after it."""
    while True:
        try:
            return await attempt()
        except refusal:
            await asyncio.sleep(seconds)
