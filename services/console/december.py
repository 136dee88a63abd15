"""The drug tests of December 2004: made up to give the published figures, and made at the suites' desks."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.person.v1 import person_pb2 as pb
from services.console import output, population
from services.console.session import CALL_SECONDS, Session, request_id
from services.runtime.reference import LONDON

# Published: 408 tests in Birmingham, 13 of PPOs, 9 of these positive.
# The demo's evening has one of either kind.
TESTS, PPOS, POSITIVE = 408, 13, 9
OF_THE_EVENING = 2
# Made up: how many in a hundred of the others test positive.
OTHERS_POSITIVE = 32
SUITES = ("D1", "D2", "D3", "D3-2", "E1", "E2", "E3", "E3-2", "F1", "F2", "F3")
OFFENCES = (
    "theft",
    "burglary",
    "robbery",
    "taking-vehicle",
    "handling",
    "going-equipped",
    "possession-class-a",
)
DRUGS = (custody.DRUG_HEROIN, custody.DRUG_COCAINE, custody.DRUG_HEROIN_AND_COCAINE)
DISPOSALS = (custody.DISPOSAL_CHARGED_AND_BAILED, custody.DISPOSAL_BAILED, custody.DISPOSAL_NO_FURTHER_ACTION)
LIVES_IN, OFFENDED_IN = "E3", "D3"
PRISONERS = 4
# More at a time would not be quicker on two processors, and the register would be late with its answers.
AT_A_TIME = 6

FIRST = datetime(2004, 12, 1, tzinfo=LONDON)


class Visit(NamedTuple):
    """Somebody's way through a suite."""

    suite: str
    identifier: pb.Identifier
    offence: str
    arrested: datetime
    tested: datetime
    disposed: datetime
    disposal: custody.Disposal.ValueType
    # Unspecified for a negative test.
    drug: custody.Drug.ValueType


class People(NamedTuple):
    """PPOs of the running register to whom something happens in December."""

    # Each has a prison number.
    prisoners: Sequence[pb.Person]
    # Lives in one OCU and is arrested in another.
    between: pb.Person
    tested: Sequence[pb.Person]


def people(seed: int = population.SEED) -> People:
    regulars = population.regulars(seed)
    prisoners = [ppo.person for ppo in regulars if len(ppo.person.identifiers) == 3][:PRISONERS]
    free = [ppo for ppo in regulars if ppo.person not in prisoners]
    between = next(ppo.person for ppo in free if ppo.profile["ocu"] == LIVES_IN)
    others = [ppo.person for ppo in free if ppo.person != between]
    return People(prisoners, between, Random(f"tested {seed}").sample(others, PPOS - 2))


def visits(seed: int = population.SEED) -> list[Visit]:
    """Those before the demo's evening: the same for the same seed."""
    rng, cast = Random(f"tests {seed}"), people(seed)
    ppos = [_visit(rng, cast.between, positive=True)._replace(suite=OFFENDED_IN)]
    ppos += [_visit(rng, one, positive=place < POSITIVE - 2) for place, one in enumerate(cast.tested)]
    others = rng.sample(_others(seed), TESTS - OF_THE_EVENING - len(ppos))
    found = [_visit(rng, one, positive=rng.randrange(100) < OTHERS_POSITIVE) for one in others]
    return sorted([*ppos, *found], key=lambda visit: visit.arrested)


def _others(seed: int) -> list[pb.Person]:
    """People with a PNC id who are not on the list and not of the cast."""
    listed = {row.identifier.value for row in population.month(seed)}
    listed.add(population.cast().stranger.identifiers[0].value)
    nominals = (row.person for row in population.nominals(seed=seed))
    return [one for one in nominals if (number := _pnc(one)) and number.value not in listed]


def _pnc(person: pb.Person) -> pb.Identifier | None:
    numbers = (one for one in person.identifiers if one.kind == pb.IDENTIFIER_KIND_PNC_ID)
    return next(numbers, None)


def _visit(rng: Random, person: pb.Person, *, positive: bool) -> Visit:
    arrested = FIRST + timedelta(minutes=rng.randrange(30 * 24 * 60))
    tested = arrested + timedelta(minutes=rng.randint(40, 200))
    number = _pnc(person)
    assert number is not None
    return Visit(
        suite=rng.choice(SUITES),
        identifier=number,
        offence=rng.choice(OFFENCES),
        arrested=arrested,
        tested=tested,
        disposed=tested + timedelta(minutes=rng.randint(60, 600)),
        disposal=rng.choice(DISPOSALS),
        drug=rng.choice(DRUGS) if positive else custody.DRUG_UNSPECIFIED,
    )


# ---- at the desks


async def carry_out(data: Path, planned: Sequence[Visit]) -> None:
    """Books in, tests and disposes of everybody, several at a time."""
    limit = asyncio.Semaphore(AT_A_TIME)
    async with AsyncExitStack() as stack:
        desks = {
            suite: await stack.enter_async_context(Session(data, "custody_officer", suite).custody())
            for suite in {visit.suite for visit in planned}
        }
        bar = stack.enter_context(output.progress())
        task = bar.add_task("At the desks", total=len(planned))

        async def one(visit: Visit) -> None:
            async with limit:
                await _through(desks, visit)
            bar.advance(task)

        async with asyncio.TaskGroup() as group:
            for visit in planned:
                group.create_task(one(visit))


async def _through(desks: Mapping[str, CustodyServiceStub], visit: Visit) -> None:
    desk = desks[visit.suite]
    booked = await desk.BookIn(_booking(visit), timeout=CALL_SECONDS)
    detention_id = booked.detention.detention_id
    await desk.RecordDrugTest(_test(visit, detention_id), timeout=CALL_SECONDS)
    disposal = custody.RecordDisposalRequest(
        request_id=request_id(),
        detention_id=detention_id,
        disposal=visit.disposal,
        disposed_time=_timestamp(visit.disposed),
    )
    await desk.RecordDisposal(disposal, timeout=CALL_SECONDS)


def _booking(visit: Visit) -> custody.BookInRequest:
    return custody.BookInRequest(
        request_id=request_id(),
        suite_id=visit.suite,
        person=pb.Person(identifiers=[visit.identifier]),
        arrested_time=_timestamp(visit.arrested),
        offence_codes=[visit.offence],
    )


def _test(visit: Visit, detention_id: str) -> custody.RecordDrugTestRequest:
    return custody.RecordDrugTestRequest(
        request_id=request_id(),
        detention_id=detention_id,
        result=custody.TEST_RESULT_POSITIVE if visit.drug else custody.TEST_RESULT_NEGATIVE,
        drug=visit.drug,
        tested_time=_timestamp(visit.tested),
    )


def _timestamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made
