"""How a person is filed, and what is refused, by field and rule."""

from datetime import date
from uuid import UUID

import pytest

from ppo.person.v1 import person_pb2
from services.flagging import nominals
from services.runtime.errors import Invalid
from tests.builders import name, nominal_id, person, pnc_id

TODAY = date(2004, 12, 31)
PNC = person_pb2.IDENTIFIER_KIND_PNC_ID


def test_identifiers_are_filed_in_canonical_form_each_once() -> None:
    typed = [person_pb2.Identifier(kind=PNC, value=value) for value in ("01/171310w", "2001/0171310W")]

    filed, keys = nominals.filed(person(identifiers=typed), TODAY)

    assert [one.value for one in filed.identifiers] == ["2001/0171310W"]
    assert keys == [(PNC, "2001/0171310W")]


def test_an_identifier_keeps_the_text_it_came_as_where_that_differs() -> None:
    typed = [person_pb2.Identifier(kind=PNC, value="01/171310w"), pnc_id(3)]

    filed, _ = nominals.filed(person(identifiers=typed), TODAY)

    assert [one.raw for one in filed.identifiers] == ["01/171310w", ""]


@pytest.mark.parametrize("born", ["1900-01-01", "0001-01-01", "9999-12-31"])
def test_a_date_typed_for_want_of_one_is_filed_as_none(born: str) -> None:
    given = person(born=born)

    filed, _ = nominals.filed(given, TODAY)

    assert not filed.HasField("birth_date")
    assert given == person(born=born)


def test_the_row_itself_is_left_as_it_came() -> None:
    given = person(identifiers=[person_pb2.Identifier(kind=PNC, value="01/171310w")])

    nominals.filed(given, TODAY)

    assert given.identifiers[0].value == "01/171310w"


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        (person(family=""), "person.name.family_name", "is required"),
        (person(aliases=[name("Jim", " ")]), "person.aliases[0].family_name", "is required"),
        (person(ethnicity_code="W7"), "person.ethnicity_code", "is not a self-defined ethnicity code"),
        (person(born="2005-01-01"), "person.birth_date", "is in the future"),
        (person(born="1979-00-04"), "person.birth_date", "has a day without its month"),
        (
            person(identifiers=[nominal_id(str(UUID(int=1)))]),
            "person.identifiers[0].kind",
            "is given by this index",
        ),
        (
            person(identifiers=[pnc_id(1), person_pb2.Identifier(kind=PNC, value="01/171310A")]),
            "person.identifiers[1].value",
            "check letter",
        ),
        (person(identifiers=[person_pb2.Identifier(value="1")]), "person.identifiers[0].kind", "is required"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_by_field(
    given: person_pb2.Person, field: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        nominals.filed(given, TODAY)

    assert refusal.value.field == field
    assert rule in refusal.value.rule


@pytest.mark.parametrize("code", ["", "W1", "M9", "A4", "B9", "O2", "NS"])
def test_an_ethnicity_code_or_none_is_filed(code: str) -> None:
    assert nominals.filed(person(ethnicity_code=code), TODAY)[0].ethnicity_code == code


@pytest.mark.parametrize("asked", [person("", ""), person("", "unknown")])
def test_a_search_for_nobody_in_particular_is_refused(asked: person_pb2.Person) -> None:
    with pytest.raises(Invalid, match="family_name"):
        nominals.refuse_vague(asked)


@pytest.mark.parametrize("asked", [person(born="0000-00-00"), person("", "", identifiers=[pnc_id(1)])])
def test_a_name_or_an_identifier_may_be_searched_for(asked: person_pb2.Person) -> None:
    nominals.refuse_vague(asked)


@pytest.mark.parametrize("text", ["", "17", "00000000-0000-0000-0000-00000000000g"])
def test_what_is_no_id_of_ours_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="registration_id"):
        nominals.own_id(text, "registration_id")
