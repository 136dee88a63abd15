"""Fits services/people/model.toml to febrl1, febrl2 and febrl3.

`python -m services.console.bench.fit VERSION` takes five minutes on two cores and gives the same every time.
What is set by hand stays as it is stored.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import services.people
from services.console import output
from services.console.bench import febrl
from services.people import likeness
from services.people.index import Index
from services.people.likeness import NAMES, Codes, Levels
from services.people.model import MODEL, Bits, Model
from services.people.question import Question
from services.people.rows import DATE, FAMILY, GIVEN, PERSON, Field, Table
from services.people.vocabulary import FAMILY as OF_FAMILY
from services.people.vocabulary import GIVEN as OF_GIVEN
from services.people.vocabulary import OTHER_SCRIPT

SEED = 2004
SETS = ("febrl1", "febrl2", "febrl3")
SIZES = (10_000, 100_000)
# Each third of the people is held, made distractors of and asked about in turn: one turn has too few
# strangers to say what one in a thousand reaches.
TURNS = (0, 1, 2)
THRESHOLD_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
FALSE_ALARMS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
# Of each question so many candidates are weighed again with every model.
CANDIDATES = 60
# The made-up errors of the data know no nicknames, no initials and no names romanised in several ways: what
# these are worth is set by hand, as is what the data has too little of.
FITTED_NAMES = ("one edit", "two edits", "similar")
FITTED_DATES = ("exact", "one digit", "two parts")
# Where what is fitted starts.
START = {
    "channel": 0.01,
    "unlike": 0.1,
    "unseen": 4.0,
    "date_channel": 0.01,
    "date_unlike": 0.1,
    "partly_differs": 0.5,
    "swapped": 2.0,
}
STEPS = (4.0, 1.6, 1.2)
SWEEPS = 3
# Less than this many bits is no better.
ENOUGH = 1e-5
# Candidates with fewer bits can be neither right nor an alarm.
LEAST = -30.0
STORED = Path(services.people.__file__).with_name("model.toml")
ROLES = ("given_name", "family_name")
# The last table of the file.
HELD = "[thresholds.held]"


class Asked(NamedTuple):
    """Every candidate of every question, as what the weights make bits of."""

    persons: int
    # By question: whether the person is in the index, how rare the year and the day of birth are.
    inside: NDArray[np.bool_]
    rarity: Bits
    # By form: how many are held at each level of its given and its family name.
    held: Bits
    # By candidate: the question, its form, the levels of given and family name, the relation of the dates,
    # whether the form is swapped, whether it is the right one.
    rows: NDArray[np.int32]


def asked(setting: febrl.Setting, weights: Model = MODEL) -> Asked:
    index = filled(setting, weights)
    records, places_of = [*setting.members, *setting.strangers], setting.place
    rarity: list[tuple[float, float]] = []
    held: list[tuple[NDArray[np.generic], ...]] = []
    rows: list[NDArray[np.int32]] = []
    for number, record in enumerate(records):
        question = index.question(record.person)
        rarity.append(question.rarity)
        right = places_of.get(record.of, -1)
        for form, (places, bits) in zip(question.forms, index.found(question, LEAST), strict=True):
            family, given = question.names(form)
            table = index.table[places[np.argsort(-bits, kind="stable")[:CANDIDATES]]]
            said = (number, len(held), form.swapped)
            held.append((given.held, family.held))
            rows.append(
                _numbers(said, _compared(question, (given, family), table), table[:, PERSON] == right)
            )
    inside = np.arange(len(records)) < len(setting.members)
    return Asked(index.persons, inside, np.array(rarity), np.array(held), np.concatenate(rows))


def filled(setting: febrl.Setting, weights: Model = MODEL) -> Index:
    index = Index(weights)
    for nominal_id, person in setting.held:
        index.put(nominal_id, person)
    return index


def _compared(question: Question, names: tuple[Field, Field], table: Table) -> list[Levels]:
    given, family = names
    dates = likeness.birth_dates(question.born, table[:, DATE])
    return [_levels(given, table[:, GIVEN]), _levels(family, table[:, FAMILY]), dates.astype(np.uint8)]


def _numbers(said: tuple[int, ...], levels: list[Levels], right: NDArray[np.bool_]) -> NDArray[np.int32]:
    number, form, swapped = (np.full(len(right), each) for each in said)
    return np.stack([number, form, *levels, swapped, right], axis=1).astype(np.int32)


def _levels(field: Field, codes: Codes) -> Levels:
    levels = field.levels[codes]
    # A name in another script is not weighed here.
    return np.where(levels == OTHER_SCRIPT, np.uint8(0), levels)


def weighed(asked: Asked, weights: Model) -> Bits:
    """The bits of every candidate."""
    question, form, of_given, of_family, relation, swapped, _ = asked.rows.T
    given = weights.name_bits(OF_GIVEN, asked.held[:, 0], asked.persons)[form, of_given]
    family = weights.name_bits(OF_FAMILY, asked.held[:, 1], asked.persons)[form, of_family]
    date = weights.date_bits(asked.rarity[:, 0], asked.rarity[:, 1])[question, relation]
    return np.asarray(family + date + weights.given_bits(given, family + date) - weights.swapped * swapped)


def loss(asked: Asked, weights: Model) -> float:
    """Bits of surprise at who each person is, or at being nobody in the index; as likely as not is either."""
    bits, question = weighed(asked, weights), asked.rows[:, 0]
    odds = np.exp2(np.minimum(bits, 60)) / asked.persons
    all_of = np.bincount(question, odds, len(asked.inside))
    right = np.zeros(len(asked.inside))
    np.maximum.at(right, question, odds * asked.rows[:, -1])
    surprise = np.log2(1 + all_of) - np.where(asked.inside, np.log2(np.maximum(right, 2.0**-20)), 0)
    members, strangers = surprise[asked.inside].mean(), surprise[~asked.inside].mean()
    return float(members + strangers)


class Knob(NamedTuple):
    """One constant of the model."""

    name: str
    at: tuple[int, ...] = ()

    def turned(self, weights: Model, by: float) -> Model:
        return self.put(weights, float(np.array(getattr(weights, self.name))[self.at]) * by)

    def put(self, weights: Model, what: float) -> Model:
        value = np.array(getattr(weights, self.name), float)
        value[self.at] = what
        changed: dict[str, Any] = {self.name: value if value.ndim else float(value)}
        return replace(weights, **changed)


def knobs() -> Iterator[Knob]:
    for role in (OF_GIVEN, OF_FAMILY):
        yield from (Knob("channel", (role, NAMES.index(level))) for level in FITTED_NAMES)
        yield Knob("unlike", (role,))
    yield Knob("unseen", (OF_FAMILY,))
    yield from (Knob("date_channel", (likeness.DATES.index(level),)) for level in FITTED_DATES)
    yield from map(Knob, ("date_unlike", "partly_differs", "swapped"))


def begun(weights: Model) -> Model:
    for knob in knobs():
        weights = knob.put(weights, START[knob.name])
    return weights


def climbed(weights: Model, questions: Sequence[Asked]) -> Model:
    """Coordinate ascent: each constant by a factor, up or down, for as long as that helps."""
    least = _surprise(weights, questions)
    for step in STEPS:
        for _ in range(SWEEPS):
            for knob in knobs():
                for by in (step, 1 / step):
                    weights, least = _turned(weights, least, knob, by, questions)
        output.say(f"by a factor of {step}: {least:.4f} bits of surprise")
    return weights


def _turned(
    weights: Model, least: float, knob: Knob, by: float, questions: Sequence[Asked]
) -> tuple[Model, float]:
    while True:
        turned = knob.turned(weights, by)
        surprise = _surprise(turned, questions)
        if surprise > least - ENOUGH:
            return weights, least
        weights, least = turned, surprise


def _surprise(weights: Model, questions: Sequence[Asked]) -> float:
    return sum(loss(each, weights) for each in questions) / len(questions)


def thresholds(weights: Model, records: Sequence[febrl.Record], sizes: Sequence[int]) -> Model:
    """What strangers reach, by the size of the index and the share of false alarms."""
    measured = []
    for size in sizes:
        drawn = (febrl.setting(records, size, SEED, turn) for turn in TURNS)
        best = np.concatenate([strangers(filled(each, weights), each) for each in drawn])
        measured.append([np.quantile(best, 1 - share) for share in FALSE_ALARMS])
        output.say(f"{size:,} held: 1 % of {len(best):,} strangers reach {np.quantile(best, 0.99):.1f} bits")
    # More people never make a match surer.
    rising = np.maximum.accumulate(measured, axis=0)
    return replace(
        weights,
        threshold_sizes=tuple(sizes),
        threshold_shares=FALSE_ALARMS,
        threshold_bits=tuple(tuple(map(float, bits)) for bits in rising),
    )


def strangers(index: Index, setting: febrl.Setting) -> Bits:
    """What the best match of each person reaches who is not held, if it is anything."""
    found = (index.found(index.question(each.person), 0.0) for each in setting.strangers)
    return np.array([max((bits.max(initial=LEAST) for _, bits in forms)) for forms in found])


def written(weights: Model, version: str) -> str:
    """The stored text with these constants."""
    lines, table = [], ""
    text, _, _ = STORED.read_text(encoding="utf-8").partition(HELD)
    for line in text.splitlines():
        table = line.strip("[]") if line.startswith("[") else table
        name, equals, _ = line.partition(" = ")
        if name == "shares":
            line = f"shares = {[*weights.threshold_shares]}"
        elif equals and table:
            line = f"{name} = {_value(weights, table, name.strip(chr(34))):.4g}"
        elif name == "version":
            line = f'version = "{version}"'
        lines.append(line)
    rows = zip(weights.threshold_sizes, weights.threshold_bits, strict=True)
    held = [f"{size} = {[round(each, 2) for each in bits]}" for size, bits in rows]
    return "\n".join([*lines, HELD, *held]) + "\n"


def _value(weights: Model, table: str, name: str) -> float:
    if table == "birth_date" and name in likeness.DATES:
        return float(weights.date_channel[likeness.DATES.index(name)])
    if table in ROLES and name in NAMES:
        return float(weights.channel[ROLES.index(table), NAMES.index(name)])
    if table in ROLES:
        return float(getattr(weights, name)[ROLES.index(table)])
    return float(weights.date_unlike if name == "unlike" else getattr(weights, name))


def met_at_home(records: Sequence[febrl.Record]) -> float:
    """How likely a duplicate has the original's postcode, where it has one."""
    held = {each.of: each.person.postcode for each in records if each.original}
    asked = [(each.person.postcode, held[each.of]) for each in records if not each.original]
    return float(np.mean([one == other for one, other in asked if one and other]))


def fitted(records: Sequence[febrl.Record], sizes: Sequence[int]) -> Model:
    start = begun(MODEL)
    questions = [asked(febrl.setting(records, size, SEED, turn), start) for size in SIZES for turn in TURNS]
    output.say(f"{sum(len(each.inside) for each in questions):,} questions gathered")
    return thresholds(climbed(start, questions), records, sizes)


def main(version: str) -> None:
    records = [record for name in SETS for record in febrl.records(name)]
    homes = [record for name in SETS for record in febrl.records(name, postcodes=True)]
    weights = replace(fitted(records, THRESHOLD_SIZES), same_postcode=met_at_home(homes))
    STORED.write_text(written(weights, version), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
