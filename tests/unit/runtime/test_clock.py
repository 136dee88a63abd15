"""Domain time may be moved while we run; the system's own may not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.runtime.clock import Clock


def test_a_moved_clock_moves_domain_time_only(tmp_path: Path) -> None:
    moved = tmp_path / "clock"
    moved.write_text("-86400")
    clock = Clock(moved)

    assert abs(clock.now() - (datetime.now(UTC) - timedelta(days=1))) < timedelta(seconds=5)
    assert abs(clock.system() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_clock_may_be_moved_again_while_we_run(tmp_path: Path) -> None:
    moved = tmp_path / "clock"
    moved.write_text("0")
    clock = Clock(moved)
    before = clock.now()

    moved.write_text("3600.5")

    assert clock.now() - before >= timedelta(seconds=3600.5)
