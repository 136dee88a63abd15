"""A scored matcher over names and date of birth: candidates by cheap keys, then Fellegi-Sunter bits."""

import heapq
import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from functools import cache, partial
from itertools import product
from typing import NamedTuple, TypeVar

from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers, likeness, names, weights
from services.people.likeness import Born
from services.people.names import Wording

MODEL_VERSION = weights.MODEL_VERSION

Key = TypeVar("Key", bound=Hashable)
Weighed = tuple[float, str]


class Match(NamedTuple):
    nominal_id: str
    bits: float
    evidence: list[screening_pb2.Evidence]


class Form(NamedTuple):
    """One way to read a person's name: an alias has its price in bits, a swapped one is marked."""

    wording: Wording
    alias: float = 0.0
    swapped: bool = False


class Reading(NamedTuple):
    """A person, read once."""

    person: person_pb2.Person
    forms: tuple[Form, ...]
    born: Born


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
    return bool(_forms(person))


def read(person: person_pb2.Person) -> Reading:
    date = person.birth_date
    return Reading(person, _forms(person), (date.year, date.month, date.day))


class Question:
    """What was given, read once, with every two names compared once."""

    def __init__(self, given: person_pb2.Person, frequencies: weights.Frequencies) -> None:
        reading = read(given)
        self.born = reading.born
        self.forms = [*reading.forms, *map(_swapped, reading.forms)]
        self._given_name = cache(partial(_given_name, frequencies))
        self._family_name = cache(partial(_family_name, frequencies))
        self._birth_date = cache(partial(_birth_date, self.born))

    def bits(self, held: Reading) -> float:
        pairs = product(self.forms, held.forms)
        return max(map(self._name_bits, pairs), default=0.0) + self._birth_date(held.born)[0]

    def explain(self, held: Reading) -> tuple[float, list[screening_pb2.Evidence]]:
        best = max(product(self.forms, held.forms), key=self._name_bits, default=None)
        evidence = list(self._name_evidence(*best)) if best else []
        bits, level = self._birth_date(held.born)
        if level:
            evidence.append(screening_pb2.Evidence(field="birth_date", comparison=level, bits=bits))
        return sum(each.bits for each in evidence), evidence

    def _name_bits(self, pair: tuple[Form, Form]) -> float:
        given, held = pair
        given_name = self._given_name(given.wording.given, held.wording.given)[0]
        return (
            given_name + self._family_name(given.wording.family, held.wording.family)[0] - _price(given, held)
        )

    def _name_evidence(self, given: Form, held: Form) -> Iterator[screening_pb2.Evidence]:
        weighed = {
            "given_name": self._given_name(given.wording.given, held.wording.given),
            "family_name": self._family_name(given.wording.family, held.wording.family),
        }
        stated = {field: value for field, value in weighed.items() if value[1]}
        price = _price(given, held) / max(len(stated), 1)
        for field, (bits, level) in stated.items():
            comparison = ", ".join((*_marks(given, held), level))
            yield screening_pb2.Evidence(field=field, comparison=comparison, bits=bits - price)


