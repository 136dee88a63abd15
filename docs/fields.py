"""Which fields of a message an audience gets: a full one, projected as the outbox projects each record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.runtime import policy

# A party that every message of the full record names, so that grants of one's own show.
PARTY = "E3"
ALWAYS, OWN, NEVER = "●", "own", ""

_WORDS: Mapping[int, Any] = {
    FieldDescriptor.TYPE_STRING: PARTY,
    FieldDescriptor.TYPE_BYTES: PARTY.encode(),
    FieldDescriptor.TYPE_BOOL: True,
}


def below(field: FieldDescriptor) -> Descriptor | None:
    """The message of our contracts that the field holds, if any: it has fields and classes of its own."""
    kind = field.message_type
    return None if kind is None or kind.file.package.startswith("google.") else kind


def full(kind: Descriptor) -> Message:
    """A record with something in every field."""
    message: Any = GetMessageClass(kind)()
    for field in kind.fields:
        value = _value(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    filled: Message = message
    return filled


def _value(field: FieldDescriptor) -> Any:
    return full(field.message_type) if field.message_type else _WORDS.get(field.type, 1)


def matrix(kind: Descriptor, roles: Sequence[str]) -> list[tuple[str, list[str]]]:
    """A row for each field, or for all below one where they agree, with what each role gets of it."""
    record = full(kind)
    always = [_told(record, policy.Viewer(role)) for role in roles]
    at_most = [_told(record, policy.Viewer(role, PARTY)) for role in roles]

    def marks(path: str) -> tuple[str, ...]:
        pairs = zip(always, at_most, strict=True)
        return tuple(ALWAYS if path in one else OWN if path in other else NEVER for one, other in pairs)

    return [(path, list(row)) for path, row in _rows(kind, marks)]


def _told(record: Message, viewer: policy.Viewer) -> set[str]:
    return set(_leaves(policy.project(record, viewer)))


def _leaves(message: Message, above: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        if below(field):
            yield from _leaves(value[0] if field.is_repeated else value, f"{above}{field.name}.")
        else:
            yield above + field.name


Row = tuple[str, tuple[str, ...]]


def _rows(kind: Descriptor, marks: Callable[[str], tuple[str, ...]], above: str = "") -> Iterator[Row]:
    for field in kind.fields:
        path, held = above + field.name, below(field)
        rows = list(_rows(held, marks, f"{path}.")) if held else [(path, marks(path))]
        agreed = {row for _, row in rows}
        yield from [(path, agreed.pop())] if len(agreed) == 1 else rows
