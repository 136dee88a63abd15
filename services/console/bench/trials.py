"""One engine asked about many people, of whom half are held: what it answered, and what that is worth."""

import gc
import math
import resource
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from services.console import output
from services.console.bench import engines
from services.console.bench.engines import Engine
from services.console.bench.febrl import Setting
from services.console.bench.measures import Measure

FALSE_ALARMS = (0.05, 0.01, 0.001)

At = dict[str, int | float | str]
# By share of false alarms.
Thresholds = dict[float, float]


class Answers(NamedTuple):
    """What an engine answered."""

    # Of each member: the place of the right one among the first five, 0 if it is not; its score; the first's.
    places: list[int]
    scores: list[float]
    firsts: list[float]
    # Of each stranger: the first's score.
    alarms: list[float]
    seconds: list[float]
    # Of this process alone, whatever else the machine does meanwhile.
    cpu_seconds: list[float]

    def found(self, places: int) -> float:
        return float(np.mean([0 < place <= places for place in self.places]))

    def recall(self, threshold: float) -> float:
        """The share of members who are shown to the officer as a possible match."""
        return float(np.mean([score >= threshold for score in self.scores]))

    def suspected(self, threshold: float) -> float:
        return float(np.mean([score >= threshold for score in self.alarms]))

    def precision(self, threshold: float) -> float:
        """The share of alerts that show the right one, where every other person asked about is held."""
        raised = sum(score >= threshold for score in (*self.firsts, *self.alarms))
        return self.recall(threshold) * len(self.places) / max(raised, 1)


class Trial(NamedTuple):
    """One engine over one index."""

    setting: Setting
    answers: Answers
    build_seconds: float
    megabytes: float


def trial(setting: Setting, questions: int, engine: Engine) -> Trial:
    setting = asked(setting, questions)
    gc.collect()
    before, began = _resident(), time.perf_counter()
    with engine(setting.held) as ask:
        built, megabytes = time.perf_counter() - began, _resident() - before
        found = answers(setting, ask)
    output.say(f"{len(setting.held):,} held, {len(found.seconds):,} asked: {found.found(1):.3f} found first")
    return Trial(setting, found, built, megabytes)


def asked(setting: Setting, questions: int) -> Setting:
    most = questions // 2
    return Setting(setting.held, setting.members[:most], setting.strangers[:most])


def answers(setting: Setting, ask: engines.Ask) -> Answers:
    said = Answers([], [], [], [], [], [])
    for record in (*setting.members, *setting.strangers):
        began, cpu_began = time.perf_counter(), time.process_time()
        found = ask(record.person)
        said.seconds.append(time.perf_counter() - began)
        said.cpu_seconds.append(time.process_time() - cpu_began)
        ids, first = [nominal_id for nominal_id, _ in found], found[0][1] if found else -math.inf
        if len(said.places) == len(setting.members):
            said.alarms.append(first)
            continue
        said.places.append(ids.index(record.of) + 1 if record.of in ids else 0)
        said.scores.append(dict(found).get(record.of, -math.inf))
        said.firsts.append(first)
    return said


def told(at: At, trials: Sequence[Trial], carried: Sequence[Thresholds]) -> Iterator[Measure]:
    said = [each.answers for each in trials]
    at = {**at, "asked": sum(len(each.seconds) for each in said)}
    told = partial(measure, at)
    yield from decided(at, said, carried)
    yield told("p50_ms", [float(np.median(each.seconds)) * 1000 for each in said], "ms")
    yield told("p99_ms", [_p99(each.seconds) for each in said], "ms")
    yield told("build_s", [each.build_seconds for each in trials], "s")
    # Of a server nothing is seen from here.
    if at["engine"] != "pg_trgm":
        yield told("cpu_p99_ms", [_p99(each.cpu_seconds) for each in said], "ms")
        yield told("memory_mb", [each.megabytes for each in trials], "MB")


def decided(at: At, said: Sequence[Answers], carried: Sequence[Thresholds]) -> Iterator[Measure]:
    """Who is found, and who is missed and suspected at each threshold."""
    yield measure(at, "recall_at_1", [each.found(1) for each in said])
    yield measure(at, "recall_at_5", [each.found(engines.FIVE) for each in said])
    unit = "bits" if at["engine"] == "ppo" else ""
    for far in FALSE_ALARMS:
        pairs = [(each, of[far]) for each, of in zip(said, carried, strict=True)]
        told_at = partial(measure, {**at, "far": far})
        yield told_at("recall_at_far", [each.recall(threshold) for each, threshold in pairs])
        yield told_at("false_alarms", [each.suspected(threshold) for each, threshold in pairs])
        yield told_at("precision", [each.precision(threshold) for each, threshold in pairs])
        yield told_at("threshold", [threshold for _, threshold in pairs], unit)


def measure(at: At, name: str, values: Sequence[float], unit: str = "share") -> Measure:
    return Measure(measure=f"screen.{name}", at=at, unit=unit, values=values)


def _p99(seconds: Sequence[float]) -> float:
    return float(np.quantile(seconds, 0.99)) * 1000


def _resident() -> float:
    """Megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
