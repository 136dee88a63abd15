"""Real PostgreSQL, Redis and Kafka for the tests: the servers the environment names, else embedded ones."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove
from kafka.errors import RetriableError
from psycopg.sql import SQL, Identifier

from deploy.embedded import kafka, mock_broker, postgres, process, redis
from deploy.embedded.ports import HOST, free
from deploy.embedded.topics import topics
from services.runtime.broker import create_topics

T = TypeVar("T")

TOPICS = Path(__file__).parents[1] / "deploy" / "kafka" / "topics.toml"
REFERENCE = Path(__file__).parents[1] / "deploy" / "reference" / "birmingham"
ROLES = ("flagging", "custody", "tracking", "returns")
READY_SECONDS = 180
NAMES = {"postgres": "PPO_POSTGRES", "redis": "PPO_REDIS", "kafka": "PPO_KAFKA"}


class Running:
    """A server of this test run. A test may stop it, kill it and start it again: data and port stay."""

    def __init__(self, server: process.Server, address: Callable[[], str], wait: "Loop") -> None:
        self._server = server
        self._address = address
        self._wait = wait
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return self._address()

    def start(self) -> None:
        self._wait(self._start())

    async def _start(self) -> None:
        await self._server.prepare()
        command = self._server.command()
        self._process = await process.start(command)
        await process.until_ready(self._server, command, self._process, READY_SECONDS)

    def stop(self) -> None:
        if self._process is not None:
            self._wait(process.stop(self._process, self._server.command().farewell, READY_SECONDS))

    def kill(self) -> None:
        """SIGKILL: no farewell, nothing flushed."""
        if self._process is not None:
            self._wait(process.kill(self._process))

    @property
    def home(self) -> Path:
        """Where it keeps its data."""
        return self._server.command().directory

    def pids(self) -> list[int]:
        """Its process and all that this has started."""
        assert self._process is not None
        return [self._process.pid, *process.descendants(self._process.pid)]

    def restart(self) -> None:
        """From a kill: what it has not written is lost."""
        self.kill()
        self.start()


class Named(Running):
    """A server that the environment names; it is not ours to stop."""

    def __init__(self, address: str) -> None:
        self._address = lambda: address

    def start(self) -> None:
        """It runs already."""

    def stop(self) -> None:
        pytest.skip(f"{self.address} is not a server of this test run, so it stays up")

    kill = stop


class Loop:
    """A thread for the servers: a process dies with the thread that started it, and a test's may end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="servers", daemon=True)
        self._thread.start()

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class Database:
    """One test's own: empty, but for the services' roles and schemas."""

    name: str
    superuser: str

    def url(self, role: str) -> str:
        """For the service of that name, as in its PPO_X_POSTGRES."""
        parts = urlsplit(self.superuser)
        server = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{role}:{role}-password@{server}").geturl()


