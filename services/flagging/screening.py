"""The check: the flagged set in memory, brought up to what is committed when the check begins."""

import asyncio
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

# Longer than any reading takes; a connection that hangs must not hold up the checks behind it.
READ_SECONDS = 1.0
IDLE_SECONDS = 1.0


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
        self._turns: dict[str, tuple[datetime, events_pb2.Flag]] = {}

    def apply(self, reading: Reading, now: datetime) -> None:
        self.epoch, self.version = reading.epoch, reading.version
        for flag in reading.flags:
            self._place(flag, now)

    def turn(self, now: datetime) -> None:
        for instant, flag in list(self._turns.values()):
            if instant <= now:
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


class Screening:
    """Raises Unavailable whenever the register cannot be read: what is in memory never answers by itself."""

    def __init__(self, database: Database, clock: Clock, false_alarms: float) -> None:
        self._line = database.line()
        self._clock = clock
        self._false_alarms = false_alarms
        self._flagged = FlaggedNow()
        self._asked: set[Key] | None = None
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
        return await asyncio.shield(self._reading)

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
        if earlier is not None:
            await asyncio.wait([earlier])
        asked, self._asked = self._asked or set(), None
        time = self._clock.system()
        try:
            async with asyncio.timeout(READ_SECONDS):
                flagged, reading = await self._read(asked)
        except TimeoutError:
            raise Unavailable("postgres") from None
        flagged.apply(reading, self._clock.now())
        self._flagged = flagged
        self._measure()
        return Moment(reading.holders, time)

    async def _read(self, asked: Collection[Key]) -> tuple[FlaggedNow, Reading]:
        held = self._flagged
        reading = await store.read(self._line, held.version, asked)
        if reading.epoch == held.epoch and reading.version >= held.version:
            return held, reading
        # Another register: nothing held of the first is true of it.
        return FlaggedNow(), await store.read(self._line, 0, asked)

    def _measure(self) -> None:
        FLAGGED.set(len(self._flagged.people))
        VERSION.set(self._flagged.version)
        THRESHOLD.set(self._flagged.people.index.threshold(self._false_alarms))


def _of(keys: Iterable[Key], moment: Moment) -> list[Holder]:
    return [holder for key in keys for holder in moment.holders.get(key, ())]
