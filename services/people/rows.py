"""The index as numbers: a row for every name of a person, sorted by date, postcode and pair of names."""

from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.people import likeness
from services.people.cues import spans
from services.people.likeness import Codes, Levels
from services.people.model import Bits
from services.people.vocabulary import Near

Places = NDArray[np.intp | np.int32]
Table = NDArray[np.int32]

# What stands in a row: whose it is (nobody's once dropped), the codes of names and date, how many aliases
# stand beside this one (none where it is the main name), the sex, whether the name was in another script,
# the code of the postcode.
PERSON, FAMILY, GIVEN, DATE, ALIASES, SEX, ROMANISED, POSTCODE = COLUMNS = range(8)
NOBODY = -1

# The newest rows are looked at one and all; more than these are sorted in. At a million rows that takes
# 15 ms, which is how long a question may wait, and no change takes longer than a dozen microseconds of it.
_APART = 1024
# Rows of the commonest pairs beyond these are looked at only if the date is near.
MOST_NAMED = 20_000
# With no more pairs than this under the family names that come near, no given name is asked for.
FEW = 256

_NOWHERE: Places = np.empty(0, np.intp)
_HIGH, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
Key = TypeVar("Key", bound=np.generic)


class Compared(NamedTuple):
    """How one name compares with some spellings: the level of each, and by level its bits, or a few more."""

    levels: Levels
    of_level: Bits

    @property
    def bits(self) -> Bits:
        return np.asarray(self.of_level.take(self.levels))


class Field(NamedTuple):
    """How one name that was given stands to every spelling."""

    near: Near
    # By code.
    levels: Levels
    # By level: how many are held, and the bits.
    held: NDArray[np.float64]
    of_level: Bits

    def compared(self, codes: Codes) -> Compared:
        return Compared(self.levels.take(codes), self.of_level)

    @property
    def missing(self) -> bool:
        return not self.of_level[likeness.EXACT]

    @property
    def exact(self) -> float:
        """What the name itself is worth."""
        return float(self.of_level[likeness.EXACT])


class Given(Protocol):
    """A given name, of which no more is found out than is asked for."""

    @property
    def most(self) -> float: ...
    @property
    def field(self) -> Field: ...
    def compared(self, codes: Codes, least: float) -> Compared: ...


