"""`ppo bench`: a measurement is told the same way, whatever was measured."""

import json
from collections.abc import AsyncIterator

import pytest

from services.console.bench.measures import Measure, tell


async def taken(*measures: Measure) -> AsyncIterator[Measure]:
    for measure in measures:
        yield measure


def measure(**changes: object) -> Measure:
    fixed = {"measure": "check.rate", "at": {"flagged": 10_000}, "unit": "1/s", "values": [90.0, 200.0, 80.0]}
    return Measure(**{**fixed, **changes})  # type: ignore[arg-type]


def test_a_measurement_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = tell(taken(measure(floors=[100.0, 300.0, 150.0]), measure(measure="check.p50")), as_json=True)

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "measure": "check.rate",
        "at": {"flagged": 10_000},
        "value": 90.0,
        "unit": "1/s",
        "floor": 150.0,
        "ratio": 0.6,
        "low": 80.0,
        "high": 200.0,
        "runs": 3,
    }
    assert (second["measure"], second["floor"], second["ratio"]) == ("check.p50", None, None)
    assert code == 0


def test_a_table_has_a_line_for_each_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    tell(taken(measure(), measure(values=[12_345.6])), as_json=False)

    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["Measure", "At", "Value"]
    assert first.split()[:4] == ["check.rate", "flagged=10,000", "90.0", "1/s"]
    assert "12,350" in second
