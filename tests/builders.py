"""Messages as a test begins with them: it changes only what matters to it."""

from typing import Any

from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2 as pb
from services.people import identifiers


def person(
    given: str = "James", family: str = "Carter", born: str = "1980-03-12", **fields: Any
) -> pb.Person:
    """`born` as YYYY-MM-DD, with 00 for what is not known; `fields` as in the contract."""
    year, month, day = map(int, born.split("-"))
    name = pb.Name(given_name=given, family_name=family)
    return pb.Person(name=name, birth_date=Date(year=year, month=month, day=day), **fields)


def name(given: str, family: str) -> pb.Name:
    return pb.Name(given_name=given, family_name=family)


def pnc_id(serial: int, year: int = 2001) -> pb.Identifier:
    return pb.Identifier(kind=pb.IDENTIFIER_KIND_PNC_ID, value=identifiers.pnc_id(year, serial))


def nominal_id(value: str) -> pb.Identifier:
    return pb.Identifier(kind=pb.IDENTIFIER_KIND_NOMINAL_ID, value=value)
