"""The supervisor: in order up, in reverse down, again what ends, and one line for what never comes up."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded import state
from deploy.embedded.process import Command, StackError, alive
from deploy.embedded.supervisor import Supervisor

# Says that it is there, and at a farewell writes its name into the list of those that went.
SERVES = """
import pathlib, signal, sys
name, ready, gone = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
ready.touch()
signal.sigwait({signal.SIGTERM})
with gone.open("a") as list: list.write(name + "\\n")
"""


@dataclass(frozen=True)
class Standin:
    name: str
    home: Path
    program: str = SERVES

    @property
    def ports(self) -> dict[str, int]:
        return {}

    async def prepare(self) -> None:
        """Nothing to prepare."""

    def command(self) -> Command:
        arguments = [self.name, str(self.home / self.name), str(self.home / "gone")]
        log = self.home / f"{self.name}.log"
        program = [sys.executable, "-c", self.program, *arguments]
        return Command(name=self.name, arguments=program, log=log, directory=self.home)

    async def ready(self) -> bool:
        return (self.home / self.name).exists()


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor({}, lambda: None)
    yield supervisor
    await supervisor.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_started_last_stops_first(supervisor: Supervisor, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        await supervisor.start(Standin(name, tmp_path))

    await supervisor.stop()

    assert (tmp_path / "gone").read_text().split() == ["third", "second", "first"]


async def test_what_ends_at_its_start_is_told_with_its_last_line(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    breaks = Standin("breaks", tmp_path, "print('one'); raise SystemExit('no such setting')")

    with pytest.raises(StackError, match=r"^breaks ended at its start: no such setting; see .*breaks\.log$"):
        await supervisor.start(breaks)


async def test_what_ends_again_and_again_is_tried_again_and_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start(
        Standin("restless", tmp_path, SERVES.replace("signal.sigwait({signal.SIGTERM})", ""))
    )
    [watched] = supervisor.watched

    await until(lambda: watched.entry.restarts >= 3)

    assert watched.entry.restarts >= 3


async def test_a_process_that_ignores_its_farewell_is_killed(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.supervisor.FAREWELL_SECONDS", 0.2)
    deaf = SERVES.replace("signal.sigwait({signal.SIGTERM})", "signal.pause()")
    await supervisor.start(Standin("deaf", tmp_path, deaf))
    [watched] = supervisor.watched

    await supervisor.stop()

    assert not alive(watched.process.pid)


async def test_a_restarted_process_is_told_as_such(tmp_path: Path) -> None:
    entries: dict[str, state.Entry] = {}
    told: list[str] = []
    supervisor = Supervisor(entries, lambda: told.append(entries["one"].state) if entries else None)
    await supervisor.start(Standin("one", tmp_path))

    os.kill(entries["one"].pid, signal.SIGKILL)
    await until(lambda: entries["one"].restarts == 1 and entries["one"].state == state.READY)

    assert told == [state.STARTING, state.READY, state.RESTARTING, state.RESTARTING, state.READY]
    await supervisor.stop()
    assert not entries
