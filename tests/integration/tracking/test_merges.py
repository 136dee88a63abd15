"""Two PPOs are found to be one, and to be two after all: case, journey, notices and counts follow."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import psycopg
import pytest
from casework.v1 import casework_pb2 as casework
from google.type.date_pb2 import Date

from deploy.embedded import clock
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from tests.integration.tracking.running import (
    FLAGS,
    NOW,
    SECONDS,
    Ppo,
    World,
    casework_notice,
    december,
    hmpps,
    stamp,
)
from tests.integration.tracking.test_months import close, counts, total

OCTOBER, NOVEMBER, DECEMBER = (Date(year=2004, month=month) for month in (10, 11, 12))
# After the months that are closed here, but for who is merged within them.
MERGED, UNMERGED = datetime(2005, 1, 1, 12, tzinfo=UTC), datetime(2005, 1, 2, 12, tzinfo=UTC)
RECEPTION, RELEASED = pb.NOTICE_TYPE_PRISON_RECEPTION, pb.NOTICE_TYPE_RELEASED
HOUSING = "casework.birmingham-housing.v1"
CONFIRMED, RETRACTED = pb.NOTICE_STATE_CONFIRMED, pb.NOTICE_STATE_RETRACTED


async def send(world: World, flags: Iterable[flagging.Flag]) -> None:
    """And waits until tracking has them."""
    for flag in flags:
        await world.send(FLAGS, flag.nominal_id, flag)
        await taken(world, flag)


def merged(one: Ppo, into: Ppo, at: datetime = MERGED) -> list[flagging.Flag]:
    """As the register publishes them: one lives on with both registrations, of which the later ended."""
    away, living = one.flag(), into.flag()
    away.episodes[0].nominal_id = one.nominal_id
    away.episodes[0].merged = True
    away.episodes[0].effective_end_time.CopyFrom(stamp(at))
    living.episodes.extend(away.episodes)
    living.person.identifiers.extend(away.person.identifiers)
    living.merged_persons.append(away.person)
    living.merged_nominal_ids.append(one.nominal_id)
    del away.episodes[:]
    away.state, away.merged_into = screening_pb2.FLAG_STATE_MERGED_INTO, into.nominal_id
    away.merges.add(into_nominal_id=into.nominal_id, merged_time=stamp(at))
    return recorded([living, away], at)


def unmerged(one: Ppo, into: Ppo, at: datetime = MERGED, until: datetime = UNMERGED) -> list[flagging.Flag]:
    away, living = one.flag(), into.flag()
    away.merges.add(into_nominal_id=into.nominal_id, merged_time=stamp(at), unmerged_time=stamp(until))
    return recorded([living, away], until)


def recorded(flags: list[flagging.Flag], at: datetime) -> list[flagging.Flag]:
    """Of one change of the register."""
    for flag in flags:
        flag.recorded_time.CopyFrom(stamp(at))
    return flags


async def taken(world: World, flag: flagging.Flag) -> None:
    asked = "SELECT 1 FROM tracking.person WHERE nominal_id = %s AND flag_version >= %s"
    with psycopg.connect(world.processes.database.superuser, autocommit=True) as connection:
        async with asyncio.timeout(SECONDS):
            while not connection.execute(asked, (flag.nominal_id, flag.version)).fetchall():
                await asyncio.sleep(0.05)


async def cleared(world: World, organisation: str, ppo: Ppo, many: int) -> list[notice_pb2.Notice]:
    """The notices that the flag is no more, once there are so many."""
    async with asyncio.timeout(SECONDS):
        for least in count(many):
            told = await world.notices(organisation, ppo, least)
            found = [one for one in told if one.type == pb.NOTICE_TYPE_PPO_FLAG_CLEARED]
            if len(found) >= many:
                break
    return found


def said(case: pb.Case) -> pb.Case:
    """But for what counts up."""
    copy = pb.Case()
    copy.CopyFrom(case)
    copy.ClearField("version")
    copy.ClearField("recorded_time")
    return copy


async def two(world: World) -> tuple[Ppo, Ppo]:
    """Each with a reception of their own, one arrest, and an owner."""
    away, living = await world.known(Ppo(ocu="D3")), await world.known(Ppo(ocu="E3"))
    await world.lives(away, "D3")
    await world.lives(living, "E3")
    await world.publish(hmpps("received", away.number, december(1), "ADMISSION", "BMI", "I"))
    await world.publish(hmpps("received", living.number, december(5), "ADMISSION", "BMI", "I"))
    await world.moved(away, 1)
    await world.moved(living, 1)
    return away, living


async def test_the_case_of_both_goes_on_as_one_and_comes_apart_as_it_was(world: World) -> None:
    away, living = await two(world)
    before = {ppo.nominal_id: await world.journey(ppo) for ppo in (away, living)}
    owner = {ppo.nominal_id: await world.ownership(ppo) for ppo in (away, living)}
    held = await world.case(away, lambda case: case.position == pb.POSITION_CUSTODY_SENTENCED)

    await send(world, merged(away, living))
    gone = await world.case(away, lambda case: case.merged_into)
    united = await world.moved(living, 2)
    of_away = await world.journey(away)
    owners = [await world.ownership(ppo) for ppo in (away, living)]
    await send(world, unmerged(away, living))
    again = await world.case(away, lambda case: case.version > gone.version and not case.merged_into)
    await world.case(living, lambda case: case.version > 0 and case.ownership.owner == "E3")

    assert (gone.merged_into, gone.ownership.owner) == (living.nominal_id, "")
    assert united == of_away
    assert owners[0] == owners[1]
    assert said(again) == said(held)
    assert {ppo.nominal_id: await world.journey(ppo) for ppo in (away, living)} == before
    assert {ppo.nominal_id: await world.ownership(ppo) for ppo in (away, living)} == owner


async def test_whose_flag_is_no_more_is_told_and_taken_back_with_the_merge(world: World) -> None:
    away, living = await two(world)
    await send(world, merged(away, living))
    first = await cleared(world, "D3", away, 1)

    await send(world, unmerged(away, living))
    told = await cleared(world, "D3", away, 2)

    assert [one.flag_state for one in first] == [screening_pb2.FLAG_STATE_MERGED_INTO]
    assert {one.notice_id for one in told} == {first[0].notice_id}
    assert [one.state for one in told] == [CONFIRMED, RETRACTED]


async def test_a_registration_that_ended_by_a_merge_clears_no_flag_of_who_is_a_ppo_still(
    world: World,
) -> None:
    away, living = await two(world)
    # The other way round: the registration of the one that lives on is the later.
    flags = merged(living, away)
    flags[0].nominal_id, flags[1].nominal_id = living.nominal_id, away.nominal_id
    flags[0].episodes[0].nominal_id, flags[0].episodes[1].nominal_id = away.nominal_id, ""
    flags[0].merged_nominal_ids[:] = [away.nominal_id]
    flags[1].merged_into = flags[1].merges[0].into_nominal_id = living.nominal_id
    await send(world, flags)
    await cleared(world, "D3", away, 1)
    await world.lives(living, "F1")

    told = await world.notices("E3", living, 2)

    assert pb.NOTICE_TYPE_PPO_FLAG_CLEARED not in {one.type for one in told}


# Whichever of the two flags comes first.
ORDERS = pytest.mark.parametrize("order", [1, -1])


@ORDERS
async def test_who_was_told_of_the_one_learns_under_the_same_notice_as_whom_the_person_lives_on(
    world: World, order: int
) -> None:
    away, living = await two(world)
    [first] = await world.notices("D3", away, 1, RECEPTION)

    await send(world, merged(away, living)[::order])
    following = (await world.notices("D3", away, 2, RECEPTION))[1]
    [to_owner] = await world.notices("E3", away, 1, RECEPTION)
    await send(world, unmerged(away, living)[::order])
    again = (await world.notices("D3", away, 3, RECEPTION))[-1]

    told = (first, following, to_owner, again)
    assert {one.notice_id for one in told} == {first.notice_id}
    assert [one.goes_on_as_nominal_id for one in told] == ["", living.nominal_id, living.nominal_id, ""]
    assert RETRACTED not in {one.state for one in told}
    assert not following.silent


@ORDERS
async def test_a_provider_learns_under_which_reference_a_case_goes_on(world: World, order: int) -> None:
    away, living = await two(world)
    one, other = world.case_reference(away), world.case_reference(living)
    await world.records(HOUSING, 1, key=one)

    await send(world, merged(away, living)[::order])
    following = await world.records(HOUSING, 2, key=one)
    await send(world, unmerged(away, living)[::order])
    records = await world.records(HOUSING, 3, key=one)

    assert [casework_notice(record).goes_on_as for record in following] == ["", other]
    assert casework_notice(records[-1]).goes_on_as == ""
    assert casework_notice(records[-1]).state != casework.CASE_NOTICE_STATE_RETRACTED


async def test_until_the_flag_of_both_has_come_what_was_told_of_the_one_stands(world: World) -> None:
    away = await world.known(Ppo(ocu="D3"))
    living = await world.known(Ppo(ocu="E3", start=december(15).replace(month=10)))
    received = december(10).replace(month=10)
    await world.publish(hmpps("received", away.number, received, "ADMISSION", "BMI", "I"))
    await world.moved(away, 1)
    await world.notices("D3", away, 1, RECEPTION)

    of_both, gone = merged(away, living)
    await send(world, [gone, of_both])
    told = await world.notices("D3", away, 2, RECEPTION)

    assert [one.goes_on_as_nominal_id for one in told] == ["", living.nominal_id]
    assert RETRACTED not in {one.state for one in told}


async def test_what_was_told_of_the_one_in_error_is_retracted_though_they_live_on_in_another(
    world: World,
) -> None:
    away, living = await two(world)
    await world.publish(hmpps("released", away.number, december(20), "RELEASED", "BMI", "CR"))
    [told] = await world.notices("D3", away, 1, RELEASED)
    await send(world, merged(away, living))
    journey = await world.moved(living, 3)

    request = pb.WithdrawFactRequest(
        request_id=str(uuid4()),
        nominal_id=living.nominal_id,
        fact_id=journey.steps[-1].fact_id,
        reason="another prisoner",
    )
    await (await world.tracking()).WithdrawFact(request, timeout=SECONDS)

    last = (await world.notices("D3", away, 3, RELEASED))[-1]
    assert (last.notice_id, last.state) == (told.notice_id, RETRACTED)


async def test_a_merge_that_is_told_again_tells_nobody_anything(world: World) -> None:
    away, living = await two(world)
    await send(world, merged(away, living))
    await world.notices("D3", away, 2, RECEPTION)
    before = deliveries(world, away, living)

    await send(world, merged(away, living))
    await world.lives(living, "E3")

    assert deliveries(world, away, living) == before


def deliveries(world: World, *ppos: Ppo) -> int:
    """But for those of a hand-over, which a residence that is told again may cause."""
    asked = (
        "SELECT count(*) FROM tracking.delivery JOIN tracking.notice USING (notice_id)"
        " WHERE nominal_id = ANY (%s)"
    )
    with psycopg.connect(world.processes.database.superuser) as connection:
        [(found,)] = connection.execute(asked, ([ppo.nominal_id for ppo in ppos],)).fetchall()
    return int(found)


async def test_what_is_said_of_the_merged_is_of_the_living_and_stays_its_own(world: World) -> None:
    away, living = await two(world)
    await send(world, merged(away, living))
    await world.case(away, lambda case: case.merged_into)

    case = await world.lives(away, "F2")
    await send(world, unmerged(away, living))
    own = await world.case(away, lambda case: case.version > 1 and case.ownership.owner == "F2")

    assert case.nominal_id == living.nominal_id
    assert own.nominal_id == away.nominal_id
    assert (await world.ownership(living)).owner == "E3"


async def test_two_merged_are_one_head_from_then_on_and_two_again_after(world: World) -> None:
    away, living = await two(world)
    await close(world, OCTOBER)
    was = total(await counts(world, OCTOBER), "M0")[0]

    found_one, found_two = december(10).replace(month=11), december(10)
    await send(world, merged(away, living, found_one))
    await world.case(away, lambda case: case.merged_into)
    await close(world, NOVEMBER)
    await send(world, unmerged(away, living, found_one, found_two))
    await world.case(away, lambda case: case.version > 2 and not case.merged_into and case.ownership.owner)
    await close(world, DECEMBER)

    november, found = await counts(world, NOVEMBER), await counts(world, DECEMBER)
    assert total(november, "M0", "M1", "MERGED", "M5") == [was - 1, was - 1, -1, 0]
    assert total(found, "M0", "M1", "MERGED", "M6") == [was, was, 1, 0]


async def test_a_late_flag_of_the_merge_moves_no_registration_back(world: World) -> None:
    away, living = await world.known(Ppo(ocu="D3")), await world.known(Ppo(ocu="E3"))
    with_both, gone = merged(away, living)
    alone, back = unmerged(away, living)

    await send(world, [gone])
    await world.case(away, lambda case: case.merged_into)
    await send(world, [back])
    await world.case(away, lambda case: case.version > 2 and not case.merged_into)
    await send(world, [with_both, alone])

    assert registered(world, away) == [(away.registration_id, away.nominal_id)]
    assert registered(world, living) == [(living.registration_id, living.nominal_id)]


def registered(world: World, ppo: Ppo) -> list[tuple[str, str]]:
    """What the month's counts begin with."""
    asked = "SELECT registration_id, nominal_id FROM tracking.episode WHERE registration_id = %s"
    with psycopg.connect(world.processes.database.superuser) as connection:
        return connection.execute(asked, (ppo.registration_id,)).fetchall()


# ---- what time brings; this comes last, for the clock goes on


async def test_what_nobody_acknowledged_of_the_one_is_told_to_who_has_the_case_now(world: World) -> None:
    away, living = await two(world)
    [told] = await world.notices("D3", away, 1, RECEPTION)
    await send(world, merged(away, living))
    await world.notices("D3", away, 2, RECEPTION)

    clock.move(world.processes.directory, NOW + timedelta(days=4))

    async with asyncio.timeout(SECONDS):
        for many in count(1):
            late = await world.notices("E3", living, many, pb.NOTICE_TYPE_NOT_ACKNOWLEDGED)
            if told.notice_id in {one.overdue.notice_id for one in late}:
                break
