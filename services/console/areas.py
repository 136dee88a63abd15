"""`ppo areas`: which postcodes lie in which OCU: a file checked, tried and loaded, an address found."""

import asyncio
import csv
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from google.type.date_pb2 import Date
from rich.table import Table

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import output, session
from services.console.nominals import FORCE
from services.console.stop import Stop
from services.police import areas

KEEPER = "register_keeper"
COLUMNS = ["postcode", "premises", "area", "from", "to"]
# As many as the contract takes in a message.
TOGETHER = 1_000
LOAD_SECONDS = 300.0

File = Annotated[Path, typer.Argument(help=f"A CSV file with the columns {','.join(COLUMNS)}.")]


def check(file: File) -> int:
    """Checks a file of postcodes without a service: every row, and that no two overlap.

    ```
    ppo areas check deploy/reference/birmingham/postcodes.csv
    ```
    """
    rows = _read(file)
    output.show(f"{file}: {len(rows)} rows, none of them at odds with another")
    return 0


def preview(
    file: File,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says what a load would change, and whose cases would be another OCU's from when on. Changes nothing.

    ```
    ppo areas preview postcodes.csv
    ```
    """
    response = _tried(file, data)
    if json:
        output.emit(response)
    else:
        _show(response)
    return 0


def load(
    file: File,
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")],
    yes: Annotated[bool, typer.Option("--yes", help="Load it without asking.")] = False,
    request_id: session.RequestId = "",
    data: session.Data = session.DATA,
) -> int:
    """Loads which postcodes lie in which OCU, after a preview: the cases that it touches are decided again.

    The file is the whole of the areas: a row that it leaves out is withdrawn.

    ```
    ppo areas load deploy/reference/birmingham/postcodes.csv --reason "the first of them"
    ```
    """
    tried = _tried(file, data)
    _show(tried)
    if not (tried.rows_added or tried.rows_withdrawn):
        return 0
    if not (yes or typer.confirm("Load it?", err=True)):
        raise Stop("nothing was loaded")
    head = tracking.LoadAreasRequest(
        request_id=session.request_id(request_id), base_version=tried.version, reason=reason
    )
    loaded = asyncio.run(_sent(data, head, _read(file)))
    again = f"cases decided again: {loaded.cases_touched}"
    output.show(f"version {loaded.version} of the areas is loaded; {again}")
    return 0


def find(
    postcode: Annotated[str, typer.Argument(help='Such as "B33 8TH".')],
    premises: Annotated[str, typer.Option(help="The number or name of the house.")] = "",
    on: Annotated[str, typer.Option(help="The day, such as 2005-04-01; today when not given.")] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Finds the OCU that a postcode lies in, and the agencies that serve it.

    ```
    ppo areas find "B33 8TH"
    ppo areas find "B33 8TH" --premises 14 --on 2005-04-01
    ```
    """
    request = tracking.SearchAreasRequest(postcode=postcode, premises=premises)
    if on:
        request.date.CopyFrom(_proto(_day(on, "--on")))
    response = asyncio.run(_found(data, request))
    if json:
        output.emit(response)
        return 0
    output.show(f"{response.area or 'no area that is known'}, by version {response.version} of the areas")
    for later in response.later:
        output.show(f"  from {output.day(later.effective_start_date)} {later.area or 'none'}")
    output.show(_agencies(response.agencies))
    return 0


def versions(json: output.AsJson = False, data: session.Data = session.DATA) -> int:
    """Lists what was loaded: when, by whom and why.

    ```
    ppo areas versions
    ```
    """
    response = asyncio.run(_versions(data))
    if json:
        output.emit(response)
        return 0
    made = output.table("Version", "Loaded", "By", "Rows added", "Withdrawn", "Cases", "Reason")
    for one in response.versions:
        counts = (one.rows_added, one.rows_withdrawn, one.cases_touched)
        loaded = (output.moment(one.recorded_time), one.loaded_by)
        made.add_row(str(one.version), *loaded, *map(str, counts), one.reason)
    output.show(made)
    return 0


def _show(response: tracking.LoadAreasResponse) -> None:
    rows = f"starts added: {response.rows_added}, withdrawn: {response.rows_withdrawn}"
    output.show(f"over version {response.version}: {rows}; cases touched: {response.cases_touched}")
    if not response.changes:
        output.show("no case changes owner")
        return
    made = output.table("From", "Owner", "New owner", "Nominal")
    for change in response.changes:
        when = output.moment(change.effective_time)
        made.add_row(when, change.owner, change.new_owner, change.nominal_id)
    output.show(made)


def _agencies(agencies: Sequence[tracking.ServingAgency]) -> Table:
    made = output.table("Agencies", "Id", "Name")
    for agency in agencies:
        made.add_row(agency.kind, agency.id, agency.name)
    return made


# ---- the file


def _read(file: Path) -> list[areas.Row]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            written = csv.DictReader(text, strict=True)
            if written.fieldnames != COLUMNS:
                raise Stop(f"{file}: line 1: the columns are {','.join(COLUMNS)}", 2)
            read = [(written.line_num, _row(file, written.line_num, cells)) for cells in written]
    except (OSError, ValueError, csv.Error) as error:
        raise Stop(f"{file}: {error}", 2) from None
    try:
        return areas.canonical([row for _, row in read])
    except areas.RowError as error:
        raise Stop(f"{file}: line {read[error.place][0]}: {error.field}: {error.rule}", 2) from None


def _row(file: Path, line: int, cells: dict[str, str]) -> areas.Row:
    where = f"{file}: line {line}"
    if None in cells or None in cells.values():
        raise Stop(f"{where}: has not as many cells as the header", 2)
    if not cells["area"].strip():
        raise Stop(f"{where}: area: is required", 2)
    starts = _day(cells["from"], f"{where}: from:")
    ends = _day(cells["to"], f"{where}: to:") if cells["to"].strip() else None
    return areas.Row(cells["postcode"], cells["premises"], cells["area"].strip(), starts, ends)


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Stop(f"{where} {text!r} is no day; write it as 2005-04-01", 2) from None


# ---- the service


def _tried(file: Path, data: Path) -> tracking.LoadAreasResponse:
    head = tracking.LoadAreasRequest(request_id=session.request_id(), validate_only=True)
    return asyncio.run(_sent(data, head, _read(file)))


async def _sent(
    data: Path, head: tracking.LoadAreasRequest, rows: Sequence[areas.Row]
) -> tracking.LoadAreasResponse:
    async with session.Session(data, KEEPER, FORCE).tracking() as service:
        return await service.LoadAreas(_messages(head, rows), timeout=LOAD_SECONDS)


def _messages(
    head: tracking.LoadAreasRequest, rows: Sequence[areas.Row]
) -> Iterator[tracking.LoadAreasRequest]:
    yield head
    for first in range(0, len(rows), TOGETHER):
        some = map(_told, rows[first : first + TOGETHER])
        yield tracking.LoadAreasRequest(request_id=head.request_id, rows=some)


def _told(row: areas.Row) -> tracking.AreaRow:
    return tracking.AreaRow(
        postcode=row.postcode,
        premises=row.premises,
        area=row.area,
        effective_start_date=_proto(row.start),
        effective_end_date=_proto(row.end) if row.end else None,
    )


def _proto(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


async def _found(data: Path, request: tracking.SearchAreasRequest) -> tracking.SearchAreasResponse:
    async with session.Session(data, KEEPER, FORCE).tracking() as service:
        return await service.SearchAreas(request, timeout=session.CALL_SECONDS)


async def _versions(data: Path) -> tracking.ListAreaVersionsResponse:
    async with session.Session(data, KEEPER, FORCE).tracking() as service:
        return await service.ListAreaVersions(
            tracking.ListAreaVersionsRequest(), timeout=session.CALL_SECONDS
        )
