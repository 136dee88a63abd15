"""`ppo journey show` and `ppo owner explain`: where a PPO is, whose case it is, and why."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, output, session

MANAGER = "police_offender_manager"

# The ownership table of the domain, as a colleague would quote it.
RULES = {
    "O1": "it is disputed, and stays where it was until the forum decides",
    "O2": "the forum has decided so",
    "O3": "in custody the case stays where it was",
    "O4": "in custody, to be released to an address elsewhere",
    "O5": "lives and offends in one OCU",
    "O6": "lives in one OCU and offends in another: where one lives decides",
    "O7": "a temporary address moves no case",
    "O8": "without a home, the case stays where it was",
    "O9": "lives outside: the case goes there once the scheme there has taken it",
    "O10": "has moved: the case goes over with the hand-over",
    "O11": "under 18 it is the youth offending team's",
    "O12": "is no PPO, so nobody owns a case",
}


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
    if at:
        request.as_of_time.CopyFrom(details.instant(at, "--at"))
    if known_at:
        request.known_at_time.CopyFrom(details.instant(known_at, "--known-at"))
    response = asyncio.run(_journey(session.Session(data, MANAGER, ocu), request))
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


def explain(
    person: details.Whom,
    ocu: details.Ocu = details.OCU,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says whose case a PPO is, by which rule and from which facts.

    ```
    ppo owner explain 79/163001B
    ```
    """
    request = tracking.ExplainOwnershipRequest(
        identifier=details.identifier(person), purpose=policy.PURPOSE_OFFENDER_MANAGEMENT
    )
    response = asyncio.run(explained(session.Session(data, MANAGER, ocu), request))
    if json:
        output.emit(response)
        return 0
    for text in sentences(response.ownership):
        output.show(text)
    return 0


async def explained(
    manager: session.Session, request: tracking.ExplainOwnershipRequest
) -> tracking.ExplainOwnershipResponse:
    async with manager.tracking() as service:
        return await service.ExplainOwnership(request, timeout=session.CALL_SECONDS)


def sentences(ownership: tracking.Ownership) -> Iterator[str]:
    """As a colleague would say it."""
    yield _owner(ownership)
    for fact in ownership.facts:
        yield f"  {fact}"
    if ownership.proposed_owner:
        yield f"  It is to go to {ownership.proposed_owner}{_handover(ownership)}."
    if ownership.interested_ocus:
        yield f"  Told of everything as well: {', '.join(ownership.interested_ocus)}."
    yield f"  Rule {ownership.rule}: {RULES.get(ownership.rule, 'one that this command does not know')}."


def _owner(ownership: tracking.Ownership) -> str:
    if not ownership.owner:
        return "Nobody has a case."
    since = (
        f" since {output.moment(ownership.effective_time)}" if ownership.HasField("effective_time") else ""
    )
    return f"The case is {ownership.owner}'s{since}{_STATES.get(ownership.state, '')}."


def _handover(ownership: tracking.Ownership) -> str:
    if ownership.HasField("handover_time"):
        return f" on {output.moment(ownership.handover_time)}"
    return "; when is not agreed yet"


_STATES = {
    tracking.OWNERSHIP_STATE_PROPOSED: ", and a hand-over is ahead",
    tracking.OWNERSHIP_STATE_DISPUTED: ", and disputed",
    tracking.OWNERSHIP_STATE_INTERIM: ", for the time being",
}