class Rows:
    def __init__(self) -> None:
        self._table: Table = np.zeros((64, len(COLUMNS)), np.int32)
        self._size = 0
        self._dropped = 0
        self._empty()

    @property
    def table(self) -> Table:
        return self._table[: self._size]

    def add(self, rows: list[tuple[int, ...]]) -> int:
        """The place of the first of them."""
        place, self._size = self._size, self._size + len(rows)
        while self._size > len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[place : self._size] = rows
        return place

    def of(self, place: int) -> Table:
        """A person's rows, of which the first stands there."""
        person, end = self._table[place, PERSON], place + 1
        while end < self._size and self._table[end, PERSON] == person:
            end += 1
        return self._table[place:end]

    def drop(self, place: int) -> None:
        rows = self.of(place)
        self._dropped += len(rows)
        rows[:, PERSON] = NOBODY

    def settle(self) -> bool:
        """Sorts in what is new if it is much; whether rows have moved to other places."""
        crowded = self._dropped > max(_APART, self._size // 2)
        if crowded:
            self._table = self.table[self.table[:, PERSON] != NOBODY]
            self._size, self._dropped = len(self._table), 0
            self._empty()
        if self._size - self.settled > _APART:
            self._merge()
        return crowded

    def firsts(self) -> tuple[Codes, Places]:
        """Every person, and the place of the first row."""
        persons, places = np.unique(self.table[:, PERSON], return_index=True)
        return persons, places

    def newest(self) -> Places:
        return np.arange(self.settled, self._size)

    def born(self, dates: Codes) -> Places:
        starts, ends = (np.searchsorted(self._dates, dates, side) for side in ("left", "right"))
        return self._by_date[spans(starts, ends)]

    def living(self, postcode: int) -> Places:
        start, end = (np.searchsorted(self._homes, postcode, side) for side in ("left", "right"))
        return self._by_home[start:end]

    def named(self, family: Field, given: Given, least: float) -> Places:
        """Who has names near to both, so that their bits may reach the least; the best, if there are many."""
        if family.missing:
            return self._of_given(given, least)
        near = family.near.codes[: np.searchsorted(family.near.codes, len(self._families) - 1)]
        starts, ends, bits = self._families[near], self._families[near + 1], family.compared(near).bits
        crowded = (ends - starts).sum() > FEW
        hopeful = bits + given.most >= least
        starts, ends, bits = starts[hopeful], ends[hopeful], bits[hopeful]
        pairs, bits = spans(starts, ends), np.repeat(bits, ends - starts)
        if not crowded:
            return self._best(pairs, bits)
        # Among many of a family who has another given name is nobody's candidate.
        compared = given.compared(self._givens[pairs], least)
        bits += compared.bits
        wanted = (bits >= least) & (compared.levels != likeness.DIFFERS)
        return self._best(pairs[wanted], bits[wanted])

    def _of_given(self, given: Given, least: float) -> Places:
        """Where no family name was given: who has a given name near to that one."""
        field = given.field
        near = np.zeros(len(field.levels), bool)
        near[field.near.codes] = True
        pairs = np.flatnonzero(near[self._givens])
        bits = field.compared(self._givens[pairs]).bits
        wanted = bits >= least
        return self._best(pairs[wanted], bits[wanted])

    def _best(self, pairs: Places, bits: NDArray[np.float64]) -> Places:
        if not len(pairs):
            return _NOWHERE
        starts, ends = self._starts[pairs], self._starts[pairs + 1]
        if (ends - starts).sum() > MOST_NAMED:
            order = np.argsort(-bits, kind="stable")
            starts, ends = starts[order], ends[order]
        return self._by_pair[spans(starts, ends)[:MOST_NAMED]]

    def _empty(self) -> None:
        self.settled = 0
        self._dates: Codes = np.empty(0, np.int32)
        self._by_date: Codes = np.empty(0, np.int32)
        self._homes: Codes = np.empty(0, np.int32)
        self._by_home: Codes = np.empty(0, np.int32)
        self._names: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._by_pair: Codes = np.empty(0, np.int32)
        self._pair_up()

    def _merge(self) -> None:
        new = self.table[self.settled :]
        names = new[:, FAMILY].astype(np.uint64) << _HIGH | new[:, GIVEN].astype(np.uint64)
        self._dates, self._by_date = self._merged(self._dates, self._by_date, new[:, DATE])
        self._homes, self._by_home = self._merged(self._homes, self._by_home, new[:, POSTCODE])
        self._names, self._by_pair = self._merged(self._names, self._by_pair, names)
        self.settled = self._size
        self._pair_up()

    def _merged(self, keys: NDArray[Key], rows: Codes, new: NDArray[Key]) -> tuple[NDArray[Key], Codes]:
        order = np.argsort(new, kind="stable")
        places = np.searchsorted(keys, new[order], "right")
        added = (order + self.settled).astype(np.int32)
        return np.insert(keys, places, new[order]), np.insert(rows, places, added)

    def _pair_up(self) -> None:
        changes = np.flatnonzero(np.diff(self._names)) + 1
        firsts = np.concatenate([[0], changes]) if len(self._names) else changes
        pairs = self._names[firsts]
        self._givens = (pairs & _LOW).astype(np.int32)
        self._starts = np.append(firsts, len(self._names))
        # Where the pairs of each family name begin, and where the last ends.
        known = int(pairs[-1] >> _HIGH) + 1 if len(pairs) else 0
        self._families = np.searchsorted(pairs, np.arange(known + 1, dtype=np.uint64) << _HIGH)
