"""`ppo caseload`: how many cases each OCU has, beside the guide of thirty."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import cases, details, output, session

At = Annotated[str, typer.Option(help="As of this time, such as 2004-12-31T20:00; now when not given.")]


def caseload(
    at: At = "",
    ocu: details.Ocu = details.OCU,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Counts the cases that each OCU has, beside what its area planned: a guide, and never a limit.

    ```
    ppo caseload
    ppo caseload --at 2004-12-31T20:00
    ```
    """
    request = tracking.ListCaseloadsRequest(as_of_time=details.instant(at, "--at") if at else None)
    response = asyncio.run(_counted(session.Session(data, cases.MANAGER, ocu), request))
    if json:
        output.emit(response)
        return 0
    output.show(_table(response.caseloads))
    return 0


async def _counted(
    manager: session.Session, request: tracking.ListCaseloadsRequest
) -> tracking.ListCaseloadsResponse:
    async with manager.tracking() as service:
        return await service.ListCaseloads(request, timeout=session.CALL_SECONDS)


def _table(caseloads: Sequence[tracking.Caseload]) -> Table:
    made = output.table("Owner", "Cases", "Guide", "Over or under", "In custody", "Unsettled", "To come")
    for load in caseloads:
        against = (str(load.guide), f"{load.cases - load.guide:+d}") if load.guide else ("none", "")
        counts = (load.in_custody, load.unsettled, load.proposed)
        made.add_row(load.owner, str(load.cases), *against, *map(str, counts))
    made.add_row("all", str(sum(load.cases for load in caseloads)))
    return made
