"""Postcodes: made comparable, and how many persons have each."""

import math
from collections import Counter

from services.people.model import PRIOR_PERSONS, Model

# Of nobody.
NONE = 0


def normal(text: str) -> str:
    """Letters and digits alone; nothing where there are none."""
    return "".join(filter(str.isalnum, text.upper()))


class Postcodes:
    """A code for each, and how many persons have it."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": NONE}
        self._counts: Counter[int] = Counter()

    def code(self, postcode: str) -> int:
        return self._codes.setdefault(postcode, len(self._codes))

    def known(self, postcode: str) -> int:
        """The code, if it was ever held."""
        return self._codes.get(postcode, NONE)

    def count(self, code: int, step: int) -> None:
        self._counts[code] += step

    def bits(self, code: int, persons: int, weights: Model) -> float:
        """What it is worth to share it: never less than nothing, nor more than people of one house share."""
        if code == NONE:
            return 0.0
        # Who is meant is one of them.
        others = max(self._counts[code] - 1, 0) + 1
        bits = math.log2(weights.same_postcode * (persons + PRIOR_PERSONS) / others)
        return min(max(bits, 0.0), weights.postcode_at_most)
