"""Who may import whom: read from the source itself, wherever in a file the import stands."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Service(NamedTuple):
    calls: set[str]  # the services whose RPCs it calls
    workers: set[str]  # its modules that do I/O beside the layers below; every other module decides


SERVICES = {
    "flagging": Service(
        calls=set(),
        workers={
            "changes",
            "deaths",
            "gauges",
            "imports",
            "matches",
            "merges",
            "movements",
            "reading",
            "index",
            "rolls",
            "screening",
            "search",
            "steps",
            "watermarks",
        },
    ),
    "custody": Service(
        calls={"flagging"},
        workers={
            "cases",
            "check",
            "follow",
            "ledger",
            "recheck",
            "record",
            "seal",
            "snapshot",
            "spool",
            "together",
            "watch",
        },
    ),
    "tracking": Service(
        calls={"returns"},
        workers={
            *(
                "acknowledging",
                "addresses",
                "audit",
                "casebook",
                "casework",
                "escalating",
                "gauges",
                "loading",
            ),
            *("letters", "reforming", "replay", "reporting", "reviews", "settle", "take", "telling", "watch"),
            *("months", "progress"),
        },
    ),
    "returns": Service(
        calls=set(),
        workers={
            *(
                "behind",
                "closing",
                "deadlines",
                "document",
                "draft",
                "picture",
                "report",
                "tabular",
                "workbook",
            ),
        },
    ),
}

# Pure code that services share: the person's words, the police's and the prisons'.
WORDS = ("services.people", "services.police", "services.prisons")

# What of this repository a package may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "services.runtime": set(),
    "services.people": {"ppo.person"},
    "services.police": {"services.runtime"},
    "services.prisons": {"services.runtime", "services.people", "ppo.person", "ppo.tracking"},
    "services.console": {"services.runtime", *WORDS, "ppo", "casework", "deploy"},
    "deploy": {"services.runtime"},
    **{f"services.{name}": {"services.runtime", *WORDS, "ppo", "casework"} for name in SERVICES},
}

# A part of a service imports only what stands lower; only decisions and workers know their equals.
DECISION, WORKER = 0, 3
HEIGHT = {"models": 1, "migrations": 2, "store": 2, "api": 4, "inbox": 4, "__main__": 5}

# Each outside system, and the files of the services that speak to it. The embedded stack runs the servers
# themselves, so it asks them directly.
OUTSIDE: dict[str, set[str]] = {
    "confluent_kafka": set(),
    # The bare hops of a bench are the outside systems themselves.
    "grpc": {
        "services/console/bench/checks.py",
        "services/console/bench/floor.py",
        "services/console/session.py",
        "services/runtime/channel.py",
        "services/runtime/rpc.py",
        "services/runtime/server.py",
    },
    "jwt": {"services/runtime/identity.py"},
    # A bench holds the suite against kafka-python alone, and asks the broker when it had what.
    "kafka": {
        "services/console/bench/loop.py",
        "services/console/bench/stream.py",
        "services/runtime/broker.py",
    },
    "prometheus_client.start_http_server": {"services/runtime/telemetry.py"},
    # A bench holds the suite against PostgreSQL alone.
    "psycopg": {
        "services/console/bench/bare.py",
        "services/console/bench/checks.py",
        "services/console/bench/crowd.py",
        "services/console/bench/floor.py",
        "services/console/bench/relay.py",
        "services/runtime/failures.py",
        "services/runtime/line.py",
    },
    "redis": {"services/runtime/cache.py"},
    "sqlalchemy.create_engine": {"services/runtime/migrations.py"},
    "sqlalchemy.ext.asyncio.create_async_engine": {"services/runtime/database.py"},
}

# What pure code stands on beside the standard library; and what of that leads to the world, time, chance.
PURE = {
    "anyascii",
    "casework",
    "google",
    "holidays",
    "jellyfish",
    "nicknames",
    "numpy",
    "ppo",
    "rapidfuzz",
    "services",
}
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "select", "signal", "subprocess", "threading"),
    *("http", "logging", "os", "random", "secrets", "shutil", "socket", "sqlite3", "ssl", "sys", "tempfile"),
    *("time", "urllib", "wsgiref"),
}
IMPURE_CALLS = {
    "input",
    "now",
    "open",
    "print",
    "read_bytes",
    "read_text",
    "today",
    "utcnow",
    "uuid1",
    "uuid4",
}


@dataclass(frozen=True)
class Module:
    name: str
    path: str
    imports: frozenset[str]  # full names: `from services.runtime import clock` is services.runtime.clock
    calls: frozenset[str]


def imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            assert level == 0, "imports are by full name"
            yield from (f"{module}.{alias.name}" for alias in names)


def called(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            yield name


def read(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    nodes = list(ast.walk(ast.parse(path.read_bytes())))
    return Module(
        name=".".join(relative.with_suffix("").parts).removesuffix(".__init__"),
        path=relative.as_posix(),
        imports=frozenset(name for node in nodes for name in imported(node)),
        calls=frozenset(name for node in nodes for name in called(node)),
    )


@cache
def modules() -> dict[str, Module]:
    paths = [path for top in ("services", "deploy") for path in (ROOT / top).rglob("*.py")]
    return {module.name: module for module in map(read, sorted(paths))}


def within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def inside(package: str) -> list[Module]:
    found = [module for module in modules().values() if within(module.name, [package])]
    assert found, f"{package} has no modules; is a table above out of date?"
    return found


def part(name: str) -> str:
    """services.custody.store.detentions belongs to the part store."""
    return ".".join(name.split(".")[2:3])


def height(name: str) -> int:
    service = SERVICES[name.split(".")[1]]
    return WORKER if part(name) in service.workers else HEIGHT.get(part(name), DECISION)


def may_know(importer: str, name: str) -> bool:
    if height(importer) == height(name) in (DECISION, WORKER):
        return True
    return part(importer) == part(name) or height(importer) > height(name)


def pure_modules(package: str) -> list[Module]:
    if package in WORDS:
        return inside(package)
    return [module for module in inside(package) if height(module.name) == DECISION]


def way_out(name: str, seen: frozenset[str] = frozenset()) -> list[str]:
    """The chain of imports that leads from a module to the world, [] where none does."""
    home = next((home for home in (name, name.rpartition(".")[0]) if home in modules()), None)
    if home is None:
        allowed = within(name, PURE | (sys.stdlib_module_names - IMPURE)) and "_pb2_grpc" not in name
        return [] if allowed else [name]
    if home in seen:
        return []
    ways = (way_out(step, seen | {home}) for step in sorted(modules()[home].imports))
    return next(([home, *way] for way in ways if way), [])


def test_the_tables_name_every_package() -> None:
    packages = {f"services.{path.name}" for path in (ROOT / "services").iterdir() if any(path.rglob("*.py"))}

    assert MAY_IMPORT.keys() - {"deploy"} == packages


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_of_this_repository_only_what_it_may(package: str) -> None:
    ours, allowed = {"services", "deploy", "tests", "ppo", "casework"}, {package, *MAY_IMPORT[package]}

    imports = {
        (module.path, name) for module in inside(package) for name in module.imports if within(name, ours)
    }

    assert {(path, name) for path, name in imports if not within(name, allowed)} == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_calls_the_services_of_the_table_and_no_other(service: str) -> None:
    imports = {name for module in inside(f"services.{service}") for name in module.imports}
    stubs = {name.split(".")[1] for name in imports if "_pb2_grpc" in name and within(name, ["ppo"])}

    assert stubs - {service} == SERVICES[service].calls


def test_a_called_service_calls_nobody() -> None:
    called = {name for service in SERVICES.values() for name in service.calls}

    assert [name for name in called if SERVICES[name].calls] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_part_of_a_service_imports_only_lower_parts(service: str) -> None:
    package = f"services.{service}"

    imports = {
        (module.name, name)
        for module in inside(package)
        for name in module.imports
        if within(name, [package])
    }

    assert {(module, name) for module, name in imports if not may_know(module, name)} == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_layers_and_the_workers_of_the_table(service: str) -> None:
    parts = {part(module.name) for module in inside(f"services.{service}")}

    assert {"__main__", "api", "store", "models", "migrations", *SERVICES[service].workers} <= parts


@pytest.mark.parametrize("package", [*WORDS, *(f"services.{name}" for name in SERVICES)])
def test_a_decision_reaches_no_world_no_clock_and_no_chance(package: str) -> None:
    decisions = pure_modules(package)

    assert [way for module in decisions if (way := way_out(module.name))] == []
    assert {(module.path, call) for module in decisions for call in module.calls & IMPURE_CALLS} == set()


@pytest.mark.parametrize("system", OUTSIDE)
def test_an_outside_system_is_spoken_to_in_its_own_file(system: str) -> None:
    speakers = {
        module.path for module in inside("services") if any(within(name, [system]) for name in module.imports)
    }

    assert speakers == OUTSIDE[system]
