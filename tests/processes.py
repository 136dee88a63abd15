"""The suite's services as processes of a test run, on one database and one Kafka."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

from deploy.embedded.keys import Keys
from deploy.embedded.ports import HOST, free
from deploy.embedded.process import Command
from deploy.embedded.services import ROOT, SERVICES, Service, ServiceProcess, Suite
from services.runtime import migrations
from services.runtime.identity import Caller
from tests.servers import Database, Loop, Running, Servers

METRICS_SECONDS = 15
AT: Mapping[str, Service] = {service.name: service for service in SERVICES}

P = TypeVar("P", bound="Processes")


@dataclass(frozen=True)
class Mutant(ServiceProcess):
    """Broken in one way of tests.mutations; in none where none is named."""

    mutation: str

    def command(self) -> Command:
        command = super().command()
        if not self.mutation:
            return command
        return replace(command, arguments=[sys.executable, "-m", "tests.mutations", self.mutation])


class Processes:
    """The services that a test names, as they start; it may kill them and start them again."""

    def __init__(
        self,
        servers: Servers,
        database: Database,
        directory: Path,
        names: Sequence[str],
        **changes: str,
    ) -> None:
        """`changes` are settings that differ, by their whole names. The topics are empty."""
        self.directory = directory
        self.database = database
        self.kafka = servers.fresh_topics()
        self.keys = Keys(directory / "keys")
        self._loop = Loop()
        self._suite = Suite(
            data=directory,
            offset=0,
            postgres=database.superuser,
            redis=servers.redis.address,
            kafka=self.kafka,
            kafka_mock=False,
            keys=self.keys,
            services=tuple(replace(AT[name], port=free(), metrics=free()) for name in names),
        )
        self._running = {name: self.process(name, **changes) for name in names}

    @property
    def all(self) -> list[Running]:
        return list(self._running.values())

    @property
    def flagging(self) -> Running:
        return self._running["flagging"]

    @property
    def custody(self) -> Running:
        return self._running["custody"]

    @property
    def tracking(self) -> Running:
        return self._running["tracking"]

    @property
    def returns(self) -> Running:
        return self._running["returns"]

    def process(self, name: str, **changes: str) -> Running:
        return self._made(self._suite, name, self.directory / name, changes)

    def replica(self, name: str, number: int, mutation: str = "", **changes: str) -> Running:
        """Another process of a service, to be started and killed by whoever asks for it."""
        other = replace(self._service(name), port=free(), metrics=free())
        services = tuple(other if one.name == name else one for one in self._suite.services)
        told = changes | {f"PPO_{name.upper()}_INSTANCE": str(number)}
        suite = replace(self._suite, services=services)
        return self._made(suite, name, self.directory / f"{name}-{number}", told, mutation)

    def _made(
        self, suite: Suite, name: str, home: Path, changes: Mapping[str, str], mutation: str = ""
    ) -> Running:
        [service] = [one for one in suite.services if one.name == name]
        settings = suite.settings(service)
        settings[f"PPO_{name.upper()}_POSTGRES"] = self.database.url(name)
        settings |= {key: value for key, value in changes.items() if key.startswith(f"PPO_{name.upper()}_")}
        process = Mutant(service, settings, self.directory / "logs", 0, home, mutation)
        return Running(process, lambda: suite.address(name), self._loop)

    def _service(self, name: str) -> Service:
        return next(service for service in self._suite.services if service.name == name)

    def token(self, role: str, organisation: str) -> str:
        # Longer than the long form of any test.
        expires = datetime.now(UTC) + timedelta(days=1)
        return self.keys.token(Caller(f"{role}-{organisation}", role, organisation, expires))

    async def metric(self, sample: str, of: str = "") -> float:
        """By its name and labels as they stand on the page, else 0; of the last service or of another."""
        url = f"http://{HOST}:{self._service(of or [*self._running][-1]).metrics}/metrics"
        with await asyncio.to_thread(urlopen, url, timeout=METRICS_SECONDS) as page:
            lines = page.read().decode().splitlines()
        return next((float(one.split()[-1]) for one in lines if one.startswith(f"{sample} ")), 0.0)

    def close(self) -> None:
        for running in reversed(self.all):
            running.kill()
        self._loop.close()


@contextmanager
def migrated(servers: Servers, *names: str) -> Iterator[Database]:
    """A database to copy, with the tables of these services."""
    with servers.database() as template:
        for name in names:
            directory = ROOT / "services" / name / "migrations"
            migrations.upgrade(template.url(name), name, directory)
        yield template


@contextmanager
def running(processes: P) -> Iterator[P]:
    try:
        for each in processes.all:
            each.start()
        yield processes
    finally:
        processes.close()
