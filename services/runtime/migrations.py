"""Alembic, run in code: each service migrates its own schema as its own role."""

from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, NullPool, create_engine
from sqlalchemy.engine import Connection

from services.runtime.database import driver_url

# Two replicas that start at once migrate one after the other.
LOCK = 7_051_004


class BehindError(Exception):
    """The schema is not what this code was written for."""


def upgrade(url: str, schema: str, directory: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    with _connection(url, schema) as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
        config.attributes["connection"] = connection
        config.attributes["schema"] = schema
        command.upgrade(config, "head")
        connection.commit()


def refuse_behind(url: str, schema: str, directory: Path) -> None:
    """Raises BehindError unless the schema has every migration that this code knows."""
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with _connection(url, schema) as connection:
        there = MigrationContext.configure(
            connection, opts={"version_table_schema": schema}
        ).get_current_heads()
    heads = set(ScriptDirectory.from_config(config).get_heads())
    # A schema ahead of this code is fine: migrations must suit the code before and after them.
    if heads - set(there) and set(there) <= known:
        raise BehindError(f"schema {schema} lacks migrations; run: python -m services.{schema} migrate")


def run(metadata: MetaData) -> None:
    """What a service's migrations/env.py calls."""
    attributes: dict[str, Any] = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table_schema=attributes["schema"],
        include_schemas=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _connection(url: str, schema: str) -> Connection:
    options = f"-c lock_timeout=30000 -c search_path={schema}"
    arguments = {"options": options, "connect_timeout": 5}
    return create_engine(driver_url(url), connect_args=arguments, poolclass=NullPool).connect()
