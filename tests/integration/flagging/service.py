"""The flagging service as a test drives it: in this process, through its gate, on a database of its own."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub, add_FlaggingServiceServicer_to_server
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging.__main__ import SERVICE
from services.flagging.api import Flagging
from services.flagging.fields import stamp
from services.flagging.imports.checking import Checker
from services.flagging.index import People
from services.flagging.models import SCHEMA
from services.flagging.screening import Screening
from services.runtime import channel
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.identity import Caller, Verifier, issue
from services.runtime.reference import Reference
from services.runtime.rpc import Gate
from services.runtime.server import Server
from services.runtime.settings import Address

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BIRMINGHAM = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
FORUM = "forum-d1"
ALL_AGREE = [pb.Vote(agency=pb.AGENCY_POLICE, agrees=True), pb.Vote(agency=pb.AGENCY_PROBATION, agrees=True)]
PLAN = pb.ExitPlan(
    drug_route=pb.DRUG_ROUTE_DIP_TEAM, mainstream_information=True, summary="no threat any more"
)

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Still(Clock):
    """Domain time stands where the test puts it; the system's runs, `ahead` of the real one."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.at

    def system(self) -> datetime:
        return super().system() + self.ahead


@dataclass
class Service:
    database: Database
    clock: Still
    screening: Screening
    people: People
    stack: AsyncExitStack
    port: int
    stubs: dict[tuple[str, str], FlaggingServiceStub] = field(default_factory=dict)

    @classmethod
    async def start(cls, url: str, stack: AsyncExitStack, clock: Still | None = None) -> "Service":
        database, clock = Database(url, SCHEMA), clock or Still(NOON)
        stack.push_async_callback(database.close)
        screening, people = Screening(database, clock, 0.01), People(database)
        gate = Gate(Verifier(PUBLIC), [SERVICE])
        server = Server(Address("127.0.0.1", 0), gate, [SERVICE], {}, frozenset())
        checker = Checker()
        stack.callback(checker.close)
        servicer = Flagging(database, clock, Reference.load(BIRMINGHAM), screening, people, checker)
        add_FlaggingServiceServicer_to_server(servicer, server.grpc)
        await server.start(None)
        stack.push_async_callback(server.stop)
        return cls(database, clock, screening, people, stack, server.port)

    async def stub(self, role: str, organisation: str = "D1") -> FlaggingServiceStub:
        if (role, organisation) not in self.stubs:
            expires = datetime.now(UTC) + timedelta(hours=1)
            token = issue(PRIVATE, Caller(f"{role}-1", role, organisation, expires))
            wire = channel.connect(f"127.0.0.1:{self.port}", lambda: token)
            stub = FlaggingServiceStub(await self.stack.enter_async_context(wire))
            self.stubs[role, organisation] = stub
        return self.stubs[role, organisation]

    # ---- nominals

    async def load(self, *persons: person_pb2.Person, source: str = "pnc") -> pb.ImportReport:
        """Nominals n1, n2 and so on of `source`."""
        request_id = str(uuid4())
        rows = [
            pb.ImportNominalsRequest(
                request_id=request_id, source=source, source_reference=f"n{place}", person=person
            )
            for place, person in enumerate(persons, start=1)
        ]
        return await self.load_rows(*rows)

    async def load_rows(self, *rows: pb.ImportNominalsRequest) -> pb.ImportReport:
        importer = await self.stub("importer")
        return (await importer.ImportNominals(iter(rows), timeout=60)).report

    async def nominal(self, person: person_pb2.Person) -> str:
        """Loads the person, who has an identifier, and returns the nominal id."""
        report = await self.load(person, source=str(uuid4()))
        assert report.created == 1, report
        return (await self.read(person.identifiers[0])).nominal_id

    async def read(self, identifier: person_pb2.Identifier) -> pb.Nominal:
        request = pb.GetNominalRequest(identifier=identifier, purpose=policy_pb2.PURPOSE_REGISTER)
        return (await (await self.stub("register_keeper")).GetNominal(request, timeout=5)).nominal

    # ---- the register

    async def nominate(self, nominal_id: str, **changes: Any) -> pb.Registration:
        keeper = await self.stub("register_keeper")
        return (await keeper.NominatePpo(nomination(nominal_id, **changes), timeout=5)).registration

    async def decide(self, registration: pb.Registration, **changes: Any) -> pb.Registration:
        keeper = await self.stub("register_keeper")
        return (await keeper.DecideNomination(decision(registration, **changes), timeout=5)).registration

    async def active(self, nominal_id: str, **changes: Any) -> pb.Registration:
        return await self.decide(await self.nominate(nominal_id, **changes))

    async def latest(self, nominal_id: str) -> pb.Registration:
        keeper = await self.stub("register_keeper")
        request = pb.GetRegistrationRequest(nominal_id=nominal_id, purpose=policy_pb2.PURPOSE_REGISTER)
        return (await keeper.GetRegistration(request, timeout=5)).registration

    async def plan_exit(self, registration: pb.Registration) -> pb.Registration:
        request = pb.PlanExitRequest(
            request_id=str(uuid4()), registration_id=registration.registration_id, plan=PLAN
        )
        return (await (await self.stub("register_keeper")).PlanExit(request, timeout=5)).registration

    async def remove(self, registration: pb.Registration, **changes: Any) -> pb.Registration:
        keeper = await self.stub("register_keeper")
        return (await keeper.RemovePpo(removal(registration, **changes), timeout=5)).registration

    async def ending(self, person: person_pb2.Person, end: datetime) -> pb.Registration:
        """A PPO, known by an identifier, whose removal lies ahead."""
        nominal = await self.read(person.identifiers[0])
        planned = await self.plan_exit(await self.active(nominal.nominal_id))
        return await self.remove(planned, effective_time=stamp(end))

    async def annul(self, registration: pb.Registration) -> pb.Registration:
        request = pb.AnnulRegistrationRequest(
            request_id=str(uuid4()), registration_id=registration.registration_id, reason="mistaken identity"
        )
        return (await (await self.stub("register_keeper")).AnnulRegistration(request, timeout=5)).registration

    # ---- merges

    async def merge(self, nominal_id: str, into: str) -> pb.MergeNominalsResponse:
        request = pb.MergeNominalsRequest(
            request_id=str(uuid4()), nominal_id=nominal_id, into_nominal_id=into, reason="one fingerprint"
        )
        return await (await self.stub("register_keeper")).MergeNominals(request, timeout=5)

    async def unmerge(self, nominal_id: str) -> pb.UnmergeNominalsResponse:
        request = pb.UnmergeNominalsRequest(
            request_id=str(uuid4()), nominal_id=nominal_id, reason="two fingerprints"
        )
        return await (await self.stub("register_keeper")).UnmergeNominals(request, timeout=5)

    # ---- the check

    async def screen(self, person: person_pb2.Person) -> screening_pb2.Screening:
        request = pb.ScreenPersonRequest(person=person, purpose=policy_pb2.PURPOSE_ARREST)
        return (await (await self.stub("service_custody")).ScreenPerson(request, timeout=5)).screening

    async def outcome(self, person: person_pb2.Person) -> str:
        return screening_pb2.Outcome.Name((await self.screen(person)).outcome).removeprefix("OUTCOME_")


