"""What each level of agreement is worth, in bits: the one table of the matcher's constants."""

import math
from collections import Counter

from services.people import likeness, names
from services.people.names import Wording

# Stored with every decision; another one with every change to this table or to the levels it weighs.
MODEL_VERSION = "hand-1"

# P(level | same person), and how many times more people stand at that level by chance than share the exact
# name. Set by hand on the shape of the measured design (no data was fitted); the matching issue fits them.
NAMES: dict[str, tuple[float, float]] = {
    "exact": (0.85, 1),
    "first name": (0.15, 1),
    "one edit": (0.08, 2),
    "nickname": (0.06, 4),
    "sounds alike": (0.04, 4),
    "two edits": (0.03, 6),
    "shared word": (0.05, 6),
    "initial": (0.05, 12),
    "similar": (0.03, 12),
    "differs": (0.02, math.inf),
}

# log2 of P(level | same) / P(level | another), by hand: .01 and 1/11,000 (one day in thirty years of births);
# .03 and 25/11,000 (that many dates are a digit away); .02 and 1/150; .04 and 1/3; .02 and .97.
DATES = {
    "day and month swapped": 6.8,
    "one digit": 3.7,
    "two parts": 1.6,
    "partly differs": -3.0,
    "differs": -5.6,
}
# A date that agrees is worth each part that both know: one year of thirty, one month, one day of the month.
DATE_AGREES = math.log2(0.9)
DATE_PARTS = (math.log2(30), math.log2(12), math.log2(30.4))

# Given and family name swapped: one record in 32.
SWAPPED = 5.0
# An alias costs log2 of the number of names, as many chances as it had to agree, but no more than this:
# exact name and date must reach the threshold under any alias.
ALIAS_AT_MOST = 3.0

# How common a name is when nothing was counted, worth this many persons, and bounds: no small index makes a
# name commoner than England's commonest (so exact agreement keeps its weight), or rarer than one in 4,096.
PRIOR = {"given_name": 0.008, "family_name": 0.002}
PRIOR_PERSONS = 200
COMMONEST = {"given_name": 0.04, "family_name": 0.02}
RAREST = 1 / 4096

# What one name can be worth.
NAME_AT_MOST = math.log2(NAMES["exact"][0] / RAREST)

# Markov's bound, log2(size / false alarms), holds for any data; thresholds that were measured lie about six
# bits below it (12 bits for 5 % at ten thousand).
SLACK = 6.0
# Below this, what one name alone is worth would pass for a match.
SMALLEST_SIZE = 300
# The commonest name with the exact date, an alias of many on both sides, still reaches this.
HIGHEST_THRESHOLD = 16.5


def threshold(size: int, false_alarms: float) -> float:
    """From how many bits on a match is POSSIBLE, for that share of alarms among people not in the index."""
    bits = math.log2(max(size, SMALLEST_SIZE) / false_alarms) - SLACK
    return min(bits, HIGHEST_THRESHOLD)


def name(level: str, share: float) -> float:
    if not level:
        return 0.0
    same, widening = NAMES[level]
    return math.log2(same / min(share * widening, 0.95))


def birth_date(level: str, one: likeness.Born, other: likeness.Born) -> float:
    if level not in ("exact", "partial"):
        return DATES.get(level, 0.0)
    return DATE_AGREES + sum(bits for bits, a, b in zip(DATE_PARTS, one, other, strict=True) if a and b)


class Frequencies:
    """How common names are, counted over main names only: an alias is no second person."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {"given_name": Counter(), "family_name": Counter()}
        self._persons = 0

    def count(self, wording: Wording, step: int) -> None:
        self._persons += step
        for field, value in _counted(wording).items():
            self._counts[field][value] += step
            if not self._counts[field][value]:
                del self._counts[field][value]

    def share(self, field: str, value: str) -> float:
        # A name that is asked for but not held is weighed as if it were held once.
        count = max(self._counts[field][value], min(self._persons, 1))
        share = (count + PRIOR_PERSONS * PRIOR[field]) / (self._persons + PRIOR_PERSONS)
        return min(max(share, RAREST), COMMONEST[field])


def _counted(wording: Wording) -> dict[str, str]:
    return {"given_name": names.first(wording.given), "family_name": names.joined(wording.family)}
