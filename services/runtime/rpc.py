"""What every RPC passes: who may call, deadlines, validation, refusals as status codes, disclosure."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf import any_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from prometheus_client import Counter, Histogram

from services.runtime import identity, policy, validation
from services.runtime.errors import (
    Absent,
    Conflict,
    Denied,
    Illegal,
    Invalid,
    NotFound,
    Refusal,
    Unauthenticated,
    Unavailable,
)
from services.runtime.telemetry import error_place

HANDLED = Counter("ppo_rpc_handled", "RPCs answered, by status code.", ["rpc", "code"])
SECONDS = Histogram(
    "ppo_rpc_seconds",
    "How long an RPC took, streams until their end.",
    ["rpc"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10, 60),
)

# For a caller that gives no deadline; a stream of rows may take long, but not for ever.
UNARY_SECONDS = 5.0
STREAM_SECONDS = 3600.0
# Shaved off a caller's deadline, so that what we answer still reaches it.
MARGIN_SECONDS = 0.01
# Health says nothing of a person or of a contract.
OPEN = "/grpc.health.v1."
REFLECTION = "/grpc.reflection."

_CODES: Mapping[type[Refusal], int] = {
    Invalid: code_pb2.INVALID_ARGUMENT,
    NotFound: code_pb2.NOT_FOUND,
    Conflict: code_pb2.ALREADY_EXISTS,
    Illegal: code_pb2.FAILED_PRECONDITION,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    Denied: code_pb2.PERMISSION_DENIED,
    Absent: code_pb2.UNIMPLEMENTED,
    Unavailable: code_pb2.UNAVAILABLE,
}

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

log = structlog.get_logger()


def status(refusal: Refusal, domain: str) -> status_pb2.Status:
    """google.rpc.Status with the field that is wrong, or a stable reason."""
    detail = any_pb2.Any()
    if isinstance(refusal, Invalid):
        violation = error_details_pb2.BadRequest.FieldViolation(field=refusal.field, description=refusal.rule)
        detail.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    else:
        detail.Pack(error_details_pb2.ErrorInfo(reason=_reason(refusal), domain=domain))
    return status_pb2.Status(code=_CODES[type(refusal)], message=str(refusal), details=[detail])


def _reason(refusal: Refusal) -> str:
    if isinstance(refusal, Illegal):
        return refusal.rule
    if isinstance(refusal, Unavailable):
        return f"{refusal.dependency.upper()}_UNAVAILABLE"
    return type(refusal).__name__.upper()


class Gate(grpc.aio.ServerInterceptor):
    """Every RPC passes here, in and out; what a contract does not allow is denied.

    A contract that stands `apart` is for callers who may not learn that the others exist: whose role it alone
    names finds nothing else here.
    """

    def __init__(
        self,
        verifier: identity.Verifier,
        services: Sequence[ServiceDescriptor],
        apart: Sequence[ServiceDescriptor] = (),
    ) -> None:
        self._verifier = verifier
        own, other = _methods(services), _methods(apart)
        self._methods = own | other
        self._callers = {name: policy.callers(method) for name, method in self._methods.items()}
        self._outsiders = _roles(other) - _roles(own)
        self._theirs = frozenset(other)
        # Of our own RPCs, each wrapped once.
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        name = handler_call_details.method
        if (wrapped := self._wrapped.get(name)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if name.startswith(OPEN):
            return handler
        if handler is None or name.startswith(REFLECTION):
            return _unlisted(name, handler, self.admit)
        self._wrapped[name] = wrapped = self._wrap(name, handler)
        return wrapped

    def _wrap(self, name: str, handler: Any) -> Any:
        call = _Call(self._methods[name], handler, self.admit)
        wrap = (
            (grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler),
            (grpc.stream_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler),
        )[handler.request_streaming][handler.response_streaming]
        behaviour = call.stream if handler.response_streaming else call.reply
        return wrap(behaviour, handler.request_deserializer, handler.response_serializer)

    def admit(self, name: str, context: Context) -> identity.Caller:
        """Who calls, if they may call what is named so, `/package.Service/Method`."""
        metadata = dict(context.invocation_metadata() or ())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token was given")
        caller = self._verifier.verify(token)
        if caller.role in self._outsiders and name not in self._theirs:
            raise Absent
        if name in self._callers and caller.role not in self._callers[name]:
            raise Denied(f"role {caller.role} may not call {self._methods[name].name}")
        return caller


def _methods(services: Sequence[ServiceDescriptor]) -> dict[str, MethodDescriptor]:
    return {f"/{one.full_name}/{method.name}": method for one in services for method in one.methods}


def _roles(methods: Mapping[str, MethodDescriptor]) -> frozenset[str]:
    return frozenset(role for method in methods.values() for role in policy.callers(method))


Admit: TypeAlias = Callable[[str, Context], identity.Caller]


def _unlisted(name: str, handler: Any, admit: Admit) -> Any:
    """Reflection, and what is not there: without a token, nobody learns which of the two it is."""

    async def behaviour(requests: Any, context: Context) -> AsyncIterator[Any]:
        with _Outcome("reflection" if handler else "unknown", _domain(name)) as outcome:
            async with outcome.refusals(context):
                admit(name, context)
                if handler is None:
                    raise Absent
                async for answer in handler.stream_stream(requests, context):
                    yield answer

    if handler is None:
        return grpc.stream_stream_rpc_method_handler(behaviour)
    return grpc.stream_stream_rpc_method_handler(
        behaviour, handler.request_deserializer, handler.response_serializer
    )


def _domain(name: str) -> str:
    """Of an error: the first word of the contract that was called, which the caller knows."""
    return name.removeprefix("/").partition(".")[0]


class _Call:
    """One RPC's way through the gate."""

    def __init__(self, method: MethodDescriptor, handler: Any, admit: Admit) -> None:
        self._method = method
        self._name = f"/{method.containing_service.full_name}/{method.name}"
        self._handler = handler
        self._admit = admit
        self._behaviour = (
            handler.unary_unary or handler.stream_unary or handler.unary_stream or handler.stream_stream
        )

    async def reply(self, request: Any, context: Context) -> Message:
        with self._outcome() as outcome:
            async with outcome.refusals(context):
                caller = self._enter(context)
                async with asyncio.timeout(_seconds_left(context, self._default())):
                    answer = await self._behaviour(self._checked(request), context)
                projected: Message = policy.project(answer, _viewer(caller))
                return projected
        raise AssertionError("abort has raised")

    async def stream(self, request: Any, context: Context) -> AsyncIterator[Message]:
        with self._outcome() as outcome:
            async with outcome.refusals(context):
                caller = self._enter(context)
                left = min(
                    _seconds_left(context, float("inf")),
                    (caller.expires - datetime.now(UTC)).total_seconds(),
                )
                try:
                    async with asyncio.timeout(left):
                        async for answer in self._behaviour(self._checked(request), context):
                            yield policy.project(answer, _viewer(caller))
                except TimeoutError:
                    if datetime.now(UTC) >= caller.expires:
                        raise Unauthenticated("the token has expired") from None
                    raise

    def _outcome(self) -> "_Outcome":
        return _Outcome(self._method.name, _domain(self._name))

    def _default(self) -> float:
        return STREAM_SECONDS if self._handler.request_streaming else UNARY_SECONDS

    def _enter(self, context: Context) -> identity.Caller:
        caller = self._admit(self._name, context)
        identity.enter(caller)
        return caller

    def _checked(self, request: Any) -> Any:
        if self._handler.request_streaming:
            return _checked_stream(request)
        validation.check(request)
        return request


