"""A scored matcher over names and date of birth: candidates by cheap keys, then Fellegi-Sunter bits."""

import math
from bisect import insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple, TypeVar

from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers, likeness, names, reading, weights
from services.people.likeness import Born
from services.people.reading import DateKey, Form, Reading, read

MODEL_VERSION = weights.MODEL_VERSION

Key = TypeVar("Key", bound=Hashable)
Weighed = tuple[float, str]
Sets = defaultdict[Key, set[str]]

# With more people than this under the family names that come near, the given name must come near as well.
MANY = 100


class Match(NamedTuple):
    nominal_id: str
    bits: float
    evidence: list[screening_pb2.Evidence]


def compare(given: person_pb2.Person, held: person_pb2.Person) -> tuple[float, list[screening_pb2.Evidence]]:
    """The bits for the two being one person, and the evidence that they are the sum of."""
    return Question(given, weights.Frequencies()).explain(read(held))


def contradicts(given: person_pb2.Person, held: person_pb2.Person) -> bool:
    """Whether this can hardly be the person on file: no name is alike, or the date is clearly another."""
    _, evidence = compare(given, held)
    dates = {each.comparison for each in evidence if each.field == "birth_date"}
    # One part that differs while nothing speaks for the other; a changed family name stays above.
    return "differs" in dates or sum(each.bits for each in evidence if each.field != "birth_date") <= -5


def named(person: person_pb2.Person) -> bool:
    return bool(read(person).forms)


class Question:
    """What was given, read once, with every two names compared once."""

    def __init__(self, given: person_pb2.Person, frequencies: weights.Frequencies) -> None:
        straight, self.born = read(given)
        self.forms = (*straight, *map(reading.swapped, straight))
        self._given_name = cache(partial(_given_name, frequencies))
        self._family_name = cache(partial(_family_name, frequencies))
        self._birth_date = cache(partial(_birth_date, self.born))

    def bits(self, held: Reading, at_least: float = -math.inf) -> float:
        """The bits of the best reading, or nothing to rely on but that they are below `at_least`."""
        date = self._birth_date(held.born)[0]
        if not self.forms or not held.forms:
            return date
        return date + max(self._name_bits(*pair, at_least - date) for pair in product(self.forms, held.forms))

    def explain(self, held: Reading) -> tuple[float, list[screening_pb2.Evidence]]:
        best = max(product(self.forms, held.forms), key=lambda pair: self._name_bits(*pair), default=None)
        evidence = list(self._name_evidence(*best)) if best else []
        bits, level = self._birth_date(held.born)
        if level:
            evidence.append(screening_pb2.Evidence(field="birth_date", comparison=level, bits=bits))
        return sum(each.bits for each in evidence), evidence

    def _name_bits(self, given: Form, held: Form, at_least: float = -math.inf) -> float:
        family = self._family_name(given.wording.family, held.wording.family)[0] - given.price - held.price
        # Most candidates end here, which halves the time of a question.
        if family + weights.NAME_AT_MOST < at_least:
            return -math.inf
        return family + self._given_name(given.wording.given, held.wording.given)[0]

    def _name_evidence(self, given: Form, held: Form) -> Iterator[screening_pb2.Evidence]:
        weighed = {
            "given_name": self._given_name(given.wording.given, held.wording.given),
            "family_name": self._family_name(given.wording.family, held.wording.family),
        }
        stated = {field: value for field, value in weighed.items() if value[1]}
        marks = dict.fromkeys((*held.marks, *given.marks))
        price = (given.price + held.price) / max(len(stated), 1)
        for field, (bits, level) in stated.items():
            comparison = ", ".join((*marks, level))
            yield screening_pb2.Evidence(field=field, comparison=comparison, bits=bits - price)


