"""`ppo journey show`: where a PPO is in the justice process."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, output, session

MANAGER = "police_offender_manager"


def show(
    person: details.Whom,
    at: Annotated[str, typer.Option(help="As of this time, such as 2004-12-01T00:00.")] = "",
    known_at: Annotated[str, typer.Option(help="By what was recorded until this time.")] = "",
    ocu: details.Ocu = details.OCU,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows where a PPO is in the justice process, and how that came about.

    ```
    ppo journey show 79/163001B
    ppo journey show A1234BC --at 2004-12-31T12:00 --known-at 2004-12-31T18:00
    ```
    """
    request = tracking.GetJourneyRequest(
        identifier=details.identifier(person), purpose=policy.PURPOSE_OFFENDER_MANAGEMENT
    )
    manager = session.Session(data, MANAGER, ocu)
    if at:
        request.as_of_time.CopyFrom(details.instant(at, "--at"))
        if details.when(at, "--at") > manager.clock().now():
            output.say(f"--at {at} lies ahead: this is how it stands if nothing more happens until then")
    if known_at:
        request.known_at_time.CopyFrom(details.instant(known_at, "--known-at"))
    response = asyncio.run(_journey(manager, request))
    if json:
        output.emit(response)
        return 0
    output.show(position(response.journey), style="bold")
    output.show(_steps(response.journey))
    return 0


async def _journey(
    manager: session.Session, request: tracking.GetJourneyRequest
) -> tracking.GetJourneyResponse:
    async with manager.tracking() as service:
        return await service.GetJourney(request, timeout=session.CALL_SECONDS)


def position(journey: tracking.Journey) -> str:
    parts = [_words(journey.position)]
    if journey.detail:
        parts.append(journey.detail.replace("_", " ").lower())
    if journey.prison_id:
        parts.append(f"at {journey.prison_id}")
    if journey.HasField("since_time"):
        parts.append(f"since {output.moment(journey.since_time)}")
    return ", ".join(parts)


def _steps(journey: tracking.Journey) -> Table:
    made = output.table("Happened", "Recorded", "What", "After it", "Prison", "To be looked at")
    for step in journey.steps:
        made.add_row(
            output.moment(step.occurred_time),
            output.moment(step.recorded_time),
            step.event.lower().replace("_", " ") if " " not in step.event else step.event,
            _words(step.position),
            step.prison_id,
            step.review_reason,
        )
    return made


def _words(position: tracking.Position.ValueType) -> str:
    said = output.word(tracking.Position, position)
    return said.replace("cjs", "the justice system") or "not known"
