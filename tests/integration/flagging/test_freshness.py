"""A flag committed before a check begins is seen by it at every replica, with many writers, without Redis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
import pytest_asyncio

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging.models import SCHEMA
from services.runtime import channel
from services.runtime.identity import Caller, issue
from tests import builders, servers
from tests.integration.flagging.service import PLAN, PRIVATE, decision, nomination, removal
from tests.integration.flagging.test_process import running, settings, until_serving

SECONDS = 20
WRITERS = 8
PERSONS = 600


@dataclass
class Replica:
    """One process of the register, as those who use it reach it."""

    keeper: FlaggingServiceStub
    custody: FlaggingServiceStub
    importer: FlaggingServiceStub

    async def nominal(self, serial: int) -> str:
        request = pb.GetNominalRequest(
            identifier=builders.pnc_id(serial), purpose=policy_pb2.PURPOSE_REGISTER
        )
        return (await self.keeper.GetNominal(request, timeout=SECONDS)).nominal.nominal_id

    async def outcome(self, serial: int) -> str:
        person = person_pb2.Person(identifiers=[builders.pnc_id(serial)])
        request = pb.ScreenPersonRequest(person=person, purpose=policy_pb2.PURPOSE_ARREST)
        answer = await self.custody.ScreenPerson(request, timeout=SECONDS)
        return screening_pb2.Outcome.Name(answer.screening.outcome).removeprefix("OUTCOME_")

    async def flag(self, nominal_id: str) -> pb.Registration:
        nominated = await self.keeper.NominatePpo(nomination(nominal_id), timeout=SECONDS)
        decided = decision(nominated.registration)
        return (await self.keeper.DecideNomination(decided, timeout=SECONDS)).registration

    async def annul(self, registration: pb.Registration) -> None:
        request = pb.AnnulRegistrationRequest(
            request_id=str(uuid4()), registration_id=registration.registration_id, reason="mistaken identity"
        )
        await self.keeper.AnnulRegistration(request, timeout=SECONDS)

    async def remove(self, registration: pb.Registration) -> None:
        request = pb.PlanExitRequest(
            request_id=str(uuid4()), registration_id=registration.registration_id, plan=PLAN
        )
        await self.keeper.PlanExit(request, timeout=SECONDS)
        await self.keeper.RemovePpo(removal(registration), timeout=SECONDS)


async def stub(stack: AsyncExitStack, address: str, role: str) -> FlaggingServiceStub:
    token = issue(PRIVATE, Caller(f"{role}-1", role, "D1", datetime.now(UTC) + timedelta(hours=1)))
    return FlaggingServiceStub(await stack.enter_async_context(channel.connect(address, lambda: token)))


async def replica(stack: AsyncExitStack, postgres: str, home: Path) -> Replica:
    # Neither Redis nor Kafka is there.
    environment = settings(postgres, home)
    stack.enter_context(running(environment))
    address = environment["PPO_FLAGGING_LISTEN"]
    await until_serving(address)
    roles = ("register_keeper", "service_custody", "importer")
    return Replica(*[await stub(stack, address, role) for role in roles])


@pytest_asyncio.fixture
async def replicas(own: servers.Database, tmp_path: Path) -> AsyncIterator[Sequence[Replica]]:
    async with AsyncExitStack() as stack:
        yield [await replica(stack, own.url(SCHEMA), tmp_path) for _ in range(2)]


def somebody(serial: int) -> person_pb2.Person:
    """Under one name and date of birth they might all be one person's records."""
    given, family = ("".join(Random(f"{serial}{role}").sample("abcdefghiklmnoprstuvwy", 8)) for role in "gf")
    born = f"{1950 + serial % 37}-{serial % 12 + 1:02d}-{serial % 28 + 1:02d}"
    return builders.person(given, family, born, identifiers=[builders.pnc_id(serial)])


async def load(replica: Replica, persons: int) -> list[str]:
    """Nominal ids of persons with the serials from 1 on."""
    rows = [
        pb.ImportNominalsRequest(
            request_id="load",
            source="pnc",
            source_reference=str(serial),
            person=somebody(serial),
        )
        for serial in range(1, persons + 1)
    ]
    report = (await replica.importer.ImportNominals(iter(rows), timeout=60)).report
    assert report.created == persons
    return [await replica.nominal(serial) for serial in range(1, persons + 1)]


@pytest.mark.timeout(300)
async def test_no_check_misses_a_change_that_was_committed_before_it_began(
    replicas: Sequence[Replica],
) -> None:
    nominals = dict(enumerate(await load(replicas[0], PERSONS), start=1))
    missed: list[str] = []
    chance = Random(5)

    async def seen(serial: int, expected: str) -> None:
        answers = await asyncio.gather(*(each.outcome(serial) for each in replicas))
        missed.extend(f"{serial}: {answer}, not {expected}" for answer in answers if answer != expected)

    async def write() -> None:
        while nominals:
            serial, nominal_id = nominals.popitem()
            writer = chance.choice(replicas)
            registration = await writer.flag(nominal_id)
            await seen(serial, "FLAGGED")
            await chance.choice((writer.annul, writer.remove))(registration)
            await seen(serial, "NOT_FLAGGED")

    await asyncio.gather(*(write() for _ in range(WRITERS)))

    assert missed == []
