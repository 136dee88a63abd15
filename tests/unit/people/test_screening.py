"""The answer at arrest: what is FLAGGED, POSSIBLE, NOT_FLAGGED and UNKNOWN, whatever was given."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from ppo.person.v1 import person_pb2, screening_pb2
from ppo.person.v1.screening_pb2 import (
    IDENTITY_BASIS_DETAILS_GIVEN,
    IDENTITY_BASIS_FINGERPRINT,
    IDENTITY_BASIS_IDENTIFIER,
    IDENTITY_BASIS_UNSPECIFIED,
    OUTCOME_FLAGGED,
    OUTCOME_NOT_FLAGGED,
    OUTCOME_POSSIBLE,
    OUTCOME_UNKNOWN,
    UNKNOWN_REASON_INSUFFICIENT_INPUT,
    UNKNOWN_REASON_NO_IDENTITY,
    UNKNOWN_REASON_UNREACHABLE,
    UNKNOWN_REASON_UNSPECIFIED,
    Screening,
)
from services.people import identifiers, reading, screening
from services.people.model import MODEL
from services.people.screening import FlaggedSet
from tests.unit.people.builders import CRO, PNC, flagged, person

ROBERT = person("Robert Wolstenholme", "1980-05-11", aliases=["Bob Quillfeather"], pnc=["2002/0073319Z"])
BRIAN = person("Brian Underhill", "1962-09-27", pnc=["1979/0163001B"])
NOBODY = person("Peter Sparrowhawk", "1971-12-03", pnc=["1981/0000034U"])

Answer = Callable[[person_pb2.Person], Screening]

REGISTER = flagged(("robert", ROBERT), ("brian", BRIAN))
# Whom the nominal index knows by these identifiers, flagged or not.
KNOWN = {
    "2002/0073319Z": ("robert", ROBERT),
    "1979/0163001B": ("brian", BRIAN),
    "1981/0000034U": ("peter", NOBODY),
}


def ask(given: person_pb2.Person, *, fingerprint: bool = False, flagged: FlaggedSet = REGISTER) -> Screening:
    """What the register answers."""
    holders = [KNOWN[each.value] for each in given.identifiers if each.value in KNOWN]
    return screening.screen(
        given, fingerprint=fingerprint, flagged=flagged, holders=holders, authoritative=True
    )


replica = partial(screening.screen, fingerprint=False, flagged=REGISTER, holders=(), authoritative=False)


def verdict(answer: Screening) -> tuple[int, int, int]:
    return answer.outcome, answer.identity_basis, answer.unknown_reason


def named(answer: Screening) -> list[str]:
    return [each.nominal_id for each in answer.candidates]


def compared(candidate: screening_pb2.Candidate) -> dict[str, str]:
    return {each.field: each.comparison for each in candidate.evidence}


# Whether the caller is the register or a replica, an identifier of somebody flagged is known to both.
@pytest.mark.parametrize("answer", [ask, replica], ids=["register", "replica"])
@pytest.mark.parametrize(
    "details",
    [
        person(),
        person("Robert Wolstenholme", "1980-05-11"),
        person("Bob Wolstenholme", "1980"),
        person("Robrt Wolstenholm", "1981-05-11"),
        person("Wolstenholme Robert", "1980-11-05"),
        person("Robert Married"),
        person("Bob Quillfeather"),
        person("Роберт"),
    ],
    ids=lambda each: ascii(f"{each.name.given_name} {each.name.family_name}"),
)
def test_an_identifier_that_fits_the_details_is_flagged(answer: Answer, details: person_pb2.Person) -> None:
    details = person_pb2.Person(
        name=details.name, birth_date=details.birth_date, identifiers=ROBERT.identifiers
    )

    screened = answer(details)

    assert verdict(screened) == (OUTCOME_FLAGGED, IDENTITY_BASIS_IDENTIFIER, UNKNOWN_REASON_UNSPECIFIED)
    assert named(screened) == ["robert"]


@pytest.mark.parametrize(
    ("words", "born"), [("Adam Winterbourne", ""), ("Robert Wolstenholme", "1962-09-27")]
)
def test_an_identifier_under_another_name_or_date_is_possible(words: str, born: str) -> None:
    answer = ask(person(words, born, pnc=["2002/0073319Z"]))

    assert verdict(answer) == (OUTCOME_POSSIBLE, IDENTITY_BASIS_DETAILS_GIVEN, UNKNOWN_REASON_UNSPECIFIED)
    assert named(answer) == ["robert"]


def test_a_twin_or_a_brother_is_not_flagged_by_the_number_of_the_other() -> None:
    for born in ("1980-05-11", "1980-05", ""):
        answer = ask(person("Adam Wolstenholme", born, pnc=["2002/0073319Z"]))

        assert verdict(answer)[:2] == (OUTCOME_POSSIBLE, IDENTITY_BASIS_DETAILS_GIVEN)


def test_fingerprints_outrank_what_was_said() -> None:
    answer = ask(person("Adam Winterbourne", "1962-01-31", pnc=["2002/0073319Z"]), fingerprint=True)

    assert verdict(answer) == (OUTCOME_FLAGGED, IDENTITY_BASIS_FINGERPRINT, UNKNOWN_REASON_UNSPECIFIED)


def test_exact_name_and_date_alone_are_possible() -> None:
    answer = ask(person("Robert Wolstenholme", "1980-05-11"))

    assert verdict(answer) == (OUTCOME_POSSIBLE, IDENTITY_BASIS_DETAILS_GIVEN, UNKNOWN_REASON_UNSPECIFIED)
    assert compared(answer.candidates[0]) == {
        "given_name": "exact",
        "family_name": "exact",
        "birth_date": "exact",
    }


def test_a_number_that_nobody_has_leaves_the_details_given() -> None:
    fitting = ask(person("Robert Wolstenholme", "1980-05-11", pnc=["2004/0000001L"]))
    strange = ask(person("Adam Winterbourne", "1971-01-31", pnc=["2004/0000001L"]))

    assert verdict(fitting)[:2] == (OUTCOME_POSSIBLE, IDENTITY_BASIS_DETAILS_GIVEN)
    assert compared(fitting.candidates[0])["pnc_id"] == "contradicts"
    assert verdict(strange)[:2] == (OUTCOME_NOT_FLAGGED, IDENTITY_BASIS_DETAILS_GIVEN)


@pytest.mark.parametrize("fingerprint", [False, True])
@pytest.mark.parametrize("born", ["", "1971-01-31"])
def test_a_number_that_nobody_has_is_no_answer_without_a_name(fingerprint: bool, born: str) -> None:
    answer = ask(person("", born, pnc=["2004/0000001L"]), fingerprint=fingerprint)

    assert verdict(answer) == (
        OUTCOME_UNKNOWN,
        IDENTITY_BASIS_DETAILS_GIVEN,
        UNKNOWN_REASON_INSUFFICIENT_INPUT,
    )


@pytest.mark.parametrize(
    ("fingerprint", "basis"), [(False, IDENTITY_BASIS_IDENTIFIER), (True, IDENTITY_BASIS_FINGERPRINT)]
)
@pytest.mark.parametrize("words", ["", "Peter Sparrowhawk"])
def test_the_number_of_somebody_not_flagged_is_not_flagged(fingerprint: bool, basis: int, words: str) -> None:
    answer = ask(person(words, pnc=["1981/0000034U"]), fingerprint=fingerprint)

    assert verdict(answer) == (OUTCOME_NOT_FLAGGED, basis, UNKNOWN_REASON_UNSPECIFIED)
    assert named(answer) == []


@pytest.mark.parametrize("fingerprint", [False, True])
def test_a_strong_match_under_the_number_of_somebody_not_flagged_is_possible(fingerprint: bool) -> None:
    answer = ask(person("Robert Wolstenholme", "1980-05-11", pnc=["1981/0000034U"]), fingerprint=fingerprint)

    assert answer.outcome == OUTCOME_POSSIBLE
    assert named(answer) == ["robert"]


@pytest.mark.parametrize("words", ["Robrt Wolstenholme", "Hobret Wolstenholme", "R Wolstenholme"])
def test_a_second_record_of_a_flagged_person_is_possible(words: str) -> None:
    duplicate = person(words, "1980-05-11", pnc=["1981/0000034U"])

    answer = screening.screen(
        duplicate, fingerprint=False, flagged=REGISTER, holders=[("second", duplicate)], authoritative=True
    )

    assert verdict(answer)[:2] == (OUTCOME_POSSIBLE, IDENTITY_BASIS_IDENTIFIER)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [("Paul Wolstenholme", OUTCOME_POSSIBLE), ("Paula Wolstenholme", OUTCOME_NOT_FLAGGED)],
)
def test_a_second_record_with_another_sex_is_possible_and_a_twin_sister_is_not(
    words: str, outcome: screening_pb2.Outcome.ValueType
) -> None:
    held = flagged(("paul", person("Paul Wolstenholme", "1980-05-11", sex=person_pb2.SEX_MALE)))
    other = person(words, "1980-05-11", pnc=["1981/0000034U"], sex=person_pb2.SEX_FEMALE)

    answer = screening.screen(
        other, fingerprint=False, flagged=held, holders=[("other", other)], authoritative=True
    )

    assert answer.outcome == outcome


@pytest.mark.parametrize(
    ("words", "outcome"),
    [("Robert Wolstenholme", OUTCOME_POSSIBLE), ("Adam Wolstenholme", OUTCOME_NOT_FLAGGED)],
)
def test_the_number_of_a_second_record_says_as_much_as_what_stands_in_it(
    words: str, outcome: screening_pb2.Outcome.ValueType
) -> None:
    duplicate = person(words, "1980-05-11", pnc=["1981/0000034U"])

    answer = screening.screen(
        person(pnc=["1981/0000034U"]),
        fingerprint=False,
        flagged=REGISTER,
        holders=[("second", duplicate)],
        authoritative=True,
    )

    assert verdict(answer)[:2] == (outcome, IDENTITY_BASIS_IDENTIFIER)


@pytest.mark.parametrize(
    ("said", "fingerprint"),
    [
        (person("Peter Sparrowhawk", "1975-03-02"), True),
        (person("Peter Sparrowhawk", "1975-03-02"), False),
        (person("Wolstenholme"), False),
    ],
    ids=["a false name, and fingerprints", "a false name", "little of the name"],
)
def test_who_has_a_second_record_may_be_a_ppo_whatever_was_said(
    said: person_pb2.Person, fingerprint: bool
) -> None:
    duplicate = person("Robert Wolstenholme", "1980-05-11", pnc=["1981/0000034U"])
    said.identifiers.extend(duplicate.identifiers)
    # The record that lives on comes first, and then what was merged into it.
    holders = [("second", person("Robin Featherstone")), ("second", duplicate)]

    answer = screening.screen(
        said, fingerprint=fingerprint, flagged=REGISTER, holders=holders, authoritative=True
    )

    assert (answer.outcome, named(answer)) == (OUTCOME_POSSIBLE, ["robert"])


def under(record: person_pb2.Person, said: person_pb2.Person) -> Screening:
    """What is answered to somebody whose fingerprints mean that record, which is no PPO's."""
    said.identifiers.extend(record.identifiers)
    return screening.screen(
        said, fingerprint=True, flagged=REGISTER, holders=[("other", record)], authoritative=True
    )