class Servers:
    """Each server is started when first asked for, and once a run."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._loop = Loop()
        self._directory = Path(mkdtemp(prefix="ppo-tests-"))
        self._running: dict[str, Running] = {}

    @property
    def postgres(self) -> Running:
        return self._once("postgres", lambda: self.own_postgres("postgres"))

    @property
    def redis(self) -> Running:
        return self._once("redis", lambda: self.own_redis("redis"))

    @property
    def kafka(self) -> Running:
        """Apache Kafka. What only a mock broker could answer is skipped."""
        return self._once("kafka", lambda: self.own_kafka("kafka"))

    # The seam: who starts servers otherwise, in containers say, does so here.
    def _once(self, name: str, own: Callable[[], Running]) -> Running:
        if name not in self._running:
            named = self._environ.get(NAMES[name])
            self._running[name] = Named(named) if named else own()
        return self._running[name]

    def own_postgres(self, home: str) -> Running:
        server = postgres.Postgres(self._directory / home, self._logs, free(), "superuser", durable=False)
        return self._started(home, server, lambda: server.url)

    def own_redis(self, home: str) -> Running:
        server = redis.Redis(self._directory / home, self._logs, free())
        return self._started(home, server, lambda: server.url)

    def own_kafka(self, home: str, behind: Mapping[int, int] = MappingProxyType({})) -> Running:
        """Another cluster, with an id and topics of its own: ready in about three seconds.

        `behind`: more ports that it listens at, each with the port by which whoever asks there knows it.
        """
        if not kafka.available(kafka.CACHE):
            pytest.skip("needs Apache Kafka: Java 17 with Maven, or a server in PPO_KAFKA")
        server = kafka.Kafka(self._directory / home, self._logs, free(), free())
        server.settings.update(_listeners(server, behind))
        return self._started(home, server, lambda: server.servers)

    def mock_broker(self, home: str) -> Running:
        if not mock_broker.available():
            pytest.skip("needs confluent-kafka, the extra `mock`")
        server = mock_broker.MockBroker(self._directory / home, self._logs)
        return self._started(home, server, lambda: server.servers)

    def _started(self, home: str, server: process.Server, address: Callable[[], str]) -> Running:
        running = Running(server, address, self._loop)
        running.start()
        self._running[home] = running
        return running

    @property
    def _logs(self) -> Path:
        return self._directory / "logs"

    @contextmanager
    def database(self, template: Database | None = None) -> Iterator[Database]:
        """A fresh one, or a copy of `template` while nobody is connected to that."""
        name = f"test_{uuid4().hex[:12]}"
        superuser = self.postgres.address
        original = template.name if template else "template1"
        self._execute(superuser, SQL("CREATE DATABASE {} TEMPLATE {}"), name, original)
        database = Database(name, urlsplit(superuser)._replace(path=f"/{name}").geturl())
        passwords = {role: f"{role}-password" for role in ROLES}
        try:
            self._loop(postgres.apply_roles(database.superuser, passwords, self._logs / "roles.log"))
            yield database
        finally:
            self._execute(superuser, SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def _execute(self, url: str, statement: SQL, *names: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.format(*map(Identifier, names)))

    def fresh_topics(self) -> str:
        """Every topic of the suite, empty, and no consumer group; returns the bootstrap servers."""
        servers = self.kafka.address
        with closing(KafkaAdminClient(bootstrap_servers=servers.split(","))) as admin:
            _patiently(lambda: _drop_topics(admin))
            _patiently(lambda: _drop_groups(admin))
        create_topics(servers, topics(TOPICS, REFERENCE), mock=False)
        return servers

    def groups(self) -> list[str]:
        """The consumer groups that Kafka knows."""
        with closing(KafkaAdminClient(bootstrap_servers=self.kafka.address.split(","))) as admin:
            return _groups(admin)

    def close(self) -> None:
        for running in reversed(self._running.values()):
            if not isinstance(running, Named):
                running.stop()
        self._loop.close()
        shutil.rmtree(self._directory)


def _listeners(server: kafka.Kafka, behind: Mapping[int, int]) -> dict[str, str]:
    own = [f"PLAINTEXT://{server.servers}"]
    listened = [f"WIRE{port}://{HOST}:{port}" for port in behind]
    known = [f"WIRE{port}://{HOST}:{shown}" for port, shown in behind.items()]
    names = ["PLAINTEXT", "CONTROLLER", *(f"WIRE{port}" for port in behind)]
    return {
        "listeners": ",".join([*own, f"CONTROLLER://{HOST}:{server.controller_port}", *listened]),
        "advertised.listeners": ",".join([*own, *known]),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
    }


def _patiently(drop: Callable[[], bool]) -> None:
    """The broker learns of a change from its controller, and after a start from its log, a little later."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(RetriableError):
            if drop():
                return
    raise TimeoutError("Kafka does not forget an earlier test's topics or groups")


def _drop_topics(admin: KafkaAdminClient) -> bool:
    """Whether there was none left."""
    ours = _topics(admin)
    if ours:
        admin.delete_topics(sorted(ours), raise_errors=False)
    return not ours


def _topics(admin: KafkaAdminClient) -> set[str]:
    return set(topics(TOPICS, REFERENCE).by_name) & set(admin.list_topics())


def _drop_groups(admin: KafkaAdminClient) -> bool:
    """With the members that a killed service left in them, whose sessions have not run out."""
    groups = _groups(admin)
    for name, group in admin.describe_groups(groups).items():
        left = [MemberToRemove(member_id=member["member_id"]) for member in group["members"]]
        if left:
            admin.remove_group_members(name, left)
    if groups:
        admin.delete_groups(groups)
    return not groups


def _groups(admin: KafkaAdminClient) -> list[str]:
    return [group["group_id"] for group in admin.list_groups()]


def used(environ: Mapping[str, str]) -> list[str]:
    """One line a server, for the head of the run's report."""
    apache = f"embedded, Apache Kafka {kafka.VERSION}"
    own = {
        "postgres": "embedded",
        "redis": "embedded",
        "kafka": apache if kafka.available(kafka.CACHE) else "none, for Java 17 with Maven is missing",
    }
    return [
        f"{name}: {'named by ' + NAMES[name] if environ.get(NAMES[name]) else own[name]}" for name in NAMES
    ]
