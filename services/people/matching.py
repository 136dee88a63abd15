"""Who may be meant by a name and a date of birth: an index in memory, and Fellegi-Sunter bits."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers, likeness, reading, vocabulary
from services.people.births import Births
from services.people.likeness import Codes
from services.people.model import MODEL, MOST_ALIASES, Bits, Model
from services.people.names import Wording
from services.people.postcodes import Postcodes
from services.people.reading import Form, Reading, read
from services.people.rows import (
    ALIASES,
    DATE,
    FAMILY,
    GIVEN,
    NOBODY,
    PERSON,
    POSTCODE,
    ROMANISED,
    SEX,
    Field,
    Places,
    Rows,
    Table,
)
from services.people.vocabulary import Coded, Vocabulary

MODEL_VERSION = MODEL.version

# Bits of names that are kept from one question to the next: 32 MB of them.
MOST_REMEMBERED = 4_000_000

OTHER_SCRIPT = "another script"

_NAMELESS = Form(Wording("", ""))
_NOWHERE: Places = np.empty(0, np.intp)


class Match(NamedTuple):
    nominal_id: str
    bits: float
    evidence: list[screening_pb2.Evidence]


def compare(given: person_pb2.Person, held: person_pb2.Person) -> tuple[float, list[screening_pb2.Evidence]]:
    """The bits for the two being one person, and the evidence that they are the sum of."""
    index = Index()
    index.put("held", held)
    _, bits, evidence = index.explain(index.question(given), "held")
    return bits, evidence


def contradicts(given: person_pb2.Person, held: person_pb2.Person) -> bool:
    """Whether this is hardly the person on file: the date is clearly another, or the given name is.

    A family name changes in a life, and twins and brothers have the same one: it speaks only for itself.
    """
    if read(given) == read(held):
        return False
    _, evidence = compare(given, held)
    said = {each.field: each.comparison for each in evidence if not each.comparison.endswith(OTHER_SCRIPT)}
    differ = {field for field, how in said.items() if how.endswith("differs") and how != "partly differs"}
    return bool(differ & {"birth_date", "given_name"}) or (
        "given_name" not in said and "family_name" in differ
    )


def named(person: person_pb2.Person) -> bool:
    return bool(read(person).forms)


class People:
    """What is known of names and dates in general: how common each is among those in the index."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary()
        self.births = Births()
        self.postcodes = Postcodes()
        self.size = 0
        # What each name is worth that was asked about, until somebody comes or goes.
        self.fields: dict[tuple[int, str], Field] = {}

    def count(self, row: Sequence[int], step: int) -> None:
        self.fields.clear()
        # Main names only: an alias is no second person.
        if row[ALIASES] or not row[FAMILY]:
            return
        self.vocabulary.count(Coded(row[GIVEN], row[FAMILY]), step)
        self.births.count(row[DATE], step)
        self.postcodes.count(row[POSTCODE], step)
        self.size += step


