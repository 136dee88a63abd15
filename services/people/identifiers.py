"""The one canonicaliser of the numbers that justice systems know a person by."""

import re
from collections.abc import Callable
from typing import TypeAlias

from ppo.person.v1 import person_pb2 as pb

Kind: TypeAlias = pb.IdentifierKind.ValueType

CHECK_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"

# Two-digit years 39 to 99 are 1939 to 1999, 00 to 38 are 2000 to 2038, as in the prisons' own search. A year
# that rolls with the calendar would read one number as two people in two different years. A four-digit year
# must lie in the same hundred, so that a wrong century, which the check letter cannot see, is always refused.
FIRST_YEAR = 1939

FORM = "form"
YEAR = "year"
SERIAL = "serial"
CHECK_LETTER = "check letter"

_LETTER = f"([{CHECK_LETTERS}])"
_PNC = re.compile(rf"(\d{{2}}|\d{{4}})/(\d{{1,7}}){_LETTER}", re.ASCII)
# Without its slash only the whole form has one reading: 0173319Z is 01/73319Z as well as 0173/319Z.
_PNC_WHOLE = re.compile(rf"(\d{{4}})(\d{{7}}){_LETTER}", re.ASCII)
_CRO = re.compile(rf"(\d{{1,6}})/(\d{{2}}){_LETTER}", re.ASCII)
_CRO_WHOLE = re.compile(rf"(\d{{6}})(\d{{2}}){_LETTER}", re.ASCII)
# The serial of an SF number has no fixed width and is counted as it stands: no zeros before it, and always
# the slash, for a digit typed in its place would make another number that passes.
_CRO_SF = re.compile(rf"SF(\d{{2}})/([1-9]\d{{0,5}}){_LETTER}", re.ASCII)
# What stands before the sequence says who made the arrest: police force, unit and system.
_ASN_HEAD = r"(\d{2})/([A-Z0-9]{2})([A-Z0-9]{2})/([A-Z0-9]{2})/"
_ASN = re.compile(rf"{_ASN_HEAD}(\d{{1,11}}){_LETTER}", re.ASCII)
_ASN_WHOLE = re.compile(rf"{_ASN_HEAD.replace('/', '')}(\d{{11}}){_LETTER}", re.ASCII)
_PRISON = re.compile(r"[A-Z]\d{4}[A-Z]{2}", re.ASCII)
_NOMINAL = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class Malformed(ValueError):
    """An identifier that breaks one rule of its kind; never holds the value itself."""

    def __init__(self, kind: str, rule: str) -> None:
        super().__init__(f"not a {kind}: its {rule} is wrong")
        self.kind = kind
        self.rule = rule


def kind_name(kind: Kind) -> str:
    """The kind in lower case, as it stands in Evidence.field."""
    known = pb.IdentifierKind.DESCRIPTOR.values_by_number.get(kind)
    return known.name.removeprefix("IDENTIFIER_KIND_").lower() if known else "unspecified"


def canonical(kind: Kind, raw: str) -> str:
    """The canonical text, or Malformed."""
    reader = _READERS.get(kind)
    if reader is None:
        raise Malformed(kind_name(kind), "kind")
    return reader(_typed(kind, raw))


def display(kind: Kind, value: str) -> str:
    """A canonical value as people write it: a PNC id with its two-digit year, an ASN without its zeros."""
    if kind == pb.IDENTIFIER_KIND_ASN:
        head, _, serial = value.rpartition("/")
        return f"{head}/{serial.lstrip('0')}"
    return value[2:] if kind == pb.IDENTIFIER_KIND_PNC_ID else value


def key(identifier: pb.Identifier) -> tuple[int, str]:
    """What two identifiers have in common when they are the same one."""
    try:
        return identifier.kind, canonical(identifier.kind, identifier.value)
    except Malformed:
        return identifier.kind, identifier.value.strip()


def pnc_id(year: int, serial: int) -> str:
    letter = _check_letter(f"{year % 100:02d}{serial:07d}")
    return canonical(pb.IDENTIFIER_KIND_PNC_ID, f"{year}/{serial:07d}{letter}")


def cro_number(year: int, serial: int) -> str:
    letter = _check_letter(f"{year % 100:02d}{serial:06d}")
    return canonical(pb.IDENTIFIER_KIND_CRO_NUMBER, f"{serial:06d}/{year % 100:02d}{letter}")


