"""The spellings of names that are or were held: a code for each, and how many persons have it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.people import likeness, names
from services.people.cues import Cues
from services.people.likeness import Codes, Levels, Spellings
from services.people.names import Wording

GIVEN, FAMILY = 0, 1
# The code of a name that is missing.
NONE = 0


class Coded(NamedTuple):
    given: int
    family: int


# The codes of those who may be meant by a name, and how each compares with it.
Compared = tuple[Codes, Levels]
Compare = Callable[[str, Spellings, Levels], Levels]
# By role.
Near = tuple[Compared, Compared]

# Names repeat from one question to the next, so those that came near are kept until another name is held: no
# more than this, some 5 MB.
_REMEMBERED = 500_000


class Vocabulary:
    """Codes are never taken back: who comes again mostly comes under the same name."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int32] = np.zeros((64, 2), np.int32)
        # Whether anybody was held under it in that role: in another one nobody is looked for.
        self._held: NDArray[np.bool_] = np.zeros((64, 2), bool)
        self._codes: dict[str, int] = {}
        self._names: list[str] = []
        self._joined: list[str] = []
        self._features: NDArray[np.uint32] = np.zeros((64, len(likeness.FEATURES)), np.uint32)
        self._cues = Cues()
        self._near: dict[str, Near] = {}
        self._remembered = 0
        self._code("")

    def __len__(self) -> int:
        return len(self._names)

    def coded(self, wording: Wording) -> Coded:
        coded = Coded(self._code(wording.given), self._code(wording.family))
        if not (self._held[coded.given, GIVEN] and self._held[coded.family, FAMILY]):
            self._held[coded.given, GIVEN] = self._held[coded.family, FAMILY] = True
            self._forget()
        return coded

    def count(self, coded: Coded, step: int) -> None:
        self.counts[coded.given, GIVEN] += step
        self.counts[coded.family, FAMILY] += step

    def near(self, name: str) -> Near:
        """Who may be meant by a name; of all others it differs."""
        near = self._near.get(name)
        if near is None:
            codes = self._cues.find(name)
            held = self._spellings(codes)
            levels = likeness.words(name, held)
            given, family = (
                (codes[of_role], name, held.where(of_role), levels[of_role])
                for of_role in self._held[codes].T
            )
            near = _alike(likeness.given_names, *given), _alike(likeness.family_names, *family)
            self._remember(name, near)
        return near

    def in_another_script(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(self._features[: len(self), likeness.SCRIPT_NUMBER] != likeness.script_number(name))

    def _remember(self, name: str, near: Near) -> None:
        if self._remembered > _REMEMBERED:
            self._forget()
        self._near[name] = near
        self._remembered += sum(len(codes) for codes, _ in near)

    def _forget(self) -> None:
        self._near.clear()
        self._remembered = 0

    def _spellings(self, codes: Codes) -> Spellings:
        held = codes.tolist()
        joined = [self._joined[code] for code in held]
        return Spellings([self._names[code] for code in held], joined, self._features[codes])

    def _code(self, name: str) -> int:
        code = self._codes.get(name)
        return self._new(name) if code is None else code

    def _new(self, name: str) -> int:
        code = self._codes[name] = len(self._names)
        self._names.append(name)
        self._joined.append(names.joined(name))
        if code == len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)])
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
            self._features = np.concatenate([self._features, np.zeros_like(self._features)])
        self._features[code] = likeness.features(name)
        if name:
            self._cues.add(name, code)
        return code


def _alike(compare: Compare, codes: Codes, name: str, held: Spellings, levels: Levels) -> Compared:
    levels = compare(name, held, levels)
    alike = levels != likeness.DIFFERS
    return codes[alike], levels[alike]
