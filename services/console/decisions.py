"""`ppo register nominate`, `decide`, `remove` and the like: the steps of a registration."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from google.type.date_pb2 import Date

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import screening_pb2 as screening
from services.console import details, output, register, session
from services.console.nominals import FORCE
from services.console.stop import Stop

RegistrationId = Annotated[str, typer.Argument(help="The registration's id.")]
Agrees = Annotated[list[str] | None, typer.Option(help="An agency that agrees, once for each.")]
Disagrees = Annotated[list[str] | None, typer.Option(help="An agency that does not, once for each.")]
Forum = Annotated[str, typer.Option(help="The Shared Priority Forum, such as forum-d3-north.")]


def nominate(
    whom: register.Whom,
    ocu: Annotated[str, typer.Option(help="The OCU that nominates.")],
    criterion: Annotated[
        list[str],
        typer.Option(help=f"A criterion that is met, once for each: {details.words(flagging.Criterion)}."),
    ],
    strand: Annotated[
        str, typer.Option(help=f"The part of the programme: {details.words(screening.Strand)}.")
    ] = "catch and convict",
    evidence: Annotated[
        list[str] | None,
        typer.Option(help='Intelligence, once for each: "REFERENCE; GRADE; PROVENANCE", the grade as 5x5x5.'),
    ] = None,
    conviction: Annotated[
        list[str] | None,
        typer.Option(help='A conviction of a recordable offence, once for each: "2004-06-01; REFERENCE".'),
    ] = None,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Proposes somebody for the register; a forum decides.

    ```
    ppo register nominate 79/163001B --ocu D3 --criterion volume --criterion local
    ppo register nominate 79/163001B --ocu D3 --criterion harm --evidence "log 7; B24; a source" \\
        --conviction "2004-06-01; 04/17" --conviction "2004-06-01; 04/18"
    ppo register nominate 02/0000012T --ocu D3 --criterion volume --strand "prevent and deter"
    ```

    From the convictions comes an indicator: six or more in twelve months, 18 or over. It decides nothing.
    Whoever is under 18 goes to Prevent and Deter.
    """
    request = flagging.NominatePpoRequest(
        request_id=session.request_id(request_id),
        strand=details.value(screening.Strand, strand, "--strand"),
        criteria=[details.value(flagging.Criterion, one, "--criterion") for one in criterion],
        nominating_ocu=ocu,
        evidence=[_evidence(text) for text in evidence or ()],
        convictions=[_conviction(text) for text in conviction or ()],
    )
    return _show(asyncio.run(_nominate(whom, request, data)), as_json=json)


async def _nominate(
    whom: str, request: flagging.NominatePpoRequest, data: Path
) -> flagging.NominatePpoResponse:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        request.nominal_id = (await register.find(service, whom)).nominal_id
        return await service.NominatePpo(request, timeout=session.CALL_SECONDS)


