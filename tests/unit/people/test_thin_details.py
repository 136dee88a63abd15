"""However little is given of a PPO, and however common it is: never NOT_FLAGGED."""

from collections.abc import Sequence
from itertools import product

from google.type.date_pb2 import Date
from hypothesis import given, settings
from hypothesis import strategies as st

from ppo.person.v1 import person_pb2
from ppo.person.v1.screening_pb2 import (
    OUTCOME_NOT_FLAGGED,
    OUTCOME_UNKNOWN,
    UNKNOWN_REASON_INSUFFICIENT_INPUT,
    Screening,
)
from services.people import screening
from services.people.screening import FlaggedSet
from tests.unit.people.builders import flagged, person

# Names of both roles, with and without a second one, in two scripts; many share few of them.
WORDS = ["Ali", "Smith", "Smith Jones", "Jo", "John", "John Paul", "Wolstenholme", "Ng", "Роберт"]
names = st.builds(
    person_pb2.Name, given_name=st.sampled_from(["", *WORDS]), family_name=st.sampled_from(["", *WORDS])
)
dates = st.builds(
    Date,
    year=st.sampled_from([0, 1950, 1980, 1981]),
    month=st.sampled_from([0, 5, 11]),
    day=st.sampled_from([0, 5, 28]),
)
people = st.builds(
    person_pb2.Person,
    name=names,
    birth_date=dates,
    aliases=st.lists(names, max_size=9),
    sex=st.sampled_from([0, 1]),
)


def thinned(held: person_pb2.Person) -> list[person_pb2.Person]:
    """Every part of what is known of a person, under every name."""
    born = held.birth_date
    parts = product({0, born.year}, {0, born.month}, {0, born.day})
    given = [Date(year=year, month=month, day=day) for year, month, day in parts]
    called = [each for one in (held.name, *held.aliases) for each in shortened(one)]
    return [person_pb2.Person(name=one, birth_date=date) for one, date in product(called, given)]


def shortened(one: person_pb2.Name) -> list[person_pb2.Name]:
    first = one.given_name.partition(" ")[0] if one.family_name else one.given_name
    parts = product({"", first[:1], first, one.given_name}, {"", one.family_name})
    return [
        person_pb2.Name(given_name=given, family_name=family) for given, family in parts if given or family
    ]


def answered(asked: person_pb2.Person, held: FlaggedSet, false_alarms: float = 0.01) -> Screening:
    return screening.screen(
        asked, fingerprint=False, flagged=held, holders=[], authoritative=True, false_alarms=false_alarms
    )


def everybody(held: Sequence[person_pb2.Person], times: int) -> FlaggedSet:
    """The first of them once, the others as often as is said."""
    often = [(f"{at}-{each}", one) for at, one in enumerate(held[1:]) for each in range(times)]
    return flagged(("first", held[0]), *often)


@settings(max_examples=150, deadline=None)
@given(st.lists(people, min_size=1, max_size=6), st.sampled_from([0, 1, 40]))
def test_who_has_exactly_what_was_given_reaches_what_is_possible(
    held: list[person_pb2.Person], times: int
) -> None:
    index = everybody(held, times).index
    del held[0].aliases[:]

    for asked in thinned(held[0]):
        assert index.best_possible(asked) <= index.explain(index.question(asked), "first").bits + 1e-9


@settings(max_examples=150, deadline=None)
@given(
    st.lists(people, min_size=1, max_size=6), st.sampled_from([0, 1, 40]), st.sampled_from([0.1, 0.01, 0.001])
)
def test_no_part_of_what_is_known_of_a_ppo_is_answered_not_flagged(
    held: list[person_pb2.Person], times: int, false_alarms: float
) -> None:
    register = everybody(held, times)

    for asked in thinned(held[0]):
        assert answered(asked, register, false_alarms).outcome != OUTCOME_NOT_FLAGGED


def test_a_family_name_that_would_be_rare_as_a_given_name_is_too_little() -> None:
    smiths = everybody([person("Ann Smith", f"{born}-05-11") for born in range(1979, 1982)], 200)

    answer = answered(person("Smith", "1980"), smiths)

    assert (answer.outcome, answer.unknown_reason) == (OUTCOME_UNKNOWN, UNKNOWN_REASON_INSUFFICIENT_INPUT)
