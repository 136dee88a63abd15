"""A line to PostgreSQL for hot paths: statements follow each other on one connection without waiting.

The driver's cursors cost several times what a statement costs; this speaks to libpq's pipeline directly.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult

from services.runtime.failures import PASSING, answered

Connection: TypeAlias = "psycopg.AsyncConnection[tuple[Any, ...]]"
Row: TypeAlias = tuple[Any, ...]
Values = Mapping[str, object]
# A statement, and the values of each row.
Batch: TypeAlias = tuple[str, Sequence[Values]]
Answer: TypeAlias = "asyncio.Future[list[PGresult]]"

_NAMED = re.compile(r"%\((\w+)\)s")
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_UNPREPARED = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)


class Line:
    """One connection, opened at the first statement and again when it is lost; each statement is prepared."""

    def __init__(self, url: str, arguments: Mapping[str, Any], longest_seconds: float) -> None:
        self._url, self._arguments, self._longest = url, arguments, longest_seconds
        self._wire: _Wire | None = None
        self._opening = asyncio.Lock()

    async def read(self, statement: str, values: Values) -> list[Row]:
        return await self._asked((statement, [values]))

    async def write(self, *batches: Batch) -> None:
        """All rows or none, in one trip; statements that bear to be repeated."""
        await self._asked(*batches)

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.lose(psycopg.OperationalError("the line is closed"))

    async def _asked(self, *batches: Batch) -> list[Row]:
        with answered():
            # All is worded before any is sent: what went by half would get the next one's answer.
            worded = [_Worded(text, [_values(text, row) for row in rows]) for text, rows in batches]
            if self._wire is not None and self._wire.open:
                with suppress(*PASSING):
                    return await self._wire.ask(worded)
            # There is none, or it was lost: the statement is asked anew.
            return await (await self._opened()).ask(worded)

    async def _opened(self) -> "_Wire":
        async with self._opening:
            if self._wire is None or not self._wire.open:
                connect = psycopg.AsyncConnection.connect
                connection = await connect(self._url, autocommit=True, **self._arguments)
                self._wire = _Wire(connection, self._longest)
            return self._wire


class _Worded(NamedTuple):
    statement: str
    rows: list[list[bytes | None]]


class _Asked(NamedTuple):
    """What is under way: its results as they come, and who waits for them."""

    results: list[PGresult]
    answer: Answer
    overdue: asyncio.TimerHandle
    prepares: bool

    def end(self, error: BaseException | None = None) -> None:
        self.overdue.cancel()
        # Who waited may have gone.
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(self.results)
        else:
            self.answer.set_exception(error)


class _Wire:
    """A connection in pipeline mode: what is sent between two syncs is one transaction."""

    def __init__(self, connection: Connection, longest_seconds: float) -> None:
        self._connection, self._longest = connection, longest_seconds
        self._libpq, self._socket = connection.pgconn, connection.pgconn.socket
        self._transformer = Transformer(connection)
        self._prepared: dict[str, bytes] = {}
        self._waiting: deque[_Asked] = deque()
        self._loop = asyncio.get_running_loop()
        self._libpq.nonblocking = 1
        self._libpq.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)
        self.open = True

    async def ask(self, batches: Sequence[_Worded]) -> list[Row]:
        """The rows of the last statement. Who stops waiting goes at once; it is carried out all the same."""
        for statement, _ in batches:
            if statement not in self._prepared:
                self._prepare(statement)
        results = await self._sent(lambda: self._execute(batches), prepares=False)
        return self._rows(results[-1])

    def lose(self, error: BaseException) -> None:
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._libpq.finish()
        while self._waiting:
            self._waiting.popleft().end(error)

    def _prepare(self, statement: str) -> None:
        name = self._prepared[statement] = f"hot{len(self._prepared)}".encode()
        prepared = self._sent(lambda: self._libpq.send_prepare(name, _numbered(statement)), prepares=True)
        # Who asked hears of it by what comes behind.
        prepared.add_done_callback(lambda answer: answer.cancelled() or answer.exception())

    def _execute(self, batches: Sequence[_Worded]) -> None:
        for statement, rows in batches:
            for row in rows:
                name = self._prepared[statement]
                self._libpq.send_query_prepared(name, row, result_format=pq.Format.BINARY)

    def _sent(self, send: Callable[[], None], *, prepares: bool) -> Answer:
        overdue = self._loop.call_later(self._longest, self.lose, psycopg.OperationalError("takes too long"))
        asked = _Asked([], self._loop.create_future(), overdue, prepares)
        self._waiting.append(asked)
        try:
            send()
            self._libpq.pipeline_sync()
            self._flush()
        except PASSING as error:
            self.lose(error)
            asked.end(error)
        return asked.answer

    def _flush(self) -> None:
        if self._libpq.flush():
            self._loop.add_writer(self._socket, self._flush_on)

    def _flush_on(self) -> None:
        try:
            if not self._libpq.flush():
                self._loop.remove_writer(self._socket)
        except PASSING as error:
            self.lose(error)

    def _receive(self) -> None:
        try:
            self._libpq.consume_input()
            while self._waiting and not self._libpq.is_busy():
                self._take(self._libpq.get_result())
        except PASSING as error:
            self.lose(error)

    def _take(self, result: PGresult | None) -> None:
        # None: the end of one statement's results.
        if result is None:
            return
        if result.status != pq.ExecStatus.PIPELINE_SYNC:
            self._waiting[0].results.append(result)
            return
        asked = self._waiting.popleft()
        wrong = next((one for one in asked.results if one.status not in _DONE), None)
        error = errors.error_from_result(wrong) if wrong else None
        unprepared = isinstance(error, _UNPREPARED)
        if unprepared:
            error = psycopg.OperationalError("must be prepared anew")
        asked.end(error)
        # What comes behind would be carried out unprepared, or as prepared for tables of another form.
        if error is not None and (asked.prepares or unprepared):
            self.lose(error)

    def _rows(self, result: PGresult) -> list[Row]:
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)


@cache
def _names(statement: str) -> list[str]:
    return list(dict.fromkeys(_NAMED.findall(statement)))


@cache
def _numbered(statement: str) -> bytes:
    """With the values' names as the numbers that PostgreSQL knows."""
    names = _names(statement)
    return _NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", statement).encode()


def _values(statement: str, row: Values) -> list[bytes | None]:
    return [_written(row[name]) for name in _names(statement)]


def _written(value: object) -> bytes | None:
    """As PostgreSQL reads it in text."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return rb"\x" + value.hex().encode()
    if isinstance(value, list | tuple):
        return f"{{{','.join(map(_item, value))}}}".encode()
    return _text(str(value)).encode()


def _item(value: object) -> str:
    text = rf"\x{value.hex()}" if isinstance(value, bytes) else _text(str(value))
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _text(value: str) -> str:
    if "\x00" in value:
        # It would end there.
        raise psycopg.DataError("PostgreSQL stores no NUL")
    return value