class Index:
    """Persons by nominal id, found by name and date of birth or by identifier."""

    def __init__(self) -> None:
        self._held: dict[str, Reading] = {}
        self._holders: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        self._families: defaultdict[str, set[str]] = defaultdict(set)
        self._cues: defaultdict[str, set[str]] = defaultdict(set)
        self._dates: defaultdict[Born, set[str]] = defaultdict(set)
        self._frequencies = weights.Frequencies()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, nominal_id: object) -> bool:
        return nominal_id in self._held

    def put(self, nominal_id: str, person: person_pb2.Person) -> None:
        self.drop(nominal_id)
        copy = person_pb2.Person()
        copy.CopyFrom(person)
        reading = self._held[nominal_id] = read(copy)
        for family in _families(reading):
            _add(self._families, [family], nominal_id)
            _add(self._cues, _cues(family), family)
        _add(self._dates, _date_keys(reading.born), nominal_id)
        _add(self._holders, _identifier_keys(nominal_id, copy), nominal_id)
        self._count(reading, 1)

    def drop(self, nominal_id: str) -> None:
        reading = self._held.pop(nominal_id, None)
        if reading is None:
            return
        for family in _families(reading):
            _remove(self._families, [family], nominal_id)
            if family not in self._families:
                _remove(self._cues, _cues(family), family)
        _remove(self._dates, _date_keys(reading.born), nominal_id)
        _remove(self._holders, _identifier_keys(nominal_id, reading.person), nominal_id)
        self._count(reading, -1)

    def person(self, nominal_id: str) -> person_pb2.Person:
        return self._held[nominal_id].person

    def holders(self, identifier: person_pb2.Identifier) -> list[str]:
        """The nominal ids of those who have that identifier, as typed or canonical."""
        return sorted(self._holders.get(identifiers.key(identifier), ()))

    def matches(self, given: person_pb2.Person, limit: int, at_least: float = 0.0) -> list[Match]:
        """The best matches by name and date of birth, best first; identifiers are not looked at."""
        question = Question(given, self._frequencies)
        scored = ((-question.bits(self._held[each]), each) for each in self._candidates(question))
        best = heapq.nsmallest(limit, (pair for pair in scored if -pair[0] >= at_least))
        return [Match(each, *question.explain(self._held[each])) for _, each in best]

    def explain(self, given: person_pb2.Person, nominal_id: str) -> Match:
        return Match(nominal_id, *Question(given, self._frequencies).explain(self._held[nominal_id]))

    def best_possible(self, given: person_pb2.Person) -> float:
        """The bits that a perfect match of what was given would reach."""
        return Question(given, self._frequencies).bits(read(given))

    def threshold(self, false_alarms: float = 0.01) -> float:
        return weights.threshold(len(self), false_alarms)

    def _candidates(self, question: Question) -> set[str]:
        if not question.forms:
            return set()
        cues = {cue for form in question.forms for cue in _cues(form.wording.family)}
        families = set().union(*(self._cues.get(cue, ()) for cue in cues))
        dates = {*_date_keys(question.born), *_date_keys(likeness.turned(question.born))}
        by_name = (self._families[family] for family in families)
        return set().union(*by_name, *(self._dates.get(key, ()) for key in dates))

    def _count(self, reading: Reading, step: int) -> None:
        for form in reading.forms:
            if not form.alias:
                self._frequencies.count(form.wording, step)


def _forms(person: person_pb2.Person) -> tuple[Form, ...]:
    main = names.wording(person.name)
    stated = {wording for each in person.aliases if (wording := names.wording(each)).family} - {main}
    price = math.log2(len(stated) + 1)
    aliases = (Form(wording, price) for wording in sorted(stated))
    return (Form(main), *aliases) if main.family else tuple(aliases)


def _swapped(form: Form) -> Form:
    return Form(Wording(form.wording.family, form.wording.given), form.alias, swapped=True)


def _price(given: Form, held: Form) -> float:
    return min(given.alias + held.alias, weights.ALIAS_AT_MOST) + weights.SWAPPED * given.swapped


def _marks(given: Form, held: Form) -> Iterator[str]:
    if given.alias or held.alias:
        yield "alias"
    if given.swapped:
        yield "swapped"


def _given_name(frequencies: weights.Frequencies, one: str, other: str) -> Weighed:
    level = likeness.given_name(one, other)
    return weights.name(level, frequencies.share("given_name", names.first(other))), level


def _family_name(frequencies: weights.Frequencies, one: str, other: str) -> Weighed:
    level = likeness.family_name(one, other)
    return weights.name(level, frequencies.share("family_name", names.joined(other))), level


def _birth_date(one: Born, other: Born) -> Weighed:
    level = likeness.birth_date(one, other)
    return weights.birth_date(level, one, other), level


def _families(reading: Reading) -> set[str]:
    return {form.wording.family for form in reading.forms}


def _cues(family: str) -> set[str]:
    """What a family name shares with those it may be mistaken for: a letter dropped, its sound, its words."""
    word = names.joined(family)
    # Names longer than any real one are not worth a key for each letter.
    dropped = {word[:at] + word[at + 1 :] for at in range(min(len(word), 40))}
    return ({word, f"~{names.sound(word)}", *family.split()} | dropped) - {"", "~"}


def _date_keys(born: Born) -> list[Born]:
    """The date with each part left out in turn: a candidate is who agrees in any two."""
    year, month, day = born
    return [key for key in ((0, month, day), (year, 0, day), (year, month, 0)) if key.count(0) == 1]


def _identifier_keys(nominal_id: str, person: person_pb2.Person) -> set[tuple[int, str]]:
    own = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value=nominal_id)
    return {identifiers.key(each) for each in (own, *person.identifiers)}


def _add(sets: defaultdict[Key, set[str]], keys: Iterable[Key], member: str) -> None:
    for key in keys:
        sets[key].add(member)


def _remove(sets: defaultdict[Key, set[str]], keys: Iterable[Key], member: str) -> None:
    for key in keys:
        sets[key].discard(member)
        if not sets[key]:
            del sets[key]
