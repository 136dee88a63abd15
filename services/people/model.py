"""What each level of agreement is worth, in bits: a noisy channel with the constants of model.toml."""

import math
import pkgutil
import tomllib
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.people import likeness

Bits = NDArray[np.float64]

# How many persons of average names stand beside those counted: no small index makes a name rarer or commoner
# than it is among all who are arrested.
PRIOR_PERSONS = 200
# As common as England's commonest names; an index of Smiths does not make the name worth nothing.
COMMONEST = (0.04, 0.02)
# Days and months are as common as they come; so are years, among those who are arrested.
YEARS, DAYS, DAYS_IN_MONTH, MONTHS = 60, 365.25, 30.4, 12

# Nobody is told apart by having more.
MOST_ALIASES = 255


@dataclass(frozen=True)
class Model:
    version: str
    # By role (given, family) and level: P(this spelling | that one is held, the same person).
    channel: Bits
    # By role: P(another name altogether | same) / P(it | another person).
    unlike: Bits
    # By role: as how many persons' name a spelling counts that nobody held has.
    unseen: Bits
    date_channel: Bits
    date_unlike: float
    partly_differs: float
    swapped: float
    alias_at_most: float
    sex_differs: float
    other_script: float
    # P(the same postcode | the same person), and the most that it is worth.
    same_postcode: float
    postcode_at_most: float
    relatives: float
    # Thresholds as they were measured: by number of persons held and share of false alarms.
    threshold_sizes: tuple[int, ...]
    threshold_shares: tuple[float, ...]
    threshold_bits: tuple[tuple[float, ...], ...]

    def name_bits(self, role: int, held: NDArray[np.float64 | np.intp], persons: int) -> Bits:
        """By level, from how many of the persons hold a name at each level of the one that was given."""
        channel = self.channel[role]
        expected = held @ channel + self.unseen[role]
        seen = np.minimum(expected / (persons + PRIOR_PERSONS), COMMONEST[role])
        bits = np.log2(channel / seen[..., None] + self.unlike[role])
        bits[..., 0] = 0.0
        return np.asarray(bits)

    def most_bits(self, role: int, held: int, persons: int) -> float:
        """What no name is worth more than, if so many of the persons have the very one that was given."""
        best, unlike, unseen = self._best_names[role]
        seen = min((held + unseen) / (persons + PRIOR_PERSONS), COMMONEST[role])
        return math.log2(best / seen + unlike)

    @cached_property
    def commonest_bits(self) -> list[float]:
        """By role: what no name itself is worth less than."""
        bits = np.log2(self.channel[:, likeness.EXACT] / COMMONEST + self.unlike)
        return [float(each) for each in bits]

    @cached_property
    def _best_names(self) -> list[tuple[float, float, float]]:
        found = zip(self.channel.max(axis=1), self.unlike, self.unseen, strict=True)
        return [(float(best), float(unlike), float(unseen)) for best, unlike, unseen in found]

    def date_bits(self, year: Bits | float, day: Bits | float) -> Bits:
        """By relation (the place in DATE_LEVELS), from how rare the year is and the day in it, in bits."""
        year, day = np.asarray(year)[..., None], np.asarray(day)[..., None]
        bits = np.log2(self._dates_seen * np.exp2(year + day) + self.date_unlike)
        stated, by_year, by_day = self._dates_stated
        return np.where(np.isnan(stated), bits, stated + by_year * year + by_day * day)

    @cached_property
    def _dates_seen(self) -> Bits:
        return self.date_channel[likeness.DATE_LEVELS.ravel()]

    @cached_property
    def _dates_stated(self) -> tuple[Bits, Bits, Bits]:
        """By relation that hangs on no channel: its bits, and those for each bit of the year and the day."""
        levels = likeness.DATE_LEVELS
        stated, by_year, by_day = (np.zeros(levels.shape) for _ in range(3))
        by_year[1, :], by_day[:, likeness.BOTH] = 1, 1
        stated[:, likeness.MONTH], stated[:, likeness.DAY] = math.log2(MONTHS), math.log2(DAYS_IN_MONTH)
        stated += math.log2(self.date_channel[likeness.PARTIAL])
        partial = levels == likeness.PARTIAL
        stated[~partial], by_year[~partial], by_day[~partial] = math.nan, 0, 0
        stated[levels == likeness.PARTLY_DIFFERS] = math.log2(self.partly_differs)
        stated[levels == 0] = 0
        return stated.ravel(), by_year.ravel(), by_day.ravel()

    def given_bits(self, given: Bits, others: Bits) -> Bits:
        """Who shares family name and date of birth may be a twin: then the given name decides."""
        return np.asarray(given - np.logaddexp2(0.0, others - self.relatives) * (given < 0))

    @cached_property
    def alias_prices(self) -> Bits:
        """What it costs to be one of so many aliases: the chances they had to agree, up to a bound."""
        return np.asarray(np.minimum(np.log2(np.arange(MOST_ALIASES + 1) + 1.0), self.alias_at_most))

    def threshold(self, size: float, false_alarms: float) -> float:
        """From how many bits on a match is POSSIBLE, for that share of alarms among all who are not held.

        `size`: how many names are held.
        """
        doublings, halvings = self._threshold_places
        persons = max(math.log2(max(size, 1)), doublings[0])
        rarity = max(-math.log2(false_alarms), halvings[0])
        # Of twice as many, twice as many are like somebody by chance; an alarm half as likely is a bit surer.
        beyond = max(persons - doublings[-1], 0.0), max(rarity - halvings[-1], 0.0)
        of_size = [
            _between(doublings, bits, persons - beyond[0]) for bits in zip(*self.threshold_bits, strict=True)
        ]
        return _between(halvings, of_size, rarity - beyond[1]) + sum(beyond)

    @cached_property
    def _threshold_places(self) -> tuple[list[float], list[float]]:
        """The sizes and the shares that thresholds are known for, in doublings and halvings."""
        return [*map(math.log2, self.threshold_sizes)], [-math.log2(each) for each in self.threshold_shares]


def _between(known: Sequence[float], values: Sequence[float], wanted: float) -> float:
    """On the line through the two nearest."""
    right = min(max(bisect(known, wanted), 1), len(known) - 1)
    slope = (values[right] - values[right - 1]) / (known[right] - known[right - 1])
    return values[right] + slope * (wanted - known[right])


def read(text: str) -> Model:
    table = tomllib.loads(text)
    given, family, dates, prices = (
        table[each] for each in ("given_name", "family_name", "birth_date", "prices")
    )
    shares, held = table["thresholds"]["shares"], table["thresholds"]["held"]
    return Model(
        version=table["version"],
        channel=np.array([_levels(each, likeness.NAMES) for each in (given, family)]),
        unlike=np.array([given["unlike"], family["unlike"]]),
        unseen=np.array([given["unseen"], family["unseen"]]),
        date_channel=np.array(_levels(dates, likeness.DATES)),
        date_unlike=dates["unlike"],
        partly_differs=dates["partly_differs"],
        **prices,
        **table["postcode"],
        threshold_sizes=tuple(map(int, held)),
        threshold_shares=tuple(shares),
        threshold_bits=tuple(map(tuple, held.values())),
    )


def _levels(table: dict[str, Any], levels: tuple[str, ...]) -> list[float]:
    return [float(table.get(level, 0.0)) for level in levels]


def _stored() -> Model:
    text = pkgutil.get_data("services.people", "model.toml")
    assert text is not None
    return read(text.decode())


MODEL = _stored()
