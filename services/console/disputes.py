"""`ppo dispute`: an OCU disputes whose case a PPO is, and a forum decides with each agency's vote."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import cases, decisions, details, output, owners, prisoners, register, session
from services.console.nominals import FORCE

KEEPER = "register_keeper"


def contest(
    person: details.Whom,
    reason: Annotated[str, typer.Option(help="Why the case is another's.")],
    ocu: details.Ocu = details.OCU,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Disputes whose case a PPO is: who has it keeps it until the forum decides.

    ```
    ppo dispute raise 79/163001B --ocu F2 --reason "has lived with his mother in F2 since the summer"
    ```
    """
    request = tracking.RaiseDisputeRequest(request_id=session.request_id(request_id), ocu=ocu, reason=reason)
    response = asyncio.run(_raise(session.Session(data, cases.MANAGER, ocu), person, request))
    return _show(response, as_json=json)


async def _raise(
    manager: session.Session, person: str, request: tracking.RaiseDisputeRequest
) -> tracking.RaiseDisputeResponse:
    request.nominal_id = await prisoners.nominal_id(manager, details.identifier(person))
    async with manager.tracking() as service:
        return await service.RaiseDispute(request, timeout=session.CALL_SECONDS)


def decide(
    person: details.Whom,
    forum: decisions.Forum,
    owner: Annotated[str, typer.Option(help="The OCU that has the case by this decision.")],
    agrees: decisions.Agrees = None,
    disagrees: decisions.Disagrees = None,
    until: Annotated[str, typer.Option(help="When the decision expires, such as 2005-06-30T00:00.")] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records what the forum decided, with each agency's vote.

    ```
    ppo dispute decide 79/163001B --forum forum-e3-east --owner F2 --agrees police --agrees probation \\
        --disagrees housing
    ```

    At a forum police and probation must agree. What it has not settled at its second meeting is the Core
    Priority Group's to decide.
    """
    request = tracking.DecideDisputeRequest(
        request_id=session.request_id(request_id),
        forum_id=forum,
        ocu=owner,
        votes=decisions.votes(agrees, disagrees),
        expires_time=details.instant(until, "--until") if until else None,
    )
    return _show(asyncio.run(_decide(session.Session(data, KEEPER, FORCE), person, request)), as_json=json)


async def _decide(
    keeper: session.Session, person: str, request: tracking.DecideDisputeRequest
) -> tracking.DecideDisputeResponse:
    async with keeper.flagging() as flags:
        request.nominal_id = (await register.find(flags, person)).nominal_id
    async with keeper.tracking() as service:
        return await service.DecideDispute(request, timeout=session.CALL_SECONDS)


def listed(
    forum: Annotated[str, typer.Option(help="Those that this forum, or core-priority-group, decides.")] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists the open disputes in the order in which they are heard: a forum's list for its next meeting.

    ```
    ppo dispute list
    ppo dispute list --forum forum-e3-east
    ```
    """
    request = tracking.ListDisputesRequest(forum_id=forum)
    response = asyncio.run(_listed(session.Session(data, KEEPER, FORCE), request))
    if json:
        output.emit(response)
    else:
        output.show(_table(response.disputes) if response.disputes else "no dispute is open")
    return 0


async def _listed(
    keeper: session.Session, request: tracking.ListDisputesRequest
) -> tracking.ListDisputesResponse:
    async with keeper.tracking() as service:
        return await service.ListDisputes(request, timeout=session.CALL_SECONDS)


def _table(disputes: Sequence[tracking.DisputedCase]) -> Table:
    made = output.table("Heard", "By", "Stage", "Raised", "Owner", "Claims", "Nominal")
    for case in disputes:
        clock = case.dispute
        made.add_row(
            output.moment(clock.hearing_time) if clock.HasField("hearing_time") else "",
            clock.forum_id,
            output.word(tracking.DisputeStage, clock.stage),
            output.moment(clock.raised_time),
            case.owner,
            "\n".join(f"{claim.ocu}: {claim.reason}" for claim in case.claims),
            case.nominal_id,
        )
    return made


def _show(response: tracking.RaiseDisputeResponse | tracking.DecideDisputeResponse, *, as_json: bool) -> int:
    if as_json:
        output.emit(response)
        return 0
    for text in owners.sentences(response.case.ownership):
        output.show(text)
    return 0
