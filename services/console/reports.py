"""What became of an import's rows, told in parts: however many are refused, none is held in memory."""

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from ppo.flagging.v1 import flagging_pb2 as flagging
from services.console import output
from services.console.imports import SHOWN
from services.console.stop import Stop

COUNTS = ("created", "updated", "unchanged", "refused")


class Teller(Protocol):
    """Told part by part; leaving it ends what it writes."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: object, trace: TracebackType | None) -> None: ...

    def tell(self, part: flagging.ImportReport) -> None: ...


class Text:
    """Lines for a person; where they are over a thousand, all of them in a file too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shown = 0
        self._begun = False
        self._stack = ExitStack()
        # A csv.writer, which has no public type.
        self._table: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: TracebackType | None) -> None:
        self._stack.close()

    def tell(self, part: flagging.ImportReport) -> None:
        if not self._begun:
            self._begin(part)
        for refusal in part.refusals[: SHOWN - self._shown]:
            output.show(f"  line {refusal.line}: {refusal.field}: {refusal.rule}")
        self._shown = min(SHOWN, self._shown + len(part.refusals))
        if self._table is not None:
            self._table.writerows((one.line, one.field, one.rule) for one in part.refusals)

    def _begin(self, part: flagging.ImportReport) -> None:
        self._begun = True
        output.show(
            f"{part.created:,} created, {part.updated:,} updated, {part.unchanged:,} unchanged, "
            f"{part.refused:,} refused"
        )
        if part.refused > SHOWN:
            self._open()
            output.show(f"  all {part.refused:,} refusals are in {self._path}; the first {SHOWN:,} are")

    def _open(self) -> None:
        try:
            file = self._stack.enter_context(self._path.open("w", encoding="utf-8", newline=""))
        except OSError as error:
            raise Stop(
                f"{self._path} cannot be written: {error.strerror}; name another with --refused"
            ) from None
        self._table = csv.writer(file)
        self._table.writerow(("line", "field", "rule"))


class Json:
    """One object on one line, with every refusal."""

    def __init__(self) -> None:
        self._parted = ""
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: TracebackType | None) -> None:
        if self._begun:
            output.line("]}")

    def tell(self, part: flagging.ImportReport) -> None:
        if not self._begun:
            self._begun = True
            counts = {name: str(getattr(part, name)) for name in COUNTS}
            output.part(json.dumps(counts)[:-1] + ', "refusals": [')
        for refusal in part.refusals:
            output.part(self._parted + json.dumps(output.as_json(refusal)))
            self._parted = ", "
