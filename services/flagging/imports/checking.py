"""Rows of an import, checked and canonical; a whole message of them in a process beside the service's own."""

import asyncio
import marshal
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import NamedTuple

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import fields, nominals
from services.flagging.nominals import Key
from services.runtime import validation
from services.runtime.errors import Invalid, Unavailable


class Row(NamedTuple):
    """A row of the stream, checked and canonical."""

    line: int
    reference: str
    person: bytes
    keys: list[Key]
    learnt: Sequence[Key] = ()


class Batch(NamedTuple):
    """A message, checked."""

    last_line: int
    rows: Sequence[Row]
    refused: Sequence[tuple[int, Invalid]]


class Checker:
    """Checks in one process of its own, so that a check at arrest never waits for an import's rows."""

    def __init__(self) -> None:
        self._pool = _pool()

    async def check(self, request: pb.LoadNominalsRequest, today: date) -> Batch:
        for one in request.unreadable:
            validation.check(one, "unreadable.")
        told = [(one.line, Invalid(one.field, one.rule)) for one in request.unreadable]
        rows, refused = await self._rows(request.SerializeToString(), today)
        return Batch(
            request.last_line,
            [Row(*row) for row in rows],
            [*told, *((line, Invalid(field, rule)) for line, field, rule in refused)],
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _rows(self, message: bytes, today: date) -> "_Checked":
        try:
            found = asyncio.get_running_loop().run_in_executor(self._pool, _check_all, message, today)
            checked: _Checked = marshal.loads(await found)
        except BrokenProcessPool:
            self.close()
            self._pool = _pool()
            raise Unavailable("checker", "has ended and is started again") from None
        return checked


_Checked = tuple[list[tuple[int, str, bytes, list[Key]]], list[tuple[int, str, str]]]


def checked(given: pb.NominalRow | pb.ImportNominalsRequest, today: date) -> Row:
    """Raises Invalid."""
    person = nominals.filed(given.person, today)
    return Row(
        given.line,
        given.source_reference,
        person.SerializeToString(deterministic=True),
        nominals.keys(person),
    )


def _pool() -> ProcessPoolExecutor:
    # A fork would take the threads' locks along.
    return ProcessPoolExecutor(1, get_context("spawn"), _begin)


def _begin() -> None:
    # Whoever stops the service lets it end what it began.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """However it ends: a process that is killed cannot tell."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


def _check_all(message: bytes, today: date) -> bytes:
    """Plain values, which are read back in a fifth of the time that objects take."""
    rows, refused = [], []
    for given in pb.LoadNominalsRequest.FromString(message).rows:
        try:
            validation.check(given)
            fields.key(given.source_reference, "source_reference")
            rows.append(tuple(checked(given, today)[:4]))
        except Invalid as refusal:
            refused.append((given.line, refusal.field, refusal.rule))
    return marshal.dumps((rows, refused))
