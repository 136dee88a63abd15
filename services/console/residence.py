"""`ppo residence set` and `ppo managers assign`: where a PPO lives, and who manages the case."""

import asyncio
from typing import Annotated

import typer

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import cases, details, output, owners, prisoners, session
from services.console.stop import Stop

Manager = Annotated[str, typer.Option(help='As "NAME; TELEPHONE; ORGANISATION".')]


def live(
    person: details.Whom,
    kind: Annotated[str, typer.Option(help=f"One of {details.words(tracking.ResidenceKind)}.")],
    since: Annotated[str, typer.Option(help="From when on, such as 2004-12-01T00:00.")],
    area: Annotated[str, typer.Option("--in", help="The OCU, or the area outside, of the address.")] = "",
    postcode: Annotated[str, typer.Option(help="In its place the postcode.")] = "",
    premises: Annotated[str, typer.Option(help="With a postcode the number or name of the house.")] = "",
    handover: Annotated[str, typer.Option(help="When the new OCU takes the case over.")] = "",
    ocu: details.Ocu = details.OCU,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records where a PPO lives: it decides whose case it is.

    ```
    ppo residence set 79/163001B --kind home --since 2004-12-01T00:00 --postcode "B33 8TH"
    ppo residence set 79/163001B --kind relative --since 2005-01-10T00:00 --in F2 --handover 2005-01-24T09:00
    ppo residence set 79/163001B --kind "no fixed abode" --since 2005-01-10T00:00
    ```
    """
    request = tracking.SetResidenceRequest(
        request_id=session.request_id(request_id),
        kind=details.value(tracking.ResidenceKind, kind, "--kind"),
        ocu=area.strip(),
        postcode=postcode.strip(),
        premises=premises.strip(),
        effective_time=details.instant(since, "--since"),
        handover_time=details.instant(handover, "--handover") if handover else None,
    )
    return _show(asyncio.run(_live(session.Session(data, cases.MANAGER, ocu), person, request)), as_json=json)


async def _live(
    manager: session.Session, person: str, request: tracking.SetResidenceRequest
) -> tracking.SetResidenceResponse:
    request.nominal_id = await prisoners.nominal_id(manager, details.identifier(person))
    async with manager.tracking() as service:
        return await service.SetResidence(request, timeout=session.CALL_SECONDS)


def assign(
    person: details.Whom,
    police: Manager,
    probation: Manager,
    ocu: details.Ocu = details.OCU,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Names the police and the probation offender manager, for as long as their OCU has the case.

    ```
    ppo managers assign 79/163001B --police "PC Hill; 0121 496 0105; D3" \\
        --probation "Ann Wood; 0121 496 0222; probation-2"
    ```
    """
    request = tracking.AssignManagersRequest(
        request_id=session.request_id(request_id),
        police=_manager(police, "--police"),
        probation=_manager(probation, "--probation"),
    )
    response = asyncio.run(_assign(session.Session(data, cases.MANAGER, ocu), person, request))
    if json:
        output.emit(response)
    else:
        output.show(_led(response.case))
    return 0


async def _assign(
    manager: session.Session, person: str, request: tracking.AssignManagersRequest
) -> tracking.AssignManagersResponse:
    request.nominal_id = await prisoners.nominal_id(manager, details.identifier(person))
    async with manager.tracking() as service:
        return await service.AssignManagers(request, timeout=session.CALL_SECONDS)


def _manager(text: str, option: str) -> tracking.Manager:
    name, *rest = (part.strip() for part in text.split(";"))
    if not name or len(rest) > 2:
        raise Stop(f'{option} {text!r}: write it as "NAME; TELEPHONE; ORGANISATION"', 2)
    telephone, organisation = [*rest, "", ""][:2]
    return tracking.Manager(name=name, telephone=telephone, organisation=organisation)


def _led(case: tracking.Case) -> str:
    lead = output.word(tracking.Lead, case.lead)
    return f"named: {case.police_manager.name} and {case.probation_manager.name}; in the lead: {lead}"


def _show(response: tracking.SetResidenceResponse, *, as_json: bool) -> int:
    if as_json:
        output.emit(response)
        return 0
    for text in owners.sentences(response.case.ownership):
        output.show(text)
    return 0
