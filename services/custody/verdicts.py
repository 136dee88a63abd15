"""What officers have said of possible matches, and what that leaves to be asked."""

from collections.abc import Iterable
from typing import NamedTuple

from ppo.person.v1 import person_pb2


class Said(NamedTuple):
    """One thing said; a later one about the same nominal corrects it."""

    nominal_id: str
    same_person: bool
    fingerprint: bool


class Standing(NamedTuple):
    """What of all that was said still stands."""

    confirmed: Said | None
    excluded: frozenset[str]


class Asked(NamedTuple):
    """What the register is asked about one person."""

    person: person_pb2.Person
    fingerprint: bool = False
    # Nominals of whom it is known that this person is none of them.
    excluded: frozenset[str] = frozenset()
    # Where nobody is known by the fingerprints: what was said counts as before they were taken.
    otherwise: "Asked | None" = None


def standing(said: Iterable[Said]) -> Standing:
    confirmed: Said | None = None
    excluded: set[str] = set()
    for verdict in said:
        if verdict.same_person:
            confirmed = verdict
            excluded.discard(verdict.nominal_id)
        else:
            excluded.add(verdict.nominal_id)
            confirmed = None if confirmed and confirmed.nominal_id == verdict.nominal_id else confirmed
    return Standing(confirmed, frozenset(excluded))


def contradicts(said: Iterable[Said], nominal_id: str, *, same_person: bool) -> bool:
    """Whether this takes back what was said: of that nominal, or that the person is another one."""
    before = standing(said)
    if not same_person:
        return before.confirmed is not None and before.confirmed.nominal_id == nominal_id
    another = before.confirmed is not None and before.confirmed.nominal_id != nominal_id
    return another or nominal_id in before.excluded


def asked(person: person_pb2.Person, fingerprints: Iterable[str], said: Iterable[Said]) -> Asked:
    """`fingerprints`: which of the identifiers were read off the person's fingerprints."""
    confirmed, excluded = standing(said)
    printed = set(fingerprints)
    said_so = Asked(person, excluded=excluded)
    if confirmed is not None:
        # Somebody who is known to be that nominal may have said any name: the nominal alone is asked about.
        said_so = Asked(_nominal(confirmed.nominal_id), confirmed.fingerprint)
    if not printed or said_so.fingerprint:
        return said_so
    # An identifier that was only said may be somebody else's.
    proven = _only(person, printed)
    otherwise = said_so if said_so.person != proven else None
    return Asked(proven, fingerprint=True, excluded=excluded, otherwise=otherwise)


def _nominal(nominal_id: str) -> person_pb2.Person:
    kind = person_pb2.IDENTIFIER_KIND_NOMINAL_ID
    return person_pb2.Person(identifiers=[person_pb2.Identifier(kind=kind, value=nominal_id)])


def _only(person: person_pb2.Person, values: set[str]) -> person_pb2.Person:
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    del copy.identifiers[:]
    copy.identifiers.extend(each for each in person.identifiers if each.value in values)
    return copy
