"""`ppo bench returns`: a month counted, sent and kept, beside a bare count for each measure."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
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
LAST, NEXT = Date(year=2009, month=12), datetime(2010, 1, 2, 9, tzinfo=UTC)
OFFICER = "returns_officer"

Sizes = Annotated[list[int], typer.Option("--ppos", min=100, help="How many PPOs; several times.")]
Load = Annotated[int, typer.Option("--months", min=0, max=60, help="A load of so many months instead.")]
Parts = Annotated[list[int], typer.Option("--areas", min=1, help="In how many areas; several times.")]


def bench(
    sizes: Sizes = PEOPLE,
    areas: Parts = AREAS,
    months: Load = 0,
    runs: Runs = 3,
    json: output.AsJson = False,
) -> int:
    """Measures how long a month takes, all areas of it: counted, sent, checked and kept as a revision.

    The people have five years of history. The floor is one bare `count(*) ... GROUP BY` for each measure over
    all rows of the kind that it is counted of, in the same database and run; of several areas a second line
    has the same times beside such statements grouped by area as well. With --months it is one month after
    the other, the earliest first, each held against the one before.

    ```
    ppo bench returns
    ppo bench returns --json --ppos 10000 --areas 376 --runs 5
    ppo bench returns --areas 376 --months 60
    ```
    """
    return tell(_measures(sizes, areas, months, runs), as_json=json)


async def _measures(
    sizes: Sequence[int], areas: Sequence[int], months: int, runs: int
) -> AsyncIterator[Measure]:
    for size in sizes:
        for many in areas:
            async with _made_up(size, many) as data:
                at = {"ppos": size, "areas": many}
                if months:
                    yield await _loaded(data, at, months)
                else:
                    for measure in await _measured(data, at, runs):
                        yield measure


@asynccontextmanager
async def _made_up(size: int, many: int) -> AsyncIterator[Path]:
    with TemporaryDirectory(prefix="ppo-bench-") as home:
        reference = _reference(Path(home), many)
        async with started.suite("tracking", "returns", reference=reference, clock_start=NEXT) as data:
            output.say(f"{size:,} PPOs with five years behind them: making them up")
            await asyncio.to_thread(years.write, started.superuser(data), size, _ocus(many), many)
            yield data


async def _measured(data: Path, at: Mapping[str, int], runs: int) -> list[Measure]:
    taken, floors, by_area = [], [], []
    # The first statement of a connection is not like the others.
    await _closed(data, _names(1), LAST)
    for run in range(1, runs + 1):
        taken.append(await _closed(data, _names(at["areas"]), LAST))
        floors.append(await _bare(data, years.PLAIN))
        by_area.append(await _bare(data, years.BY_AREA))
        words = f"{taken[-1]:.2f} s, bare {floors[-1]:.2f} s, by area {by_area[-1]:.2f} s"
        output.say(f"{at['areas']:,} areas, run {run}: {words}")
    found = [Measure(measure="returns.close_s", at=at, unit="s", values=taken, floors=floors)]
    if at["areas"] > 1:
        found.append(
            Measure(measure="returns.close_by_area_s", at=at, unit="s", values=taken, floors=by_area)
        )
    return found


async def _loaded(data: Path, at: Mapping[str, int], months: int) -> Measure:
    """All those months, the time of each."""
    taken, floors = [], []
    for month in _before(LAST, months):
        taken.append(await _closed(data, _names(at["areas"]), month))
        floors.append(await _bare(data, years.PLAIN))
        output.say(f"{returns.words(month)}: {taken[-1]:.2f} s, bare {floors[-1]:.2f} s")
    output.say(f"{months} months: {sum(taken):.1f} s, bare {sum(floors):.1f} s")
    return Measure(
        measure="returns.load_s", at={**at, "months": months}, unit="s", values=taken, floors=floors
    )


async def _bare(data: Path, statements: Sequence[str]) -> float:
    return await asyncio.to_thread(years.counted, started.superuser(data), statements)


def _before(last: Date, months: int) -> list[Date]:
    """So many of them, `last` the last."""
    numbers = range(last.year * 12 + last.month - months, last.year * 12 + last.month)
    return [Date(year=number // 12, month=number % 12 + 1) for number in numbers]


async def _closed(data: Path, areas: Sequence[str], month: Date) -> float:
    """In how many seconds the month of all of them is a checked draft."""
    request = tracking.CloseMonthsRequest(request_id=session.request_id(), month=month, areas=areas)
    async with session.Session(data, OFFICER, "bench").tracking() as service:
        began = time.perf_counter()
        async for one in service.CloseMonths(request, timeout=returns.CLOSE_SECONDS):
            if one.reason:
                raise Stop(f"{one.area}: {one.detail}")
        return time.perf_counter() - began


def _names(areas: int) -> list[str]:
    return [f"area-{number}" for number in range(areas)]


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
    with (directory / "suites.toml").open("a", encoding="utf-8") as file:
        for ocu in ocus:
            file.write(f'\n[[suites]]\nid = "suite-{ocu}"\nfrom = 2004-04-01\nname = "{ocu}"\n')
            file.write(f'ocu = "{ocu}"\ncontrol_room = "west-midlands-police"\n')
    with (directory / "areas.toml").open("a", encoding="utf-8") as file:
        for number in range(areas):
            theirs = ", ".join(f'"{ocu}"' for ocu in ocus[number::areas])
            file.write(f'\n[[areas]]\nid = "area-{number}"\nfrom = 2004-04-01\nname = "Area {number}"\n')
            file.write(f'ocus = [{theirs}]\nplanned = 30\nregion = "region-{number % 10}"\n')
    return directory
