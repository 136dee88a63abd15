"""`ppo bench screen-accuracy`: who is found, who is missed and who is suspected, and how fast."""

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Annotated, NamedTuple

import numpy as np
import typer

from services.console import output
from services.console.bench import besides, engines, febrl, fit, groups, trials
from services.console.bench.engines import Engine
from services.console.bench.febrl import Record, Setting
from services.console.bench.measures import Measure, tell
from services.console.bench.trials import FALSE_ALARMS, At, Thresholds, Trial
from services.people.model import MODEL, Model

SIZES = [10_000, 100_000, 1_000_000]
ENGINES = ["ppo", "rapidfuzz", "pg_trgm"]
# The desk's.
DEFAULT = 0.01
FEWEST_HELD = 3_000
QUESTIONS = 10_000
# Of febrl4 a third after the other is held, until so many are asked.
A_TURN = 3_300
# Those that look at every line take up to half a second a question at a million: they are asked fewer, but
# enough that one in a hundred is seen.
MOST_LINES, FEWEST_ASKED = 200_000_000, 1_000

Sizes = Annotated[
    list[int], typer.Option("--index", min=5_000, help="How many are held; may be given several times.")
]
Chosen = Annotated[
    list[str],
    typer.Option("--engine", help="Which is measured; may be given several times."),
]
Asked = Annotated[
    int, typer.Option("--asked", min=100, help="How many are asked about at most, half of them not held.")
]
Server = Annotated[
    str,
    typer.Option(
        envvar="PPO_BENCH_POSTGRES",
        help="A superuser's URL of a PostgreSQL with pg_trgm; else Debian's own is started, if there is one.",
    ),
]


class Fold(NamedTuple):
    """Half of febrl3, of which a half is held, and the model that was fitted on all the others."""

    weights: Model
    asked: list[Record]
    others: list[Record]

    def setting(self, size: int) -> Setting:
        members, strangers = febrl.parts(self.asked, 2, fit.SEED)
        return febrl.filled_up(members, self.others, strangers, size=size, seed=fit.SEED)


class Labelled(NamedTuple):
    febrl3: list[Record]
    febrl4: list[Record]
    folds: list[Fold]


def bench(
    sizes: Sizes = SIZES,
    engine: Chosen = ENGINES,
    asked: Asked = QUESTIONS,
    postgres: Server = "",
    json: output.AsJson = False,
) -> int:
    """Measures the matcher on the labelled people of FEBRL, beside pg_trgm and rapidfuzz.

    All answer the same questions. febrl4 is only measured; for febrl3 the model is fitted anew without the
    half that asks. Thresholds are carried over from what was fitted. 10,000 alone takes ten minutes, all
    sizes take two hours; with fewer questions it takes less, and each figure says how many were asked.

    ```
    ppo bench screen-accuracy --index 10000
    ppo bench screen-accuracy --index 1000000 --engine ppo --asked 2000
    PPO_BENCH_POSTGRES=postgresql://postgres@127.0.0.1/postgres ppo bench screen-accuracy --json
    ```
    """
    return tell(_measures(sizes, engine, asked, postgres), as_json=json)


async def _measures(sizes: list[int], wanted: list[str], asked: int, postgres: str) -> AsyncIterator[Measure]:
    at_home = list(febrl.records("febrl4", postcodes=True))
    with engines.chosen(wanted, postgres) as by_name:
        labelled = _labelled(sizes if "ppo" in by_name else [])
        for size in sizes:
            for name, engine in by_name.items():
                most = _questions(size, name, asked)
                for measure in told_of(labelled, name, engine, size=size, most=most):
                    yield measure
            if "ppo" in by_name:
                for measure in besides.aliases(labelled.febrl4, size, asked):
                    yield measure
                for measure in besides.postcodes(at_home, size, asked):
                    yield measure


def _labelled(sizes: Sequence[int]) -> Labelled:
    """With a model for each half of febrl3, if it is for any size."""
    febrl3, febrl4 = (list(febrl.records(name)) for name in ("febrl3", "febrl4"))
    one, other = febrl.parts(febrl3, 2, fit.SEED)
    return Labelled(febrl3, febrl4, [_fold(one, other, sizes), _fold(other, one, sizes)])


def _fold(half: list[Record], rest: list[Record], sizes: Sequence[int]) -> Fold:
    others = [*febrl.records("febrl1"), *febrl.records("febrl2"), *rest]
    if not sizes:
        return Fold(MODEL, half, others)
    output.say("fitting on febrl1, febrl2 and the other half of febrl3")
    # Of more persons the model knows no more than how their thresholds rise.
    measured = sorted({min(size, fit.THRESHOLD_SIZES[-1]) for size in (FEWEST_HELD, *sizes)})
    return Fold(fit.fitted(others, measured), half, others)


def told_of(labelled: Labelled, name: str, engine: Engine, *, size: int, most: int) -> Iterator[Measure]:
    """What one engine does, asked about so many at most."""
    at: At = {"index": size, "engine": name}
    halves = [_half(fold, size, most, name, engine) for fold in labelled.folds]
    # A threshold is never of those it is measured on: it is the fitted model's, or comes from the other half.
    carried = [
        _thresholds(size, name, fold.weights, other)
        for fold, other in zip(labelled.folds, halves[::-1], strict=True)
    ]
    yield from _told(labelled.febrl3, {"data": "febrl3", **at}, halves, carried)
    turns = [
        trials.trial(febrl.setting(labelled.febrl4, size, fit.SEED, turn), most, engine)
        for turn in fit.TURNS[: max(most // A_TURN, 1)]
    ]
    of_both = {far: float(np.mean([each[far] for each in carried])) for far in FALSE_ALARMS}
    thresholds = _thresholds(size, name, MODEL, None) if name == "ppo" else of_both
    yield from _told(labelled.febrl4, {"data": "febrl4", **at}, turns, [thresholds] * len(turns))


def _half(fold: Fold, size: int, most: int, name: str, engine: Engine) -> Trial:
    own = partial(engines.ppo, weights=fold.weights) if name == "ppo" else engine
    return trials.trial(fold.setting(size), most, own)


def _told(
    records: Sequence[Record], at: At, tried: Sequence[Trial], carried: Sequence[Thresholds]
) -> Iterator[Measure]:
    yield from trials.told(at, tried, carried)
    by_name, thresholds = groups.by_name(records), [each[DEFAULT] for each in carried]
    yield from groups.told(by_name, {**at, "far": DEFAULT}, tried, thresholds)


def _thresholds(size: int, name: str, weights: Model, other: Trial | None) -> Thresholds:
    if name == "ppo" or other is None:
        return {far: weights.threshold(size, far) for far in FALSE_ALARMS}
    return {far: float(np.quantile(other.answers.alarms, 1 - far)) for far in FALSE_ALARMS}


def _questions(size: int, name: str, asked: int) -> int:
    """How many are asked at most, half of them strangers."""
    return asked if name == "ppo" else min(asked, max(MOST_LINES // size, FEWEST_ASKED))