@pytest.mark.parametrize("born", ["", "1900-01-01"])
@pytest.mark.parametrize(
    ("words", "aliases"), [("Robert Wolstenholme", []), ("Peter Sparrowhawk", ["Robert Wolstenholme"])]
)
def test_where_a_record_has_no_date_the_one_that_was_said_speaks_against_a_namesake(
    words: str, aliases: list[str], born: str
) -> None:
    record = person(words, born, aliases, pnc=["1981/0000034U"])

    answers = [under(record, person("Peter Sparrowhawk", said)) for said in ("1971-12-03", "1980-05-11", "")]

    assert [each.outcome for each in answers] == [OUTCOME_NOT_FLAGGED, OUTCOME_POSSIBLE, OUTCOME_POSSIBLE]


def test_where_a_record_has_no_sex_the_one_that_was_said_speaks_against_a_relative() -> None:
    held = flagged(("paul", person("Paul Wolstenholme", "1980-05-11", sex=person_pb2.SEX_MALE)))
    record = person("Paula Wolstenholme", "1980-05-11", pnc=["1981/0000034U"])
    said = person("Ann Sparrowhawk", pnc=["1981/0000034U"], sex=person_pb2.SEX_FEMALE)

    answer = screening.screen(
        said, fingerprint=True, flagged=held, holders=[("paula", record)], authoritative=True
    )

    assert answer.outcome == OUTCOME_NOT_FLAGGED


