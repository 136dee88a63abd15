"""Search: by identifier, or by name with date of birth, best first, page by page, never for everybody."""

from typing import Any

import grpc
import pytest
from sqlalchemy import text

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2
from ppo.policy.v1 import policy_pb2
from services.runtime.channel import reason, violations
from tests.builders import name, person, pnc_id
from tests.integration.flagging.service import Service, refusal

MALFORMED = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value="1")
CARTER = person("James", "Carter", "1980-03-12", identifiers=[pnc_id(1)])


async def search(
    service: Service, given: person_pb2.Person, page_size: int = 0, page_token: str = ""
) -> pb.SearchNominalsResponse:
    await service.people.catch_up()
    officer = await service.stub("custody_officer")
    request = pb.SearchNominalsRequest(
        person=given, purpose=policy_pb2.PURPOSE_ARREST, page_size=page_size, page_token=page_token
    )
    return await officer.SearchNominals(request, timeout=5)


def names(response: pb.SearchNominalsResponse) -> list[str]:
    people = [found.nominal.person.name for found in response.found]
    return [f"{one.given_name} {one.family_name}" for one in people]


@pytest.mark.parametrize(
    "asked",
    [
        person("James", "Carter", "1980-03-12"),
        person("Jim", "Karter", "1980-03-12"),
        person("James", "Carter", "1981-03-12"),
        person("James", "Carter", "1980-00-00"),
        person("James", "Carter", "0000-00-00"),
        person("James", "Smith", "1980-03-12"),
        person("Carter", "James", "1980-03-12"),
        person("Jimmy", "Doyle", "1980-03-12"),
    ],
    ids=lambda asked: f"{asked.name.given_name} {asked.name.family_name} {asked.birth_date.year}",
)
async def test_a_person_is_found_by_what_may_be_the_same(service: Service, asked: person_pb2.Person) -> None:
    filed = person("James", "Carter", "1980-03-12", aliases=[name("Jim", "Doyle")])
    await service.load(filed, person("Peter", "Morris", "1975-01-01"), person("Tom", "Hall", "1980-05-05"))

    assert names(await search(service, asked)) == ["James Carter"]


async def test_the_best_match_comes_first_with_its_evidence(service: Service) -> None:
    await service.load(
        person("Jane", "Carter", "1980-03-12"),
        person("James", "Carter", "1980-03-12"),
        person("James", "Carter", "1980-07-01"),
    )

    response = await search(service, person("James", "Carter", "1980-03-12"))

    first, *others = response.found
    assert (first.nominal.person.name.given_name, first.nominal.person.birth_date.month) == ("James", 3)
    assert all(first.bits > other.bits for other in others)
    assert {one.field for one in first.evidence} == {"given_name", "family_name", "birth_date"}


async def test_the_holder_of_an_identifier_comes_first_under_any_name(service: Service) -> None:
    await service.load(CARTER, person("Peter", "Morris", "1975-01-01", identifiers=[pnc_id(2)]))

    by_number = await search(service, person_pb2.Person(identifiers=[pnc_id(2)]))
    by_both = await search(service, person("James", "Carter", "1980-03-12", identifiers=[pnc_id(2)]))

    assert names(by_number) == ["Peter Morris"]
    assert names(by_both) == ["Peter Morris", "James Carter"]


async def test_pages_follow_each_other_without_gap_or_repeat(service: Service) -> None:
    people = [person("James", "Carter", f"1980-03-{day:02}") for day in range(1, 13)]
    await service.load(*people)
    asked = person("James", "Carter", "1980-03-06")

    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        page = await search(service, asked, page_size=5, page_token=token)
        pages.append([found.nominal.nominal_id for found in page.found])
        token = page.next_page_token

    assert [len(page) for page in pages] == [5, 5, 2]
    assert len({one for page in pages for one in page}) == 12


