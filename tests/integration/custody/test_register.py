"""The register as custody asks it: whatever goes wrong there ends as Unavailable, and soon."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from google.rpc import code_pb2

from deploy.embedded.ports import HOST, free
from ppo.person.v1 import screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody.check import MOST_AT_ONCE, Register
from services.custody.verdicts import Asked
from services.runtime import channel
from services.runtime.errors import Invalid, Unavailable
from services.runtime.identity import TokenFile
from tests import builders
from tests.integration.custody.running import SECONDS
from tests.integration.custody.staged import Staged, asked


@pytest.fixture
def staged() -> Staged:
    return Staged()  # type: ignore[abstract]


@pytest_asyncio.fixture
async def register(staged: Staged) -> AsyncIterator[Register]:
    async with asked(staged) as register:
        yield register


async def screen(register: Register, seconds: float = 5) -> screening_pb2.Screening:
    return await register.screen(
        Asked(builders.person()), policy_pb2.PURPOSE_ARREST, time.monotonic() + seconds
    )


async def test_what_the_register_says_is_passed_on(register: Register, staged: Staged) -> None:
    staged.flag("n1", 7)

    assert await screen(register) == staged.screening


async def test_what_the_register_refuses_is_refused_with_its_field(
    register: Register, staged: Staged
) -> None:
    staged.code, staged.field = code_pb2.INVALID_ARGUMENT, "person.birth_date"

    with pytest.raises(Invalid) as refused:
        await screen(register)

    assert refused.value.field == "person.birth_date"


@pytest.mark.parametrize(
    "code", [each for each in code_pb2.Code.values() if each not in (code_pb2.OK, code_pb2.INVALID_ARGUMENT)]
)
async def test_any_other_error_is_an_outage(register: Register, staged: Staged, code: code_pb2.Code) -> None:
    staged.code = code

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
            await screen(Register(connection), 0.2)

        assert time.monotonic() - began < 1


async def test_more_than_the_register_takes_at_once_are_answered_one_after_the_other(
    register: Register, staged: Staged
) -> None:
    staged.seconds = 0.01

    said = await asyncio.gather(*(screen(register, SECONDS) for _ in range(150)))

    assert said == [staged.screening] * 150
    assert staged.most_at_once <= MOST_AT_ONCE


async def test_a_register_that_says_nothing_holds_up_nobody_for_longer_than_their_own_time(
    register: Register, staged: Staged
) -> None:
    staged.seconds = 60

    # In turns of so many at once these would take a hundred seconds.
    async with asyncio.timeout(SECONDS):
        unanswered = await asyncio.gather(
            *(screen(register, 1) for _ in range(100 * MOST_AT_ONCE)), return_exceptions=True
        )

    assert {type(each) for each in unanswered} == {Unavailable}
    staged.seconds = 0
    assert await screen(register) == staged.screening
