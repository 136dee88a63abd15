"""What the officer must do now, as the services say it: one line a rule, with whom to ring and by when."""

from collections.abc import Iterable, Iterator
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import custody_pb2 as custody
from services.runtime.reference import LONDON


def lines(given: custody.Instructions) -> Iterator[tuple[str, str]]:
    """The rule and what it asks; what was withdrawn comes last."""
    every = [*given.recall, *given.general, *given.drug_test]
    yield from _shown(one for one in every if not one.HasField("withdrawn_time"))
    yield from _shown(one for one in every if one.HasField("withdrawn_time"))


def _shown(some: Iterable[custody.Instruction]) -> Iterator[tuple[str, str]]:
    for one in some:
        yield one.rule, _withdrawn(one) if one.HasField("withdrawn_time") else _asked(one)


def _asked(one: custody.Instruction) -> str:
    parts = [one.text]
    if one.contact.telephone:
        parts.append(f"Ring {_contact(one.contact)}.")
    if one.HasField("due_time"):
        parts.append(f"By {_moment(one.due_time)}.")
    return " ".join(parts)


def _withdrawn(one: custody.Instruction) -> str:
    return (
        f"WITHDRAWN at {_moment(one.withdrawn_time)}. Whoever was told is to be told: "
        f"ring {_contact(one.contact)}. It was: {one.text}"
    )


def _contact(one: custody.Contact) -> str:
    words = dict.fromkeys(filter(None, (one.title, one.organisation, one.telephone)))
    return ", ".join(words)


def _moment(time: Timestamp) -> str:
    return f"{time.ToDatetime(UTC).astimezone(LONDON):%H:%M on %-d %b}"
