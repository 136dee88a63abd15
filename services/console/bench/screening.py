"""`ppo bench screen-accuracy`: who is found, who is missed and who is suspected, and how fast."""

import gc
import math
import re
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import numpy as np
import typer

from ppo.person.v1 import person_pb2
from services.console import output
from services.console.bench import engines, febrl, fit
from services.console.bench.engines import Engine
from services.console.bench.febrl import Record, Setting
from services.console.bench.measures import Measure, tell
from services.people import names
from services.people.model import MODEL, Model

SIZES = [10_000, 100_000, 1_000_000]
ENGINES = ["ppo", "rapidfuzz", "pg_trgm"]
FALSE_ALARMS = (0.05, 0.01, 0.001)
# The desk's.
DEFAULT = 0.01
FEWEST_HELD = 3_000
QUESTIONS = {10_000: 10_000, 100_000: 10_000}
FEWEST_QUESTIONS = 2_000
# Of febrl4 a third after the other is held, until so many are asked.
A_TURN = 3_300
# Those that look at every line take up to half a second a question at a million: they are asked fewer.
MOST_LINES = 200_000_000
# By the family name as it is given.
GROUPS: dict[str, Callable[[str], bool]] = {
    "up to 4 letters": lambda name: 0 < len(name) < 5,
    "5 to 7 letters": lambda name: 5 <= len(name) <= 7,
    "8 letters and more": lambda name: len(name) > 7,
    "several words": lambda name: " " in name,
    "ends in a vowel": lambda name: name.endswith(("a", "i", "o", "u")),
    "ends in a consonant": lambda name: bool(name) and not name.endswith(("a", "e", "i", "o", "u", "y")),
    "letters rare in English": lambda name: bool(re.search("[jkqvxz]|sch|cz|ph", name)),
    "missing": lambda name: not name,
}
# Of those who have an alias, so many in a hundred give it.
UNDER_ALIAS = 30

At = dict[str, int | float | str]

Sizes = Annotated[
    list[int], typer.Option("--index", min=5_000, help="How many are held; may be given several times.")
]
Chosen = Annotated[
    list[str],
    typer.Option("--engine", help="Which is measured; may be given several times."),
]
Server = Annotated[
    str,
    typer.Option(
        envvar="PPO_BENCH_POSTGRES",
        help="A superuser's URL of a PostgreSQL with pg_trgm; else Debian's own is started, if there is one.",
    ),
]


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


class Fold(NamedTuple):
    """Half of febrl3, of which a half is held, and the model that was fitted on all the others."""

    weights: Model
    asked: list[Record]
    others: list[Record]

    def setting(self, size: int) -> Setting:
        members, strangers = febrl.parts(self.asked, 2, fit.SEED)
        return febrl.filled_up(members, self.others, strangers, size=size, seed=fit.SEED)


def bench(
    sizes: Sizes = SIZES, engine: Chosen = ENGINES, postgres: Server = "", json: output.AsJson = False
) -> int:
    """Measures the matcher on the labelled people of FEBRL, beside pg_trgm and rapidfuzz.

    All answer the same questions. febrl4 is only measured; for febrl3 the model is fitted anew without the
    half that asks. Thresholds are carried over from what was fitted. 10,000 alone takes ten minutes, all
    sizes take an hour.

    ```
    ppo bench screen-accuracy --index 10000
    ppo bench screen-accuracy --index 1000000 --engine ppo
    PPO_BENCH_POSTGRES=postgresql://postgres@127.0.0.1/postgres ppo bench screen-accuracy --json
    ```
    """
    return tell(_measures(sizes, engine, postgres), as_json=json)


async def _measures(sizes: list[int], wanted: list[str], postgres: str) -> AsyncIterator[Measure]:
    labelled = {name: list(febrl.records(name)) for name in ("febrl1", "febrl2", "febrl3", "febrl4")}
    with engines.chosen(wanted, postgres) as by_name:
        folds = [_fold(labelled, half, sizes if "ppo" in by_name else []) for half in (0, 1)]
        for size in sizes:
            for name, engine in by_name.items():
                for measure in _engine(labelled["febrl4"], folds, size, name, engine):
                    yield measure
            if "ppo" in by_name:
                for measure in _aliases(labelled["febrl4"], size):
                    yield measure


