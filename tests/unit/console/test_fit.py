"""The model is fitted by what the matcher itself weighs, and stored as it was fitted."""

import numpy as np
import pytest

from services.console.bench import febrl, fit
from services.people.model import MODEL


@pytest.fixture(scope="module")
def setting() -> febrl.Setting:
    whole = febrl.setting(list(febrl.records("febrl1")), 1_000, seed=1)
    return whole._replace(members=whole.members[:30], strangers=whole.strangers[:30])


def test_half_of_the_people_are_held_among_distractors_and_none_of_the_strangers(
    setting: febrl.Setting,
) -> None:
    held = {nominal_id for nominal_id, _ in setting.held}

    assert len(setting.held) == 1_000
    assert {each.of for each in setting.members} <= held
    assert held.isdisjoint(each.of for each in setting.strangers)


def test_a_candidate_is_weighed_in_fitting_as_in_matching(setting: febrl.Setting) -> None:
    asked, index = fit.asked(setting), fit.filled(setting)
    best = np.full(len(asked.inside), fit.LEAST)

    np.maximum.at(best, asked.rows[:, 0], fit.weighed(asked, MODEL))

    found = [index.matches(each.person, 1, fit.LEAST) for each in (*setting.members, *setting.strangers)]
    assert best.tolist() == pytest.approx([one.bits for [one] in found])


def test_what_is_stored_is_what_was_fitted() -> None:
    assert fit.written(MODEL, MODEL.version) == fit.STORED.read_text(encoding="utf-8")


def test_climbing_lessens_the_surprise(setting: febrl.Setting) -> None:
    questions = [fit.asked(setting)]
    worse = fit.Knob("swapped").turned(MODEL, 8)

    assert fit.loss(questions[0], fit.climbed(worse, questions)) < fit.loss(questions[0], worse)
