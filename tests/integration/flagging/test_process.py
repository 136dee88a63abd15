"""The service as a process: it starts on a migrated schema alone, serves, and stops when it is told to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.embedded.ports import free
from ppo.flagging.v1 import flagging_pb2
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging.models import SCHEMA
from services.runtime import channel
from services.runtime.identity import Caller, issue
from tests import servers
from tests.builders import person
from tests.integration.flagging.service import BIRMINGHAM, PRIVATE, PUBLIC, refusal

COMMAND = [sys.executable, "-m", "services.flagging"]


def settings(postgres: str, home: Path, **changes: str) -> dict[str, str]:
    (home / "key.pem").write_bytes(PUBLIC)
    ours = {
        "LISTEN": f"127.0.0.1:{free()}",
        "METRICS": f"127.0.0.1:{free()}",
        "POSTGRES": postgres,
        "REDIS": "redis://127.0.0.1:1",
        # Nobody is there: the check does without.
        "KAFKA": "127.0.0.1:1",
        "TOPICS": str(servers.TOPICS),
        "TOKEN_KEY": str(home / "key.pem"),
        "REFERENCE": str(BIRMINGHAM),
    }
    return {f"PPO_FLAGGING_{name}": value for name, value in (ours | changes).items()}


@contextmanager
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        COMMAND, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def health(address: str, dependency: str) -> str:
    async with grpc.aio.insecure_channel(address) as channel:
        # Untyped: the package of the health stubs knows the blocking call only.
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(
            health_pb2.HealthCheckRequest(service=dependency), timeout=30, wait_for_ready=True
        )
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def until_serving(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(), timeout=60, wait_for_ready=True):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return


async def test_it_serves_without_kafka_and_stops_when_told(own: servers.Database, tmp_path: Path) -> None:
    environment = settings(own.url(SCHEMA), tmp_path)
    with running(environment) as process:
        await until_serving(environment["PPO_FLAGGING_LISTEN"])
        dependencies = {
            name: await health(environment["PPO_FLAGGING_LISTEN"], name) for name in ("postgres", "kafka")
        }
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert dependencies == {"postgres": "SERVING", "kafka": "NOT_SERVING"}
    assert process.returncode == 0


async def test_while_the_register_is_read_at_the_start_it_is_not_serving_and_a_check_is_told_why(
    own: servers.Database, tmp_path: Path
) -> None:
    environment = settings(own.url(SCHEMA), tmp_path)
    address = environment["PPO_FLAGGING_LISTEN"]
    with psycopg.connect(own.url(SCHEMA)) as other, running(environment):
        # Nobody reads the flags while this is held.
        other.execute("LOCK TABLE flag")
        before = await health(address, "")
        told = await refusal(screened(address))
        other.rollback()
        await until_serving(address)

        assert before == "NOT_SERVING"
        assert (told.code(), channel.reason(told)) == (grpc.StatusCode.UNAVAILABLE, "POSTGRES_UNAVAILABLE")
        assert (await screened(address)).screening.outcome == screening_pb2.OUTCOME_NOT_FLAGGED


async def screened(address: str) -> flagging_pb2.ScreenPersonResponse:
    expires = datetime.now(UTC) + timedelta(hours=1)
    token = issue(PRIVATE, Caller("custody", "service_custody", "custody", expires))
    request = flagging_pb2.ScreenPersonRequest(person=person(), purpose=policy_pb2.PURPOSE_ARREST)
    async with channel.connect(address, lambda: token) as wire:
        return await FlaggingServiceStub(wire).ScreenPerson(request, timeout=30)


def test_a_schema_that_is_behind_is_refused_in_one_line(database: servers.Database, tmp_path: Path) -> None:
    environment = settings(database.url(SCHEMA), tmp_path)

    refused = subprocess.run(
        COMMAND, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert refused.returncode == 2
    assert (
        refused.stderr.strip() == "schema flagging lacks migrations; run: python -m services.flagging migrate"
    )


def test_migrate_makes_the_schema_and_may_be_repeated(database: servers.Database, tmp_path: Path) -> None:
    environment = os.environ | settings(database.url(SCHEMA), tmp_path)

    for _ in range(2):
        subprocess.run([*COMMAND, "migrate"], env=environment, timeout=60, check=True)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"FALSE_ALARMS": "1.5"}, "PPO_FLAGGING_*: false_alarms is a share between 0 and 1"),
        ({"TOKN_KEY": "x"}, "PPO_FLAGGING_TOKN_KEY is not a setting"),
        ({"REFERENCE": "/nowhere"}, "/nowhere: holds no .toml file"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    database: servers.Database, tmp_path: Path, changes: dict[str, str], line: str
) -> None:
    environment = os.environ | settings(database.url(SCHEMA), tmp_path, **changes)

    refused = subprocess.run(
        COMMAND, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert refused.returncode == 2
    assert refused.stderr.startswith(line)
    assert len(refused.stderr.splitlines()) == 1
