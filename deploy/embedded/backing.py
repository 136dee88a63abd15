"""The three servers that the services stand on: our own, or those that already exist."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from deploy.embedded import mock_broker
from deploy.embedded.kafka import CACHE, Kafka, available
from deploy.embedded.keys import Keys
from deploy.embedded.mock_broker import MockBroker
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import Server, StackError
from deploy.embedded.redis import Redis
from deploy.embedded.services import REFERENCE, SERVICES, Service

# Below the range that the kernel gives to outgoing connections.
POSTGRES_PORT, REDIS_PORT, KAFKA_PORT, CONTROLLER_PORT = 15432, 16379, 19092, 19093
MOCK = "mock"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a stack is started with. A server that is named is used as it is, and never started or stopped."""

    data: Path
    offset: int = 0
    clock_start: datetime | None = None
    # A superuser's URL: the stack makes the database, the roles and the schemas.
    postgres: str | None = None
    redis: str | None = None
    # host:port[,host:port], or "mock" for librdkafka's mock broker where Apache Kafka could run too.
    kafka: str | None = None
    cache: Path = CACHE
    services: tuple[Service, ...] = SERVICES
    reference: Path = REFERENCE


def named(options: Options, environ: Mapping[str, str]) -> Options:
    """With the servers that PPO_POSTGRES, PPO_REDIS and PPO_KAFKA name."""
    return replace(
        options,
        postgres=environ.get("PPO_POSTGRES") or None,
        redis=environ.get("PPO_REDIS") or None,
        kafka=environ.get("PPO_KAFKA") or None,
    )


class Backing:
    """Raises StackError where this machine has no Kafka to offer."""

    def __init__(self, options: Options, keys: Keys) -> None:
        self._options = options
        self._home = options.data
        self._logs = options.data / "logs"
        self.own_postgres = None if options.postgres else self._new_postgres(keys)
        self.own_redis = None if options.redis else self._new_redis()
        self.own_kafka = None if options.kafka and options.kafka != MOCK else self._new_kafka()

    def _new_postgres(self, keys: Keys) -> Postgres:
        port = POSTGRES_PORT + self._options.offset
        return Postgres(self._home / "postgres", self._logs, port, keys.password("postgres"))

    def _new_redis(self) -> Redis:
        return Redis(self._home / "redis", self._logs, REDIS_PORT + self._options.offset)

    def _new_kafka(self) -> Kafka | MockBroker:
        if self._options.kafka != MOCK and available(self._options.cache):
            port, controller_port = (port + self._options.offset for port in (KAFKA_PORT, CONTROLLER_PORT))
            return Kafka(self._home / "kafka", self._logs, port, controller_port, self._options.cache)
        if mock_broker.available():
            return MockBroker(self._home / "kafka", self._logs)
        instead = "install confluent-kafka for its mock broker, or name a server with PPO_KAFKA"
        raise StackError(f"no Kafka: install Java 17 and Maven, or {instead}")

    @property
    def own(self) -> list[Server]:
        servers: list[Server | None] = [self.own_postgres, self.own_redis, self.own_kafka]
        return [server for server in servers if server is not None]

    @property
    def postgres(self) -> str:
        return self.own_postgres.url if self.own_postgres else str(self._options.postgres)

    @property
    def redis(self) -> str:
        return self.own_redis.url if self.own_redis else str(self._options.redis)

    @property
    def kafka(self) -> str:
        """A mock broker's is known once it listens."""
        return self.own_kafka.servers if self.own_kafka else str(self._options.kafka)

    @property
    def kafka_mock(self) -> bool:
        return isinstance(self.own_kafka, MockBroker)

    @property
    def kafka_described(self) -> str:
        return self.own_kafka.description if self.own_kafka else f"the server at {self._options.kafka}"
