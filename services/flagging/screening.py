"""The check: the flagged set in memory, brought up to what is committed when the check begins."""

import asyncio
import heapq
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from prometheus_client import Counter, Gauge

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import flags, nominals
from services.flagging.nominals import Key
from services.flagging.store import flags as store
from services.flagging.store.flags import Holder, Reading
from services.people import screening
from services.people.flags import next_turn
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Unavailable

CHECKS = Counter("ppo_flagging_checks", "Checks answered by the register.", ["outcome"])
FLAGGED = Gauge(
    "ppo_flagging_persons_flagged", "Persons who are PPOs, as this replica of the register knows."
)
VERSION = Gauge("ppo_flagging_register_version", "The register's version that this replica has.")
THRESHOLD = Gauge("ppo_flagging_threshold_bits", "From how many bits on a match is POSSIBLE.")

# Longer than any reading of one page takes; a connection that hangs must not hold up the checks behind it.
READ_SECONDS = 1.0
# A check may come while one reading is under way, and waits for the next.
WAIT_SECONDS = 2 * READ_SECONDS
IDLE_SECONDS = 1.0
# To place as many takes a quarter of a second, in which no other check is answered.
MOST_AT_ONCE = 5_000
# Of the loop, in each of which one more check may come.
MOST_TURNS = 16

Answered = tuple[screening_pb2.Screening, list[Holder]]


class Moment(NamedTuple):
    """What one reading brought, beside the flags."""

    holders: dict[Key, list[Holder]]
    time: datetime


class FlaggedNow:
    """Who is flagged, as of the last reading; a planned end takes effect at its instant by itself."""

    def __init__(self) -> None:
        self.people = screening.FlaggedSet()
        self.epoch = ""
        self.version = 0
        # By whom time alone will change, and the first instants at which it may.
        self._turns: dict[str, tuple[datetime, events_pb2.Flag]] = {}
        self._next: list[tuple[datetime, str]] = []

    def apply(self, reading: Reading, now: datetime) -> None:
        self.epoch, self.version = reading.epoch, reading.version
        for flag in reading.flags:
            self._place(flag, now)

    def turn(self, now: datetime) -> None:
        while self._next and self._next[0][0] <= now:
            _, nominal_id = heapq.heappop(self._next)
            instant, flag = self._turns.get(nominal_id, (None, None))
            if flag is not None and instant is not None and instant <= now:
                self._place(flag, now)

    def _place(self, flag: events_pb2.Flag, now: datetime) -> None:
        candidate = flags.candidate(flag, now)
        if candidate is None:
            self.people.drop(flag.nominal_id)
        else:
            self.people.put(candidate, flag.merged_persons)
        turn = next_turn(now, flags.spans(flag))
        if turn is None:
            self._turns.pop(flag.nominal_id, None)
        else:
            self._turns[flag.nominal_id] = turn, flag
            heapq.heappush(self._next, (turn, flag.nominal_id))


