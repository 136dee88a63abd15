"""The index as numbers: a row for every name of a person, sorted by date, postcode and pair of names."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

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


class Field(NamedTuple):
    """How one name that was given stands to every spelling."""

    near: Near
    # By code.
    levels: Levels
    # By level: how many are held, and the bits.
    held: NDArray[np.float64]
    of_level: Bits

    def bits(self, codes: Codes) -> Bits:
        return np.asarray(self.of_level[self.levels[codes]])

    @property
    def missing(self) -> bool:
        return not self.of_level[likeness.EXACT]

    @property
    def exact(self) -> float:
        """What the name itself is worth."""
        return float(self.of_level[likeness.EXACT])

    @property
    def exactly(self) -> int:
        """The level of the name itself, or of all if none was given."""
        return likeness.EXACT * (not self.missing)


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

    def named(self, family: Field, given: Callable[[], Field], *, most: float, least: float) -> Places:
        """Who has names near to both, so that their bits reach the least; the best, if there are too many.

        `given` is looked at only if its `most` can make up for what the family names lack.
        """
        pairs, of_family = self._of_given(given()) if family.missing else self._of_family(family)
        # Among many of a family who has another given name is nobody's candidate.
        many = len(pairs) > FEW
        hopeful = np.flatnonzero(of_family + most >= least)
        if not len(hopeful):
            return _NOWHERE
        pairs, of_family = pairs[hopeful], of_family[hopeful]
        givens = self._givens[pairs]
        bits = of_family + given().bits(givens)
        wanted = bits >= least
        if many:
            wanted &= given().levels[givens] != likeness.DIFFERS
        return self._by_pair[self._best(pairs[wanted], bits[wanted])]

    def _of_family(self, family: Field) -> tuple[Places, NDArray[np.float64]]:
        """The pairs of names with a family name near to that one."""
        near = family.near.codes
        starts, ends = (
            np.searchsorted(self._pairs, (near + step).astype(np.uint64) << _HIGH) for step in (0, 1)
        )
        return spans(starts, ends), np.repeat(family.bits(near), ends - starts)

    def _of_given(self, given: Field) -> tuple[Places, NDArray[np.float64]]:
        """Where no family name was given: the pairs with a given name near to that one."""
        near = np.zeros(len(given.levels), bool)
        near[given.near.codes] = True
        pairs = np.flatnonzero(near[self._givens])
        return pairs, np.zeros(len(pairs))

    def _best(self, pairs: Places, bits: NDArray[np.float64]) -> Places:
        starts, ends = self._starts[pairs], self._starts[pairs + 1]
        if (ends - starts).sum() > MOST_NAMED:
            order = np.argsort(-bits, kind="stable")
            starts, ends = starts[order], ends[order]
        return spans(starts, ends)[:MOST_NAMED]

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
        self._pairs = self._names[firsts]
        self._givens = (self._pairs & _LOW).astype(np.int32)
        self._starts = np.append(firsts, len(self._names))
