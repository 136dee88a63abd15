"""Tracking and returns as processes of the test run; what others send them, and what they tell whom."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from casework.v1 import casework_pb2 as casework
from casework.v1.casework_pb2_grpc import CaseworkServiceStub
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.embedded import clock
from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2, notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceStub
from services.runtime import channel
from services.runtime.broker import Producer, Record, Tail
from tests import builders, processes
from tests.processes import Processes, running
from tests.servers import Database, Servers

SECONDS = 15
PAIR = ("returns", "tracking")
FLAGS = "ppo.flagging.flags.v1"
ARRESTS = "ppo.custody.arrests.v1"
MOVEMENTS = "ppo.tracking.movements.v1"
HMPPS = "hmpps.domain-events"
CASES = "ppo.tracking.cases.v1"
# Others than the defaults, so that a test sees that they are heeded.
SETTINGS = {"PPO_TRACKING_TRANSIT_HOURS": "20", "PPO_TRACKING_RECALL_HOURS": "48"}
# The suite of these tests lives here.
NOW = datetime(2005, 1, 3, 10, tzinfo=UTC)
REGISTERED = datetime(2004, 10, 4, 9, tzinfo=UTC)

ASN = "04/20E3/01/00000001234L"

_SERIALS = count(1000)
_VERSIONS = count(1)


@contextmanager
def migrated(servers: Servers) -> Iterator[Database]:
    with processes.migrated(servers, *PAIR) as template:
        yield template


@contextmanager
def started(servers: Servers, template: Database, directory: Path) -> Iterator[Processes]:
    clock.move(directory, NOW)
    with (
        servers.database(template) as database,
        running(Processes(servers, database, directory, PAIR, **SETTINGS)) as made,
    ):
        yield made


@dataclass
class Ppo:
    """Somebody whom no other test knows."""

    nominal_id: str = field(default_factory=lambda: str(uuid4()))
    number: str = field(default_factory=lambda: f"A{next(_SERIALS)}BC")
    ocu: str = "E3"
    registration_id: str = field(default_factory=lambda: str(uuid4()))
    strand: screening_pb2.Strand.ValueType = screening_pb2.STRAND_CATCH_AND_CONVICT
    start: datetime = REGISTERED
    end: datetime | None = None
    removed: flagging_pb2.RemovalReason.ValueType = flagging_pb2.REMOVAL_REASON_UNSPECIFIED
    born: str = "1980-03-12"
    annulled: bool = False
    numbered: bool = True

    def flag(self) -> flagging.Flag:
        numbers = [prison_number(self.number)] if self.numbered else []
        flag = flagging.Flag(
            nominal_id=self.nominal_id,
            version=next(_VERSIONS),
            state=screening_pb2.FLAG_STATE_NOT_FLAGGED if self.annulled else screening_pb2.FLAG_STATE_FLAGGED,
            person=builders.person("Wilfred", "Tadcaster", self.born, identifiers=numbers),
            recorded_time=stamp(self.start),
            epoch="one",
        )
        if not self.annulled:
            flag.episodes.append(
                flagging.Episode(
                    registration_id=self.registration_id,
                    strand=self.strand,
                    nominating_ocu=self.ocu,
                    effective_start_time=stamp(self.start),
                    effective_end_time=stamp(self.end) if self.end else None,
                    recorded_time=stamp(self.start),
                    removal_reason=self.removed,
                )
            )
        return flag


def prison_number(value: str) -> person_pb2.Identifier:
    return person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, value=value)


def stamp(moment: datetime) -> Timestamp:
    given = Timestamp()
    given.FromDatetime(moment)
    return given


def december(day: int, hour: int = 9) -> datetime:
    return datetime(2004, 12, day, hour, tzinfo=UTC)


def hmpps(name: str, number: str, at: datetime, reason: str, prison: str, code: str = "") -> dict[str, Any]:
    """As the prison systems publish it."""
    details = {"nomsNumber": number, "reason": reason, "prisonId": prison, "nomisMovementReasonCode": code}
    return {
        "eventType": f"prison-offender-events.prisoner.{name}",
        "version": 1,
        "occurredAt": at.isoformat(),
        "personReference": {"identifiers": [{"type": "NOMS", "value": number}]},
        "additionalInformation": {key: value for key, value in details.items() if value},
    }


@dataclass
class World:
    """What police, prisons and organisations do."""

    processes: Processes
    producer: Producer
    stack: AsyncExitStack
    stubs: dict[str, TrackingServiceStub] = field(default_factory=dict)

    async def send(self, topic: str, key: str, message: Message, event_id: str = "") -> None:
        headers = {
            "ce_id": event_id or str(uuid4()),
            "ce_type": message.DESCRIPTOR.full_name,
            "ce_source": "/test",
        }
        await self.raw(Record(topic, key, message.SerializeToString(), headers))

    async def raw(self, record: Record) -> None:
        assert await self.producer.send([record]) == [True]

    async def publish(self, *events: dict[str, Any]) -> None:
        for event in events:
            number = event["additionalInformation"]["nomsNumber"]
            await self.raw(Record(HMPPS, number, json.dumps(event).encode(), {}))

    async def flag(self, ppo: Ppo) -> Ppo:
        """Sends the person's flag as it is now, and waits until tracking has it."""
        flag = ppo.flag()
        await self.send(FLAGS, ppo.nominal_id, flag)
        return ppo

    async def known(self, ppo: Ppo) -> Ppo:
        await self.flag(ppo)
        await self.case(ppo, lambda case: True)
        return ppo

    async def arrest(self, ppo: Ppo, at: datetime, suite: str = "D3") -> str:
        detention = str(uuid4())
        arrested = custody.PpoArrested(
            detention_id=detention,
            nominal_id=ppo.nominal_id,
            suite_id=suite,
            arrested_time=stamp(at),
            booked_time=stamp(at),
            recorded_time=stamp(at),
            offence_codes=["burglary"],
            arrest_summons_number=ASN,
        )
        await self.send(ARRESTS, ppo.nominal_id, arrested)
        return detention

    async def test(self, ppo: Ppo, detention: str, at: datetime) -> custody.PpoDrugTested:
        tested = custody.PpoDrugTested(
            detention_id=detention,
            nominal_id=ppo.nominal_id,
            suite_id="D3",
            drug_test=custody_pb2.DrugTest(
                test_id=str(uuid4()),
                suite_id="D3",
                result=custody_pb2.TEST_RESULT_POSITIVE,
                drug=custody_pb2.DRUG_HEROIN,
                tested_time=stamp(at),
                route=custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM,
            ),
            recorded_time=stamp(at),
        )
        await self.send(ARRESTS, ppo.nominal_id, tested)
        return tested

    # ---- the service

    async def tracking(
        self, role: str = "police_offender_manager", organisation: str = "E3"
    ) -> TrackingServiceStub:
        name = f"{role}/{organisation}"
        if name not in self.stubs:
            token = self.processes.token(role, organisation)
            wire = channel.connect(self.processes.tracking.address, lambda: token)
            self.stubs[name] = TrackingServiceStub(await self.stack.enter_async_context(wire))
        return self.stubs[name]

    async def casework(
        self, organisation: str = "birmingham-housing", role: str = "housing_provider"
    ) -> CaseworkServiceStub:
        token = self.processes.token(role, organisation)
        wire = channel.connect(self.processes.tracking.address, lambda: token)
        return CaseworkServiceStub(await self.stack.enter_async_context(wire))

    async def journey(self, ppo: Ppo, **asked: Any) -> pb.Journey:
        identifier = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value=ppo.nominal_id)
        request = pb.GetJourneyRequest(
            identifier=identifier, purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT, **asked
        )
        return (await (await self.tracking()).GetJourney(request, timeout=SECONDS)).journey

    async def moved(self, ppo: Ppo, steps: int) -> pb.Journey:
        """The journey, once it has so many steps."""
        async with asyncio.timeout(SECONDS):
            while len((journey := await self.journey(ppo)).steps) < steps:
                await asyncio.sleep(0.05)
        return journey

    async def ownership(self, ppo: Ppo) -> pb.Ownership:
        identifier = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value=ppo.nominal_id)
        request = pb.ExplainOwnershipRequest(
            identifier=identifier, purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT
        )
        return (await (await self.tracking()).ExplainOwnership(request, timeout=SECONDS)).ownership

    async def lives(
        self, ppo: Ppo, ocu: str, kind: pb.ResidenceKind.ValueType = pb.RESIDENCE_KIND_HOME
    ) -> pb.Case:
        request = pb.SetResidenceRequest(
            request_id=str(uuid4()),
            nominal_id=ppo.nominal_id,
            kind=kind,
            ocu=ocu,
            effective_time=stamp(REGISTERED - timedelta(days=30)),
        )
        return (await (await self.tracking()).SetResidence(request, timeout=SECONDS)).case

    # ---- what is told

    async def records(
        self, topic: str, many: int, *, key: str = "", of: Callable[[Record], bool] = lambda record: True
    ) -> list[Record]:
        """The records under a key of which this holds, once there are so many."""
        found: list[Record] = []
        tail = Tail(self.processes.kafka, mock=False, topic=topic)
        await tail.start({})
        try:
            async with asyncio.timeout(SECONDS):
                while len(found) < many:
                    found += [one for one in await tail.poll() if (not key or one.key == key) and of(one)]
        finally:
            await tail.close()
        return found

    def case_reference(self, ppo: Ppo) -> str:
        """What providers know the person by, which stands nowhere but in tracking's own table."""
        with psycopg.connect(self.processes.database.superuser) as connection:
            asked = "SELECT case_reference FROM tracking.person WHERE nominal_id = %s"
            [(reference,)] = connection.execute(asked, (ppo.nominal_id,)).fetchall()
        return str(reference)

    async def notices(
        self, organisation: str, ppo: Ppo, many: int, *kinds: pb.NoticeType.ValueType
    ) -> list[notice_pb2.Notice]:
        """Of these kinds alone, where some are given; else of all that something that happened has caused."""
        topic = f"ppo.notices.{organisation}.v1"

        def asked(record: Record) -> bool:
            kind = notice_pb2.Notice.FromString(record.value or b"").type
            return kind in kinds if kinds else kind != pb.NOTICE_TYPE_NOT_ACKNOWLEDGED

        records = await self.records(topic, many, key=ppo.nominal_id, of=asked)
        return [notice_pb2.Notice.FromString(one.value or b"") for one in records]

    async def case(self, ppo: Ppo, holds: Any) -> pb.Case:
        """The first published case of the person of which this holds."""
        tail = Tail(self.processes.kafka, mock=False, topic=CASES)
        await tail.start({})
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    for one in await tail.poll():
                        case = pb.Case.FromString(one.value or b"")
                        if one.key == ppo.nominal_id and holds(case):
                            return case
        finally:
            await tail.close()

    async def dead(self, topic: str, key: str) -> Record:
        return (await self.records(f"{topic}.dead", 1, key=key))[0]


def casework_notice(record: Record) -> casework.CaseNotice:
    return casework.CaseNotice.FromString(record.value or b"")


def movement(
    ppo: Ppo, kind: movement_pb2.MovementKind.ValueType, at: datetime, **told: Any
) -> movement_pb2.Movement:
    return movement_pb2.Movement(
        movement_id=str(uuid4()),
        prison_number=ppo.number,
        kind=kind,
        occurred_time=stamp(at),
        source="topic",
        **told,
    )


async def world(processes: Processes) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        producer = Producer(processes.kafka, mock=False)
        try:
            yield World(processes, producer, stack)
        finally:
            await producer.close()
