"""A local file for what the database cannot take now: appended, flushed to the disk, drained in order."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

NEW = "decisions.spool"
DRAINING = "decisions.draining"
# What nobody could store: for somebody to look at.
REFUSED = "decisions.refused"


class Spool:
    """Of one process alone. A line is there for good once `append` has returned."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._new = directory / NEW
        self._draining = directory / DRAINING
        self._refused = directory / REFUSED
        self._lock = asyncio.Lock()
        self._gathered: list[bytes] = []
        self._write: asyncio.Task[None] | None = None
        _cut_torn_line(self._new)
        self.waiting = len(_lines(self._new)) + len(_lines(self._draining))

    async def append(self, line: bytes) -> None:
        """Lines that come while others are flushed are flushed together."""
        self._gathered.append(line + b"\n")
        if self._write is None:
            self._write = asyncio.create_task(self._flush())
        # Not broken off with whoever waits: the others' lines are in it too.
        await asyncio.shield(self._write)

    async def _flush(self) -> None:
        async with self._lock:
            lines, self._gathered, self._write = self._gathered, [], None
            await asyncio.to_thread(_append, self._new, b"".join(lines))
            self.waiting += len(lines)

    async def oldest(self) -> Sequence[bytes]:
        """All that was appended before now, oldest first; it stays until `drop`."""
        async with self._lock:
            if not self._draining.exists() and self._new.exists():
                self._new.rename(self._draining)
                _flush_directory(self._new.parent)
            return _lines(self._draining)

    async def set_aside(self, line: bytes) -> None:
        await asyncio.to_thread(_append, self._refused, line + b"\n")

    async def drop(self) -> None:
        """What `oldest` returned is stored."""
        async with self._lock:
            self.waiting -= len(_lines(self._draining))
            self._draining.unlink()
            _flush_directory(self._new.parent)


def _append(path: Path, lines: bytes) -> None:
    created = not path.exists()
    # What is written names people: nobody else on this machine reads it.
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(file).st_size
        try:
            _write(file, lines)
        except OSError:
            # Half a line on a full disk would spoil the next one.
            os.ftruncate(file, size)
            raise
    finally:
        os.close(file)
    if created:
        _flush_directory(path.parent)


def _write(file: int, lines: bytes) -> None:
    while lines:
        lines = lines[os.write(file, lines) :]
    os.fsync(file)


def _flush_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []


def _cut_torn_line(path: Path) -> None:
    """A crash in the middle of a line left one that nobody was told is kept."""
    if path.exists():
        before, end, torn = path.read_bytes().rpartition(b"\n")
        # Nothing is written where nothing is torn: the disk may be one that can only be read.
        if torn:
            os.truncate(path, len(before) + len(end))
