"""The bare thing that a measurement is held against: PostgreSQL itself, without a service before it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

CHUNK = 1 << 20
SCHEMA = "bare"


@contextmanager
def connection(url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(url) as open_connection:
        yield open_connection


def copied(url: str, schema: str, tables: Sequence[str], directory: Path) -> float:
    """In how many seconds the rows of these tables go by COPY into others with the same indexes.

    The others are empty and without foreign keys; one transaction, committed.
    """
    with connection(url) as open_connection:
        files = [_copied_out(open_connection, schema, table, directory) for table in tables]
        _recreate(open_connection, schema, tables)
        open_connection.commit()
        began = time.perf_counter()
        for table, file in zip(tables, files, strict=True):
            _copy_in(open_connection, table, file)
        open_connection.commit()
        taken = time.perf_counter() - began
        open_connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(SCHEMA)))
    return taken


def vacuumed(url: str) -> None:
    """As autovacuum leaves a database that was not filled a moment ago."""
    with psycopg.connect(url, autocommit=True) as open_connection:
        open_connection.execute("VACUUM ANALYZE")


def taken(url: str, schema: str, statements: Sequence[str]) -> float:
    """In how many seconds these are answered, one after the other."""
    with connection(url) as open_connection:
        open_connection.execute(SQL("SET search_path = {}").format(Identifier(schema)))
        began = time.perf_counter()
        for statement in statements:
            open_connection.execute(statement.encode()).fetchall()
        return time.perf_counter() - began


def emptied(url: str, schema: str, tables: Sequence[str]) -> None:
    """As a fresh migration leaves them, for the next run."""
    with connection(url) as open_connection:
        names = SQL(", ").join(Identifier(schema, table) for table in tables)
        open_connection.execute(SQL("TRUNCATE {} CASCADE").format(names))


def _copied_out(
    open_connection: "psycopg.Connection[tuple[object, ...]]", schema: str, table: str, directory: Path
) -> Path:
    path = directory / f"{table}.copy"
    statement = SQL("COPY {} TO STDOUT").format(Identifier(schema, table))
    with path.open("wb") as file, open_connection.cursor().copy(statement) as copy:
        for data in copy:
            file.write(data)
    return path


def _recreate(
    open_connection: "psycopg.Connection[tuple[object, ...]]", schema: str, tables: Sequence[str]
) -> None:
    open_connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(SCHEMA)))
    for table in tables:
        like = SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
        open_connection.execute(like.format(Identifier(SCHEMA, table), Identifier(schema, table)))


def _copy_in(open_connection: "psycopg.Connection[tuple[object, ...]]", table: str, path: Path) -> None:
    statement = SQL("COPY {} FROM STDIN").format(Identifier(SCHEMA, table))
    with path.open("rb") as file, open_connection.cursor().copy(statement) as copy:
        while data := file.read(CHUNK):
            copy.write(data)
