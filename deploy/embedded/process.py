"""Commands of the stack: started so that none outlives its starter, run to their end, stopped, killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

GUARD = Path(__file__).with_name("guard.py")
# A log over this is set aside at the next start, so that a stack left running for weeks keeps two of them.
LARGEST_LOG = 10_000_000
# Nothing tells when a server begins to answer, so it is asked this often.
ASK_SECONDS = 0.02


class StackError(Exception):
    """One line for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The system user that a command runs as, where it may not be root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Command:
    name: str
    arguments: Sequence[str]
    log: Path
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    farewell: signal.Signals = signal.SIGTERM
    # What the kernel sends it when its starter is gone, however that ended.
    death: signal.Signals = signal.SIGKILL


class Server(Protocol):
    """One process of the stack: what it needs before it starts, how it starts, when it answers."""

    @property
    def name(self) -> str: ...

    @property
    def ports(self) -> Mapping[str, int]: ...

    async def prepare(self) -> None: ...

    def command(self) -> Command: ...

    async def ready(self) -> bool: ...


async def start(command: Command) -> Process:
    """Call it in a thread that lives as long as the process may: the kernel counts the starter by thread."""
    _set_aside(command.log)
    account = command.account or Account("", 0, 0)
    guarded = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(int(command.death))]
    with command.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *guarded,
            str(account.uid),
            str(account.gid),
            *command.arguments,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            cwd=command.directory,
            env={**os.environ, **command.environment},
            # Ctrl-C is for the supervisor alone, which stops the others in their order.
            start_new_session=True,
        )


def _set_aside(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


async def run(command: Command, seconds: float) -> None:
    """To its end. Raises StackError with the last line of its log."""
    process = await start(command)
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        line = f"{command.name} took longer than {seconds:.0f} seconds; see {command.log}"
        raise StackError(line) from None
    finally:
        await kill(process)
    if code:
        raise StackError(f"{command.name} failed: {last_line(command.log)}; see {command.log}")


async def until_ready(server: Server, command: Command, process: Process, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await server.ready():
                if process.returncode is not None:
                    why = last_line(command.log)
                    raise StackError(f"{command.name} ended at its start: {why}; see {command.log}")
                await asyncio.sleep(ASK_SECONDS)
    except TimeoutError:
        line = f"{command.name} was not ready within {seconds:.0f} seconds; see {command.log}"
        raise StackError(line) from None


async def stop(process: Process, farewell: signal.Signals, seconds: float) -> None:
    """Asks it to end, and after a while makes it."""
    with suppress(ProcessLookupError):
        process.send_signal(farewell)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
    await kill(process)


async def kill(process: Process) -> None:
    """With its whole group, and what else it started: PostgreSQL gives each backend a group of its own."""
    offspring = descendants(process.pid) if process.returncode is None else []
    for pid in offspring:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await until_gone(offspring)


async def until_gone(pids: Iterable[int]) -> None:
    for pid in pids:
        while alive(pid):  # noqa: ASYNC110 - the kernel sends no event for another's child
            await asyncio.sleep(ASK_SECONDS)


def descendants(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    children = [int(child) for child in text.split()]
    return children + [deeper for child in children for deeper in descendants(child)]


def born(pid: int) -> int:
    """When it started, in the kernel's ticks, which tells it from a later one of its number; 0 for none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    state, *rest = stat.rpartition(")")[2].split()
    return 0 if state == "Z" else int(rest[18])


def arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def alive(pid: int) -> bool:
    return born(pid) != 0


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def wheel(package: str, instead: str) -> Path:
    """Where a wheel keeps its programs. Importing it would read settings of its own, and warn."""
    found = find_spec(package)
    if found is None or found.origin is None:
        line = f"the package {package} is missing: run make install, or name a server with {instead}"
        raise StackError(line)
    return Path(found.origin).parent
