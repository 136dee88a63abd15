"""The examples for recipients, run as their README says, on records that a recipient must survive."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from subprocess import PIPE, run
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from casework.v1 import casework_pb2
from google.protobuf.message import Message
from kafka import KafkaAdminClient, KafkaProducer

from deploy.embedded import kafka as embedded
from docs import descriptors
from ppo.tracking.v1 import notice_pb2
from tests.servers import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
PROVISIONAL, CONFIRMED, RETRACTED = 1, 2, 3
# A state of a later contract.
LATER = 9
BUILD_SECONDS = 600
LINE_SECONDS = 60

pytestmark = pytest.mark.timeout(BUILD_SECONDS + 120)


@pytest.fixture(scope="module")
def sets() -> Iterator[Path]:
    with TemporaryDirectory(prefix="ppo-tests-") as directory:
        descriptors.write(Path(directory))
        yield Path(directory)


@pytest.fixture(scope="module")
def java(sets: Path) -> list[str]:
    """The command of the Java example, built with Maven in a directory of its own."""
    if not (embedded.available(embedded.CACHE) and shutil.which("javac") and shutil.which("mvn")):
        pytest.skip("needs a JDK of 17 or newer and Maven")
    home = shutil.copytree(EXAMPLES / "java", sets / "java", ignore=shutil.ignore_patterns("target"))
    build = ["mvn", "--batch-mode", "--quiet", f"-Ddescriptors={sets / 'notices.binpb'}", "compile"]
    built = run(build, cwd=home, timeout=BUILD_SECONDS, stdout=PIPE, text=True, check=False)
    assert built.returncode == 0, built.stdout
    return ["java", "-cp", f"{home}/target/classes:{home}/target/jars/*", "Consumer"]


class Topic:
    """A topic of one partition, to which a test writes what it likes."""

    def __init__(self, servers: str, name: str) -> None:
        self.servers = servers
        self.name = name
        with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
            admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})

    def write(self, key: str, sequence: int, message: Message, event_id: str, kind: str = "") -> None:
        headers = {
            "ce_id": event_id,
            "ce_type": kind or message.DESCRIPTOR.full_name,
            "ce_sequence": str(sequence),
        }
        with closing(KafkaProducer(bootstrap_servers=self.servers)) as producer:
            sent = producer.send(
                self.name,
                key=key.encode(),
                value=message.SerializeToString(),
                headers=[(name, text.encode()) for name, text in headers.items()],
            )
            sent.get(timeout=30)


@pytest.fixture
def topic(kafka: Running) -> Topic:
    return Topic(kafka.address, f"ppo.notices.{uuid4().hex[:8]}.v1")


def notice(state: Any) -> notice_pb2.Notice:
    return notice_pb2.Notice(state=state)


class Example:
    """An example while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def lines(self, count: int) -> list[str]:
        """The next that it prints."""
        return [await self._line() for _ in range(count)]

    async def lines_until(self, last: str) -> list[str]:
        lines = await self.lines(1)
        while lines[-1] != last:
            lines += await self.lines(1)
        return lines

    async def _line(self) -> str:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), LINE_SECONDS)
        return line.decode().rstrip("\n")


@asynccontextmanager
async def running(command: Sequence[str]) -> AsyncIterator[Example]:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        yield Example(process)
    finally:
        process.kill()
        await asyncio.wait_for(process.wait(), LINE_SECONDS)


def python(topic: Topic, descriptor_set: Path, memory: Path) -> list[str]:
    consumer = str(EXAMPLES / "python" / "consumer.py")
    return [sys.executable, consumer, topic.servers, topic.name, str(descriptor_set), str(memory)]


async def survives_what_may_come(command: Sequence[str], topic: Topic) -> None:
    for key, sequence, state, event_id in [
        ("a", 1, CONFIRMED, "n-1/1"),
        ("a", 2, PROVISIONAL, "n-2/1"),
        ("a", 1, CONFIRMED, "n-1/1"),
        ("a", 5, LATER, "n-3/1"),
        ("b", 1, CONFIRMED, "n-4/1"),
        ("a", 6, RETRACTED, "n-1/2"),
    ]:
        topic.write(key, sequence, notice(state), event_id)

    async with running(command) as example:
        assert await example.lines(7) == [
            "act n-1/1",
            "prepare n-2/1",
            "repeat a 1",
            "gap a from 3 to 4",
            "hold n-3/1",
            "act n-4/1",
            "undo n-1/2",
        ]


async def remembers_what_it_has_seen(command: Sequence[str], topic: Topic) -> None:
    topic.write("a", 1, notice(CONFIRMED), "n-1/1")
    topic.write("b", 1, notice(CONFIRMED), "n-2/1")
    async with running(command) as example:
        # With the second, the first is remembered.
        assert await example.lines(2) == ["act n-1/1", "act n-2/1"]

    topic.write("a", 1, notice(CONFIRMED), "n-1/1")
    topic.write("a", 2, notice(CONFIRMED), "n-9/1", kind="ppo.tracking.v2.Notice")
    topic.write("c", 1, notice(CONFIRMED), "n-3/1")

    async with running(command) as example:
        lines = await example.lines_until("act n-3/1")
        assert "repeat a 1" in lines
        assert not {"act n-1/1", "act n-9/1"} & set(lines)


async def test_the_python_example_drops_repeats_notices_a_gap_and_holds_what_it_does_not_know(
    topic: Topic, sets: Path, tmp_path: Path
) -> None:
    await survives_what_may_come(python(topic, sets / "notices.binpb", tmp_path / "seen"), topic)


async def test_the_python_example_remembers_through_a_restart(
    topic: Topic, sets: Path, tmp_path: Path
) -> None:
    await remembers_what_it_has_seen(python(topic, sets / "notices.binpb", tmp_path / "seen"), topic)


async def test_the_python_example_reads_what_providers_get(topic: Topic, sets: Path, tmp_path: Path) -> None:
    topic.write("c", 1, casework_pb2.CaseNotice(state=casework_pb2.CASE_NOTICE_STATE_CONFIRMED), "n-1/1")

    async with running(python(topic, sets / "casework.binpb", tmp_path / "seen")) as example:
        assert await example.lines(1) == ["act n-1/1"]


async def test_the_java_example_drops_repeats_notices_a_gap_and_holds_what_it_does_not_know(
    java: list[str], topic: Topic, tmp_path: Path
) -> None:
    await survives_what_may_come([*java, topic.servers, topic.name, str(tmp_path / "seen")], topic)


async def test_the_java_example_remembers_through_a_restart(
    java: list[str], topic: Topic, tmp_path: Path
) -> None:
    await remembers_what_it_has_seen([*java, topic.servers, topic.name, str(tmp_path / "seen")], topic)
