"""The check: what is committed before it begins is seen by it, at every replica, or it does not answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import grpc
import psycopg
import pytest
import pytest_asyncio
from psycopg.sql import SQL, Identifier
from sqlalchemy import text

from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging import screening as flagging_screening
from services.flagging.fields import stamp
from services.flagging.models import SCHEMA
from services.flagging.screening import Screening
from services.flagging.store import flags as store
from services.runtime.channel import reason, violations
from tests import servers
from tests.builders import nominal_id, person, pnc_id
from tests.integration.flagging.service import DAY, NOON, Service, refusal

CARTER = person("James", "Carter", identifiers=[pnc_id(1)])
BY_NUMBER = person_pb2.Person(identifiers=[pnc_id(1)])
BY_NAME = person("James", "Carter")


@pytest_asyncio.fixture
async def replicas(own: servers.Database) -> AsyncIterator[tuple[Service, Service]]:
    """Two of one register, with one clock."""
    async with AsyncExitStack() as stack:
        first = await Service.start(own.url(SCHEMA), stack)
        yield first, await Service.start(own.url(SCHEMA), stack, first.clock)


def typed(value: str) -> person_pb2.Identifier:
    return person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value=value)


def outcome(answer: screening_pb2.Screening) -> str:
    return screening_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_")


@asynccontextmanager
async def held_reading(screening: Screening, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """A reading of the register that has been sent and whose answer is held back until the event."""
    release, sent = asyncio.Event(), asyncio.Event()
    read = store.read

    async def slow(*arguments: object) -> store.Reading:
        answer = await read(*arguments)  # type: ignore[arg-type]
        sent.set()
        await release.wait()
        return answer

    # On a busy machine what is done meanwhile takes longer than a reading may.
    monkeypatch.setattr(flagging_screening, "READ_SECONDS", 60)
    monkeypatch.setattr(flagging_screening, "WAIT_SECONDS", 60)
    monkeypatch.setattr(store, "read", slow)
    reading = asyncio.create_task(screening.refresh())
    await sent.wait()
    monkeypatch.setattr(store, "read", read)
    yield release
    await reading


# ---- what the answer is


async def test_the_postcode_that_was_imported_speaks_for_the_match(service: Service) -> None:
    await service.active(
        await service.nominal(person("James", "Carter", postcode="B12 8QX", identifiers=[pnc_id(1)]))
    )

    here, elsewhere = [
        (await service.screen(person("Jamie", "Carter", postcode=postcode))).candidates[0]
        for postcode in ("b128qx", "GL1 2AB")
    ]

    assert [each.field for each in here.evidence][-1] == "postcode"
    assert here.bits - elsewhere.bits == pytest.approx(here.evidence[-1].bits)


async def test_a_ppo_is_known_by_number_and_possible_by_name(service: Service) -> None:
    await service.active(await service.nominal(CARTER))

    by_number, by_name = await service.screen(BY_NUMBER), await service.screen(BY_NAME)

    assert (outcome(by_number), outcome(by_name)) == ("FLAGGED", "POSSIBLE")
    assert by_number.identity_basis == screening_pb2.IDENTITY_BASIS_IDENTIFIER
    assert by_name.identity_basis == screening_pb2.IDENTITY_BASIS_DETAILS_GIVEN
    assert by_number.candidates[0].nominating_ocu == "D1"
    assert by_number.candidates[0].person == CARTER


async def test_the_register_says_who_is_not_a_ppo(service: Service) -> None:
    await service.nominal(CARTER)

    answer = await service.screen(BY_NUMBER)

    assert outcome(answer) == "NOT_FLAGGED"
    assert answer.identity_basis == screening_pb2.IDENTITY_BASIS_IDENTIFIER


async def test_a_number_that_nobody_holds_is_not_an_answer(service: Service) -> None:
    answer = await service.screen(BY_NUMBER)

    assert outcome(answer) == "UNKNOWN"
    assert answer.unknown_reason == screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT


async def test_an_answer_says_at_which_version_and_how_old_it_is(service: Service) -> None:
    await service.active(await service.nominal(CARTER))
    before = service.clock.system()

    answer = await service.screen(BY_NUMBER)

    assert answer.register_version == 2 == answer.candidates[0].version
    assert before <= answer.register_time.ToDatetime(tzinfo=NOON.tzinfo) <= service.clock.system()
    assert answer.model_version
    assert answer.threshold_bits > 0


async def test_a_nominal_id_is_an_identifier_and_numbers_may_be_typed_as_people_do(service: Service) -> None:
    carter = await service.nominal(CARTER)
    await service.active(carter)
    letter = pnc_id(1).value[-1].lower()

    assert await service.outcome(person_pb2.Person(identifiers=[nominal_id(carter.upper())])) == "FLAGGED"
    assert await service.outcome(person_pb2.Person(identifiers=[typed(f"01/1{letter}")])) == "FLAGGED"


@pytest.mark.parametrize(
    ("identifiers", "field"),
    [
        ([typed("2001/0000001A")], "person.identifiers[0].value"),
        ([pnc_id(1), typed("17")], "person.identifiers[1].value"),
        ([person_pb2.Identifier(value="17")], "person.identifiers[0].kind"),
    ],
)
async def test_a_malformed_identifier_is_refused_not_answered(
    service: Service, identifiers: list[person_pb2.Identifier], field: str
) -> None:
    error = await refusal(service.screen(person_pb2.Person(identifiers=identifiers)))

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [name for name, _ in violations(error)] == [field]


# ---- what is committed is seen


async def test_a_flag_committed_before_a_check_is_seen_by_it_at_both_replicas(
    replicas: tuple[Service, Service],
) -> None:
    first, second = replicas
    for serial in range(1, 21):
        one = person(identifiers=[pnc_id(serial)])
        registration = await first.active(await first.nominal(one))
        assert [await each.outcome(one) for each in replicas] == ["FLAGGED", "FLAGGED"]
        await second.annul(registration)
        assert [await each.outcome(one) for each in replicas] == ["NOT_FLAGGED", "NOT_FLAGGED"]


async def test_a_flag_committed_while_many_check_is_seen_by_each_check_that_begins_after(
    replicas: tuple[Service, Service],
) -> None:
    first, _ = replicas
    people = [person(identifiers=[pnc_id(serial)]) for serial in range(1, 31)]
    nominals = [await first.nominal(one) for one in people]
    committed: set[int] = set()
    wrong: list[int] = []

    async def flag() -> None:
        for place, one in enumerate(nominals):
            await first.active(one)
            committed.add(place)

    async def check(service: Service) -> None:
        while len(committed) < len(people):
            known = len(committed)
            place = known - 1 if known else 0
            if await service.outcome(people[place]) != "FLAGGED" and known:
                wrong.append(place)

    await asyncio.gather(flag(), *(check(each) for each in replicas for _ in range(4)))

    assert wrong == []


async def test_a_check_does_not_join_a_reading_that_began_before_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    carter = await service.nominal(CARTER)
    async with held_reading(service.screening, monkeypatch) as release:
        await service.active(carter)
        check = asyncio.create_task(service.outcome(BY_NUMBER))
        asyncio.get_running_loop().call_later(0.1, release.set)

        assert await check == "FLAGGED"


async def test_checks_that_come_during_a_reading_share_the_next_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.active(await service.nominal(CARTER))
    await service.screening.refresh()
    readings = 0
    read = store.read

    async def counted(*arguments: object) -> store.Reading:
        nonlocal readings
        readings += 1
        return await read(*arguments)  # type: ignore[arg-type]

    async with held_reading(service.screening, monkeypatch) as release:
        monkeypatch.setattr(store, "read", counted)
        checks = [
            asyncio.create_task(service.screening.screen(BY_NUMBER, fingerprint=False)) for _ in range(20)
        ]
        await asyncio.sleep(0)
        release.set()
        answers = await asyncio.gather(*checks)

    assert {outcome(answer) for answer in answers} == {"FLAGGED"}
    assert readings == 1


async def test_another_register_is_read_from_its_beginning(service: Service) -> None:
    await service.active(await service.nominal(CARTER))
    before = await service.outcome(BY_NUMBER)
    async with service.database.transaction() as session:
        # As a backup from before the decision, put back by an operator.
        await session.execute(text("DELETE FROM flag"))
        await session.execute(text("UPDATE register SET version = 1, epoch = gen_random_uuid()"))

    assert (before, await service.outcome(BY_NUMBER)) == ("FLAGGED", "NOT_FLAGGED")


# ---- or there is no answer


@contextmanager
def away(database: servers.Database) -> Iterator[None]:
    """Nobody reaches the database, and who was connected is not any more."""
    everything = database.superuser.rpartition("/")[0] + "/postgres"
    with psycopg.connect(everything, autocommit=True) as connection:
        connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(database.name)))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.name]
        )
        yield
        connection.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(Identifier(database.name)))


async def test_without_the_register_there_is_no_answer_whatever_is_in_memory(
    own: servers.Database, service: Service
) -> None:
    await service.active(await service.nominal(CARTER))
    before = await service.outcome(BY_NUMBER)
    with away(own):
        errors = [await refusal(service.screen(BY_NUMBER)) for _ in range(3)]

    assert {(error.code(), reason(error)) for error in errors} == {
        (grpc.StatusCode.UNAVAILABLE, "POSTGRES_UNAVAILABLE")
    }
    assert (before, await service.outcome(BY_NUMBER)) == ("FLAGGED", "FLAGGED")


async def test_a_register_that_hangs_is_not_waited_for(own: servers.Database, service: Service) -> None:
    await service.active(await service.nominal(CARTER))
    with psycopg.connect(own.superuser) as connection:
        connection.execute("LOCK TABLE flagging.register IN ACCESS EXCLUSIVE MODE")
        error = await refusal(service.screen(BY_NUMBER))

    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert await service.outcome(BY_NUMBER) == "FLAGGED"


# ---- a register of many pages


@pytest.mark.parametrize("most", [1, 5_000])
async def test_more_changes_than_one_reading_brings_are_seen_by_the_next_check(
    replicas: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    first, second = replicas
    # With 1 the whole is read anew, as at the start; else all that is missing.
    monkeypatch.setattr(flagging_screening, "MOST_AT_ONCE", most)
    await second.active(await second.nominal(person("Ann", "Early", identifiers=[pnc_id(5_000)])))
    await first.screen(BY_NUMBER)
    many = 2 * store.PAGE + 1
    await register_many(second, many)

    asked = [person_pb2.Person(identifiers=[pnc_id(serial)]) for serial in (1, store.PAGE + 1, many, 5_000)]

    assert [await first.outcome(one) for one in asked] == ["FLAGGED"] * 4


async def register_many(service: Service, persons: int) -> None:
    """Those with the numbers from 1 on, all at once."""
    numbers = [pnc_id(serial) for serial in range(1, persons + 1)]
    await service.load(*(person("James", "Carter", identifiers=[one]) for one in numbers))
    rows = [
        flagging_pb2.ImportRegistrationsRequest(
            request_id="many",
            source="forum",
            source_reference=one.value,
            identifier=one,
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            criteria=[flagging_pb2.CRITERION_VOLUME],
            nominating_ocu="D1",
            effective_start_time=stamp(NOON - DAY),
        )
        for one in numbers
    ]
    report = (await (await service.stub("importer")).ImportRegistrations(iter(rows), timeout=60)).report
    assert report.created == persons, report


async def test_a_check_does_not_wait_for_ever_for_a_register_that_is_being_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = await service.stub("service_custody")
    request = flagging_pb2.ScreenPersonRequest(person=BY_NAME, purpose=policy_pb2.PURPOSE_ARREST)

    async with held_reading(service.screening, monkeypatch) as release:
        monkeypatch.setattr(flagging_screening, "WAIT_SECONDS", 0.1)
        told = await refusal(custody.ScreenPerson(request, timeout=60))
        release.set()

    assert (told.code(), reason(told)) == (grpc.StatusCode.UNAVAILABLE, "REGISTER_UNAVAILABLE")
