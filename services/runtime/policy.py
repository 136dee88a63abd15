"""What the contracts say of disclosure, enforced: who may call, who may see; deny by default.

The options are found by name in the descriptors of the loaded contracts, so no contract is imported here.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

PACKAGE = "ppo.policy.v1"
ROLE_PREFIX = "ROLE_"
# The audience of a role that no contract knows: it sees nothing at all.
NOBODY = "nobody"


class Undisclosed(PermissionError):
    """The viewer may not even learn that a record of this type exists."""


@dataclass(frozen=True)
class Viewer:
    """Who sees a reply (the caller) or a record (the topic's audience). `role` in snake case."""

    role: str
    organisation: str = ""


SUITE = Viewer("suite")


def callers(method: MethodDescriptor) -> frozenset[str]:
    """The roles that may call an RPC; none where the contract names none."""
    call = method.GetOptions().Extensions[_option("call")]
    return frozenset(_role_name(number) for number in call.roles)


@cache
def audience(descriptor: Descriptor) -> frozenset[str]:
    """Who may learn that a record of this type exists; none where the contract names none."""
    return frozenset(_role_name(number) for number in descriptor.GetOptions().Extensions[_option("audience")])


def field_class(field: FieldDescriptor) -> int:
    """The number of the field's class; 0 where the contract gives none."""
    number: int = field.GetOptions().Extensions[_option("field_class")]
    return number


def project(message: M, viewer: Viewer) -> M:
    """A copy of what of `message` the viewer may see.

    Raises Undisclosed for an event whose audience the viewer does not belong to.
    """
    role = _audience_of(viewer.role)
    descriptor: Any = message.DESCRIPTOR
    allowed = audience(descriptor)
    if allowed and role not in allowed:
        raise Undisclosed(f"{descriptor.full_name} is not for {role}")
    copy = type(message)()
    copy.CopyFrom(message)
    # A field that only newer code knows has no class here.
    copy.DiscardUnknownFields()
    _strip(copy, role, viewer.organisation)
    return copy


@dataclass(frozen=True)
class _Plan:
    """What a role sees of one message type; `whole` when nothing of it or below it is taken out."""

    whole: bool
    hidden: tuple[str, ...]
    own: tuple[str, ...]
    nested: tuple[FieldDescriptor, ...]
    party: str


@cache
def _plan(descriptor: Descriptor, role: str) -> _Plan:
    hidden, own, nested = [], [], []
    party: str = descriptor.GetOptions().Extensions[_option("party_field")]
    for field in descriptor.fields:
        sight = _sight(field_class(field), role)
        if sight == "none" or _undisclosed(field, role):
            hidden.append(field.name)
            continue
        if sight == "own":
            own.append(field.name)
        if _is_ours(field):
            nested.append(field)
    below = all(_plan(field.message_type, role).whole for field in nested)
    return _Plan(not hidden and not own and below, tuple(hidden), tuple(own), tuple(nested), party)


def _is_ours(field: FieldDescriptor) -> bool:
    """Times and dates of the google packages have no classes inside: the field's own class says it all."""
    kind = field.message_type
    return kind is not None and not kind.file.package.startswith("google.")


def _undisclosed(field: FieldDescriptor, role: str) -> bool:
    """An event within a message is disclosed to the event's own audience only."""
    allowed = audience(field.message_type) if field.message_type else frozenset[str]()
    return bool(allowed) and role not in allowed


def _strip(message: Message, role: str, organisation: str) -> None:
    plan = _plan(message.DESCRIPTOR, role)
    if plan.whole:
        return
    owned = bool(plan.party and organisation and getattr(message, plan.party) == organisation)
    for name in plan.hidden if owned else plan.hidden + plan.own:
        message.ClearField(name)
    for field in plan.nested:
        value: Any = getattr(message, field.name)
        if field.is_repeated:
            for item in value:
                _strip(item, role, organisation)
        elif message.HasField(field.name):
            _strip(value, role, organisation)


@cache
def _sight(number: int, role: str) -> str:
    """all, own or none: how much of a class a role sees."""
    value = _enum("Class").values_by_number.get(number)
    if value is None or role == NOBODY:
        return "none"
    grant = value.GetOptions().Extensions[_option("grant")]
    if grant.everyone or role in (_role_name(one) for one in grant.all):
        return "all"
    return "own" if role in (_role_name(one) for one in grant.own) else "none"


@cache
def _audience_of(role: str) -> str:
    value = _enum("Role").values_by_name.get(ROLE_PREFIX + role.upper())
    if value is None or value.number == 0 or role != role.lower():
        return NOBODY
    seen_as = value.GetOptions().Extensions[_option("sees_as")]
    return _role_name(seen_as) if seen_as else role


def _role_name(number: int) -> str:
    name: str = _enum("Role").values_by_number[number].name
    return name.removeprefix(ROLE_PREFIX).lower()


@cache
def _option(name: str) -> Any:
    return Default().FindExtensionByName(f"{PACKAGE}.{name}")


@cache
def _enum(name: str) -> EnumDescriptor:
    return Default().FindEnumTypeByName(f"{PACKAGE}.{name}")
