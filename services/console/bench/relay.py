"""`ppo bench relay`: movements a second and how long until their notices, beside consuming and producing."""

import asyncio
import json as jsons
import sys
import uuid
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, NamedTuple

import psycopg
import typer
from casework.v1 import casework_pb2 as casework
from google.protobuf.message import Message

from deploy.embedded import state
from deploy.embedded.ports import HOST
from deploy.embedded.services import REFERENCE, TOPICS
from deploy.embedded.topics import topics
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import movement_pb2, notice_pb2
from services.console import output
from services.console.bench import crowd, started
from services.console.bench.measures import Measure, Runs, tell
from services.console.bench.stream import Headers, Sent, Stream, until

PEOPLE = [1_000, 100_000]
CONSUMERS = [1, 2, 4]
FLAGS, MOVEMENTS, GROUP = "ppo.flagging.flags.v1", "ppo.tracking.movements.v1", "tracking"
BARE, BARE_GROUP = "bench.movements", "bench"
# So many come by the flags topic; the rest are copies of one of them.
TOLD = 1_000
# Two batches of a consumer: one that is taken, one that waits.
WINDOW = 1_000
SAMPLE = 200
FIRST = datetime.now(UTC).replace(microsecond=0) - timedelta(days=300)

Sizes = Annotated[list[int], typer.Option("--people", min=100, help="How many PPOs; several times.")]
Members = Annotated[list[int], typer.Option("--consumers", min=1, help="How many at once; several times.")]
Counts = Annotated[int, typer.Option("--movements", min=500, help="How many are measured each time.")]

Row = tuple[str, bytes, Headers]


class Point(NamedTuple):
    """One run at one load."""

    rate: float
    p50_ms: float
    p99_ms: float


def bench(
    sizes: Sizes = PEOPLE,
    members: Members = CONSUMERS,
    movements: Counts = 1_000,
    runs: Runs = 3,
    json: output.AsJson = False,
) -> int:
    """Measures movements a second, and how long one takes from Kafka until Kafka has its last notice.

    Full load is as many as are taken, half is half of that. The floor takes the same movements from Kafka and
    sends the same notices with kafka-python, with nothing between, at its own full and half load.

    ```
    ppo bench relay
    ppo bench relay --json --people 1000 --consumers 1 --runs 5
    ```
    """
    return tell(_measures(sizes, members, movements, runs), as_json=json)


async def _measures(
    sizes: Sequence[int], members: Sequence[int], movements: int, runs: int
) -> AsyncIterator[Measure]:
    for size in sizes:
        async with started.suite("tracking", "returns") as data, AsyncExitStack() as stack:
            relay = await Relay.open(data, size, stack)
            for count in members:
                async with started.replicas(data, "tracking", count - 1), relay.loops(count):
                    async for measure in _measured(relay, count, movements, runs):
                        yield measure


async def _measured(relay: "Relay", consumers: int, movements: int, runs: int) -> AsyncIterator[Measure]:
    points: dict[str, list[tuple[Point, Point]]] = {"full": [], "half": []}
    for run in range(1, runs + 1):
        for load, measured in points.items():
            rates = [median(one.rate for one in each) / 2 for each in zip(*points["full"], strict=True)]
            own, bare = rates if load == "half" else (0.0, 0.0)
            point = await relay.driven(movements, consumers, own)
            floor = await relay.driven_bare(movements, consumers, bare)
            measured.append((point, floor))
            told = f"{point.rate:,.0f}/s, p99 {point.p99_ms:,.0f} ms; bare {floor.rate:,.0f}/s"
            output.say(f"{relay.size:,} people, {consumers} consumers, {load} load, run {run}: {told}")
    for load, measured in points.items():
        at: dict[str, int | float | str] = {"consumers": consumers, "people": relay.size, "load": load}
        for field, unit in (("rate", "1/s"), ("p50_ms", "ms"), ("p99_ms", "ms")):
            values, floors = ([getattr(one, field) for one in each] for each in zip(*measured, strict=True))
            yield Measure(measure=f"relay.{field}", at=at, unit=unit, values=values, floors=floors)


