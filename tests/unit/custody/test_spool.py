"""The spool: durable line by line, in order, whatever it is broken off by."""

import asyncio
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.custody.spool import DRAINING, NEW, REFUSED, Spool


async def filled(directory: Path, *lines: bytes) -> Spool:
    spool = Spool(directory)
    for line in lines:
        await spool.append(line)
    return spool


async def test_lines_come_back_in_their_order(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a", b"b")

    assert await spool.oldest() == [b"a", b"b"]


async def test_lines_that_come_at_once_are_all_there(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    lines = [str(number).encode() for number in range(200)]

    await asyncio.gather(*(spool.append(line) for line in lines))

    assert await spool.oldest() == lines
    assert spool.waiting == len(lines)


async def test_a_caller_who_goes_away_takes_no_line_along(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    leaving = asyncio.create_task(spool.append(b"a"))
    await asyncio.sleep(0)
    leaving.cancel()
    await spool.append(b"b")

    assert await spool.oldest() == [b"a", b"b"]


async def test_a_restart_finds_what_was_appended(tmp_path: Path) -> None:
    await filled(tmp_path, b"a", b"b")

    again = Spool(tmp_path)

    assert again.waiting == 2
    assert await again.oldest() == [b"a", b"b"]


async def test_what_came_while_it_was_drained_comes_after(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a")
    await spool.oldest()
    await spool.append(b"b")

    assert await spool.oldest() == [b"a"]
    await spool.drop()

    assert spool.waiting == 1
    assert await spool.oldest() == [b"b"]


async def test_a_drain_that_was_broken_off_is_drained_again_first(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a")
    await spool.oldest()
    await spool.append(b"b")

    again = Spool(tmp_path)

    assert again.waiting == 2
    assert await again.oldest() == [b"a"]


async def test_a_line_torn_by_a_crash_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    await filled(tmp_path, b"a")
    with (tmp_path / NEW).open("ab") as file:
        file.write(b"tor")

    again = await filled(tmp_path, b"b")

    assert await again.oldest() == [b"a", b"b"]


async def test_what_a_full_disk_took_half_of_spoils_nothing_that_comes_later(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a")

    with full(tmp_path / NEW, left=3), pytest.raises(OSError, match="too large"):
        await spool.append(b"too much")
    await spool.append(b"b")

    assert spool.waiting == 2
    assert await spool.oldest() == [b"a", b"b"]


@contextmanager
def full(path: Path, left: int) -> Iterator[None]:
    """No file of this process may get longer than that one by so much."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_nothing_is_left_once_all_is_stored(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a")
    await spool.oldest()
    await spool.drop()

    assert spool.waiting == 0
    assert not (tmp_path / NEW).exists()
    assert not (tmp_path / DRAINING).exists()


async def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    await filled(tmp_path, b"a")

    assert stat.S_IMODE((tmp_path / NEW).stat().st_mode) == 0o600


async def test_what_was_set_aside_is_kept(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a")
    await spool.set_aside(b"a")
    await spool.oldest()
    await spool.drop()

    assert (tmp_path / REFUSED).read_bytes() == b"a\n"
    assert Spool(tmp_path).waiting == 0
