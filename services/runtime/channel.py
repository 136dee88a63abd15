"""How one of our processes calls another: a channel with a token, keepalive and a short backoff."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

OPTIONS = (
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    # Left at a minute, it would outlast the time above where the machine lives and nobody reads.
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # In truth how long an attempt to connect may take: a busy machine needs longer than the backoff.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

_KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

# What every failed call raises, whatever the reason.
CallError = grpc.aio.AioRpcError
Channel = grpc.aio.Channel


def connect(target: str, token: Callable[[], str], ca: Path | None = None) -> grpc.aio.Channel:
    """`token` is asked at every call; without `ca` the target must be on loopback."""
    if ca is None:
        wire = grpc.aio.insecure_channel(target, options=OPTIONS)
    else:
        wire = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(ca.read_bytes()), options=OPTIONS)
    for kind in _KINDS:
        setattr(wire, kind, _bearing(getattr(wire, kind), token))
    return wire


async def serving(channel: Channel, seconds: float) -> bool:
    """Whether the other side says within that time that it serves."""
    try:
        # Untyped: the package of the health stubs knows the blocking call only.
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
    except (CallError, OSError):
        # OSError: our own token could not be read.
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def violations(error: grpc.aio.AioRpcError) -> list[tuple[str, str]]:
    """The fields that the server refused, each with its rule."""
    bad = _detail(error, error_details_pb2.BadRequest)
    return [(one.field, one.description) for one in bad.field_violations]


def reason(error: grpc.aio.AioRpcError) -> str:
    """The stable reason of a refusal; empty where the server gave none."""
    return str(_detail(error, error_details_pb2.ErrorInfo).reason)


def _detail(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    # The types know the blocking call only; the error of an asyncio call has the same two methods.
    status = rpc_status.from_call(cast(grpc.Call, error))
    found = kind()
    for detail in status.details if status else ():
        if detail.Unpack(found):
            break
    return found


def _bearing(make: Callable[..., Any], token: Callable[[], str]) -> Callable[..., Any]:
    """The same kind of call, with the token of its moment. An interceptor would cost a task a call."""

    def method(*path: Any, **codec: Any) -> Callable[..., Any]:
        bare = make(*path, **codec)

        def call(*request: Any, metadata: Any = (), **options: Any) -> Any:
            own = ("authorization", f"Bearer {token()}")
            return bare(*request, metadata=(*(metadata or ()), own), **options)

        return call

    return method
