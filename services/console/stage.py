"""The demo's stage: who takes part, what they do at the desk, how what comes of it is shown and checked."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from rich.rule import Rule

from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, output, population
from services.console.nominals import FORCE
from services.console.screen import Screen, watching
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
    request = custody.BookInRequest(
        request_id=request_id(),
        suite_id=SUITE,
        person=person,
        arrested_time=timestamp(stage.clock.now()),
        offence_codes=["burglary"],
    )
    return (await stage.desk.BookIn(request, timeout=CALL_SECONDS)).detention


async def check(stage: Stage, person: pb.Person) -> custody.Answer:
    request = custody.CheckPersonRequest(person=person, suite_id=SUITE, purpose=policy.PURPOSE_ARREST)
    return (await stage.desk.CheckPerson(request, timeout=CALL_SECONDS)).answer


def shows(
    said: custody.Answer,
    outcome: screening.Outcome.ValueType,
    basis: custody.Basis.ValueType = custody.BASIS_REGISTER,
) -> None:
    """Shows the answer, and ends the demo where it is another one."""
    output.show(answer.brief(said, now=answer.system_now()))
    wanted = output.word(screening.Outcome, outcome)
    expect(answer.outcome(said) == outcome, f"the answer to be {wanted}")
    expect(said.basis == basis, f"it to come from the {output.word(custody.Basis, basis)}")


def expect(truth: bool, what: str) -> None:
    if not truth:
        raise Stop(f"the demo expected {what}")


def chapter(text: str) -> None:
    output.show()
    output.show(Rule(text, align="left", style="dim"))


def say(text: str) -> None:
    output.show(f"  {text}")


def named(person: pb.Person) -> str:
    return f"{person.name.given_name} {person.name.family_name}"


def timestamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made
