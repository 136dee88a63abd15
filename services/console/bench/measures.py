"""A measurement, taken several times, and how it is told: one JSON object a line, or a table."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from services.console import output
from services.console.stop import INTERRUPTED, Stop

Runs = Annotated[int, typer.Option(min=1, help="How many times each is measured.")]


@dataclass(frozen=True, kw_only=True)
class Measure:
    measure: str
    at: Mapping[str, int | float | str]
    unit: str
    # One a run.
    values: Sequence[float]
    # The bare thing, measured in the same runs; none where there is no such thing.
    floors: Sequence[float] = ()

    def line(self) -> dict[str, Any]:
        value = median(self.values)
        floor = median(self.floors) if self.floors else None
        return {
            "measure": self.measure,
            "at": dict(self.at),
            "value": _short(value),
            "unit": self.unit,
            "floor": None if floor is None else _short(floor),
            "ratio": _short(value / floor) if floor else None,
            "low": _short(min(self.values)),
            "high": _short(max(self.values)),
            "runs": len(self.values),
        }


def tell(found: AsyncIterator[Measure], *, as_json: bool) -> int:
    """Takes the measurements; with `as_json` each is told as soon as it is taken. Returns the exit code."""
    try:
        asyncio.run(_tell(found, as_json=as_json))
    except KeyboardInterrupt:
        raise Stop("stopped; what was started is gone", INTERRUPTED) from None
    return 0


async def _tell(found: AsyncIterator[Measure], *, as_json: bool) -> None:
    lines = []
    async for measure in found:
        lines.append(measure.line())
        if as_json:
            output.line(json.dumps(lines[-1]))
    if not as_json:
        output.show(_table(lines))


def _table(lines: Sequence[Mapping[str, Any]]) -> Table:
    made = output.table("Measure", "At", "Value", "Unit", "Floor", "Ratio", "Low", "High", "Runs")
    for line in lines:
        at = " ".join(f"{name}={_readable(value)}" for name, value in line["at"].items())
        numbers = (_readable(line[name]) for name in ("floor", "ratio", "low", "high", "runs"))
        made.add_row(line["measure"], at, _readable(line["value"]), line["unit"], *numbers)
    return made


def _readable(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _short(value: float) -> float:
    """Four figures: a machine's own noise is larger than the fifth."""
    short = float(f"{value:.4g}")
    return int(short) if abs(short) >= 1000 else short
