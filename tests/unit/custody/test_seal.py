"""What is sealed opens with its key and under its decision alone."""

from pathlib import Path

import pytest

from services.custody.seal import Seal

KEY = bytes(range(64))


def seal(path: Path, key: bytes = KEY) -> Seal:
    path.write_text(key.hex() + "\n")
    return Seal.load(path)


def test_what_was_closed_opens_again(tmp_path: Path) -> None:
    one = seal(tmp_path / "key")

    closed = one.close(b"James Carter", "d1")

    assert b"James" not in closed
    assert one.open(closed, "d1") == b"James Carter"
    assert one.close(b"James Carter", "d1") != closed


def test_it_opens_under_no_other_decision_and_with_no_other_key(tmp_path: Path) -> None:
    one, other = seal(tmp_path / "key"), seal(tmp_path / "other", bytes(64))

    closed = one.close(b"James Carter", "d1")

    assert one.open(closed, "d2") is None
    assert other.open(closed, "d1") is None


def test_a_digest_is_keyed(tmp_path: Path) -> None:
    one, other = seal(tmp_path / "key"), seal(tmp_path / "other", bytes(64))

    assert one.digest("James Carter") == one.digest("James Carter")
    assert one.digest("James Carter") != other.digest("James Carter")


@pytest.mark.parametrize("content", ["", "00ff", "no hex", KEY.hex() * 2])
def test_a_file_that_holds_no_key_stops_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)

    with pytest.raises(ValueError, match="the input key"):
        Seal.load(path)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the input key"):
        Seal.load(tmp_path / "none")
