"""The one clock: domain time, which the embedded stack may move, and the system's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class Clock:
    """Domain time is the system's time plus the seconds in `moved`, a file that may change while we run."""

    def __init__(self, moved: Path | None = None) -> None:
        self._moved = moved

    def now(self) -> datetime:
        return self.system() + self._offset()

    def system(self) -> datetime:
        """For freshness, tokens, watermarks and record timestamps, which no demo may move."""
        return datetime.now(UTC)

    def _offset(self) -> timedelta:
        if self._moved is None:
            return timedelta()
        return timedelta(seconds=float(self._moved.read_text()))