def _fold(labelled: dict[str, list[Record]], half: int, sizes: Sequence[int]) -> Fold:
    halves = febrl.parts(labelled["febrl3"], 2, fit.SEED)
    others = [*labelled["febrl1"], *labelled["febrl2"], *halves[1 - half]]
    if not sizes:
        return Fold(MODEL, halves[half], others)
    output.say(f"febrl3, half {half + 1} of 2: fitting on the other half, febrl1 and febrl2")
    # Of more persons the model knows no more than how their thresholds rise.
    measured = sorted({min(size, fit.THRESHOLD_SIZES[-1]) for size in (FEWEST_HELD, *sizes)})
    return Fold(fit.fitted(others, measured), halves[half], others)


def _engine(
    records: Sequence[Record], folds: Sequence[Fold], size: int, name: str, engine: Engine
) -> Iterator[Measure]:
    most = _questions(size, name)
    halves = [
        _trial(
            fold.setting(size), most, partial(engines.ppo, weights=fold.weights) if name == "ppo" else engine
        )
        for fold in folds
    ]
    # A threshold is never of those it is measured on: it is the fitted model's, or comes from the other half.
    carried = [
        _thresholds(size, name, fold.weights, other) for fold, other in zip(folds, halves[::-1], strict=True)
    ]
    yield from _told({"data": "febrl3", "index": size, "engine": name}, halves, carried)
    turns = [
        _trial(febrl.setting(records, size, fit.SEED, turn), most, engine)
        for turn in fit.TURNS[: max(most // A_TURN, 1)]
    ]
    of_both = {far: float(np.mean([each[far] for each in carried])) for far in FALSE_ALARMS}
    thresholds = _thresholds(size, name, MODEL, None) if name == "ppo" else of_both
    at: At = {"data": "febrl4", "index": size, "engine": name}
    yield from _told(at, turns, [thresholds] * len(turns))
    if name == "ppo":
        yield from _groups(at, turns, thresholds[DEFAULT])


def _thresholds(size: int, name: str, weights: Model, other: Trial | None) -> dict[float, float]:
    if name == "ppo" or other is None:
        return {far: weights.threshold(size, far) for far in FALSE_ALARMS}
    return {far: float(np.quantile(other.answers.alarms, 1 - far)) for far in FALSE_ALARMS}


def _questions(size: int, name: str) -> int:
    """How many are asked at most, half of them strangers."""
    most = QUESTIONS.get(size, FEWEST_QUESTIONS)
    return most if name == "ppo" else min(most, MOST_LINES // size)


def _trial(setting: Setting, questions: int, engine: Engine) -> Trial:
    setting = _asked(setting, questions)
    gc.collect()
    before, began = _resident(), time.perf_counter()
    with engine(setting.held) as ask:
        built, megabytes = time.perf_counter() - began, _resident() - before
        answers = _answers(setting, ask)
    output.say(
        f"{len(setting.held):,} held, {len(answers.seconds):,} asked: {answers.found(1):.3f} found first"
    )
    return Trial(setting, answers, built, megabytes)


def _asked(setting: Setting, questions: int) -> Setting:
    most = questions // 2
    return Setting(setting.held, setting.members[:most], setting.strangers[:most])


def _answers(setting: Setting, ask: engines.Ask) -> Answers:
    answers = Answers([], [], [], [], [], [])
    for record in (*setting.members, *setting.strangers):
        began, cpu_began = time.perf_counter(), time.process_time()
        found = ask(record.person)
        answers.seconds.append(time.perf_counter() - began)
        answers.cpu_seconds.append(time.process_time() - cpu_began)
        ids, first = [nominal_id for nominal_id, _ in found], found[0][1] if found else -math.inf
        if len(answers.places) == len(setting.members):
            answers.alarms.append(first)
            continue
        answers.places.append(ids.index(record.of) + 1 if record.of in ids else 0)
        answers.scores.append(dict(found).get(record.of, -math.inf))
        answers.firsts.append(first)
    return answers


def _told(at: At, trials: Sequence[Trial], carried: Sequence[dict[float, float]]) -> Iterator[Measure]:
    answers = [each.answers for each in trials]
    at = {**at, "asked": sum(len(each.seconds) for each in answers)}
    told = partial(_measure, at)
    yield told("recall_at_1", [each.found(1) for each in answers])
    yield told("recall_at_5", [each.found(engines.FIVE) for each in answers])
    for far in FALSE_ALARMS:
        pairs = [(each, of[far]) for each, of in zip(answers, carried, strict=True)]
        told_at = partial(_measure, {**at, "far": far})
        yield told_at("recall_at_far", [each.recall(threshold) for each, threshold in pairs])
        yield told_at("false_alarms", [each.suspected(threshold) for each, threshold in pairs])
        yield told_at("precision", [each.precision(threshold) for each, threshold in pairs])
        yield told_at(
            "threshold", [threshold for _, threshold in pairs], "bits" if at["engine"] == "ppo" else ""
        )
    yield told("p50_ms", [float(np.median(each.seconds)) * 1000 for each in answers], "ms")
    yield told("p99_ms", [float(np.quantile(each.seconds, 0.99)) * 1000 for each in answers], "ms")
    if at["engine"] != "pg_trgm":
        yield told(
            "cpu_p99_ms", [float(np.quantile(each.cpu_seconds, 0.99)) * 1000 for each in answers], "ms"
        )
    yield told("build_s", [each.build_seconds for each in trials], "s")
    yield told("memory_mb", [each.megabytes for each in trials], "MB")


def _measure(at: At, name: str, values: Sequence[float], unit: str = "share") -> Measure:
    return Measure(measure=f"screen.{name}", at=at, unit=unit, values=values)


def _groups(at: At, trials: Sequence[Trial], threshold: float) -> Iterator[Measure]:
    """That nobody is missed or suspected more for the name."""
    for group, belongs in GROUPS.items():
        parts = [_part(each, belongs) for each in trials]
        if not all(part.places and part.alarms for part in parts):
            continue
        asked = sum(len(part.places) + len(part.alarms) for part in parts)
        told_at = partial(_measure, {**at, "far": DEFAULT, "group": group, "asked": asked})
        yield told_at("recall_at_1", [part.found(1) for part in parts])
        yield told_at("recall_at_far", [part.recall(threshold) for part in parts])
        yield told_at("false_alarms", [part.suspected(threshold) for part in parts])


def _part(trial: Trial, belongs: Callable[[str], bool]) -> Answers:
    """What was answered to those of a group."""
    setting, answers = trial.setting, trial.answers
    members = [belongs(_family(each)) for each in setting.members]
    strangers = [belongs(_family(each)) for each in setting.strangers]
    return Answers(
        [*compress(answers.places, members)],
        [*compress(answers.scores, members)],
        [*compress(answers.firsts, members)],
        [*compress(answers.alarms, strangers)],
        [],
        [],
    )


def _family(record: Record) -> str:
    return names.wording(record.person.name).family


def _aliases(records: Sequence[Record], size: int) -> Iterator[Measure]:
    """Everybody held has an alias, and some give it: with the aliases held, and without."""
    setting = _asked(febrl.setting(records, size, fit.SEED), _questions(size, "ppo"))
    setting = _under_aliases(setting, records)
    for known in (False, True):
        held = setting.held if known else [(each, _without_aliases(person)) for each, person in setting.held]
        with engines.ppo(held) as ask:
            answers = _answers(Setting(held, setting.members, setting.strangers), ask)
        at: At = {
            "data": "febrl4",
            "index": size,
            "engine": "ppo",
            "aliases": "held" if known else "not held",
        }
        yield _measure(at, "recall_at_1", [answers.found(1)])
        for far in FALSE_ALARMS:
            threshold = MODEL.threshold(size, far)
            yield _measure({**at, "far": far}, "recall_at_far", [answers.recall(threshold)])
            yield _measure({**at, "far": far}, "false_alarms", [answers.suspected(threshold)])


def _under_aliases(setting: Setting, records: Sequence[Record]) -> Setting:
    chance, originals = Random(fit.SEED), [each for each in records if each.original]
    alias = {nominal_id: febrl.distractor(originals, chance).name for nominal_id, _ in setting.held}
    held = [(nominal_id, _with_alias(person, alias[nominal_id])) for nominal_id, person in setting.held]
    members = [
        each._replace(person=person_pb2.Person(name=alias[each.of], birth_date=each.person.birth_date))
        if chance.random() * 100 < UNDER_ALIAS
        else each
        for each in setting.members
    ]
    return Setting(held, members, setting.strangers)


def _with_alias(person: person_pb2.Person, alias: person_pb2.Name) -> person_pb2.Person:
    return person_pb2.Person(name=person.name, birth_date=person.birth_date, aliases=[alias])


def _without_aliases(person: person_pb2.Person) -> person_pb2.Person:
    return person_pb2.Person(name=person.name, birth_date=person.birth_date)


def _resident() -> float:
    """Megabytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
