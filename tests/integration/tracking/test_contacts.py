"""Whose case somebody is and who can be rung, for whoever asks about many; a date of release off a roll."""

from datetime import date
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.type.date_pb2 import Date

from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import SECONDS, Ppo, World, december, hmpps

PRISON = "prison_offender_management_unit"


async def contacts(world: World, *asked: tuple[str, str]) -> list[pb.Contact]:
    persons = [pb.PersonAsked(nominal_id=one, nominating_ocu=ocu) for one, ocu in asked]
    request = pb.ListContactsRequest(persons=persons, purpose=policy_pb2.PURPOSE_PRISON_CUSTODY)
    return list((await (await world.tracking(PRISON, "BMI")).ListContacts(request, timeout=SECONDS)).contacts)


async def plan(world: World, ppo: Ppo, day: date, role: str = PRISON, **told: Any) -> pb.PlanReleaseResponse:
    release = Date(year=day.year, month=day.month, day=day.day)
    request = pb.PlanReleaseRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, release_date=release, **told
    )
    return await (await world.tracking(role, "BMI")).PlanRelease(request, timeout=SECONDS)


async def test_each_person_has_an_owner_and_somebody_on_duty_in_the_order_asked(world: World) -> None:
    one, other = await world.known(Ppo(ocu="D3")), await world.known(Ppo(ocu="E3"))
    managers = pb.AssignManagersRequest(
        request_id=str(uuid4()),
        nominal_id=one.nominal_id,
        police=pb.Manager(name="PC Hill"),
        probation=pb.Manager(name="Ann Wood"),
    )
    await (await world.tracking()).AssignManagers(managers, timeout=SECONDS)

    found = await contacts(world, (other.nominal_id, "E3"), (one.nominal_id, "D3"))

    assert [(each.nominal_id, each.owner) for each in found] == [
        (other.nominal_id, "E3"),
        (one.nominal_id, "D3"),
    ]
    assert [each.duty_contact.organisation for each in found] == [
        "West Midlands Police, E3",
        "West Midlands Police, D3",
    ]
    assert (found[1].police_manager.name, found[1].probation_manager.name) == ("PC Hill", "Ann Wood")


async def test_of_somebody_unknown_the_nominating_ocu_is_rung_and_else_the_control_room(
    world: World,
) -> None:
    found = await contacts(world, (str(uuid4()), "D3"), (str(uuid4()), ""))

    assert [each.owner for each in found] == ["", ""]
    assert found[0].duty_contact.organisation == "West Midlands Police, D3"
    assert found[1].duty_contact.title == "Force control room"


async def test_a_rolls_date_keeps_the_confirmed_address_and_the_same_date_is_nothing_new(
    world: World,
) -> None:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    await plan(world, ppo, date(2005, 2, 14), ocu="F2")

    same = await plan(world, ppo, date(2005, 2, 14), date_alone=True)
    moved = await plan(world, ppo, date(2005, 3, 7), date_alone=True)
    again = await plan(world, ppo, date(2005, 3, 7), date_alone=True)
    back = await plan(world, ppo, date(2005, 2, 14), date_alone=True)

    assert [one.unchanged for one in (same, moved, again, back)] == [True, False, True, False]
    assert moved.case.ownership.proposed_owner == "F2"


async def test_a_rolls_date_stands_before_the_reception_is_known(world: World) -> None:
    ppo = await world.known(Ppo())

    first = await plan(world, ppo, date(2005, 2, 14), date_alone=True)
    again = await plan(world, ppo, date(2005, 2, 14), date_alone=True)

    assert (first.unchanged, again.unchanged) == (False, True)


async def test_the_date_alone_has_no_address(world: World) -> None:
    ppo = await world.known(Ppo())

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plan(world, ppo, date(2005, 2, 14), date_alone=True, ocu="F2")

    assert channel.violations(refused.value) == [("ocu", "is not given with the date alone")]
