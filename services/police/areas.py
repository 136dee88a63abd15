"""Which area an address lies in, by rows of postcodes that hold from a day on; the narrowest row says it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby, pairwise
from typing import NamedTuple, TypeAlias

_DISTRICT = r"[A-Z]{1,2}[0-9][A-Z0-9]?"
_POSTCODE = re.compile(rf"({_DISTRICT})([0-9])([A-Z]{{2}})", re.ASCII)
# A sector is told from a district by its space alone: B3 3 is no B33.
_WIDER = re.compile(rf"({_DISTRICT})(?: ([0-9]))?", re.ASCII)
LONGEST_PREMISES = 60


class Malformed(ValueError):
    """What can be no postcode, in words that do not repeat it."""


class Row(NamedTuple):
    postcode: str
    premises: str
    area: str
    start: date
    # The first day on which it is so no longer.
    end: date | None = None


class RowError(ValueError):
    """The row, the field and the rule that it breaks."""

    def __init__(self, place: int, field: str, rule: str) -> None:
        super().__init__(f"row {place + 1}: {field} {rule}")
        self.place, self.field, self.rule = place, field, rule


class Code(NamedTuple):
    """A postcode, or a stretch of them, and with a postcode the house."""

    postcode: str
    premises: str = ""


# From when on it lies in which area; empty where none is said.
Timeline: TypeAlias = tuple[tuple[date, str], ...]
Starts: TypeAlias = Mapping[Code, Timeline]
Start: TypeAlias = tuple[Code, date, str]


def postcode(raw: str) -> str:
    """As it is written: B33 8TH."""
    found = _POSTCODE.fullmatch("".join(raw.upper().split()))
    if found is None:
        raise Malformed("is no whole postcode, such as B33 8TH")
    return f"{found[1]} {found[2]}{found[3]}"


def premises(raw: str) -> str:
    """One spelling of a house, whoever writes it."""
    words = " ".join(re.sub(r"[,.]", " ", raw).upper().split())
    if len(words) > LONGEST_PREMISES:
        raise Malformed(f"is longer than {LONGEST_PREMISES} characters")
    return words


def code(raw: str, house: str = "") -> Code:
    """A postcode, or the district or sector of several."""
    written = " ".join(raw.upper().split())
    if not house.strip() and _WIDER.fullmatch(written):
        return Code(written)
    return Code(postcode(raw), premises(house))


def wider(address: Code) -> list[Code]:
    """What may cover the address, the narrowest first."""
    district = address.postcode.split()[0]
    house = [address] if address.premises else []
    return [*house, Code(address.postcode), Code(address.postcode[:-2]), Code(district)]


def canonical(rows: Iterable[Row]) -> list[Row]:
    """Each in one spelling. Raises RowError for what is none, and where two of one code overlap."""
    read = [_read(place, row) for place, row in enumerate(rows)]
    order = sorted(range(len(read)), key=lambda place: (_code(read[place]), read[place].start))
    for one, other in pairwise(order):
        earlier, later = read[one], read[other]
        if _code(earlier) == _code(later) and (earlier.end is None or later.start < earlier.end):
            raise RowError(other, "effective_start_date", f"overlaps row {one + 1}, of the same postcode")
    return read


def _read(place: int, row: Row) -> Row:
    try:
        read = code(row.postcode, row.premises)
    except Malformed as malformed:
        raise RowError(place, "postcode", str(malformed)) from None
    if row.end is not None and row.end <= row.start:
        raise RowError(place, "effective_end_date", "is not after effective_start_date")
    return row._replace(postcode=read.postcode, premises=read.premises)


def starts(rows: Iterable[Row]) -> dict[Code, Timeline]:
    """Of each code its starts alone: each row ends where the next begins, and one that just ends is empty."""
    in_order = sorted(rows, key=lambda row: (_code(row), row.start))
    return {key: tuple(_starts(list(group))) for key, group in groupby(in_order, key=_code)}


def _starts(rows: Sequence[Row]) -> Iterator[tuple[date, str]]:
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        yield row.start, row.area
        if row.end is not None and (following is None or following.start > row.end):
            yield row.end, ""


def timeline(known: Starts, address: Code) -> Timeline:
    """Where the address lies, from when on where; each stretch another area than the one before."""
    covering = [known[one] for one in wider(address) if one in known]
    turns = sorted({start for one in covering for start, _ in one})
    said = [(turn, next(filter(None, (at(one, turn) for one in covering)), "")) for turn in turns]
    changes = (later for earlier, later in pairwise([(date.min, ""), *said]) if earlier[1] != later[1])
    return tuple(changes)


def at(known: Timeline, on: date) -> str:
    return next((area for start, area in reversed(known) if start <= on), "")


def _code(row: Row) -> Code:
    return Code(row.postcode, row.premises)
