"""A question read once: what each row of an index says to it, in bits, and why."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppo.person.v1 import person_pb2, screening_pb2
from services.people import likeness, names, reading, vocabulary
from services.people.model import MOST_ALIASES, Bits, Model
from services.people.population import GivenName, Population
from services.people.reading import NAMELESS, Form, read
from services.people.rows import (
    ALIASES,
    DATE,
    FAMILY,
    GIVEN,
    POSTCODE,
    ROMANISED,
    SEX,
    Compared,
    Field,
    Places,
    Table,
)
from services.people.vocabulary import LEVELS

NO_BITS: Bits = np.empty(0)

# What adding up in another order may make of the same bits.
_HAIR = 1e-6


class Told(NamedTuple):
    """What every form of a question finds of some rows."""

    table: Table
    # The bits of all but the names.
    beside: Bits
    # Whether all that is known of the date agrees.
    dated: NDArray[np.bool_]


class Question:
    def __init__(self, given: person_pb2.Person, population: Population, weights: Model) -> None:
        straight, self.born, self.sex, postcode = read(given)
        self.named = reading.named(given)
        self.forms = (*straight, *map(reading.swapped, straight)) or (NAMELESS,)
        self.rarity = population.births.rarity(self.born)
        self.date_bits = weights.date_bits(*self.rarity)
        # The most that a date is worth to those who are not found by theirs.
        far = likeness.FAR if likeness.whole(self.born) else slice(None)
        self.undated = float(max(self.date_bits[far].max(), 0.0))
        self.postcode = population.postcodes.known(postcode)
        self.postcode_bits = population.postcodes.bits(self.postcode, population.size, weights)
        self._population = population
        self._given: dict[str, GivenName] = {}
        self._weights = weights

    def bits(self, form: Form, table: Table) -> Bits:
        family, given, date = self._parts(form, table, self._dates(table))
        return family + given + date + self.beside(table) - self._own_price(form)

    def reaching(self, form: Form, rows: Told, at_least: float) -> tuple[Places, Bits]:
        """Which rows reach so many bits, or are exactly what was given, and the bits."""
        # An alias has fewer bits than the same name of itself; and in a large index more may be asked for
        # than a common name and a date are worth.
        exactly = rows.dated if self.whole(form) or self.reaches(at_least) else np.zeros_like(rows.dated)
        given, of_family = self.given(form), self.family(form).compared(rows.table[:, FAMILY])
        exactly = exactly & _is(of_family, form.wording.family)
        bits = of_family.bits + (rows.beside - self._own_price(form))
        [at] = (exactly | (bits + given.most >= at_least - _HAIR)).nonzero()
        if not len(at):
            return at, NO_BITS
        of_given = given.compared(rows.table[at, GIVEN], at_least)
        exactly = exactly[at] & _agrees(of_given, form.wording.given)
        hopeful = exactly | (bits[at] + of_given.bits >= at_least - _HAIR)
        at, exactly = at[hopeful], exactly[hopeful]
        if not len(at):
            return at, NO_BITS
        bits = self.bits(form, rows.table[at])
        enough = exactly | (bits >= at_least)
        return at[enough], bits[enough]

    def told(self, table: Table) -> Told:
        date = self.date_bits.take(self._dates(table))
        dated = table[:, DATE] & likeness.known_parts(self.born) == self.born
        return Told(table, self.beside(table) + date, dated)

    def beside(self, table: Table) -> Bits:
        """The bits of all but names and date."""
        bits = -self._weights.alias_prices.take(table[:, ALIASES])
        if self.postcode:
            bits += self.postcode_bits * (table[:, POSTCODE] == self.postcode)
        return bits - self._weights.sex_differs * self._of_another_sex(table) if self.sex else bits

    def evidence(self, form: Form, row: NDArray[np.int32]) -> list[screening_pb2.Evidence]:
        """The parts of the bits of one row."""
        table = row[None]
        [relation] = dates = self._dates(table)
        family, given, date = (float(each[0]) for each in self._parts(form, table, dates))
        stated = [*self._name_evidence(form, row, given, family)]
        if level := likeness.DATES[likeness.DATE_LEVELS.flat[relation]]:
            stated.append(_evidence("birth_date", level, date))
        if self.sex and self._of_another_sex(table)[0]:
            stated.append(_evidence("sex", "differs", -self._weights.sex_differs))
        if self.postcode and row[POSTCODE] == self.postcode:
            stated.append(_evidence("postcode", "exact", self.postcode_bits))
        return stated

    def names(self, form: Form) -> tuple[Field, Field]:
        """The family name and the given name."""
        return self.family(form), self.given(form).field

    def family(self, form: Form) -> Field:
        return self._population.field(vocabulary.FAMILY, form.wording.family)

    def given(self, form: Form) -> GivenName:
        name = form.wording.given
        if name not in self._given:
            self._given[name] = GivenName(self._population, name)
        return self._given[name]

    def _least_of_names(self, form: Form) -> float:
        """The names themselves are worth no less."""
        if _initial(form.wording.given):
            return -math.inf
        roles = zip(form.wording, self._weights.commonest_bits, strict=True)
        return sum(bits for name, bits in roles if name)

    def whole(self, form: Form) -> bool:
        return likeness.whole(self.born) and all(form.wording)

    @cached_property
    def best(self) -> float:
        """The bits of who is held with exactly what was given; such a person reaches no fewer."""
        return self._best(self._of_names)

    def reaches(self, bits: float) -> bool:
        """Whether the best has so many."""
        # Mostly it has with the commonest of names, and these need not be looked at.
        return self._best(self._least_of_names) >= bits or self.best >= bits

    def _best(self, of_names: Callable[[Form], float]) -> float:
        # Who has those initials may be held under any names that they begin.
        if not self.named:
            return -math.inf
        straight = [form for form in self.forms if not form.swapped]
        # Who has them may be held in either script.
        ways = [
            [self._certain(form, of_names) for form in straight if form.romanised is way]
            for way in (False, True)
        ]
        return min(max(names) for names in ways if names) + self._date_itself

    def _of_names(self, form: Form) -> float:
        """What the names are worth where all that was given of them agrees."""
        family, given = self.names(form)
        if not _initial(form.wording.given):
            return family.exact + given.exact
        others = np.array([family.exact + self._date_itself])
        [bits] = self._weights.given_bits(given.of_level[[likeness.INITIAL]], others)
        return family.exact + float(bits)

    @property
    def _date_itself(self) -> float:
        return float(self.date_bits[likeness.itself(self.born)])

    def _certain(self, form: Form, of_names: Callable[[Form], float]) -> float:
        """What is certain of the names of who has these and as many aliases."""
        # One name alone may be the given name of who is held.
        ways = (form, reading.swapped(form)) if form.wording.family and not form.wording.given else (form,)
        price = self._weights.alias_prices[min(form.aliases, MOST_ALIASES)]
        return float(min(of_names(way) - self._own_price(way) for way in ways) - price)

    def _dates(self, table: Table) -> NDArray[np.uint8]:
        return likeness.birth_dates(self.born, table[:, DATE])

    def _parts(self, form: Form, table: Table, dates: NDArray[np.uint8]) -> tuple[Bits, Bits, Bits]:
        """What family name, given name and date are worth in each row."""
        family = self.family(form).compared(table[:, FAMILY]).bits
        given = self.given(form).field.compared(table[:, GIVEN]).bits
        date = self.date_bits.take(dates)
        return family, self._weights.given_bits(given, family + date), date

    def _own_price(self, form: Form) -> float:
        return (
            float(self._weights.alias_prices[min(form.aliases, MOST_ALIASES)])
            + form.swapped * self._weights.swapped
        )

    def _of_another_sex(self, table: Table) -> NDArray[np.bool_]:
        sexes = table[:, SEX]
        return np.asarray((sexes > 0) & (sexes != self.sex))

    def _name_evidence(
        self, form: Form, row: NDArray[np.int32], given: float, family: float
    ) -> Iterator[screening_pb2.Evidence]:
        names = self.names(form)
        levels = [LEVELS[names[1].levels[row[GIVEN]]], LEVELS[names[0].levels[row[FAMILY]]]]
        held = {"alias": row[ALIASES], "romanised": row[ROMANISED]}
        marks = dict.fromkeys((*(mark for mark, true in held.items() if true), *form.marks))
        price = float(self._weights.alias_prices[row[ALIASES]]) + self._own_price(form)
        compared = zip(("given_name", "family_name"), levels, (given, family), strict=True)
        stated = [(field, level, bits) for field, level, bits in compared if level]
        for field, level, bits in stated:
            yield _evidence(field, ", ".join((*marks, level)), bits - price / len(stated))
        if price and not stated:
            yield _evidence("family_name", ", ".join(marks), -price)


def _evidence(field: str, comparison: str, bits: float) -> screening_pb2.Evidence:
    return screening_pb2.Evidence(field=field, comparison=comparison, bits=float(bits))


def _is(compared: Compared, name: str) -> NDArray[np.bool_]:
    """Where the name itself is held, or none was given."""
    return np.asarray(compared.levels == (likeness.EXACT if name else 0))


def _initial(given: str) -> bool:
    return names.initial(names.first(given))


def _agrees(compared: Compared, given: str) -> NDArray[np.bool_]:
    """Where a given name is held that may be all that was given: of an initial every name that it begins."""
    if not _initial(given):
        return _is(compared, given)
    # What is said as the letter is (Jay) is no mere initial, but worth as much.
    return np.isin(compared.levels, (likeness.EXACT, likeness.INITIAL, likeness.SOUND_ALIKE))
