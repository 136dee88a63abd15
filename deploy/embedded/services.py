"""The suite's services as processes of the stack: where each listens, whom it calls, what it is told."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.embedded import clock, process
from deploy.embedded.keys import Keys
from deploy.embedded.ports import HOST
from deploy.embedded.process import Command

ROOT = Path(__file__).parents[2]
TOPICS = ROOT / "deploy" / "kafka" / "topics.toml"
REFERENCE = ROOT / "deploy" / "reference" / "birmingham"
MIGRATE_SECONDS = 120


@dataclass(frozen=True)
class Service:
    """`calls` are the services it calls, with a token of its own; who `keeps` writes files, encrypted."""

    name: str
    port: int
    metrics: int
    calls: tuple[str, ...] = ()
    keeps: bool = False


SERVICES = (
    Service("flagging", 50051, 9101),
    Service("custody", 50052, 9102, calls=("flagging",), keeps=True),
    Service("tracking", 50053, 9103, calls=("returns",)),
    Service("returns", 50054, 9104),
)


@dataclass(frozen=True)
class Suite:
    """What all services are told alike."""

    data: Path
    offset: int
    # The suite's database as the superuser reaches it; each service is told its own role's way.
    postgres: str
    redis: str
    kafka: str
    kafka_mock: bool
    keys: Keys
    services: tuple[Service, ...] = SERVICES
    reference: Path = REFERENCE

    def address(self, name: str) -> str:
        [port] = [service.port for service in self.services if service.name == name]
        return f"{HOST}:{port + self.offset}"

    def database(self, role: str) -> str:
        parts = urlsplit(self.postgres)
        server = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{role}:{self.keys.password(role)}@{server}").geturl()

    def settings(self, service: Service) -> dict[str, str]:
        told = {
            "listen": self.address(service.name),
            "metrics": f"{HOST}:{service.metrics + self.offset}",
            "postgres": self.database(service.name),
            "redis": self.redis,
            "kafka": self.kafka,
            "kafka_mock": str(self.kafka_mock).lower(),
            "topics": str(TOPICS),
            "token_key": str(self.keys.verifying_key),
            "reference": str(self.reference),
        }
        if clock.file(self.data).exists():
            told["clock"] = str(clock.file(self.data))
        told |= {called: self.address(called) for called in service.calls}
        if service.calls:
            told["token"] = str(self.keys.service_token(service.name))
        if service.keeps:
            told["data"] = str(self.data / service.name)
            told["input_key"] = str(self.keys.input_key(service.name))
        return {f"PPO_{service.name}_{name}".upper(): value for name, value in told.items()}


@dataclass(frozen=True)
class ServiceProcess:
    """One service as a process of the stack."""

    service: Service
    settings: Mapping[str, str]
    logs: Path
    offset: int
    home: Path

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def ports(self) -> dict[str, int]:
        return {
            self.name: self.service.port + self.offset,
            f"{self.name}'s metrics": self.service.metrics + self.offset,
        }

    async def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    async def migrate(self) -> None:
        await process.run(self._command(f"the migration of {self.name}", "migrate"), MIGRATE_SECONDS)

    def command(self) -> Command:
        return self._command(self.name)

    def _command(self, name: str, *arguments: str) -> Command:
        return Command(
            name=name,
            arguments=[sys.executable, "-m", f"services.{self.name}", *arguments],
            log=self.logs / f"{self.name}.log",
            directory=ROOT,
            environment=self.settings,
        )

    async def ready(self) -> bool:
        return await serving(f"{HOST}:{self.service.port + self.offset}")


async def serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            # Its types do not know the calls that it makes its own.
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
        except grpc.aio.AioRpcError:
            return False
