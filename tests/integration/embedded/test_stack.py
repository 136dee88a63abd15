"""A stack on one data directory: comes up, goes down, survives what may happen to it, and leaves nothing."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from deploy.embedded import clock, control, kafka, state
from deploy.embedded.backing import POSTGRES_PORT, REDIS_PORT, Options, named
from deploy.embedded.keys import Keys
from deploy.embedded.ports import taken
from deploy.embedded.process import StackError, alive, descendants
from tests.servers import Running, Servers

SECONDS = 90
# Whatever servers the tests use, a stack starts its own.
OWN = {"PPO_POSTGRES": "", "PPO_REDIS": "", "PPO_KAFKA": ""}
# The servers alone: that the services stay and go with them is told by the tests that have services.
MAIN = """
import os, sys
from pathlib import Path
from deploy.embedded import control
from deploy.embedded.backing import Options, named
from deploy.embedded.process import StackError
options = named(Options(data=Path(sys.argv[1]), offset=int(sys.argv[2]), services=()), os.environ)
try:
    control.run(options, lambda line: print(line, flush=True), lambda _: print("up", flush=True))
except StackError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Stacks:
    """Stacks on one directory, each in a process of its own."""

    data: Path
    offset: int
    environment: dict[str, str]
    begun: list[subprocess.Popen[str]] = field(default_factory=list)

    def begin(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, str(self.data), str(self.offset)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | self.environment,
        )
        self.begun.append(process)
        return process

    def given(self, **servers: str) -> "Stacks":
        return replace(self, environment=self.environment | servers)

    def end(self) -> None:
        for process in self.begun:
            process.terminate()
            process.communicate(timeout=SECONDS)

    def up(self) -> subprocess.Popen[str]:
        process = self.begin()
        assert process.stdout is not None
        if "up\n" not in iter(process.stdout.readline, ""):
            raise AssertionError(process.communicate()[1])
        return process

    def refused(self) -> str:
        ended = self.begin()
        _, error = ended.communicate(timeout=SECONDS)
        assert ended.returncode == 1
        return error.strip()

    def pids(self) -> list[int]:
        told = state.read(self.data)
        pids = [entry.pid for entry in told.processes.values()] if told else []
        return pids + [child for pid in pids for child in descendants(pid)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.02)


def offset() -> int:
    """One at which the stack's ports are free, so that runs side by side do not meet."""
    return next(
        number
        for number in iter(lambda: random.randrange(100, 900), 0)
        if not any(taken(port + number) for port in (POSTGRES_PORT, REDIS_PORT, 19092, 19093))
    )


@pytest.fixture
def stacks(kafka: Running, directory: Path) -> Iterator[Stacks]:
    """On a Kafka that exists: its start takes the longest."""
    stacks = Stacks(
        directory / "a long name with spaces" / "data", offset(), OWN | {"PPO_KAFKA": kafka.address}
    )
    yield stacks
    stacks.end()


@pytest.fixture
def whole(directory: Path) -> Iterator[Stacks]:
    if not kafka.available(kafka.CACHE):
        pytest.skip("needs Apache Kafka: Java 17 with Maven")
    stacks = Stacks(directory / "data", offset(), OWN)
    yield stacks
    stacks.end()


def postgres(stacks: Stacks) -> str:
    password = Keys(stacks.data / "secrets").password("postgres")
    return f"postgresql://postgres:{password}@127.0.0.1:{POSTGRES_PORT + stacks.offset}/ppo"


def test_a_killed_supervisor_leaves_nothing_and_the_next_recovers(whole: Stacks) -> None:
    first = whole.up()
    pids = whole.pids()
    with psycopg.connect(postgres(whole), autocommit=True) as connection:
        connection.execute("CREATE TABLE flagging.note AS SELECT 'kept' AS text")
    first.kill()
    first.communicate()
    until(lambda: not any(map(alive, pids)))

    whole.up()

    with psycopg.connect(postgres(whole)) as connection:
        assert connection.execute("SELECT text FROM flagging.note").fetchall() == [("kept",)]
    assert len(pids) > 3


def test_down_ends_every_process_and_keeps_the_data(stacks: Stacks) -> None:
    running = stacks.up()
    pids = stacks.pids()

    assert control.down(stacks.data)

    assert not any(map(alive, pids))
    assert running.wait(SECONDS) == 0
    assert (stacks.data / "postgres" / "PG_VERSION").exists()
    assert not control.down(stacks.data)


