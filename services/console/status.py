"""`ppo status`: does the suite keep its promises?"""

import asyncio
import json as json_text
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded import state
from services.console import output, session
from services.console.promises import Promise, Reading, promises, remarks

BROKEN = 1
METRICS_SECONDS = 2
TAKEN, DAYS = "ppo_events_taken_total", "ppo_return_days_to_due"
UP, SINCE = "ppo_dependency_up", "ppo_dependency_since_seconds"


def status(json: output.AsJson = False, data: session.Data = session.DATA) -> int:
    """Does the suite keep its promises, and if not: since when, and for how many?

    ```
    ppo status
    ppo status --json
    ```

    Exit code 0 when every promise holds, 1 when one does not.
    """
    told = readings(data)
    kept = promises(told)
    if json:
        for promise in kept:
            output.line(json_text.dumps(_as_json(promise)))
    else:
        _show(kept, list(remarks(told)), state.read(data))
    return 0 if all(promise.holds for promise in kept) else BROKEN


def readings(data: Path) -> dict[str, Reading]:
    running = state.read(data)
    return {service: read(data, service, running) for service in session.PORTS}


def read(data: Path, service: str, running: state.State | None) -> Reading:
    """A suite elsewhere is asked whether it serves; its metrics are its Prometheus's."""
    entry = running.processes.get(service) if running and running.alive else None
    answers = bool(entry or session.named(service)) and asyncio.run(session.serving(data, service))
    if entry is None:
        return Reading(answers)
    text = scraped(entry.ports[f"{service}'s metrics"])
    gauges, down = measured(text)
    # A process that is up and does not answer says nothing of since when.
    since = None if entry.state == state.READY else datetime.fromisoformat(entry.since)
    return Reading(answers, since, down, gauges, by_label(text, DAYS, "area"))


def scraped(port: int) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=METRICS_SECONDS) as reply:
            text: str = reply.read().decode()
    except OSError:
        return ""
    return text


def measured(text: str) -> tuple[dict[str, float], dict[str, datetime | None]]:
    """Each metric summed over its labels, and the dependencies that do not answer with when that began."""
    sums: defaultdict[str, float] = defaultdict(float)
    dependencies: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        sums[sample.name] += sample.value
        if dependency := sample.labels.get("dependency"):
            dependencies[dependency][sample.name] = sample.value
    down = {name: _began(values) for name, values in dependencies.items() if values.get(UP) == 0}
    return dict(sums), down


def events_taken(data: Path, service: str) -> dict[str, float]:
    """By the type of the event, all consumer groups together."""
    running = state.read(data)
    entry = running.processes.get(service) if running else None
    return by_label(scraped(entry.ports[f"{service}'s metrics"]), TAKEN, "type") if entry else {}


def by_label(text: str, metric: str, label: str) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        if sample.name == metric:
            sums[sample.labels[label]] += sample.value
    return dict(sums)


def _began(values: dict[str, float]) -> datetime | None:
    return datetime.fromtimestamp(values[SINCE], UTC) if SINCE in values else None


def _as_json(promise: Promise) -> dict[str, object]:
    return asdict(promise) | {"holds": promise.holds}


def lines(promise: Promise) -> list[str]:
    name = f"promise {promise.number}: {promise.text}"
    if promise.faults:
        return [f"BROKEN  {name}: {fault}" for fault in promise.faults]
    if promise.silent:
        return [f"unknown {name}: {', '.join(promise.silent)} cannot be asked"]
    return [f"holds   {name}"]


_STYLES = {"BROKEN": "bold red", "unknown": "yellow", "holds": "green"}


def _show(kept: list[Promise], said: list[str], running: state.State | None) -> None:
    for promise in kept:
        for text in lines(promise):
            output.show(text, style=_STYLES[text.split()[0]])
    for remark in said:
        output.show(f"note    {remark}")
    if running is None or not running.alive:
        output.say("no suite runs here: start one with ppo up")
        return
    output.show()
    made = output.table("Process", "State", "Since", "Restarts", "Problem")
    for name, entry in running.processes.items():
        made.add_row(name, entry.state.lower(), entry.since, str(entry.restarts), entry.problem)
    output.show(made)
