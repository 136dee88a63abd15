"""A notice leaves at once as provisional; the hold confirms it silently, a reversal retracts it."""

from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
from casework.v1 import casework_pb2 as casework

from deploy.embedded import clock
from ppo.custody.v1 import events_pb2 as custody
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from tests.integration.tracking.running import (
    ARRESTS,
    NOW,
    SECONDS,
    Ppo,
    World,
    casework_notice,
    december,
    hmpps,
    stamp,
)

PROVISIONAL, CONFIRMED, RETRACTED = (
    pb.NOTICE_STATE_PROVISIONAL,
    pb.NOTICE_STATE_CONFIRMED,
    pb.NOTICE_STATE_RETRACTED,
)
ARRESTED = pb.NOTICE_TYPE_PPO_ARRESTED
HOLD = timedelta(minutes=45)


class Hours:
    """The clock goes on for all tests of the module, a hold and more at a time."""

    passed = timedelta()


def later(world: World, by: timedelta) -> datetime:
    Hours.passed += by
    clock.move(world.processes.directory, NOW + Hours.passed)
    return NOW + Hours.passed


def told(notices: list[notice_pb2.Notice]) -> list[tuple[int, int, int, bool]]:
    return [(one.type, one.revision, one.state, one.silent) for one in notices]


async def test_a_release_is_told_at_once_and_confirmed_silently_when_the_hold_has_passed(
    world: World,
) -> None:
    ppo = await world.known(Ppo())
    await world.publish(
        hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"),
        hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "CR"),
    )
    at_once = await world.notices("E3", ppo, 3)

    later(world, HOLD + timedelta(minutes=1))

    confirmed = (await world.notices("E3", ppo, 5))[3:]
    assert told(at_once[1:]) == [
        (pb.NOTICE_TYPE_PRISON_RECEPTION, 1, PROVISIONAL, False),
        (pb.NOTICE_TYPE_RELEASED, 1, PROVISIONAL, False),
    ]
    assert sorted(told(confirmed)) == [
        (pb.NOTICE_TYPE_PRISON_RECEPTION, 2, CONFIRMED, True),
        (pb.NOTICE_TYPE_RELEASED, 2, CONFIRMED, True),
    ]
    assert {one.notice_id for one in confirmed} == {one.notice_id for one in at_once[1:]}
    assert {one.movement.release_kind for one in confirmed} == {"", "SUPERVISED"}
    # The register's own decision was never provisional.
    assert told(at_once[:1]) == [(pb.NOTICE_TYPE_PPO_FLAG_SET, 1, CONFIRMED, False)]


async def test_a_provider_has_it_at_once_and_the_confirmation_without_an_alert(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    topic, key = "casework.birmingham-housing.v1", world.case_reference(ppo)
    await world.records(topic, 1, key=key)

    later(world, HOLD + timedelta(minutes=1))

    first, second = [casework_notice(one) for one in await world.records(topic, 2, key=key)]
    assert (first.state, first.silent) == (casework.CASE_NOTICE_STATE_PROVISIONAL, False)
    assert (second.state, second.silent) == (casework.CASE_NOTICE_STATE_CONFIRMED, True)
    assert second.due_time == first.due_time


async def test_what_is_taken_back_within_the_hold_is_retracted_and_never_confirmed(world: World) -> None:
    ppo = await world.known(Ppo())
    now = later(world, timedelta(minutes=1))
    detention = await world.arrest(ppo, now)
    [first] = await world.notices("E3", ppo, 1, ARRESTED)
    withdrawn = custody.PpoArrestWithdrawn(
        detention_id=detention, nominal_id=ppo.nominal_id, recorded_time=stamp(now)
    )

    await world.send(ARRESTS, ppo.nominal_id, withdrawn)
    await world.notices("E3", ppo, 2, ARRESTED)
    later(world, HOLD + timedelta(minutes=1))
    await world.arrest(ppo, now + HOLD)

    *taken_back, other = await world.notices("E3", ppo, 3, ARRESTED)
    assert told(taken_back) == [(ARRESTED, 1, PROVISIONAL, False), (ARRESTED, 2, RETRACTED, False)]
    assert other.notice_id != first.notice_id


async def test_a_change_alerts_and_is_held_anew(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(
        hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"),
        hmpps("released", ppo.number, december(3), "TRANSFERRED", "BMI", "NOTR"),
    )
    await world.notices("E3", ppo, 3)
    later(world, HOLD + timedelta(minutes=1))
    await world.notices("E3", ppo, 5)

    await world.publish(hmpps("received", ppo.number, december(3, 12), "TRANSFERRED", "FSI", "INT"))
    await world.notices("E3", ppo, 6)
    later(world, HOLD + timedelta(minutes=1))

    notices = await world.notices("E3", ppo, 7)
    transfer = [one for one in notices if one.type == pb.NOTICE_TYPE_PRISON_TRANSFER]
    assert told(transfer) == [
        (pb.NOTICE_TYPE_PRISON_TRANSFER, revision, state, silent)
        for revision, state, silent in (
            (1, PROVISIONAL, False),
            (2, CONFIRMED, True),
            (3, PROVISIONAL, False),
            (4, CONFIRMED, True),
        )
    ]
    assert [one.movement.prison_id for one in transfer] == ["", "", "FSI", "FSI"]


async def test_who_has_acknowledged_it_is_asked_for_nothing_when_it_is_confirmed(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    [_, received] = await world.notices("E3", ppo, 2)
    own = await world.tracking()
    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=received.notice_id)
    await own.AcknowledgeNotice(request, timeout=SECONDS)

    later(world, HOLD + timedelta(minutes=1))

    await world.notices("E3", ppo, 3)
    asked = pb.ListNoticesRequest(
        purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT, unacknowledged=True, page_size=500
    )
    waiting = (await own.ListNotices(asked, timeout=SECONDS)).notices
    assert received.notice_id not in {notice_pb2.Notice.FromString(one.record).notice_id for one in waiting}


async def test_an_acknowledgement_of_the_first_revision_settles_what_only_confirms_it(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    [_, received] = await world.notices("E3", ppo, 2)
    later(world, HOLD + timedelta(minutes=1))
    await world.notices("E3", ppo, 3)

    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=received.notice_id, revision=1)
    await (await world.tracking()).AcknowledgeNotice(request, timeout=SECONDS)

    asked = "SELECT revision FROM tracking.delivery WHERE notice_id = %s AND acknowledged_time IS NOT NULL"
    with psycopg.connect(world.processes.database.superuser) as connection:
        settled = connection.execute(asked, (received.notice_id,)).fetchall()
    assert sorted(settled) == [(1,), (2,)]
