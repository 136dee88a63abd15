"""The migrations of each service make exactly the tables that its code is written for."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from services.runtime import migrations
from services.runtime.database import driver_url
from services.runtime.migrations import BehindError
from tests.servers import Database

SERVICES = ("flagging", "custody", "tracking", "returns")


def directory(service: str) -> Path:
    return Path(__file__).parents[2] / "services" / service / "migrations"


def differences(database: Database, service: str) -> list[Any]:
    base = import_module(f"services.{service}.models").Base
    # The role's own search_path hides the schema that its foreign keys name.
    search = {"options": "-c search_path=public"}
    engine = create_engine(driver_url(database.url(service)), connect_args=search, poolclass=NullPool)

    def include(found: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        return kind != "table" or (found.schema == service and name != "alembic_version")

    options = {"include_schemas": True, "include_object": include, "compare_type": True}
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), base.metadata))


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_the_tables_of_the_models(database: Database, service: str) -> None:
    migrations.upgrade(database.url(service), service, directory(service))

    assert differences(database, service) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_schema_without_the_migrations_is_refused_until_they_ran(database: Database, service: str) -> None:
    with pytest.raises(BehindError, match=f"python -m services.{service} migrate"):
        migrations.refuse_behind(database.url(service), service, directory(service))

    migrations.upgrade(database.url(service), service, directory(service))
    migrations.upgrade(database.url(service), service, directory(service))

    migrations.refuse_behind(database.url(service), service, directory(service))