class Index:
    """Persons by nominal id, found by name and date of birth or by identifier."""

    def __init__(self) -> None:
        self._persons: dict[str, person_pb2.Person] = {}
        self._readings: dict[str, Reading] = {}
        self._holders: Sets[tuple[int, str]] = defaultdict(set)
        self._dates: Sets[DateKey] = defaultdict(set)
        self._families: Sets[str] = defaultdict(set)
        self._given: Sets[str] = defaultdict(set)
        # From a cue to family names, and only from these to persons: many share a name.
        self._cues: Sets[str] = defaultdict(set)
        self._frequencies = weights.Frequencies()

    def __len__(self) -> int:
        return len(self._persons)

    def __contains__(self, nominal_id: object) -> bool:
        return nominal_id in self._persons

    def put(self, nominal_id: str, person: person_pb2.Person) -> None:
        self.drop(nominal_id)
        self._persons[nominal_id] = copy = person_pb2.Person()
        copy.CopyFrom(person)
        self._readings[nominal_id] = held = read(copy)
        for family in reading.families(held):
            _add(self._cues, reading.cues(family), family)
        for sets, keys in self._keys(nominal_id):
            _add(sets, keys, nominal_id)
        self._count(held, 1)

    def drop(self, nominal_id: str) -> None:
        if nominal_id not in self._persons:
            return
        for sets, keys in self._keys(nominal_id):
            _remove(sets, keys, nominal_id)
        held = self._readings.pop(nominal_id)
        for family in reading.families(held) - self._families.keys():
            _remove(self._cues, reading.cues(family), family)
        del self._persons[nominal_id]
        self._count(held, -1)

    def person(self, nominal_id: str) -> person_pb2.Person:
        return self._persons[nominal_id]

    def holders(self, identifier: person_pb2.Identifier) -> list[str]:
        """The nominal ids of those who have that identifier, as typed or canonical."""
        return sorted(self._holders.get(identifiers.key(identifier), ()))

    def matches(self, given: person_pb2.Person, limit: int, at_least: float = 0.0) -> list[Match]:
        """The best matches by name and date of birth, best first; identifiers are not looked at."""
        question = Question(given, self._frequencies)
        best = _best(question, self._candidates(question), self._readings, limit, at_least)
        return [Match(each, *question.explain(self._readings[each])) for each in best]

    def explain(self, given: person_pb2.Person, nominal_id: str) -> Match:
        return Match(nominal_id, *Question(given, self._frequencies).explain(self._readings[nominal_id]))

    def best_possible(self, given: person_pb2.Person) -> float:
        """The bits that a perfect match of what was given would reach."""
        return Question(given, self._frequencies).bits(read(given))

    def threshold(self, false_alarms: float = 0.01) -> float:
        return weights.threshold(len(self), false_alarms)

    def _candidates(self, question: Question) -> set[str]:
        asked = Reading(question.forms, question.born)
        turned = Reading(question.forms, likeness.turned(question.born))
        by_date = _found(self._dates, reading.date_keys(asked) | reading.date_keys(turned))
        return self._by_name(asked) | by_date

    def _by_name(self, asked: Reading) -> set[str]:
        cues = set().union(*map(reading.cues, reading.families(asked)))
        found = _found(self._families, _found(self._cues, cues))
        given = [form.wording.given for form in asked.forms]
        words = {word for each in given for word in each.split()}
        # An initial, or a given name that is missing, agrees with too many to narrow anything down.
        if len(found) <= MANY or not all(given) or min(map(len, words)) == 1:
            return found
        return found & _found(self._given, reading.given_cues(asked) | {word[0] for word in words} | {""})

    def _keys(self, nominal_id: str) -> Iterator[tuple[Sets[Any], Iterable[Hashable]]]:
        held = self._readings[nominal_id]
        yield self._holders, _identifier_keys(nominal_id, self._persons[nominal_id])
        yield self._dates, reading.date_keys(held)
        yield self._families, reading.families(held)
        yield self._given, reading.given_cues(held)

    def _count(self, held: Reading, step: int) -> None:
        for form in held.forms:
            if not form.marks:
                self._frequencies.count(form.wording, step)


def _best(
    question: Question, candidates: Iterable[str], held: Mapping[str, Reading], limit: int, at_least: float
) -> list[str]:
    best: list[tuple[float, str]] = []
    for each in candidates:
        bits = question.bits(held[each], at_least)
        if bits >= at_least:
            insort(best, (-bits, each))
            del best[limit:]
        if len(best) == limit:
            at_least = max(at_least, -best[-1][0])
    return [each for _, each in best]


def _given_name(frequencies: weights.Frequencies, one: str, other: str) -> Weighed:
    level = likeness.given_name(one, other)
    return weights.name(level, frequencies.share("given_name", names.first(other))), level


def _family_name(frequencies: weights.Frequencies, one: str, other: str) -> Weighed:
    level = likeness.family_name(one, other)
    return weights.name(level, frequencies.share("family_name", names.joined(other))), level


def _birth_date(one: Born, other: Born) -> Weighed:
    level = likeness.birth_date(one, other)
    return weights.birth_date(level, one, other), level


def _identifier_keys(nominal_id: str, person: person_pb2.Person) -> set[tuple[int, str]]:
    own = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value=nominal_id)
    return {identifiers.key(each) for each in (own, *person.identifiers)}


def _add(sets: Sets[Key], keys: Iterable[Key], member: str) -> None:
    for key in keys:
        sets[key].add(member)


def _remove(sets: Sets[Key], keys: Iterable[Key], member: str) -> None:
    for key in keys:
        sets[key].discard(member)
        if not sets[key]:
            del sets[key]


def _found(sets: Sets[Key], keys: Iterable[Key]) -> set[str]:
    return set().union(*(sets.get(key, ()) for key in keys))
