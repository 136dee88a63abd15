"""`ppo bench ownership`: decisions a second, and that at every instant each PPO has exactly one owner."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from google.protobuf.message import Message

from deploy.embedded import clock
from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceStub
from services.console import output, session
from services.console.bench import bare, lives, started
from services.console.bench.lives import Told
from services.console.bench.measures import Measure, Runs, tell
from services.runtime.broker import Producer, Record
from services.runtime.channel import CallError

TOPICS: dict[type[Message], str] = {
    flagging.Flag: "ppo.flagging.flags.v1",
    custody.PpoArrested: "ppo.custody.arrests.v1",
    movement_pb2.Movement: "ppo.tracking.movements.v1",
}
# The two years are lived through in so many parts: what has become due in one is decided before the next.
PARTS = 4
AT_ONCE = 1_000
# What falls due meanwhile holds its people for a moment: whoever meets them asks again.
IN_FLIGHT = 8
TRIES = 5
LOOK_SECONDS = 0.25
CALL_SECONDS = 30.0
FACTS = "SELECT count(*) FROM tracking.fact"
DUE = "SELECT count(*) FROM tracking.due WHERE due_time <= %s"
# Everybody has read what they were told: how lateness rises is measured elsewhere.
READ = (
    "UPDATE tracking.delivery SET acknowledged_time = recorded_time"
    " WHERE acknowledged_time IS NULL AND due_time IS NOT NULL"
)
PATIENCE_SECONDS = 1_800
AUDIT_SECONDS = 600

Count = Annotated[int, typer.Option("--people", min=10, help="How many PPOs.")]


class Run(NamedTuple):
    rate: float
    pure: float
    breaches: int
    differing: int


def bench(people: Count = 10_000, runs: Runs = 1, json: output.AsJson = False) -> int:
    """Measures how many ownerships a second the real service decides and keeps, and counts breaches: 0.

    Made-up PPOs live through two years of moves, arrests, receptions and releases, which tracking is told
    late and out of order, in events and calls; time itself decides as well. A decision is a row of the
    history. The floor is the bare pure function over the same facts. A breach is an instant without exactly
    one owner, a differing case one whose history is not what its facts make.

    ```
    ppo bench ownership
    ppo bench ownership --json --people 1000
    ```
    """
    return tell(_measures(people, runs), as_json=json)


async def _measures(people: int, runs: int) -> AsyncIterator[Measure]:
    found = [await _run(people, run) for run in range(1, runs + 1)]
    at = {"people": people}
    rates, floors = [one.rate for one in found], [one.pure for one in found]
    yield Measure(measure="ownership.rate", at=at, unit="1/s", values=rates, floors=floors)
    for name in ("breaches", "differing"):
        values = [getattr(one, name) for one in found]
        yield Measure(measure=f"ownership.{name}", at=at, unit="count", values=values)


async def _run(people: int, run: int) -> Run:
    output.say(f"{people:,} people: making up two years of their lives")
    told = lives.told(people, run)
    async with started.suite("tracking", "returns", clock_start=lives.BEGIN) as data:
        place = Place(data, Producer(*session.kafka(data)))
        try:
            return await _lived(place, told, run)
        finally:
            await place.producer.close()


async def _lived(place: "Place", told: Sequence[Told], run: int) -> Run:
    seconds, checks = 0.0, []
    for until, part in _parts(told):
        began = time.perf_counter()
        await place.tell(part, until)
        seconds += time.perf_counter() - began
        checks.append(await place.check())
        output.say(f"run {run}, until {until:%-d %B %Y}: {len(part):,} facts, {checks[-1].breaches} breaches")
    decided = place.count("SELECT count(*) FROM tracking.ownership")
    pure = sum(one.decisions for one in checks) / sum(one.decide_seconds for one in checks)
    breaches, differing = (sum(getattr(one, name) for one in checks) for name in ("breaches", "differing"))
    return Run(decided / seconds, pure, breaches, differing)


def _parts(told: Sequence[Told]) -> Iterator[tuple[datetime, list[Told]]]:
    length = (lives.END - lives.BEGIN) / PARTS
    edges = [lives.BEGIN + place * length for place in range(PARTS + 1)]
    for start, end in pairwise(edges):
        yield end, [one for one in told if start <= one.at < end]


class Place:
    """A suite that lives in the time of the made-up people, and all that it has been told."""

    def __init__(self, data: Path, producer: Producer) -> None:
        self._data = data
        self.producer = producer
        self._facts = self._versions = 0

    async def tell(self, part: Sequence[Told], until: datetime) -> None:
        """Returns once it has been taken, and all that is due by then is decided."""
        await asyncio.to_thread(self._write, READ)
        clock.move(self._data, until)
        flags = [one for one in part if type(one.fact) is flagging.Flag]
        events = [one for one in part if type(one.fact) in TOPICS and type(one.fact) is not flagging.Flag]
        calls = [one for one in part if type(one.fact) not in TOPICS]
        # A second one of a person counts 2 in the place of 1.
        self._versions += len(flags)
        await self._send(flags)
        await self._until("SELECT coalesce(sum(flag_version), 0) FROM tracking.person", self._versions)
        # A batch holds its people until it is taken, and no call waits for a lock that long.
        self._facts += len(events)
        await self._send(events)
        await self._until(FACTS, self._facts)
        await self._until(DUE, 0, clock.now(self._data))
        self._facts += len(calls)
        await self._call(calls)
        await self._until(FACTS, self._facts)
        await self._until(DUE, 0, clock.now(self._data))

    async def check(self) -> tracking.CheckOwnershipsResponse:
        async with session.Session(self._data, "ops", "bench").tracking() as service:
            return await service.CheckOwnerships(tracking.CheckOwnershipsRequest(), timeout=AUDIT_SECONDS)

    def count(self, statement: str, *values: object) -> int:
        with bare.connection(started.superuser(self._data)) as connection:
            row: Any = connection.execute(statement.encode(), values).fetchone()
        return int(row[0])

    def _write(self, statement: str) -> None:
        with bare.connection(started.superuser(self._data)) as connection:
            connection.execute(statement.encode())

    async def _send(self, events: Sequence[Told]) -> None:
        for start in range(0, len(events), AT_ONCE):
            sent = await self.producer.send([_record(one) for one in events[start : start + AT_ONCE]])
            assert all(sent), "Kafka has not taken everything"

    async def _call(self, calls: Sequence[Told]) -> None:
        waiting = iter(calls)
        manager = session.Session(self._data, "police_offender_manager", "E3")
        prison = session.Session(self._data, "prison_offender_management_unit", "BMI")
        async with manager.tracking() as outside, prison.tracking() as inside:
            await asyncio.gather(*(_called(outside, inside, waiting) for _ in range(IN_FLIGHT)))

    async def _until(self, statement: str, wanted: int, *values: object) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := await asyncio.to_thread(self.count, statement, *values)) != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{statement}: {found}, not {wanted}")
            await asyncio.sleep(LOOK_SECONDS)


async def _called(outside: TrackingServiceStub, inside: TrackingServiceStub, waiting: Iterator[Told]) -> None:
    for one in waiting:
        if isinstance(one.fact, tracking.SetResidenceRequest):
            await _again(outside.SetResidence, one.fact)
        elif isinstance(one.fact, tracking.PlanReleaseRequest):
            await _again(inside.PlanRelease, one.fact)


async def _again(call: Any, request: Message) -> None:
    """The same request, whose id makes it the same change however often it is asked for."""
    for left in reversed(range(TRIES)):
        try:
            await call(request, timeout=CALL_SECONDS)
            return
        except CallError as refused:
            if refused.code().name != "UNAVAILABLE" or not left:
                raise


def _record(one: Told) -> Record:
    key = one.prison_number if isinstance(one.fact, movement_pb2.Movement) else one.nominal_id
    headers = {
        "ce_id": str(uuid.uuid4()),
        "ce_type": one.fact.DESCRIPTOR.full_name,
        "ce_source": "/bench",
    }
    return Record(TOPICS[type(one.fact)], key, one.fact.SerializeToString(), headers)
