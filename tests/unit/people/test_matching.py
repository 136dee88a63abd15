"""A match is found and weighed as its evidence says, and clears the threshold when it should."""

import math
import string
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from ppo.person.v1 import person_pb2
from services.people import likeness, names
from services.people.index import Index
from services.people.matching import compare, contradicts
from services.people.model import MODEL
from services.people.vocabulary import FAMILY, GIVEN
from tests.unit.people.builders import PNC, name, person

COMMON = "John Smith"
RARE = "Zbigniew Wolstenholme"

# Without what stands for no name: "refused" is one that hypothesis does find.
words = st.text(string.ascii_lowercase, min_size=3, max_size=12).filter(
    lambda word: names.wording(person_pb2.Name(family_name=word)).family != ""
)
dates = st.builds(Date, year=st.integers(1930, 2004), month=st.integers(1, 12), day=st.integers(1, 28))
named = st.builds(person_pb2.Name, given_name=words, family_name=words)
people = st.builds(person_pb2.Person, name=named, birth_date=dates, aliases=st.lists(named, max_size=3))
# Of few names, dates and numbers, so that people meet.
near_people = st.builds(
    person_pb2.Person,
    name=st.builds(
        person_pb2.Name,
        given_name=st.sampled_from(["John", "Jon", "Jack", "J", ""]),
        family_name=st.sampled_from(["Smith", "Smyth", "Smith Jones", ""]),
    ),
    birth_date=st.builds(
        Date, year=st.sampled_from([0, 1980]), month=st.just(5), day=st.sampled_from([0, 1, 2])
    ),
    identifiers=st.lists(st.builds(person_pb2.Identifier, kind=st.just(PNC), value=st.sampled_from("12"))),
    postcode=st.sampled_from(["", "B12 8QX", "GL1 2AB"]),
)
# What a caller may send: any text in any field, any number in any part of a date.
texts = st.text(max_size=300)
anything = st.builds(
    person_pb2.Person,
    name=st.builds(person_pb2.Name, given_name=texts, family_name=texts),
    aliases=st.lists(st.builds(person_pb2.Name, given_name=texts, family_name=texts), max_size=3),
    birth_date=st.builds(Date, **dict.fromkeys(("year", "month", "day"), st.integers(-(2**31), 2**31 - 1))),
)


def crowd(size: int) -> Iterator[tuple[str, person_pb2.Person]]:
    """People of many names, a tenth of them John and a tenth of them Smith, born over thirty years."""
    for number in range(size):
        given = "John" if number % 10 == 0 else f"Given{_letters(number % 97)}"
        family = "Smith" if number % 10 == 5 else f"Family{_letters(number % 1009)}"
        born = f"{1955 + number % 30}-{1 + number % 12:02d}-{1 + number % 28:02d}"
        yield f"crowd-{number}", person(f"{given} {family}", born)


