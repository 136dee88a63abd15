"""The spool: durable line by line, in order, whatever it is broken off by."""

import stat
from pathlib import Path

from services.custody.spool import DRAINING, NEW, Spool


async def filled(directory: Path, *lines: bytes) -> Spool:
    spool = Spool(directory)
    for line in lines:
        await spool.append(line)
    return spool


async def test_lines_come_back_in_their_order(tmp_path: Path) -> None:
    spool = await filled(tmp_path, b"a", b"b")

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
