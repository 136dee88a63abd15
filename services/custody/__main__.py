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
from services.custody.check import Checker, Register
from services.custody.follow import FLAGS, Follower
from services.custody.inbox import GROUP, Inbox
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
from services.runtime.rpc import Gate, Server, credentials

SCHEMA = "custody"
SERVICE = custody_pb2.DESCRIPTOR.services_by_name["CustodyService"]
MIGRATIONS = Path(__file__).parent / "migrations"
REFERENCE = ("suites", "control_rooms", "duty_contacts", "drug_teams", "dip_contact_points", "offences")
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
    # The share of people not on the register for whom the replica may answer POSSIBLE.
    false_alarms: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.false_alarms < 1:
            raise ValueError("false_alarms is a share between 0 and 1")


async def main() -> None:
    config = settings.load(Settings, "PPO_CUSTODY_", os.environ)
    if sys.argv[1:] == ["migrate"]:
        await asyncio.to_thread(migrations.upgrade, config.postgres, SCHEMA, MIGRATIONS)
    elif sys.argv[1:]:
        raise settings.SettingsError("usage: python -m services.custody [migrate]")
    else:
        await serve(config)


async def serve(config: Settings) -> None:
    telemetry.start_logs("custody")
    clock = Clock(config.clock)
    reference = Reference.load(config.reference, REFERENCE)
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE])
    seal, spool = Seal.load(config.input_key), Spool(config.data)
    telemetry.start_metrics(config.metrics)
    await _refuse_behind(config)
    database = Database(config.postgres, SCHEMA)
    bell = Bell(config.redis, SCHEMA)
    cluster = Cluster(config.kafka, config.kafka_mock)
    producer = Producer(config.kafka, config.kafka_mock)
    tail = Tail(config.kafka, config.kafka_mock, FLAGS)
    flags = Subscription(
        config.kafka, config.kafka_mock, group=GROUP, instance=config.instance, topics=[FLAGS]
    )
    connection = channel.connect(config.flagging, TokenFile(config.token).token, config.flagging_ca)

    replica = Replica()
    follower = Follower(replica, tail, cluster, config.topics[FLAGS], clock, config.data, config.false_alarms)
    follower.load()
    register = Register(connection)
    ledger = Ledger(database, spool, seal, clock)
    checker = Checker(register, replica, ledger, reference, clock, config.false_alarms)
    board = Board(database, bell)
    records = Records(board, replica)
    rechecks = Rechecks(database, checker, register, ledger, records, board, clock, ITSELF)
    consumer = Consumer(
        GROUP,
        flags,
        Inbox(clock).handlers,
        database=database,
        inbox=inbox,
        producer=producer,
        clock=clock,
    )
    relay = Relay(database, outbox, producer, cluster, config.topics, clock)
    runner = Runner(database, due, clock, rechecks.acts)

    async def find_kafka() -> None:
        await cluster.cluster_id()

    async def hear() -> None:
        await process.patiently(lambda: cluster.refuse_other([config.topics[FLAGS]]), Unavailable)
        await consumer.run()

    async def publish() -> None:
        await process.patiently(lambda: cluster.refuse_other([config.topics[ARRESTS]]), Unavailable)
        await relay.run()

    probes = {
        "postgres": database.probe,
        "kafka": find_kafka,
        "redis": bell.probe,
        "flagging": register.probe,
        "replica": follower.probe,
    }
    # Nothing is essential: a check is answered whatever is away, and says so.
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset())
    custody = Custody(database, checker, ledger, records, board, reference, clock)
    add_CustodyServiceServicer_to_server(custody, server.grpc)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    loops = (hear, publish, follower.run, ledger.run, rechecks.run, runner.run, board.run, bell.run)
    async with process.tasks(server.watch, *loops) as stopped:
        await stopped
        await server.stop()
    await connection.close()
    for client in (consumer, tail, producer, cluster, bell, database):
        await client.close()


async def _refuse_behind(config: Settings) -> None:
    """The database may be away at the start: a check is answered without it."""
    try:
        await asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS)
    except OperationalError:
        log.warning("starts without its database", dependency="postgres")


if __name__ == "__main__":
    process.run(main)
