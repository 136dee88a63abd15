"""The demo's stage: who takes part, what they do at the desk, how what comes of it is shown and checked."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, output, population
from services.console.nominals import FORCE
from services.console.screen import PATIENCE, Screen, watching
from services.console.session import CALL_SECONDS, Session, request_id
from services.console.stop import Stop
from services.runtime.clock import Clock

SUITE, DRUG_TEAM = "E3", "drug-solutions-birmingham"


@dataclass(frozen=True)
class Stage:
    """Who takes part, each with a token of their own."""

    data: Path
    clock: Clock
    cast: population.Cast
    importer: FlaggingServiceStub
    keeper: FlaggingServiceStub
    desk: CustodyServiceStub
    drug_team: CustodyServiceStub
    screen: Screen


@asynccontextmanager
async def on_stage(data: Path) -> AsyncIterator[Stage]:
    desk = Session(data, "custody_officer", SUITE)
    async with AsyncExitStack() as stack:
        officer = await stack.enter_async_context(desk.custody())
        yield Stage(
            data=data,
            clock=desk.clock(),
            cast=population.cast(),
            importer=await stack.enter_async_context(Session(data, "importer", FORCE).flagging()),
            keeper=await stack.enter_async_context(Session(data, "register_keeper", FORCE).flagging()),
            desk=officer,
            drug_team=await stack.enter_async_context(Session(data, "ppo_drug_team", DRUG_TEAM).custody()),
            screen=await stack.enter_async_context(watching(officer, SUITE)),
        )


async def book_in(stage: Stage, person: pb.Person) -> custody.Detention:
    """Somebody who was arrested for burglary just now."""
    given = (output.full_name(person.name), output.day(person.birth_date), output.identifiers(person))
    say(f"Given at the desk: {', '.join(filter(None, given)) or 'nothing'}")
    request = custody.BookInRequest(
        request_id=request_id(),
        suite_id=SUITE,
        person=person,
        arrested_time=timestamp(stage.clock.now()),
        offence_codes=["burglary"],
    )
    return (await stage.desk.BookIn(request, timeout=CALL_SECONDS)).detention


async def arrive(stage: Stage, person: pb.Person) -> custody.Detention:
    """Booked in and answered by the register, if a little later where the machine is busy."""
    detention = await book_in(stage, person)
    if detention.answer.basis != custody.BASIS_REGISTER:
        say("The register took longer than the desk waits, so its copy answers; it is asked again by itself.")
    deadline = time.monotonic() + PATIENCE
    while detention.answer.basis != custody.BASIS_REGISTER:
        expect(time.monotonic() < deadline, "the register to answer for somebody who is booked in")
        await asyncio.sleep(0.2)
        detention = await _record(stage, detention.detention_id)
    return detention


async def _record(stage: Stage, detention_id: str) -> custody.Detention:
    request = custody.ListDetentionsRequest(suite_id=SUITE, purpose=policy.PURPOSE_ARREST)
    found = (await stage.desk.ListDetentions(request, timeout=CALL_SECONDS)).detentions
    return next(one for one in found if one.detention_id == detention_id)


async def register_says(stage: Stage, person: pb.Person) -> custody.Answer:
    deadline = time.monotonic() + PATIENCE
    while (said := await check(stage, person)).basis != custody.BASIS_REGISTER:
        expect(time.monotonic() < deadline, "the register to answer")
        await asyncio.sleep(0.2)
    return said


async def check(stage: Stage, person: pb.Person) -> custody.Answer:
    request = custody.CheckPersonRequest(person=person, suite_id=SUITE, purpose=policy.PURPOSE_ARREST)
    return (await stage.desk.CheckPerson(request, timeout=CALL_SECONDS)).answer


def shows(
    said: custody.Answer,
    outcome: screening.Outcome.ValueType,
    basis: custody.Basis.ValueType = custody.BASIS_UNSPECIFIED,
) -> None:
    """Shows the answer, and ends the demo where it is another one."""
    output.show(answer.brief(said))
    wanted = output.word(screening.Outcome, outcome)
    expect(answer.outcome(said) == outcome, f"the answer to be {wanted}")
    expect(
        basis in (said.basis, custody.BASIS_UNSPECIFIED), f"it from the {output.word(custody.Basis, basis)}"
    )


def expect(truth: bool, what: str) -> None:
    if not truth:
        raise Stop(f"the demo expected {what}")


def chapter(text: str) -> None:
    output.show(f"\n{text}", style="bold underline")


def say(text: str) -> None:
    output.show(f"  {text}")


def named(person: pb.Person) -> str:
    return f"{person.name.given_name} {person.name.family_name}"


def timestamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made
