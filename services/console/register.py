"""`ppo register import`, `show` and `list`: who is a PPO, since when, by whose decision."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import details, imports, output, rows, session
from services.console.nominals import FORCE

Whom = Annotated[str, typer.Argument(help="A PNC id, prison number or nominal id.")]
At = Annotated[str, typer.Option(help="As of this time, such as 2004-12-01T00:00; now when not given.")]
KnownAt = Annotated[str, typer.Option(help="By what had been recorded by this time; by all when not given.")]

LIST_SECONDS = 60.0


def load(
    file: imports.File,
    source: imports.Source,
    form: imports.Format = None,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Loads a running register with its dates; safe to repeat. The nominals must be there.

    A file whose name ends in .csv has a header and a row a line; any other has one JSON object a line, the
    proto3 JSON of ImportRegistrationsRequest without request_id, source and line.

    ```
    ppo register import register.jsonl --source jtrack
    {"source_reference": "R1", "identifier": {"kind": "IDENTIFIER_KIND_PNC_ID", "value": "79/163001B"},
     "strand": "STRAND_CATCH_AND_CONVICT", "criteria": ["CRITERION_VOLUME"], "nominating_ocu": "D3",
     "effective_start_time": "2004-09-06T09:00:00Z"}

    ppo register import register.csv --source jtrack
    source_reference,identifier,strand,criteria,nominating_ocu,effective_start_time,effective_end_time,removal_reason
    R1,79/163001B,catch and convict,volume; local,D3,2004-09-06T10:00,,
    ```

    Exit code 0 when every row was taken, 3 when some were refused.
    """
    work = _load(file, rows.form_of(file, form), source, data)
    return imports.show(imports.run(work), as_json=json)


async def _load(file: Path, form: rows.Form, source: str, data: Path) -> flagging.ImportReport:
    async with session.Session(data, "importer", FORCE).flagging() as service:
        return await imports.send(service.ImportRegistrations, file, form, source)


