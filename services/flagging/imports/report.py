"""What becomes of the rows of an import."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import Counter

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import fields
from services.runtime import validation
from services.runtime.errors import Illegal, Invalid

Imported = pb.ImportNominalsRequest | pb.ImportRegistrationsRequest
R = TypeVar("R", pb.ImportNominalsRequest, pb.ImportRegistrationsRequest)
T = TypeVar("T")

ROWS = Counter("ppo_flagging_imported_rows", "Rows of imports, by what became of them.", ["kind", "result"])

MOST_REFUSALS = 1_000


class Report:
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._report = pb.ImportReport()

    def count(self, *, created: int, updated: int, unchanged: int) -> None:
        self._report.created += created
        self._report.updated += updated
        self._report.unchanged += unchanged
        for result, number in (("created", created), ("updated", updated), ("unchanged", unchanged)):
            ROWS.labels(self._kind, result).inc(number)

    def refuse(self, line: int, refusal: Invalid) -> None:
        self._report.refused += 1
        ROWS.labels(self._kind, "refused").inc()
        if len(self._report.refusals) < MOST_REFUSALS:
            self._report.refusals.add(line=line, field=refusal.field, rule=refusal.rule)

    def to_proto(self) -> pb.ImportReport:
        """A row that its batch refused stands where the file has it."""
        self._report.refusals.sort(key=lambda refusal: refusal.line)
        return self._report


async def rows(
    requests: AsyncIterator[R], take: Callable[[R], T], report: Report
) -> AsyncIterator[tuple[R, T]]:
    """Each row that obeys its contract and that `take` does not refuse, with what `take` made of it."""
    first: R | None = None
    place = 0
    async for request in requests:
        place += 1
        # A row that the sender did not number has its place in the stream.
        request.line = request.line or place
        first = first or request
        _refuse_mixed(first, request)
        try:
            validation.check(request)
            fields.key(request.source, "source")
            fields.key(request.source_reference, "source_reference")
            taken = take(request)
        except Invalid as refusal:
            report.refuse(request.line, refusal)
        else:
            yield request, taken


def _refuse_mixed(first: Imported, request: Imported) -> None:
    """One stream is one import of one source; this ends it, and what was taken stands."""
    for field in ("request_id", "source"):
        if getattr(first, field) != getattr(request, field):
            raise Invalid(field, "is the same on every row of an import")


@contextmanager
def blamed(field: str) -> Iterator[None]:
    """A rule of the register, broken by this field of a row."""
    try:
        yield
    except Illegal as illegal:
        raise Invalid(field, str(illegal)) from None