class Relay:
    """A suite whose register is full, and the same topics once more for what is bare."""

    def __init__(self, data: Path, size: int, stream: Stream, servers: str) -> None:
        self.size = size
        self._data = data
        self._stream = stream
        self._servers = servers
        self._people = [Person(number) for number in range(size)]
        self._told = 0
        self._notices = [name for name in topics(TOPICS, REFERENCE).by_name if _is_notice(name)]

    @classmethod
    async def open(cls, data: Path, size: int, stack: AsyncExitStack) -> "Relay":
        running = state.read(data)
        assert running is not None
        servers = f"{HOST}:{running.processes['kafka'].ports['kafka']}"
        stream = Stream(servers)
        stack.callback(stream.close)
        relay = cls(data, size, stream, servers)
        await asyncio.to_thread(relay._fill)
        return relay

    def _fill(self) -> None:
        self._stream.stamp([MOVEMENTS, *self._notices])
        output.say(f"{self.size:,} people: telling tracking of them")
        told, others = self._people[:TOLD], self._people[TOLD:]
        self._stream.send(FLAGS, [_row(one.nominal_id, one.flag()) for one in told])
        until(lambda: self._stream.committed(GROUP, FLAGS) >= len(told) and self._drained())
        crowd.copy(started.superuser(self._data), told[0].names, (one.names for one in others))
        ends = self._stream.ends(self._notices)
        self._stream.send(MOVEMENTS, self._rows(SAMPLE))
        until(lambda: self._stream.committed(GROUP, MOVEMENTS) >= SAMPLE and self._drained())
        sample = _of_each(self._stream.since(ends))
        names = {record.topic for records in sample.values() for record in records}
        self._stream.create({BARE: 12, **{f"bench.{name}": 3 for name in names}})
        self._stream.stamp([BARE, *(f"bench.{name}" for name in names)])
        self._bare = [f"bench.{name}" for name in sorted(names)]
        lines = [jsons.dumps([_told(record) for record in records]) for records in sample.values()]
        self._sample.write_text("\n".join(lines))

    @property
    def _sample(self) -> Path:
        return self._data / "sample.jsonl"

    def _drained(self) -> bool:
        with psycopg.connect(started.superuser(self._data)) as connection:
            waiting = "SELECT EXISTS (SELECT FROM tracking.outbox WHERE sent_time IS NULL)"
            [(found,)] = connection.execute(waiting).fetchall()
        return not found

    def _rows(self, count: int) -> list[Row]:
        """The next movements: everybody is received, then everybody released, and so on."""
        told = range(self._told, self._told + count)
        self._told += count
        return [_row(*self._people[each % self.size].moved(each, each // self.size)) for each in told]

    @asynccontextmanager
    async def loops(self, count: int) -> AsyncIterator[None]:
        """So many bare consumers, and as many of the suite's own, all joined."""
        script = [sys.executable, "-m", "services.console.bench.loop", self._servers, BARE_GROUP]
        running = [
            await asyncio.create_subprocess_exec(*script, str(each), BARE, str(self._sample))
            for each in range(count)
        ]
        try:
            groups = (GROUP, BARE_GROUP)
            await asyncio.to_thread(
                until, lambda: all(self._stream.members(group) == count for group in groups)
            )
            yield
        finally:
            for each in running:
                each.kill()
                await each.wait()

    async def driven(self, count: int, consumers: int, rate: float) -> Point:
        rows = self._rows(count)
        return await asyncio.to_thread(self._drive, MOVEMENTS, GROUP, rows, consumers, rate)

    async def driven_bare(self, count: int, consumers: int, rate: float) -> Point:
        rows = self._rows(count)
        self._told -= count
        return await asyncio.to_thread(self._drive, BARE, BARE_GROUP, rows, consumers, rate)

    def _drive(self, topic: str, group: str, rows: Sequence[Row], consumers: int, rate: float) -> Point:
        names = self._notices if group == GROUP else self._bare
        before, ends = self._stream.ends([topic]), self._stream.ends(names)
        done = self._stream.committed(group, topic) + len(rows)
        if rate:
            self._stream.send(topic, rows, rate)
        else:
            self._stream.feed(topic, group, rows, WINDOW * consumers)
        until(lambda: self._stream.committed(group, topic) >= done and self._drained())
        told = {_about(one): one.time for one in self._stream.since(before)}
        last: dict[str, float] = defaultdict(float)
        for one in self._stream.since(ends):
            last[_about(one)] = max(last[_about(one)], one.time)
        assert set(last) == set(told), "every movement has its notices"
        hundredths = quantiles([(last[one] - at) * 1000 for one, at in told.items()], n=100)
        taken = max(last.values()) - min(told.values())
        return Point(len(rows) / taken, hundredths[49], hundredths[98])


class Person(NamedTuple):
    number: int

    @property
    def nominal_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"bench {self.number}"))

    @property
    def registration_id(self) -> str:
        return f"bench {self.number:07}"

    @property
    def names(self) -> tuple[str, ...]:
        return self.nominal_id, self.prison_number, self.registration_id

    @property
    def prison_number(self) -> str:
        letters = [chr(ord("A") + self.number // 10_000 // power % 26) for power in (26, 1)]
        return f"A{self.number % 10_000:04d}{''.join(letters)}"

    def flag(self) -> flagging.Flag:
        identifier = person_pb2.Identifier(
            kind=person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, value=self.prison_number
        )
        flag = flagging.Flag(
            nominal_id=self.nominal_id,
            version=self.number + 1,
            state=screening_pb2.FLAG_STATE_FLAGGED,
            person=person_pb2.Person(
                name=person_pb2.Name(given_name="Wilfred", family_name="Tadcaster"), identifiers=[identifier]
            ),
            epoch="bench",
        )
        flag.person.birth_date.year, flag.person.birth_date.month, flag.person.birth_date.day = 1980, 3, 12
        episode = flag.episodes.add(
            registration_id=self.registration_id,
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            nominating_ocu="E3",
        )
        for time in (flag.recorded_time, episode.effective_start_time, episode.recorded_time):
            time.FromDatetime(FIRST - timedelta(days=60))
        return flag

    def moved(self, serial: int, before: int) -> tuple[str, movement_pb2.Movement]:
        """`before`: how often they have moved before. No two movements are of one second."""
        inwards = before % 2 == 0
        movement = movement_pb2.Movement(
            movement_id=f"bench {serial}",
            prison_number=self.prison_number,
            kind=movement_pb2.MOVEMENT_KIND_RECEPTION if inwards else movement_pb2.MOVEMENT_KIND_RELEASE,
            reason_code="N" if inwards else "CR",
            prison_id="BMI",
            source="bench",
        )
        movement.occurred_time.FromDatetime(FIRST + timedelta(seconds=serial))
        return self.prison_number, movement


def _row(key: str, message: Message) -> Row:
    told = {"ce_id": str(uuid.uuid4()), "ce_type": message.DESCRIPTOR.full_name, "ce_source": "/bench"}
    return key, message.SerializeToString(), [(name, text.encode()) for name, text in told.items()]


def _is_notice(topic: str) -> bool:
    return topic.startswith(("ppo.notices.", "casework."))


def _about(record: Sent) -> str:
    """Of a movement and of its notices the same; a bare one says it in a header."""
    for name, text in record.headers:
        if name == "of":
            return text.decode()
    if record.topic == BARE:
        return f"{record.partition}/{record.offset}"
    if record.topic == MOVEMENTS:
        return movement_pb2.Movement.FromString(record.value).occurred_time.ToJsonString()
    if record.topic.startswith("casework."):
        return casework.CaseNotice.FromString(record.value).needed_time.ToJsonString()
    return notice_pb2.Notice.FromString(record.value).movement.occurred_time.ToJsonString()


def _of_each(records: Iterator[Sent]) -> dict[str, list[Sent]]:
    found: dict[str, list[Sent]] = defaultdict(list)
    for record in records:
        found[_about(record)].append(record)
    return found


def _told(record: Sent) -> dict[str, object]:
    return {
        "topic": f"bench.{record.topic}",
        "key": record.key,
        "value": b64encode(record.value).decode(),
        "headers": [(name, text.decode()) for name, text in record.headers],
    }
