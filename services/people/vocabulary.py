"""The spellings of names that are or were held in one role: a code for each, and how many persons have it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.people import likeness
from services.people.cues import Cues
from services.people.likeness import Codes, Levels, Spellings

GIVEN, FAMILY = 0, 1
# The code of a name that is missing.
NONE = 0
# Beside the levels of names: of one that is written in another script.
OTHER_SCRIPT = len(likeness.NAMES)
# In words, by number.
LEVELS = (*likeness.NAMES, "another script")

Compare = Callable[[str, Spellings, Codes], Levels]

# Names repeat from one question to the next, so those that came near are kept: no more than this, some 5 MB.
_REMEMBERED = 500_000


class Near(NamedTuple):
    """Who may be meant by a name, and how each compares with it; of all others it differs."""

    codes: Codes
    levels: Levels
    # Of how many spellings these are those that come near.
    among: int


_NO_LEVELS: Levels = np.empty(0, np.uint8)
NOTHING = Near(np.empty(0, np.int32), _NO_LEVELS, 0)


class Vocabulary:
    """Codes are never taken back: who comes again mostly comes under the same name."""

    def __init__(self, compare: Compare) -> None:
        self._compare = compare
        self._counts: NDArray[np.int32] = np.zeros(64, np.int32)
        self._spellings = Spellings()
        self._cues = Cues()
        self._near: dict[str, Near] = {}
        self._remembered = 0
        self._others: dict[int, Levels] = {}
        self.code("")

    def __len__(self) -> int:
        return len(self._spellings)

    def code(self, name: str) -> int:
        known = len(self)
        code = self._spellings.code(name)
        for new in range(known, len(self)):
            # A missing name comes near to none.
            if new != NONE:
                self._cues.add(self._spellings.names[new], new)
        if len(self) > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        return code

    def count(self, code: int, step: int) -> None:
        self._counts[code] += step

    def held(self, name: str) -> int:
        """How many persons have that very name."""
        code = self._spellings.known(name)
        return int(self._counts[code]) if code else 0

    def compared(self, name: str, codes: Codes) -> Levels:
        """How some spellings compare with a name; those that share no cue too."""
        return self._compare(name, self._spellings, codes)

    def near(self, name: str) -> Near:
        near = self._near.get(name, NOTHING)
        return near if near.among == len(self) else self._remember(name, self._nearer(name, near))

    def levels(self, name: str, near: Near) -> Levels:
        """How each spelling compares with a name."""
        levels = self._unlike(likeness.script_number(name)).copy()
        levels[near.codes] = near.levels
        return levels

    def persons(self, near: Near) -> NDArray[np.float64]:
        """How many are held at each level."""
        return np.bincount(near.levels, self._counts[near.codes], len(likeness.NAMES)).astype(float)

    def _nearer(self, name: str, near: Near) -> Near:
        """With those of the names that have come since."""
        codes = self._cues.find(name, near.among)
        if not len(codes):
            return near._replace(among=len(self))
        levels = self._compare(name, self._spellings, codes)
        alike = levels != likeness.DIFFERS
        codes, levels = codes[alike], levels[alike]
        if len(near.codes):
            codes, levels = np.concatenate([near.codes, codes]), np.concatenate([near.levels, levels])
        return Near(codes, levels, len(self))

    def _remember(self, name: str, near: Near) -> Near:
        if self._remembered > _REMEMBERED:
            self._near.clear()
            self._remembered = 0
        self._near[name] = near
        self._remembered += len(near.codes) + 1
        return near

    def _unlike(self, script: int) -> Levels:
        levels = self._others.get(script, _NO_LEVELS)
        if len(levels) < len(self):
            same = self._spellings.features[len(levels) :, likeness.SCRIPT] == script
            new = np.where(same, likeness.DIFFERS, OTHER_SCRIPT).astype(np.uint8)
            levels = self._others[script] = np.concatenate([levels, new])
            levels[NONE] = 0
        return levels
