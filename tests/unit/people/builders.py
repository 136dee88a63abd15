"""People as the tests of names and matching write them down."""

from collections.abc import Iterable

from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2, screening_pb2
from services.people.screening import FlaggedSet

PNC = person_pb2.IDENTIFIER_KIND_PNC_ID
CRO = person_pb2.IDENTIFIER_KIND_CRO_NUMBER


def name(words: str) -> person_pb2.Name:
    """The last word is the family name."""
    given, _, family = words.rpartition(" ")
    return person_pb2.Name(given_name=given, family_name=family)


def date(text: str) -> Date:
    """Year, month and day as far as they are known: 1980-05-01, 1980-05, or nothing."""
    year, month, day = (*map(int, text.split("-") if text else ()), 0, 0, 0)[:3]
    return Date(year=year, month=month, day=day)


def person(
    words: str = "",
    born: str = "",
    aliases: Iterable[str] = (),
    pnc: Iterable[str] = (),
    sex: person_pb2.Sex.ValueType = person_pb2.SEX_UNSPECIFIED,
) -> person_pb2.Person:
    return person_pb2.Person(
        name=name(words),
        aliases=map(name, aliases),
        birth_date=date(born),
        sex=sex,
        identifiers=[person_pb2.Identifier(kind=PNC, value=value) for value in pnc],
    )


def flagged(*people: tuple[str, person_pb2.Person]) -> FlaggedSet:
    held = FlaggedSet()
    for nominal_id, each in people:
        held.put(screening_pb2.Candidate(nominal_id=nominal_id, person=each, version=1))
    return held
