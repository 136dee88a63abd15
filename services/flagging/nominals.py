"""How a person is filed in the nominal index: canonical and complete."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from ppo.person.v1 import person_pb2
from services.flagging import fields
from services.people import dates, identifiers, names
from services.people.identifiers import Malformed
from services.runtime.errors import Invalid

Key = tuple[int, str]

NOMINAL_ID = person_pb2.IDENTIFIER_KIND_NOMINAL_ID

# Self-defined ethnicity: the codes of 16+1 and 18+1, NS (asked and not stated) among them.
_GROUPS = {"W": "1239", "M": "1239", "A": "12349", "B": "129", "O": "129"}
ETHNICITIES = {"NS", *(letter + digit for letter, digits in _GROUPS.items() for digit in digits)}


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
    return _canonical(person, field)[0]


def _canonical(person: person_pb2.Person, field: str) -> tuple[person_pb2.Person, list[Key]]:
    given = [(one.kind, one.value, one.raw) for one in person.identifiers]
    typed: dict[Key, str] = {}
    for place, (kind, text, _) in enumerate(given):
        typed.setdefault(_number(kind, text, f"{field}.identifiers", place), text)
    keys = list(typed)
    return (person if given == [(*key, "") for key in keys] else _refiled(person, typed)), keys


def _number(kind: person_pb2.IdentifierKind.ValueType, text: str, field: str, place: int) -> Key:
    if not kind:
        raise Invalid(f"{field}[{place}].kind", "is required")
    try:
        return int(kind), identifiers.canonical(kind, text)
    except Malformed as error:
        raise Invalid(f"{field}[{place}].value", str(error)) from None


def _refiled(person: person_pb2.Person, typed: Mapping[Key, str]) -> person_pb2.Person:
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    del copy.identifiers[:]
    for (kind, value), raw in typed.items():
        known = person_pb2.IdentifierKind.ValueType(kind)
        copy.identifiers.add(kind=known, value=value, raw="" if raw == value else raw)
    return copy


def filed(person: person_pb2.Person, today: date) -> tuple[person_pb2.Person, list[Key]]:
    """The person as the index keeps it, with the keys."""
    for field, name in _names(person):
        if not name.family_name.strip():
            raise Invalid(f"{field}.family_name", "is required; a one-word name stands here")
    if person.ethnicity_code and person.ethnicity_code not in ETHNICITIES:
        raise Invalid("person.ethnicity_code", "is not a self-defined ethnicity code")
    person = _dated(person)
    born = person.birth_date
    if born.day and not born.month:
        raise Invalid("person.birth_date", "has a day without its month")
    fields.refuse_unborn(born, today, "person.birth_date")
    copy, held = _canonical(person, "person")
    for place, (kind, _) in enumerate(held):
        if kind == NOMINAL_ID:
            raise Invalid(f"person.identifiers[{place}].kind", "a nominal id is given by this index")
    return copy, held


def _dated(person: person_pb2.Person) -> person_pb2.Person:
    """Without a date that none was meant by."""
    if dates.stated(person.birth_date):
        return person
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    copy.ClearField("birth_date")
    return copy


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


def without(person: person_pb2.Person, number: Key) -> person_pb2.Person:
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    del copy.identifiers[:]
    copy.identifiers.extend(one for one in person.identifiers if (one.kind, one.value) != number)
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


def refuse_vague(person: person_pb2.Person) -> None:
    """A search is for somebody; the index refuses what fits too many."""
    if not person.identifiers and not names.wording(person.name).family:
        raise Invalid("person.name.family_name", "give an identifier, or a name, best with a date of birth")


def _names(person: person_pb2.Person) -> Iterator[tuple[str, person_pb2.Name]]:
    yield "person.name", person.name
    for place, alias in enumerate(person.aliases):
        yield f"person.aliases[{place}]", alias
