"""The gRPC server of a process: its address, its health per dependency, and how it stops."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import Gauge

from services.runtime.errors import Unavailable
from services.runtime.rpc import Gate
from services.runtime.settings import Address

UP = Gauge("ppo_dependency_up", "1 while the dependency answers.", ["dependency"])
SINCE = Gauge(
    "ppo_dependency_since_seconds", "Since when it answers, or does not, as Unix time.", ["dependency"]
)

PROBE_SECONDS = 1.0
GRACE_SECONDS = 5.0


class Server:
    """A gRPC server with health per dependency and reflection. Stop = unhealthy, drain, stop."""

    def __init__(
        self,
        address: Address,
        gate: Gate,
        services: Sequence[ServiceDescriptor],
        probes: Mapping[str, Callable[[], Awaitable[None]]],
        essential: frozenset[str],
    ) -> None:
        """The server serves while every `essential` dependency answers; the others only make it degraded."""
        self._address = address
        self.grpc = grpc.aio.server(
            interceptors=[gate],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                # A caller that is gone without a word is noticed, and what was open for it ends.
                ("grpc.keepalive_time_ms", 5_000),
                ("grpc.keepalive_timeout_ms", 5_000),
                # Left at a minute, it would outlast the time above where the machine lives and nobody reads.
                ("grpc.http2.ping_timeout_ms", 5_000),
                # An idle caller's keepalive is no abuse: left at 5 minutes, it would be cut off.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ],
            maximum_concurrent_rpcs=2_000,
        )
        self._probes = probes
        self._essential = essential
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        names = [one.full_name for one in services]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self.grpc)

    async def start(self, credentials: grpc.ServerCredentials | None) -> None:
        if credentials is None:
            self.port = self.grpc.add_insecure_port(str(self._address))
        else:
            self.port = self.grpc.add_secure_port(str(self._address), credentials)
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await self.grpc.start()

    async def watch(self) -> None:
        """Asks every dependency once a second, for as long as the server runs."""
        before: dict[str, bool] = {}
        while True:
            up = {name: await _answers(probe) for name, probe in self._probes.items()}
            for name, alive in up.items():
                if before.get(name) != alive:
                    SINCE.labels(name).set_to_current_time()
                UP.labels(name).set(alive)
                await self._set(name, alive)
            await self._set("", all(up[name] for name in self._essential))
            before = up
            await asyncio.sleep(PROBE_SECONDS)

    async def _set(self, name: str, serving: bool) -> None:
        states = health_pb2.HealthCheckResponse
        await self._health.set(name, states.SERVING if serving else states.NOT_SERVING)

    async def stop(self) -> None:
        await self._health.enter_graceful_shutdown()
        await self.grpc.stop(GRACE_SECONDS)


def credentials(certificate: Path | None, key: Path | None) -> grpc.ServerCredentials | None:
    """None on loopback without TLS, which the settings allow there alone."""
    if certificate is None or key is None:
        return None
    return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])


async def _answers(probe: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
    except (Unavailable, TimeoutError):
        return False
    return True
