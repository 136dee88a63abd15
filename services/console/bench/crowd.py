"""More PPOs than can be told one by one: copies, in tracking's own tables, of one whom it was told of."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

# Each table with what picks the rows of the one who is copied.
_KEYS = (
    "key IN (SELECT unnest(ARRAY[nominal_id, case_reference]) FROM tracking.person WHERE nominal_id = %(of)s)"
)
_NOTICES = "notice_id IN (SELECT notice_id FROM tracking.notice WHERE nominal_id = %(of)s)"
TABLES = {
    **dict.fromkeys(
        ("person", "identifier", "episode", "ownership", "stage", "review", "notice"), "nominal_id = %(of)s"
    ),
    "delivery": _NOTICES,
    "due": "key = %(of)s",
    "outbox": _KEYS,
    "outbox_sequence": _KEYS,
}
# What names the one, and nobody else, wherever it stands.
_NAMES = (
    ("person", "case_reference", "nominal_id = %(of)s"),
    ("notice", "notice_id", "nominal_id = %(of)s"),
    ("outbox", "event_id", f"{_KEYS} AND event_id NOT LIKE '%%/%%'"),
)
# Each copy's stand so far above those before it: more than there are of the ones who were told of.
NUMBERS = ("number", "ownership_id", "id")
STEP = 1_000_000


def copy(url: str, of: Sequence[str], others: Iterable[Sequence[str]]) -> None:
    """`of`: the nominal, then what else names that one; each of the others has as many, each as long."""
    with psycopg.connect(url) as connection:
        names = [*of, *_names(connection, of[0])]
        connection.execute("CREATE TEMPORARY TABLE crowd (place bigint, names text[])")
        with connection.cursor().copy("COPY crowd FROM STDIN") as stream:
            for place, given in enumerate(others, 1):
                stream.write_row((place, [*given, *_made(names[len(of) :], place)]))
        for table, rows in TABLES.items():
            connection.execute(_copied(connection, table, rows, names), {"of": of[0]})
        connection.execute(
            "UPDATE tracking.organisation held SET last_number ="
            " (SELECT max(number) FROM tracking.delivery WHERE organisation = held.organisation)"
        )
        connection.execute("ANALYZE")


def _names(connection: "psycopg.Connection[tuple[object, ...]]", of: str) -> Iterator[str]:
    for table, column, rows in _NAMES:
        found = connection.execute(f"SELECT {column} FROM tracking.{table} WHERE {rows}", {"of": of})
        yield from (str(name) for (name,) in found.fetchall())


def _made(names: Iterable[str], place: int) -> Iterator[str]:
    """A name of the same form, for a copy of that number."""
    for name in names:
        digest = hashlib.md5(f"{name} {place}".encode(), usedforsecurity=False)
        yield str(uuid.UUID(digest.hexdigest())) if "-" in name else digest.hexdigest()[: len(name)]


def _copied(
    connection: "psycopg.Connection[tuple[object, ...]]", table: str, rows: str, names: Sequence[str]
) -> Composed:
    """Each row as JSON, in which names stand as they are and, within bytes, in hexadecimal."""
    told: Composed = Composed([SQL("one.told")])
    for place, name in enumerate(names, 1):
        new = SQL("crowd.names[{}]").format(Literal(place))
        told = SQL("replace({}, {}, {})").format(told, Literal(name), new)
        hexed = SQL("encode(convert_to({}, 'UTF8'), 'hex')").format(new)
        told = SQL("replace({}, {}, {})").format(told, Literal(name.encode().hex()), hexed)
    described = connection.execute(SQL("SELECT * FROM {} LIMIT 0").format(Identifier("tracking", table)))
    columns = [column.name for column in described.description or ()]
    return SQL(
        "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM crowd CROSS JOIN"
        " (SELECT to_json(held)::text AS told FROM {table} held WHERE {rows}) one CROSS JOIN LATERAL"
        " json_populate_record(NULL::{table}, ({told})::json) made"
    ).format(
        table=Identifier("tracking", table),
        columns=SQL(", ").join(map(Identifier, columns)),
        values=SQL(", ").join(map(_value, columns)),
        rows=SQL(rows),
        told=told,
    )


def _value(column: str) -> Composed:
    value = SQL("made.{}").format(Identifier(column))
    return value + SQL(" + crowd.place * {}").format(Literal(STEP)) if column in NUMBERS else value
