"""Nominals as COPY takes them in, a row to a line."""

from collections.abc import Iterable

from services.flagging.nominals import Key

# What the text form of COPY would take for the end of a cell or a row.
_CELL = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def cell(value: str) -> str:
    return value.translate(_CELL)


def nominal(nominal_id: str, source: str, reference: str, person: bytes) -> str:
    """All but its version and when it is recorded, which are known when it is written; `source` is a cell."""
    return f"{nominal_id}\t{source}\t{cell(reference)}\t\\\\x{person.hex()}\t"


def identifiers(nominal_id: str, keys: Iterable[Key]) -> str:
    return "".join([f"{kind}\t{value}\t{nominal_id}\n" for kind, value in keys])


def whole(nominals: Iterable[str], versions: Iterable[int], recorded: str) -> str:
    end = f"\t{recorded}\n"
    return "".join([f"{line}{version}{end}" for line, version in zip(nominals, versions, strict=True)])
