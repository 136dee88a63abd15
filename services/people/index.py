"""Who of many may be meant by a name and a date of birth: the persons held, and how they are found."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers, likeness, vocabulary
from services.people.model import MODEL, MOST_ALIASES, Bits, Model
from services.people.population import Population
from services.people.question import NO_BITS, Question
from services.people.reading import NAMELESS, Form, Reading, read
from services.people.rows import ALIASES, FAMILY, NOBODY, PERSON, ROMANISED, Places, Rows, Table

_NOWHERE: Places = np.empty(0, np.intp)


class Match(NamedTuple):
    nominal_id: str
    bits: float
    evidence: list[screening_pb2.Evidence]


class Index:
    """Names, dates of birth and identifiers by nominal id; the persons themselves stay with the caller."""

    def __init__(self, weights: Model = MODEL) -> None:
        self._weights = weights
        self._population = Population(weights)
        self._rows = Rows()
        self._ids: list[str] = []
        self._free: list[int] = []
        self._places: dict[str, int] = {}
        self._numbers: dict[str, set[tuple[int, str]]] = {}
        self._holders: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        # How many aliases there are of persons who have so many.
        self._aliases: Counter[int] = Counter()
        # By share of false alarms, until somebody comes or goes.
        self._thresholds: dict[float, float] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, nominal_id: object) -> bool:
        return nominal_id in self._places

    def put(self, nominal_id: str, person: person_pb2.Person) -> None:
        self.drop(nominal_id)
        rows = self._coded(self._number(nominal_id), read(person))
        self._places[nominal_id] = self._rows.add(rows)
        self._count(rows, 1)
        if person.identifiers:
            self._hold(nominal_id, {identifiers.key(each) for each in person.identifiers})

    def drop(self, nominal_id: str) -> None:
        place = self._places.pop(nominal_id, None)
        if place is None:
            return
        rows = self._rows.of(place).tolist()
        self._count(rows, -1)
        self._free.append(rows[0][PERSON])
        self._rows.drop(place)
        for each in self._numbers.pop(nominal_id, ()):
            self._holders[each].remove(nominal_id)
            if not self._holders[each]:
                del self._holders[each]

    def holders(self, identifier: person_pb2.Identifier) -> list[str]:
        """The nominal ids of those who have that identifier, as typed or canonical."""
        kind, value = key = identifiers.key(identifier)
        own = {value} if kind == person_pb2.IDENTIFIER_KIND_NOMINAL_ID and value in self else set()
        return sorted(self._holders.get(key, set()) | own)

    def matches(self, given: person_pb2.Person, limit: int, at_least: float = 0.0) -> list[Match]:
        """The best matches by name and date of birth, best first; identifiers are not looked at.

        Who has exactly what was given is a match whatever the bits, if it is a whole name and date, or such
        that its best possible bits are as many as are asked for.
        """
        return self.answers(self.question(given), limit, at_least)

    def question(self, given: person_pb2.Person) -> Question:
        """To be asked until the index changes."""
        return Question(given, self._population, self._weights)

    def answers(self, question: Question, limit: int, at_least: float) -> list[Match]:
        found = self.found(question, at_least)
        if not any(len(places) for places, _ in found):
            return []
        of = np.repeat(np.arange(len(found)), [len(places) for places, _ in found])
        places, bits = (np.concatenate(each) for each in zip(*found, strict=True))
        best = self._best(places, bits, limit)
        return [self._match(question, question.forms[of[at]], places[at]) for at in best]

    def found(self, question: Question, at_least: float) -> list[tuple[Places, Bits]]:
        """For each form of what was given, whose rows reach so many bits, or are exactly it, and the bits."""
        if self._rows.settle():
            self._find_places()
        nobody = [(_NOWHERE, NO_BITS)] * len(question.forms)
        places = np.concatenate([*self._near(question, at_least - question.undated)])
        if not len(places) or NAMELESS in question.forms:
            return nobody
        # Here and below `take`, which costs a third of an index's price.
        table = self._rows.table.take(places, axis=0)
        [known] = ((table[:, PERSON] != NOBODY) & (table[:, FAMILY] != vocabulary.NONE)).nonzero()
        if not len(known):
            return nobody
        told = question.told(table.take(known, axis=0))
        reaching = (question.reaching(form, told, at_least) for form in question.forms)
        return [(places[known[at]], bits) for at, bits in reaching]

    @property
    def persons(self) -> int:
        """How many are counted: those who have a name."""
        return self._population.size

    @property
    def table(self) -> Table:
        return self._rows.table

    def explain(self, question: Question, nominal_id: str) -> Match:
        first = self._places[nominal_id]
        held = self._rows.of(first)
        bits = np.stack([question.bits(form, held) for form in question.forms])
        form, row = np.unravel_index(np.argmax(bits), bits.shape)
        return self._match(question, question.forms[form], first + int(row))

    def best_possible(self, given: person_pb2.Person) -> float:
        """The fewest bits of who has exactly what was given, but for those who have it as an alias."""
        return self.question(given).best

    @property
    def names(self) -> float:
        """How many names a stranger may meet by chance; an alias is as much of one as its price leaves it."""
        prices = self._weights.alias_prices.tolist()
        # Sorted, for a replica is to have the register's number to the last digit.
        worth: list[float] = [count * 0.5 ** prices[of] for of, count in sorted(self._aliases.items())]
        return len(self) + sum(worth)

    def threshold(self, false_alarms: float = 0.01) -> float:
        if false_alarms not in self._thresholds:
            self._thresholds[false_alarms] = self._weights.threshold(self.names, false_alarms)
        return self._thresholds[false_alarms]

    def _near(self, question: Question, least: float) -> Iterator[Places]:
        """Who is met by the names, or by something else."""
        yield self._rows.newest()
        if not self._rows.settled:
            return
        for form in question.forms:
            yield self._rows.named(question.family(form), question.given(form), least)
        if question.born:
            yield self._rows.born(likeness.near_dates(question.born))
        if question.postcode:
            yield self._rows.living(question.postcode)

    def _best(self, places: Places, bits: Bits, limit: int) -> list[int]:
        """Where the best rows of as many persons are; who ties is told apart by the nominal id."""
        most = 4 * limit
        while most < len(bits):
            last = np.partition(bits, -most)[-most]
            enough = np.flatnonzero(bits >= last)
            if len(np.unique(self._rows.table[places[enough], PERSON])) >= limit:
                return self._persons(places, bits, enough)[:limit]
            most *= 4
        return self._persons(places, bits, np.arange(len(bits)))[:limit]

    def _persons(self, places: Places, bits: Bits, some: Places) -> list[int]:
        """The best row of each person, best first."""
        ids = [self._ids[person] for person in self._rows.table[places[some], PERSON].tolist()]
        ranked = sorted(zip((-bits[some]).tolist(), ids, some.tolist(), strict=True))
        first: dict[str, int] = {}
        for _, nominal_id, at in ranked:
            first.setdefault(nominal_id, at)
        return list(first.values())

    def _match(self, question: Question, form: Form, place: int) -> Match:
        row = self._rows.table[place]
        evidence = question.evidence(form, row)
        return Match(self._ids[row[PERSON]], sum(each.bits for each in evidence), evidence)

    def _coded(self, number: int, held: Reading) -> list[tuple[int, ...]]:
        postcode = self._population.postcodes.code(held.postcode)
        return [
            (
                number,
                family,
                given,
                held.born,
                min(form.aliases, MOST_ALIASES),
                held.sex,
                form.romanised,
                postcode,
            )
            for form in held.forms or (NAMELESS,)
            for given, family in [self._population.coded(form.wording)]
        ]

    def _count(self, rows: Sequence[Sequence[int]], step: int) -> None:
        self._thresholds.clear()
        self._population.count(rows[0], step)
        for row in rows[1:]:
            # In Latin letters it is still the same alias.
            if row[ALIASES] and not row[ROMANISED]:
                self._aliases[row[ALIASES]] += step

    def _number(self, nominal_id: str) -> int:
        if self._free:
            self._ids[self._free[-1]] = nominal_id
            return self._free.pop()
        self._ids.append(nominal_id)
        return len(self._ids) - 1

    def _hold(self, nominal_id: str, keys: set[tuple[int, str]]) -> None:
        self._numbers[nominal_id] = keys
        for each in keys:
            self._holders[each].add(nominal_id)

    def _find_places(self) -> None:
        persons, places = self._rows.firsts()
        self._places = {
            self._ids[person]: place for person, place in zip(persons.tolist(), places.tolist(), strict=True)
        }
