"""Wires the service together: `python -m services.tracking` serves, with `migrate` it migrates its schema."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from casework.v1 import casework_pb2
from casework.v1.casework_pb2_grpc import add_CaseworkServiceServicer_to_server
from sqlalchemy.exc import OperationalError

from ppo.tracking.v1 import tracking_pb2
from ppo.tracking.v1.tracking_pb2_grpc import add_TrackingServiceServicer_to_server
from services.prisons import reasons
from services.runtime import channel, migrations, process, settings, telemetry
from services.runtime.broker import Cluster, Producer, Subscription, Tail
from services.runtime.cache import Bell
from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.due import Runner
from services.runtime.errors import Unavailable
from services.runtime.identity import TokenFile, Verifier
from services.runtime.reference import Reference
from services.runtime.relay import Relay
from services.runtime.rpc import Gate
from services.runtime.server import Server, credentials
from services.tracking import forums
from services.tracking.addresses import AREAS
from services.tracking.api import Tracking
from services.tracking.casebook import OVERDUE
from services.tracking.casework import Casework
from services.tracking.escalating import Escalation
from services.tracking.evidence import Limits
from services.tracking.gauges import Gauges
from services.tracking.inbox import ARRESTS, FLAGS, Inbox
from services.tracking.letters import Letters
from services.tracking.loading import Loading
from services.tracking.models import SCHEMA, due, inbox, outbox
from services.tracking.months import Months
from services.tracking.reforming import REFORM, Reforming
from services.tracking.replay import Replay
from services.tracking.reviews import Reviews
from services.tracking.settle import CASES, SETTLE, Settler
from services.tracking.store import notices
from services.tracking.take import LAPSE, MOVEMENTS, Taking
from services.tracking.telling import Teller
from services.tracking.watch import Board

SERVICE = tracking_pb2.DESCRIPTOR.services_by_name["TrackingService"]
PROVIDERS_SERVICE = casework_pb2.DESCRIPTOR.services_by_name["CaseworkService"]
MIGRATIONS = Path(__file__).parent / "migrations"
HEARD = (FLAGS, ARRESTS, MOVEMENTS)
PRISONS = ("prisons", *reasons.TABLES)
PLACES = ("outside_areas", "primary_care_trusts", "ldgs")
FORUMS = ("forums", "core_priority_groups")
POLICE = ("areas", "ocus", "suites", "youth_offending_teams", "probation_offices", "drug_teams")
# Who can be rung.
CONTACTS = ("duty_contacts", "control_rooms", "police_leads", "probation_leads")
WORKERS = ("arrest_referral_teams", "carat_teams", "trigger_offences")
PROVIDERS = ("housing_providers", "training_providers", "referral_desks")
COURTS = ("courts",)
RETURNS = ("return_tools",)


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    returns: str
    returns_ca: Path | None = None
    token: Path
    # The topic on which prison systems publish.
    hmpps: str = "hmpps.domain-events"
    # The information-sharing protocol that notices are disclosed under.
    protocol: str = "2004-1"
    # How long a notice is provisional: until then a suite or a prison may take back what it has entered.
    hold_minutes: float = 45
    # How long somebody may be on the way from prison to prison before somebody must look.
    transit_hours: float = 24
    # How long after a recall was requested it must have been executed.
    recall_hours: float = 72
    # How long after one has been told that a notice is overdue the next one up is.
    escalation_hours: float = 24


async def main() -> None:
    config = settings.load(Settings, "PPO_TRACKING_", os.environ)
    if sys.argv[1:] == ["migrate"]:
        await asyncio.to_thread(migrations.upgrade, config.postgres, SCHEMA, MIGRATIONS)
    elif sys.argv[1:]:
        raise settings.SettingsError("usage: python -m services.tracking [migrate]")
    else:
        await serve(config)


class Clients:
    """Everything outside this process that it speaks to."""

    def __init__(self, config: Settings) -> None:
        kafka, mock = self._kafka, self._mock = config.kafka, config.kafka_mock
        self.database = Database(config.postgres, SCHEMA)
        self.bell = Bell(config.redis, SCHEMA)
        self.cluster = Cluster(kafka, mock)
        self.producer = Producer(kafka, mock)
        self.heard = Subscription(
            kafka, mock, group=SCHEMA, instance=config.instance, topics=[*HEARD, config.hmpps]
        )
        self.returns = channel.connect(config.returns, TokenFile(config.token).token, config.returns_ca)

    def tail(self, topic: str) -> Tail:
        return Tail(self._kafka, self._mock, topic)

    async def close(self) -> None:
        await self.returns.close()
        for client in (self.heard, self.producer, self.cluster, self.bell, self.database):
            await client.close()


class Parts:
    """What the service is made of, each with what it needs."""

    def __init__(self, config: Settings, clients: Clients, clock: Clock, reference: Reference) -> None:
        database, self._cluster = clients.database, clients.cluster
        self._topics = config.topics.of_each(reference.ids)
        self.board = Board(database, clients.bell)
        hold = timedelta(minutes=config.hold_minutes)
        limits = Limits(transit_hours=config.transit_hours, recall_hours=config.recall_hours)
        settler = Settler(reference, Teller(self.board, config.protocol, hold), limits)
        self._taking = Taking(settler, clock)
        reviews = Reviews(database, self._taking)
        self.months = Months(database, clock, reference, clients.returns)
        told = Inbox(self._taking, config.hmpps)
        self._consumer = Consumer(
            SCHEMA,
            clients.heard,
            told.handlers,
            database=database,
            inbox=inbox,
            producer=clients.producer,
            clock=clock,
            kind=told.kind,
            hold=told.hold,
        )
        loading = Loading(database, clock, reference, settler)
        replay = Replay(clients.producer, clients.cluster, outbox)
        letters = Letters(database, clock, [*HEARD, config.hmpps], clients.tail, self._consumer)
        self.tracking = Tracking(
            *(database, clock, reference, settler, self._taking, self.board, self.months),
            *(loading, reviews, replay, letters),
        )
        self.casework = Casework(database, clock)
        self.gauges = Gauges(database, clock, reference)
        self.reforming = Reforming(database, clock, reference)
        acts = {
            SETTLE: self._taking.due,
            AREAS: self._taking.redrawn,
            LAPSE: self._taking.lapse,
            REFORM: self.reforming.decide,
            OVERDUE: Escalation(settler, clock, timedelta(hours=config.escalation_hours)).act,
        }
        self.runner = Runner(database, due, clock, acts)
        outbox.forgetting = notices.keep_published
        self._relay = Relay(database, outbox, clients.producer, clients.cluster, self._topics, clock)

    async def hear(self) -> None:
        own = [self._topics[name] for name in HEARD]
        await process.patiently(lambda: self._cluster.refuse_other(own), Unavailable)
        await self._consumer.run()

    async def publish(self) -> None:
        await process.patiently(lambda: self._cluster.refuse_other([self._topics[CASES]]), Unavailable)
        await self._relay.run()


async def serve(config: Settings) -> None:
    telemetry.start_logs("tracking")
    clock = Clock(config.clock)
    reference = Reference.load(
        config.reference,
        (*PRISONS, *POLICE, *PLACES, *FORUMS, *CONTACTS, *WORKERS, *PROVIDERS, *COURTS, *RETURNS),
    )
    reasons.check(reference, clock.now())
    forums.check(reference)
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE], apart=[PROVIDERS_SERVICE])
    clients = Clients(config)
    parts = Parts(config, clients, clock, reference)
    telemetry.start_metrics(config.metrics)
    await process.patiently(
        lambda: asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS),
        OperationalError,
    )
    await process.patiently(parts.reforming.plan, Unavailable)
    probes = {
        "postgres": clients.database.probe,
        "kafka": clients.cluster.probe,
        "redis": clients.bell.probe,
        "returns": parts.months.probe,
    }
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset({"postgres"}))
    add_TrackingServiceServicer_to_server(parts.tracking, server.grpc)
    add_CaseworkServiceServicer_to_server(parts.casework, server.grpc)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    about = (parts.runner, parts.board, clients.bell, parts.gauges)
    async with process.tasks(
        server.watch, parts.hear, parts.publish, *(each.run for each in about)
    ) as stopped:
        try:
            await stopped
        finally:
            await server.stop()
    await clients.close()


if __name__ == "__main__":
    process.run(main)
