"""`ppo journey record`: what is counted and moves nobody, such as an appointment or a sentence."""

import asyncio
from typing import Annotated

import typer
from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, notices, output, prisoners, session
from services.console.prisoners import Organisation


def record(
    person: details.Whom,
    kind: Annotated[str, typer.Option(help=f"One of {details.words(tracking.ProgressKind)}.")],
    on: Annotated[str, typer.Option(help="The day, such as 2004-12-20.")],
    place: Annotated[str, typer.Option("--with", help="The agency, or the court of a sentence.")],
    organisation: Organisation,
    offence: Annotated[str, typer.Option(help="The day of the offence, with a sentence.")] = "",
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Records an appointment kept or missed, drug treatment, or a sentence, for the month's return.

    ```
    ppo journey record A1234BC --kind attended --on 2004-12-20 --with probation-5 --as probation-5
    ```
    """
    request = tracking.RecordProgressRequest(
        request_id=session.request_id(request_id),
        kind=details.value(tracking.ProgressKind, kind, "--kind"),
        date=details.birth_date(on),
        offence_date=details.birth_date(offence) if offence else None,
        organisation=place,
    )
    asyncio.run(_record(notices.place(organisation, data), details.identifier(person), request))
    output.show(f"recorded: {output.word(tracking.ProgressKind, request.kind)} on {_words(request.date)}")
    return 0


async def _record(
    whose: session.Session, person: person_pb2.Identifier, request: tracking.RecordProgressRequest
) -> None:
    request.nominal_id = await prisoners.nominal_id(whose, person)
    async with whose.tracking() as service:
        await service.RecordProgress(request, timeout=session.CALL_SECONDS)


def _words(on: Date) -> str:
    return f"{on.year:04d}-{on.month:02d}-{on.day:02d}"
