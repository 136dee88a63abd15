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
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # In truth how long an attempt to connect may take: a busy machine needs longer than the backoff.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

# What every failed call raises, whatever the reason.
CallError = grpc.aio.AioRpcError
Channel = grpc.aio.Channel


def connect(target: str, token: Callable[[], str], ca: Path | None = None) -> grpc.aio.Channel:
    """`token` is asked at every call; without `ca` the target must be on loopback."""
    interceptors: list[grpc.aio.ClientInterceptor] = [kind(token) for kind in _KINDS]
    if ca is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    return grpc.aio.secure_channel(target, credentials, options=OPTIONS, interceptors=interceptors)


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


class _Bearer:
    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    async def _call(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {self._token()}"))
        return await continuation(details._replace(metadata=metadata), request)


class _UnaryUnary(_Bearer, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._call(continuation, client_call_details, request)


class _UnaryStream(_Bearer, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._call(continuation, client_call_details, request)


class _StreamUnary(_Bearer, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._call(continuation, client_call_details, request_iterator)


class _StreamStream(_Bearer, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._call(continuation, client_call_details, request_iterator)


_KINDS = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
