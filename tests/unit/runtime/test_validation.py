"""What every request must obey is refused with the path of the field and the rule."""

from datetime import datetime
from typing import Any, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from ppo.custody.v1 import custody_pb2 as custody
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as person
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.runtime.errors import Invalid
from services.runtime.validation import check


def booking(**fields: object) -> custody.BookInRequest:
    given = {"request_id": "r1", "suite_id": "s1", "arrested_time": Timestamp(seconds=1)} | fields
    return custody.BookInRequest(**given)  # type: ignore[arg-type]


def born(year: int, month: int, day: int) -> custody.BookInRequest:
    return booking(person=person.Person(birth_date=Date(year=year, month=month, day=day)))


def refused(request: object) -> str:
    with pytest.raises(Invalid) as refusal:
        check(request)  # type: ignore[arg-type]
    return refusal.value.field


def test_a_whole_request_passes() -> None:
    check(born(1979, 3, 4))


@pytest.mark.parametrize("field", ["request_id", "suite_id", "arrested_time"])
def test_a_required_field_is_named_when_it_is_missing(field: str) -> None:
    request = booking()
    request.ClearField(field)  # type: ignore[arg-type]

    assert refused(request) == field


def test_a_required_list_may_not_be_empty() -> None:
    request = custody.IdentifyDetaineeRequest(request_id="r1", detention_id="d1")

    assert refused(request) == "identifiers"


def test_a_required_enum_may_not_be_unspecified() -> None:
    request = flagging.ListPposRequest(purpose=policy.PURPOSE_UNSPECIFIED)

    assert refused(request) == "purpose"


def test_an_enum_value_nobody_knows_is_refused() -> None:
    request = booking(person=person.Person(sex=cast(Any, 77)))

    assert refused(request) == "person.sex"


def test_the_path_names_the_item_of_a_nested_message() -> None:
    request = flagging.NominatePpoRequest(
        request_id="r1",
        nominal_id="n1",
        strand=screening.STRAND_CATCH_AND_CONVICT,
        criteria=[flagging.CRITERION_VOLUME],
        nominating_ocu="E3",
        evidence=[flagging.GradedEvidence(reference="log 7", provenance="collator")],
    )

    assert refused(request) == "evidence[0].grade"


@pytest.mark.parametrize(
    "date", [(1979, 13, 1), (1979, 2, 30), (2001, 2, 29), (-1, 1, 1), (0, 0, 32), (10_000, 1, 1)]
)
def test_an_impossible_date_is_refused(date: tuple[int, int, int]) -> None:
    assert refused(born(*date)) == "person.birth_date"


@pytest.mark.parametrize(
    "date", [(0, 2, 29), (2000, 2, 29), (1979, 0, 0), (1979, 3, 0), (0, 0, 0), (0, 0, 31)]
)
def test_a_date_may_lack_parts(date: tuple[int, int, int]) -> None:
    check(born(*date))


def test_a_time_that_is_on_no_day_in_london_is_refused() -> None:
    first = Timestamp()
    first.FromDatetime(datetime.min)

    assert refused(booking(arrested_time=first)) == "arrested_time"


def test_a_time_beyond_the_calendar_is_refused() -> None:
    assert refused(booking(arrested_time=Timestamp(seconds=10**14))) == "arrested_time"


def test_a_nul_character_is_refused() -> None:
    assert refused(booking(suite_id="s\x001")) == "suite_id"


def test_a_text_has_a_limit_and_a_long_name_is_within_it() -> None:
    check(booking(person=person.Person(name=person.Name(family_name="x" * 300))))

    assert refused(booking(suite_id="x" * 2_001)) == "suite_id"


texts = st.text(max_size=3) | st.sampled_from(["\0", "x" * 2_001])
dates = st.builds(Date, year=st.integers(-1, 10_000), month=st.integers(-1, 13), day=st.integers(-1, 32))
persons = st.builds(
    person.Person,
    name=st.builds(person.Name, given_name=texts, family_name=texts),
    birth_date=dates,
    sex=st.integers(0, 9),
    identifiers=st.lists(st.builds(person.Identifier, kind=st.integers(0, 9), value=texts), max_size=2),
)


@given(persons, texts)
def test_a_short_message_is_refused_for_what_a_long_one_is(given: person.Person, reference: str) -> None:
    short = flagging.NominalRow(source_reference=reference, line=1, person=given)
    # As many names as make the same row too long for the short way.
    long = flagging.NominalRow(source_reference=reference, line=1, person=given)
    long.person.aliases.extend([person.Name(family_name="x" * 999)] * 2)

    assert said(short) == said(long)


def said(request: flagging.NominalRow) -> str:
    try:
        check(request)
    except Invalid as refusal:
        return str(refusal)
    return ""
