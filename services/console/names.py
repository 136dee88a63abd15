"""Draws made-up names: the commoner ones more often, and for one person several."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from ppo.person.v1 import person_pb2 as pb

MADE_UP = Path(__file__).with_name("birmingham.toml")


@cache
def made_up() -> Mapping[str, Any]:
    return tomllib.loads(MADE_UP.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Naming:
    """How one group names its people; the commoner names stand first."""

    male: Sequence[str]
    female: Sequence[str]
    family: Sequence[str]
    female_family: Sequence[str]
    # How a second given name is put, "{} Singh" for instance; None draws one from the list.
    male_form: str | None
    female_form: str | None
    # In how many tenths of names there is a second given name, and a family name made of a place.
    second: int
    places: int


def given_name(rng: Random, naming: str, sex: pb.Sex.ValueType) -> str:
    group = _naming(naming.partition("/")[0])
    female = sex == pb.SEX_FEMALE
    names, form = (group.female, group.female_form) if female else (group.male, group.male_form)
    first, form = pick(rng, names), form or f"{{}} {pick(rng, names)}"
    # Nobody is Mohammed Mohammed.
    if rng.randrange(10) >= group.second or first in form.split():
        return first
    return form.format(first)


def family_name(rng: Random, naming: str, sex: pb.Sex.ValueType) -> str:
    group = _naming(naming.rpartition("/")[2])
    if rng.randrange(10) < group.places:
        beginnings, ends = _places()
        return rng.choice(beginnings) + rng.choice(ends)
    return pick(rng, group.female_family if sex == pb.SEX_FEMALE else group.family)


def other_names(rng: Random, naming: str, sex: pb.Sex.ValueType, name: pb.Name) -> list[pb.Name]:
    """One or two more: short, spelt otherwise, another family's, or the wrong way round."""
    first, space, rest = name.given_name.partition(" ")
    pairs = {(short, name.family_name) for short in _variants("short", first)}
    pairs |= {(spelt + space + rest, name.family_name) for spelt in _variants("spelling", first)}
    pairs |= {(name.given_name, spelt) for spelt in _variants("spelling", name.family_name)}
    pairs |= {(first, family_name(rng, naming, sex)) for _ in range(2)}
    if rng.randrange(5) == 0:
        pairs.add((name.family_name, first))
    pairs -= {(name.given_name, name.family_name)}
    chosen = rng.sample(sorted(pairs), k=min(len(pairs), 1 + (rng.randrange(4) == 0)))
    return [pb.Name(given_name=given, family_name=family) for given, family in chosen]


def pick(rng: Random, names: Sequence[str]) -> str:
    return rng.choices(names, cum_weights=_weights(len(names)))[0]


@cache
def _weights(count: int) -> list[int]:
    # Zipf's law flattened at its head, which gives Smith and David about the share they have. In whole
    # numbers: a power of a fraction may end in another digit on another machine.
    return list(accumulate(1_000_000 // (place + 12) for place in range(count)))


@cache
def _naming(group: str) -> Naming:
    table = made_up()["names"][group]
    lists = {key: table[key].split() for key in ("male", "female", "family")}
    return Naming(
        **lists,
        female_family=table.get("female_family", table["family"]).split(),
        male_form=table.get("male_form"),
        female_form=table.get("female_form"),
        second=table.get("second", 5),
        places=table.get("places", 0),
    )


@cache
def _places() -> tuple[list[str], list[str]]:
    place = made_up()["place"]
    return place["beginnings"].split(), place["ends"].split()


def _variants(kind: str, name: str) -> list[str]:
    variants: str = made_up()[kind].get(name, "")
    return variants.split()
