"""Fixtures of every test: the real servers, and on them what is one test's own."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest

from tests.servers import Database, Running, Servers, used

Say: TypeAlias = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="the long form of the fault tests, by chance")


@pytest.fixture
def torture(request: pytest.FixtureRequest) -> bool:
    """The long form of a fault test, with a seed of its own, was asked for."""
    return bool(request.config.getoption("--torture"))


@pytest.fixture
def long_form(torture: bool) -> None:
    if not torture:
        pytest.skip("in the long form only: make torture")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """A line of a long test, to be read while it runs."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")
            sys.stdout.flush()

    return say


def pytest_report_header() -> list[str]:
    return used(os.environ)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    servers = Servers(os.environ)
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> Running:
    return servers.postgres


@pytest.fixture(scope="session")
def redis(servers: Servers) -> Running:
    return servers.redis


@pytest.fixture(scope="session")
def kafka(servers: Servers) -> Running:
    return servers.kafka


@pytest.fixture
def directory() -> Iterator[Path]:
    """For a stack's data: each run of pytest closes pytest's own directories to all but root as it begins."""
    with TemporaryDirectory(prefix="ppo-tests-") as directory:
        yield Path(directory)


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    with servers.database() as database:
        yield database


@pytest.fixture
def topics(servers: Servers) -> str:
    """The bootstrap servers of a Kafka on which every topic of the suite is empty."""
    return servers.fresh_topics()
