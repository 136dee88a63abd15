"""The command in a process of its own, as a person at a terminal runs it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

PPO = [sys.executable, "-m", "services.console"]
SECONDS = 300


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def ppo(*arguments: str, data: Path, **environment: str) -> Ran:
    done = subprocess.run(
        [*PPO, *arguments],
        env=_environment(data, environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Foreground:
    """A command that goes on: its lines as they come, and Ctrl-C."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def until(self, words: str) -> None:
        while words not in self._lines.get(timeout=SECONDS):
            pass

    def interrupt(self) -> Ran:
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> Ran:
        code = self._process.wait(SECONDS)
        self._reader.join()
        rest = "".join(self._lines.get() for _ in range(self._lines.qsize()))
        return Ran(code, rest, rest)


@contextmanager
def foreground(*arguments: str, data: Path, **environment: str) -> Iterator[Foreground]:
    """What it says on standard error comes among its output, as on a terminal."""
    with subprocess.Popen(
        [*PPO, *arguments],
        env=_environment(data, environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # In the foreground Ctrl-C is heard; who runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield Foreground(process)
        finally:
            process.terminate()


def processes_that_name(path: Path) -> list[str]:
    """The command lines, of any process, in which the path stands."""
    found = (_command_line(process) for process in Path("/proc").iterdir() if process.name.isdigit())
    return [line for line in found if str(path) in line]


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _environment(data: Path, more: dict[str, str]) -> dict[str, str]:
    """Without whatever of the suite this machine's user has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PPO_")}
    return kept | {"PPO_DATA": str(data)} | more
