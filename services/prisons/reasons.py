"""What the reason codes of prison movements mean, by dated reference data."""

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from services.runtime.reference import InvalidReference, Reference

K = TypeVar("K", bound=StrEnum)


class Basis(StrEnum):
    """By what right a prison takes somebody in."""

    REMAND = "REMAND"
    SENTENCED = "SENTENCED"
    RECALL = "RECALL"
    # Back to the custody that was left: a late return, a recapture.
    RETURN = "RETURN"
    # From another prison, or a night on the way.
    TRANSFER = "TRANSFER"
    STOPOVER = "STOPOVER"
    OTHERWISE = "OTHERWISE"
    NOT_KNOWN = "NOT_KNOWN"


class ReleaseKind(StrEnum):
    SUPERVISED = "SUPERVISED"
    UNSUPERVISED = "UNSUPERVISED"
    BAILED = "BAILED"
    UNLAWFULLY_AT_LARGE = "UNLAWFULLY_AT_LARGE"
    DIED = "DIED"
    # Custody is kept.
    HOSPITAL = "HOSPITAL"
    LEFT_COUNTRY = "LEFT_COUNTRY"
    # Custody is kept: a visit to another prison.
    NO_RELEASE = "NO_RELEASE"
    UNKNOWN = "UNKNOWN"


class Absence(StrEnum):
    COURT = "COURT"
    HOSPITAL = "HOSPITAL"
    POLICE = "POLICE"
    TEMPORARY = "TEMPORARY"


class Transfer(StrEnum):
    NORMAL = "NORMAL"
    OVERCROWDING = "OVERCROWDING"
    SECURITY = "SECURITY"
    MEDICAL = "MEDICAL"
    COMPASSIONATE = "COMPASSIONATE"
    VISITS = "VISITS"
    # Brought before a court or the police.
    PRODUCTION = "PRODUCTION"
    PROGRAMME = "PROGRAMME"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


# The code that a prison gives a death, which ends a registration by itself.
DIED = "DEC"
KEPT = (ReleaseKind.HOSPITAL, ReleaseKind.NO_RELEASE)
TABLES = {
    "admission_reasons": Basis,
    "release_reasons": ReleaseKind,
    "absence_reasons": Absence,
    "transfer_reasons": Transfer,
}


def basis(reference: Reference, code: str, at: datetime) -> Basis:
    return _meaning(reference, "admission_reasons", code, at, Basis.NOT_KNOWN)


def release_kind(reference: Reference, code: str, at: datetime) -> ReleaseKind:
    """A code that the table does not hold on that day is a release all the same, of unknown kind."""
    return _meaning(reference, "release_reasons", code, at, ReleaseKind.UNKNOWN)


def absence(reference: Reference, code: str, at: datetime) -> Absence:
    return _meaning(reference, "absence_reasons", code, at, Absence.TEMPORARY)


def transfer(reference: Reference, code: str, at: datetime) -> Transfer:
    return _meaning(reference, "transfer_reasons", code, at, Transfer.UNKNOWN)


def check(reference: Reference, at: datetime) -> None:
    """Raises InvalidReference where a row in force has a meaning that is none, before a movement meets it."""
    for table, meanings in TABLES.items():
        for row in reference.rows(table, at=at):
            if row.text("meaning") not in {one.value for one in meanings}:
                raise InvalidReference(f"{table} {row.id}: {row.text('meaning')} is no meaning")


def _meaning(reference: Reference, table: str, code: str, at: datetime, otherwise: K) -> K:
    row = reference.row(table, code, at=at)
    return otherwise if row is None else type(otherwise)(row.text("meaning"))