@pytest.mark.parametrize(
    ("said", "recorded", "mark"),
    [("1975-03-02", "1980-05-11", "on record, "), ("1980-05-11", "1980-05-11", ""), ("1980-05-11", "", "")],
    ids=["another date", "the date that was said", "no date"],
)
def test_what_was_compared_with_a_record_and_not_with_what_was_said_is_marked(
    said: str, recorded: str, mark: str
) -> None:
    record = person("Robert Wolstenholme", recorded, pnc=["1981/0000034U"])

    [candidate] = under(record, person("Peter Sparrowhawk", said)).candidates

    assert compared(candidate) == {
        "pnc_id": "contradicts",
        "given_name": "on record, exact",
        "family_name": "on record, exact",
        "birth_date": f"{mark}exact",
    }


def test_what_was_said_itself_is_never_marked() -> None:
    [candidate] = under(NOBODY, person("Robert Wolstenholme", "1980-05-11")).candidates

    assert not any("record" in each for each in compared(candidate).values())


@pytest.mark.parametrize("words", ["J O", "Å Ö"])
def test_a_ppo_filed_under_single_letters_is_found_by_them(words: str) -> None:
    held = flagged(("jae", person(words, "1980-05-11")))

    answer = ask(person(words, "1980-05-11"), flagged=held)

    assert verdict(answer)[:2] == (OUTCOME_POSSIBLE, IDENTITY_BASIS_DETAILS_GIVEN)


