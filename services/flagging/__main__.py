"""Wires the service together: `python -m services.flagging` serves, with `migrate` it migrates its schema."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2
from ppo.flagging.v1.flagging_pb2_grpc import add_FlaggingServiceServicer_to_server
from services.flagging import changes
from services.flagging.api import Flagging
from services.flagging.inbox import GROUP, MOVEMENTS, Inbox
from services.flagging.models import SCHEMA, due, inbox, outbox
from services.flagging.screening import Screening
from services.flagging.store.flags import TOPIC
from services.flagging.watermarks import Watermarks
from services.runtime import migrations, process, settings, telemetry
from services.runtime.broker import Cluster, Producer, Subscription
from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.due import Runner
from services.runtime.errors import Unavailable
from services.runtime.identity import Verifier
from services.runtime.reference import Reference
from services.runtime.relay import Relay
from services.runtime.rpc import Gate, Server, credentials

MIGRATIONS = Path(__file__).parent / "migrations"
SERVICE = flagging_pb2.DESCRIPTOR.services_by_name["FlaggingService"]

# Every change of the register waits for the end of a transaction that has changed it.
TOGETHER = 20


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    # Of people who are not PPOs, how many may be answered POSSIBLE.
    false_alarms: float = 0.01
    # The topic on which prison systems publish.
    hmpps: str = "hmpps.domain-events"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.false_alarms < 1:
            raise ValueError("false_alarms is a share between 0 and 1")


async def main() -> None:
    config = settings.load(Settings, "PPO_FLAGGING_", os.environ)
    if sys.argv[1:] == ["migrate"]:
        await asyncio.to_thread(migrations.upgrade, config.postgres, SCHEMA, MIGRATIONS)
    elif sys.argv[1:]:
        raise settings.SettingsError("usage: python -m services.flagging [migrate]")
    else:
        await serve(config)


async def serve(config: Settings) -> None:
    telemetry.start_logs("flagging")
    clock = Clock(config.clock)
    reference = Reference.load(config.reference, needs=("ocus", "forums"))
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE])
    telemetry.start_metrics(config.metrics)
    await process.patiently(
        lambda: asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS),
        OperationalError,
    )
    database = Database(config.postgres, SCHEMA)
    cluster = Cluster(config.kafka, config.kafka_mock)
    producer = Producer(config.kafka, config.kafka_mock)
    screening = Screening(database, clock, config.false_alarms)
    relay = Relay(database, outbox, producer, cluster, config.topics, clock)
    watermarks = Watermarks(database, cluster, clock)
    consumer = _consumer(config, database, producer, clock)

    async def end_flag(session: AsyncSession, nominal_id: str) -> None:
        await changes.end_flag(session, nominal_id, clock.now())

    async def find_kafka() -> None:
        await cluster.cluster_id()

    async def publish() -> None:
        await process.patiently(lambda: cluster.refuse_other([config.topics[TOPIC]]), Unavailable)
        await relay.run()

    async def hear() -> None:
        # The prison systems' topic may be a foreign one, of which nothing is promised.
        ours = [topic for name, topic in config.topics.by_name.items() if name in (MOVEMENTS, config.hmpps)]
        await process.patiently(lambda: cluster.refuse_other(ours), Unavailable)
        await consumer.run()

    runner = Runner(database, due, clock, {changes.FLAG_ENDS: end_flag})
    probes = {"postgres": database.probe, "kafka": find_kafka}
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset({"postgres"}))
    add_FlaggingServiceServicer_to_server(Flagging(database, clock, reference, screening), server.grpc)
    # The first check finds the set in memory.
    await process.patiently(screening.refresh, Unavailable)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    loops = (publish, hear, watermarks.run, runner.run, screening.run)
    async with process.tasks(server.watch, *loops) as stopped:
        try:
            await stopped
        finally:
            await server.stop()
    await consumer.close()
    await producer.close()
    await cluster.close()
    await database.close()


def _consumer(config: Settings, database: Database, producer: Producer, clock: Clock) -> Consumer:
    kafka, mock, told = config.kafka, config.kafka_mock, Inbox(clock, config.hmpps)
    return Consumer(
        GROUP,
        Subscription(kafka, mock, group=GROUP, instance=config.instance, topics=[MOVEMENTS, config.hmpps]),
        told.handlers,
        database=database,
        inbox=inbox,
        producer=producer,
        clock=clock,
        kind=told.kind,
        batch=TOGETHER,
    )


if __name__ == "__main__":
    process.run(main)
