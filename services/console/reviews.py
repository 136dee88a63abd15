"""`ppo review`: what somebody must look at, and what they found; `ppo journey withdraw` takes a fact back."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import cases, details, output, prisoners, session
from services.console.nominals import FORCE

KEEPER = "register_keeper"
_DONE = {
    tracking.REVIEW_RESOLUTION_ACCEPTED: "It stands as it is.",
    tracking.REVIEW_RESOLUTION_WITHDRAWN: "The fact is withdrawn: journey, case and notices follow.",
    tracking.REVIEW_RESOLUTION_BOTH_NUMBERS: "Both prison numbers are this person's.",
}

Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="As `ppo review list` names it.")]
Nominal = Annotated[str, typer.Option("--nominal", help="The nominal id that stands beside it.")]
Found = Annotated[str, typer.Option("--found", help=f"One of {details.words(tracking.ReviewResolution)}.")]
Note = Annotated[str, typer.Option(help="By what you know; it is kept.")]


def waiting(
    kind: Annotated[str, typer.Option(help=f"One of {details.words(tracking.ReviewKind)}.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Show those too that somebody has looked at.")
    ] = False,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows what somebody must look at, the longest waiting first.

    Facts that cannot be so or that nobody knows the meaning of, cases that have stood too long, prisoners
    whom no prison has received, recalls that nobody has executed, and numbers of two people that a prison
    has merged.

    ```
    ppo review list
    ppo review list --kind transfer
    ```

    Exit code 0, also when nothing waits.
    """
    request = tracking.ListReviewsRequest(purpose=policy.PURPOSE_OFFENDER_MANAGEMENT, resolved=everything)
    if kind:
        request.kind = details.value(tracking.ReviewKind, kind, "--kind")
    found = asyncio.run(_waiting(session.Session(data, KEEPER, FORCE), request))
    if json:
        for one in found:
            output.emit(one)
    elif not found:
        output.say("nothing waits")
    else:
        output.show(_table(found))
    return 0


async def _waiting(keeper: session.Session, request: tracking.ListReviewsRequest) -> list[tracking.Review]:
    async with keeper.tracking() as service:
        asked = service.ListReviews(request, timeout=session.CALL_SECONDS)
        return [one.review async for one in asked]


def _table(found: Sequence[tracking.Review]) -> Table:
    made = output.table("Since", "What", "Why", "Subject", "Nominal id", "Looked at")
    for one in found:
        made.add_row(
            output.moment(one.recorded_time),
            output.word(tracking.ReviewKind, one.kind),
            one.reason,
            one.subject,
            one.nominal_id,
            _looked_at(one),
        )
    return made


def _looked_at(review: tracking.Review) -> str:
    if not review.HasField("resolved_time"):
        return ""
    found = output.word(tracking.ReviewResolution, review.resolution)
    return f"{found} {output.moment(review.resolved_time)} by {review.resolved_by}: {review.note}"


def resolve(
    subject: Subject,
    nominal: Nominal,
    found: Found,
    note: Note,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says what you found: it stands, the fact was wrong, or of a merge that both numbers are this person's.

    ```
    ppo review resolve m-17 --nominal e9ab78e1-0aeb-40b7-be35-3d21488eb20b --found withdrawn \\
        --note "the prison has entered the wrong man"
    ppo review resolve m-18 --nominal e9ab78e1-0aeb-40b7-be35-3d21488eb20b --found both-numbers \\
        --note "photographs compared"
    ```
    """
    request = tracking.ResolveReviewRequest(
        request_id=session.request_id(request_id),
        subject=subject,
        nominal_id=details.identifier(nominal).value,
        resolution=details.value(tracking.ReviewResolution, found, "--found"),
        note=note,
    )
    response = asyncio.run(_resolve(session.Session(data, KEEPER, FORCE), request))
    if json:
        output.emit(response)
    else:
        output.show(_DONE[response.review.resolution])
    return 0


async def _resolve(
    keeper: session.Session, request: tracking.ResolveReviewRequest
) -> tracking.ResolveReviewResponse:
    async with keeper.tracking() as service:
        return await service.ResolveReview(request, timeout=session.CALL_SECONDS)


def withdraw(
    person: details.Whom,
    fact: Annotated[str, typer.Option(help="As `ppo journey show --json` names it.")],
    reason: Annotated[str, typer.Option(help="Why it was wrong; it is kept.")],
    ocu: details.Ocu = details.OCU,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Takes back a movement or a step that was wrong: whoever was told of it is told that it was.

    ```
    ppo journey withdraw 79/163001B --fact m-17 --reason "entered for the wrong man"
    ```
    """
    request = tracking.WithdrawFactRequest(
        request_id=session.request_id(request_id), fact_id=fact, reason=reason
    )
    response = asyncio.run(_withdraw(session.Session(data, cases.MANAGER, ocu), person, request))
    if json:
        output.emit(response)
    else:
        output.show("withdrawn: the journey is as if it had never been told")
    return 0


async def _withdraw(
    manager: session.Session, person: str, request: tracking.WithdrawFactRequest
) -> tracking.WithdrawFactResponse:
    request.nominal_id = await prisoners.nominal_id(manager, details.identifier(person))
    async with manager.tracking() as service:
        return await service.WithdrawFact(request, timeout=session.CALL_SECONDS)