def test_initials_find_the_family_name_of_one_letter_and_are_too_little_for_a_no() -> None:
    held = flagged(("jae", person("Jae O", "1980-05-11")))

    found, other = (ask(person("J O", born), flagged=held) for born in ("1980-05-11", "1971-12-03"))

    assert (found.outcome, named(found)) == (OUTCOME_POSSIBLE, ["jae"])
    assert verdict(other) == (OUTCOME_UNKNOWN, IDENTITY_BASIS_UNSPECIFIED, UNKNOWN_REASON_NO_IDENTITY)


def test_a_twin_with_a_number_of_his_own_is_not_taken_for_his_brother() -> None:
    twin = person("Adam Wolstenholme", "1980-05-11", pnc=["1981/0000034U"])
    unnumbered = person("Adam Wolstenholme", "1980-05-11")
    known = [("twin", twin)]

    answer = screening.screen(twin, fingerprint=False, flagged=REGISTER, holders=known, authoritative=True)

    assert verdict(answer)[:2] == (OUTCOME_NOT_FLAGGED, IDENTITY_BASIS_IDENTIFIER)
    assert ask(unnumbered).outcome == OUTCOME_POSSIBLE


@pytest.mark.parametrize("other", ["1979/0163001B", "1981/0000034U"])
@pytest.mark.parametrize("fingerprint", [False, True])
def test_the_numbers_of_two_people_are_at_best_possible(other: str, fingerprint: bool) -> None:
    answer = ask(
        person("Robert Wolstenholme", "1980-05-11", pnc=["2002/0073319Z", other]), fingerprint=fingerprint
    )

    assert verdict(answer)[:2] == (OUTCOME_POSSIBLE, IDENTITY_BASIS_DETAILS_GIVEN)
    assert named(answer)[0] == "robert"


def test_two_numbers_of_one_person_are_one_identity() -> None:
    robert = person_pb2.Person(
        identifiers=[*ROBERT.identifiers, person_pb2.Identifier(kind=CRO, value="SF83/50058Z")]
    )
    held = flagged(("robert", person_pb2.Person(name=ROBERT.name, identifiers=robert.identifiers)))

    assert ask(robert, flagged=held).outcome == OUTCOME_FLAGGED


