"""Nobody is missed for not having been looked at: an index finds what weighing everybody would find."""

from random import Random

import pytest

from ppo.person.v1 import person_pb2
from services.people import rows
from services.people.index import Index
from tests.builders import person

PERSONS = 3_000
QUESTIONS = 400
FEW = 150
FEW_QUESTIONS = 60


def word(chance: Random, syllables: int) -> str:
    return "".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(syllables)).title()


def people(chance: Random) -> list[person_pb2.Person]:
    """With names that come again, some more often than others."""
    given, family = [word(chance, 2) for _ in range(200)], [word(chance, 3) for _ in range(500)]
    born = [f"{chance.randrange(1950, 1985)}-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(PERSONS)]
    homes = [f"B{chance.randrange(400)} 1AA" for _ in range(PERSONS)]
    return [
        person(
            given[int(200 * chance.random() ** 2)],
            family[int(500 * chance.random() ** 2)],
            date,
            postcode=home,
        )
        for date, home in zip(born, homes, strict=True)
    ]


def as_asked(chance: Random, held: person_pb2.Person) -> person_pb2.Person:
    """What an officer may be told of that person: a part missing, wrong, swapped or misspelt."""
    asked = person_pb2.Person()
    asked.CopyFrom(held)
    misname(chance, asked.name)
    misdate(chance, asked)
    return asked


def misname(chance: Random, name: person_pb2.Name) -> None:
    match chance.randrange(8):
        case 0:
            name.given_name = ""
        case 1:
            name.family_name = ""
        case 2:
            name.given_name, name.family_name = name.family_name, name.given_name
        case 3:
            name.family_name = "Zzyzxworth"
        case 4:
            name.given_name = name.given_name[1:]


def misdate(chance: Random, asked: person_pb2.Person) -> None:
    born = asked.birth_date
    match chance.randrange(8):
        case 0:
            asked.ClearField("birth_date")
        case 1:
            born.month = born.day = 0
        case 2:
            born.day = 0
        case 3:
            born.year = 0
        case 4:
            born.day, born.month = born.month, min(born.day, 12)
        case 5:
            born.year += 1


def filled(held: list[person_pb2.Person]) -> Index:
    index = Index()
    for at, one in enumerate(held):
        index.put(str(at), one)
    return index


@pytest.mark.parametrize("seed", range(3))
def test_an_index_finds_whom_weighing_everybody_would_find(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)
    held = people(chance)
    questions = [as_asked(chance, chance.choice(held)) for _ in range(QUESTIONS)]
    index = filled(held)
    found = [_found(index, asked) for asked in questions]

    # Rows that are not sorted in are looked at one and all.
    monkeypatch.setattr(rows, "_APART", PERSONS)
    everybody = filled(held)

    assert [_found(everybody, asked) for asked in questions] == found
    assert sum(map(bool, found)) > QUESTIONS / 2


@pytest.mark.parametrize("apart", [0, PERSONS])
@pytest.mark.parametrize("seed", range(2))
def test_nobody_is_missed_whom_weighing_each_alone_would_suspect(
    seed: int, apart: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)
    held = [with_other_names(chance, each) for each in people(chance)[:FEW]]
    questions = [as_asked(chance, chance.choice(held)) for _ in range(FEW_QUESTIONS)]
    monkeypatch.setattr(rows, "_APART", apart)
    # What is weighed is known to an index, which then looks at more than it has to.
    index, weighing = filled(held), filled(held)

    for at, asked in enumerate(questions):
        asked.postcode = asked.postcode if at % 2 else ""
        # As rare as the least strict desk has it.
        suspected = _weighed(weighing, asked, index.threshold(0.1))
        for just in chance.sample([*suspected.values()], min(2, len(suspected))):
            found = dict(_scores(index, asked, just - 1e-5))

            assert {one: bits for one, bits in suspected.items() if bits >= just}.items() <= found.items()


def with_other_names(chance: Random, held: person_pb2.Person) -> person_pb2.Person:
    """Some have a middle name, some an alias."""
    other = person_pb2.Person()
    other.CopyFrom(held)
    if chance.random() < 0.4:
        other.name.given_name += f" {word(chance, 1)}"
    if chance.random() < 0.2:
        other.aliases.add(given_name=word(chance, 2), family_name=held.name.family_name)
    return other


def _weighed(index: Index, asked: person_pb2.Person, at_least: float) -> dict[str, float]:
    question = index.question(asked)
    each = (index.explain(question, str(at)) for at in range(len(index)))
    return {one.nominal_id: round(one.bits, 6) for one in each if one.bits >= at_least}


def _scores(index: Index, asked: person_pb2.Person, at_least: float) -> list[tuple[str, float]]:
    return [(each.nominal_id, round(each.bits, 6)) for each in index.matches(asked, FEW, at_least)]


def _found(index: Index, asked: person_pb2.Person) -> list[str]:
    return [each.nominal_id for each in index.matches(asked, 20, index.threshold())]
