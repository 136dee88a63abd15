"""What was given of a person, in one canonical form, and by what the same person is known again."""

import json
from collections.abc import Iterable
from datetime import date

from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2
from services.people import dates, identifiers, names
from services.runtime.errors import Invalid

# Longer than anybody lived.
MOST_YEARS = 130


def canonical(person: person_pb2.Person, today: date, path: str = "person.") -> person_pb2.Person:
    """The same with canonical identifiers, each once, and no date that none was meant by.

    Raises Invalid naming the field.
    """
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    if not dates.stated(copy.birth_date):
        copy.ClearField("birth_date")
    _refuse_nobodys(copy.birth_date, today, f"{path}birth_date")
    del copy.identifiers[:]
    copy.identifiers.extend(canonical_identifiers(person.identifiers, path))
    return copy


def canonical_identifiers(
    given: Iterable[person_pb2.Identifier], path: str = ""
) -> list[person_pb2.Identifier]:
    found: dict[tuple[int, str], person_pb2.Identifier] = {}
    for identifier in given:
        try:
            value = identifiers.canonical(identifier.kind, identifier.value)
        except identifiers.Malformed as malformed:
            raise Invalid(f"{path}identifiers.value", str(malformed)) from None
        found[identifier.kind, value] = person_pb2.Identifier(kind=identifier.kind, value=value)
    return list(found.values())


def _refuse_nobodys(born: Date, today: date, field: str) -> None:
    if (born.year, born.month, born.day) > (today.year, today.month, today.day):
        raise Invalid(field, "is in the future")
    if born.year and born.year < today.year - MOST_YEARS:
        raise Invalid(field, f"is more than {MOST_YEARS} years ago; a year has four digits")


def text(person: person_pb2.Person) -> str:
    """One text for everything that was given, however it was spelled or ordered."""
    aliases = sorted(_name(each) for each in person.aliases)
    numbers = sorted(_number(each) for each in person.identifiers)
    return json.dumps([_name(person.name), aliases, _born(person), person.sex, numbers])


def subjects(person: person_pb2.Person) -> list[str]:
    """Each alone says who this is: an identifier, or a full name with a full date of birth."""
    known = [_number(each) for each in person.identifiers]
    if all(_born(person)) and all(names.wording(person.name)):
        known.append(json.dumps([_name(person.name), _born(person)]))
    return known


def _name(name: person_pb2.Name) -> tuple[str, str]:
    wording = names.written(name)
    return wording.given, wording.family


def _born(person: person_pb2.Person) -> tuple[int, int, int]:
    date = person.birth_date
    return date.year, date.month, date.day


def _number(identifier: person_pb2.Identifier) -> str:
    return f"{identifiers.kind_name(identifier.kind)} {identifier.value}"