@pytest.mark.parametrize(
    "empty", [person(), person("unknown"), person("- ?"), person("", "1980-05-11"), person(pnc=["", " "])]
)
@pytest.mark.parametrize("answer", [ask, replica], ids=["register", "replica"])
def test_without_name_and_number_there_is_no_identity(answer: Answer, empty: person_pb2.Person) -> None:
    screened = answer(empty)

    assert verdict(screened) == (OUTCOME_UNKNOWN, IDENTITY_BASIS_UNSPECIFIED, UNKNOWN_REASON_NO_IDENTITY)


@pytest.mark.parametrize(
    "written", ["1900-01-01", "1111-11-11", "9999-12-31", "1", "1111", "1753", "1900", "9999"]
)
def test_a_date_typed_for_want_of_one_speaks_against_nobody(written: str) -> None:
    known = ask(person("Robert Wolstenholme", written, pnc=["2002/0073319Z"]))
    thin = ask(person("Sparrowhawk", written))

    assert known.outcome == OUTCOME_FLAGGED
    assert verdict(thin)[::2] == (OUTCOME_UNKNOWN, UNKNOWN_REASON_INSUFFICIENT_INPUT)


@pytest.mark.parametrize("thin", [person("Sparrowhawk"), person("Smith")])
def test_a_name_that_could_not_match_anybody_well_enough_is_insufficient(thin: person_pb2.Person) -> None:
    assert verdict(ask(thin))[::2] == (OUTCOME_UNKNOWN, UNKNOWN_REASON_INSUFFICIENT_INPUT)
    assert verdict(replica(thin))[::2] == (OUTCOME_UNKNOWN, UNKNOWN_REASON_INSUFFICIENT_INPUT)


def test_a_replica_is_never_sure_that_nobody_is_meant() -> None:
    for stranger in (NOBODY, person("Adam Winterbourne", "1971-01-31"), person(pnc=["2004/0000001L"])):
        assert verdict(replica(stranger))[::2] == (OUTCOME_UNKNOWN, UNKNOWN_REASON_UNREACHABLE)


def test_an_identifier_as_it_is_typed_is_found() -> None:
    assert replica(person(pnc=[" 02/73319z"])).outcome == OUTCOME_FLAGGED


def test_a_candidate_brings_what_its_flag_says_and_why_it_is_named() -> None:
    held = FlaggedSet()
    held.put(
        screening_pb2.Candidate(
            nominal_id="robert",
            person=ROBERT,
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            nominating_ocu="E3",
            version=41,
            bits=99,
            evidence=[screening_pb2.Evidence(field="stale")],
        )
    )

    [candidate] = ask(
        person("Robert Wolstenholme", "1980-05-11", pnc=["2002/0073319Z"]), flagged=held
    ).candidates

    assert (candidate.strand, candidate.nominating_ocu, candidate.version) == (1, "E3", 41)
    assert (candidate.flag_state, candidate.person) == (screening_pb2.FLAG_STATE_FLAGGED, ROBERT)
    assert [each.field for each in candidate.evidence] == [
        "pnc_id",
        "given_name",
        "family_name",
        "birth_date",
    ]
    assert candidate.bits == pytest.approx(sum(each.bits for each in candidate.evidence))


def test_the_answer_says_by_which_model_and_threshold() -> None:
    answer = ask(NOBODY)

    assert (answer.model_version, answer.threshold_bits) == (
        MODEL.version,
        REGISTER.index.threshold(),
    )


def test_a_stricter_share_of_false_alarms_raises_the_threshold() -> None:
    assert (
        replica(NOBODY, false_alarms=0.001).threshold_bits > replica(NOBODY, false_alarms=0.01).threshold_bits
    )


# A threshold that no match reaches, as when very many are flagged.
OUT_OF_REACH = 1e-40


@pytest.mark.parametrize("authoritative", [True, False], ids=["register", "replica"])
@pytest.mark.parametrize(
    "details",
    [
        person("Robert Wolstenholme", "1980-05-11"),
        person("robert WOLSTENHOLME", "1980-05-11"),
        person("Wolstenholme Robert", "1980-05-11"),
        person("Bob Quillfeather", "1980-05-11"),
        person("Adam Winterbourne", "1980-05-11", aliases=["Bob Quillfeather"]),
    ],
    ids=["as recorded", "other case", "swapped", "an alias", "as an alias"],
)
def test_exactly_the_name_and_date_of_a_ppo_is_possible_whatever_the_threshold(
    details: person_pb2.Person, authoritative: bool
) -> None:
    answer = replica(details, false_alarms=OUT_OF_REACH, authoritative=authoritative)

    assert (answer.outcome, named(answer)) == (OUTCOME_POSSIBLE, ["robert"])
    assert answer.candidates[0].bits < answer.threshold_bits


