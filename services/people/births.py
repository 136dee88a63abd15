"""How common a date of birth is: by its year, and by its day in the year."""

import math
from collections import Counter

import numpy as np

from services.people import likeness, model


class Births:
    def __init__(self) -> None:
        self._years = np.zeros(10_000, np.int64)
        self._days = np.zeros(512, np.int64)
        self._dates: Counter[int] = Counter()

    def count(self, born: int, step: int) -> None:
        self._dates[born] += step
        # A day that is not known would make the first of nothing a common birthday.
        year, day = born >> 9, born & 511
        self._years[year] += step * bool(year)
        self._days[day] += step * bool(day & 31 and day >> 5)

    def rarity(self, born: int) -> tuple[float, float]:
        """What it is worth in bits to share the year, and the day and month."""
        year, day = self._year_bits(born >> 9), self._day_bits(born >> 5 & 15, born & 31)
        return year, day - self._crowding(born, year + day) * likeness.whole(born)

    def _crowding(self, born: int, rarity: float) -> float:
        """How many bits that very date is commoner than its year and its day make it."""
        expected = int(self._years.sum()) * 2**-rarity
        # Who is meant is one of them. One person more or fewer is chance.
        return math.log2((max(self._dates[born] - 1, 0) + 1) / (expected + 1))

    def _year_bits(self, year: int) -> float:
        prior = model.PRIOR_PERSONS
        # As if one were held who was born then.
        share = (max(self._years[year], 1) + prior / model.YEARS) / (self._years.sum() + prior)
        return -math.log2(share) if year else 0.0

    def _day_bits(self, month: int, day: int) -> float:
        if not (month and day):
            return math.log2(model.MONTHS) * bool(month) + math.log2(model.DAYS_IN_MONTH) * bool(day)
        # As many days as there are need as many persons before some are seen to be commoner.
        prior = model.PRIOR_PERSONS * model.MONTHS
        share = (max(self._days[month << 5 | day], 1) + prior / model.DAYS) / (self._days.sum() + prior)
        return -math.log2(share)
