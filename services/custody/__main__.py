"""Wires the service together: `python -m services.custody` serves, with `migrate` it migrates its schema."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import OperationalError

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1.custody_pb2_grpc import add_CustodyServiceServicer_to_server
from services.custody.api import Custody
from services.custody.cases import Cases
from services.custody.check import Checker, Register
from services.custody.follow import FLAGS, Follower
from services.custody.inbox import CASES, GROUP, Inbox
from services.custody.ledger import Ledger
from services.custody.models import due, inbox, outbox
from services.custody.recheck import Rechecks
from services.custody.record import ARRESTS, Records
from services.custody.replica import Replica
from services.custody.seal import Seal
from services.custody.spool import Spool
from services.custody.watch import Board
from services.runtime import channel, migrations, process, settings, telemetry
from services.runtime.broker import Cluster, Producer, Subscription, Tail
from services.runtime.cache import Bell
from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.database import Database
from services.runtime.due import Runner
from services.runtime.errors import Unavailable
from services.runtime.identity import Caller, TokenFile, Verifier
from services.runtime.reference import Reference
from services.runtime.relay import Relay
from services.runtime.rpc import Gate
from services.runtime.server import Server, credentials

SCHEMA = "custody"
SERVICE = custody_pb2.DESCRIPTOR.services_by_name["CustodyService"]
MIGRATIONS = Path(__file__).parent / "migrations"
REFERENCE = (
    "suites",
    "control_rooms",
    "duty_contacts",
    "probation_offices",
    "probation_duty_contacts",
    "youth_offending_teams",
    "drug_teams",
    "dip_contact_points",
    "offences",
    "trigger_offences",
    "drug_testing",
)
# What asks when nobody does: an answer that is looked at again by itself.
ITSELF = Caller("custody", "service_custody", "custody", datetime.max.replace(tzinfo=UTC))

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    flagging: str
    flagging_ca: Path | None = None
    token: Path
    data: Path
    input_key: Path
    # An officer's answer does not wait longer than this for the register.
    register_seconds: float = 0.2
    # The share of people not on the register for whom the replica may answer POSSIBLE.
    false_alarms: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.false_alarms < 1:
            raise ValueError("false_alarms is a share between 0 and 1")
        if not self.register_seconds > 0:
            raise ValueError("register_seconds is more than 0")


async def main() -> None:
    config = settings.load(Settings, "PPO_CUSTODY_", os.environ)
    if sys.argv[1:] == ["migrate"]:
        await asyncio.to_thread(migrations.upgrade, config.postgres, SCHEMA, MIGRATIONS)
    elif sys.argv[1:]:
        raise settings.SettingsError("usage: python -m services.custody [migrate]")
    else:
        await serve(config)


class Clients:
    """Everything outside this process that it speaks to; none needs to be there at the start."""

    def __init__(self, config: Settings) -> None:
        kafka, mock = config.kafka, config.kafka_mock
        self.database = Database(config.postgres, SCHEMA)
        self.bell = Bell(config.redis, SCHEMA)
        self.cluster = Cluster(kafka, mock)
        self.producer = Producer(kafka, mock)
        self.tail = Tail(kafka, mock, FLAGS)
        self.heard = Subscription(kafka, mock, group=GROUP, instance=config.instance, topics=[FLAGS, CASES])
        token = TokenFile(config.token).token
        self.flagging = channel.connect(config.flagging, token, config.flagging_ca)

    async def close(self) -> None:
        await self.flagging.close()
        for client in (self.heard, self.tail, self.producer, self.cluster, self.bell, self.database):
            await client.close()


class Parts:
    """What the service is made of, each with what it needs."""

    def __init__(self, config: Settings, clients: Clients) -> None:
        clock, reference = Clock(config.clock), Reference.load(config.reference, REFERENCE)
        database, cluster, topics = clients.database, clients.cluster, config.topics
        self._cluster, self._heard = cluster, [topics[FLAGS], topics[CASES]]
        self._arrests = topics[ARRESTS]
        limits = {"false_alarms": config.false_alarms, "register_seconds": config.register_seconds}
        replica = Replica()
        self.follower = Follower(
            replica, clients.tail, cluster, topics[FLAGS], clock, config.data, config.false_alarms
        )
        self.register = Register(clients.flagging)
        spool = Spool(config.data)
        self.ledger = Ledger(database, spool, Seal.load(config.input_key), clock)
        cases = Cases(database, spool)
        checker = Checker(self.register, replica, cases, self.ledger, reference, clock, **limits)
        self.board = Board(database, clients.bell)
        records = Records(self.board, replica, reference)
        self.custody = Custody(database, checker, self.ledger, records, self.board, reference, clock)
        self.rechecks = Rechecks(
            database, checker, self.register, self.ledger, records, self.board, clock, ITSELF
        )
        self.runner = Runner(database, due, clock, self.rechecks.acts)
        self._relay = Relay(database, outbox, clients.producer, cluster, topics, clock)
        self._consumer = Consumer(
            GROUP,
            clients.heard,
            Inbox(clock, self.runner.wake).handlers,
            database=database,
            inbox=inbox,
            producer=clients.producer,
            clock=clock,
        )

    async def hear(self) -> None:
        await process.patiently(lambda: self._cluster.refuse_other(self._heard), Unavailable)
        await self._consumer.run()

    async def publish(self) -> None:
        await process.patiently(lambda: self._cluster.refuse_other([self._arrests]), Unavailable)
        await self._relay.run()


async def serve(config: Settings) -> None:
    telemetry.start_logs("custody")
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE])
    clients = Clients(config)
    parts = Parts(config, clients)
    telemetry.start_metrics(config.metrics)
    await _refuse_behind(config)
    parts.follower.load()
    probes = {
        "postgres": clients.database.probe,
        "kafka": clients.cluster.probe,
        "redis": clients.bell.probe,
        "flagging": parts.register.probe,
        "replica": parts.follower.probe,
    }
    # Nothing is essential: a check is answered whatever is away, and says so.
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset())
    add_CustodyServiceServicer_to_server(parts.custody, server.grpc)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    about = (parts.follower, parts.ledger, parts.rechecks, parts.runner, parts.board, clients.bell)
    async with process.tasks(
        server.watch, parts.hear, parts.publish, parts.board.look, *(each.run for each in about)
    ) as stopped:
        try:
            await stopped
        finally:
            parts.board.close()
            await server.stop()
    await clients.close()


async def _refuse_behind(config: Settings) -> None:
    """The database may be away at the start: a check is answered without it."""
    try:
        await asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS)
    except OperationalError:
        log.warning("starts without its database", dependency="postgres")


if __name__ == "__main__":
    process.run(main)
