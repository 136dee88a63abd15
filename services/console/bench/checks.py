"""`ppo bench check`: checks a second and how long one takes, beside the same hops without the work."""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Annotated, Any, NamedTuple, TypeVar

import grpc
import psycopg
import typer

from deploy.embedded import ports, state
from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.console import imports, nominals, output, population, session, status
from services.console.bench import floor, started
from services.console.bench.measures import Measure, Runs, tell

FLAGGED = [300, 10_000, 100_000]
IN_FLIGHT = [1, 64]
SUITE = "E3"
SECONDS = 10
READY_SECONDS = 600
# How often it is said how far what is prepared has come.
SAY_SECONDS = 5.0
# Not flagged, and asked after nine times of ten.
OTHERS = 5_000
QUESTIONS = 1_000

Sizes = Annotated[list[int], typer.Option("--flagged", min=1, help="How many PPOs; several times.")]
Flights = Annotated[list[int], typer.Option("--in-flight", min=1, help="How many at once; several times.")]
Lasting = Annotated[float, typer.Option("--seconds", min=1, help="How long each is measured.")]

Call = Callable[[int], Awaitable[object]]
T = TypeVar("T")


class Point(NamedTuple):
    """One run of one call."""

    rate: float
    p50_ms: float
    p99_ms: float


class Hop(NamedTuple):
    """What is measured, and the bare call it is held against."""

    name: str
    call: Call
    floor: Call | None = None
    # Of each answer, whether the register itself gave it, in time.
    by_register: list[bool] | None = None


def bench(
    sizes: Sizes = FLAGGED,
    flights: Flights = IN_FLIGHT,
    seconds: Lasting = 5,
    runs: Runs = 3,
    json: output.AsJson = False,
) -> int:
    """Measures ScreenPerson and CheckPerson over gRPC: checks a second, half and 99 of 100 within how long.

    The floor has the same hops, with one SELECT in the place of the register and, for CheckPerson, one
    durable INSERT in the place of the decision. rpc.empty is a call that does nothing. check.by_register is
    the share of answers that the register itself gave in time; the others are the replica's.

    ```
    ppo bench check
    ppo bench check --json --flagged 300 --in-flight 64 --runs 5
    ```
    """
    return tell(_measures(sizes, flights, seconds, runs), as_json=json)


async def _measures(
    sizes: Sequence[int], flights: Sequence[int], seconds: float, runs: int
) -> AsyncIterator[Measure]:
    for flagged in sizes:
        async with started.suite("flagging", "custody") as data, AsyncExitStack() as stack:
            questions = await _filled(data, flagged)
            hops = [hop async for hop in _hops(data, questions, stack)]
            for in_flight in flights:
                for hop in hops:
                    at = {"flagged": flagged, "in_flight": in_flight}
                    async for measure in _measured(hop, at, seconds, runs):
                        yield measure


async def _measured(hop: Hop, at: dict[str, int], seconds: float, runs: int) -> AsyncIterator[Measure]:
    points, floors, shares = [], [], []
    # What the first call waits for (a process that still starts, a connection) is no part of any.
    await asyncio.gather(*(call(0) for call in (hop.call, hop.floor) if call))
    for run in range(1, runs + 1):
        points.append(await _driven(hop.call, at["in_flight"], seconds))
        shares += _share(hop.by_register)
        floors += [await _driven(hop.floor, at["in_flight"], seconds)] if hop.floor else []
        output.say(f"{hop.name} {at} run {run}: {points[-1].rate:,.0f}/s")
    for field, unit in (("rate", "1/s"), ("p50_ms", "ms"), ("p99_ms", "ms")):
        values, bare = ([getattr(point, field) for point in each] for each in (points, floors))
        yield Measure(measure=f"{hop.name}.{field}", at=at, unit=unit, values=values, floors=bare)
    if shares:
        yield Measure(measure=f"{hop.name}.by_register", at=at, unit="share", values=shares)


def _share(answered: list[bool] | None) -> list[float]:
    """Of the answers since the last time that this was asked."""
    if not answered:
        return []
    share = sum(answered) / len(answered)
    answered.clear()
    return [share]


async def _driven(call: Call, in_flight: int, seconds: float) -> Point:
    """So many at once, one after another, until the time is over."""
    took: list[float] = []
    numbers = itertools.count()
    began = time.perf_counter()

    async def drive() -> None:
        # Of one call alone there is no half and no hundredth.
        while (at := time.perf_counter()) < began + seconds or len(took) < 2:
            await call(next(numbers))
            took.append((time.perf_counter() - at) * 1000)

    await asyncio.gather(*(drive() for _ in range(in_flight)))
    hundredths = quantiles(took, n=100)
    return Point(len(took) / (time.perf_counter() - began), hundredths[49], hundredths[98])


# ---- what is asked


async def _filled(data: Path, flagged: int) -> list[person_pb2.Person]:
    """So many PPOs in the register and in custody's replica; whom to ask about, one PPO in ten."""
    many = 2 * flagged + OTHERS
    people = list(_counted(population.nominals(many, seed=flagged), "people made up", many))
    async with session.Session(data, "importer", nominals.FORCE).flagging() as register:
        await _sent(register.ImportNominals, _counted(_with_lines(people), "people imported", many))
        adults = [row.person for row in people if _adult(row.person)][:flagged]
        report = await _sent(
            register.ImportRegistrations, _counted(_registrations(adults), "PPOs imported", flagged)
        )
    assert report.created == flagged, report
    await _replicated(data, flagged)
    chance = Random(flagged)
    known = {person.identifiers[0].value for person in adults}
    others = [row.person for row in people if row.person.identifiers and not _known(row.person, known)]
    return [chance.choice(adults if chance.random() < 0.1 else others) for _ in range(QUESTIONS)]


