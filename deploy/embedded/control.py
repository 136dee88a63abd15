"""A stack's life as people command it: run it here, launch it to go on alone, take it down, purge it."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deploy.embedded import process, state
from deploy.embedded.backing import Options
from deploy.embedded.process import StackError
from deploy.embedded.services import ROOT
from deploy.embedded.stack import Progress, Stack

DOWN_SECONDS = 120
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a launched stack says last to who launched it.
UP = "up"
# Or this, with the one line that says why.
FAILED = "failed: "


def run(options: Options, progress: Progress, ready: Callable[[state.State], None]) -> None:
    """Until SIGINT, SIGTERM or SIGHUP; then stops everything. Raises StackError when it cannot start."""
    with _locked(options.data):
        asyncio.run(_until_signalled(Stack(options, progress).run(ready)))


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """The first signal cancels the work, whose clean-up no second one can break off."""
    task = asyncio.create_task(work)
    asked = asyncio.Event()

    def ask() -> None:
        if not asked.is_set():
            asked.set()
            task.cancel()

    for name in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(name, ask)
    with suppress(asyncio.CancelledError):
        await task


def launch(options: Options, progress: Progress) -> state.State:
    """Runs it in a process of its own, which stays when ours ends; returns when it is ready."""
    child = subprocess.Popen(
        [sys.executable, "-m", "deploy.embedded", *_arguments(options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | _named(options),
        start_new_session=True,
    )
    try:
        _relay(child, progress)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    # It is to outlive us, so nobody waits for it.
    child.returncode = 0
    launched = state.read(options.data)
    assert launched is not None
    return launched


def _relay(child: "subprocess.Popen[str]", progress: Progress) -> None:
    assert child.stdout is not None
    with child.stdout:
        for line in map(str.strip, child.stdout):
            if line == UP:
                return
            if line.startswith(FAILED):
                raise StackError(line.removeprefix(FAILED))
            progress(line)
    raise StackError("the stack ended at its start")


def _arguments(options: Options) -> list[str]:
    arguments = ["--data", str(options.data.absolute()), "--offset", str(options.offset)]
    if options.clock_start is not None:
        arguments += ["--clock-start", options.clock_start.isoformat()]
    return [*arguments, "--cache", str(options.cache.absolute())]


def _named(options: Options) -> dict[str, str]:
    named = {"PPO_POSTGRES": options.postgres, "PPO_REDIS": options.redis, "PPO_KAFKA": options.kafka}
    return {name: value or "" for name, value in named.items()}


def down(data: Path) -> bool:
    """Stops what runs on this directory and returns when all of it has ended; False when nothing ran."""
    running = state.read(data)
    if running is None or not running.alive:
        return False
    try:
        os.kill(running.pid, signal.SIGTERM)
    except PermissionError:
        raise StackError(f"the stack on {data} is another user's (process {running.pid})") from None
    deadline = time.monotonic() + DOWN_SECONDS
    while process.born(running.pid) == running.born:
        if time.monotonic() > deadline:
            raise StackError(f"the stack (process {running.pid}) has not stopped in {DOWN_SECONDS} seconds")
        time.sleep(process.ASK_SECONDS)
    return True


def purge(data: Path) -> None:
    """Removes the data directory. Raises StackError where it is in use, or none of ours."""
    if not data.exists():
        return
    if not _lock(data).exists():
        raise StackError(f"{data} is not a data directory of ppo, so it is not removed")
    with _locked(data):
        shutil.rmtree(data)


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """The kernel gives the lock back however its holder ends."""
    _make(data)
    with _lock(data).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"{data} is in use by {_holder(data)}: see ppo status, or stop it with ppo down"
            ) from None
        yield


def _make(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        # It would be removed whole by a purge.
        if any(data.iterdir()) and not _lock(data).exists():
            raise StackError(f"{data} holds other things: name an empty or a new directory with --data")
        _lock(data).touch()
    except OSError as error:
        raise StackError(f"{data} cannot be used as data directory: {error.strerror}") from None


def _lock(data: Path) -> Path:
    return data / "ppo.lock"


def _holder(data: Path) -> str:
    running = state.read(data)
    if running is None or not running.alive:
        return "another ppo"
    return f"a stack that runs since {running.since} (process {running.pid})"
