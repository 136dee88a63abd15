"""The alerts: promtool, where it is installed, sees each of them fire, and their metrics are in the code."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTS = (PROMETHEUS / "alerts.yml").read_text()
CASES = Path(__file__).parent / "alerts.yml"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus has it)"
)


def metrics() -> set[str]:
    """Every series that the services' modules define."""
    for service in ("runtime", "flagging", "custody", "tracking", "returns"):
        for path in (ROOT / "services" / service).rglob("*.py"):
            if "migrations" not in path.parts:
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return {family.name + end for family in REGISTRY.collect() for end in SUFFIXES.get(family.type, ())}


@promtool
def test_prometheus_takes_its_configuration_and_the_alerts() -> None:
    subprocess.run(["promtool", "check", "config", PROMETHEUS / "prometheus.yml"], check=True, timeout=30)


@promtool
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    subprocess.run(["promtool", "test", "rules", CASES], check=True, timeout=30)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    firing = re.findall(r"alertname: (\w+)\n\s+exp_alerts", CASES.read_text())

    assert sorted(set(firing)) == sorted(re.findall(r"- alert: (\w+)", ALERTS))


def test_every_metric_of_the_alerts_is_one_that_the_code_has() -> None:
    used = set(re.findall(r"\bppo_\w+", ALERTS))

    assert used
    assert used <= metrics()
