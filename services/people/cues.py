"""What a name shares with those it may be mistaken for, as numbers to find it by."""

from array import array
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
# Cues of new names, some 500 of them, that are kept apart before they are folded into the sorted arrays.
_APART = 20_000


class Cues:
    """From cues to the codes of names: sorted arrays, and the newest names apart."""

    def __init__(self) -> None:
        self._hashes: NDArray[np.uint32] = np.empty(0, np.uint32)
        self._codes: Codes = np.empty(0, np.int32)
        self._new_hashes = array("I")
        self._new_codes = array("i")
        # Of the new ones, the first so many by hash.
        self._apart: dict[int, list[int]] = {}
        self._placed = 0

    def add(self, name: str, code: int) -> None:
        hashes = _hashes(name)
        self._new_hashes.extend(hashes)
        self._new_codes.extend([code] * len(hashes))

    def find(self, name: str, least: int = 0) -> Codes:
        """The codes from there on of all that share a cue, each once."""
        if len(self._new_hashes) > _APART:
            self._fold()
        self._place()
        hashes = _hashes(name)
        found = np.array([code for each in hashes for code in self._apart.get(each, ())], np.int32)
        if len(self._hashes):
            found = np.concatenate([self._folded(hashes), found])
        shares = np.zeros(found.max(initial=-1) + 1, bool)
        shares[found] = True
        shares[:least] = False
        return np.flatnonzero(shares).astype(np.int32)

    def _folded(self, hashes: list[int]) -> Codes:
        wanted = np.array(hashes, np.uint32)
        starts, ends = (np.searchsorted(self._hashes, wanted, side) for side in ("left", "right"))
        return self._codes[spans(starts, ends)]

    def _place(self) -> None:
        new = zip(self._new_hashes[self._placed :], self._new_codes[self._placed :], strict=True)
        for each, code in new:
            self._apart.setdefault(each, []).append(code)
        self._placed = len(self._new_hashes)

    def _fold(self) -> None:
        hashes, codes = np.array(self._new_hashes, np.uint32), np.array(self._new_codes, np.int32)
        order = np.argsort(hashes, kind="stable")
        places = np.searchsorted(self._hashes, hashes[order])
        self._hashes = np.insert(self._hashes, places, hashes[order])
        self._codes = np.insert(self._codes, places, codes[order])
        self._new_hashes, self._new_codes, self._apart, self._placed = array("I"), array("i"), {}, 0


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
