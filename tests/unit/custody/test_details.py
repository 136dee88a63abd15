"""What was given, in one form: the same person written otherwise is the same."""

from datetime import date

import pytest

from ppo.person.v1 import person_pb2
from services.custody import details
from services.runtime.errors import Invalid
from tests import builders

TODAY = date(2004, 12, 31)
PNC_ID = person_pb2.IDENTIFIER_KIND_PNC_ID


def pnc_id(value: str) -> person_pb2.Identifier:
    return person_pb2.Identifier(kind=PNC_ID, value=value)


def test_identifiers_become_canonical_and_stand_once() -> None:
    [canonical] = [builders.pnc_id(1234)]
    typed = canonical.value[2:].lower()

    person = details.canonical(builders.person(identifiers=[canonical, pnc_id(f" {typed} ")]), TODAY)

    assert list(person.identifiers) == [canonical]


def test_a_malformed_identifier_is_refused_with_its_field() -> None:
    with pytest.raises(Invalid) as refused:
        details.canonical(builders.person(identifiers=[pnc_id("2001/0001234Z")]), TODAY)

    assert refused.value.field == "person.identifiers.value"
    assert "0001234" not in str(refused.value)


@pytest.mark.parametrize(
    ("born", "rule"),
    [
        ("2080-05-11", "is in the future"),
        ("2005-00-00", "is in the future"),
        ("0080-05-11", "is more than 130 years ago; a year has four digits"),
    ],
)
def test_a_date_on_which_nobody_in_custody_was_born_is_refused(born: str, rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        details.canonical(builders.person(born=born), TODAY)

    assert (refused.value.field, refused.value.rule) == ("person.birth_date", rule)


@pytest.mark.parametrize("born", ["1900-01-01", "9999-12-31"])
def test_a_date_typed_for_want_of_one_is_none(born: str) -> None:
    given = builders.person(born=born)

    kept = details.canonical(given, TODAY)

    assert not kept.HasField("birth_date")
    assert given == builders.person(born=born)


def test_spelling_and_order_do_not_make_another_person() -> None:
    one = builders.person("Séan", "O'Brien", identifiers=[builders.pnc_id(1), builders.pnc_id(2)])
    other = builders.person("SEAN", "OBrien", identifiers=[builders.pnc_id(2), builders.pnc_id(1)])

    assert details.text(one) == details.text(other)
    assert set(details.subjects(one)) == set(details.subjects(other))


@pytest.mark.parametrize(
    "person",
    [
        builders.person(born="1980-03-13"),
        builders.person("John"),
        builders.person(identifiers=[builders.pnc_id(1)]),
    ],
)
def test_another_detail_is_another_input(person: person_pb2.Person) -> None:
    assert details.text(person) != details.text(builders.person())


def test_a_name_without_a_full_date_says_of_nobody_who_it_is() -> None:
    assert details.subjects(builders.person(born="1980-00-00")) == []
    assert len(details.subjects(builders.person())) == 1
