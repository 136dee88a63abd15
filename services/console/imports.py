"""Sends the rows of a file as one stream, and shows what became of them."""

import asyncio
import shutil
import sys
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import typer

from ppo.flagging.v1 import flagging_pb2 as flagging
from services.console import lines, output, rows
from services.console.stop import INTERRUPTED, Stop

Report = TypeVar("Report")

# The server's own limit for a stream of rows.
STREAM_SECONDS = 3600
SOME_REFUSED = 3
SHOWN = 1000


def _kept(context: typer.Context, path: Path) -> Path:
    """A file that can be read twice: what comes through a pipe is kept until the command ends."""
    if path.is_file():
        return path
    if str(path) != "-" and (path.is_dir() or not path.exists()):
        raise typer.BadParameter(f"{str(path)!r} does not exist, or is a directory")
    kept = Path(context.with_resource(TemporaryDirectory(prefix="ppo-"))) / "stdin"
    with sys.stdin.buffer if str(path) == "-" else path.open("rb") as pipe, kept.open("wb") as file:
        shutil.copyfileobj(pipe, file)
    return kept


File = Annotated[
    Path,
    typer.Argument(callback=_kept, help="The file of rows, or - for what is piped in."),
]
Format = Annotated[
    rows.Form | None,
    typer.Option(
        "--format",
        help="How the file is written; when not given, by its name (.csv is CSV) or how it begins.",
    ),
]
Source = Annotated[
    str, typer.Option(help="The system the rows come from; with a row's key it names the row.")
]


def run(work: Coroutine[Any, Any, Report]) -> Report:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        line = "stopped; what was taken stays taken: the same file again takes the rest"
        raise Stop(line, INTERRUPTED) from None


async def send(method: Callable[..., Any], path: Path, form: rows.Form, source: str) -> flagging.ImportReport:
    """`method` is the import RPC. Rows that cannot be read are reported with those that it refuses."""
    unread: list[flagging.RowRefusal] = []
    call = method(timeout=STREAM_SECONDS)
    request_id = str(uuid.uuid4())
    with output.progress() as bar:
        task = bar.add_task(f"Sending {path.name}", total=lines.count(path))
        for line, _, row in rows.read(path, rows.REGISTRATIONS, form):
            bar.advance(task)
            if isinstance(row, lines.RowError):
                unread.append(flagging.RowRefusal(line=line, field=row.field, rule=row.rule))
                continue
            row.request_id, row.source, row.line = request_id, source, line
            if not await sent(call, row):
                break
        await sent(call, None)
        response = await call
    return _whole(response.report, unread)


async def sent(call: Any, row: object | None) -> bool:
    """False once the server has ended the call; awaiting the call then says why."""
    try:
        await (call.done_writing() if row is None else call.write(row))
    except asyncio.InvalidStateError:
        return False
    return True


def _whole(report: flagging.ImportReport, unread: list[flagging.RowRefusal]) -> flagging.ImportReport:
    refusals = sorted([*report.refusals, *unread], key=lambda refusal: refusal.line)
    return flagging.ImportReport(
        created=report.created,
        updated=report.updated,
        unchanged=report.unchanged,
        refused=report.refused + len(unread),
        refusals=refusals[:SHOWN],
    )


def show(report: flagging.ImportReport, *, as_json: bool) -> int:
    """The exit code."""
    if as_json:
        output.emit(report)
    else:
        output.show(
            f"{report.created:,} created, {report.updated:,} updated, {report.unchanged:,} unchanged, "
            f"{report.refused:,} refused"
        )
        for refusal in report.refusals:
            output.show(f"  line {refusal.line}: {refusal.field}: {refusal.rule}")
        if more := report.refused - len(report.refusals):
            output.show(f"  and {more:,} more")
    return SOME_REFUSED if report.refused else 0
