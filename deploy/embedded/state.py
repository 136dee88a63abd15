"""What runs on a data directory, in a file that others read: written by the supervisor alone."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploy.embedded.process import born

STARTING = "STARTING"
READY = "READY"
RESTARTING = "RESTARTING"


@dataclass
class Entry:
    """One process. `since` is when it came to be in its present state."""

    pid: int
    # With the number it tells a process from a later one of the same number.
    born: int
    ports: dict[str, int]
    log: str
    since: str
    state: str = STARTING
    restarts: int = 0
    problem: str = ""

    @property
    def alive(self) -> bool:
        return self.born != 0 and born(self.pid) == self.born

    def enter(self, state: str, problem: str = "") -> None:
        self.state, self.problem, self.since = state, problem, _now()


@dataclass
class State:
    """The supervisor itself, where each service listens, and every process."""

    pid: int
    born: int
    since: str
    offset: int = 0
    # Which Kafka it is, in words: not every one keeps every promise.
    kafka: str = ""
    ready: bool = False
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Entry] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        return born(self.pid) == self.born

    def write(self, data: Path) -> None:
        beside = file(data).with_suffix(".new")
        beside.write_text(json.dumps(asdict(self), indent=2) + "\n")
        beside.replace(file(data))


def file(data: Path) -> Path:
    return data / "stack.json"


def read(data: Path) -> State | None:
    """As last written, by a supervisor that may be gone: see `alive`."""
    if not file(data).exists():
        return None
    told = json.loads(file(data).read_text())
    processes = {name: Entry(**entry) for name, entry in told.pop("processes").items()}
    return State(**told, processes=processes)


def begun(pid: int, offset: int) -> State:
    return State(pid=pid, born=born(pid), since=_now(), offset=offset)


def entry(pid: int, ports: dict[str, int], log: Path) -> Entry:
    return Entry(pid=pid, born=born(pid), ports=ports, log=str(log), since=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
