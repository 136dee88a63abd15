"""Wires the service together: `python -m services.tracking` serves, with `migrate` it migrates its schema."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from casework.v1 import casework_pb2
from casework.v1.casework_pb2_grpc import add_CaseworkServiceServicer_to_server
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2
from ppo.tracking.v1.tracking_pb2_grpc import add_TrackingServiceServicer_to_server
from services.prisons import reasons
from services.runtime import channel, migrations, process, settings, telemetry
from services.runtime.broker import Cluster, Producer, Record, Subscription
from services.runtime.cache import Bell
from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.due import Runner
from services.runtime.errors import Unavailable
from services.runtime.identity import TokenFile, Verifier
from services.runtime.reference import Reference
from services.runtime.relay import Relay
from services.runtime.rpc import Gate, Server, credentials
from services.tracking.api import Tracking
from services.tracking.casework import Casework
from services.tracking.gauges import Gauges
from services.tracking.inbox import ARRESTS, FLAGS, HMPPS, MOVEMENTS, Inbox
from services.tracking.models import SCHEMA, due, inbox, outbox
from services.tracking.months import Months
from services.tracking.settle import CASES, SETTLE, Settler
from services.tracking.take import LAPSE, Taking
from services.tracking.telling import Teller
from services.tracking.watch import Board

SERVICE = tracking_pb2.DESCRIPTOR.services_by_name["TrackingService"]
PROVIDERS_SERVICE = casework_pb2.DESCRIPTOR.services_by_name["CaseworkService"]
MIGRATIONS = Path(__file__).parent / "migrations"
# Each holds the rows of several organisations until they commit, and a call waits 3 seconds for those.
TOGETHER = 20
PRISONS = ("prisons", *reasons.TABLES)
POLICE = ("areas", "ocus", "suites", "forums", "youth_offending_teams", "probation_offices", "drug_teams")
# Who can be rung.
CONTACTS = ("duty_contacts", "control_rooms")
PROVIDERS = ("housing_providers", "training_providers", "referral_desks")


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    returns: str
    returns_ca: Path | None = None
    token: Path
    # The topic on which prison systems publish.
    hmpps: str = "hmpps.domain-events"
    # The information-sharing protocol that notices are disclosed under.
    protocol: str = "2004-1"


async def main() -> None:
    config = settings.load(Settings, "PPO_TRACKING_", os.environ)
    if sys.argv[1:] == ["migrate"]:
        await asyncio.to_thread(migrations.upgrade, config.postgres, SCHEMA, MIGRATIONS)
    elif sys.argv[1:]:
        raise settings.SettingsError("usage: python -m services.tracking [migrate]")
    else:
        await serve(config)


async def serve(config: Settings) -> None:
    telemetry.start_logs("tracking")
    clock = Clock(config.clock)
    reference = Reference.load(config.reference, (*PRISONS, *POLICE, *CONTACTS, *PROVIDERS))
    reasons.check(reference, clock.now())
    topics = config.topics.of_each(reference.ids)
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE], apart=[PROVIDERS_SERVICE])
    telemetry.start_metrics(config.metrics)
    await process.patiently(
        lambda: asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS),
        OperationalError,
    )
    database = Database(config.postgres, SCHEMA)
    bell = Bell(config.redis, SCHEMA)
    cluster = Cluster(config.kafka, config.kafka_mock)
    producer = Producer(config.kafka, config.kafka_mock)
    connection = channel.connect(config.returns, TokenFile(config.token).token, config.returns_ca)

    board = Board(database, bell)
    settler = Settler(reference, Teller(board, config.protocol))
    taking = Taking(settler, clock)
    months = Months(database, clock, reference, connection)
    relay = Relay(database, outbox, producer, cluster, topics, clock)

    def kind(record: Record) -> str:
        return HMPPS if record.topic == config.hmpps else record.headers.get("ce_type", "")

    heard = Subscription(
        config.kafka,
        config.kafka_mock,
        group=SCHEMA,
        instance=config.instance,
        topics=[FLAGS, ARRESTS, MOVEMENTS, config.hmpps],
    )
    consumer = Consumer(
        SCHEMA,
        heard,
        Inbox(taking).handlers,
        database=database,
        inbox=inbox,
        producer=producer,
        clock=clock,
        kind=kind,
        batch=TOGETHER,
    )

    async def settle(session: AsyncSession, nominal_id: str) -> None:
        await taking.settle(session, nominal_id)

    async def find_kafka() -> None:
        await cluster.cluster_id()

    async def hear() -> None:
        own = [topics[name] for name in (FLAGS, ARRESTS, MOVEMENTS)]
        await process.patiently(lambda: cluster.refuse_other(own), Unavailable)
        await consumer.run()

    async def publish() -> None:
        await process.patiently(lambda: cluster.refuse_other([topics[CASES]]), Unavailable)
        await relay.run()

    runner = Runner(database, due, clock, {SETTLE: settle, LAPSE: taking.lapse})
    probes = {
        "postgres": database.probe,
        "kafka": find_kafka,
        "redis": bell.probe,
        "returns": months.probe,
    }
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset({"postgres"}))
    tracking = Tracking(database, clock, reference, settler, taking, board, months)
    add_TrackingServiceServicer_to_server(tracking, server.grpc)
    add_CaseworkServiceServicer_to_server(Casework(database, clock), server.grpc)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    loops = (hear, publish, runner.run, board.run, bell.run, Gauges(database, clock).run)
    async with process.tasks(server.watch, *loops) as stopped:
        try:
            await stopped
        finally:
            await server.stop()
    await connection.close()
    for client in (consumer, producer, cluster, bell, database):
        await client.close()


if __name__ == "__main__":
    process.run(main)