@pytest.mark.parametrize(
    "details",
    [
        person("Robert Wolstenholm", "1980-05-11"),
        person("Robert Wolstenholme", "1980-05-12"),
        person("Robert Wolstenholme", "1980-05"),
        person("Robert Wolstenholme"),
        person("Wolstenholme", "1980-05-11"),
    ],
    ids=["misspelt", "another day", "no day", "no date", "no given name"],
)
def test_less_than_exactly_the_name_and_date_needs_the_threshold(details: person_pb2.Person) -> None:
    assert replica(details, false_alarms=OUT_OF_REACH).outcome == OUTCOME_UNKNOWN


def test_a_brother_under_his_own_identifier_is_no_suspect_whatever_the_threshold() -> None:
    twin = person("Peter Wolstenholme", "1980-05-11", pnc=["1981/0000034U"])
    own = [("peter", twin)]

    for share in (0.01, OUT_OF_REACH):
        answer = replica(twin, holders=own, authoritative=True, false_alarms=share)
        assert (answer.outcome, answer.identity_basis) == (OUTCOME_NOT_FLAGGED, IDENTITY_BASIS_IDENTIFIER)


def test_candidates_come_best_first_and_no_more_than_asked_for() -> None:
    days = [f"1980-05-{day:02d}" for day in range(1, 29)]
    crowd = flagged(*((day, person("Robert Wolstenholme", day)) for day in days))

    answer = replica(person("Robert Wolstenholme", "1980-05-11"), flagged=crowd, limit=3, false_alarms=0.1)

    assert len(answer.candidates) == 3
    assert named(answer)[0] == "1980-05-11"


def test_who_is_dropped_is_flagged_no_longer() -> None:
    held = flagged(("robert", ROBERT), ("brian", BRIAN))
    held.drop("robert")

    assert ask(ROBERT, flagged=held).outcome == OUTCOME_NOT_FLAGGED
    assert len(held) == 1


# Few letters, few dates and few numbers, so that people meet.
NUMBERS = [identifiers.pnc_id(2004, serial) for serial in range(1, 5)]
names = st.builds(
    person_pb2.Name,
    given_name=st.sampled_from(["", "John", "Jon", "Robert", "Bob"]),
    family_name=st.sampled_from(["", "Smith", "Smyth", "Wolstenholme"]),
)
parts = {"year": [0, 1980, 1981], "month": [0, 5, 11], "day": [0, 5, 11]}
dates = st.builds(Date, **{part: st.sampled_from(values) for part, values in parts.items()})
numbers = st.builds(person_pb2.Identifier, kind=st.just(PNC), value=st.sampled_from(NUMBERS))
people = st.builds(
    person_pb2.Person,
    name=names,
    aliases=st.lists(names, max_size=2),
    birth_date=dates,
    identifiers=st.lists(numbers, max_size=2),
)
# And whatever else may arrive: 300 characters of any script, control characters, impossible dates.
texts = st.text(max_size=300)
wild = st.builds(
    person_pb2.Person,
    name=st.builds(person_pb2.Name, given_name=texts, family_name=texts),
    aliases=st.lists(st.builds(person_pb2.Name, given_name=texts, family_name=texts), max_size=2),
    birth_date=st.builds(Date, **dict.fromkeys(("year", "month", "day"), st.integers(-(2**31), 2**31 - 1))),
    identifiers=st.lists(st.builds(person_pb2.Identifier, kind=st.integers(0, 9), value=texts), max_size=3),
)
registers = st.lists(people | wild, max_size=5)


def among(held: Sequence[person_pb2.Person], first: int = 0) -> list[tuple[str, person_pb2.Person]]:
    return [(f"nominal-{at}", each) for at, each in enumerate(held, first)]


