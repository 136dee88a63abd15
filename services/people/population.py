"""What is known of names and dates in general: how common each is among those in an index."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.people import likeness, vocabulary
from services.people.births import Births
from services.people.likeness import Codes
from services.people.model import Bits, Model
from services.people.names import Wording
from services.people.postcodes import Postcodes
from services.people.rows import ALIASES, DATE, FAMILY, GIVEN, POSTCODE, Compared, Field
from services.people.vocabulary import LEVELS, NOTHING, Vocabulary

# How names compare with all spellings is kept from one question to the next: 32 MB of it.
MOST_REMEMBERED = 32_000_000
# Names that were met once.
MOST_MET = 100_000
# Who asks for fewer bits, as no check does, has so many answered that all is compared at once.
SPARING = 4.0


class Population:
    def __init__(self, weights: Model) -> None:
        self.vocabularies = Vocabulary(likeness.given_names), Vocabulary(likeness.family_names)
        self.births = Births()
        self.postcodes = Postcodes()
        self.size = 0
        self._weights = weights
        # What each name is worth that was asked about, as of so many changes.
        self._fields: dict[tuple[int, str], tuple[int, Field]] = {}
        self._changes = 0
        self._remembered = 0
        self._met: set[tuple[int, str]] = set()

    def coded(self, wording: Wording) -> tuple[int, int]:
        given, family = self.vocabularies
        return given.code(wording.given), family.code(wording.family)

    def count(self, row: Sequence[int], step: int) -> None:
        self._changes += 1
        # Main names only: an alias is no second person.
        if row[ALIASES] or not row[FAMILY]:
            return
        given, family = self.vocabularies
        given.count(row[GIVEN], step)
        family.count(row[FAMILY], step)
        self.births.count(row[DATE], step)
        self.postcodes.count(row[POSTCODE], step)
        self.size += step

    def field(self, role: int, name: str) -> Field:
        changes, field = self._fields.get((role, name), (-1, None))
        if field is None or changes != self._changes:
            field = self._weighed(role, name) if name else self._missing(role)
            self._remembered += len(field.levels) * (changes < 0)
            if self._remembered > MOST_REMEMBERED:
                self._fields.clear()
                self._remembered = len(field.levels)
            self._fields[role, name] = self._changes, field
        return field

    def _weighed(self, role: int, name: str) -> Field:
        vocabulary = self.vocabularies[role]
        near = vocabulary.near(name)
        held = vocabulary.persons(near)
        # A name that nobody is held under is weighed as if it were held once.
        held[likeness.EXACT] = max(held[likeness.EXACT], 1)
        return Field(near, vocabulary.levels(name, near), held, self._bits(role, held))

    def _bits(self, role: int, held: NDArray[np.float64]) -> Bits:
        bits = np.empty(len(LEVELS))
        bits[:-1], bits[-1] = self._weights.name_bits(role, held, self.size), -self._weights.other_script
        return bits

    def glance(self, role: int, name: str, codes: Codes) -> Compared:
        """How a name compares with these alone: each is worth no more."""
        held = np.zeros(len(likeness.NAMES))
        held[likeness.EXACT] = max(self.vocabularies[role].held(name), 1)
        return Compared(self.vocabularies[role].compared(name, codes), self._bits(role, held))

    def most(self, role: int, name: str) -> float:
        """No name that compares with that one is worth more."""
        held = self.vocabularies[role].held(name)
        return self._weights.most_bits(role, max(held, 1), self.size) if name else 0.0

    def known(self, role: int, name: str) -> bool:
        """Whether it is met again, and so better compared with all at once; notes that it is met."""
        key = role, name
        if not name or key in self._fields or key in self._met:
            return True
        if len(self._met) > MOST_MET:
            self._met.clear()
        self._met.add(key)
        return False

    def _missing(self, role: int) -> Field:
        levels = np.zeros(len(self.vocabularies[role]), np.uint8)
        return Field(NOTHING, levels, np.zeros(len(likeness.NAMES)), np.zeros(len(LEVELS)))


class GivenName:
    """Who asks after a name for the first time mostly has it compared with a few only."""

    def __init__(self, population: Population, name: str) -> None:
        self._population = population
        self._name = name
        self._known = population.known(vocabulary.GIVEN, name)

    @cached_property
    def most(self) -> float:
        return self._population.most(vocabulary.GIVEN, self._name)

    @property
    def field(self) -> Field:
        return self._population.field(vocabulary.GIVEN, self._name)

    def compared(self, codes: Codes, least: float) -> Compared:
        if self._known or least < SPARING:
            return self.field.compared(codes)
        return self._population.glance(vocabulary.GIVEN, self._name, codes)
