"""Deaths and merged prison numbers: what the movements of prisons change in the register and in the index."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from google.type.date_pb2 import Date
from prometheus_client import REGISTRY
from sqlalchemy import text

from ppo.flagging.v1 import events_pb2
from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2
from services.flagging.deaths import REVERSAL_LAPSES, lapse
from services.flagging.fields import stamp
from services.flagging.inbox import GROUP, MOVEMENTS, Inbox
from services.flagging.models import SCHEMA, due, inbox
from services.prisons import hmpps
from services.runtime.broker import Producer, Record, Subscription, Tail
from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.due import Runner
from tests import servers
from tests.builders import name, person, pnc_id
from tests.integration.flagging.service import DAY, NOON, Service
from tests.integration.flagging.test_process import running, settings

EVENTS = "hmpps.domain-events"
NUMBER, OTHER, THIRD = "A1111AA", "A2222BB", "A3333CC"
OFFSETS = count()
NOBODY = "127.0.0.1:1"


def numbered(*numbers: str, serial: int = 1) -> person_pb2.Person:
    kind = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
    held = [person_pb2.Identifier(kind=kind, value=value) for value in numbers]
    return person("James", "Carter", identifiers=[pnc_id(serial), *held])


def death(number: str = NUMBER, at: datetime = NOON, code: str = "DEC") -> movement_pb2.Movement:
    return movement_pb2.Movement(
        movement_id=f"{number}/{at}/{code}",
        prison_number=number,
        kind=movement_pb2.MOVEMENT_KIND_RELEASE,
        reason_code=code,
        occurred_time=stamp(at),
    )


def merge(kept: str = NUMBER, removed: str = OTHER) -> movement_pb2.Movement:
    return movement_pb2.Movement(
        movement_id=f"{removed}/{kept}",
        prison_number=kept,
        removed_prison_number=removed,
        kind=movement_pb2.MOVEMENT_KIND_MERGE,
        occurred_time=stamp(NOON),
    )


def ours(movement: movement_pb2.Movement) -> Record:
    headers = {"ce_type": movement.DESCRIPTOR.full_name, "ce_id": f"e{next(OFFSETS)}"}
    return Record(MOVEMENTS, movement.prison_number, movement.SerializeToString(), headers)


def event(kind: str, **details: str) -> Record:
    """As English prison systems publish it."""
    document = {
        "eventType": kind,
        "occurredAt": NOON.isoformat(),
        "additionalInformation": {"nomsNumber": NUMBER, **details},
    }
    return Record(EVENTS, NUMBER, json.dumps(document).encode(), {})


def listener(service: Service, kafka: str = NOBODY) -> Consumer:
    heard = Inbox(service.clock, service.screening, EVENTS)
    return Consumer(
        GROUP,
        Subscription(kafka, mock=False, group=GROUP, instance="0", topics=[MOVEMENTS, EVENTS]),
        heard.handlers,
        database=service.database,
        inbox=inbox,
        producer=Producer(kafka, mock=False),
        clock=Clock(),
        kind=heard.kind,
    )


async def hear(service: Service, *told: movement_pb2.Movement) -> None:
    await listener(service).take([ours(movement) for movement in told])


def named(given: str, family: str, born: int = 1980, pnc: str = "") -> movement_pb2.Movement:
    """A reception of an unknown number, and whom the prison takes the prisoner for."""
    return movement_pb2.Movement(
        movement_id=f"{given}/{family}/{born}/{pnc}",
        prison_number=OTHER,
        kind=movement_pb2.MOVEMENT_KIND_RECEPTION,
        reason_code="N",
        prison_id="BMI",
        occurred_time=stamp(NOON),
        name=name(given, family),
        birth_date=Date(year=born, month=3, day=12),
        pnc_id=pnc,
    )


async def waiting(service: Service) -> list[tuple[str, list[str]]]:
    """The numbers that the keeper is asked about, each with its candidates."""
    async with service.database.transaction() as session:
        rows = await session.execute(text("SELECT prison_number, candidates FROM prison_match"))
        return [(row.prison_number, [str(one) for one in row.candidates]) for row in rows]


async def ppo(service: Service, who: person_pb2.Person | None = None) -> pb.Registration:
    nominal_id = await service.nominal(who or numbered(NUMBER))
    # A registration that began yesterday.
    service.clock.at -= DAY
    registration = await service.active(nominal_id)
    service.clock.at += DAY
    return registration


async def flag(service: Service, nominal_id: str) -> events_pb2.Flag:
    async with service.database.transaction() as session:
        query = text("SELECT flag FROM flag WHERE nominal_id = :id")
        return events_pb2.Flag.FromString((await session.execute(query, {"id": nominal_id})).scalar_one())


async def numbers(service: Service, nominal_id: str) -> list[str]:
    """The prison numbers of the flag, which are those of the index."""
    state = await flag(service, nominal_id)
    kept = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
    assert (await service.read(state.person.identifiers[0])).person == state.person
    return [one.value for one in state.person.identifiers if one.kind == kept]


@asynccontextmanager
async def counted(fate: str, metric: str = "movements_total", label: str = "fate") -> AsyncIterator[None]:
    """One movement more meets that fate."""
    name, labels = f"ppo_flagging_{metric}", {label: fate}
    before = REGISTRY.get_sample_value(name, labels) or 0
    yield
    assert REGISTRY.get_sample_value(name, labels) == before + 1


def prison_number(value: str) -> person_pb2.Identifier:
    return person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, value=value)


# ---- deaths


async def test_a_death_in_prison_ends_the_registration_at_once_and_the_service_says_so(
    service: Service,
) -> None:
    registration = await ppo(service)
    died = NOON - timedelta(hours=1)

    await hear(service, death(at=died))

    ended = await service.latest(registration.nominal_id)
    assert (ended.state, ended.removal_reason) == (
        pb.REGISTRATION_STATE_REMOVED,
        pb.REMOVAL_REASON_DECEASED,
    )
    assert ended.effective_end_time == stamp(died)
    assert await service.outcome(numbered(NUMBER)) == "NOT_FLAGGED"
    request = pb.GetRegistrationRequest(
        registration_id=registration.registration_id, purpose=policy_pb2.PURPOSE_REGISTER
    )
    steps = (await (await service.stub("register_keeper")).GetRegistration(request, timeout=5)).steps
    assert steps[-1].recorded_by == "flagging"


async def test_a_death_ends_a_planned_exit_that_lies_ahead(service: Service) -> None:
    registration = await ppo(service)
    planned = await service.plan_exit(registration)
    await service.remove(planned, effective_time=stamp(NOON + 7 * DAY))

    await hear(service, death())

    ended = await service.latest(registration.nominal_id)
    assert (ended.removal_reason, ended.effective_end_time) == (pb.REMOVAL_REASON_DECEASED, stamp(NOON))


async def test_a_death_told_twice_and_in_both_forms_is_one_step(service: Service) -> None:
    registration = await ppo(service)
    consumer = listener(service)
    once = ours(death())
    foreign = event(hmpps.RELEASED, reason="RELEASED", nomisMovementReasonCode="DEC", prisonId="BMI")
    await consumer.take([once])
    version = (await flag(service, registration.nominal_id)).version

    await consumer.take([once, ours(death()), foreign])

    assert (await flag(service, registration.nominal_id)).version == version


@pytest.mark.parametrize("code", ["CR", "N", ""])
async def test_another_release_changes_nothing(service: Service, code: str) -> None:
    registration = await ppo(service)

    async with counted("not_used"):
        await hear(service, death(code=code))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_the_death_of_somebody_unknown_is_passed_over(service: Service) -> None:
    registration = await ppo(service)

    async with counted("unknown_number"):
        await hear(service, death(THIRD))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_a_death_before_the_registration_began_changes_nothing_and_is_to_be_looked_at(
    service: Service,
) -> None:
    registration = await ppo(service)

    async with counted("does_not_fit", "movements_review_total", "reason"):
        await hear(service, death(at=NOON - 2 * DAY))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_an_unknown_number_whose_name_may_be_a_ppos_waits_with_its_candidates(
    service: Service,
) -> None:
    registration = await ppo(service)

    await hear(service, named("James", "Carter"))

    assert await waiting(service) == [(OTHER, [registration.nominal_id])]
    assert await numbers(service, registration.nominal_id) == [NUMBER]


async def test_an_unknown_number_that_is_surely_a_ppos_is_learnt(service: Service) -> None:
    registration = await ppo(service, numbered())

    await hear(service, named("James", "Carter", pnc=pnc_id(1).value))

    assert await numbers(service, registration.nominal_id) == [OTHER]
    assert await waiting(service) == []


async def test_of_whoever_is_nobody_and_of_a_number_that_is_known_nothing_is_kept(service: Service) -> None:
    registration = await ppo(service, numbered(OTHER))

    await hear(service, named("James", "Carter"))
    stranger = named("Obadiah", "Quilter", 1951)
    stranger.prison_number = THIRD
    await hear(service, stranger)

    assert await waiting(service) == []
    assert await numbers(service, registration.nominal_id) == [OTHER]


async def test_the_death_of_somebody_only_nominated_is_the_forums(service: Service) -> None:
    nominated = await service.nominate(await service.nominal(numbered(NUMBER)))

    async with counted("only_nominated", "movements_review_total", "reason"):
        await hear(service, death())

    assert (await service.latest(nominated.nominal_id)).state == pb.REGISTRATION_STATE_NOMINATED


# ---- deaths that are taken back


def reversal(of: movement_pb2.Movement, number: str = NUMBER) -> movement_pb2.Movement:
    return movement_pb2.Movement(
        movement_id=f"not {of.movement_id}",
        prison_number=number,
        kind=movement_pb2.MOVEMENT_KIND_REVERSAL,
        corrects_movement_id=of.movement_id,
        occurred_time=of.occurred_time,
    )


async def test_a_death_that_is_taken_back_brings_the_flag_back_as_it_was(service: Service) -> None:
    registration = await ppo(service)
    before = await service.latest(registration.nominal_id)
    await hear(service, death(at=NOON - timedelta(hours=1)))

    async with counted("returned"):
        await hear(service, reversal(death(at=NOON - timedelta(hours=1))))

    after = await service.latest(registration.nominal_id)
    assert (after.state, after.removal_reason) == (pb.REGISTRATION_STATE_ACTIVE, 0)
    assert after.effective_start_time == before.effective_start_time
    assert not after.HasField("effective_end_time")
    assert await service.outcome(numbered(NUMBER)) == "FLAGGED"


async def test_it_is_known_afterwards_that_somebody_was_thought_dead(service: Service) -> None:
    registration = await ppo(service)
    await hear(service, death())
    thought = service.clock.at
    service.clock.at += DAY
    await hear(service, reversal(death()))

    keeper = await service.stub("register_keeper")
    asked = pb.GetRegistrationRequest(
        registration_id=registration.registration_id, purpose=policy_pb2.PURPOSE_REGISTER
    )
    states = []
    for known in (thought, service.clock.at):
        asked.known_at_time.FromDatetime(known)
        states.append((await keeper.GetRegistration(asked, timeout=5)).registration.state)

    assert states == [pb.REGISTRATION_STATE_REMOVED, pb.REGISTRATION_STATE_ACTIVE]


@pytest.mark.parametrize("form", ["corrected", "reversed"])
async def test_a_reversal_that_comes_before_the_death_keeps_the_flag(service: Service, form: str) -> None:
    registration = await ppo(service)
    undone = reversal(death())
    if form == "corrected":
        undone.kind, undone.reason_code = movement_pb2.MOVEMENT_KIND_RELEASE, "CR"

    await hear(service, undone, death())

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_a_death_told_once_more_after_its_reversal_ends_nothing(service: Service) -> None:
    registration = await ppo(service)

    await hear(service, death(), reversal(death()), death())

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_a_death_on_another_day_takes_the_place_of_the_one_it_corrects(service: Service) -> None:
    registration = await ppo(service)
    righted = death(at=NOON - timedelta(hours=3))
    righted.corrects_movement_id = death().movement_id

    await hear(service, death(), righted)

    ended = await service.latest(registration.nominal_id)
    assert ended.effective_end_time == stamp(NOON - timedelta(hours=3))


async def test_an_exit_and_an_end_that_were_planned_stand_again(service: Service) -> None:
    planned = await service.plan_exit(await ppo(service))
    await service.remove(planned, effective_time=stamp(NOON + 7 * DAY))

    await hear(service, death(), reversal(death()))

    again = await service.latest(planned.nominal_id)
    assert (again.state, again.removal_reason) == (
        pb.REGISTRATION_STATE_EXIT_PLANNED,
        pb.REMOVAL_REASON_NO_LONGER_A_THREAT,
    )
    assert again.effective_end_time == stamp(NOON + 7 * DAY)


async def test_a_death_told_by_two_movements_is_taken_back_by_one_and_to_be_looked_at(
    service: Service,
) -> None:
    registration = await ppo(service)
    await hear(service, death(), death(at=NOON - timedelta(hours=1)))

    async with counted("told_by_another", "movements_review_total", "reason"):
        await hear(service, reversal(death()))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_a_death_that_the_keeper_has_recorded_too_is_the_keepers_to_take_back(service: Service) -> None:
    registration = await ppo(service)
    await service.remove(registration, reason=pb.REMOVAL_REASON_DECEASED, effective_time=stamp(NOON))
    await hear(service, death())

    async with counted("decided_by_somebody", "movements_review_total", "reason"):
        await hear(service, reversal(death()))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_REMOVED


async def two(service: Service) -> pb.Registration:
    """The first of two PPOs, each with a number."""
    registration = await ppo(service)
    await ppo(service, numbered(OTHER, serial=2))
    return registration


@pytest.mark.parametrize("number", [OTHER, THIRD], ids=["anothers", "nobodys"])
async def test_a_reversal_under_a_number_that_is_not_theirs_takes_no_death_back_and_is_to_be_looked_at(
    service: Service, number: str
) -> None:
    registration = await two(service)
    await hear(service, death())

    async with counted("taken_back_by_another", "movements_review_total", "reason"):
        await hear(service, reversal(death(), number))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_REMOVED


async def test_a_death_that_was_another_prisoners_ends_that_ones_registration_and_is_to_be_looked_at(
    service: Service,
) -> None:
    registration = await two(service)
    await hear(service, death())
    righted = death(OTHER)
    righted.corrects_movement_id = death().movement_id

    async with counted("taken_back_by_another", "movements_review_total", "reason"):
        await hear(service, righted)

    other = await service.read(prison_number(OTHER))
    states = [await service.latest(one) for one in (registration.nominal_id, other.nominal_id)]
    assert [one.state for one in states] == [pb.REGISTRATION_STATE_REMOVED] * 2


@pytest.mark.parametrize("number", [OTHER, THIRD], ids=["anothers", "nobodys"])
async def test_a_reversal_under_a_number_that_is_not_theirs_keeps_no_death_away_by_coming_first(
    service: Service, number: str
) -> None:
    registration = await two(service)
    await hear(service, reversal(death(), number))

    async with counted("taken_back_by_another", "movements_review_total", "reason"):
        await hear(service, death())

    assert (await service.latest(registration.nominal_id)).removal_reason == pb.REMOVAL_REASON_DECEASED
    await hear(service, reversal(death()))
    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


@pytest.mark.parametrize("order", ["death merge back", "merge back death", "back merge death"])
async def test_a_death_is_taken_back_under_the_number_that_a_merge_has_kept(
    service: Service, order: str
) -> None:
    registration = await ppo(service)
    told = {"death": death(), "merge": merge(OTHER, NUMBER), "back": reversal(death(), OTHER)}

    await hear(service, *(told[one] for one in order.split()))

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE
    assert await service.outcome(numbered(NUMBER)) == "FLAGGED"


async def test_a_death_under_a_number_that_goes_with_the_other_when_two_are_two_again_is_theirs(
    service: Service,
) -> None:
    # A mistaken merge: the number is the other's.
    registration = await ppo(service, numbered(serial=1))
    other = await ppo(service, person("Joan", "Marsh", identifiers=[pnc_id(2), prison_number(NUMBER)]))
    await service.merge(other.nominal_id, registration.nominal_id)
    await hear(service, death())
    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_REMOVED

    await service.unmerge(other.nominal_id)

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE
    assert await service.outcome(numbered(serial=1)) == "FLAGGED"
    theirs = await service.latest(other.nominal_id)
    assert (theirs.state, theirs.removal_reason) == (
        pb.REGISTRATION_STATE_REMOVED,
        pb.REMOVAL_REASON_DECEASED,
    )
    async with counted("returned"):
        await hear(service, reversal(death()))
    assert (await service.latest(other.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_a_death_stays_of_whom_it_was_told_when_two_are_two_again(service: Service) -> None:
    registration = await ppo(service)
    other = await service.nominal(person("Joan", "Marsh", identifiers=[pnc_id(2)]))
    await service.merge(other, registration.nominal_id)
    await hear(service, death())

    await service.unmerge(other)

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_REMOVED


async def test_an_import_that_takes_the_prison_number_away_takes_back_the_death_under_it(
    service: Service,
) -> None:
    await service.load(numbered(NUMBER))
    registration = await ppo_of(service, NUMBER)
    service.clock.at += DAY
    await hear(service, death(at=service.clock.at))
    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_REMOVED

    await service.load(numbered())

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE
    assert await service.outcome(numbered()) == "FLAGGED"
    assert (await flag(service, registration.nominal_id)).state == screening_pb2.FLAG_STATE_FLAGGED


async def test_of_two_nominals_merged_dead_one_comes_back_and_the_other_is_to_be_looked_at(
    service: Service,
) -> None:
    first = await ppo(service, numbered(NUMBER))
    second = await ppo(service, numbered(OTHER, serial=2))
    await hear(service, death(), death(OTHER))
    await service.merge(second.nominal_id, first.nominal_id)

    async with counted("told_by_another"):
        await hear(service, reversal(death(OTHER), OTHER))
    async with counted("does_not_fit"):
        await hear(service, reversal(death()))

    async with service.database.transaction() as session:
        rows = await session.execute(text("SELECT registration_id, state FROM registration"))
        assert {str(row.registration_id): row.state for row in rows} == {
            first.registration_id: pb.REGISTRATION_STATE_REMOVED,
            second.registration_id: pb.REGISTRATION_STATE_ACTIVE,
        }


def introducing() -> movement_pb2.Movement:
    """A death that is the first to tell the number."""
    told = death()
    told.name.CopyFrom(name("James", "Carter"))
    told.birth_date.CopyFrom(Date(year=1980, month=3, day=12))
    told.pnc_id = pnc_id(1).value
    return told


async def test_a_death_that_itself_teaches_the_number_ends_the_registration(service: Service) -> None:
    registration = await ppo(service, numbered())

    async with counted("ended"):
        await hear(service, introducing())

    assert await numbers(service, registration.nominal_id) == [NUMBER]
    ended = await service.latest(registration.nominal_id)
    assert (ended.state, ended.removal_reason) == (
        pb.REGISTRATION_STATE_REMOVED,
        pb.REMOVAL_REASON_DECEASED,
    )


async def test_a_reversal_is_kept_until_the_death_comes_that_teaches_the_number(service: Service) -> None:
    registration = await ppo(service, numbered())

    await hear(service, reversal(introducing()), introducing())

    assert await numbers(service, registration.nominal_id) == [NUMBER]
    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_ACTIVE


async def test_of_nobody_a_reversal_is_kept_for_90_days(service: Service) -> None:
    await hear(service, reversal(death(THIRD), THIRD))
    async with service.database.transaction() as session:
        kept = (await session.execute(text("SELECT count(*) FROM prison_death"))).scalar_one()
    assert kept == 1

    service.clock.at += timedelta(days=90)
    await Runner(service.database, due, service.clock, {REVERSAL_LAPSES: lapse}).step()

    async with service.database.transaction() as session:
        kept = (await session.execute(text("SELECT count(*) FROM prison_death"))).scalar_one()
    assert kept == 0


# ---- merges


async def test_a_removed_number_moves_to_the_holder_of_the_one_that_stays(service: Service) -> None:
    registration = await ppo(service)
    before = await flag(service, registration.nominal_id)

    await hear(service, merge())

    assert await numbers(service, registration.nominal_id) == [NUMBER, OTHER]
    assert (await flag(service, registration.nominal_id)).version > before.version
    assert await service.outcome(person_pb2.Person(identifiers=[prison_number(OTHER)])) == "FLAGGED"


async def test_a_number_that_stays_goes_to_the_holder_of_the_removed_one(service: Service) -> None:
    registration = await ppo(service, numbered(OTHER))

    await hear(service, merge(), death(NUMBER))

    assert await numbers(service, registration.nominal_id) == [OTHER, NUMBER]
    assert (await service.latest(registration.nominal_id)).removal_reason == pb.REMOVAL_REASON_DECEASED


async def test_a_merge_of_two_peoples_numbers_changes_nothing_and_is_to_be_looked_at(
    service: Service,
) -> None:
    one, other = await ppo(service), await ppo(service, numbered(OTHER, serial=2))

    async with counted("two_nominals", "movements_review_total", "reason"):
        await hear(service, merge())

    assert await numbers(service, one.nominal_id) == [NUMBER]
    assert await numbers(service, other.nominal_id) == [OTHER]


async def test_a_merge_told_again_changes_nothing(service: Service) -> None:
    registration = await ppo(service)
    await hear(service, merge())
    before = await flag(service, registration.nominal_id)

    async with counted("nothing_new"):
        await hear(service, merge())

    assert await flag(service, registration.nominal_id) == before


async def test_an_import_of_the_persons_row_keeps_the_numbers_that_merges_brought(service: Service) -> None:
    await service.load(numbered(NUMBER))
    registration = await ppo_of(service, NUMBER)
    await hear(service, merge(), merge(NUMBER, THIRD))

    unchanged = await service.load(numbered(NUMBER))
    renamed = numbered(NUMBER)
    renamed.name.family_name = "Cartwright"
    changed = await service.load(renamed)

    assert (unchanged.unchanged, changed.updated) == (1, 1)
    assert await numbers(service, registration.nominal_id) == [NUMBER, OTHER, THIRD]
    assert (await flag(service, registration.nominal_id)).person.name.family_name == "Cartwright"


async def ppo_of(service: Service, number: str) -> pb.Registration:
    return await service.active((await service.read(prison_number(number))).nominal_id)


# ---- from the topics


@asynccontextmanager
async def listening(consumer: Consumer) -> AsyncIterator[None]:
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await consumer.close()


async def first(kafka: str, topic: str) -> Record:
    tail = Tail(kafka, mock=False, topic=topic)
    await tail.start({})
    try:
        async with asyncio.timeout(30):
            while not (found := await tail.poll()):
                pass
        return found[0]
    finally:
        await tail.close()


async def sent(kafka: str, *records: Record) -> None:
    producer = Producer(kafka, mock=False)
    assert all(await producer.send(records))
    await producer.close()


async def removed(service: Service, registration: pb.Registration) -> pb.Registration:
    async with asyncio.timeout(30):
        while (now := await service.latest(registration.nominal_id)).state != pb.REGISTRATION_STATE_REMOVED:
            await asyncio.sleep(0.1)
    return now


async def test_both_topics_are_heard_and_what_is_no_movement_dies_alone(
    service: Service, topics: str
) -> None:
    registration = await ppo(service)

    await sent(
        topics,
        Record(EVENTS, NUMBER, b"{", {}),
        event("prisoner-offender-search.prisoner.updated"),
        event(hmpps.RELEASED, reason="RELEASED", nomisMovementReasonCode="DEC", prisonId="BMI"),
        ours(death("nonsense")),
    )
    async with listening(listener(service, topics)):
        ended = await removed(service, registration)
        letters = [await first(topics, f"{topic}.dead") for topic in (EVENTS, MOVEMENTS)]

    assert ended.removal_reason == pb.REMOVAL_REASON_DECEASED
    assert [letter.headers["dead_reason"] for letter in letters] == [
        "it is not JSON",
        "prison_number: not a prison_number: its form is wrong",
    ]
    assert {letter.headers["dead_group"] for letter in letters} == {"flagging"}


async def test_a_hostile_record_dies_as_its_head_and_those_beside_it_are_taken(
    service: Service, topics: str
) -> None:
    registration = await ppo(service)
    huge = Record(EVENTS, NUMBER, b" " * 10_000_000, {}, partition=0, offset=0)
    consumer = listener(service, topics)

    await consumer.take([huge, ours(death())])
    await consumer.close()

    assert (await service.latest(registration.nominal_id)).state == pb.REGISTRATION_STATE_REMOVED
    assert len((await first(topics, f"{EVENTS}.dead")).value or b"") == 64 * 1024


async def test_the_process_itself_hears_of_a_death(
    service: Service, own: servers.Database, topics: str, tmp_path: Path
) -> None:
    registration = await ppo(service)
    died = event(hmpps.RELEASED, reason="RELEASED", nomisMovementReasonCode="DEC", prisonId="BMI")

    with running(settings(own.url(SCHEMA), tmp_path, KAFKA=topics)):
        await sent(topics, died)
        ended = await removed(service, registration)

    assert ended.effective_end_time == stamp(NOON)
