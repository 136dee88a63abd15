"""A movement becomes journey, owner, case and notices, in whatever form it comes and however often."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.type.date_pb2 import Date

from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from tests import builders
from tests.integration.tracking.running import (
    FLAGS,
    MOVEMENTS,
    SECONDS,
    Ppo,
    World,
    december,
    hmpps,
    movement,
    stamp,
)
from tests.integration.tracking.test_merges import send

RECEPTION = movement_pb2.MOVEMENT_KIND_RECEPTION
MERGE = movement_pb2.MOVEMENT_KIND_MERGE
TRANSFER_IN = movement_pb2.MOVEMENT_KIND_TRANSFER_IN
TRANSFER_OUT = movement_pb2.MOVEMENT_KIND_TRANSFER_OUT


def transfers_told(world: World, ppo: Ppo) -> int:
    told = "SELECT count(*) FROM tracking.notice WHERE nominal_id = %s AND type = %s"
    with psycopg.connect(world.processes.database.superuser) as connection:
        [(count,)] = connection.execute(told, (ppo.nominal_id, pb.NOTICE_TYPE_PRISON_TRANSFER)).fetchall()
    return int(count)


async def test_a_reception_reaches_owner_probation_and_prison(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))

    journey = await world.moved(ppo, 1)
    [_, owner] = await world.notices("E3", ppo, 2)
    [_, probation] = await world.notices("probation-5", ppo, 2)
    [prison] = await world.notices("BMI", ppo, 1)
    assert (journey.position, journey.prison_id) == (pb.POSITION_CUSTODY_REMAND, "BMI")
    assert {one.type for one in (owner, probation, prison)} == {pb.NOTICE_TYPE_PRISON_RECEPTION}
    assert owner.movement.prison_number == ppo.number


async def test_a_transfer_as_two_events_is_one_notice_in_two_revisions(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.publish(
        hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"),
        hmpps("released", ppo.number, december(3), "TRANSFERRED", "BMI", "NOTR"),
    )
    await world.moved(ppo, 2)
    await world.publish(hmpps("received", ppo.number, december(3, 12), "TRANSFERRED", "FSI", "INT"))

    await world.moved(ppo, 3)
    [_, _, left, arrived] = await world.notices("E3", ppo, 4)
    assert {left.type, arrived.type} == {pb.NOTICE_TYPE_PRISON_TRANSFER}
    assert left.notice_id == arrived.notice_id
    assert [left.revision, arrived.revision] == [1, 2]
    assert (arrived.movement.from_prison_id, arrived.movement.prison_id) == ("BMI", "FSI")


async def test_a_transfer_whose_arrival_is_told_first_in_one_batch_is_one_notice(world: World) -> None:
    ppo = await world.known(Ppo())
    moved = [
        movement(ppo, RECEPTION, december(1), prison_id="BMI", reason_code="N"),
        movement(ppo, TRANSFER_IN, december(3, 12), prison_id="FSI", reason_code="INT"),
        movement(ppo, TRANSFER_OUT, december(3), prison_id="BMI", reason_code="NOTR"),
    ]
    request_id = str(uuid4())
    rows = [
        pb.ReportMovementsRequest(request_id=request_id, line=line, movement=one)
        for line, one in enumerate(moved, start=1)
    ]

    await (await world.tracking("importer")).ReportMovements(iter(rows), timeout=SECONDS)

    assert len((await world.moved(ppo, 3)).steps) == 3
    assert transfers_told(world, ppo) == 1


async def test_a_court_trip_is_no_release(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.publish(
        hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"),
        hmpps("released", ppo.number, december(6, 8), "SENT_TO_COURT", "BMI", "CRT"),
        hmpps("received", ppo.number, december(6, 17), "RETURN_FROM_COURT", "BMI", "CRT"),
        hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "CR"),
    )

    journey = await world.moved(ppo, 4)
    told = await world.notices("E3", ppo, 3)
    assert journey.position == pb.POSITION_SUPERVISED
    assert [one.type for one in told] == [
        pb.NOTICE_TYPE_PPO_FLAG_SET,
        pb.NOTICE_TYPE_PRISON_RECEPTION,
        pb.NOTICE_TYPE_RELEASED,
    ]
    assert told[2].movement.occurred_time == stamp(december(20))


async def test_the_case_says_what_is_in_force(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.publish(
        hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"),
        hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "CR"),
    )

    case = await world.case(ppo, lambda case: list(case.legal_statuses) == ["LICENCE"])
    assert case.ownership.owner == "E3"
    assert case.position == pb.POSITION_SUPERVISED


async def test_a_movement_of_an_unknown_number_waits_until_somebody_has_it(world: World) -> None:
    ppo = Ppo()
    request = pb.ReportMovementRequest(
        request_id=str(uuid4()),
        movement=movement(ppo, RECEPTION, december(2), prison_id="BMI", reason_code="N"),
    )
    importer = await world.tracking("importer")
    answer = await importer.ReportMovement(request, timeout=SECONDS)

    await world.known(ppo)

    assert answer.fate == pb.MOVEMENT_FATE_PARKED
    assert (await world.moved(ppo, 1)).position == pb.POSITION_CUSTODY_REMAND


async def test_what_moved_under_a_number_that_is_taken_back_waits_for_whose_it_is(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await world.moved(ppo, 1)

    await world.flag(replace(ppo, numbered=False))

    told, retracted = await world.notices("BMI", ppo, 2)
    assert (told.notice_id, retracted.state) == (retracted.notice_id, pb.NOTICE_STATE_RETRACTED)
    assert len((await world.journey(ppo)).steps) == 0
    released = movement(
        ppo, movement_pb2.MOVEMENT_KIND_RELEASE, december(3), prison_id="BMI", reason_code="CR"
    )
    request = pb.ReportMovementRequest(request_id=str(uuid4()), movement=released)
    answer = await (await world.tracking("importer")).ReportMovement(request, timeout=SECONDS)
    assert answer.fate == pb.MOVEMENT_FATE_PARKED
    other = await world.known(Ppo(number=ppo.number))
    assert len((await world.moved(other, 2)).steps) == 2
    assert len((await world.journey(ppo)).steps) == 0


async def test_whom_a_movement_names_is_for_the_register_to_find_and_not_kept_here(world: World) -> None:
    ppo = Ppo()
    named = movement(ppo, RECEPTION, december(2), prison_id="BMI", reason_code="N")
    named.name.CopyFrom(builders.name("Wilfred", "Tadcaster"))
    named.birth_date.CopyFrom(Date(year=1980, month=3, day=12))
    request = pb.ReportMovementRequest(request_id=str(uuid4()), movement=named)

    answer = await (await world.tracking("importer")).ReportMovement(request, timeout=SECONDS)

    [asked] = await world.records(MOVEMENTS, 1, key=ppo.number)
    kept = "SELECT movement FROM tracking.parked WHERE prison_number = %s"
    with psycopg.connect(world.processes.database.superuser) as connection:
        [(parked,)] = connection.execute(kept, (ppo.number,)).fetchall()
    assert answer.fate == pb.MOVEMENT_FATE_PARKED
    assert movement_pb2.Movement.FromString(asked.value or b"").name == named.name
    assert not movement_pb2.Movement.FromString(parked).HasField("name")
    await world.known(ppo)
    assert (await world.moved(ppo, 1)).position == pb.POSITION_CUSTODY_REMAND


async def test_of_a_death_that_has_waited_for_its_number_the_register_hears_again(world: World) -> None:
    ppo = Ppo()
    died = movement(ppo, movement_pb2.MOVEMENT_KIND_RELEASE, december(2), prison_id="BMI", reason_code="DEC")
    request = pb.ReportMovementRequest(request_id=str(uuid4()), movement=died)
    answer = await (await world.tracking("importer")).ReportMovement(request, timeout=SECONDS)
    assert answer.fate == pb.MOVEMENT_FATE_PARKED

    await world.known(ppo)

    first, again = await world.records(MOVEMENTS, 2, key=ppo.number)
    assert first.headers["ce_id"] != again.headers["ce_id"]
    assert first.value == again.value == died.SerializeToString()


async def test_of_a_death_under_a_number_that_goes_to_another_the_register_hears_again(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("released", ppo.number, december(2), "RELEASED", "BMI", "DEC"))
    await world.moved(ppo, 1)

    await world.flag(replace(ppo, numbered=False))
    await world.flag(Ppo(number=ppo.number))

    [told] = await world.records(MOVEMENTS, 1, key=ppo.number)
    assert movement_pb2.Movement.FromString(told.value or b"").reason_code == "DEC"


async def test_of_a_death_under_a_number_that_an_older_flag_has_too_the_register_hears_nothing(
    world: World,
) -> None:
    ppo = Ppo()
    older = Ppo(number=ppo.number).flag()
    await world.known(ppo)
    await world.publish(hmpps("released", ppo.number, december(2), "RELEASED", "BMI", "DEC"))
    await world.moved(ppo, 1)

    await send(world, [older])

    told = "SELECT 1 FROM tracking.outbox WHERE topic = %s AND key = %s"
    with psycopg.connect(world.processes.database.superuser) as connection:
        assert connection.execute(told, (MOVEMENTS, ppo.number)).fetchall() == []


async def test_a_repeat_takes_effect_once(world: World) -> None:
    ppo = await world.known(Ppo())
    received = hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N")

    await world.publish(received, received, received | {"publishedAt": "2004-12-01T09:10:00Z"})
    await world.publish(hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "BL"))

    journey = await world.moved(ppo, 2)
    told = await world.notices("E3", ppo, 3)
    assert len(journey.steps) == 2
    assert len(told) == 3


async def test_a_repeated_request_gets_the_first_answer(world: World) -> None:
    ppo = await world.known(Ppo())
    importer = await world.tracking("importer")
    request = pb.ReportMovementRequest(
        request_id=str(uuid4()),
        movement=movement(ppo, RECEPTION, december(2), prison_id="BMI", reason_code="N"),
    )

    answers = [await importer.ReportMovement(request, timeout=SECONDS) for _ in range(2)]
    request.request_id = str(uuid4())
    again = await importer.ReportMovement(request, timeout=SECONDS)

    assert [one.fate for one in answers] == [pb.MOVEMENT_FATE_RECORDED] * 2
    assert again.fate == pb.MOVEMENT_FATE_REPEATED


async def test_many_movements_are_taken_but_those_that_cannot_be(world: World) -> None:
    ppo = await world.known(Ppo())
    request_id = str(uuid4())
    wrong = movement(ppo, RECEPTION, december(3), prison_id="BMI")
    wrong.prison_number = "12345"
    moved = [
        movement(ppo, RECEPTION, december(2), prison_id="BMI", reason_code="N"),
        wrong,
        movement(Ppo(), RECEPTION, december(2), prison_id="BMI", reason_code="N"),
    ]
    rows = [
        pb.ReportMovementsRequest(request_id=request_id, line=line, movement=one)
        for line, one in enumerate(moved, start=1)
    ]

    answer = await (await world.tracking("importer")).ReportMovements(iter(rows), timeout=SECONDS)

    assert (answer.recorded, answer.parked, answer.refused) == (1, 1, 1)
    assert [(one.line, one.field) for one in answer.refusals] == [(2, "prison_number")]


async def test_a_merge_of_one_persons_numbers_brings_the_other_numbers_movements(world: World) -> None:
    ppo = await world.known(Ppo())
    other = Ppo()
    kept = movement(ppo, MERGE, december(5), removed_prison_number=other.number)

    await world.send(MOVEMENTS, other.number, movement(other, RECEPTION, december(2), prison_id="BMI"))
    await world.send(MOVEMENTS, ppo.number, kept)

    assert (await world.moved(ppo, 1)).prison_id == "BMI"


async def test_a_merge_of_two_peoples_numbers_changes_nothing_and_waits_for_review(world: World) -> None:
    ppo, other = await world.known(Ppo()), await world.known(Ppo())
    await world.send(MOVEMENTS, other.number, movement(other, RECEPTION, december(2), prison_id="BMI"))
    await world.moved(other, 1)
    before = await world.processes.metric('ppo_reviews{kind="merge"}')

    await world.send(
        MOVEMENTS, ppo.number, movement(ppo, MERGE, december(5), removed_prison_number=other.number)
    )

    async with asyncio.timeout(SECONDS):
        while await world.processes.metric('ppo_reviews{kind="merge"}') != before + 2:
            await asyncio.sleep(0.2)
    assert len((await world.journey(ppo)).steps) == 0
    assert len((await world.journey(other)).steps) == 1


async def test_a_journey_is_read_as_of_any_time_as_known_at_any_time(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await world.moved(ppo, 1)

    before = await world.journey(ppo, as_of_time=stamp(december(1, 8)))
    unknown = await world.journey(ppo, known_at_time=stamp(december(30)))

    assert before.position == pb.POSITION_OTHER_OR_NOT_KNOWN
    assert len(unknown.steps) == 0


async def test_a_bare_role_may_not_read_a_journey(world: World) -> None:
    request = pb.GetJourneyRequest()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (await world.tracking("importer")).GetJourney(request, timeout=SECONDS)

    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_who_had_the_case_is_told_that_it_has_ended(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.flag(replace(ppo, end=december(20)))

    told = [await world.notices(organisation, ppo, 2) for organisation in ("E3", "probation-5")]
    assert {cleared.type for _, cleared in told} == {pb.NOTICE_TYPE_PPO_FLAG_CLEARED}


async def test_whoever_was_told_of_a_nominal_is_told_that_it_lives_on_in_another(world: World) -> None:
    ppo, kept = await world.known(Ppo()), await world.known(Ppo(ocu="F1"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await world.notices("BMI", ppo, 1)
    merged = ppo.flag()
    merged.state, merged.merged_into = screening_pb2.FLAG_STATE_MERGED_INTO, kept.nominal_id
    # Its registrations are the other's now, so that nothing of it says any more whose case it was.
    del merged.episodes[:]

    await world.send(FLAGS, ppo.nominal_id, merged)

    for organisation in ("E3", "probation-5", "BMI"):
        [cleared] = await world.notices(organisation, ppo, 1, pb.NOTICE_TYPE_PPO_FLAG_CLEARED)
        assert cleared.flag_state == screening_pb2.FLAG_STATE_MERGED_INTO
        assert cleared.goes_on_as_nominal_id == kept.nominal_id
