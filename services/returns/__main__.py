"""Wires the service together: `python -m services.returns` serves, with `migrate` it migrates its schema."""

import asyncio
import os
import sys
from pathlib import Path

from sqlalchemy.exc import OperationalError

from ppo.returns.v1 import returns_pb2
from ppo.returns.v1.returns_pb2_grpc import add_ReturnsServiceServicer_to_server
from services.returns.api import Returns
from services.returns.areas import NEEDS, Areas
from services.returns.deadlines import Deadlines
from services.returns.models import SCHEMA
from services.runtime import migrations, process, settings, telemetry
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.identity import Verifier
from services.runtime.reference import Reference
from services.runtime.rpc import Gate
from services.runtime.server import Server, credentials
from services.runtime.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
SERVICE = returns_pb2.DESCRIPTOR.services_by_name["ReturnsService"]


async def main() -> None:
    config = settings.load(Settings, "PPO_RETURNS_", os.environ)
    if sys.argv[1:] == ["migrate"]:
        await asyncio.to_thread(migrations.upgrade, config.postgres, SCHEMA, MIGRATIONS)
    elif sys.argv[1:]:
        raise settings.SettingsError("usage: python -m services.returns [migrate]")
    else:
        await serve(config)


async def serve(config: Settings) -> None:
    telemetry.start_logs("returns")
    clock = Clock(config.clock)
    areas = Areas(Reference.load(config.reference, needs=NEEDS))
    gate = Gate(Verifier(config.token_key.read_bytes()), [SERVICE])
    telemetry.start_metrics(config.metrics)
    await process.patiently(
        lambda: asyncio.to_thread(migrations.refuse_behind, config.postgres, SCHEMA, MIGRATIONS),
        OperationalError,
    )
    database = Database(config.postgres, SCHEMA)
    deadlines = Deadlines(database, clock, areas)
    probes = {"postgres": database.probe}
    server = Server(config.listen, gate, [SERVICE], probes, essential=frozenset(probes))
    add_ReturnsServiceServicer_to_server(Returns(database, clock, areas), server.grpc)
    await server.start(credentials(config.tls_certificate, config.tls_key))
    async with process.tasks(server.watch, deadlines.run) as stopped:
        try:
            await stopped
        finally:
            await server.stop()
    await database.close()


if __name__ == "__main__":
    process.run(main)
