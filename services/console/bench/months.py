"""`ppo bench returns`: a month counted, sent and kept, beside a bare count for each measure."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from google.type.date_pb2 import Date

from deploy.embedded.services import REFERENCE
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import output, returns, session
from services.console.bench import started, years
from services.console.bench.measures import Measure, Runs, tell
from services.console.stop import Stop

PEOPLE = [10_000]
# One area, a region, and the nation as it was: 376 partnerships.
AREAS = [1, 10, 376]
# An area has as many OCUs as Birmingham, unless there are more areas than that.
FEWEST_OCUS = 9
MONTH, NEXT = Date(year=2009, month=12), datetime(2010, 1, 2, 9, tzinfo=UTC)
OFFICER = "returns_officer"

Sizes = Annotated[list[int], typer.Option("--ppos", min=100, help="How many PPOs; several times.")]
Parts = Annotated[list[int], typer.Option("--areas", min=1, help="In how many areas; several times.")]


def bench(sizes: Sizes = PEOPLE, areas: Parts = AREAS, runs: Runs = 3, json: output.AsJson = False) -> int:
    """Measures how long a month takes, all areas of it: counted, sent, checked and kept as a revision.

    The people have five years of history. The floor is one bare `count(*) ... GROUP BY` for each measure over
    the rows that it is counted of, in the same database and run.

    ```
    ppo bench returns
    ppo bench returns --json --ppos 10000 --areas 376 --runs 5
    ```
    """
    return tell(_measures(sizes, areas, runs), as_json=json)


async def _measures(sizes: Sequence[int], areas: Sequence[int], runs: int) -> AsyncIterator[Measure]:
    for size in sizes:
        for many in areas:
            with TemporaryDirectory(prefix="ppo-bench-") as home:
                yield await _measured(_reference(Path(home), many), size, many, runs)


async def _measured(reference: Path, size: int, many: int, runs: int) -> Measure:
    names, taken, floors = [f"area-{number}" for number in range(many)], [], []
    async with started.suite("tracking", "returns", reference=reference, clock_start=NEXT) as data:
        url = started.superuser(data)
        output.say(f"{size:,} PPOs with five years behind them: making them up")
        await asyncio.to_thread(years.write, url, size, _ocus(many))
        await _closed(data, names[:1])
        for run in range(1, runs + 1):
            taken.append(await _closed(data, names))
            floors.append(await asyncio.to_thread(years.counted, url))
            output.say(f"{many:,} areas, run {run}: {taken[-1]:.2f} s, bare {floors[-1]:.2f} s")
    at = {"ppos": size, "areas": many}
    return Measure(measure="returns.close_s", at=at, unit="s", values=taken, floors=floors)


async def _closed(data: Path, areas: Sequence[str]) -> float:
    """In how many seconds the month of all of them is a checked draft."""
    request = tracking.CloseMonthsRequest(request_id=session.request_id(), month=MONTH, areas=areas)
    async with session.Session(data, OFFICER, "bench").tracking() as service:
        began = time.perf_counter()
        async for one in service.CloseMonths(request, timeout=returns.CLOSE_SECONDS):
            if one.reason:
                raise Stop(f"{one.area}: {one.detail}")
        return time.perf_counter() - began


def _ocus(areas: int) -> list[str]:
    return [f"ocu-{number}" for number in range(max(areas, FEWEST_OCUS))]


def _reference(home: Path, areas: int) -> Path:
    """Birmingham's, with these areas and their OCUs besides."""
    shutil.copytree(REFERENCE.parent, home / "reference")
    directory = home / "reference" / REFERENCE.name
    ocus = _ocus(areas)
    with (directory / "ocus.toml").open("a", encoding="utf-8") as file:
        for ocu in ocus:
            file.write(f'\n[[ocus]]\nid = "{ocu}"\nfrom = 2004-04-01\nname = "{ocu}"\n')
    with (directory / "areas.toml").open("a", encoding="utf-8") as file:
        for number in range(areas):
            theirs = ", ".join(f'"{ocu}"' for ocu in ocus[number::areas])
            file.write(f'\n[[areas]]\nid = "area-{number}"\nfrom = 2004-04-01\nname = "Area {number}"\n')
            file.write(f'ocus = [{theirs}]\nplanned = 30\nregion = "region-{number % 10}"\n')
    return directory
