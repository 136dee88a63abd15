"""Rows of an import, checked, canonical and as COPY takes them, by a process beside the service's own."""

import asyncio
import gc
import json
import marshal
import os
import signal
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, NamedTuple

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import copying, fields, nominals
from services.flagging.nominals import Key
from services.runtime import validation
from services.runtime.errors import Invalid, Unavailable

Refused = tuple[int, str, str]


class Row(NamedTuple):
    """A row of the stream, checked and canonical."""

    line: int
    reference: str
    person: bytes
    keys: list[Key]
    learnt: Sequence[Key] = ()


class Batch(NamedTuple):
    """Rows, checked: what to ask the index about them, and the lines to write if it knows none of it.

    Plain values, which pass from one process to another in a fifth of the time that objects take.
    """

    size: int
    # Line, field and rule.
    refused: Sequence[Refused]
    # No row's reference and no identifier comes twice.
    distinct: bool
    # As the queries of the store take them.
    references: str
    kinds: str
    values: str
    nominals: Sequence[str]
    identifiers: str
    packed: bytes

    @property
    def rows(self) -> list[Row]:
        """One by one, where some may be known."""
        return [Row(*row) for row in marshal.loads(self.packed)]


class Checker:
    """Checks in one process of its own, so that a check at arrest never waits for an import's rows."""

    def __init__(self) -> None:
        self._pool = _pool()

    async def check(self, requests: Sequence[pb.LoadNominalsRequest], after: int, today: date) -> Batch:
        """Messages that follow one another, the first behind a line."""
        messages = [request.SerializeToString() for request in requests]
        try:
            found = asyncio.get_running_loop().run_in_executor(self._pool, _check, messages, after, today)
            told, values = marshal.loads(await found)
        except BrokenProcessPool:
            self.close()
            self._pool = _pool()
            raise Unavailable("checker", "has ended and is started again") from None
        if told:
            raise Invalid(*told)
        return Batch(*values)

    def start(self) -> None:
        """It begins with the first rows otherwise, which wait for it."""
        self._pool.submit(os.getpid)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def checked(given: pb.NominalRow | pb.ImportNominalsRequest, today: date) -> Row:
    """Raises Invalid."""
    person, keys = nominals.filed(given.person, today)
    return Row(given.line, given.source_reference, person.SerializeToString(deterministic=True), keys)


def batch(source: str, rows: Sequence[Row], refused: Sequence[Refused] = ()) -> Batch:
    references = [row.reference for row in rows]
    keys = [key for row in rows for key in row.keys]
    filed, system = list(zip(_new_ids(len(rows)), rows, strict=True)), copying.cell(source)
    return Batch(
        size=len(rows),
        refused=refused,
        distinct=len({*references}) == len(references) and len({*keys}) == len(keys),
        references=json.dumps(references),
        # No canonical identifier holds a space.
        kinds=" ".join([str(kind) for kind, _ in keys]),
        values=" ".join([value for _, value in keys]),
        nominals=[copying.nominal(one, system, row.reference, row.person) for one, row in filed],
        identifiers="".join([copying.identifiers(one, row.keys) for one, row in filed]),
        packed=marshal.dumps([tuple(row) for row in rows]),
    )


def _new_ids(count: int) -> list[str]:
    """Random UUIDs of version 4, the chance of all of them drawn at once."""
    drawn = os.urandom(16 * count).hex()
    return [
        f"{drawn[at : at + 12]}4{drawn[at + 13 : at + 16]}a{drawn[at + 17 : at + 32]}"
        for at in range(0, 32 * count, 32)
    ]


def _pool() -> ProcessPoolExecutor:
    # A fork would take the threads' locks along.
    return ProcessPoolExecutor(1, get_context("spawn"), _begin)


def _begin() -> None:
    # Whoever stops the service lets it end what it began.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Rows are many and short-lived: looked through every 700, they take a seventh longer.
    gc.freeze()
    gc.set_threshold(100_000)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """However it ends: a process that is killed cannot tell."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


def _check(messages: Sequence[bytes], after: int, today: date) -> bytes:
    """A batch, or what the whole stream is refused for."""
    requests = map(pb.LoadNominalsRequest.FromString, messages)
    try:
        values: tuple[Any, ...] = _batch(requests, after, today)
        return marshal.dumps((None, (*values,)))
    except Invalid as refusal:
        return marshal.dumps(((refusal.field, refusal.rule), None))


def _batch(requests: Iterable[pb.LoadNominalsRequest], after: int, today: date) -> Batch:
    rows: list[Row] = []
    refused: list[Refused] = []
    source = ""
    for request in requests:
        _refuse_disorder(request, after)
        source, after = request.source, request.last_line
        for one in request.unreadable:
            validation.check(one, "unreadable.")
            refused.append((one.line, one.field, one.rule))
        _take(request.rows, today, rows, refused)
    return batch(source, rows, refused)


def _refuse_disorder(request: pb.LoadNominalsRequest, after: int) -> None:
    lines = [one.line for given in (request.rows, request.unreadable) for one in given]
    if lines and not after < min(lines) <= max(lines) <= request.last_line:
        raise Invalid("last_line", "does not lie at the last line of the batch, or lines are told again")


def _take(given: Iterable[pb.NominalRow], today: date, rows: list[Row], refused: list[Refused]) -> None:
    for row in given:
        try:
            validation.check(row)
            fields.key(row.source_reference, "source_reference")
            rows.append(checked(row, today))
        except Invalid as refusal:
            refused.append((row.line, refusal.field, refusal.rule))
