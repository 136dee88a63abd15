"""librdkafka's mock broker in a process of its own, for machines on which Kafka itself cannot run."""

import importlib.util
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.ports import QUESTION, ask
from deploy.embedded.process import Command

DESCRIPTION = "librdkafka's mock broker: it neither fences, compacts nor survives a restart"


@dataclass(frozen=True)
class MockBroker:
    home: Path
    logs: Path
    name: str = "kafka"
    description: str = DESCRIPTION

    @property
    def servers(self) -> str:
        """It takes a port of its own choice, and tells it once it listens."""
        return self._told.read_text()

    @property
    def ports(self) -> dict[str, int]:
        return {}

    @property
    def _told(self) -> Path:
        return self.home / "servers"

    async def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._told.unlink(missing_ok=True)

    def command(self) -> Command:
        return Command(
            name=self.name,
            arguments=[sys.executable, "-m", "deploy.embedded.mock_broker", str(self._told)],
            log=self.logs / "kafka.log",
            directory=Path(__file__).parents[2],
        )

    async def ready(self) -> bool:
        if not self._told.exists():
            return False
        port = int(self.servers.rpartition(":")[2])
        return bool(await ask(port, QUESTION, 4))


def available() -> bool:
    return importlib.util.find_spec("confluent_kafka") is not None


def serve(told: Path) -> None:
    from confluent_kafka import Producer

    broker = Producer({"test.mock.num.brokers": 1})
    [server] = broker.list_topics(timeout=10).brokers.values()
    beside = told.with_suffix(".new")
    beside.write_text(f"{server.host}:{server.port}")
    beside.rename(told)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    serve(Path(sys.argv[1]))