def _letters(number: int) -> str:
    return "".join(string.ascii_lowercase[number // 26**place % 26] for place in range(3))


def filled(held: Iterable[tuple[str, person_pb2.Person]]) -> Index:
    index = Index()
    for nominal_id, each in held:
        index.put(nominal_id, each)
    return index


def index(size: int, *held: person_pb2.Person) -> Index:
    return filled([*crowd(size - len(held)), *((f"held-{at}", each) for at, each in enumerate(held))])


@pytest.fixture(scope="module", params=[300, 10_000])
def size(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def common(size: int) -> Index:
    return index(size, person(COMMON, "1980-05-14"))


@pytest.fixture(scope="module")
def rare(size: int) -> Index:
    return index(size, person(RARE, "1980-05-11", aliases=["Jack Sparrowhawk", "Peter Quillfeather"]))


@pytest.fixture(scope="module")
def crowded() -> Index:
    """Where a property puts its own person, each time another one."""
    return index(300)


def alarms(index: Index, given: person_pb2.Person) -> list[str]:
    found = index.matches(given, limit=5, at_least=index.threshold())
    return [each.nominal_id for each in found if each.nominal_id.startswith("held")]


@pytest.mark.parametrize(
    ("words", "born"),
    [
        ("John Smith", "1980-05-14"),
        ("JOHN SMITH", "1980-05-14"),
        ("John Paul Smith", "1980-05-14"),
        ("Jon Smith", "1980-05-14"),
        ("John Smiht", "1980-05-14"),
        ("John Smythe", "1980-05-14"),
        ("Jhon Smtih", "1980-05-14"),
        ("Smith John", "1980-05-14"),
        ("Jack Smith", "1980-05-14"),
        ("J Smith", "1980-05-14"),
    ],
)
def test_a_common_name_with_the_exact_date_is_a_match(common: Index, words: str, born: str) -> None:
    assert alarms(common, person(words, born)) == ["held-0"]


@pytest.mark.parametrize(
    ("words", "born"),
    [
        ("Zbigniew Wolstenholme", "1980-11-05"),
        ("Zbigniew Wolstenholme", "1990-05-11"),
        ("Zbigniew Wolstenholme", "1980-05"),
        ("Zbigniew Wolstenholme", "1980"),
        ("Zbigniew Wolstenholme", ""),
        ("Zbigneiw Wolstenholm", "1980-05-11"),
        ("Zbigniew Wolsenholme", ""),
        ("Dbigniew Wolxtenxolme", "1980-05-11"),
        ("Wolstenholme Zbigniew", "1980-11-05"),
        ("Wolstenholme", "1980-05-11"),
        ("Jack Sparrowhawk", "1980-05-11"),
        ("Jack Sparowhawk", "1980-05-11"),
    ],
)
def test_a_rare_name_is_a_match_with_less_of_the_date(rare: Index, words: str, born: str) -> None:
    assert alarms(rare, person(words, born)) == ["held-0"]


@pytest.mark.parametrize(
    ("words", "born"),
    [
        ("Brian Wolstenholme", "1962-09-27"),
        ("Zbigniew Underhill", "1962-09-27"),
        ("Brian Underhill", "1980-05-11"),
        ("Brian Wolstenholme", ""),
        ("Brian Underhill", ""),
        ("", "1980-05-11"),
        ("", ""),
    ],
)
def test_one_thing_in_common_is_no_match(rare: Index, words: str, born: str) -> None:
    assert alarms(rare, person(words, born)) == []


def test_a_common_name_without_a_date_is_no_match_in_a_large_index(common: Index) -> None:
    assert len(common) < 1000 or alarms(common, person(COMMON)) == []


@pytest.mark.parametrize("words", ["J Smith", "Smith", "John Smith"])
def test_a_common_family_name_is_searched_with_an_initial_or_none(common: Index, words: str) -> None:
    assert common.matches(person(words), limit=1)[0].bits > 0


@given(people, st.integers(1, 100_000))
def test_exact_name_and_date_are_a_match_in_any_flagged_set(held: person_pb2.Person, size: int) -> None:
    for each in (held.name, *held.aliases):
        bits, _ = compare(person_pb2.Person(name=each, birth_date=held.birth_date), held)

        assert bits > MODEL.threshold(size, 0.01)


def test_the_commonest_name_among_aliases_on_both_sides_is_a_match_in_the_largest_flagged_set() -> None:
    others = [f"{given} Brown" for given in ("Ann", "Lee", "Guy", "Roy", "Kim", "Max", "Ray", "Joe", "Tom")]
    held = person("Adam Winterbourne", "1980-05-14", aliases=[COMMON, *others])
    crowded = index(0, *(person(COMMON) for _ in range(50)), held)

    said = [f"{given} White" for given in ("Ann", "Lee", "Guy", "Roy", "Kim", "Max", "Ray", "Joe", "Tom")]
    [best] = crowded.matches(person("Peter Quillfeather", "1980-05-14", aliases=[COMMON, *said]), limit=1)

    assert best.nominal_id == "held-50"
    assert best.bits > MODEL.threshold(10_000, 0.01)


@given(people, st.data())
def test_one_wrong_letter_with_the_exact_date_is_a_match(
    crowded: Index, held: person_pb2.Person, data: st.DataObject
) -> None:
    family = held.name.family_name
    at = data.draw(st.integers(0, len(family) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    misspelt = person_pb2.Person()
    misspelt.CopyFrom(held)
    misspelt.name.family_name = family[:at] + letter + family[at + 1 :]
    crowded.put("held", held)

    assert alarms(crowded, misspelt) == ["held"]


@given(people)
def test_names_swapped_are_a_match(crowded: Index, held: person_pb2.Person) -> None:
    swapped = person_pb2.Name(given_name=held.name.family_name, family_name=held.name.given_name)
    crowded.put("held", held)

    assert alarms(crowded, person_pb2.Person(name=swapped, birth_date=held.birth_date)) == ["held"]


@given(anything, anything)
def test_any_two_people_compare_to_a_number_that_is_the_sum_of_its_evidence(
    one: person_pb2.Person, other: person_pb2.Person
) -> None:
    bits, evidence = compare(one, other)

    assert math.isfinite(bits)
    assert bits == pytest.approx(sum(each.bits for each in evidence))
    assert all(each.field and each.comparison for each in evidence)


@given(people, people)
def test_nobody_matches_better_than_the_person_themselves(
    one: person_pb2.Person, other: person_pb2.Person
) -> None:
    assert compare(one, other)[0] <= compare(one, one)[0] + 1e-9


@given(people)
def test_what_is_missing_counts_for_nothing(held: person_pb2.Person) -> None:
    whole, _ = compare(held, held)
    dateless, evidence = compare(person_pb2.Person(name=held.name), held)
    nameless, date = compare(person_pb2.Person(birth_date=held.birth_date), held)

    assert compare(person_pb2.Person(), held) == (0.0, [])
    assert {each.field for each in evidence} == {"given_name", "family_name"}
    assert {each.field for each in date} == {"birth_date"}
    assert whole == pytest.approx(dateless + nameless)


def test_the_date_says_how_it_differs() -> None:
    held = person(RARE, "1980-05-11")
    dates = ["1980-05-11", "1980-11-05", "1989-05-11", "1980-05-27", "1980-05", "1981-05", "1962-09-27", ""]

    levels = [
        [e.comparison for e in compare(person(RARE, each), held)[1] if e.field == "birth_date"]
        for each in dates
    ]

    assert levels == [
        ["exact"],
        ["day and month swapped"],
        ["one digit"],
        ["two parts"],
        ["partial"],
        ["partly differs"],
        ["differs"],
        [],
    ]


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Jonathan", "Jonathan Paul", "exact"),
        ("Mary-Jane", "Maryjane", "exact"),
        ("Ali Hassan", "Ali Yusuf", "first name"),
        ("Jonatan", "Jonathan", "one edit"),
        ("Bob", "Robert", "nickname"),
        ("Katherine", "Catharyn", "sounds alike"),
        ("Jomarhan", "Jonathan", "two edits"),
        ("Paul", "Jonathan Paul", "shared word"),
        ("J", "Jonathan", "initial"),
        ("Christop", "Christopher", "similar"),
        ("Brian", "Jonathan", "differs"),
    ],
)
def test_a_given_name_says_how_it_differs(one: str, other: str, level: str) -> None:
    _, evidence = compare(person(f"{one} Smith"), person(f"{other} Smith"))

    assert evidence[0].comparison == level


def test_a_better_level_never_weighs_less() -> None:
    levels = [likeness.NAMES.index(level) for level in ("exact", "one edit", "two edits", "differs")]

    for role in (GIVEN, FAMILY):
        bits = MODEL.name_bits(role, np.full(len(likeness.NAMES), 10.0), 10_000)[levels]
        assert bits.tolist() == sorted(bits, reverse=True)


def test_names_in_two_scripts_are_compared_in_latin_letters() -> None:
    bits, evidence = compare(person("Иван Петров", "1980-05-11"), person("Ivan Petrov", "1980-05-11"))
    in_one, _ = compare(person("Ivan Petrov", "1980-05-11"), person("Ivan Petrov", "1980-05-11"))

    assert [each.comparison for each in evidence] == ["romanised, exact", "romanised, exact", "exact"]
    assert not contradicts(person("Иван Петров"), person("Brian Underhill"))
    assert bits == in_one


def test_an_alias_is_worth_less_than_the_name_itself() -> None:
    held = person("Jack Sparrowhawk", "1980-05-11", aliases=["Peter Quillfeather", "Adam Winterbourne"])

    by_name, _ = compare(person("Jack Sparrowhawk"), held)
    by_alias, evidence = compare(person("Adam Winterbourne"), held)

    assert by_alias == pytest.approx(by_name - math.log2(3))
    assert [each.comparison for each in evidence] == ["alias, exact", "alias, exact"]


def test_an_alias_is_one_more_name_that_a_stranger_may_meet_by_chance() -> None:
    held, plain = crowd(4_000), filled(crowd(4_000))

    aliased = filled((each, person_pb2.Person(name=one.name, aliases=[name(RARE)])) for each, one in held)

    # One of one alias costs one bit.
    assert aliased.names == 4_000 * (1 + 1 / 2)
    assert aliased.threshold() == MODEL.threshold(6_000, 0.01) > plain.threshold()


def test_an_alias_that_is_gone_or_in_another_script_too_counts_no_more() -> None:
    held = index(0, person("Ivan Petrov", aliases=["Иван Сидоров", "Adam Winterbourne"]), person(COMMON))
    assert held.names == pytest.approx(2 + 2 / 3)

    held.put("held-0", person("Ivan Petrov", aliases=["Adam Winterbourne"]))
    assert held.names == 2.5

    held.drop("held-0")
    assert held.names == 1


def test_a_rare_name_counts_more_than_a_common_one() -> None:
    crowded = index(1000, person(RARE), person(COMMON))

    rare, common = (crowded.matches(person(words), limit=1)[0].bits for words in (RARE, COMMON))

    assert rare > common + 5


@pytest.mark.parametrize(
    ("given", "contradiction"),
    [
        (person("Jonathan Underhill", "1980-05-11"), False),
        (person("Jon Undrhill", "1980-05-12"), False),
        (person("Jonathan Quillfeather"), False),
        (person("Underhill Jonathan"), False),
        (person("Peter Quillfeather", "1980-11-05"), False),
        (person("", "1980"), False),
        (person("", "1981-05"), False),
        (person(), False),
        (person("Brian Wolstenholme"), True),
        (person("Brian Underhill", "1980-05-11"), True),
        (person("Brian Wolstenholme", "1980-05-11"), True),
        (person("Jonathan Underhill", "1962-09-27"), True),
        (person("Wolstenholme"), True),
    ],
    ids=lambda value: str(value).replace("\n", " "),
)
def test_only_another_name_or_another_date_contradicts(given: person_pb2.Person, contradiction: bool) -> None:
    held = person("Jonathan Underhill", "1980-05-11", aliases=["Peter Quillfeather"])

    assert contradicts(given, held) is contradiction


@given(st.lists(people, min_size=1, max_size=30), st.data())
def test_no_candidate_is_lost_that_a_whole_comparison_would_find(
    held: list[person_pb2.Person], data: st.DataObject
) -> None:
    asked = data.draw(st.sampled_from(held))
    crowded = index(len(held), *held)

    whole = [crowded.explain(crowded.question(asked), f"held-{at}").bits for at in range(len(held))]
    found = crowded.matches(asked, limit=len(held), at_least=crowded.threshold())

    assert [match.bits for match in found] == pytest.approx(
        sorted((bits for bits in whole if bits >= crowded.threshold()), reverse=True)
    )


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    crowded = index(5, *(person(COMMON, f"1980-05-1{day}") for day in range(5)))

    found = crowded.matches(person(COMMON, "1980-05-13"), limit=3)

    assert found[0].nominal_id == "held-3"
    assert [each.bits for each in found] == sorted((each.bits for each in found), reverse=True)
    assert len(found) == 3


def test_those_left_out_by_the_limit_are_the_worst() -> None:
    crowded = index(400, *(person(COMMON, f"19{year}-05-14") for year in range(50, 90)))
    asked = person(COMMON, "1980-05-14")

    few, all_of_them = (crowded.matches(asked, limit=limit) for limit in (3, 400))

    assert few == all_of_them[:3]


steps = st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | people | near_people), max_size=30)


@given(steps, people | near_people)
def test_after_any_changes_an_index_is_as_one_made_anew(
    steps: list[tuple[str, person_pb2.Person | None]], asked: person_pb2.Person
) -> None:
    changed = Index()
    for nominal_id, each in steps:
        changed.drop(nominal_id) if each is None else changed.put(nominal_id, each)
        changed.matches(asked, limit=1)
    held = {nominal_id: each for nominal_id, each in dict(steps).items() if each is not None}
    anew = filled(held.items())

    assert changed.matches(asked, limit=5, at_least=-50) == anew.matches(asked, limit=5, at_least=-50)
    assert (len(changed), changed.best_possible(asked)) == (len(anew), anew.best_possible(asked))
    assert changed.names == anew.names
    assert [changed.holders(each) for each in asked.identifiers] == [
        anew.holders(each) for each in asked.identifiers
    ]


def test_an_index_that_was_sorted_in_and_cleared_out_many_times_is_as_one_made_anew() -> None:
    held = dict(crowd(6_000))
    changed = filled(reversed(held.items()))
    for at, nominal_id in enumerate([*held] * 2):
        changed.matches(person(COMMON), limit=1) if at % 500 == 0 else changed.put(
            nominal_id, held[nominal_id]
        )
    for nominal_id in [*held][1_000:]:
        changed.drop(nominal_id)
    anew = filled(list(held.items())[:1_000])

    for words, born in [("John Smith", "1955-01-01"), ("Jon Familyaaa", "1960-06-06"), ("Smith", "")]:
        found = changed.matches(person(words, born), limit=20)

        assert found == anew.matches(person(words, born), limit=20) != []


def test_who_is_put_again_is_held_as_last_put() -> None:
    crowded = Index()
    crowded.put("one", person(COMMON, pnc=["2002/0073319Z"]))
    crowded.put("one", person(RARE, pnc=["1979/0163001B"]))

    assert len(crowded) == 1
    assert crowded.matches(person(COMMON), limit=5) == []
    assert crowded.holders(person_pb2.Identifier(kind=PNC, value="02/73319Z")) == []
    assert crowded.holders(person_pb2.Identifier(kind=PNC, value="79/163001b")) == ["one"]


def test_what_was_put_is_not_changed_from_outside() -> None:
    crowded, held = Index(), person(COMMON)
    crowded.put("one", held)

    held.name.CopyFrom(name(RARE))

    assert (
        crowded.explain(crowded.question(person(COMMON)), "one")
        == crowded.matches(person(COMMON), limit=1)[0]
    )


def test_a_nominal_id_is_an_identifier_of_its_own_person() -> None:
    crowded = Index()
    crowded.put("0b3f2a74-6c1d-4e5f-8a9b-0c1d2e3f4a5b", person(COMMON))
    typed = person_pb2.Identifier(
        kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value="0B3F2A74-6C1D-4E5F-8A9B-0C1D2E3F4A5B"
    )

    assert crowded.holders(typed) == ["0b3f2a74-6c1d-4e5f-8a9b-0c1d2e3f4a5b"]


@given(people)
def test_the_best_possible_is_what_the_person_would_reach(crowded: Index, asked: person_pb2.Person) -> None:
    del asked.aliases[:]
    crowded.drop("held")
    crowded.put("held", asked)

    promised, [best] = crowded.best_possible(asked), crowded.matches(asked, limit=1)

    swapped = any("swapped" in each.comparison for each in best.evidence)
    assert best.bits == pytest.approx(promised) or (swapped and best.bits > promised)


def test_the_threshold_rises_with_the_size_of_the_index_and_as_alarms_get_rarer() -> None:
    sizes = [0, 300, *MODEL.threshold_sizes, 5_000, 20_000, 70_000, 200_000, 1_000_000, 60_000_000]
    shares = [*MODEL.threshold_shares, 0.03, 0.0001]
    bits = np.array(
        [[MODEL.threshold(size, share) for share in sorted(shares)[::-1]] for size in sorted(sizes)]
    )

    assert (np.diff(bits, axis=0) >= 0).all()
    assert (np.diff(bits, axis=1) > 0).all()
    # Below the smallest that was measured, or above the most alarms, one name alone would do.
    assert (bits[0] == bits[2]).all()
    assert MODEL.threshold(10_000, 0.5) == MODEL.threshold(10_000, 0.1)


def test_the_threshold_is_what_was_measured_and_lies_between_what_was() -> None:
    low, high = (MODEL.threshold(size, 0.01) for size in (10_000, 30_000))
    column = MODEL.threshold_shares.index(0.01)

    assert [low, high] == [
        MODEL.threshold_bits[MODEL.threshold_sizes.index(size)][column] for size in (10_000, 30_000)
    ]
    assert MODEL.threshold(round(math.sqrt(10_000 * 30_000)), 0.01) == pytest.approx(
        (low + high) / 2, abs=1e-3
    )
