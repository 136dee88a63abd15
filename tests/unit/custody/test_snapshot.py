"""The replica on disk: whole or not there."""

import stat
from pathlib import Path

import pytest

from services.custody import snapshot
from services.custody.snapshot import Snapshot
from tests.unit.custody.register import NOW, flag, watermark

KEPT = Snapshot("cluster-1", NOW, 12, {0: 7, 3: 9}, [flag(), watermark()])


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    snapshot.save(tmp_path / "data" / "replica.json", KEPT)

    assert snapshot.load(tmp_path / "data" / "replica.json") == KEPT


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    snapshot.save(tmp_path / "replica.json", KEPT)

    assert stat.S_IMODE((tmp_path / "replica.json").stat().st_mode) == 0o600


def test_none_is_there_before_the_first(tmp_path: Path) -> None:
    assert snapshot.load(tmp_path / "replica.json") is None


@pytest.mark.parametrize("cut", [0, 1, 40, -2])
def test_a_spoilt_one_is_none(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "replica.json"
    snapshot.save(path, KEPT)
    path.write_text(path.read_text()[:cut])

    assert snapshot.load(path) is None


def test_one_whose_flags_are_no_flags_is_none(tmp_path: Path) -> None:
    path = tmp_path / "replica.json"
    snapshot.save(path, KEPT)
    path.write_text(path.read_text().replace('"watermark"', '"nothing"'))

    assert snapshot.load(path) is None