def cro_sf_number(year: int, serial: int) -> str:
    letter = _check_letter(f"{year % 100:02d}{serial}")
    return canonical(pb.IDENTIFIER_KIND_CRO_NUMBER, f"SF{year % 100:02d}/{serial}{letter}")


def asn(year: int, unit: str, serial: int) -> str:
    """`unit` is the force, its unit and the system, such as 01ZD01."""
    force, system = unit[:2], unit[4:]
    letter = _check_letter(_asn_digits(f"{year % 100:02d}", force, system, f"{serial:011d}"))
    return canonical(pb.IDENTIFIER_KIND_ASN, f"{year % 100:02d}{unit}{serial:011d}{letter}")


def prison_number(serial: int) -> str:
    """The serial-th number, counted digits first: 0 is A0000AA, 10,000 is A0000AB."""
    letters, digits = divmod(serial, 10_000)
    first, rest = divmod(letters, 26 * 26)
    text = f"{_capital(first)}{digits:04d}{_capital(rest // 26)}{_capital(rest % 26)}"
    return canonical(pb.IDENTIFIER_KIND_PRISON_NUMBER, text)


def _capital(place: int) -> str:
    return chr(ord("A") + place)


def _typed(kind: Kind, raw: str) -> str:
    # Capitals of other scripts fold into ASCII ones ("ſ" into "S"): nobody's keyboard does that by mistake.
    if not raw.isascii():
        raise Malformed(kind_name(kind), FORM)
    return raw.strip().upper()


def _check_letter(digits: str) -> str:
    return CHECK_LETTERS[int(digits) % len(CHECK_LETTERS)]


def _full_year(year: int) -> int:
    return FIRST_YEAR + (year - FIRST_YEAR) % 100


def _pnc_id(text: str) -> str:
    year, serial, letter = _parts("pnc_id", text, _PNC, _PNC_WHOLE)
    full_year = _full_year(int(year))
    if len(year) == 4 and full_year != int(year):
        raise Malformed("pnc_id", YEAR)
    serial = serial.zfill(7)
    _verify("pnc_id", serial, year[-2:] + serial, letter)
    return f"{full_year}/{serial}{letter}"


def _cro_number(text: str) -> str:
    if text.startswith("SF"):
        return _cro_sf(text)
    serial, year, letter = _parts("cro_number", text, _CRO, _CRO_WHOLE)
    serial = serial.zfill(6)
    _verify("cro_number", serial, year + serial, letter)
    return f"{serial}/{year}{letter}"


def _cro_sf(text: str) -> str:
    year, serial, letter = _parts("cro_number", text, _CRO_SF)
    _verify("cro_number", serial, year + serial, letter)
    return f"SF{year}/{serial}{letter}"


def _asn(text: str) -> str:
    year, force, unit, system, serial, letter = _parts("asn", text, _ASN, _ASN_WHOLE)
    serial = serial.zfill(11)
    _verify("asn", serial, _asn_digits(year, force, system, serial), letter)
    return f"{year}/{force}{unit}/{system}/{serial}{letter}"


def _asn_digits(year: str, force: str, system: str, serial: str) -> str:
    """The check letter covers a force and a system that are numbers; it never covers the unit."""
    return "".join(part for part in (force, system) if part.isdigit()) + year + serial


def _prison_number(text: str) -> str:
    if not _PRISON.fullmatch(text):
        raise Malformed("prison_number", FORM)
    return text


def _nominal_id(text: str) -> str:
    if not _NOMINAL.fullmatch(text):
        raise Malformed("nominal_id", FORM)
    return text.lower()


def _parts(kind: str, text: str, *forms: re.Pattern[str]) -> tuple[str, ...]:
    for form in forms:
        if found := form.fullmatch(text):
            return found.groups()
    raise Malformed(kind, FORM)


def _verify(kind: str, serial: str, digits: str, letter: str) -> None:
    if not serial.strip("0"):
        raise Malformed(kind, SERIAL)
    if _check_letter(digits) != letter:
        raise Malformed(kind, CHECK_LETTER)


_READERS: dict[Kind, Callable[[str], str]] = {
    pb.IDENTIFIER_KIND_PNC_ID: _pnc_id,
    pb.IDENTIFIER_KIND_CRO_NUMBER: _cro_number,
    pb.IDENTIFIER_KIND_ASN: _asn,
    pb.IDENTIFIER_KIND_PRISON_NUMBER: _prison_number,
    pb.IDENTIFIER_KIND_NOMINAL_ID: _nominal_id,
}
