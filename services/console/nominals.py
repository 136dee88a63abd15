"""`ppo nominals`: the people known to the police."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.policy.v1 import policy_pb2 as policy
from services.console import details, imports, output, rows, session

FORCE = "west-midlands-police"


def load(
    file: imports.File,
    source: imports.Source,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Loads nominals from a file; safe to repeat.

    A file whose name ends in .csv has a header and a row a line; any other has one JSON object a line, the
    proto3 JSON of ImportNominalsRequest without request_id, source and line.

    ```
    ppo nominals import nominals.jsonl --source niche
    {"source_reference": "N1", "person": {"name": {"given_name": "Shane", "family_name": "Kelly"},
     "birth_date": {"year": 1979},
     "identifiers": [{"kind": "IDENTIFIER_KIND_PNC_ID", "value": "79/163001B"}]}}

    ppo nominals import nominals.csv --source niche
    source_reference,given_name,family_name,aliases,birth_date,sex,ethnicity_code,pnc_id,cro_number,asn,prison_number
    N1,Shane,Kelly,"Kelly, Sean; Kelly, S",1979-03-04,male,W1,79/163001B,,,
    ```

    Exit code 0 when every row was taken, 3 when some were refused.
    """
    return imports.show(imports.run(_load(file, source, data)), as_json=json)


async def _load(file: Path, source: str, data: Path) -> flagging.ImportReport:
    async with session.Session(data, "importer", FORCE).flagging() as service:
        return await imports.send(service.ImportNominals, file, rows.NOMINALS, source)


def find(
    given: details.Given = "",
    family: details.Family = "",
    born: details.Born = "",
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
    whom = details.typed(given=given, family=family, born=born, pnc=pnc, cro=cro, prison=prison)
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


async def _find(request: flagging.SearchNominalsRequest, data: Path) -> flagging.SearchNominalsResponse:
    async with session.Session(data, "register_keeper", FORCE).flagging() as service:
        return await service.SearchNominals(request, timeout=session.CALL_SECONDS)


def _table(response: flagging.SearchNominalsResponse) -> Table:
    made = output.table("Name", "Born", "Identifiers", "Nominal id", "Bits")
    for one in response.found:
        person = one.nominal.person
        made.add_row(
            output.full_name(person.name),
            output.day(person.birth_date),
            output.identifiers(person),
            one.nominal.nominal_id,
            f"{one.bits:.1f}",
        )
    return made
