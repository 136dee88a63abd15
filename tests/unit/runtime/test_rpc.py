"""Through the gate of a real server: deny by default, refusals as status codes, disclosure of replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import grpc
import pytest
from casework.v1 import casework_pb2 as casework
from casework.v1 import casework_pb2_grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1 import custody_pb2_grpc
from ppo.policy.v1 import policy_pb2 as policy
from services.runtime import channel
from services.runtime.errors import Conflict, Denied, Illegal, Invalid, NotFound, Refusal, Unavailable
from services.runtime.identity import Caller, Verifier, current, issue
from services.runtime.rpc import Gate
from services.runtime.server import Server
from services.runtime.settings import Address

SERVICE = custody.DESCRIPTOR.services_by_name["CustodyService"]
KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
# Longer than the whole run of tests, for it is made when they are collected.
OFFICER = Caller("sergeant-7", "custody_officer", "D1", datetime.now(UTC) + timedelta(hours=12))

LIST = custody.ListDetentionsRequest(suite_id="D1", purpose=policy.PURPOSE_ARREST)
WATCH = custody.WatchSuiteRequest(suite_id="D1", purpose=policy.PURPOSE_ARREST)


# Only some of its methods are called here; the generated class answers UNIMPLEMENTED for the others.
Servicer: Any = custody_pb2_grpc.CustodyServiceServicer


class Suite(Servicer):  # type: ignore[misc]
    """Raises what a test gives it; else answers with one detention that holds a drug test."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.caller: Caller | None = None

    async def ListDetentions(self, request: Any, context: Any) -> custody.ListDetentionsResponse:
        self.caller = current()
        if self.error is not None:
            raise self.error
        test = custody.DrugTest(suite_id="D1", result=custody.TEST_RESULT_POSITIVE)
        detention = custody.Detention(
            detention_id="d1", suite_id="D1", offence_codes=["TH68"], drug_test=test
        )
        return custody.ListDetentionsResponse(detentions=[detention])

    async def WatchSuite(self, request: Any, context: Any) -> AsyncIterator[custody.WatchSuiteResponse]:
        yield custody.WatchSuiteResponse(number=1)
        await asyncio.Event().wait()


async def _up() -> None:
    pass


@asynccontextmanager
async def serving(
    suite: Suite | None = None, caller: Caller | None = OFFICER
) -> AsyncIterator[custody_pb2_grpc.CustodyServiceStub]:
    gate = Gate(Verifier(PUBLIC), [SERVICE])
    server = Server(Address("127.0.0.1", 0), gate, [SERVICE], {"postgres": _up}, frozenset({"postgres"}))
    custody_pb2_grpc.add_CustodyServiceServicer_to_server(suite or Suite(), server.grpc)
    await server.start(None)
    token = "" if caller is None else issue(PRIVATE, caller)
    async with channel.connect(f"127.0.0.1:{server.port}", lambda: token) as wire:
        yield custody_pb2_grpc.CustodyServiceStub(wire)
    await server.stop()


async def refusal(suite: Suite | None = None, caller: Caller | None = OFFICER) -> grpc.aio.AioRpcError:
    async with serving(suite, caller) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.ListDetentions(LIST, timeout=2)
    return error.value


async def test_the_handler_knows_who_calls() -> None:
    suite = Suite()
    async with serving(suite) as stub:
        await stub.ListDetentions(LIST, timeout=2)

    assert suite.caller is not None
    assert (suite.caller.subject, suite.caller.organisation) == ("sergeant-7", "D1")


async def test_without_a_token_nothing_is_answered() -> None:
    suite = Suite()

    error = await refusal(suite, caller=None)

    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    assert suite.caller is None


@pytest.mark.parametrize(
    "role", ["ops", "register_keeper", "service_custody", "unspecified", "CUSTODY_OFFICER", ""]
)
async def test_a_role_that_the_contract_does_not_name_is_denied(role: str) -> None:
    suite = Suite()

    error = await refusal(suite, replace(OFFICER, role=role))

    assert error.code() == grpc.StatusCode.PERMISSION_DENIED
    assert suite.caller is None


async def test_a_custody_officer_sees_the_drug_test_taken_there() -> None:
    async with serving() as stub:
        reply = await stub.ListDetentions(LIST, timeout=2)

    assert reply.detentions[0].drug_test.result == custody.TEST_RESULT_POSITIVE


