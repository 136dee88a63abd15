"""`ppo register import` and `show`: who is a PPO, since when, by whose decision."""

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

Whom = Annotated[str, typer.Argument(help="A PNC id or a nominal id.")]

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
    whom: Annotated[str, typer.Argument(help="A PNC id or a nominal id; everybody when not given.")] = "",
    at: Annotated[str, typer.Option(help="The list as of this time, such as 2004-12-01T00:00.")] = "",
    ocu: Annotated[str, typer.Option(help="Only those whom this OCU nominated.")] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows one person's registration with its steps, or who is on the list.

    ```
    ppo register show 79/163001B
    ppo register show --at 2004-12-01T00:00 --ocu D3 --json
    ```
    """
    keeper = session.Session(data, "register_keeper", FORCE)
    if whom:
        return _show_one(asyncio.run(_one(keeper, whom)), as_json=json)
    request = flagging.ListPposRequest(purpose=policy.PURPOSE_REGISTER, nominating_ocu=ocu)
    if at:
        request.as_of_time.CopyFrom(details.instant(at, "--at"))
    return _show_list(asyncio.run(_list(keeper, request)), as_json=json)


async def _one(keeper: session.Session, whom: str) -> flagging.GetRegistrationResponse:
    async with keeper.flagging() as service:
        nominal = await find(service, whom)
        request = flagging.GetRegistrationRequest(
            nominal_id=nominal.nominal_id, purpose=policy.PURPOSE_REGISTER
        )
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


def _show_one(response: flagging.GetRegistrationResponse, *, as_json: bool) -> int:
    if as_json:
        output.emit(response)
        return 0
    registration = response.registration
    output.show(output.facts(_facts(registration)))
    output.show()
    output.show(_steps(response))
    return 0


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
        facts.append(("PPO from", output.moment(registration.effective_start_time)))
    if registration.HasField("effective_end_time"):
        facts.append(("until", output.moment(registration.effective_end_time)))
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
            output.moment(step.effective_time),
            output.moment(step.recorded_time),
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
            output.moment(registration.effective_start_time),
            output.word(flagging.RegistrationState, registration.state),
        )
    output.show(made)
    output.say(f"{len(found):,} on the list")
    return 0
