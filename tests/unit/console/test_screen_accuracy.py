"""`ppo bench screen-accuracy`: by data, index and engine, by kind of name, and with what more is known."""

from collections.abc import Iterable

import pytest

from services.console.bench import besides, engines, febrl, groups, screening, trials
from services.console.bench.measures import Measure
from services.people.model import MODEL

DECIDED = {
    *("screen.recall_at_1", "screen.recall_at_5", "screen.recall_at_far"),
    *("screen.false_alarms", "screen.precision", "screen.threshold"),
}
COST = {f"screen.{name}" for name in ("p50_ms", "p99_ms", "cpu_p99_ms", "build_s", "memory_mb")}
HELD, ASKED = 1_800, 60


@pytest.fixture(scope="module")
def labelled() -> screening.Labelled:
    febrl3, febrl4 = (list(febrl.records(name)) for name in ("febrl3", "febrl4"))
    halves = febrl.parts(febrl3, 2, seed=1)
    folds = [screening.Fold(MODEL, one, other) for one, other in (halves, halves[::-1])]
    return screening.Labelled(febrl3, febrl4, folds)


@pytest.fixture(scope="module")
def told(labelled: screening.Labelled) -> list[Measure]:
    return [*screening.told_of(labelled, "ppo", engines.ppo, size=HELD, most=ASKED)]


def values(told: Iterable[Measure], name: str, **at: object) -> list[float]:
    return [
        max(one.values) for one in told if one.measure == f"screen.{name}" and at.items() <= one.at.items()
    ]


@pytest.mark.parametrize("data", ["febrl3", "febrl4"])
def test_every_figure_stands_under_data_index_and_engine(told: list[Measure], data: str) -> None:
    at = {"data": data, "index": HELD, "engine": "ppo"}
    of_data = [one for one in told if at.items() <= one.at.items() and "group" not in one.at]

    assert {one.measure for one in of_data} == DECIDED | COST
    assert {one.at["far"] for one in of_data if one.measure == "screen.precision"} == set(trials.FALSE_ALARMS)
    assert all(one.at["asked"] for one in of_data)


@pytest.mark.parametrize("data", ["febrl3", "febrl4"])
@pytest.mark.parametrize("group", ["5 to 7 letters", "ends in a consonant", "common", "not common"])
def test_every_kind_of_name_has_its_own_figures(told: list[Measure], data: str, group: str) -> None:
    for name in ("recall_at_1", "recall_at_far", "false_alarms"):
        assert len(values(told, name, data=data, group=group, far=screening.DEFAULT)) == 1


def test_a_name_is_common_by_how_many_have_it(labelled: screening.Labelled) -> None:
    by_name = groups.by_name(labelled.febrl4)

    assert by_name["common"]("white")
    assert by_name["not common"]("no such name")
    assert not by_name["common"]("")
    assert not by_name["not common"]("")


def test_an_alias_that_is_held_finds_and_decides(labelled: screening.Labelled) -> None:
    told = [*besides.aliases(labelled.febrl4, HELD, ASKED)]

    for name, at in (("recall_at_1", {}), ("recall_at_far", {"far": 0.01})):
        [without], [held] = (values(told, name, aliases=known, **at) for known in ("not held", "held"))
        assert held > without


def test_a_postcode_that_is_given_finds_and_decides() -> None:
    told = [*besides.postcodes(list(febrl.records("febrl4", postcodes=True)), HELD, 600)]

    for name, at in (("recall_at_1", {}), ("recall_at_far", {"far": 0.01})):
        [without], [given] = (values(told, name, postcodes=known, **at) for known in ("not given", "given"))
        assert given > without
