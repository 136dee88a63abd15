"""The register beside another system's list: every line and every entry falls in exactly one kind."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from ppo.person.v1 import person_pb2 as pb
from services.people import identifiers
from services.people.identifiers import Malformed

PNC = pb.IDENTIFIER_KIND_PNC_ID


class Line(NamedTuple):
    """Whom the other system lists."""

    number: int
    pnc: str
    start: date | None = None
    end: date | None = None
    owner: str = ""


class Unreadable(NamedTuple):
    number: int
    field: str
    rule: str


class Entry(NamedTuple):
    """Who is on the register now. An end, where there is one, lies ahead."""

    nominal_id: str
    pncs: tuple[str, ...]
    start: date
    end: date | None = None
    # Empty where it could not be read.
    owner: str = ""


class Known(NamedTuple):
    """Whom the index knows by an identifier: read of those that no entry has, or an entry among others."""

    # The nominal that lives on; the identifier is another's that was merged into it.
    nominal_id: str
    merged: bool = False
    # Of the last registration; empty where there never was one.
    start: date | None = None
    end: date | None = None


class Kind(StrEnum):
    """Of a line."""

    AGREES = "agrees"
    OTHER_FORM = "agrees, the identifier is written otherwise"
    DIFFERS = "differs"
    ENDED_HERE = "has ended here, not there"
    ENDED_THERE = "has ended there, not here"
    MERGED = "has the identifier of a record that was merged here"
    NEVER_REGISTERED = "is known to the index, never on the register"
    UNKNOWN = "is unknown to the index"
    MALFORMED = "has no PNC id that can be one"
    REPEATED = "stands there twice"
    UNREADABLE = "cannot be read"


class Lack(StrEnum):
    """Of an entry: why no line is its own."""

    NONE = "is listed there"
    MISWRITTEN = "seems to be listed there with a wrong identifier"
    WITHOUT_PNC = "has no PNC id to be listed by"
    MISSING = "is not listed there"


AGREED = (Kind.AGREES, Kind.OTHER_FORM)


class OfLine(NamedTuple):
    line: Line | Unreadable
    kind: Kind
    # Of the person on the register whose line it is, or seems to be where the identifier is malformed.
    entry: Entry | None = None
    says: tuple[str, ...] = ()


class OfEntry(NamedTuple):
    entry: Entry
    lack: Lack
    # The numbers of the lines that are, or seem to be, this person's.
    lines: tuple[int, ...] = ()


class Comparison(NamedTuple):
    lines: list[OfLine]
    entries: list[OfEntry]

    @property
    def agrees(self) -> bool:
        listed = all(one.lack is Lack.NONE for one in self.entries)
        return listed and all(one.kind in AGREED for one in self.lines)


class Register(NamedTuple):
    """What this side knows."""

    entries: Sequence[Entry]
    # By canonical PNC id.
    known: Mapping[str, Known]
    today: date

    def ended(self, end: date | None) -> bool:
        return end is not None and end <= self.today


def compare(lines: Iterable[Line | Unreadable], register: Register) -> Comparison:
    held = {pnc: entry for entry in register.entries for pnc in entry.pncs}
    living = {entry.nominal_id: entry for entry in register.entries}
    first: dict[str, Line] = {}
    found = []
    for line in lines:
        if isinstance(line, Unreadable):
            found.append(OfLine(line, Kind.UNREADABLE, says=(f"{line.field}: {line.rule}",)))
            continue
        pnc = canonical(line.pnc)
        if not pnc:
            found.append(_malformed(line, held))
            continue
        known = register.known.get(pnc)
        entry = held.get(pnc) or living.get(known.nominal_id if known else "")
        if entry is None:
            found.append(_not_on_it(line, known, register))
            continue
        merged = known is not None and known.merged
        found.append(_on_it(line, entry, first.setdefault(entry.nominal_id, line), register, merged=merged))
    return Comparison(found, _entries(register.entries, found))


def mended(pnc: str) -> str:
    """The PNC id with the check letter that its digits have; empty where more than that is wrong."""
    bare = pnc.strip()[:-1]
    readings = (canonical(f"{bare}{letter}") for letter in identifiers.CHECK_LETTERS)
    return next(filter(None, readings), "")


def canonical(pnc: str) -> str:
    """Empty where it can be no PNC id."""
    try:
        return identifiers.canonical(PNC, pnc)
    except Malformed:
        return ""


def _malformed(line: Line, held: Mapping[str, Entry]) -> OfLine:
    rule = _broken(line.pnc)
    meant = mended(line.pnc) if rule == identifiers.CHECK_LETTER else ""
    says = [f"its {rule} is wrong", *([f"{meant} is on the register"] if meant in held else [])]
    return OfLine(line, Kind.MALFORMED, held.get(meant), tuple(says))


def _broken(pnc: str) -> str:
    try:
        identifiers.canonical(PNC, pnc)
    except Malformed as malformed:
        return malformed.rule
    return ""


def _not_on_it(line: Line, known: Known | None, register: Register) -> OfLine:
    if known is None:
        return OfLine(line, Kind.UNKNOWN)
    if known.start is None:
        return OfLine(line, Kind.NEVER_REGISTERED)
    if not register.ended(line.end):
        ended = f"from {known.start} to {known.end} here" if known.end else "annulled here"
        return OfLine(line, Kind.ENDED_HERE, says=(ended,))
    differences = tuple(_dates(line, known))
    return OfLine(line, Kind.DIFFERS if differences else _form(line), says=differences)


def _on_it(line: Line, entry: Entry, first: Line, register: Register, *, merged: bool) -> OfLine:
    if merged:
        return OfLine(line, Kind.MERGED, entry, (f"lives on as {entry.nominal_id}",))
    if first is not line:
        return OfLine(line, Kind.REPEATED, entry, (f"is the person on line {first.number}",))
    if register.ended(line.end):
        return OfLine(line, Kind.ENDED_THERE, entry, (f"on {line.end} there",))
    differences = [*_dates(line, entry), *_owners(line, entry)]
    return OfLine(line, Kind.DIFFERS if differences else _form(line), entry, tuple(differences))


def _form(line: Line) -> Kind:
    whole = canonical(line.pnc)
    usual = (whole, identifiers.display(PNC, whole))
    return Kind.AGREES if line.pnc.strip() in usual else Kind.OTHER_FORM


def _dates(line: Line, here: Entry | Known) -> Iterator[str]:
    if line.start is not None and line.start != here.start:
        yield f"starts on {line.start} there, on {here.start} here"
    if line.end != here.end:
        yield f"ends {_when(line.end)} there, {_when(here.end)} here"


def _when(day: date | None) -> str:
    return f"on {day}" if day else "never"


def _owners(line: Line, entry: Entry) -> Iterator[str]:
    if line.owner and entry.owner and line.owner != entry.owner:
        yield f"is {line.owner}'s there, {entry.owner}'s here"


def _entries(entries: Iterable[Entry], found: Iterable[OfLine]) -> list[OfEntry]:
    lines: dict[str, list[OfLine]] = defaultdict(list)
    for one in found:
        if one.entry is not None:
            lines[one.entry.nominal_id].append(one)
    return [_entry(entry, lines[entry.nominal_id]) for entry in entries]


def _entry(entry: Entry, lines: Sequence[OfLine]) -> OfEntry:
    numbers = tuple(one.line.number for one in lines)
    if any(one.kind is not Kind.MALFORMED for one in lines):
        return OfEntry(entry, Lack.NONE, numbers)
    if lines:
        return OfEntry(entry, Lack.MISWRITTEN, numbers)
    return OfEntry(entry, Lack.MISSING if entry.pncs else Lack.WITHOUT_PNC)