def show(
    whom: Whom,
    at: At = "",
    known_at: KnownAt = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says whether somebody is a PPO, or was one at a time, and shows the registration with its steps.

    ```
    ppo register show 79/163001B
    ppo register show 79/163001B --at 2004-12-01T00:00
    ppo register show 79/163001B --at 2004-12-01T00:00 --known-at 2004-12-24T17:30 --json
    ```

    The second asks by all that is known now, the third by what had been recorded on Christmas Eve. A time
    without a zone is London's. Exit code 0, whatever the answer.
    """
    request = flagging.GetRegistrationRequest(purpose=policy.PURPOSE_REGISTER)
    _time(request, at, known_at)
    response = asyncio.run(_one(session.Session(data, "register_keeper", FORCE), whom, request))
    if json:
        output.emit(response)
    else:
        _show_one(response, request)
    return 0


def everybody(
    at: At = "",
    known_at: KnownAt = "",
    ocu: Annotated[str, typer.Option(help="Only those whom this OCU nominated.")] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists who is a PPO, or was one at a time.

    ```
    ppo register list --ocu D3
    ppo register list --at 2004-12-01T00:00 --known-at 2004-12-24T17:30 --json
    ```
    """
    request = flagging.ListPposRequest(purpose=policy.PURPOSE_REGISTER, nominating_ocu=ocu)
    _time(request, at, known_at)
    keeper = session.Session(data, "register_keeper", FORCE)
    return _show_list(asyncio.run(_list(keeper, request)), as_json=json)


def _time(
    request: flagging.GetRegistrationRequest | flagging.ListPposRequest, at: str, known_at: str
) -> None:
    if at:
        request.as_of_time.CopyFrom(details.instant(at, "--at"))
    if known_at:
        request.known_at_time.CopyFrom(details.instant(known_at, "--known-at"))


async def _one(
    keeper: session.Session, whom: str, request: flagging.GetRegistrationRequest
) -> flagging.GetRegistrationResponse:
    async with keeper.flagging() as service:
        request.nominal_id = (await find(service, whom)).nominal_id
        return await service.GetRegistration(request, timeout=session.CALL_SECONDS)


async def find(service: FlaggingServiceStub, whom: str) -> flagging.Nominal:
    request = flagging.GetNominalRequest(identifier=details.identifier(whom), purpose=policy.PURPOSE_REGISTER)
    return (await service.GetNominal(request, timeout=session.CALL_SECONDS)).nominal


async def _list(
    keeper: session.Session, request: flagging.ListPposRequest
) -> list[flagging.ListPposResponse]:
    async with keeper.flagging() as service:
        return await ppos(service, request)


async def ppos(
    service: FlaggingServiceStub, request: flagging.ListPposRequest
) -> list[flagging.ListPposResponse]:
    return [one async for one in service.ListPpos(request, timeout=LIST_SECONDS)]


def _show_one(response: flagging.GetRegistrationResponse, request: flagging.GetRegistrationRequest) -> None:
    output.show(_said(response, request))
    if not response.HasField("registration"):
        return
    output.show()
    output.show(output.facts(_facts(response.registration)))
    output.show()
    output.show(_steps(response))


def _said(response: flagging.GetRegistrationResponse, request: flagging.GetRegistrationRequest) -> str:
    """In one sentence, as somebody would say it in court."""
    name = (
        output.full_name(response.person.name) if response.HasField("person") else "a person not known then"
    )
    earlier = request.HasField("known_at_time")
    timed = earlier or request.HasField("as_of_time")
    ahead = not earlier and _ahead(response)
    verb = "was" if timed and not ahead else "is"
    negated = "" if response.flag_state == screening.FLAG_STATE_FLAGGED else " not"
    said = f"{name} {verb}{negated}{' to be' if ahead else ''} a PPO"
    if timed:
        said += f" at {output.zoned(response.as_of_time)}"
    return f"{said}, as known at {output.zoned(response.known_at_time)}" if earlier else said


def _ahead(response: flagging.GetRegistrationResponse) -> bool:
    return response.as_of_time.ToNanoseconds() > response.known_at_time.ToNanoseconds()


def _facts(registration: flagging.Registration) -> list[tuple[str, str]]:
    criteria = ", ".join(output.word(flagging.Criterion, one) for one in registration.criteria)
    facts = [
        ("Registration", registration.registration_id),
        ("Nominal", registration.nominal_id),
        ("State", output.word(flagging.RegistrationState, registration.state)),
        ("Strand", output.word(screening.Strand, registration.strand)),
        ("Criteria", criteria),
        ("OCU", registration.nominating_ocu),
    ]
    if registration.HasField("effective_start_time"):
        facts.append(("PPO from", output.zoned(registration.effective_start_time)))
    if registration.HasField("effective_end_time"):
        facts.append(("until", output.zoned(registration.effective_end_time)))
        facts.append(("because", output.word(flagging.RemovalReason, registration.removal_reason)))
    return facts


def _steps(response: flagging.GetRegistrationResponse) -> Table:
    made = output.table("Step", "From", "Recorded", "By", "Forum", "Votes")
    for step in response.steps:
        votes = (
            f"{output.word(flagging.Agency, vote.agency)} {'yes' if vote.agrees else 'no'}"
            for vote in step.votes
        )
        made.add_row(
            output.word(flagging.RegistrationState, step.state),
            output.zoned(step.effective_time),
            output.zoned(step.recorded_time),
            step.recorded_by,
            step.forum_id,
            ", ".join(votes),
        )
    return made


def _show_list(found: list[flagging.ListPposResponse], *, as_json: bool) -> int:
    if as_json:
        for one in found:
            output.emit(one)
        return 0
    made = output.table("Name", "Born", "Identifiers", "OCU", "PPO from", "State")
    for one in found:
        registration = one.registration
        made.add_row(
            output.full_name(one.person.name),
            output.day(one.person.birth_date),
            output.identifiers(one.person),
            registration.nominating_ocu,
            output.zoned(registration.effective_start_time),
            output.word(flagging.RegistrationState, registration.state),
        )
    output.show(made)
    output.say(f"{len(found):,} on the list")
    return 0
