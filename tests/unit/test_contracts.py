"""What every contract keeps: who may call, what each field discloses, and that a mutation can be repeated."""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from ppo.policy.v1 import policy_pb2
from services.runtime import policy

PROTO = Path(__file__).parents[2] / "proto"
# The rule that says which RPCs only read; every other one changes something and can be repeated.
READS = ("Get", "List", "Search", "Check", "Screen", "Watch", "Explain", "Stream", "Export", "Trace")
AUDIENCES = {name.removeprefix("ROLE_").lower() for name in policy_pb2.Role.DESCRIPTOR.values_by_name} - {
    "unspecified"
}


def contract(path: Path) -> FileDescriptor:
    name = path.relative_to(PROTO).with_suffix("").as_posix().replace("/", ".") + "_pb2"
    descriptor: FileDescriptor = importlib.import_module(name).DESCRIPTOR
    return descriptor


CONTRACTS = [contract(path) for path in sorted(PROTO.rglob("*.proto"))]
METHODS: list[MethodDescriptor] = [
    method for file in CONTRACTS for service in file.services_by_name.values() for method in service.methods
]
MESSAGES: list[Descriptor] = [
    message for file in CONTRACTS for message in file.message_types_by_name.values()
]


def parts(message: Descriptor) -> list[Descriptor]:
    """The messages of ours that its fields hold; what google's packages define has no classes inside."""
    held = [field.message_type for field in message.fields if field.message_type]
    return [one for one in held if not one.file.package.startswith("google.")]


def within(message: Descriptor) -> Iterator[Descriptor]:
    """The message and every message of ours below it."""
    waiting, seen = [message], {message.full_name}
    while waiting:
        yield (one := waiting.pop())
        waiting += [part for part in parts(one) if part.full_name not in seen]
        seen |= {part.full_name for part in parts(one)}


def events() -> list[Descriptor]:
    """What stands by itself in a service's events.proto, and whatever says that it has an audience."""
    contained = {part.full_name for message in MESSAGES for part in parts(message)}
    return [
        message
        for message in MESSAGES
        if policy.audience(message)
        or (message.file.name.endswith("/events.proto") and message.full_name not in contained)
    ]


def disclosed() -> list[Descriptor]:
    """Every message that a reply or an event may hold."""
    roots = [method.output_type for method in METHODS] + events()
    return list({kind.full_name: kind for root in roots for kind in within(root)}.values())


def party(message: Descriptor) -> str:
    name: str = message.GetOptions().Extensions[policy_pb2.party_field]
    return name


def named(rows: Iterable[Descriptor | MethodDescriptor]) -> list[object]:
    return [pytest.param(row, id=row.full_name) for row in rows]


@pytest.mark.parametrize("method", named(METHODS))
def test_an_rpc_names_who_may_call_it(method: MethodDescriptor) -> None:
    assert policy.callers(method)
    assert policy.callers(method) <= AUDIENCES - {"suite"}


@pytest.mark.parametrize("method", named(METHODS))
def test_an_rpc_has_a_request_and_a_response_of_its_own(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


@pytest.mark.parametrize("method", named(m for m in METHODS if not m.name.startswith(READS)))
def test_a_mutation_requires_a_request_id(method: MethodDescriptor) -> None:
    assert "request_id" in method.input_type.fields_by_name
    options = method.input_type.fields_by_name["request_id"].GetOptions()
    assert field_behavior_pb2.REQUIRED in options.Extensions[field_behavior_pb2.field_behavior]


@pytest.mark.parametrize("message", named(disclosed()))
def test_every_field_of_a_reply_or_event_has_a_class(message: Descriptor) -> None:
    assert [field.name for field in message.fields if policy.field_class(field) == 0] == []


@pytest.mark.parametrize("message", named(disclosed()))
def test_no_reply_or_event_holds_a_map(message: Descriptor) -> None:
    """A map's key and value cannot be given a class."""
    assert [part.name for part in parts(message) if part.GetOptions().map_entry] == []


@pytest.mark.parametrize("method", named(METHODS))
def test_whoever_may_call_an_rpc_may_see_its_reply(method: MethodDescriptor) -> None:
    reply = GetMessageClass(method.output_type)()
    for field in method.output_type.fields:
        fill(reply, field)

    for role in policy.callers(method):
        left = policy.project(reply, policy.Viewer(role, "E3")).ListFields()
        assert [field.name for field, _ in left] == [field.name for field in method.output_type.fields]


def fill(message: Any, field: FieldDescriptor) -> None:
    value = getattr(message, field.name)
    if field.message_type:
        (value.add() if field.is_repeated else value).SetInParent()
    else:
        setattr(
            message,
            field.name,
            {FieldDescriptor.TYPE_STRING: "E3", FieldDescriptor.TYPE_BYTES: b"E3"}.get(field.type, 1),
        )


@pytest.mark.parametrize("message", named(events()))
def test_an_event_names_its_audience(message: Descriptor) -> None:
    assert policy.audience(message)
    assert policy.audience(message) <= AUDIENCES


@pytest.mark.parametrize("message", named(m for m in MESSAGES if party(m)))
def test_the_party_of_a_message_is_one_of_its_text_fields(message: Descriptor) -> None:
    assert message.fields_by_name[party(message)].type == FieldDescriptor.TYPE_STRING


def test_every_contract_is_tested() -> None:
    assert {file.package for file in CONTRACTS} >= {"ppo.flagging.v1", "ppo.custody.v1", "ppo.person.v1"}
    assert {"CheckPerson", "ScreenPerson"} <= {method.name for method in METHODS}
    assert {"Flag", "Watermark", "PpoArrested"} <= {event.name for event in events()}