def _viewer(caller: identity.Caller) -> policy.Viewer:
    return policy.Viewer(caller.role, caller.organisation)


async def _checked_stream(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """A row of a stream is refused by whoever takes it, so that one bad row does not stop the others."""
    async for request in requests:
        yield request


def _seconds_left(context: Context, default: float) -> float:
    left: float | None = context.time_remaining()
    return default if left is None else max(0.0, left - MARGIN_SECONDS)


class _Outcome:
    """Counts and times one RPC, and turns what it raises into a status; nothing else speaks status codes."""

    def __init__(self, rpc: str, domain: str) -> None:
        self._rpc = rpc
        self._domain = domain
        self._code = "OK"

    def __enter__(self) -> "_Outcome":
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        HANDLED.labels(self._rpc, self._code).inc()
        SECONDS.labels(self._rpc).observe(time.perf_counter() - self._start)

    def refusals(self, context: Context) -> "_Refusals":
        return _Refusals(self, context)

    def status(self, error: BaseException) -> status_pb2.Status | None:
        """None where nobody waits for an answer."""
        if isinstance(error, Refusal):
            answer = status(error, self._domain)
            log.info(
                "refused", rpc=self._rpc, code=code_pb2.Code.Name(answer.code), reason=type(error).__name__
            )
        elif isinstance(error, TimeoutError):
            answer = status_pb2.Status(code=code_pb2.DEADLINE_EXCEEDED, message="the deadline has passed")
        elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            log.error("unexpected", rpc=self._rpc, error=type(error).__name__, where=error_place(error))
            answer = status_pb2.Status(code=code_pb2.INTERNAL, message="an error of ours; it has been logged")
        else:
            self._code = "CANCELLED"
            return None
        self._code = code_pb2.Code.Name(answer.code)
        return answer


class _Refusals:
    def __init__(self, outcome: _Outcome, context: Context) -> None:
        self._outcome = outcome
        self._context = context

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, GeneratorExit):
            return
        answer = self._outcome.status(error)
        if answer is not None:
            await self._context.abort_with_status(rpc_status.to_status(answer))
