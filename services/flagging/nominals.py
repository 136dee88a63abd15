"""How a person is filed in the nominal index: canonical, complete, and under which cues it is found again."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from ppo.person.v1 import person_pb2
from services.flagging import fields
from services.people import identifiers, names
from services.people.identifiers import Malformed
from services.runtime.errors import Invalid

Key = tuple[int, str]

NOMINAL_ID = person_pb2.IDENTIFIER_KIND_NOMINAL_ID

# Self-defined ethnicity: the codes of 16+1 and 18+1, NS (asked and not stated) among them.
_GROUPS = {"W": "1239", "M": "1239", "A": "12349", "B": "129", "O": "129"}
ETHNICITIES = {"NS", *(letter + digit for letter, digits in _GROUPS.items() for digit in digits)}

# A year of birth is often one off, by a slip or by a birthday.
YEARS_OFF = 1

# No index of PostgreSQL takes the longest names that there may be.
LONGEST_CUE = 50


def own_id(text: str, field: str) -> str:
    """An id that this suite gave."""
    try:
        return identifiers.canonical(NOMINAL_ID, text)
    except Malformed:
        raise Invalid(field, "is not an id of this register") from None


def identifier(given: person_pb2.Identifier, field: str) -> Key:
    if not given.kind:
        raise Invalid(f"{field}.kind", "is required")
    return number(given.kind, given.value, f"{field}.value")


def number(kind: person_pb2.IdentifierKind.ValueType, text: str, field: str) -> Key:
    try:
        return int(kind), identifiers.canonical(kind, text)
    except Malformed as error:
        raise Invalid(field, str(error)) from None


def canonical(person: person_pb2.Person, field: str = "person") -> person_pb2.Person:
    """With identifiers canonical, each once, and the raw text where it differs; a copy where any was not."""
    typed: dict[Key, str] = {}
    for place, given in enumerate(person.identifiers):
        typed.setdefault(identifier(given, f"{field}.identifiers[{place}]"), given.value)
    if [(one.kind, one.value, one.raw) for one in person.identifiers] == [(*key, "") for key in typed]:
        return person
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    del copy.identifiers[:]
    for (kind, value), raw in typed.items():
        known = person_pb2.IdentifierKind.ValueType(kind)
        copy.identifiers.add(kind=known, value=value, raw="" if raw == value else raw)
    return copy


def filed(person: person_pb2.Person, today: date) -> person_pb2.Person:
    """The person as the index keeps it."""
    for field, name in _names(person):
        if not name.family_name.strip():
            raise Invalid(f"{field}.family_name", "is required; a one-word name stands here")
    if person.ethnicity_code and person.ethnicity_code not in ETHNICITIES:
        raise Invalid("person.ethnicity_code", "is not a self-defined ethnicity code")
    fields.refuse_unborn(person.birth_date, today, "person.birth_date")
    for place, given in enumerate(person.identifiers):
        if given.kind == NOMINAL_ID:
            raise Invalid(f"person.identifiers[{place}].kind", "a nominal id is given by this index")
    return canonical(person)


def keys(person: person_pb2.Person) -> list[Key]:
    return [(int(one.kind), one.value) for one in person.identifiers]


def with_learnt(person: person_pb2.Person, learnt: Iterable[Key]) -> person_pb2.Person:
    """A copy with these identifiers too, always in the same order: the same person is the same bytes."""
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    del copy.identifiers[:]
    added = sorted(set(learnt))
    copy.identifiers.extend(one for one in person.identifiers if (one.kind, one.value) not in added)
    for kind, value in added:
        copy.identifiers.add(kind=person_pb2.IdentifierKind.ValueType(kind), value=value)
    return copy


def united(persons: Sequence[person_pb2.Person]) -> person_pb2.Person:
    """One person of many records: the first as it is, with the names and identifiers of the others."""
    first, *others = persons
    copy = person_pb2.Person()
    copy.CopyFrom(first)
    for other in others:
        known = [copy.name, *copy.aliases]
        copy.aliases.extend(name for name in (other.name, *other.aliases) if name not in known)
        copy.identifiers.extend(one for one in other.identifiers if one not in copy.identifiers)
        if not copy.birth_date.year:
            copy.birth_date.CopyFrom(other.birth_date)
    return copy


def born(person: person_pb2.Person) -> int | None:
    """YYYYMMDD where all of it is known."""
    date = person.birth_date
    whole = date.year and date.month and date.day
    return date.year * 10_000 + date.month * 100 + date.day if whole else None


def cues(person: person_pb2.Person) -> list[str]:
    """The year of birth (0 where not known) with each family name, its words and its sound."""
    families = {names.wording(name).family for _, name in _names(person)}
    return sorted(f"{person.birth_date.year}/{cue}" for family in families for cue in _spelt(family))


def wanted(person: person_pb2.Person) -> list[str]:
    """The cues of whoever may be the one asked for: names may be swapped, the year one off."""
    wordings = [names.wording(name) for _, name in _names(person)]
    words = {cue for wording in wordings for part in wording for cue in _spelt(part)}
    year = person.birth_date.year
    years = {0, *range(year - YEARS_OFF, year + YEARS_OFF + 1)}
    return sorted(f"{one}/{word}" for one in years for word in words)


def refuse_vague(person: person_pb2.Person) -> None:
    """A search is for somebody, never for everybody of a name."""
    if person.identifiers:
        return
    if not names.wording(person.name).family:
        raise Invalid("person.name.family_name", "give an identifier, or a family name with a date of birth")
    if not person.birth_date.year:
        raise Invalid("person.birth_date.year", "give at least the year of birth with a name")


def _names(person: person_pb2.Person) -> Iterator[tuple[str, person_pb2.Name]]:
    yield "person.name", person.name
    for place, alias in enumerate(person.aliases):
        yield f"person.aliases[{place}]", alias


# Names repeat, in an import as in a search.
@lru_cache(1 << 14)
def _spelt(name: str) -> frozenset[str]:
    if not name:
        return frozenset()
    sound = names.sound(name)
    cues = {names.joined(name), *name.split(), *([f"~{sound}"] if sound else [])}
    return frozenset(cue[:LONGEST_CUE] for cue in cues)
