"""The nominal index in memory, by name and date of birth: a second behind the one in the database.

After an import of many it is as far behind as it takes to read them, at some 70,000 a second.
"""

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from prometheus_client import Gauge

from ppo.person.v1 import person_pb2
from services.flagging.store import nominals as store
from services.people.index import Index, Match
from services.runtime.database import Database
from services.runtime.errors import Invalid, Unavailable

NOMINALS = Gauge("ppo_flagging_index_nominals", "Nominals that this replica finds by name.")

LAG_SECONDS = 1.0
# A check that comes meanwhile waits for so many to come off the wire, or for so many to be read.
READ_AT_ONCE = 1_000
TAKEN_AT_ONCE = 50
# Between two such pieces while an import runs, of which these would take a third: a tenth is left to them.
PAUSE_SECONDS = 0.01
# Who is less likely than one in a thousand to be the person, before anything else is known, is not shown.
UNLIKELY_BITS = 10
# With more people than this who fit as well as the best a list helps nobody.
MOST_ALIKE = 200
ALIKE_BITS = 0.5


class People:
    """Everybody in the index, found by name and date of birth."""

    def __init__(self, database: Database) -> None:
        self._line = database.line()
        self._imports = 0
        self._index = Index()
        self._epoch = ""
        self._version = 0
        self._whole = False

    async def run(self) -> None:
        while True:
            with suppress(Unavailable):
                await self.catch_up()
            await asyncio.sleep(LAG_SECONDS)

    async def catch_up(self) -> None:
        """Until it holds what was committed when this began."""
        epoch, version = await store.version(self._line)
        if epoch != self._epoch or version < self._version:
            # Another database, such as a restored backup: nothing held is true of it.
            self._index, self._epoch, self._version, self._whole = Index(), epoch, 0, False
        while self._version < version:
            await self._take(await store.changed(self._line, self._version, READ_AT_ONCE))
        self._whole = True
        NOMINALS.set(len(self._index))

    def matches(self, given: person_pb2.Person, limit: int) -> list[Match]:
        """The likeliest, best first; raises Unavailable while they are still being read."""
        if not self._whole:
            raise Unavailable("index", f"is being read, {len(self._index):,} nominals so far: try again soon")
        self._refuse_wide(given)
        return self._index.matches(given, limit, max(0.0, self._size_bits - UNLIKELY_BITS))

    @property
    def _size_bits(self) -> float:
        return math.log2(max(len(self._index), 1))

    def _refuse_wide(self, given: person_pb2.Person) -> None:
        # Who gave more than this is told apart from everybody but a namesake or two.
        if self._index.best_possible(given) > self._size_bits:
            return
        found = self._index.matches(given, MOST_ALIKE + 1)
        if len(found) <= MOST_ALIKE or found[-1].bits < found[0].bits - ALIKE_BITS:
            return
        advice = "a whole date of birth" if given.name.given_name else "a given name"
        raise Invalid("person", f"fits more than {MOST_ALIKE} people: add {advice}, or give an identifier")

    @contextmanager
    def giving_way(self) -> Iterator[None]:
        """While rows come in, which are to be committed first."""
        self._imports += 1
        try:
            yield
        finally:
            self._imports -= 1

    async def _take(self, rows: Sequence[tuple[str, int, bytes]]) -> None:
        for start in range(0, len(rows), TAKEN_AT_ONCE):
            for nominal_id, version, body in rows[start : start + TAKEN_AT_ONCE]:
                person = person_pb2.Person.FromString(body)
                # These are looked up in the database itself.
                del person.identifiers[:]
                self._index.put(nominal_id, person)
                self._version = version
            await asyncio.sleep(PAUSE_SECONDS if self._imports else 0)