async def test_a_custody_officer_of_another_suite_does_not_see_it() -> None:
    async with serving(caller=replace(OFFICER, organisation="E3")) as stub:
        reply = await stub.ListDetentions(LIST, timeout=2)

    assert not reply.detentions[0].HasField("drug_test")


async def test_an_arrest_referral_worker_sees_no_offence() -> None:
    async with serving(caller=replace(OFFICER, role="arrest_referral_worker")) as stub:
        reply = await stub.ListDetentions(LIST, timeout=2)

    assert not reply.detentions[0].offence_codes
    assert reply.detentions[0].detention_id == "d1"


async def test_a_missing_field_is_named() -> None:
    async with serving() as stub:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.ListDetentions(custody.ListDetentionsRequest(suite_id="D1"), timeout=2)

    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert channel.violations(error.value) == [("purpose", "is required")]


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (NotFound("no such detention"), grpc.StatusCode.NOT_FOUND, "NOTFOUND"),
        (Conflict("used"), grpc.StatusCode.ALREADY_EXISTS, "CONFLICT"),
        (Denied("no"), grpc.StatusCode.PERMISSION_DENIED, "DENIED"),
        (Illegal("R7", "not now"), grpc.StatusCode.FAILED_PRECONDITION, "R7"),
        (Unavailable("postgres"), grpc.StatusCode.UNAVAILABLE, "POSTGRES_UNAVAILABLE"),
    ],
)
async def test_a_refusal_has_its_code_and_a_stable_reason(raised: Refusal, code: Any, reason: str) -> None:
    error = await refusal(Suite(raised))

    assert error.code() == code
    assert channel.reason(error) == reason


async def test_an_invalid_field_found_by_a_handler_is_named() -> None:
    error = await refusal(Suite(Invalid("person.birth_date", "is in the future")))

    assert channel.violations(error) == [("person.birth_date", "is in the future")]


async def test_an_error_of_ours_tells_the_caller_nothing_of_it() -> None:
    error = await refusal(Suite(RuntimeError("family_name=Osborne")))

    assert error.code() == grpc.StatusCode.INTERNAL
    assert "Osborne" not in (error.details() or "")
    assert "Osborne" not in str(error.trailing_metadata())


async def test_a_stream_ends_when_its_token_does() -> None:
    soon = replace(OFFICER, expires=datetime.now(UTC) + timedelta(seconds=2))
    async with serving(caller=soon) as stub:
        stream = stub.WatchSuite(WATCH, timeout=30)
        assert (await anext(aiter(stream))).number == 1
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await anext(aiter(stream))

    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_call_without_a_deadline_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.runtime.rpc.UNARY_SECONDS", 0.05)

    class Slow(Suite):
        async def ListDetentions(self, request: Any, context: Any) -> custody.ListDetentionsResponse:
            await asyncio.Event().wait()
            raise AssertionError

    async with serving(Slow()) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.ListDetentions(LIST)

    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_health_is_told_per_dependency_and_as_a_whole() -> None:
    up = {"postgres": True, "redis": True}

    def probe(name: str) -> Any:
        async def answer() -> None:
            if not up[name]:
                raise Unavailable(name)

        return answer

    probes = {name: probe(name) for name in up}
    server = Server(
        Address("127.0.0.1", 0), Gate(Verifier(PUBLIC), [SERVICE]), [SERVICE], probes, frozenset({"postgres"})
    )
    await server.start(None)
    watching = asyncio.create_task(server.watch())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as wire:
        stub = health_pb2_grpc.HealthStub(wire)
        await _becomes(stub, {"": True, "postgres": True, "redis": True})
        up["redis"] = False
        await _becomes(stub, {"": True, "postgres": True, "redis": False})
        up["postgres"] = False
        await _becomes(stub, {"": False, "postgres": False, "redis": False})
    watching.cancel()
    await server.stop()