def _counted(rows: Iterable[T], what: str, many: int) -> Iterator[T]:
    """The same, with a word now and then of how many have gone."""
    say = _now_and_then()
    for number, row in enumerate(rows, start=1):
        yield row
        say(f"{number:,} of {many:,} {what}")


def _now_and_then() -> Callable[[str], None]:
    said = time.monotonic()

    def say(line: str) -> None:
        nonlocal said
        if time.monotonic() >= said + SAY_SECONDS:
            output.say(line)
            said = time.monotonic()

    return say


def _known(person: person_pb2.Person, numbers: set[str]) -> bool:
    return any(identifier.value in numbers for identifier in person.identifiers)


def _adult(person: person_pb2.Person) -> bool:
    return 1930 < person.birth_date.year < 1980 and len(person.identifiers) > 0


def _with_lines(
    people: Sequence[flagging_pb2.ImportNominalsRequest],
) -> Iterator[flagging_pb2.ImportNominalsRequest]:
    request_id = str(uuid.uuid4())
    for line, row in enumerate(people, start=1):
        row.request_id, row.source, row.line = request_id, "bench", line
        yield row


def _registrations(
    adults: Sequence[person_pb2.Person],
) -> Iterator[flagging_pb2.ImportRegistrationsRequest]:
    request_id = str(uuid.uuid4())
    for line, person in enumerate(adults, start=1):
        row = flagging_pb2.ImportRegistrationsRequest(
            request_id=request_id,
            source="bench",
            source_reference=str(line),
            line=line,
            identifier=person.identifiers[0],
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            criteria=[flagging_pb2.CRITERION_VOLUME],
            nominating_ocu="E3",
        )
        row.effective_start_time.FromDatetime(datetime(2004, 9, 6, tzinfo=UTC))
        yield row


async def _sent(method: Callable[..., Any], rows: Iterator[Any]) -> flagging_pb2.ImportReport:
    call = method(timeout=session.STREAM_SECONDS)
    for row in rows:
        if not await imports.sent(call, row):
            break
    await imports.sent(call, None)
    report: flagging_pb2.ImportReport = (await call).report
    return report


async def _replicated(data: Path, flagged: int) -> None:
    say = _now_and_then()
    async with asyncio.timeout(READY_SECONDS):
        while (held := await asyncio.to_thread(_replica, data)) != (flagged, 1):
            say(f"{held[0]:,.0f} of {flagged:,} PPOs in custody's replica")
            # Nothing tells of a metric's change, so it is asked this often.
            await asyncio.sleep(0.2)


def _replica(data: Path) -> tuple[float, float]:
    """How many it holds, and whether it is whole."""
    running = state.read(data)
    assert running is not None
    values, _ = status.measured(status.scraped(running.processes["custody"].ports["custody's metrics"]))
    return values.get("ppo_custody_replica_flagged", 0), values.get("ppo_custody_replica_whole", 0)


# ---- the calls


async def _hops(
    data: Path, questions: Sequence[person_pb2.Person], stack: AsyncExitStack
) -> AsyncIterator[Hop]:
    bare = await stack.enter_async_context(_floor(data))
    register = await stack.enter_async_context(session.Session(data, "service_custody", "custody").flagging())
    desk = await stack.enter_async_context(session.Session(data, "custody_officer", SUITE).custody())
    arrest = policy_pb2.PURPOSE_ARREST

    async def screen(number: int) -> object:
        person = questions[number % len(questions)]
        request = flagging_pb2.ScreenPersonRequest(person=person, purpose=arrest)
        return await register.ScreenPerson(request, timeout=SECONDS)

    by_register: list[bool] = []

    async def check(number: int) -> object:
        person = questions[number % len(questions)]
        request = custody_pb2.CheckPersonRequest(person=person, suite_id=SUITE, purpose=arrest)
        said = await desk.CheckPerson(request, timeout=SECONDS)
        by_register.append(said.answer.basis == custody_pb2.BASIS_REGISTER)
        return said

    yield Hop("rpc.empty", bare["Empty"])
    yield Hop("screen", screen, bare["Select"])
    yield Hop("check", check, bare["Check"], by_register)


@asynccontextmanager
async def _floor(data: Path) -> AsyncIterator[dict[str, Call]]:
    """The bare calls: of one process, and of one that calls another."""
    url = started.superuser(data)
    with psycopg.connect(url) as connection:
        connection.execute(floor.TABLE)
    behind, before = (f"{ports.HOST}:{ports.free()}" for _ in range(2))
    async with AsyncExitStack() as stack:
        for arguments in ([behind, url], [before, url, behind]):
            await stack.enter_async_context(_process(arguments))
        wire = await stack.enter_async_context(grpc.aio.insecure_channel(before))
        yield {name: _bare(wire, name) for name in ("Empty", "Select", "Check")}


@asynccontextmanager
async def _process(arguments: Sequence[str]) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "services.console.bench.floor", *arguments]
    running = await asyncio.create_subprocess_exec(*command)
    try:
        yield
    finally:
        running.kill()
        await running.wait()


def _bare(wire: grpc.aio.Channel, name: str) -> Call:
    call: Any = wire.unary_unary(f"/{floor.SERVICE}/{name}")

    async def bare(_: int) -> object:
        return await call(b"", timeout=SECONDS, wait_for_ready=True)

    return bare
