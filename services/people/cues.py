"""What a name shares with those it may be mistaken for, as numbers to find it by."""

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.people import names
from services.people.likeness import Codes

# Slips beyond the first letters still leave these alike; and no length of a name costs more than this many.
_LETTERS = 8
# Two letters dropped from fewer would leave what half of all names share.
_DROP_TWO = 5
_WORDS = 8
# New names that are kept apart before they are folded into the sorted arrays.
_APART = 512


class Cues:
    """From cues to the codes of names: sorted arrays, and the newest names apart."""

    def __init__(self) -> None:
        self._hashes: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._codes: Codes = np.empty(0, np.int32)
        self._new: list[tuple[str, int]] = []
        self._apart: dict[int, list[int]] = {}
        self._placed = 0

    def add(self, name: str, code: int) -> None:
        """Codes only rise."""
        self._new.append((name, code))

    def find(self, name: str, least: int = 0) -> Codes:
        """The codes from there on of all that share a cue, each once."""
        if len(self._new) > _APART:
            self._fold()
        self._place()
        hashes = _hashes(name)
        apart = [code for each in hashes for code in self._apart.get(each, ())]
        found = np.concatenate([self._folded(hashes), np.array(apart, np.int32)])
        shares = np.zeros(found.max(initial=-1) + 1, bool)
        shares[found] = True
        shares[:least] = False
        return np.flatnonzero(shares).astype(np.int32)

    def _folded(self, hashes: list[int]) -> Codes:
        wanted = np.array(hashes, np.uint32)
        starts, ends = (np.searchsorted(self._hashes, wanted, side) for side in ("left", "right"))
        return self._codes[spans(starts, ends)]

    def _place(self) -> None:
        for name, code in self._new[self._placed :]:
            for each in _hashes(name):
                self._apart.setdefault(each, []).append(code)
        self._placed = len(self._new)

    def _fold(self) -> None:
        filed = [(each, code) for name, code in self._new for each in _hashes(name)]
        hashes, codes = np.array(filed, np.int64).T
        order = np.argsort(hashes, kind="stable")
        hashes, codes = hashes[order].astype(np.uint32), codes[order].astype(np.int32)
        places = np.searchsorted(self._hashes, hashes)
        self._hashes = np.insert(self._hashes, places, hashes)
        self._codes = np.insert(self._codes, places, codes)
        self._new, self._apart, self._placed = [], {}, 0


def spans(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """The numbers from each start up to its end, one span after the other."""
    sizes = ends - starts
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())


def _hashes(name: str) -> list[int]:
    # A name found by chance is told apart by its letters.
    return [crc32(cue.encode()) for cue in {*_cues(name)}]


def _cues(name: str) -> Iterator[str]:
    """The first letter, what slips leave, the sound, what the first word may be short for."""
    yield name[:1]
    yield from _left(names.joined(name), 2)
    if " " in name:
        for word in name.split()[:_WORDS]:
            yield from _left(word, 1)
    if sound := names.sound(name):
        yield sound
    yield from names.short_for(names.first(name))


def _left(word: str, most: int) -> Iterator[str]:
    """What follows the first letter, also with up to so many letters dropped."""
    word = word[:_LETTERS]
    yield word[1:]
    for at in range(len(word)):
        yield word[1:at] + word[at + 1 :] if at else word[2:]
    if most == 2 and len(word) >= _DROP_TWO:
        for one, two in _pairs(len(word)):
            yield (word[:one] + word[one + 1 : two] + word[two + 1 :])[1:]


@cache
def _pairs(length: int) -> list[tuple[int, int]]:
    return list(combinations(range(length), 2))
