"""`ppo nominals`: the people known to the police."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.policy.v1 import policy_pb2 as policy
from services.console import details, imports, loading, output, reports, rows, session

FORCE = "west-midlands-police"

Whom = Annotated[str, typer.Argument(help="A PNC id or a nominal id.")]
Reason = Annotated[str, typer.Option(help="Why.")]


def load(
    file: imports.File,
    source: imports.Source,
    form: imports.Format = None,
    refused: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Where every refused row is written to, when over a thousand are."),
    ] = None,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Loads nominals from a file; safe to repeat, and an import that broke off goes on where it was.

    A CSV file has a header and a row a line; any other has one JSON object a line, the proto3 JSON of
    NominalRow without line. Columns that are not known may be left out, all but source_reference. Several
    aliases are parted by semicolons; of a date of birth the month and day may be missing.

    ```
    ppo nominals import nominals.jsonl --source niche
    {"source_reference": "N1", "person": {"name": {"given_name": "Shane", "family_name": "Kelly"},
     "birth_date": {"year": 1979},
     "identifiers": [{"kind": "IDENTIFIER_KIND_PNC_ID", "value": "79/163001B"}]}}

    ppo nominals import nominals.csv --source niche
    source_reference,given_name,family_name,aliases,birth_date,sex,ethnicity_code,postcode,pnc_id,cro_number,asn,prison_number
    N1,Shane,Kelly,"Kelly, Sean; Kelly, S",1979-03-04,male,W1,B12 8QX,79/163001B,,,
    ```

    Exit code 0 when every row was taken, 3 when some were refused: these are listed by line, field and rule,
    and when there are over a thousand, written to FILE.refused.csv in the current directory.
    """
    teller: reports.Teller = (
        reports.Json() if json else reports.Text(refused or Path(f"{file.name}.refused.csv"))
    )
    with teller:
        report = imports.run(_load(file, rows.form_of(file, form), source, data, teller.tell))
    return imports.SOME_REFUSED if report.refused else 0


async def _load(
    file: Path, form: rows.Form, source: str, data: Path, tell: loading.Tell
) -> flagging.ImportReport:
    async with session.Session(data, "importer", FORCE).flagging() as service:
        return await loading.load(service, file, form, source, tell)


