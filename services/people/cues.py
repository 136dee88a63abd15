"""What a name shares with those it may be mistaken for, as numbers to find it by."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.people import names
from services.people.likeness import Codes

Hashes = NDArray[np.uint32]
# Cues, and beside each the number of the name it is of.
Owned = tuple[Hashes, Codes]

# Slips beyond the first letters still leave these alike; and no length of a name costs more than this many.
_LETTERS = 8
# Two letters dropped from fewer would leave what half of all names share.
_DROP_TWO = 5
_PREFIX = 4
_WORDS = 8
# New names that are kept apart before they are folded into the sorted arrays.
_APART = 512

# A polynomial modulo 2**64: a letter is dropped by moving what follows one power down.
_BASE = 0x9E3779B97F4A7C15
_DOWN = np.uint64(pow(_BASE, -1, 2**64))
_POWERS = np.array([pow(_BASE, at, 2**64) for at in range(64)], np.uint64)


class Cues:
    """From cues to the codes of names: sorted arrays, and the newest names apart."""

    def __init__(self) -> None:
        self._hashes: Hashes = np.empty(0, np.uint32)
        self._codes: Codes = np.empty(0, np.int32)
        self._new: list[tuple[str, int]] = []
        self._apart: dict[int, list[int]] = {}
        self._placed = 0

    def add(self, name: str, code: int) -> None:
        self._new.append((name, code))

    def find(self, name: str) -> Codes:
        """The codes of all that share a cue, each once."""
        if len(self._new) > _APART:
            self._fold()
        self._place()
        hashes = np.unique(np.concatenate([_shared([name])[0], _hashed(_asked(name))]))
        starts, ends = (np.searchsorted(self._hashes, hashes, side) for side in ("left", "right"))
        found = self._codes[spans(starts, ends)]
        if self._apart:
            apart = [code for each in hashes.tolist() for code in self._apart.get(each, ())]
            found = np.concatenate([found, np.array(apart, np.int32)])
        return np.unique(found)

    def _place(self) -> None:
        for name, code in self._new[self._placed :]:
            for each in set(_filed([name])[0].tolist()):
                self._apart.setdefault(each, []).append(code)
        self._placed = len(self._new)

    def _fold(self) -> None:
        hashes, owners = _filed([name for name, _ in self._new])
        codes = np.array([code for _, code in self._new], np.int32)[owners]
        order = np.argsort(hashes, kind="stable")
        hashes, codes = hashes[order], codes[order]
        places = np.searchsorted(self._hashes, hashes)
        self._hashes = np.insert(self._hashes, places, hashes)
        self._codes = np.insert(self._codes, places, codes)
        self._new, self._apart, self._placed = [], {}, 0


def spans(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """The numbers from each start up to its end, one span after the other."""
    sizes = ends - starts
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())


def _filed(held: Sequence[str]) -> Owned:
    """The cues that names are found by, and whose each is."""
    initials = [(initial, at) for at, name in enumerate(held) for initial in _initials(name)]
    return _joined([_shared(held), _marked(initials)])


def _shared(held: Sequence[str]) -> Owned:
    """The cues that are the same on both sides."""
    whole = [(names.joined(name), at) for at, name in enumerate(held)]
    words = [(word, at) for at, name in enumerate(held) if " " in name for word in name.split()[:_WORDS]]
    marks = [(mark, at) for at, name in enumerate(held) for mark in _marks(name)]
    return _joined([*_dropped(whole, 2), *_dropped(words, 1), _marked(marks)])


def _joined(found: Sequence[Owned]) -> Owned:
    return np.concatenate([hashes for hashes, _ in found]), np.concatenate([owners for _, owners in found])


def _marked(marks: Sequence[tuple[str, int]]) -> Owned:
    return _hashed([mark for mark, _ in marks]), np.array([at for _, at in marks], np.int32)


def _marks(name: str) -> Iterator[str]:
    """The sound, the beginning, and what the first word may be short for."""
    sound, word = names.sound(name), names.joined(name)
    if sound:
        yield f"~{sound}"
    if len(word) >= _PREFIX:
        yield f"^{word[:_PREFIX]}"
    for long in names.short_for(names.first(name)):
        yield f"={long}"


def _initials(name: str) -> list[str]:
    return [f".{name[:1]}", f"1{name[:1]}"] if len(names.first(name)) == 1 else [f".{name[:1]}"]


def _asked(name: str) -> list[str]:
    """An initial stands for every name that begins so, and any name for its initial."""
    return _initials(name) if len(names.first(name)) == 1 else [f"1{name[:1]}"]


def _dropped(words: Iterable[tuple[str, int]], most: int) -> Iterator[Owned]:
    """Each word's first letters, and these with up to so many of them dropped."""
    of_length: dict[int, list[tuple[str, int]]] = {}
    for word, owner in words:
        of_length.setdefault(len(word[:_LETTERS]), []).append((word[:_LETTERS], owner))
    for length, group in of_length.items():
        owners = np.array([owner for _, owner in group], np.int32)
        hashes = _without([word for word, _ in group], length, most if length >= _DROP_TWO else 1)
        yield _short(hashes).ravel(), np.repeat(owners, hashes.shape[1])


def _without(words: Sequence[str], length: int, most: int) -> NDArray[np.uint64]:
    upto = np.zeros((len(words), length + 1), np.uint64)
    np.cumsum(_letters(words, length) * _POWERS[:length], axis=1, out=upto[:, 1:])
    whole = upto[:, -1:]
    found = [whole, upto[:, :-1] + (whole - upto[:, 1:]) * _DOWN]
    if most == 2:
        first, second = np.array(list(combinations(range(length), 2))).T
        between = (upto[:, second] - upto[:, first + 1]) * _DOWN
        found.append(upto[:, first] + between + (whole - upto[:, second + 1]) * _DOWN * _DOWN)
    return np.concatenate(found, axis=1)


def _hashed(texts: Sequence[str]) -> Hashes:
    cut = [text[: len(_POWERS)] for text in texts]
    length = max(map(len, cut), default=0)
    return _short((_letters(cut, length) * _POWERS[:length]).sum(axis=1, dtype=np.uint64))


def _letters(words: Sequence[str], length: int) -> NDArray[np.uint64]:
    if not words or not length:
        return np.zeros((len(words), length), np.uint64)
    points = np.array(words, f"<U{length}").view(np.uint32)
    return points.reshape(len(words), length).astype(np.uint64)


def _short(hashes: NDArray[np.uint64]) -> Hashes:
    # The upper half is the better mixed one; a name found by chance is told apart by its letters.
    return (hashes >> np.uint64(32)).astype(np.uint32)