class Screening:
    """Raises Unavailable whenever the register cannot be read: what is in memory never answers by itself."""

    def __init__(self, database: Database, clock: Clock, false_alarms: float) -> None:
        self._line = database.line()
        self._clock = clock
        self._false_alarms = false_alarms
        self._flagged = FlaggedNow()
        self._held = asyncio.Event()
        self._asked: set[Key] | None = None
        # How often the register was asked for.
        self._asks = 0
        self._reading: asyncio.Task[Moment] | None = None

    async def screen(self, given: person_pb2.Person, *, fingerprint: bool) -> screening_pb2.Screening:
        """`given` has its identifiers in canonical form."""
        moment = await self.refresh(nominals.keys(given))
        answer, _ = self._answer(given, moment, fingerprint=fingerprint)
        CHECKS.labels(screening_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_")).inc()
        return answer

    async def screen_all(self, given: Sequence[person_pb2.Person]) -> list[Answered]:
        """Of one reading, or a later one; a check that comes meanwhile does not wait for all of them."""
        moment = await self.refresh({key for person in given for key in nominals.keys(person)})
        answers = []
        for person in given:
            answers.append(self._answer(person, moment, fingerprint=False))
            await asyncio.sleep(0)
        return answers

    def candidates(
        self, given: person_pb2.Person, nominal_ids: Iterable[str]
    ) -> list[screening_pb2.Candidate]:
        """Those of them who are PPOs now, with the evidence; best first."""
        people = self._flagged.people
        question = people.index.question(given)
        found = [people.explain(question, one) for one in nominal_ids if one in people]
        return people.candidates(given, found, len(found))

    async def refresh(self, keys: Collection[Key] = ()) -> Moment:
        """Reads the register after this call: who comes while it is being read shares the next reading."""
        if self._asked is None or self._reading is None:
            self._asked = set()
            self._reading = asyncio.create_task(self._read_after(self._reading))
            # Heard here too, for whoever asked may have gone.
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._asked.update(keys)
        self._asks += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await asyncio.shield(self._reading)
        except TimeoutError:
            raise Unavailable("register", "is still being read") from None

    async def probe(self) -> None:
        """Returns once the register has been read."""
        await self._held.wait()

    async def run(self) -> None:
        """Keeps the set near the register while nobody asks, so that the next check has little to read."""
        while True:
            with suppress(Unavailable):
                await self.refresh()
            await asyncio.sleep(IDLE_SECONDS)

    def _answer(self, given: person_pb2.Person, moment: Moment, *, fingerprint: bool) -> Answered:
        holders = _of(nominals.keys(given), moment)
        self._flagged.turn(self._clock.now())
        answer = screening.screen(
            given,
            fingerprint=fingerprint,
            flagged=self._flagged.people,
            holders=holders,
            authoritative=True,
            false_alarms=self._false_alarms,
        )
        answer.register_version = self._flagged.version
        answer.register_time.FromDatetime(moment.time)
        return answer, holders

    async def _read_after(self, earlier: "asyncio.Task[Moment] | None") -> Moment:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
            await self._gather()
        asked, self._asked = self._asked or set(), None
        reading = await self._read_on(self._flagged, asked)
        if reading is None:
            self._flagged, reading = await self._read_anew(asked)
        self._flagged.apply(reading, self._clock.now())
        if reading.flags or not self._held.is_set():
            self._measure()
        self._held.set()
        return Moment(reading.holders, reading.time)

    async def _gather(self) -> None:
        """While checks come one upon another they wait for each other: one reading does for all of them."""
        for _ in range(MOST_TURNS):
            asks = self._asks
            await asyncio.sleep(0)
            if self._asks == asks:
                return

    async def _read_on(self, held: FlaggedNow, asked: Collection[Key]) -> Reading | None:
        """All that has changed; None where so much has, or all of it, that it is better read anew.

        No part is applied before the others: of two nominals that were merged, one might be missing.
        """
        flags: list[events_pb2.Flag] = []
        version = held.version
        while len(flags) < MOST_AT_ONCE:
            reading = await self._read(version, asked)
            if reading.epoch != held.epoch or reading.version < held.version:
                return None
            flags += reading.flags
            if reading.whole:
                return reading._replace(flags=flags)
            version = reading.version
        return None

    async def _read_anew(self, asked: Collection[Key]) -> tuple[FlaggedNow, Reading]:
        """The whole register beside what is held, page by page, and what else the service does goes on."""
        flagged = FlaggedNow()
        while True:
            reading = await self._read(flagged.version, asked)
            if flagged.epoch not in ("", reading.epoch):
                flagged = FlaggedNow()
            elif reading.whole:
                return flagged, reading
            else:
                flagged.apply(reading, self._clock.now())
                await asyncio.sleep(0)

    async def _read(self, version: int, asked: Collection[Key]) -> Reading:
        time = self._clock.system()
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await store.read(self._line, version, asked, time)
        except TimeoutError:
            raise Unavailable("postgres") from None

    def _measure(self) -> None:
        FLAGGED.set(len(self._flagged.people))
        VERSION.set(self._flagged.version)
        THRESHOLD.set(self._flagged.people.index.threshold(self._false_alarms))


def _of(keys: Iterable[Key], moment: Moment) -> list[Holder]:
    return [holder for key in keys for holder in moment.holders.get(key, ())]
