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
from services.flagging import changes, deaths, matches
from services.flagging.api import Flagging
from services.flagging.gauges import Gauges
from services.flagging.imports.checking import Checker
from services.flagging.inbox import GROUP, MOVEMENTS, Inbox
from services.flagging.index import People
from services.flagging.models import SCHEMA, due, inbox, outbox
from services.flagging.screening import Screening
from services.flagging.store.flags import TOPIC
from services.flagging.store.rolls import MATCH_LAPSES
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
from services.runtime.rpc import Gate
from services.runtime.server import Server, credentials

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


class Clients:
    """Everything outside this process that it speaks to."""

    def __init__(self, config: Settings) -> None:
        kafka, mock, topics = config.kafka, config.kafka_mock, [MOVEMENTS, config.hmpps]
        self.database = Database(config.postgres, SCHEMA)
        self.cluster = Cluster(kafka, mock)
        self.producer = Producer(kafka, mock)
        self.checker = Checker()
        self.checker.start()
        self.heard = Subscription(kafka, mock, group=GROUP, instance=config.instance, topics=topics)

    async def close(self) -> None:
        self.checker.close()
        for client in (self.heard, self.producer, self.cluster, self.database):
            await client.close()


class Parts:
    """What the service is made of, each with what it needs."""

    def __init__(self, config: Settings, clients: Clients, clock: Clock, reference: Reference) -> None:
        database, self._cluster, self._clock = clients.database, clients.cluster, clock
        # The prison systems' topic may be a foreign one, of which nothing is promised.
        by_name = config.topics.by_name
        self._heard = [by_name[name] for name in (MOVEMENTS, config.hmpps) if name in by_name]
        self._flags = config.topics[TOPIC]
        self.screening = Screening(database, clock, config.false_alarms)
        self.people = People(database)
        self.flagging = Flagging(database, clock, reference, self.screening, self.people, clients.checker)
        self.watermarks = Watermarks(database, clients.cluster, clock)
        self.gauges = Gauges(database, clock)
        acts = {
            changes.FLAG_ENDS: self._end_flag,
            MATCH_LAPSES: matches.lapse,
            deaths.REVERSAL_LAPSES: deaths.lapse,
        }
        self.runner = Runner(database, due, clock, acts)
        self._relay = Relay(database, outbox, clients.producer, clients.cluster, config.topics, clock)
        told = Inbox(clock, self.screening, config.hmpps)
        self._consumer = Consumer(
            GROUP,
            clients.heard,
            told.handlers,
            database=database,
            inbox=inbox,
            producer=clients.producer,
            clock=clock,
            kind=told.kind,
            batch=TOGETHER,
        )

    async def hear(self) -> None:
        await process.patiently(lambda: self._cluster.refuse_other(self._heard), Unavailable)
        await self._consumer.run()

    async def publish(self) -> None:
        await process.patiently(lambda: self._cluster.refuse_other([self._flags]), Unavailable)
        await self._relay.run()

    async def _end_flag(self, session: AsyncSession, nominal_id: str) -> None:
        await changes.end_flag(session, nominal_id, self._clock.now())


async def serve(config: Settings) -> None:
    telemetry.start_logs("flagging")
    clock, reference = (
        Clock(config.clock),
        Reference.load(config.reference, needs=("ocus", "forums", "prisons")),
    )
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE])
    clients = Clients(config)
    parts = Parts(config, clients, clock, reference)
    telemetry.start_metrics(config.metrics)
    await process.patiently(
        lambda: asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS),
        OperationalError,
    )
    probes = {
        "postgres": clients.database.probe,
        "register": parts.screening.probe,
        "kafka": clients.cluster.probe,
    }
    # While the register is read for the first time, a check is answered UNAVAILABLE; all else is served.
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset({"postgres", "register"}))
    add_FlaggingServiceServicer_to_server(parts.flagging, server.grpc)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    about = (parts.watermarks, parts.runner, parts.screening, parts.gauges, parts.people)
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
