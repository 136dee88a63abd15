"""Whose case somebody is, as the desk learns it from tracking's topic; and what it says where it cannot."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from uuid import uuid4

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.custody.inbox import CASES
from services.runtime.broker import Producer, Record, Tail
from tests.integration.custody.running import (
    SECONDS,
    Desk,
    Processes,
    outcome,
    somebody,
    unnumbered,
    until,
)
from tests.integration.custody.test_outages import database_away, flagging_away

VERSIONS = count(1)
CASE = {"ce_type": tracking.Case.DESCRIPTOR.full_name}
POLICE = tracking.Manager(name="PC Shah", telephone="0121 496 0801", organisation="E3")
PROBATION = tracking.Manager(name="Ms Bell", telephone="0121 496 0802")


def case(nominal_id: str, owner: str, version: int = 0) -> tracking.Case:
    return tracking.Case(
        nominal_id=nominal_id,
        version=version or next(VERSIONS),
        ownership=tracking.Ownership(
            owner=owner, interested_ocus=["F2"], state=tracking.OWNERSHIP_STATE_ASSIGNED, rule="O6"
        ),
        police_manager=POLICE,
        probation_manager=PROBATION,
    )


async def told(processes: Processes, *records: Record | tracking.Case) -> None:
    producer = Producer(processes.kafka, mock=False)
    assert all(await producer.send([published(one) for one in records]))
    await producer.close()


def published(one: Record | tracking.Case) -> Record:
    if isinstance(one, Record):
        return one
    return Record(CASES, one.nominal_id, one.SerializeToString(), CASE | {"ce_id": str(uuid4())})


async def buried(processes: Processes, nominal_id: str) -> Record:
    """The dead letter of that person: what stood before it in the topic has been taken."""
    tail = Tail(processes.kafka, mock=False, topic=f"{CASES}.dead")
    await tail.start({})
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                for record in await tail.poll():
                    if record.key == nominal_id:
                        return record
    finally:
        await tail.close()


async def owned(desk: Desk, person: person_pb2.Person, owner: str) -> pb.Answer:
    """Until the desk knows that owner."""
    async with asyncio.timeout(SECONDS):
        while (answer := await desk.check(person)).ownership.owner != owner:
            pass
    return answer


async def kinds(stream: AsyncIterator[pb.WatchSuiteResponse], last: pb.Detention) -> list[str]:
    """What happens in the suite until somebody is booked in."""
    seen: list[str] = []
    async with asyncio.timeout(SECONDS):
        while (event := await anext(stream)).detention.detention_id != last.detention_id:
            seen.append(pb.SuiteEventKind.Name(event.kind).removeprefix("SUITE_EVENT_KIND_"))
    return seen


async def listed(desk: Desk, detention: pb.Detention) -> pb.Answer:
    [found] = [each for each in await desk.listed() if each.detention_id == detention.detention_id]
    return found.answer


# ---- in an answer


async def test_an_answer_names_owner_and_managers_and_the_owner_is_rung(desk: Desk) -> None:
    person = somebody()
    await told(desk.processes, case(await desk.flagged(person, ocu="D3"), "E3"))

    answer = await owned(desk, person, "E3")

    assert (answer.ownership.rule, list(answer.ownership.interested_ocus)) == ("O6", ["F2"])
    assert (answer.police_manager, answer.probation_manager) == (POLICE, PROBATION)
    assert answer.contact.organisation == "West Midlands Police, E3"


async def test_until_tracking_has_decided_the_ocu_that_nominated_is_rung(desk: Desk) -> None:
    person = somebody()
    await desk.flagged(person, ocu="D3")

    answer = await desk.check(person)

    assert not answer.HasField("ownership")
    assert answer.contact.organisation == "West Midlands Police, D3"


async def test_where_the_owner_has_no_duty_rota_the_ocu_that_nominated_is_rung(desk: Desk) -> None:
    person = somebody()
    await told(desk.processes, case(await desk.flagged(person, ocu="D3"), "birmingham-yot"))

    answer = await owned(desk, person, "birmingham-yot")

    assert answer.contact.organisation == "West Midlands Police, D3"


async def test_a_possible_match_names_the_owner_too(desk: Desk) -> None:
    person = somebody()
    await told(desk.processes, case(await desk.flagged(person), "E3"))

    answer = await owned(desk, unnumbered(person), "E3")

    assert outcome(answer) == "POSSIBLE"


async def test_an_older_case_changes_nothing(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    await told(desk.processes, case(nominal_id, "E3", version=3))
    await owned(desk, person, "E3")

    older, same = case(nominal_id, "F3", version=2), case(nominal_id, "F2", version=3)
    await told(desk.processes, older, same, Record(CASES, nominal_id, b"\xff\xff", CASE))
    await buried(desk.processes, nominal_id)

    assert (await desk.check(person)).ownership.owner == "E3"


async def test_a_case_that_is_erased_is_gone_and_may_begin_anew(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person, ocu="D3")
    for owner in ("E3", "F3"):
        await told(desk.processes, case(nominal_id, owner, version=1))
        await owned(desk, person, owner)

        await told(desk.processes, Record(CASES, nominal_id, None, {}))

        answer = await owned(desk, person, "")
        assert not answer.HasField("ownership")
        assert answer.contact.organisation == "West Midlands Police, D3"


async def test_without_its_database_the_desk_is_answered_with_somebody_to_ring(desk: Desk) -> None:
    person = somebody()
    await told(desk.processes, case(await desk.flagged(person, ocu="D3"), "E3"))
    await owned(desk, person, "E3")

    with database_away(desk.processes):
        answer = await desk.check(person)

    assert outcome(answer) == "FLAGGED"
    assert not answer.HasField("ownership")
    assert answer.contact.organisation == "West Midlands Police, D3"
    assert (await owned(desk, person, "E3")).contact.organisation == "West Midlands Police, E3"


async def test_a_case_that_cannot_be_read_dies_alone(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)

    await told(desk.processes, Record(CASES, nominal_id, b"\xff\xff", CASE), case(nominal_id, "E3"))

    assert (await owned(desk, person, "E3")).ownership.owner == "E3"


# ---- in the suite


async def test_a_changed_owner_of_somebody_in_the_suite_is_told_once(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    await told(desk.processes, case(nominal_id, "E3"))
    await owned(desk, person, "E3")
    stream = await desk.watch_from_now()
    detention = await desk.book(person)
    await until(stream, "BOOKED_IN")

    await told(desk.processes, case(nominal_id, "F3"))
    changed = await until(stream, "OWNER_CHANGED")
    await told(desk.processes, case(nominal_id, "F3"), case(await desk.flagged(fence := somebody()), "D1"))
    await owned(desk, fence, "D1")
    last = await desk.book(somebody())

    assert changed.detention.detention_id == detention.detention_id
    assert changed.detention.answer.ownership.owner == "F3"
    assert changed.detention.answer.contact.organisation == "West Midlands Police, F3"
    assert await kinds(stream, last) == []


async def test_another_manager_stands_in_the_custody_record_without_an_event(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    await told(desk.processes, case(nominal_id, "E3"))
    await owned(desk, person, "E3")
    stream = await desk.watch_from_now()
    detention = await desk.book(person)
    await until(stream, "BOOKED_IN")

    another = case(nominal_id, "E3")
    another.police_manager.name = "PC Bell"
    await told(desk.processes, another)
    async with asyncio.timeout(SECONDS):
        while (await listed(desk, detention)).police_manager.name != "PC Bell":
            pass

    assert await kinds(stream, await desk.book(somebody())) == []


async def test_an_owner_who_changes_while_the_register_is_away_is_told_when_it_is_back(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    await told(desk.processes, case(nominal_id, "E3"))
    await owned(desk, person, "E3")
    stream = await desk.watch_from_now()
    await desk.book(person)
    await until(stream, "BOOKED_IN")

    with flagging_away(desk.processes):
        await told(desk.processes, case(nominal_id, "F3"))
        await owned(desk, person, "F3")

    assert (await until(stream, "OWNER_CHANGED")).detention.answer.ownership.owner == "F3"
