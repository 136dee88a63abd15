"""What the command writes: data on standard output, everything else for the person on standard error."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

import typer
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ppo.person.v1 import person_pb2 as person
from ppo.person.v1 import screening_pb2 as screening
from services.runtime.reference import LONDON

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

# Wide enough for a table where no terminal says how wide it is.
_PIPED = int(os.environ.get("COLUMNS") or 130)
# Text that was read from elsewhere is shown as it is: neither markup nor emoji codes in a name count.
_OUT = Console(width=None if sys.stdout.isatty() else _PIPED, highlight=False, markup=False, emoji=False)
_ERR = Console(stderr=True, highlight=False, markup=False, emoji=False)


class Enum(Protocol):
    """An enum of a contract."""

    @property
    def DESCRIPTOR(self) -> EnumDescriptor: ...


def show(what: RenderableType = "", style: str | None = None) -> None:
    """A line of text is never broken in two: what is piped on is read by line."""
    _OUT.print(what, style=style, soft_wrap=isinstance(what, str))


def say(line: str, style: str | None = None) -> None:
    """A word to the person at the terminal, which a pipe does not carry."""
    _ERR.print(line, style=style, soft_wrap=True)


def emit(message: Message) -> None:
    """One JSON object a line, in proto3 JSON with the contract's own field names."""
    line(json.dumps(as_json(message), ensure_ascii=False))


def width() -> int:
    return _OUT.width


def line(text: str) -> None:
    """As it is, however long."""
    _OUT.out(text, highlight=False)


def part(text: str) -> None:
    """As it is, and the line goes on."""
    _OUT.out(text, end="", highlight=False)


def as_json(message: Message) -> dict[str, object]:
    return MessageToDict(message, preserving_proto_field_name=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar where a person watches, and nothing where nobody does."""
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), *times)
    with Progress(*columns, console=_ERR, transient=True, disable=not _ERR.is_terminal) as bar:
        yield bar


def table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2), expand=False)


def facts(rows: Iterable[tuple[str, str]]) -> Padding:
    """Names on the left, what they are on the right."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, Text(value))
    return indented(made)


def word(enum: Enum, value: int) -> str:
    """A value as people say it: CLASS_TWO_WORDS is "two words"."""
    known = enum.DESCRIPTOR.values_by_number.get(value)
    if known is None:
        return f"a value that this command does not know ({value})"
    prefix = enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return known.name.removeprefix(prefix).replace("_", " ").lower() if value else ""


def moment(time: Timestamp) -> str:
    return f"{time.ToDatetime(UTC).astimezone(LONDON):%-d %b %Y %H:%M:%S}"


def zoned(time: Timestamp) -> str:
    """A moment that is held against others: with its zone, and with microseconds where it has any."""
    local = time.ToDatetime(UTC).astimezone(LONDON)
    return f"{local:%-d %b %Y %H:%M:%S}{f'.{local:%f}' if local.microsecond else ''} {local:%Z}"


def age(time: Timestamp) -> str:
    """How long ago, by the system's clock."""
    seconds = max(0.0, (datetime.now(UTC) - time.ToDatetime(UTC)) / timedelta(seconds=1))
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"


def day(date: Date) -> str:
    """As it was given: 1979, 1979-03 or 1979-03-04."""
    if not date.year:
        return ""
    month = f"-{date.month:02d}" if date.month else ""
    return f"{date.year:04d}{month}" + (f"-{date.day:02d}" if month and date.day else "")


def full_name(name: person.Name) -> str:
    return ", ".join(part for part in (name.family_name.upper(), name.given_name) if part)


def identifiers(of: person.Person) -> str:
    return ", ".join(one.value for one in of.identifiers)


def evidence(parts: Iterable[screening.Evidence]) -> str:
    return "; ".join(f"{part.field.replace('_', ' ')} {part.comparison}" for part in parts)