@pytest.mark.parametrize("key", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_start_leaves_nothing(whole: Stacks, key: signal.Signals) -> None:
    starting = whole.begin()
    until(lambda: bool(whole.pids()))
    pids = whole.pids()
    starting.send_signal(key)
    starting.communicate(timeout=SECONDS)

    assert starting.returncode == 0
    assert not any(map(alive, pids))
    told = state.read(whole.data)
    assert told is not None
    assert not told.processes


def test_a_start_after_one_that_was_broken_off_succeeds(stacks: Stacks) -> None:
    broken_off = stacks.begin()
    until((stacks.data / "postgres.new" / "PG_VERSION").exists)
    broken_off.kill()
    broken_off.communicate()

    stacks.up()

    assert entry(stacks, "postgres").state == state.READY


def test_a_second_start_on_a_directory_is_one_line(stacks: Stacks) -> None:
    first = stacks.up()

    line = stacks.refused()

    assert "\n" not in line
    assert line.startswith(f"{stacks.data} is in use by a stack that runs since ")
    assert f"(process {first.pid})" in line


def test_a_taken_port_is_one_line_before_anything_starts(stacks: Stacks) -> None:
    port = REDIS_PORT + stacks.offset
    with socket.create_server(("127.0.0.1", port)):
        line = stacks.refused()

    assert line == f"port {port} (redis) is taken: stop what uses it, or move all ports with --offset"
    assert not (stacks.data / "logs").exists()


def test_an_offset_too_far_is_one_line(stacks: Stacks) -> None:
    line = replace(stacks, offset=60_000).refused()

    assert line == "port 75432 (postgres) does not exist: move the ports by less with --offset"


def test_what_dies_is_started_again_and_counted(stacks: Stacks) -> None:
    stacks.up()
    before = entry(stacks, "redis")

    os.kill(before.pid, signal.SIGKILL)
    until(lambda: entry(stacks, "redis").restarts == 1 and entry(stacks, "redis").state == state.READY)

    assert entry(stacks, "redis").pid != before.pid
    assert entry(stacks, "postgres").restarts == 0


def entry(stacks: Stacks, name: str) -> state.Entry:
    told = state.read(stacks.data)
    assert told is not None
    return told.processes[name]


def test_named_servers_are_used_and_left_alone(servers: Servers, stacks: Stacks, redis: Running) -> None:
    # One of its own, for a stack gives the services' roles its own passwords.
    postgres = servers.own_postgres("named by a stack")
    stacks.given(PPO_REDIS=redis.address, PPO_POSTGRES=postgres.address).up()

    assert not stacks.pids()
    control.down(stacks.data)
    with psycopg.connect(postgres.address) as connection:
        assert connection.execute("SELECT FROM pg_database WHERE datname = 'ppo'").fetchone() == ()
    postgres.stop()


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("PPO_REDIS", "redis://127.0.0.1:1", "PPO_REDIS cannot be reached at 127.0.0.1:1"),
        (
            "PPO_POSTGRES",
            "postgresql://postgres:x@127.0.0.1:1/postgres",
            "the PostgreSQL server cannot be used: ",
        ),
    ],
)
def test_a_named_server_that_is_not_there_is_one_line(
    stacks: Stacks, variable: str, value: str, line: str
) -> None:
    refusal = stacks.given(**{variable: value}).refused()

    assert refusal.startswith(line)
    assert "\n" not in refusal


def test_a_directory_with_other_things_is_neither_used_nor_purged(stacks: Stacks) -> None:
    stacks.data.mkdir(parents=True)
    (stacks.data / "thesis.txt").write_text("chapter one")

    assert (
        stacks.refused() == f"{stacks.data} holds other things: name an empty or a new directory with --data"
    )
    with pytest.raises(StackError, match="is not a data directory of ppo"):
        control.purge(stacks.data)
    assert (stacks.data / "thesis.txt").exists()


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    refusal = Stacks(tmp_path / "file" / "data", 0, OWN).refused()

    assert refusal == f"{tmp_path / 'file' / 'data'} cannot be used as data directory: Not a directory"


def test_a_purge_removes_the_directory_unless_it_is_in_use(stacks: Stacks) -> None:
    stacks.up()
    with pytest.raises(StackError, match="is in use"):
        control.purge(stacks.data)

    control.down(stacks.data)
    control.purge(stacks.data)

    assert not stacks.data.exists()


def test_a_launched_stack_that_cannot_start_says_why(stacks: Stacks) -> None:
    port = POSTGRES_PORT + stacks.offset
    options = named(Options(data=stacks.data, offset=stacks.offset), stacks.environment)

    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(StackError, match=f"port {port} .postgres. is taken"),
    ):
        control.launch(options, lambda line: None)


def test_a_moved_clock_ticks_on_from_where_it_was_set(tmp_path: Path) -> None:
    begin = datetime(2004, 12, 31, 20, tzinfo=UTC)

    clock.move(tmp_path, begin)

    assert timedelta() <= clock.now(tmp_path) - begin < timedelta(minutes=1)


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "secrets")
    kept = [keys.signing_key, keys.verifying_key, keys.input_key("custody"), keys.service_token("custody")]

    assert keys.password("flagging") == Keys(tmp_path / "secrets").password("flagging")
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert keys.directory.stat().st_mode & 0o777 == 0o700