def find(
    given: details.Given = "",
    family: details.Family = "",
    born: details.Born = "",
    postcode: details.Postcode = "",
    pnc: details.Pnc = "",
    cro: details.Cro = "",
    prison: details.Prison = "",
    most: Annotated[int, typer.Option(min=1, max=50, help="How many at most.")] = 10,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Finds nominals by identifier, or by family name with a date of birth.

    ```
    ppo nominals find --pnc 79/163001B
    ppo nominals find --family Kelly --born 1979
    ```

    Exit code 0, also when nobody is found.
    """
    whom = details.typed(
        given=given, family=family, born=born, postcode=postcode, pnc=pnc, cro=cro, prison=prison
    )
    request = flagging.SearchNominalsRequest(person=whom, purpose=policy.PURPOSE_REGISTER, page_size=most)
    response = asyncio.run(_find(request, data))
    if json:
        for one in response.found:
            output.emit(one)
        return 0
    if not response.found:
        output.say("nobody is found")
        return 0
    output.show(_table(response))
    return 0


def show(
    whom: details.Whom,
    known_at: Annotated[
        str, typer.Option(help="As the index had the person at this time, such as 2004-12-24T17:30.")
    ] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows one person, as known now or as known at a time.

    ```
    ppo nominals show 79/163001B
    ppo nominals show 79/163001B --known-at 2004-12-24T17:30 --json
    ```
    """
    request = flagging.GetNominalRequest(identifier=details.identifier(whom), purpose=policy.PURPOSE_REGISTER)
    if known_at:
        request.known_at_time.CopyFrom(details.instant(known_at, "--known-at"))
    nominal = asyncio.run(_get(request, data))
    if json:
        output.emit(nominal)
    else:
        output.show(output.facts(_facts(nominal)))
    return 0


async def _get(request: flagging.GetNominalRequest, data: Path) -> flagging.Nominal:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        return (await service.GetNominal(request, timeout=session.CALL_SECONDS)).nominal


def _facts(nominal: flagging.Nominal) -> list[tuple[str, str]]:
    person = nominal.person
    return [
        ("Name", output.full_name(person.name)),
        ("Also", "; ".join(output.full_name(alias) for alias in person.aliases)),
        ("Born", output.day(person.birth_date)),
        ("Identifiers", output.identifiers(person)),
        ("Nominal", nominal.nominal_id),
        ("Recorded", output.zoned(nominal.recorded_time)),
    ]


async def _find(request: flagging.SearchNominalsRequest, data: Path) -> flagging.SearchNominalsResponse:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        return await service.SearchNominals(request, timeout=session.CALL_SECONDS)


def merge(
    whom: Whom,
    into: Annotated[str, typer.Argument(help="The PNC id or nominal id of the one that lives on.")],
    reason: Reason,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Two nominals are one person: the first lives on in the second, and of two registrations the later ends.

    ```
    ppo nominals merge 79/163001B 80/7Z --reason "one set of fingerprints"
    ```
    """
    request = flagging.MergeNominalsRequest(request_id=session.request_id(request_id), reason=reason)
    response = asyncio.run(_merge(whom, into, request, data))
    if json:
        output.emit(response)
        return 0
    output.show(f"{request.nominal_id} lives on in {response.nominal.nominal_id}")
    if response.HasField("merged_registration"):
        output.show(f"registration {response.merged_registration.registration_id}: merged")
    return 0


async def _merge(
    whom: str, into: str, request: flagging.MergeNominalsRequest, data: Path
) -> flagging.MergeNominalsResponse:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        request.nominal_id = await _own_id(service, whom)
        request.into_nominal_id = await _own_id(service, into)
        return await service.MergeNominals(request, timeout=session.CALL_SECONDS)


def unmerge(
    whom: Whom,
    reason: Reason,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Takes a merge back: the nominal is a person of its own again, with the registrations that it had.

    ```
    ppo nominals unmerge 79/163001B --reason "two sets of fingerprints"
    ```
    """
    request = flagging.UnmergeNominalsRequest(request_id=session.request_id(request_id), reason=reason)
    response = asyncio.run(_unmerge(whom, request, data))
    if json:
        output.emit(response)
        return 0
    output.show(f"{response.nominal.nominal_id} lives on in {response.other_nominal.nominal_id} no more")
    for one in response.restored_registrations:
        state = output.word(flagging.RegistrationState, one.state)
        output.show(f"registration {one.registration_id}: {state}")
    return 0


async def _unmerge(
    whom: str, request: flagging.UnmergeNominalsRequest, data: Path
) -> flagging.UnmergeNominalsResponse:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        request.nominal_id = await _own_id(service, whom)
        return await service.UnmergeNominals(request, timeout=session.CALL_SECONDS)


async def _own_id(service: FlaggingServiceStub, whom: str) -> str:
    """The nominal that has the identifier, also where it lives on in another."""
    request = flagging.GetNominalRequest(identifier=details.identifier(whom), purpose=policy.PURPOSE_REGISTER)
    found = await service.GetNominal(request, timeout=session.CALL_SECONDS)
    return found.merged_nominal_id or found.nominal.nominal_id


def _table(response: flagging.SearchNominalsResponse) -> Table:
    made = output.table("Name", "Born", "Identifiers", "Nominal id", "Bits")
    for one in response.found:
        person = one.nominal.person
        made.add_row(
            output.full_name(person.name),
            output.day(person.birth_date),
            output.identifiers(person),
            _nominal_id(one),
            f"{one.bits:.1f}",
        )
    return made


def _nominal_id(found: flagging.FoundNominal) -> str:
    merged = f"\n(found as {found.merged_nominal_id}, merged)" if found.merged_nominal_id else ""
    return f"{found.nominal.nominal_id}{merged}"
