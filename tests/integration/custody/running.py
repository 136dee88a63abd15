"""The real flagging and custody as processes, on servers of the test run, and how a test speaks to them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import TypedDict
from uuid import uuid4

import psycopg
import pytest
from google.protobuf.message import Message

from deploy.embedded.ports import HOST, free
from deploy.embedded.services import ServiceProcess
from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.runtime import channel
from services.runtime.broker import Tail
from tests import builders, processes
from tests.servers import Database, Running, Servers

SECONDS = 10
PAIR = ("flagging", "custody")
# A table of the tests: the decisions in the order in which they were stored.
JOURNAL = "stored"
ARRESTS = "ppo.custody.arrests.v1"

EVENTS = (
    events.PpoArrested,
    events.PpoArrestWithdrawn,
    events.PpoDrugTested,
    events.PpoDisposed,
    events.DetentionCounted,
)


class Patience(TypedDict):
    timeout: float
    wait_for_ready: bool


# A process that a test has started again may still be looked for where it was.
PATIENTLY: Patience = {"timeout": SECONDS, "wait_for_ready": True}
AGREED = [
    flagging.Vote(agency=flagging.AGENCY_POLICE, agrees=True),
    flagging.Vote(agency=flagging.AGENCY_PROBATION, agrees=True),
]


_SERIALS = count(1_000)


def somebody(**changes: object) -> person_pb2.Person:
    """A person whom no other test knows, by name, date of birth and PNC id."""
    serial = next(_SERIALS)
    chance = Random(serial)
    family = "".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(5)).title()
    given = "".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(3)).title()
    born = f"{chance.randrange(1950, 1985)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    return builders.person(given, family, born, **{"identifiers": [builders.pnc_id(serial)]} | changes)


def unnumbered(person: person_pb2.Person) -> person_pb2.Person:
    """The same without identifiers: what somebody without papers says."""
    return person_pb2.Person(name=person.name, birth_date=person.birth_date)


class Processes(processes.Processes):
    """Flagging and custody, and what others a test adds."""

    def __init__(
        self,
        servers: Servers,
        database: Database,
        directory: Path,
        names: Sequence[str] = PAIR,
        *,
        register_seconds: float = 0.2,
    ) -> None:
        seconds = str(register_seconds)
        super().__init__(servers, database, directory, names, PPO_CUSTODY_REGISTER_SECONDS=seconds)

    def alone(self) -> Running:
        """Custody with nothing but its own disk: nobody listens where it looks for the others."""
        nobody = f"{HOST}:{free()}"
        return self.process(
            "custody",
            PPO_CUSTODY_POSTGRES=f"postgresql://custody@{nobody}/ppo",
            PPO_CUSTODY_REDIS=f"redis://{nobody}",
            PPO_CUSTODY_KAFKA=nobody,
            PPO_CUSTODY_FLAGGING=nobody,
        )

    def another(self) -> Running:
        """One more replica of custody, with a disk of its own."""
        service = replace(self._service("custody"), port=free(), metrics=free())
        settings = self._suite.settings(service) | {
            "PPO_CUSTODY_POSTGRES": self.database.url("custody"),
            "PPO_CUSTODY_LISTEN": f"{HOST}:{service.port}",
            "PPO_CUSTODY_METRICS": f"{HOST}:{service.metrics}",
            "PPO_CUSTODY_DATA": str(self.directory / "another"),
            "PPO_CUSTODY_INSTANCE": "another",
        }
        home = self.directory / "another"
        process = ServiceProcess(service, settings, home, 0, home)
        return Running(process, lambda: f"{HOST}:{service.port}", self._loop)

    async def replicated(self, version: int) -> None:
        """Until the replica is whole at that version of the register."""
        async with asyncio.timeout(SECONDS):
            while not await self._has(version):
                await asyncio.sleep(0.1)

    async def _has(self, version: int) -> bool:
        reached = await self.metric("ppo_custody_replica_version", of="custody") >= version
        return reached and await self.metric("ppo_custody_replica_whole", of="custody") == 1


@contextmanager
def migrated(servers: Servers) -> Iterator[Database]:
    with processes.migrated(servers, *PAIR) as template:
        yield template


@contextmanager
def pair(
    servers: Servers, template: Database, directory: Path, *, register_seconds: float = 0.2
) -> Iterator[Processes]:
    """A busy machine may need more than the 0.2 seconds that an officer waits for the register."""
    with servers.database(template) as database:
        made = Processes(servers, database, directory, register_seconds=register_seconds)
        with processes.running(made):
            yield made


@dataclass
class Desk:
    """What the people of a suite and of the register do, each with a token of their own."""

    processes: Processes
    suite_id: str
    stack: AsyncExitStack
    stubs: dict[str, CustodyServiceStub] = field(default_factory=dict)
    registers: dict[str, FlaggingServiceStub] = field(default_factory=dict)

    async def custody(self, role: str = "custody_officer", organisation: str = "") -> CustodyServiceStub:
        organisation = organisation or self.suite_id
        name = f"{role}/{organisation}"
        if name not in self.stubs:
            token = self.processes.token(role, organisation)
            wire = channel.connect(self.processes.custody.address, lambda: token)
            self.stubs[name] = CustodyServiceStub(await self.stack.enter_async_context(wire))
        return self.stubs[name]

    async def register(self, role: str = "register_keeper") -> FlaggingServiceStub:
        if role not in self.registers:
            token = self.processes.token(role, "D1")
            wire = channel.connect(self.processes.flagging.address, lambda: token)
            self.registers[role] = FlaggingServiceStub(await self.stack.enter_async_context(wire))
        return self.registers[role]

    # ---- the register

    async def nominal(self, person: person_pb2.Person) -> str:
        """Loads the person, who has an identifier, into the nominal index."""
        row = flagging.ImportNominalsRequest(
            request_id=str(uuid4()), source=str(uuid4()), source_reference="1", line=1, person=person
        )
        report = (await (await self.register("importer")).ImportNominals(iter([row]), **PATIENTLY)).report
        assert report.created == 1, report
        request = flagging.GetNominalRequest(
            identifier=person.identifiers[0], purpose=policy_pb2.PURPOSE_REGISTER
        )
        return (await (await self.register()).GetNominal(request, **PATIENTLY)).nominal.nominal_id

    async def flag(
        self,
        nominal_id: str,
        ocu: str = "D3",
        strand: screening_pb2.Strand.ValueType = screening_pb2.STRAND_CATCH_AND_CONVICT,
    ) -> flagging.Registration:
        keeper = await self.register()
        nominated = await keeper.NominatePpo(
            flagging.NominatePpoRequest(
                request_id=str(uuid4()),
                nominal_id=nominal_id,
                strand=strand,
                criteria=[flagging.CRITERION_VOLUME],
                nominating_ocu=ocu,
            ),
            **PATIENTLY,
        )
        decided = await keeper.DecideNomination(
            flagging.DecideNominationRequest(
                request_id=str(uuid4()),
                registration_id=nominated.registration.registration_id,
                decision=flagging.NOMINATION_DECISION_ACTIVATE,
                forum_id="forum-d1",
                votes=AGREED,
            ),
            **PATIENTLY,
        )
        return decided.registration

    async def flagged(self, person: person_pb2.Person, ocu: str = "D3") -> str:
        nominal_id = await self.nominal(person)
        await self.flag(nominal_id, ocu)
        return nominal_id

    async def annul(self, registration: flagging.Registration) -> None:
        request = flagging.AnnulRegistrationRequest(
            request_id=str(uuid4()), registration_id=registration.registration_id, reason="another person"
        )
        await (await self.register()).AnnulRegistration(request, **PATIENTLY)

    async def registration(self, nominal_id: str) -> flagging.Registration:
        request = flagging.GetRegistrationRequest(nominal_id=nominal_id, purpose=policy_pb2.PURPOSE_REGISTER)
        return (await (await self.register()).GetRegistration(request, **PATIENTLY)).registration

    async def plan_exit(self, registration: flagging.Registration) -> None:
        plan = flagging.ExitPlan(
            drug_route=flagging.DRUG_ROUTE_NONE, mainstream_information=True, summary="no threat any more"
        )
        request = flagging.PlanExitRequest(
            request_id=str(uuid4()), registration_id=registration.registration_id, plan=plan
        )
        await (await self.register()).PlanExit(request, **PATIENTLY)

    async def remove(self, registration: flagging.Registration) -> None:
        request = flagging.RemovePpoRequest(
            request_id=str(uuid4()),
            registration_id=registration.registration_id,
            reason=flagging.REMOVAL_REASON_NO_LONGER_A_THREAT,
            forum_id="forum-d1",
            votes=AGREED,
        )
        await (await self.register()).RemovePpo(request, **PATIENTLY)

    async def merge(self, nominal_id: str, into: str) -> None:
        request = flagging.MergeNominalsRequest(
            request_id=str(uuid4()), nominal_id=nominal_id, into_nominal_id=into, reason="one fingerprint"
        )
        await (await self.register()).MergeNominals(request, **PATIENTLY)

    async def unmerge(self, nominal_id: str) -> None:
        request = flagging.UnmergeNominalsRequest(
            request_id=str(uuid4()), nominal_id=nominal_id, reason="two fingerprints"
        )
        await (await self.register()).UnmergeNominals(request, **PATIENTLY)

    # ---- the suite

    def checking(self, person: person_pb2.Person, offence_codes: Sequence[str] = ()) -> pb.CheckPersonRequest:
        purpose = policy_pb2.PURPOSE_ARREST
        return pb.CheckPersonRequest(
            person=person, suite_id=self.suite_id, purpose=purpose, offence_codes=offence_codes
        )

    async def check(self, person: person_pb2.Person, offence_codes: Sequence[str] = ()) -> pb.Answer:
        custody = await self.custody()
        return (await custody.CheckPerson(self.checking(person, offence_codes), **PATIENTLY)).answer

    async def ask(self, person: person_pb2.Person) -> pb.Answer:
        """What the register itself says, however busy the machine is."""
        async with asyncio.timeout(SECONDS):
            while (answer := await self.check(person)).basis != pb.BASIS_REGISTER:
                pass
        return answer

    async def replicated(self, person: person_pb2.Person) -> None:
        """Until the replica knows of the person what the register knows now."""
        await self.processes.replicated((await self.ask(person)).screening.register_version)

    def booking(self, person: person_pb2.Person, **changes: object) -> pb.BookInRequest:
        request = pb.BookInRequest(
            request_id=str(uuid4()), suite_id=self.suite_id, person=person, offence_codes=["burglary"]
        )
        request.arrested_time.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
        for name, value in changes.items():
            setattr(request, name, value)
        return request

    async def book(self, person: person_pb2.Person, **changes: object) -> pb.Detention:
        request = self.booking(person, **changes)
        return (await (await self.custody()).BookIn(request, **PATIENTLY)).detention

    async def rule(
        self,
        detention: pb.Detention,
        nominal_id: str,
        verdict: pb.MatchVerdict.ValueType,
        reason: str = "",
        *,
        basis: screening_pb2.IdentityBasis.ValueType = screening_pb2.IDENTITY_BASIS_FINGERPRINT,
    ) -> pb.Detention:
        request = pb.ConfirmMatchRequest(
            request_id=str(uuid4()),
            detention_id=detention.detention_id,
            nominal_id=nominal_id,
            verdict=verdict,
            identity_basis=basis,
            reason=reason,
        )
        return (await (await self.custody()).ConfirmMatch(request, **PATIENTLY)).detention

    async def identify(
        self, detention: pb.Detention, *identifiers: person_pb2.Identifier, fingerprint: bool = True
    ) -> pb.Detention:
        request = pb.IdentifyDetaineeRequest(
            request_id=str(uuid4()),
            detention_id=detention.detention_id,
            identifiers=identifiers,
            fingerprint=fingerprint,
        )
        return (await (await self.custody()).IdentifyDetainee(request, **PATIENTLY)).detention

    async def test(
        self,
        detention: pb.Detention,
        result: pb.TestResult.ValueType = pb.TEST_RESULT_POSITIVE,
        reason: str = "",
    ) -> pb.DrugTest:
        positive = result == pb.TEST_RESULT_POSITIVE
        request = pb.RecordDrugTestRequest(
            request_id=str(uuid4()),
            detention_id=detention.detention_id,
            result=result,
            drug=pb.DRUG_HEROIN if positive else pb.DRUG_UNSPECIFIED,
            reason=reason,
        )
        request.tested_time.FromDatetime(datetime.now(UTC))
        return (await (await self.custody()).RecordDrugTest(request, **PATIENTLY)).drug_test

    async def dispose(self, detention: pb.Detention) -> pb.Detention:
        request = pb.RecordDisposalRequest(
            request_id=str(uuid4()),
            detention_id=detention.detention_id,
            disposal=pb.DISPOSAL_BAILED,
        )
        request.disposed_time.FromDatetime(datetime.now(UTC))
        return (await (await self.custody()).RecordDisposal(request, **PATIENTLY)).detention

    async def listed(self, organisation: str = "") -> list[pb.Detention]:
        """Who is in the suite, as an officer of that organisation sees it."""
        custody = await self.custody(organisation=organisation)
        request = pb.ListDetentionsRequest(suite_id=self.suite_id, purpose=policy_pb2.PURPOSE_ARREST)
        return list((await custody.ListDetentions(request, **PATIENTLY)).detentions)

    async def quiet(self) -> None:
        """Until the looks that follow every booking are over: what comes then has another cause."""
        with psycopg.connect(self.processes.database.url("custody"), autocommit=True) as session:
            async with asyncio.timeout(SECONDS):
                while session.execute("SELECT 1 FROM due WHERE kind <> 'prune'").fetchone():
                    await asyncio.sleep(0.05)

    async def open(self) -> list[str]:
        return [each.detention_id for each in await self.listed()]

    async def referrals(
        self, role: str, organisation: str, route: pb.ReferralRoute.ValueType
    ) -> list[pb.Referral]:
        request = pb.ListReferralsRequest(route=route, purpose=policy_pb2.PURPOSE_ARREST)
        return list(
            (await (await self.custody(role, organisation)).ListReferrals(request, **PATIENTLY)).referrals
        )

    async def watch(self, after: int = 0) -> AsyncIterator[pb.WatchSuiteResponse]:
        request = pb.WatchSuiteRequest(
            suite_id=self.suite_id, after_number=after, purpose=policy_pb2.PURPOSE_ARREST
        )
        stream = (await self.custody()).WatchSuite(request, timeout=60)
        return aiter(stream)

    async def watch_from_now(self) -> AsyncIterator[pb.WatchSuiteResponse]:
        """From the booking on that this makes: other tests may have used the suite."""
        stranger = await self.book(person_pb2.Person())
        stream = await self.watch()
        async with asyncio.timeout(SECONDS):
            while (await anext(stream)).detention.detention_id != stranger.detention_id:
                pass
        return stream


@asynccontextmanager
async def refused(code: str, field: str = "") -> AsyncIterator[None]:
    """The call within is refused with that status code, and for that field where one is named."""
    with pytest.raises(channel.CallError) as refusal:
        yield
    assert refusal.value.code().name == code
    assert not field or [name for name, _ in channel.violations(refusal.value)] == [field]


def outcome(answer: pb.Answer) -> str:
    return screening_pb2.Outcome.Name(answer.screening.outcome).removeprefix("OUTCOME_")


async def told(desk: Desk, detention: pb.Detention, *kinds: type[Message]) -> list[Message]:
    """What other services are told of a custody record, until all of `kinds` have been."""
    names = {kind.DESCRIPTOR.full_name: kind for kind in EVENTS}
    found: list[Message] = []
    tail = Tail(desk.processes.kafka, mock=False, topic=ARRESTS)
    await tail.start({})
    try:
        deadline = time.monotonic() + SECONDS
        while not {*kinds} <= {type(each) for each in found}:
            assert time.monotonic() < deadline, [type(each).__name__ for each in found]
            for record in await tail.poll():
                event = names[record.headers["ce_type"]].FromString(record.value or b"")
                if event.detention_id == detention.detention_id:
                    found.append(event)
    finally:
        await tail.close()
    return found


async def until(stream: AsyncIterator[pb.WatchSuiteResponse], kind: str) -> pb.WatchSuiteResponse:
    """The next event of that kind."""
    async with asyncio.timeout(SECONDS):
        while True:
            event = await anext(stream)
            if pb.SuiteEventKind.Name(event.kind) == f"SUITE_EVENT_KIND_{kind}":
                return event


@asynccontextmanager
async def desk(processes: Processes, suite_id: str) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        yield Desk(processes, suite_id, stack)
