"""Names that differ only in how they are written have one normal form, in any script."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.person.v1 import person_pb2
from services.people import names
from services.people.names import Wording


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("O'Brien", "obrien"),
        ("O\u2019BRIEN", "obrien"),
        ("Smith-Jones", "smith jones"),
        ("  Jean\u2011Luc\t ", "jean luc"),
        ("St. John", "st john"),
        ("Núñez", "nunez"),
        ("Nu\u0301n\u0303ez", "nunez"),
        ("Straße", "strasse"),
        ("Łukasz Ørsted", "lukasz orsted"),
        ("\uff33\uff4d\uff49\uff54\uff48", "smith"),
        ("\ufb01eld", "field"),
        ("İpek", "ipek"),
        ("soft\u00adhyphen", "softhyphen"),
        ("zero\u200bwidth", "zerowidth"),
        ("bell\u0007rings", "bell rings"),
        ("Иван", "иван"),
        ("Алёна", "алена"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("नमस्ते", "नमस्ते"),
        ("がく", "がく"),
        ("\u1112\u1161\u11ab", "한"),
        ("王小明", "王小明"),
        ("...", ""),
    ],
    ids=ascii,
)
def test_a_name_has_one_normal_form(written: str, normal: str) -> None:
    assert names.normal(written) == normal


def test_letters_that_part_two_names_are_kept() -> None:
    assert names.normal("かく") != names.normal("がく")
    assert names.normal("कमल") != names.normal("कमला")


@given(st.text(max_size=300))
def test_normalising_any_text_twice_changes_nothing(text: str) -> None:
    once = names.normal(text)

    assert names.normal(once) == once
    assert once == once.casefold()
    assert not any(unicodedata.category(each)[0] in "CPZ" for each in once.replace(" ", ""))


@pytest.mark.parametrize("name", ["Madonna", "Søren"])
def test_a_name_of_one_word_stands_in_the_family_name(name: str) -> None:
    as_given = names.wording(person_pb2.Name(given_name=name))

    assert as_given == names.wording(person_pb2.Name(family_name=name)) == Wording("", names.normal(name))


@pytest.mark.parametrize("written", ["Unknown", "NOT KNOWN", "n/a", "refused", " - ", ""])
def test_what_is_typed_for_want_of_a_name_is_no_name(written: str) -> None:
    assert names.wording(person_pb2.Name(given_name=written, family_name=written)) == Wording("", "")


@pytest.mark.parametrize(
    "written",
    [
        *("Unknown Male", "Male UNKNOWN", "NOT Known", "U/K -", "Refused to give", "XX XX", "0 000", "J S"),
        *("Mr Unknown", "Unknown Miss", "Unknown Person", "Unidentified Woman", "Name Refused", "Man N/K"),
        *("Mr No Name", "Unknown Mr Male", "Unknown Unknown", "Unknown Male 1", "UNK UNK", "Male UNK"),
        *("Unknown IC3 Male", "Refused all details", "Details Withheld", "No comment", "Not Provided"),
        *("Asian Male", "IC1 Female", "Unknown Black Male", "Detainee 2", "Mr Suspect One", "A N Other"),
        *("Mr J S", "Mr X", "John Doe"),
    ],
)
def test_what_is_typed_across_both_fields_for_want_of_a_name_is_no_name(written: str) -> None:
    given, _, family = written.partition(" ")

    assert names.wording(person_pb2.Name(given_name=given, family_name=family)) == Wording("", "")
    assert names.wording(person_pb2.Name(family_name=written)) == Wording("", "")


def test_a_name_of_one_letter_is_a_name_beside_another() -> None:
    assert names.wording(person_pb2.Name(given_name="Malcolm", family_name="X")) == Wording("malcolm", "x")


@pytest.mark.parametrize(
    ("written", "wording"),
    [
        ("Kwok Man", Wording("kwok", "man")),
        ("Mary Person", Wording("mary", "person")),
        ("Mr Man", Wording("", "man")),
        ("Mr Smith", Wording("", "smith")),
        ("R Mr Smith", Wording("r", "smith")),
        ("Black Maleham", Wording("black", "maleham")),
        ("Jane Doerr", Wording("jane", "doerr")),
        ("Unknown Smith", Wording("", "smith")),
        ("Å Ö", Wording("a", "o")),
        ("Jae O", Wording("jae", "o")),
    ],
    ids=ascii,
)
def test_what_may_be_a_name_stays_one(written: str, wording: Wording) -> None:
    given, _, family = written.partition(" ")

    assert names.wording(person_pb2.Name(given_name=given, family_name=family)) == wording


@pytest.mark.parametrize("written", ["Asian Male", "Detainee 2", "A N Other", "John Doe"])
def test_what_stands_for_somebody_is_looked_for_all_the_same(written: str) -> None:
    given, _, family = written.rpartition(" ")

    found = names.written(person_pb2.Name(given_name=given, family_name=family))

    assert found == Wording(names.normal(given), names.normal(family))


@pytest.mark.parametrize(
    ("given", "family"), [("Mr R", "Smith"), ("Mr. R.", "Smith"), ("R", "Mr Smith"), ("R", "Smith Mr")]
)
def test_a_title_is_no_part_of_a_name(given: str, family: str) -> None:
    assert names.wording(person_pb2.Name(given_name=given, family_name=family)) == Wording("r", "smith")


@pytest.mark.parametrize(
    ("word", "so"), [("j", True), ("р", True), ("小", False), ("jo", False), ("", False)]
)
def test_an_initial_is_a_single_letter_that_has_a_capital(word: str, so: bool) -> None:
    assert names.initial(word) is so


@pytest.mark.parametrize("one", ["Smyth", "Smithe", "SMITH"])
def test_names_that_sound_alike_have_one_sound(one: str) -> None:
    assert names.sound(names.normal(one)) == names.sound("smith") != ""


@pytest.mark.parametrize("words", ["иван", "王", "नमस्ते", ""])
def test_no_sound_is_made_up_for_other_scripts(words: str) -> None:
    assert names.sound(words) == ""


def test_a_short_name_meets_its_long_one() -> None:
    assert names.short_for("bob") & names.short_for("robert")
    assert not names.short_for("bob") & names.short_for("carl")