async def _becomes(stub: Any, wanted: dict[str, bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            answers = {name: await stub.Check(health_pb2.HealthCheckRequest(service=name)) for name in wanted}
            if {name: answer.status == 1 for name, answer in answers.items()} == wanted:
                return
            await asyncio.sleep(0.05)


async def test_times_are_checked_before_a_handler_sees_them() -> None:
    request = custody.BookInRequest(request_id="r", suite_id="D1", arrested_time=Timestamp(seconds=10**14))
    async with serving() as stub:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.BookIn(request, timeout=2)

    assert channel.violations(error.value)[0][0] == "arrested_time"


async def test_a_call_under_way_is_answered_while_the_server_stops() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Suite):
        async def ListDetentions(self, request: Any, context: Any) -> custody.ListDetentionsResponse:
            begun.set()
            await go_on.wait()
            return custody.ListDetentionsResponse()

    server = Server(Address("127.0.0.1", 0), Gate(Verifier(PUBLIC), [SERVICE]), [SERVICE], {}, frozenset())
    custody_pb2_grpc.add_CustodyServiceServicer_to_server(cast(Any, Slow()), server.grpc)
    await server.start(None)
    async with channel.connect(f"127.0.0.1:{server.port}", lambda: issue(PRIVATE, OFFICER)) as wire:
        call = asyncio.ensure_future(
            custody_pb2_grpc.CustodyServiceStub(wire).ListDetentions(LIST, timeout=5)
        )
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        go_on.set()

        assert await call == custody.ListDetentionsResponse()
        await stopping


async def reflected(wire: Any) -> str:
    # Its types know the blocking channel only.
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, wire))
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    return "".join([str(answer) async for answer in stub.ServerReflectionInfo(asked, timeout=5)])


async def test_the_contract_can_be_asked_for_with_a_token() -> None:
    async with providing(OFFICER) as wire:
        assert SERVICE.full_name in await reflected(wire)


# ---- a contract apart: what a provider may not learn of

PROVIDER = Caller("clerk", "housing_provider", "birmingham-housing", OFFICER.expires)
APART = casework.DESCRIPTOR.services_by_name["CaseworkService"]
NOWHERE = "/casework.v1.NoSuchService/AcknowledgeNotice"
LISTING = f"/{SERVICE.full_name}/ListDetentions"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


class Provided(casework_pb2_grpc.CaseworkServiceServicer):
    async def AcknowledgeNotice(self, request: Any, context: Any) -> casework.AcknowledgeNoticeResponse:
        raise NotFound("your organisation was sent no such notice")


@asynccontextmanager
async def providing(caller: Caller | None) -> AsyncIterator[grpc.aio.Channel]:
    """A server with both contracts, of which the provider may know one."""
    gate = Gate(Verifier(PUBLIC), [SERVICE], apart=[APART])
    server = Server(Address("127.0.0.1", 0), gate, [SERVICE], {}, frozenset())
    custody_pb2_grpc.add_CustodyServiceServicer_to_server(Suite(), server.grpc)
    casework_pb2_grpc.add_CaseworkServiceServicer_to_server(Provided(), server.grpc)
    await server.start(None)
    metadata = () if caller is None else (("authorization", f"Bearer {issue(PRIVATE, caller)}"),)
    try:
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{server.port}", interceptors=[_With(metadata)]
        ) as wire:
            yield wire
    finally:
        await server.stop()


class _With(grpc.aio.StreamStreamClientInterceptor):
    """The bearer token on a call of both streams, which none of ours is."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(details._replace(metadata=grpc.aio.Metadata(*self._metadata)), requests)


async def refused(wire: grpc.aio.Channel, name: str) -> grpc.aio.AioRpcError:
    call: Any = wire.stream_stream(name)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async for _ in call(iter([b""]), timeout=5):
            pass
    return error.value


@pytest.mark.parametrize("caller", [PROVIDER, None], ids=["provider", "nobody"])
@pytest.mark.parametrize("name", [LISTING, REFLECTION])
async def test_what_stands_beside_a_contract_apart_looks_as_if_it_were_not_there(
    caller: Caller | None, name: str
) -> None:
    async with providing(caller) as wire:
        hidden, missing = await refused(wire, name), await refused(wire, NOWHERE)

    assert (hidden.code(), hidden.details()) == (missing.code(), missing.details())
    assert hidden.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED)


async def test_an_error_of_a_contract_apart_names_that_contract_alone() -> None:
    request = casework.AcknowledgeNoticeRequest(request_id="r", notice_id="n")
    token = issue(PRIVATE, PROVIDER)
    async with providing(None) as wire:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await casework_pb2_grpc.CaseworkServiceStub(wire).AcknowledgeNotice(
                request, timeout=5, metadata=(("authorization", f"Bearer {token}"),)
            )

    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert b"casework" in dict(error.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert "ppo" not in repr(error.value).lower()


async def test_a_caller_of_the_others_is_told_which_role_may_not_call_it() -> None:
    async with providing(OFFICER) as wire:
        error = await refused(wire, f"/{APART.full_name}/AcknowledgeNotice")

    assert error.code() == grpc.StatusCode.PERMISSION_DENIED
