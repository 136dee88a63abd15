"""`ppo register reconcile`: who is on the register and not on another system's list, or only there."""

import asyncio
import json as json_text
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from rich.progress import Progress
from rich.table import Table

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import person_pb2 as pb
from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import cells, imports, output, reconciliation, register, session
from services.console.lines import RowError
from services.console.nominals import FORCE
from services.console.reconciliation import (
    Comparison,
    Entry,
    Kind,
    Known,
    Lack,
    Line,
    OfEntry,
    OfLine,
    Unreadable,
)
from services.console.rows import Cells
from services.console.stop import Stop, Unreachable
from services.runtime import channel
from services.runtime.reference import LONDON

COLUMNS = ("pnc_id", "start", "end", "owner")

# As many as one message may hold.
TOGETHER = 1_000
AT_ONCE = 8
DIFFER, NOT_COMPARED = 1, 2
PURPOSE = policy.PURPOSE_REGISTER


def reconcile(file: imports.File, json: output.AsJson = False, data: session.Data = session.DATA) -> int:
    """Compares the register as it stands with a list from another system; changes nothing.

    A file whose name ends in .csv has a header; any other has one JSON object a line with the same names.
    Days are London's. A start or owner left out is not compared; without an end the person is listed still.

    ```
    ppo register reconcile jtrack.csv
    pnc_id,start,end,owner
    79/163001B,2004-09-06,,D3
    ```

    | exit code | meaning |
    |---|---|
    | 0 | the two agree |
    | 1 | they differ |
    | 2 | the file was refused, or nothing could be compared |
    """
    try:
        compared = imports.run(_compare(file, session.Session(data, "register_keeper", FORCE)))
    except Unreachable as outage:
        raise Stop(str(outage), NOT_COMPARED) from None
    if json:
        _emit(compared)
    else:
        _show(compared)
    return 0 if compared.agrees else DIFFER


# ---- the other's list


def read(path: Path) -> list[Line | Unreadable]:
    return [_line(number, row) for number, row in cells.read(path, COLUMNS, ("pnc_id",))]


def _line(number: int, row: Cells | RowError) -> Line | Unreadable:
    try:
        if isinstance(row, RowError):
            raise row
        start, end = cells.day(row, "start"), cells.day(row, "end")
        if start and end and end < start:
            raise RowError("end", "lies before the start")
    except RowError as wrong:
        return Unreadable(number, wrong.field, wrong.rule)
    return Line(number, row["pnc_id"], start, end, row["owner"])


# ---- the register


async def _compare(path: Path, keeper: session.Session) -> Comparison:
    lines = read(path)
    with output.progress() as bar:
        async with keeper.flagging() as service:
            ppos = await register.ppos(service, flagging.ListPposRequest(purpose=PURPOSE))
            entries = [_entry(one) for one in ppos]
            known = await _known(service, _unexplained(lines, entries), bar)
        entries = await _owned(keeper, entries)
    today = keeper.clock().now().astimezone(LONDON).date()
    return reconciliation.compare(lines, reconciliation.Register(entries, known, today))


def _entry(one: flagging.ListPposResponse) -> Entry:
    pncs = (each.value for each in one.person.identifiers if each.kind == reconciliation.PNC)
    dates = _dates(one.registration)
    assert dates[0] is not None, "who is on the register is from a day on"
    return Entry(one.registration.nominal_id, tuple(pncs), dates[0], dates[1])


def _dates(registration: flagging.Registration) -> tuple[date | None, date | None]:
    start, end = registration.effective_start_time, registration.effective_end_time
    return (
        _day(start) if registration.HasField("effective_start_time") else None,
        _day(end) if registration.HasField("effective_end_time") else None,
    )


def _day(time: Timestamp) -> date:
    return time.ToDatetime(UTC).astimezone(LONDON).date()


def _unexplained(lines: Sequence[Line | Unreadable], entries: Sequence[Entry]) -> list[str]:
    """The PNC ids of which the list of PPOs does not say all: of nobody on it, or one of several."""
    alone = {entry.pncs[0] for entry in entries if len(entry.pncs) == 1}
    typed = (reconciliation.canonical(line.pnc) for line in lines if isinstance(line, Line))
    return sorted({pnc for pnc in typed if pnc and pnc not in alone})


async def _known(service: FlaggingServiceStub, pncs: Collection[str], bar: Progress) -> dict[str, Known]:
    task = bar.add_task("Asking the index", total=len(pncs))
    turn, found = asyncio.Semaphore(AT_ONCE), dict[str, Known]()

    async def ask(pnc: str) -> None:
        async with turn:
            if known := await _look_up(service, pnc):
                found[pnc] = known
        bar.advance(task)

    await asyncio.gather(*map(ask, pncs))
    return found


