"""The register as custody asks it: whatever goes wrong there ends as Unavailable, and soon."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from deploy.embedded.ports import HOST, free
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1 import flagging_pb2_grpc
from ppo.person.v1 import screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody.check import REGISTER_SECONDS, Register
from services.custody.verdicts import Asked
from services.runtime import channel
from services.runtime.errors import Invalid, Unavailable
from services.runtime.identity import TokenFile
from services.runtime.rpc import Context
from tests import builders


class Answering(flagging_pb2_grpc.FlaggingServiceServicer):
    """A register of this test's own, for answers that the real one gives only when it is broken."""

    code = code_pb2.OK
    field = ""

    async def ScreenPerson(
        self, request: flagging.ScreenPersonRequest, context: Context
    ) -> flagging.ScreenPersonResponse:
        if self.code:
            status = status_pb2.Status(code=self.code, message="refused")
            bad = error_details_pb2.BadRequest()
            if self.field:
                bad.field_violations.add(field=self.field, description="is wrong")
            status.details.add().Pack(bad)
            await context.abort_with_status(rpc_status.to_status(status))
        return flagging.ScreenPersonResponse(
            screening=screening_pb2.Screening(outcome=screening_pb2.OUTCOME_FLAGGED)
        )


@pytest.fixture
def answering() -> Answering:
    return Answering()  # type: ignore[abstract]


@pytest_asyncio.fixture
async def register(answering: Answering) -> AsyncIterator[Register]:
    server = grpc.aio.server()
    flagging_pb2_grpc.add_FlaggingServiceServicer_to_server(answering, server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    async with channel.connect(f"{HOST}:{port}", lambda: "token") as connection:
        yield Register(connection)
    await server.stop(None)


async def screen(register: Register) -> screening_pb2.Screening:
    return await register.screen(Asked(builders.person()), policy_pb2.PURPOSE_ARREST, REGISTER_SECONDS * 10)


async def test_what_the_register_says_is_passed_on(register: Register) -> None:
    assert (await screen(register)).outcome == screening_pb2.OUTCOME_FLAGGED


async def test_what_the_register_refuses_is_refused_with_its_field(
    register: Register, answering: Answering
) -> None:
    answering.code, answering.field = code_pb2.INVALID_ARGUMENT, "person.birth_date"

    with pytest.raises(Invalid) as refused:
        await screen(register)

    assert refused.value.field == "person.birth_date"


@pytest.mark.parametrize(
    "code", [each for each in code_pb2.Code.values() if each not in (code_pb2.OK, code_pb2.INVALID_ARGUMENT)]
)
async def test_any_other_error_is_an_outage(
    register: Register, answering: Answering, code: code_pb2.Code
) -> None:
    answering.code = code

    with pytest.raises(Unavailable):
        await screen(register)


async def test_a_token_that_cannot_be_read_is_an_outage(tmp_path: Path) -> None:
    token = TokenFile(tmp_path / "none").token
    async with channel.connect(f"{HOST}:{free()}", token) as connection:
        register = Register(connection)

        with pytest.raises(Unavailable):
            await screen(register)
        with pytest.raises(Unavailable):
            await register.probe()


async def test_where_nobody_listens_is_known_at_once() -> None:
    async with channel.connect(f"{HOST}:{free()}", lambda: "token") as connection:
        began = time.monotonic()

        with pytest.raises(Unavailable):
            await Register(connection).screen(
                Asked(builders.person()), policy_pb2.PURPOSE_ARREST, REGISTER_SECONDS
            )

        assert time.monotonic() - began < 2 * REGISTER_SECONDS