class Question:
    """What was given, read once."""

    def __init__(self, given: person_pb2.Person, people: People, weights: Model) -> None:
        straight, self.born, self.sex, postcode = read(given)
        self.forms = (*straight, *map(reading.swapped, straight)) or (_NAMELESS,)
        self.rarity = people.births.rarity(self.born)
        self.date_bits = weights.date_bits(*np.array(self.rarity))
        # The most that a date is worth to those who are not found by theirs.
        far = likeness.FAR | (not likeness.whole(self.born))
        self.undated = float(max(self.date_bits[far].max(), 0.0))
        self.postcode = people.postcodes.known(postcode)
        self.postcode_bits = people.postcodes.bits(self.postcode, people.size, weights)
        self._vocabulary, self._persons = people.vocabulary, people.size
        self._weights = weights
        self._fields = people.fields

    def bits(self, form: Form, table: Table) -> Bits:
        family, given, date = self._parts(form, table)
        bits = family + given + date - self._weights.alias_prices[table[:, ALIASES]] - self._own_price(form)
        if self.postcode:
            bits += self.postcode_bits * (table[:, POSTCODE] == self.postcode)
        return bits - self._weights.sex_differs * self._of_another_sex(table) if self.sex else bits

    def evidence(self, form: Form, row: NDArray[np.int32]) -> list[screening_pb2.Evidence]:
        """The parts of the bits of one row."""
        table = row[None]
        family, given, date = (float(each[0]) for each in self._parts(form, table))
        stated = [*self._name_evidence(form, row, given, family)]
        if level := self.of_date(int(row[DATE])):
            stated.append(_evidence("birth_date", level, date))
        if self.sex and self._of_another_sex(table)[0]:
            stated.append(_evidence("sex", "differs", -self._weights.sex_differs))
        if self.postcode and row[POSTCODE] == self.postcode:
            stated.append(_evidence("postcode", "exact", self.postcode_bits))
        return stated

    def names(self, form: Form) -> tuple[Field, Field]:
        """The family name and the given name."""
        family = self._field(vocabulary.FAMILY, form.wording.family)
        return family, self._field(vocabulary.GIVEN, form.wording.given)

    def exactly(self, form: Form, table: Table) -> NDArray[np.bool_]:
        """Who has all that was given: those very names, and those parts of the date of birth."""
        family, given = self.names(form)
        dated = table[:, DATE] & likeness.known_parts(self.born) == self.born
        return np.asarray(dated & _has(family, table[:, FAMILY]) & _has(given, table[:, GIVEN]))

    def whole(self, form: Form) -> bool:
        return likeness.whole(self.born) and all(form.wording)

    @cached_property
    def best(self) -> float:
        """The bits of who is held with exactly what was given; such a person reaches no fewer."""
        [date] = likeness.birth_dates(self.born, np.array([self.born], np.int32))
        straight = [form for form in self.forms if not form.swapped]
        # Who has them may be held in either script.
        ways = [[self._at_least(form) for form in straight if form.romanised is way] for way in (False, True)]
        return min(max(names) for names in ways if names) + float(self.date_bits[date])

    def _at_least(self, form: Form) -> float:
        """What is certain of the names of who has these and as many aliases."""
        # One name alone may be the given name of who is held.
        ways = (form, reading.swapped(form)) if form.wording.family and not form.wording.given else (form,)
        price = self._weights.alias_prices[min(form.aliases, MOST_ALIASES)]
        bits = (sum(field.exact for field in self.names(way)) - self._own_price(way) for way in ways)
        return float(min(bits) - price)

    def of_date(self, born: int) -> str:
        [relation] = likeness.birth_dates(self.born, np.array([born], np.int32))
        return likeness.DATES[likeness.DATE_LEVELS.flat[relation]]

    def _parts(self, form: Form, table: Table) -> tuple[Bits, Bits, Bits]:
        """What family name, given name and date are worth in each row."""
        names = self.names(form)
        family, given = names[0].bits[table[:, FAMILY]], names[1].bits[table[:, GIVEN]]
        date = self.date_bits[likeness.birth_dates(self.born, table[:, DATE])]
        return family, self._weights.given_bits(given, family + date), date

    def _own_price(self, form: Form) -> float:
        return (
            float(self._weights.alias_prices[min(form.aliases, MOST_ALIASES)])
            + form.swapped * self._weights.swapped
        )

    def _of_another_sex(self, table: Table) -> NDArray[np.bool_]:
        sexes = table[:, SEX]
        return np.asarray((sexes > 0) & (sexes != self.sex))

    def _field(self, role: int, name: str) -> Field:
        key = role, name
        field = self._fields.get(key)
        if field is None:
            if (len(self._fields) + 1) * len(self._vocabulary) > MOST_REMEMBERED:
                self._fields.clear()
            field = self._fields[key] = self._weighed(role, name) if name else self._missing()
        return field

    def _missing(self) -> Field:
        bits = np.zeros(len(self._vocabulary))
        none = np.zeros(len(likeness.NAMES))
        return Field(np.empty(0, np.int32), np.empty(0, np.uint8), none, bits, -np.inf, 0.0)

    def _weighed(self, role: int, name: str) -> Field:
        codes, levels = self._vocabulary.near(name)[role]
        mass = np.bincount(levels, self._vocabulary.counts[codes, role], len(likeness.NAMES))
        # A name that nobody is held under is weighed as if it were held once.
        mass[likeness.EXACT] = max(mass[likeness.EXACT], 1)
        of_level = self._weights.name_bits(role, mass, self._persons)
        unlike = float(of_level[likeness.DIFFERS])
        bits = np.where(self._vocabulary.in_another_script(name), -self._weights.other_script, unlike)
        bits[vocabulary.NONE] = 0.0
        bits[codes] = of_level[levels]
        return Field(codes, levels, mass, bits, unlike, float(of_level[likeness.EXACT]))

    def _name_evidence(
        self, form: Form, row: NDArray[np.int32], given: float, family: float
    ) -> Iterator[screening_pb2.Evidence]:
        names = self.names(form)
        levels = [_level(names[1], row[GIVEN]), _level(names[0], row[FAMILY])]
        held = {"alias": row[ALIASES], "romanised": row[ROMANISED]}
        marks = dict.fromkeys((*(mark for mark, true in held.items() if true), *form.marks))
        price = float(self._weights.alias_prices[row[ALIASES]]) + self._own_price(form)
        compared = zip(("given_name", "family_name"), levels, (given, family), strict=True)
        stated = [(field, level, bits) for field, level, bits in compared if level]
        for field, level, bits in stated:
            yield _evidence(field, ", ".join((*marks, level)), bits - price / len(stated))
        if price and not stated:
            yield _evidence("family_name", ", ".join(marks), -price)


