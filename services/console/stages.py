"""`ppo journey stage`: a step that no movement tells, such as bail, a sentence, a breach or a recall."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import cases, details, notices, output, prisoners, session


def stage(
    person: details.Whom,
    kind: Annotated[str, typer.Option(help=f"One of {details.words(tracking.StageKind)}.")],
    at: Annotated[str, typer.Option(help="When, such as 2004-12-20T10:00, London time.")],
    organisation: Annotated[
        str,
        typer.Option(
            "--as",
            help="Who says so: an OCU such as E3, or a probation office such as probation-5.",
            metavar="ORGANISATION",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Of a breach or a recall: the code of why.")] = "",
    court: Annotated[
        str,
        typer.Option(help="Of a breach or a recall: the court that is told, such as birmingham-magistrates."),
    ] = "",
    reference: Annotated[
        str, typer.Option(help="With --court: the court's own reference of the proceedings.")
    ] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records a step in the justice process: whoever must know is told, a court where one is named.

    ```
    ppo journey stage 79/163001B --kind bailed --at 2004-12-20T10:00 --as E3
    ppo journey stage 79/163001B --kind breach-proceedings --as probation-5 \\
        --at 2004-12-20T10:00 --reason NON_COMPLIANCE \\
        --court birmingham-magistrates --reference "BM 04/2217"
    ```

    A court reads its own reference, the order, the time and the reason; it is told no name, and of no scheme.
    """
    request = tracking.RecordStageRequest(
        request_id=session.request_id(request_id),
        kind=details.value(tracking.StageKind, kind, "--kind"),
        occurred_time=details.instant(at, "--at"),
        reason_code=reason.strip(),
        court_id=court.strip(),
        court_reference=reference.strip(),
    )
    whose = notices.place(organisation, data)
    response = asyncio.run(_record(whose, details.identifier(person), request))
    if json:
        output.emit(response)
    else:
        output.show(f"recorded: {output.word(tracking.StageKind, request.kind)}")
        output.show(cases.position(response.journey))
        for step in _to_be_looked_at(response.journey, request):
            output.show(f"to be looked at, and told to nobody meanwhile: {step.review_reason}")
    return 0


def _to_be_looked_at(
    journey: tracking.Journey, request: tracking.RecordStageRequest
) -> Iterator[tracking.JourneyStep]:
    for step in journey.steps:
        ours = step.event == tracking.StageKind.Name(request.kind).removeprefix("STAGE_KIND_")
        if ours and step.review_reason and step.occurred_time == request.occurred_time:
            yield step


async def _record(
    whose: session.Session, person: person_pb2.Identifier, request: tracking.RecordStageRequest
) -> tracking.RecordStageResponse:
    request.nominal_id = await prisoners.nominal_id(whose, person)
    async with whose.tracking() as service:
        return await service.RecordStage(request, timeout=session.CALL_SECONDS)
