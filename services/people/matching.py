"""Who may be meant by a name and a date of birth: an index in memory, and Fellegi-Sunter bits."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
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
    Compared,
    Field,
    Places,
    Rows,
    Table,
)
from services.people.vocabulary import NOTHING, OTHER_SCRIPT, Vocabulary

MODEL_VERSION = MODEL.version

# How names compare with all spellings is kept from one question to the next: 32 MB of it.
MOST_REMEMBERED = 32_000_000
# Names that were met once.
MOST_MET = 100_000
# Who asks for fewer bits, as no check does, has so many answered that all is compared at once.
SPARING = 4.0
# What adding up in another order may make of the same bits.
_HAIR = 1e-6

_LEVELS = (*likeness.NAMES, "another script")

_NAMELESS = Form(Wording("", ""))
_NOWHERE: Places = np.empty(0, np.intp)
_NO_BITS: Bits = np.empty(0)


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
    said = {
        each.field: each.comparison
        for each in evidence
        if not each.comparison.endswith(_LEVELS[OTHER_SCRIPT])
    }
    differ = {field for field, how in said.items() if how.endswith("differs") and how != "partly differs"}
    return bool(differ & {"birth_date", "given_name"}) or (
        "given_name" not in said and "family_name" in differ
    )


def named(person: person_pb2.Person) -> bool:
    return bool(read(person).forms)


class People:
    """What is known of names and dates in general: how common each is among those in the index."""

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
        bits = np.empty(len(_LEVELS))
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
        return Field(NOTHING, levels, np.zeros(len(likeness.NAMES)), np.zeros(len(_LEVELS)))


class GivenName:
    """Who asks after a name for the first time mostly has it compared with a few only."""

    def __init__(self, people: People, name: str) -> None:
        self._people = people
        self._name = name
        self._known = people.known(vocabulary.GIVEN, name)

    @cached_property
    def most(self) -> float:
        return self._people.most(vocabulary.GIVEN, self._name)

    @property
    def field(self) -> Field:
        return self._people.field(vocabulary.GIVEN, self._name)

    def compared(self, codes: Codes, least: float) -> Compared:
        if self._known or least < SPARING:
            return self.field.compared(codes)
        return self._people.glance(vocabulary.GIVEN, self._name, codes)


class Told(NamedTuple):
    """What every form of a question finds of some rows."""

    table: Table
    # The bits of all but the names.
    beside: Bits
    # Whether all that is known of the date agrees.
    dated: NDArray[np.bool_]


class Question:
    """What was given, read once."""

    def __init__(self, given: person_pb2.Person, people: People, weights: Model) -> None:
        straight, self.born, self.sex, postcode = read(given)
        self.named = bool(straight)
        self.forms = (*straight, *map(reading.swapped, straight)) or (_NAMELESS,)
        self.rarity = people.births.rarity(self.born)
        self.date_bits = weights.date_bits(*self.rarity)
        # The most that a date is worth to those who are not found by theirs.
        far = likeness.FAR if likeness.whole(self.born) else slice(None)
        self.undated = float(max(self.date_bits[far].max(), 0.0))
        self.postcode = people.postcodes.known(postcode)
        self.postcode_bits = people.postcodes.bits(self.postcode, people.size, weights)
        self._people = people
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
        at = np.flatnonzero(exactly | (bits + given.most >= at_least - _HAIR))
        if not len(at):
            return at, _NO_BITS
        of_given = given.compared(rows.table[at, GIVEN], at_least)
        exactly = exactly[at] & _is(of_given, form.wording.given)
        hopeful = exactly | (bits[at] + of_given.bits >= at_least - _HAIR)
        at, exactly = at[hopeful], exactly[hopeful]
        if not len(at):
            return at, _NO_BITS
        bits = self.bits(form, rows.table[at])
        enough = exactly | (bits >= at_least)
        return at[enough], bits[enough]

    def told(self, table: Table) -> Told:
        date = self.date_bits[self._dates(table)]
        dated = table[:, DATE] & likeness.known_parts(self.born) == self.born
        return Told(table, self.beside(table) + date, dated)

    def beside(self, table: Table) -> Bits:
        """The bits of all but names and date."""
        bits = -self._weights.alias_prices[table[:, ALIASES]]
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
        return self._people.field(vocabulary.FAMILY, form.wording.family)

    def given(self, form: Form) -> GivenName:
        name = form.wording.given
        if name not in self._given:
            self._given[name] = GivenName(self._people, name)
        return self._given[name]

    def _least_of_names(self, form: Form) -> float:
        """The names themselves are worth no less."""
        roles = zip(form.wording, self._weights.commonest_bits, strict=True)
        return sum(bits for name, bits in roles if name)

    def whole(self, form: Form) -> bool:
        return likeness.whole(self.born) and all(form.wording)

    @cached_property
    def best(self) -> float:
        """The bits of who is held with exactly what was given; such a person reaches no fewer."""
        return self._best(lambda way: sum(field.exact for field in self.names(way)))

    def reaches(self, bits: float) -> bool:
        """Whether the best has so many."""
        # Mostly it has with the commonest of names, and these need not be looked at.
        return self._best(self._least_of_names) >= bits or self.best >= bits

    def _best(self, of_names: Callable[[Form], float]) -> float:
        straight = [form for form in self.forms if not form.swapped]
        # Who has them may be held in either script.
        ways = [
            [self._certain(form, of_names) for form in straight if form.romanised is way]
            for way in (False, True)
        ]
        return min(max(names) for names in ways if names) + float(self.date_bits[likeness.itself(self.born)])

    def _certain(self, form: Form, of_names: Callable[[Form], float]) -> float:
        """What is certain of the names of who has these and as many aliases."""
        # One name alone may be the given name of who is held.
        ways = (form, reading.swapped(form)) if form.wording.family and not form.wording.given else (form,)
        price = self._weights.alias_prices[min(form.aliases, MOST_ALIASES)]
        return float(min(of_names(way) - self._own_price(way) for way in ways) - price)

    def _dates(self, table: Table) -> NDArray[np.intp]:
        return likeness.birth_dates(self.born, table[:, DATE])

    def _parts(self, form: Form, table: Table, dates: NDArray[np.intp]) -> tuple[Bits, Bits, Bits]:
        """What family name, given name and date are worth in each row."""
        family = self.family(form).compared(table[:, FAMILY]).bits
        given = self.given(form).field.compared(table[:, GIVEN]).bits
        date = self.date_bits[dates]
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
        levels = [_LEVELS[names[1].levels[row[GIVEN]]], _LEVELS[names[0].levels[row[FAMILY]]]]
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
        self._people = People(weights)
        self._rows = Rows()
        self._ids: list[str] = []
        self._free: list[int] = []
        self._places: dict[str, int] = {}
        self._numbers: dict[str, set[tuple[int, str]]] = {}
        self._holders: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        # How many aliases there are of persons who have so many.
        self._aliases: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, nominal_id: object) -> bool:
        return nominal_id in self._places

    def put(self, nominal_id: str, person: person_pb2.Person) -> None:
        self.drop(nominal_id)
        rows = self._coded(self._number(nominal_id), read(person))
        self._places[nominal_id] = self._rows.add(rows)
        self._people.count(rows[0], 1)
        self._count_aliases(rows, 1)
        if person.identifiers:
            self._hold(nominal_id, {identifiers.key(each) for each in person.identifiers})

    def drop(self, nominal_id: str) -> None:
        place = self._places.pop(nominal_id, None)
        if place is None:
            return
        rows = self._rows.of(place).tolist()
        self._people.count(rows[0], -1)
        self._count_aliases(rows, -1)
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
        return Question(given, self._people, self._weights)

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
        nobody = [(_NOWHERE, _NO_BITS)] * len(question.forms)
        places = np.concatenate([*self._near(question, at_least - question.undated)])
        if not len(places) or _NAMELESS in question.forms:
            return nobody
        table = self._rows.table[places]
        known = np.flatnonzero((table[:, PERSON] != NOBODY) & (table[:, FAMILY] != vocabulary.NONE))
        if not len(known):
            return nobody
        told = question.told(table[known])
        reaching = (question.reaching(form, told, at_least) for form in question.forms)
        return [(places[known[at]], bits) for at, bits in reaching]

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

    @property
    def names(self) -> float:
        """How many names a stranger may meet by chance; an alias is as much of one as its price leaves it."""
        prices = self._weights.alias_prices.tolist()
        # Sorted, for a replica is to have the register's number to the last digit.
        worth: list[float] = [count * 0.5 ** prices[of] for of, count in sorted(self._aliases.items())]
        return len(self) + sum(worth)

    def threshold(self, false_alarms: float = 0.01) -> float:
        return self._weights.threshold(self.names, false_alarms)

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
            for given, family in [self._people.coded(form.wording)]
        ]

    def _count_aliases(self, rows: Sequence[Sequence[int]], step: int) -> None:
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


def _evidence(field: str, comparison: str, bits: float) -> screening_pb2.Evidence:
    return screening_pb2.Evidence(field=field, comparison=comparison, bits=float(bits))


def _is(compared: Compared, name: str) -> NDArray[np.bool_]:
    """Where the name itself is held, or none was given."""
    return np.asarray(compared.levels == (likeness.EXACT if name else 0))
