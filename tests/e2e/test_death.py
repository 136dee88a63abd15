"""A prison takes back a death that it told of: the person is a PPO again, at the desk and to everybody."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from tests.e2e import suite
from tests.e2e.suite import Prisons, Processes, told
from tests.e2e.test_day import QUIET_SECONDS, RECEIVED, Move, december, moved, numbered
from tests.integration.custody import running
from tests.integration.custody.running import PATIENTLY, SECONDS, Desk
from tests.integration.tracking.running import prison_number, stamp
from tests.servers import Servers

NUMBER = "A1000BC"
DIED = Move(7, "released", "RELEASED", "DEC")
CLEARED = "PPO_FLAG_CLEARED"


async def death(processes: Processes, nominal_id: str) -> tracking.JourneyStep:
    """As tracking has it."""
    request = tracking.GetJourneyRequest(
        identifier=prison_number(NUMBER), purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT
    )
    async with (
        suite.tracking_as(processes, "police_offender_manager", "D3") as manager,
        asyncio.timeout(SECONDS),
    ):
        while True:
            journey = (await manager.GetJourney(request, **PATIENTLY)).journey
            if journey.nominal_id == nominal_id and len(journey.steps) == 2:
                return journey.steps[1]
            await asyncio.sleep(0.1)


async def reported(processes: Processes, nominal_id: str) -> None:
    reversal = movement_pb2.Movement(
        movement_id=str(uuid4()),
        prison_number=NUMBER,
        kind=movement_pb2.MOVEMENT_KIND_REVERSAL,
        corrects_movement_id=(await death(processes, nominal_id)).fact_id,
        occurred_time=stamp(december(3)),
    )
    request = tracking.ReportMovementRequest(request_id=str(uuid4()), movement=reversal)
    async with suite.tracking_as(processes, "prison_offender_management_unit", "BMI") as prison:
        await prison.ReportMovement(request, **PATIENTLY)


async def withdrawn(processes: Processes, nominal_id: str) -> None:
    fact = (await death(processes, nominal_id)).fact_id
    request = tracking.WithdrawFactRequest(
        request_id=str(uuid4()), nominal_id=nominal_id, fact_id=fact, reason="it was his brother"
    )
    async with suite.tracking_as(processes, "police_offender_manager", "D3") as manager:
        await manager.WithdrawFact(request, **PATIENTLY)


async def until(desk: Desk, person: person_pb2.Person, outcome: screening_pb2.Outcome.ValueType) -> None:
    async with asyncio.timeout(SECONDS):
        while (await desk.ask(person)).screening.outcome != outcome:
            await asyncio.sleep(0.1)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("take_back", [reported, withdrawn])
async def test_a_death_that_is_taken_back_is_no_clearance(
    servers: Servers, tmp_path: Path, take_back: Callable[[Processes, str], Awaitable[None]]
) -> None:
    with (
        suite.started(servers, tmp_path, december(1)) as processes,
        closing(Prisons(processes.kafka)) as prisons,
    ):
        async with running.desk(processes, "D3") as desk:
            ppo = numbered(NUMBER)
            nominal_id = await desk.flagged(ppo, "F1")
            await suite.quiet(processes, 2, QUIET_SECONDS)
            processes.move_clock(december(3))
            await prisons.publish(NUMBER, json.dumps(moved(NUMBER, RECEIVED, december(2))).encode())
            await suite.quiet(processes, 7, QUIET_SECONDS)

            await prisons.publish(NUMBER, json.dumps(moved(NUMBER, DIED, december(2, 22))).encode())
            await until(desk, ppo, screening_pb2.OUTCOME_NOT_FLAGGED)

            await take_back(processes, nominal_id)

            await until(desk, ppo, screening_pb2.OUTCOME_FLAGGED)
            await suite.quiet(processes, 12, QUIET_SECONDS)
    cleared = [one for one in told(processes.kafka) if one.what == CLEARED]
    last = {one.organisation: one.state for one in cleared}
    assert set(last.values()) == {"RETRACTED"}
    assert last.keys() >= {"F1", "probation-6", "BMI"}
