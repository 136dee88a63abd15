"""`ppo bench import`: nominals a second over gRPC, beside COPY of the same rows."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from services.console import loading, nominals, output, population, rows, session
from services.console.bench import bare, started
from services.console.bench.measures import Measure, Runs, tell

TABLES = ("nominal", "nominal_identifier")
SIZES = [10_000, 100_000, 1_000_000]

Sizes = Annotated[
    list[int], typer.Option("--nominals", min=1_000, help="How many; may be given several times.")
]


def bench(sizes: Sizes = SIZES, runs: Runs = 3, json: output.AsJson = False) -> int:
    """Measures the import of nominals: rows a second, read from a file and sent to the real service.

    The floor is COPY of the same rows into tables with the same indexes, in the same run. The people are
    made up.

    ```
    ppo bench import
    ppo bench import --json --nominals 10000 --runs 5
    ```
    """
    return tell(_measures(sizes, runs), as_json=json)


async def _measures(sizes: list[int], runs: int) -> AsyncIterator[Measure]:
    with TemporaryDirectory(prefix="ppo-bench-") as home:
        for size in sizes:
            yield await _measured(Path(home), size, runs)


async def _measured(home: Path, size: int, runs: int) -> Measure:
    file = home / f"{size}.jsonl"
    output.say(f"{size:,} nominals: making them up")
    population.write_nominals(file, count=size)
    rates, floors = [], []
    async with started.suite("flagging") as data:
        for run in range(1, runs + 1):
            rates.append(size / await _imported(file, data))
            url = started.superuser(data)
            floors.append(size / bare.copied(url, "flagging", TABLES, home))
            bare.emptied(url, "flagging", TABLES)
            output.say(f"{size:,} nominals, run {run}: {rates[-1]:,.0f}/s, COPY {floors[-1]:,.0f}/s")
    file.unlink()
    return Measure(measure="import.rate", at={"nominals": size}, unit="1/s", values=rates, floors=floors)


async def _imported(file: Path, data: Path) -> float:
    began = time.perf_counter()
    async with session.Session(data, "importer", nominals.FORCE).flagging() as service:
        await loading.load(service, file, rows.Form.JSONL, "bench")
    return time.perf_counter() - began
