"""Apache Kafka itself, one node in KRaft mode, from jars that Maven fetches once."""

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from deploy.embedded.ports import HOST, QUESTION, ask
from deploy.embedded.process import Command, run

HERE = Path(__file__).parents[1] / "kafka"
POM = HERE / "pom.xml"
VERSION = re.findall(r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", POM.read_text())[0]
CACHE = Path.home() / ".cache" / "ppo"
OLDEST_JAVA = 17
FETCH_SECONDS = 600
FORMAT_SECONDS = 60
# One small node: a quick start and little memory before peak throughput.
JAVA = ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]


@dataclass(frozen=True)
class Kafka:
    home: Path
    logs: Path
    port: int
    controller_port: int
    cache: Path = CACHE
    # More of the broker's own settings; tests shorten some of its times.
    settings: dict[str, str] = field(default_factory=dict)
    name: str = "kafka"

    @property
    def servers(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def description(self) -> str:
        return f"Apache Kafka {VERSION}"

    @property
    def ports(self) -> dict[str, int]:
        return {self.name: self.port, "kafka's controller": self.controller_port}

    async def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        await fetch(self.cache, self.logs)
        settings = "".join(f"{name}={value}\n" for name, value in self._settings().items())
        (self.home / "server.properties").write_text(settings)
        if not (self.home / "log" / "meta.properties").exists():
            # A format that was broken off is begun anew: nothing has been written yet.
            shutil.rmtree(self.home / "log", ignore_errors=True)
            tool = ["kafka.tools.StorageTool", "format", "-c", "server.properties", "-t", _new_cluster_id()]
            await run(self._command("the formatting of Kafka's storage", *tool), FORMAT_SECONDS)

    def command(self) -> Command:
        return self._command(self.name, "kafka.Kafka", "server.properties")

    def _command(self, name: str, *arguments: str) -> Command:
        classes = os.pathsep.join(str(jar) for jar in sorted(jars(self.cache).glob("*.jar")))
        java = [*JAVA, f"-Dlog4j2.configurationFile={(HERE / 'log4j2.xml').as_uri()}", "-cp", classes]
        log = self.logs / "kafka.log"
        return Command(name=name, arguments=[*java, *arguments], log=log, directory=self.home)

    def _settings(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://{HOST}:{self.controller_port}",
            # Relative to the home, for a path may hold a comma, which would make two of it.
            "log.dirs": "log",
            "auto.create.topics.enable": "false",
            # A record of 1 MiB and what stands around it in a batch.
            "message.max.bytes": str(1_048_576 + 65_536),
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # A killed broker may come back when its former session has run out, by default after 9 seconds.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            # A group of one or two need not wait for more to join.
            "group.initial.rebalance.delay.ms": "0",
            **self.settings,
        }

    async def ready(self) -> bool:
        return len(await ask(self.port, QUESTION, 4)) == 4


def jars(cache: Path) -> Path:
    return cache / f"kafka-{VERSION}"


def available(cache: Path) -> bool:
    """Whether this machine can run it: with Java, and with its jars or what fetches them."""
    return _java() >= OLDEST_JAVA and (jars(cache).exists() or shutil.which("mvn") is not None)


@cache
def _java() -> int:
    """The major version, 0 where there is none."""
    try:
        told = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=30).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(version[1]) if version else 0


async def fetch(cache: Path, logs: Path) -> None:
    """Whole or not at all: Maven checks each jar's checksum, and a full directory is put in its place."""
    if jars(cache).exists():
        return
    with _beside(cache) as beside:
        fetched = beside / "jars"
        options = ["--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)]
        options += [f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
        await run(
            Command(
                name="the fetching of Kafka's jars",
                arguments=["mvn", *options, "dependency:copy-dependencies"],
                log=logs / "maven.log",
                directory=cache,
            ),
            FETCH_SECONDS,
        )
        # Refused where another process was quicker, whose jars are as good.
        with suppress(OSError):
            fetched.rename(jars(cache))


@contextmanager
def _beside(cache: Path) -> Iterator[Path]:
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache, prefix="fetching-") as beside:
        yield Path(beside)


def _new_cluster_id() -> str:
    """As Kafka makes its own: never one that a command would read as an option."""
    ids = (base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=") for _ in repeat(None))
    return next(cluster_id for cluster_id in ids if not cluster_id.startswith("-"))
