"""The lines and records of an import file: what is broken is told, and the rest is read on."""

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

# A row is a person or a registration; what is longer is none.
LONGEST_LINE = 1 << 20
# In a quoted cell a line may end. A quotation mark that is never closed would swallow the rest of the file.
MOST_LINES = 20

Record = list[str]


class RowError(ValueError):
    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class Line(NamedTuple):
    number: int
    text: str | RowError


def count(path: Path) -> int:
    """How many lines there are, for a progress bar."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(LONGEST_LINE), b""))


def lines(file: BinaryIO) -> Iterator[Line]:
    """Each without its end."""
    number = 0
    while piece := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(piece) > LONGEST_LINE:
            _skip(file, piece)
        yield Line(number, _text(piece, number))


def _skip(file: BinaryIO, piece: bytes) -> None:
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(LONGEST_LINE)


def _text(piece: bytes, number: int) -> str | RowError:
    if len(piece) > LONGEST_LINE:
        return RowError("row", f"is longer than {LONGEST_LINE:,} bytes")
    try:
        text = piece.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        return RowError("row", f"is not UTF-8 text, at byte {error.start + 1}")
    return text.rstrip("\r\n")


def records(read: Iterator[Line], cells: int) -> Iterator[tuple[int, int, Record | RowError]]:
    """Each record of a table with its first and last line; a blank line is none."""
    waiting: deque[Line] = deque()
    while line := _next(waiting, read):
        if not isinstance(line.text, str):
            yield line.number, line.number, line.text
        elif line.text.strip():
            held = _held(line, waiting, read)
            record = _record(held, cells)
            if isinstance(record, RowError) and len(held) > 1:
                # Perhaps a stray quotation mark: what stands behind it is read again by itself.
                waiting.extendleft(reversed(held[1:]))
                held = held[:1]
            yield line.number, held[-1].number, record


def _next(waiting: deque[Line], read: Iterator[Line]) -> Line | None:
    return waiting.popleft() if waiting else next(read, None)


def _held(first: Line, waiting: deque[Line], read: Iterator[Line]) -> list[Line]:
    """The lines of one record: quotation marks come in pairs."""
    held = [first]
    quoted = str(first.text).count('"') % 2
    while quoted and len(held) < MOST_LINES and (line := _next(waiting, read)):
        held.append(line)
        if not isinstance(line.text, str):
            break
        quoted ^= line.text.count('"') % 2
    return held


def _record(held: list[Line], cells: int) -> Record | RowError:
    if not all(isinstance(line.text, str) for line in held):
        return RowError("row", "has a quotation mark that is not closed")
    text = held[0].text if len(held) == 1 else "\n".join(str(line.text) for line in held)
    try:
        read = list(csv.reader([str(text)], strict=True))
    except csv.Error:
        read = []
    if len(read) != 1:
        return RowError("row", "is no row of a table: a quotation mark is out of place or not closed")
    if len(read[0]) != cells:
        return RowError("row", f"has {len(read[0])} cells, the header {cells}")
    return read[0]
