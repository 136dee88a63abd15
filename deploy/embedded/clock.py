"""The stack's clock: how far domain time stands from the system's, in a file that every service reads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path


def file(data: Path) -> Path:
    return data / "clock"


def move(data: Path, to: datetime) -> None:
    """From now on it is `to`, and the time goes on from there."""
    beside = file(data).with_suffix(".new")
    beside.write_text(f"{(to - datetime.now(UTC)).total_seconds():.6f}\n")
    beside.replace(file(data))


def now(data: Path) -> datetime:
    moved = float(file(data).read_text()) if file(data).exists() else 0.0
    return datetime.now(UTC) + timedelta(seconds=moved)
