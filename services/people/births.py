"""How common a date of birth is: by its year, and by its day in the year."""

import math
from collections import Counter

from services.people import likeness, model


class Births:
    def __init__(self) -> None:
        self._years: Counter[int] = Counter()
        self._days: Counter[int] = Counter()
        self._dates: Counter[int] = Counter()
        # How many have a year, and how many a day in it.
        self._of_year = self._of_day = 0

    def count(self, born: int, step: int) -> None:
        self._dates[born] += step
        # A day that is not known would make the first of nothing a common birthday.
        year, day = born >> 9, born & 511
        if year:
            self._years[year] += step
            self._of_year += step
        if day & 31 and day >> 5:
            self._days[day] += step
            self._of_day += step

    def rarity(self, born: int) -> tuple[float, float]:
        """What it is worth in bits to share the year, and the day and month."""
        year, day = self._year_bits(born >> 9), self._day_bits(born >> 5 & 15, born & 31)
        return year, day - self._crowding(born, year + day) * likeness.whole(born)

    def _crowding(self, born: int, rarity: float) -> float:
        """How many bits that very date is commoner than its year and its day make it."""
        expected = self._of_year * 2**-rarity
        # Who is meant is one of them. One person more or fewer is chance.
        return math.log2((max(self._dates[born] - 1, 0) + 1) / (expected + 1))

    def _year_bits(self, year: int) -> float:
        prior = model.PRIOR_PERSONS
        # As if one were held who was born then.
        share = (max(self._years[year], 1) + prior / model.YEARS) / (self._of_year + prior)
        return -math.log2(share) if year else 0.0

    def _day_bits(self, month: int, day: int) -> float:
        if not (month and day):
            return math.log2(model.MONTHS) * bool(month) + math.log2(model.DAYS_IN_MONTH) * bool(day)
        # As many days as there are need as many persons before some are seen to be commoner.
        prior = model.PRIOR_PERSONS * model.MONTHS
        share = (max(self._days[month << 5 | day], 1) + prior / model.DAYS) / (self._of_day + prior)
        return -math.log2(share)