@given(people | wild, registers, registers, st.booleans(), st.booleans())
def test_every_question_has_one_answer(
    asked: person_pb2.Person,
    held: list[person_pb2.Person],
    known: list[person_pb2.Person],
    fingerprint: bool,
    authoritative: bool,
) -> None:
    answer = screening.screen(
        asked,
        fingerprint=fingerprint,
        flagged=flagged(*among(held)),
        holders=among(known, 3),
        authoritative=authoritative,
    )

    assert (answer.outcome == OUTCOME_UNKNOWN) == (answer.unknown_reason != UNKNOWN_REASON_UNSPECIFIED)
    assert (answer.outcome in (OUTCOME_FLAGGED, OUTCOME_POSSIBLE)) == bool(answer.candidates)
    assert answer.outcome != OUTCOME_NOT_FLAGGED or authoritative
    assert answer.outcome != OUTCOME_FLAGGED or answer.identity_basis != IDENTITY_BASIS_DETAILS_GIVEN
    assert answer.IsInitialized()


@given(asked=people, held=registers, added=people)
def test_one_more_flagged_person_never_hides_one_whose_number_was_given(
    asked: person_pb2.Person, held: list[person_pb2.Person], added: person_pb2.Person
) -> None:
    asked.identifiers.add(kind=PNC, value=NUMBERS[0])
    before = ask(asked, flagged=flagged(*among(held)))
    after = ask(asked, flagged=flagged(*among([*held, added])))

    if before.outcome == OUTCOME_FLAGGED:
        assert after.outcome in (OUTCOME_FLAGGED, OUTCOME_POSSIBLE)
        assert set(named(before)) <= set(named(after))


@given(asked=people, held=registers, fingerprint=st.booleans())
def test_a_replica_finds_whom_the_register_finds(
    asked: person_pb2.Person, held: list[person_pb2.Person], fingerprint: bool
) -> None:
    of_register = ask(asked, fingerprint=fingerprint, flagged=flagged(*among(held)))
    of_replica = replica(asked, fingerprint=fingerprint, flagged=flagged(*among(held)))

    assert of_replica.candidates == of_register.candidates
    assert of_replica.outcome in (OUTCOME_UNKNOWN, of_register.outcome)


@given(asked=people, held=st.lists(people, min_size=1, max_size=5))
def test_the_number_of_somebody_flagged_is_never_answered_with_not_flagged(
    asked: person_pb2.Person, held: list[person_pb2.Person]
) -> None:
    asked.identifiers.add(kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value="nominal-0")

    answer = ask(asked, flagged=flagged(*among(held)))

    assert answer.outcome in (OUTCOME_FLAGGED, OUTCOME_POSSIBLE)
    assert "nominal-0" in named(answer)


@given(names, st.integers(1, 12), st.integers(1, 28))
def test_the_exact_name_and_date_of_somebody_flagged_are_never_not_flagged(
    name: person_pb2.Name, month: int, day: int
) -> None:
    held = person_pb2.Person(name=name, birth_date=Date(year=1980, month=month, day=day))

    answer = ask(held, flagged=flagged(("self", held)))

    assert answer.outcome == (OUTCOME_POSSIBLE if reading.named(held) else OUTCOME_UNKNOWN)


def test_who_was_merged_is_met_under_the_details_of_either_record() -> None:
    """Each name goes with its own date of birth; all of them mean the one person."""
    living, merged = (
        person("Joe Wright", "1975-08-30"),
        person("James Carter", "1980-03-12", pnc=[identifiers.pnc_id(2001, 1)]),
    )
    united = person("Joe Wright", "1975-08-30", aliases=["James Carter"], pnc=[identifiers.pnc_id(2001, 1)])
    people = FlaggedSet()
    people.put(screening_pb2.Candidate(nominal_id="n1", person=united), [merged])

    by_number = ask(merged, flagged=people)
    by_details = [ask(each, flagged=people) for each in (living, person("James Carter", "1980-03-12"))]

    assert by_number.outcome == OUTCOME_FLAGGED
    assert [one.outcome for one in by_details] == [OUTCOME_POSSIBLE, OUTCOME_POSSIBLE]
    assert [[each.nominal_id for each in one.candidates] for one in (by_number, *by_details)] == [["n1"]] * 3
    people.drop("n1")
    assert not ask(merged, flagged=people).candidates