class Index:
    """Names, dates of birth and identifiers by nominal id; the persons themselves stay with the caller."""

    def __init__(self, weights: Model = MODEL) -> None:
        self._weights = weights
        self._people = People()
        self._rows = Rows()
        self._ids: list[str] = []
        self._free: list[int] = []
        self._places: dict[str, int] = {}
        self._numbers: dict[str, set[tuple[int, str]]] = {}
        self._holders: defaultdict[tuple[int, str], set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, nominal_id: object) -> bool:
        return nominal_id in self._places

    def put(self, nominal_id: str, person: person_pb2.Person) -> None:
        self.drop(nominal_id)
        rows = self._coded(self._number(nominal_id), read(person))
        self._places[nominal_id] = self._rows.add(rows)
        self._people.count(rows[0], 1)
        if person.identifiers:
            self._hold(nominal_id, {identifiers.key(each) for each in person.identifiers})

    def drop(self, nominal_id: str) -> None:
        place = self._places.pop(nominal_id, None)
        if place is None:
            return
        first = self._rows.table[place]
        self._people.count(first.tolist(), -1)
        self._free.append(int(first[PERSON]))
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
        return Question(given, self._people, self._weights)

    def answers(self, question: Question, limit: int, at_least: float) -> list[Match]:
        found = self.found(question, at_least)
        of = np.repeat(np.arange(len(found)), [len(places) for places, _ in found])
        places, bits = (np.concatenate(each) for each in zip(*found, strict=True))
        best = self._best(places, bits, limit)
        return [self._match(question, question.forms[of[at]], places[at]) for at in best]

    def found(self, question: Question, at_least: float) -> list[tuple[Places, Bits]]:
        """For each form of what was given, whose rows reach so many bits, or are exactly it, and the bits."""
        if self._rows.settle():
            self._find_places()
        if _NAMELESS in question.forms:
            return [(_NOWHERE, np.empty(0))]
        near = np.concatenate([*self._near(question)])
        return [self._scored(question, form, near, at_least) for form in question.forms]

    @property
    def persons(self) -> int:
        """How many are counted: those who have a name."""
        return self._people.size

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

    def threshold(self, false_alarms: float = 0.01) -> float:
        return self._weights.threshold(len(self), false_alarms)

    def _near(self, question: Question) -> Iterator[Places]:
        """Who is met by something else than the name."""
        yield self._rows.born(likeness.near_dates(question.born)) if question.born else _NOWHERE
        yield self._rows.living(question.postcode) if question.postcode else _NOWHERE

    def _scored(self, question: Question, form: Form, near: Places, at_least: float) -> tuple[Places, Bits]:
        family, given = question.names(form)
        named = self._rows.named(family, given, at_least - question.undated)
        places = np.concatenate([named, near, self._rows.newest()])
        table = self._rows.table[places]
        bits = question.bits(form, table)
        enough = bits >= at_least
        # An alias has fewer bits than the same name of itself; and in a large index more may be asked for
        # than a common name and a date are worth.
        if question.best >= at_least or question.whole(form):
            enough |= question.exactly(form, table)
        enough &= (table[:, PERSON] != NOBODY) & (table[:, FAMILY] != vocabulary.NONE)
        return places[enough], bits[enough]

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
        postcode = self._people.postcodes.code(held.postcode)
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
            for form in held.forms or (_NAMELESS,)
            for given, family in [self._people.vocabulary.coded(form.wording)]
        ]

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


def _evidence(field: str, comparison: str, bits: float) -> screening_pb2.Evidence:
    return screening_pb2.Evidence(field=field, comparison=comparison, bits=float(bits))


def _has(field: Field, codes: Codes) -> NDArray[np.bool_]:
    """Where the name itself is held, or none was given."""
    return np.asarray(field.bits[codes] >= field.exact)


def _level(field: Field, code: int) -> str:
    found = field.levels[field.near == code]
    if len(found):
        return likeness.NAMES[found[0]]
    if not field.bits[code]:
        return ""
    return "differs" if field.bits[code] == field.unlike else OTHER_SCRIPT