def nomination(person: str, /, **changes: Any) -> pb.NominatePpoRequest:
    request: dict[str, Any] = {
        "request_id": str(uuid4()),
        "nominal_id": person,
        "strand": screening_pb2.STRAND_CATCH_AND_CONVICT,
        "criteria": [pb.CRITERION_VOLUME],
        "nominating_ocu": "D1",
    }
    return pb.NominatePpoRequest(**(request | changes))


def decision(registration: pb.Registration, **changes: Any) -> pb.DecideNominationRequest:
    request: dict[str, Any] = {
        "request_id": str(uuid4()),
        "registration_id": registration.registration_id,
        "decision": pb.NOMINATION_DECISION_ACTIVATE,
        "forum_id": FORUM,
        "votes": ALL_AGREE,
    }
    return pb.DecideNominationRequest(**(request | changes))


def removal(registration: pb.Registration, **changes: Any) -> pb.RemovePpoRequest:
    request: dict[str, Any] = {
        "request_id": str(uuid4()),
        "registration_id": registration.registration_id,
        "reason": pb.REMOVAL_REASON_NO_LONGER_A_THREAT,
        "forum_id": FORUM,
        "votes": ALL_AGREE,
    }
    return pb.RemovePpoRequest(**(request | changes))


async def refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value
