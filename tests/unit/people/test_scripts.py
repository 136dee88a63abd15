"""A name in another script is compared in Latin letters, and says little where that fails."""

from random import Random

import pytest

from services.people.index import Index
from services.people.matching import compare, contradicts
from tests.builders import person
from tests.unit.people.test_candidates import filled, people

SAME = [
    (("Роберт", "Смирнов"), ("Robert", "Smirnov")),
    (("Мухаммед", "Алиев"), ("Mohammed", "Aliev")),
    (("Оксана", "Шевченко"), ("Oksana", "Shevchenko")),
    (("Γιώργος", "Παπαδόπουλος"), ("Giorgos", "Papadopoulos")),
    (("محمد", "أحمد"), ("Mohammed", "Ahmad")),
    (("علي", "حسين"), ("Ali", "Hussein")),
    (("小明", "王"), ("Xiao Ming", "Wang")),
    (("ਗੁਰਪ੍ਰੀਤ", "ਸਿੰਘ"), ("Gurpreet", "Singh")),
    (("আহমেদ", "রহমান"), ("Ahmed", "Rahman")),
    (("გიორგი", "მაისურაძე"), ("Giorgi", "Maisuradze")),
    (("Կարեն", "Սարգսյան"), ("Karen", "Sargsyan")),
    (("דוד", "לוי"), ("David", "Levi")),
    (("민수", "김"), ("Min-su", "Gim")),
]


@pytest.fixture(scope="module")
def crowd() -> Index:
    return filled(people(Random(7)))


@pytest.mark.parametrize(("native", "latin"), SAME, ids=[latin[1] for _, latin in SAME])
@pytest.mark.parametrize("turned", [False, True], ids=["asked", "held"])
def test_a_name_in_another_script_finds_it_in_latin_letters(
    crowd: Index, native: tuple[str, str], latin: tuple[str, str], turned: bool
) -> None:
    asked, held = (latin, native) if turned else (native, latin)
    crowd.put("same", person(*held, born="1980-05-11"))

    [best, *_] = crowd.matches(person(*asked, born="1980-05-11"), limit=2, at_least=crowd.threshold(0.001))

    assert best.nominal_id == "same"
    assert "romanised" in " ".join(each.comparison for each in best.evidence)


@pytest.mark.parametrize("native", ["田中", "Роман", "王"])
def test_what_does_not_fit_in_latin_letters_speaks_but_little_against_it(native: str) -> None:
    asked, held = person(native, "", "1980-05-11"), person("Robert", "Tanaka", "1980-05-11")

    bits, evidence = compare(asked, held)
    other_bits, _ = compare(person("Zbigniew", "", "1980-05-11"), held)

    assert other_bits < bits
    assert not contradicts(asked, held)
    assert all(not each.comparison.endswith("differs") for each in evidence)


def test_a_date_of_birth_alone_raises_no_alarm_over_names_in_another_script(crowd: Index) -> None:
    chance = Random(3)
    asked = [person("Ярополк", "Щедрин", born) for born in (_date(chance) for _ in range(300))]
    latin = [person("Yngve", "Thxzw", born) for born in (_date(chance) for _ in range(300))]

    alarms, usual = (
        sum(bool(crowd.matches(each, 1, crowd.threshold())) for each in them) for them in (asked, latin)
    )

    assert alarms <= usual + 6


def _date(chance: Random) -> str:
    return f"{chance.randrange(1950, 1985)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