async def _look_up(service: FlaggingServiceStub, pnc: str) -> Known | None:
    identifier = pb.Identifier(kind=reconciliation.PNC, value=pnc)
    try:
        request = flagging.GetNominalRequest(identifier=identifier, purpose=PURPOSE)
        found = await service.GetNominal(request, timeout=session.CALL_SECONDS)
    except channel.CallError as error:
        _refuse_failure(error)
        return None
    nominal_id, merged = found.nominal.nominal_id, bool(found.merged_nominal_id)
    try:
        asked = flagging.GetRegistrationRequest(nominal_id=nominal_id, purpose=PURPOSE)
        last = (await service.GetRegistration(asked, timeout=session.CALL_SECONDS)).registration
    except channel.CallError as error:
        _refuse_failure(error)
        return Known(nominal_id, merged)
    return Known(nominal_id, merged, *_dates(last))


def _refuse_failure(error: channel.CallError) -> None:
    """That there is no such thing is an answer; whatever else went wrong ends the comparison."""
    if error.code().name != "NOT_FOUND":
        raise error


async def _owned(keeper: session.Session, entries: Sequence[Entry]) -> list[Entry]:
    """With the owners, where tracking says them; without, they are not compared."""
    owners: dict[str, str] = {}
    try:
        async with keeper.tracking() as service:
            for start in range(0, len(entries), TOGETHER):
                some = [entry.nominal_id for entry in entries[start : start + TOGETHER]]
                persons = [tracking.PersonAsked(nominal_id=one) for one in some]
                request = tracking.ListContactsRequest(persons=persons, purpose=PURPOSE)
                contacts = (await service.ListContacts(request, timeout=session.CALL_SECONDS)).contacts
                owners |= {one.nominal_id: one.owner for one in contacts}
    except Unreachable as outage:
        output.say(f"owners are not compared: {outage}")
    return [entry._replace(owner=owners.get(entry.nominal_id, "")) for entry in entries]


# ---- what is shown


def _emit(compared: Comparison) -> None:
    for line in compared.lines:
        output.line(json_text.dumps(dict(_line_document(line)), ensure_ascii=False))
    for entry in compared.entries:
        document = {
            "nominal_id": entry.entry.nominal_id,
            "pnc_ids": entry.entry.pncs,
            "kind": entry.lack.name,
            "lines": entry.lines,
        }
        output.line(json_text.dumps(document))
    lines = Counter(one.kind.name for one in compared.lines)
    entries = Counter(one.lack.name for one in compared.entries)
    summary = {"agrees": compared.agrees, "lines": lines, "entries": entries}
    output.line(json_text.dumps({"summary": summary}))


def _line_document(one: OfLine) -> Iterator[tuple[str, object]]:
    yield "line", one.line.number
    if isinstance(one.line, Line):
        yield "pnc_id", one.line.pnc
    yield "kind", one.kind.name
    if one.entry is not None:
        yield "nominal_id", one.entry.nominal_id
    yield "says", one.says


def _show(compared: Comparison) -> None:
    output.show(_summary(compared))
    if differing := [one for one in compared.lines if one.kind is not Kind.AGREES]:
        output.show()
        output.show(_lines(differing))
    if missing := [one for one in compared.entries if one.lack is not Lack.NONE]:
        output.show()
        output.show(_entries(missing))
    output.show()
    output.show("The two agree." if compared.agrees else "The two differ.", style="bold")


def _summary(compared: Comparison) -> Table:
    made = output.table("", "Number", "What")
    lines, entries = (
        Counter(one.kind for one in compared.lines),
        Counter(one.lack for one in compared.entries),
    )
    made.add_row("their lines", f"{len(compared.lines):,}", "")
    for kind in Kind:
        if lines[kind]:
            made.add_row("", f"{lines[kind]:,}", kind)
    made.add_row("our PPOs", f"{len(compared.entries):,}", "")
    for lack in Lack:
        if entries[lack]:
            made.add_row("", f"{entries[lack]:,}", lack)
    return made


def _lines(found: Sequence[OfLine]) -> Table:
    made = output.table("Their line", "PNC id there", "What", "More")
    for one in sorted(found, key=lambda one: (list(Kind).index(one.kind), one.line.number)):
        pnc = one.line.pnc if isinstance(one.line, Line) else ""
        made.add_row(str(one.line.number), pnc, one.kind, "; ".join(one.says))
    return made


def _entries(found: Sequence[OfEntry]) -> Table:
    made = output.table("Our PPO", "Nominal id", "Since", "Owner", "What")
    for one in found:
        entry = one.entry
        what = f"{one.lack}: line {one.lines[0]}" if one.lines else str(one.lack)
        made.add_row(" ".join(entry.pncs), entry.nominal_id, str(entry.start), entry.owner, what)
    return made
