"""How a command reaches the services: where they are, with whose token, and what time it is there."""

import getpass
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import grpc
import typer
from casework.v1.casework_pb2_grpc import CaseworkServiceStub

from deploy.embedded import backing, clock, state
from deploy.embedded.keys import Keys
from deploy.embedded.mock_broker import MockBroker
from deploy.embedded.ports import HOST
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceStub
from services.console.stop import Stop, Unreachable
from services.runtime import channel
from services.runtime.clock import Clock
from services.runtime.identity import Caller

Stub = TypeVar("Stub")

DATA = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ppo"
# Generous to a person who waits, short enough for a queue: a check itself is answered in 200 ms.
CALL_SECONDS = 5.0
HEALTH_SECONDS = 5.0
STREAM_SECONDS = 24 * 3600.0
# A shift. A watch ends with its token, and is taken up again with a new one.
TOKEN_LIFE = timedelta(hours=12)
PORTS = {"flagging": 50051, "custody": 50052, "tracking": 50053, "returns": 50054}

Data = Annotated[
    Path,
    typer.Option(
        "--data", envvar="PPO_DATA", show_default="~/.local/share/ppo", help="The suite's data directory."
    ),
]
RequestId = Annotated[str, typer.Option(help="Name the request, so that a repeat has no second effect.")]


def request_id(given: str = "") -> str:
    return given or str(uuid.uuid4())


@dataclass(frozen=True)
class Session:
    """One caller's way to the services in the data directory, or to those that the environment names."""

    data: Path
    role: str
    organisation: str

    @asynccontextmanager
    async def custody(self) -> AsyncIterator[CustodyServiceStub]:
        async with self._reached("custody", CustodyServiceStub) as stub:
            yield stub

    @asynccontextmanager
    async def flagging(self) -> AsyncIterator[FlaggingServiceStub]:
        async with self._reached("flagging", FlaggingServiceStub) as stub:
            yield stub

    @asynccontextmanager
    async def tracking(self) -> AsyncIterator[TrackingServiceStub]:
        async with self._reached("tracking", TrackingServiceStub) as stub:
            yield stub

    @asynccontextmanager
    async def casework(self) -> AsyncIterator[CaseworkServiceStub]:
        """Tracking's server under the name that providers know."""
        async with self._reached("tracking", CaseworkServiceStub) as stub:
            yield stub

    @asynccontextmanager
    async def returns(self) -> AsyncIterator[ReturnsServiceStub]:
        async with self._reached("returns", ReturnsServiceStub) as stub:
            yield stub

    def clock(self) -> Clock:
        """The one that the services go by."""
        moved = clock.file(self.data)
        return Clock(moved if moved.exists() else None)

    @asynccontextmanager
    async def _reached(self, service: str, stub: Callable[[grpc.aio.Channel], Stub]) -> AsyncIterator[Stub]:
        target = address(self.data, service)
        try:
            async with channel.connect(target, _renewed(self._token), _authority()) as open_channel:
                yield stub(open_channel)
        except grpc.aio.AioRpcError as error:
            raise _stop(service, target, error) from None

    def _token(self) -> str:
        return os.environ.get("PPO_TOKEN") or issue(self.data, self.role, self.organisation, TOKEN_LIFE)


def _renewed(issue: Callable[[], str]) -> Callable[[], str]:
    """Asked at every call; a token is signed anew when half its life is over."""
    token, until = "", float("-inf")

    def current() -> str:
        nonlocal token, until
        if time.monotonic() >= until:
            token, until = issue(), time.monotonic() + TOKEN_LIFE.total_seconds() / 2
        return token

    return current


def address(data: Path, service: str) -> str:
    """As the environment says, else as the suite in the data directory does, else the usual port."""
    running = state.read(data)
    started = running.addresses.get(service) if running else None
    return named(service) or started or f"127.0.0.1:{PORTS[service]}"


def named(service: str) -> str:
    """Where the environment says that the service is; empty where it says nothing."""
    return os.environ.get(f"PPO_{service.upper()}_TARGET", "")


def kafka(data: Path) -> tuple[str, bool]:
    """Where Kafka is, and whether that is the mock broker: as the environment says, else the suite's own."""
    servers = os.environ.get("PPO_KAFKA", "")
    if servers not in ("", backing.MOCK):
        return servers, False
    running = state.read(data)
    own = running.processes.get("kafka") if running and running.alive else None
    if own is None:
        raise Unreachable(f"no Kafka runs in {data}: start a suite with ppo up, or name one with PPO_KAFKA")
    port = own.ports.get("kafka")
    return (f"{HOST}:{port}", False) if port else (MockBroker(data / "kafka", data / "logs").servers, True)


async def serving(data: Path, service: str) -> bool:
    """Whether the service says that it serves."""
    async with channel.connect(address(data, service), str, _authority()) as open_channel:
        return await channel.serving(open_channel, HEALTH_SECONDS)


def _authority() -> Path | None:
    ca = os.environ.get("PPO_CA")
    return Path(ca) if ca else None


def issue(data: Path, role: str, organisation: str, life: timedelta, subject: str = "") -> str:
    """A token signed with the key of the suite in the data directory."""
    keys = Keys(data / "secrets")
    # Asked for a key that is not there, it would make one, and the suite would take it for its own.
    if not (keys.directory / "token.key").exists():
        raise Unreachable(f"no suite was started in {data}: start one with ppo up, or set PPO_TOKEN")
    caller = Caller(subject or getpass.getuser(), role, organisation, datetime.now(UTC) + life)
    return keys.token(caller)


def _stop(service: str, target: str, error: grpc.aio.AioRpcError) -> Stop:
    match error.code():
        case grpc.StatusCode.INVALID_ARGUMENT:
            wrong = "; ".join(f"{field}: {rule}" for field, rule in channel.violations(error))
            return Stop(f"refused: {wrong or error.details()}", 2)
        case grpc.StatusCode.UNAVAILABLE if channel.reason(error):
            return Unreachable(f"{service}: {error.details()}")
        case grpc.StatusCode.UNAVAILABLE:
            return Unreachable(f"{service} cannot be reached at {target}: ppo status says more")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(f"{service} did not answer in time")
    return Stop(f"{service}: {error.details()}")