def decide(
    registration: RegistrationId,
    decision: Annotated[
        str, typer.Argument(help=f"What the forum decided: {details.words(flagging.NominationDecision)}.")
    ],
    forum: Forum,
    agrees: Agrees = None,
    disagrees: Disagrees = None,
    doubtful: Annotated[bool, typer.Option("--doubtful", help="The case was doubtful.")] = False,
    at: Annotated[str, typer.Option(help="From when on, such as 2004-12-31T20:00; now when not given.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    strand: Annotated[str, typer.Option(help="The strand decided on, where it is another.")] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records what a Shared Priority Forum decided about a nomination.

    ```
    ppo register decide REGISTRATION activate --forum forum-d3-north --agrees police --agrees probation
    ppo register decide REGISTRATION review --forum forum-d3-north --agrees police --disagrees probation
    ppo register decide REGISTRATION activate --forum forum-d3-north --doubtful \\
        --agrees police --agrees probation
    ```

    A doubtful case needs both police and probation to agree.
    """
    request = flagging.DecideNominationRequest(
        request_id=session.request_id(request_id),
        registration_id=registration,
        decision=details.value(flagging.NominationDecision, decision, "DECISION"),
        forum_id=forum,
        votes=votes(agrees, disagrees),
        doubtful=doubtful,
        reason=reason,
    )
    if strand:
        request.strand = details.value(screening.Strand, strand, "--strand")
    if at:
        request.effective_time.CopyFrom(details.instant(at, "--at"))
    return _ask(
        lambda keeper: keeper.DecideNomination(request, timeout=session.CALL_SECONDS), data, as_json=json
    )


def plan_exit(
    registration: RegistrationId,
    summary: Annotated[str, typer.Option(help="What stands ready when the person leaves the scheme.")],
    drug_route: Annotated[
        str, typer.Option(help=f"Where drug treatment goes on: {details.words(flagging.DrugRoute)}.")
    ],
    informed: Annotated[
        bool, typer.Option("--informed", help="The person knows of mainstream services.")
    ] = False,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records the exit plan that must stand before a removal.

    ```
    ppo register plan-exit REGISTRATION --drug-route "dip team" --informed --summary "handed over"
    ```
    """
    plan = flagging.ExitPlan(
        drug_route=details.value(flagging.DrugRoute, drug_route, "--drug-route"),
        mainstream_information=informed,
        summary=summary,
    )
    request = flagging.PlanExitRequest(
        request_id=session.request_id(request_id), registration_id=registration, plan=plan
    )
    return _ask(lambda keeper: keeper.PlanExit(request, timeout=session.CALL_SECONDS), data, as_json=json)


def cancel_exit(
    registration: RegistrationId,
    reason: Annotated[str, typer.Option(help="Why.")],
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Takes an exit plan back because the person offends again.

    ```
    ppo register cancel-exit REGISTRATION --reason "arrested for burglary on 30 December"
    ```
    """
    request = flagging.CancelExitRequest(
        request_id=session.request_id(request_id), registration_id=registration, reason=reason
    )
    return _ask(lambda keeper: keeper.CancelExit(request, timeout=session.CALL_SECONDS), data, as_json=json)


def remove(
    registration: RegistrationId,
    reason: Annotated[str, typer.Option(help=f"Why: {details.words(flagging.RemovalReason)}.")],
    forum: Forum = "",
    agrees: Agrees = None,
    disagrees: Disagrees = None,
    at: Annotated[str, typer.Option(help="From when on, such as 2005-01-10T09:00; now when not given.")] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Takes a person off the register: by consensus of a forum after an exit plan, or on death.

    ```
    ppo register remove REGISTRATION --reason "moved away" --forum forum-d3-north --agrees police \\
        --agrees probation
    ppo register remove REGISTRATION --reason deceased
    ```
    """
    request = flagging.RemovePpoRequest(
        request_id=session.request_id(request_id),
        registration_id=registration,
        reason=details.value(flagging.RemovalReason, reason, "--reason"),
        forum_id=forum,
        votes=votes(agrees, disagrees),
    )
    if at:
        request.effective_time.CopyFrom(details.instant(at, "--at"))
    return _ask(lambda keeper: keeper.RemovePpo(request, timeout=session.CALL_SECONDS), data, as_json=json)


def annul(
    registration: RegistrationId,
    reason: Annotated[str, typer.Option(help="Why.")],
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Ends at once a registration that was made in error.

    ```
    ppo register annul REGISTRATION --reason "taken for his brother"
    ```
    """
    request = flagging.AnnulRegistrationRequest(
        request_id=session.request_id(request_id), registration_id=registration, reason=reason
    )
    return _ask(
        lambda keeper: keeper.AnnulRegistration(request, timeout=session.CALL_SECONDS), data, as_json=json
    )


def _evidence(text: str) -> flagging.GradedEvidence:
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != 3 or not all(parts):
        raise Stop(f'--evidence {text!r}: write it as "REFERENCE; GRADE; PROVENANCE"', 2)
    return flagging.GradedEvidence(reference=parts[0], grade=parts[1].upper(), provenance=parts[2])


def _conviction(text: str) -> flagging.Conviction:
    day, _, reference = (part.strip() for part in text.partition(";"))
    try:
        known = date.fromisoformat(day)
    except ValueError:
        raise Stop(f'--conviction {text!r}: write it as "2004-06-01; REFERENCE"', 2) from None
    on = Date(year=known.year, month=known.month, day=known.day)
    return flagging.Conviction(conviction_date=on, reference=reference)


def votes(agrees: Iterable[str] | None, disagrees: Iterable[str] | None) -> list[flagging.Vote]:
    told = [(agency, True) for agency in agrees or ()] + [(agency, False) for agency in disagrees or ()]
    return [
        flagging.Vote(agency=details.value(flagging.Agency, agency, "--agrees, --disagrees"), agrees=agreed)
        for agency, agreed in told
    ]


def _ask(rpc: Callable[[FlaggingServiceStub], Awaitable[Any]], data: Path, *, as_json: bool) -> int:
    return _show(asyncio.run(_answer(rpc, data)), as_json=as_json)


async def _answer(rpc: Callable[[FlaggingServiceStub], Awaitable[Any]], data: Path) -> Any:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        return await rpc(service)


def _show(response: Any, *, as_json: bool) -> int:
    if as_json:
        output.emit(response)
        return 0
    registration: flagging.Registration = response.registration
    state = output.word(flagging.RegistrationState, registration.state)
    output.show(f"registration {registration.registration_id}: {state}")
    if isinstance(response, flagging.NominatePpoResponse) and response.HasField("persistence"):
        told = response.persistence
        indicator = output.word(flagging.PersistenceIndicator, told.indicator)
        output.show(
            f"persistence {indicator}: {told.counted} convictions since {output.day(told.since_date)}"
        )
    return 0