async def test_a_page_of_another_search_is_refused(service: Service) -> None:
    await service.load(*[person("James", "Carter", f"1980-03-{day:02}") for day in range(1, 13)])
    page = await search(service, person("James", "Carter", "1980-03-06"), page_size=5)

    error = await refusal(search(service, CARTER, page_token=page.next_page_token))

    assert [field for field, _ in violations(error)] == ["page_token"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (person_pb2.Person(), "person.name.family_name"),
        (person("", "", "1980-03-12"), "person.name.family_name"),
        (person_pb2.Person(identifiers=[MALFORMED]), "person.identifiers[0].value"),
    ],
)
async def test_a_search_too_wide_or_malformed_is_refused_with_advice(
    service: Service, asked: person_pb2.Person, field: str
) -> None:
    error = await refusal(search(service, asked))

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [name for name, _ in violations(error)] == [field]


async def test_a_page_of_fewer_than_none_is_refused(service: Service) -> None:
    error = await refusal(search(service, CARTER, page_size=-1))

    assert [field for field, _ in violations(error)] == ["page_size"]


async def test_nobody_alike_is_an_empty_page(service: Service) -> None:
    await service.load(CARTER)

    response = await search(service, person("Peter", "Morris", "1975-01-01"))

    assert (list(response.found), response.next_page_token) == ([], "")


async def test_who_is_filed_under_another_name_is_found_by_that_and_no_more_by_the_first(
    service: Service,
) -> None:
    await service.load(CARTER, source="pnc")
    await service.people.catch_up()
    await service.load(person("James", "Okafor", "1980-03-12", identifiers=[pnc_id(1)]), source="pnc")

    assert names(await search(service, person("James", "Okafor", "1980-03-12"))) == ["James Okafor"]
    assert names(await search(service, person("James", "Carter", "1961-07-30"))) == []


async def test_a_name_that_would_fit_hundreds_is_refused_with_advice(service: Service) -> None:
    await service.load(*[person(f"Given{place}", "Smith", "1980-00-00") for place in range(400)])

    no_given_name = await refusal(search(service, person("", "Smith", "1980-00-00")))
    found = await search(service, person("Given7", "Smith", "1980-00-00"))

    assert violations(no_given_name) == [
        ("person", "fits more than 200 people: add a given name, or give an identifier")
    ]
    assert names(found)[0] == "Given7 Smith"


async def test_until_the_index_is_read_a_name_is_not_answered_and_an_identifier_is(service: Service) -> None:
    await service.load(CARTER)
    officer = await service.stub("custody_officer")
    purpose = policy_pb2.PURPOSE_ARREST

    by_name = pb.SearchNominalsRequest(person=person("James", "Carter", "1980-03-12"), purpose=purpose)
    error = await refusal(officer.SearchNominals(by_name, timeout=5))
    by_number = pb.SearchNominalsRequest(person=person_pb2.Person(identifiers=[pnc_id(1)]), purpose=purpose)
    found = await officer.SearchNominals(by_number, timeout=5)

    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "INDEX_UNAVAILABLE")
    assert names(found) == ["James Carter"]


async def test_who_came_by_an_import_is_found_before_it_ends(service: Service) -> None:
    importer = await service.stub("importer")
    call: Any = importer.LoadNominals(timeout=60)
    first: dict[str, Any] = {"request_id": "r1", "source": "pnc"}
    row = pb.NominalRow(source_reference="n1", line=1, person=CARTER)
    for request in (
        pb.LoadNominalsRequest(**first),
        pb.LoadNominalsRequest(**first, rows=[row], last_line=1),
    ):
        await call.write(request)
        await call.read()

    found = await search(service, person("James", "Carter", "1980-03-12"))

    assert names(found) == ["James Carter"]
    call.cancel()


async def test_another_database_is_read_from_its_beginning(service: Service) -> None:
    await service.load(CARTER, person("Peter", "Morris", "1975-01-01"))
    await service.people.catch_up()
    async with service.database.transaction() as session:
        # As a backup from before the second came, put back by an operator.
        await session.execute(text("ALTER TABLE nominal DISABLE TRIGGER kept"))
        await session.execute(text("DELETE FROM nominal WHERE source_reference = 'n2'"))
        await session.execute(text("UPDATE register SET epoch = gen_random_uuid()"))
        await session.execute(text("UPDATE nominal_index SET version = 1"))

    assert names(await search(service, person("Peter", "Morris", "1975-01-01"))) == []
    assert names(await search(service, person("James", "Carter", "1980-03-12"))) == ["James Carter"]
