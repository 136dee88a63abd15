"""The projection of a message onto an audience: the information-sharing protocol, role by role."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from ppo.custody.v1 import custody_pb2, events_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.policy.v1 import policy_pb2
from services.runtime import policy
from services.runtime.policy import Viewer, project

# domain.md 3.5 in its own order: what an audience sees in every record, and what only in its own.
CUSTODY = ("IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS OFFENCES ADDRESS LEGAL_STATUS", "DRUG_TEST")
DRUGS = ("IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS MOVEMENTS ATTENDANCE DRUG_TEST", "TREATMENT")
MANAGER = (
    "IDENTITY PPO_LABEL OWNER_CONTACT ATTENDANCE WHEREABOUTS MOVEMENTS INDEX_OFFENCE OFFENCES DRUG_TEST"
    " NEEDS PRISON_WORK RELEASE_ADDRESS ADDRESS COUNTS"
)
PRISON = "IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS MOVEMENTS INDEX_OFFENCE PRISON_WORK RELEASE_ADDRESS"
SEES = {
    "custody_officer": CUSTODY,
    "arresting_officer": CUSTODY,
    "arrest_referral_worker": ("IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS DRUG_TEST", "TREATMENT"),
    "police_offender_manager": (f"{MANAGER} LEGAL_STATUS INTELLIGENCE", ""),
    "interested_ocu": ("IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS MOVEMENTS OFFENCES LEGAL_STATUS", ""),
    "probation_offender_manager": (f"{MANAGER} LEGAL_STATUS", ""),
    "prison_offender_management_unit": (PRISON, "LEGAL_STATUS"),
    "carat_worker": DRUGS,
    "ppo_drug_team": DRUGS,
    "dip_team": DRUGS,
    "youth_offending_team": (MANAGER, "LEGAL_STATUS"),
    "housing_provider": ("MOVEMENTS RELEASE_ADDRESS", "NEEDS ATTENDANCE"),
    "training_provider": ("MOVEMENTS RELEASE_ADDRESS PRISON_WORK", "NEEDS ATTENDANCE"),
    "third_party": ("", ""),
    "court": ("", "LEGAL_STATUS"),
    # Every agency sits at a forum: it has its list by reference, and no protocol says that it sees more.
    "forum": ("", ""),
    "home_office": ("COUNTS", ""),
    "ops": ("COUNTS", ""),
    "returns_officer": ("COUNTS", ""),
    "importer": ("COUNTS", ""),
    "register_keeper": ("IDENTITY PPO_LABEL OWNER_CONTACT OFFENCES INTELLIGENCE COUNTS", ""),
    # Topics between our own services: no treatment and no intelligence travels on them. EVENT is no class but
    # that an event of theirs exists.
    "suite": (f"{MANAGER} LEGAL_STATUS EVENT", ""),
}
SERVICES = {f"service_{name}": SEES["suite"] for name in ("flagging", "custody", "tracking", "returns")}
PROTOCOL = {
    role: (frozenset(always.split()) | {"TECHNICAL"}, frozenset(own.split()))
    for role, (always, own) in (SEES | SERVICES).items()
}

# The column "Never" of domain.md 3.5, which holds for one's own records too.
PERSON = (
    "IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS ADDRESS DRUG_TEST TREATMENT INTELLIGENCE OFFENCES NEEDS"
)
NEVER = {
    "custody_officer": "ATTENDANCE TREATMENT INTELLIGENCE NEEDS",
    "arresting_officer": "ATTENDANCE TREATMENT INTELLIGENCE NEEDS",
    "arrest_referral_worker": "INTELLIGENCE",
    "police_offender_manager": "TREATMENT",
    "interested_ocu": "ATTENDANCE DRUG_TEST TREATMENT NEEDS INTELLIGENCE",
    "probation_offender_manager": "TREATMENT INTELLIGENCE",
    "prison_offender_management_unit": "DRUG_TEST TREATMENT INTELLIGENCE",
    "carat_worker": "INTELLIGENCE OFFENCES",
    "ppo_drug_team": "INTELLIGENCE OFFENCES",
    "dip_team": "INTELLIGENCE OFFENCES",
    "youth_offending_team": "TREATMENT INTELLIGENCE",
    "housing_provider": "PPO_LABEL TREATMENT INTELLIGENCE OFFENCES DRUG_TEST",
    "training_provider": "PPO_LABEL TREATMENT INTELLIGENCE OFFENCES DRUG_TEST",
    "third_party": f"{PERSON} ATTENDANCE MOVEMENTS PRISON_WORK RELEASE_ADDRESS LEGAL_STATUS COUNTS",
    "court": f"{PERSON} MOVEMENTS ATTENDANCE",
    "forum": PERSON,
    "home_office": PERSON,
    "returns_officer": PERSON,
    "ops": PERSON,
    "suite": "TREATMENT INTELLIGENCE",
}

CLASSES = {name.removeprefix("CLASS_"): value for name, value in policy_pb2.Class.items() if value}
NAMES: dict[int, str] = {value: name for name, value in CLASSES.items()}
OWN, OTHER = "E3", "F2"


def record() -> Descriptor:
    """Fields of every class, of none and of one not known; parts below with the same; an event."""
    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="record", syntax="proto3")
    file.dependency.extend(["ppo/policy/v1/policy.proto", events_pb2.DESCRIPTOR.name])
    for name in ("Part", "Record"):
        message = file.message_type.add(name=name)
        message.options.Extensions[policy_pb2.party_field] = "author"
        for kind, number in (CLASSES | {"AUTHOR": CLASSES["TECHNICAL"], "UNCLASSED": 0, "NEWER": 99}).items():
            add(message, kind.lower(), number)
    held = {"event": ".ppo.custody.v1.PpoArrested", "one": ".record.Part", "many": ".record.Part"}
    for name, kind in held.items():
        part = add(file.message_type[1], name, CLASSES["TECHNICAL"])
        part.type, part.type_name = part.TYPE_MESSAGE, kind
    part.label = part.LABEL_REPEATED
    return Default().AddSerializedFile(file.SerializeToString()).message_types_by_name["Record"]


def add(message: descriptor_pb2.DescriptorProto, name: str, kind: int) -> descriptor_pb2.FieldDescriptorProto:
    field = message.field.add(name=name, number=len(message.field) + 1)
    field.type, field.label = field.TYPE_STRING, field.LABEL_OPTIONAL
    options: Any = field.options
    options.Extensions[policy_pb2.field_class] = kind
    return field


RECORD = record()
KINDS = [
    RECORD,
    custody_pb2.ListReferralsResponse.DESCRIPTOR,
    custody_pb2.WatchSuiteResponse.DESCRIPTOR,
    flagging_pb2.GetRegistrationResponse.DESCRIPTOR,
    flagging_pb2.ImportNominalsResponse.DESCRIPTOR,
    flagging_pb2.SearchNominalsResponse.DESCRIPTOR,
]


def full(author: str) -> Any:
    """A record with every field set, all by one author."""
    message: Any = GetMessageClass(RECORD)()
    for part in (message, message.one, message.many.add()):
        for field in part.DESCRIPTOR.fields:
            if not field.message_type:
                setattr(part, field.name, author)
    return message


Leaf = tuple[str, str, object]


def leaves(message: Any, may: Callable[[str, str], bool] = lambda kind, party: True) -> Iterator[Leaf]:
    """Path, class and value of every field that is set and, down to it, allowed."""
    party_field = message.DESCRIPTOR.GetOptions().Extensions[policy_pb2.party_field]
    party = getattr(message, party_field) if party_field else ""
    for field, value in message.ListFields():
        kind = NAMES.get(policy.field_class(field), "")
        if not may("EVENT" if field.name == "event" else kind, party):
            continue
        for number, item in enumerate(value if field.is_repeated else [value]):
            path = f"{field.name}[{number}]"
            yield path, kind, None if field.message_type else item
            if field.message_type and field.message_type.file.package.startswith(("ppo.", "record")):
                yield from ((f"{path}.{rest}", kind, one) for rest, kind, one in leaves(item, may))


def granted(role: str, organisation: str) -> Callable[[str, str], bool]:
    always, own = PROTOCOL[role]
    return lambda kind, party: kind in always or (kind in own and party == organisation != "")


def classes(message: Message) -> set[str]:
    return {kind for _, kind, _ in leaves(message)}


@st.composite
def messages(draw: st.DrawFn) -> Message:
    message: Message = GetMessageClass(draw(st.sampled_from(KINDS)))()
    fill(message, draw)
    return message


def fill(message: Any, draw: st.DrawFn) -> None:
    for field in message.DESCRIPTOR.fields:
        for _ in range(draw(st.integers(0, 2 if field.is_repeated else 1))):
            if field.message_type:
                part = getattr(message, field.name)
                fill(part.add() if field.is_repeated else part, draw)
            elif field.is_repeated:
                getattr(message, field.name).append(draw(scalars(field)))
            else:
                setattr(message, field.name, draw(scalars(field)))


def scalars(field: FieldDescriptor) -> st.SearchStrategy[object]:
    if field.enum_type:
        return st.sampled_from(sorted(field.enum_type.values_by_number))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.sampled_from([OWN, OTHER])
    return st.booleans() if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else st.integers(0, 9)


viewers = st.builds(Viewer, st.sampled_from(sorted(PROTOCOL)), st.sampled_from(["", OWN, OTHER]))


@given(messages(), viewers)
def test_a_viewer_sees_what_the_protocol_grants_and_nothing_else(message: Message, viewer: Viewer) -> None:
    expected = list(leaves(message, granted(viewer.role, viewer.organisation)))

    assert list(leaves(project(message, viewer))) == expected


@given(messages(), viewers)
def test_projecting_twice_is_projecting_once(message: Message, viewer: Viewer) -> None:
    once = project(message, viewer)

    assert project(once, viewer) == once


@given(messages(), viewers)
def test_projecting_leaves_the_message_itself_alone(message: Message, viewer: Viewer) -> None:
    before = message.SerializeToString(deterministic=True)

    project(message, viewer)

    assert message.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("role", ["", "nobody", "unspecified", "Suite", "COURT", "custody officer", "admin"])
def test_a_role_that_no_contract_knows_sees_nothing(role: str) -> None:
    assert list(leaves(project(full(OWN), Viewer(role, OWN)))) == []


@pytest.mark.parametrize(
    ("role", "kind"), [(role, kind) for role, kinds in NEVER.items() for kind in kinds.split()]
)
def test_what_the_protocol_says_never_is_never_seen(role: str, kind: str) -> None:
    assert kind in classes(full(OWN))
    assert kind not in classes(project(full(OWN), Viewer(role, OWN)))


@pytest.mark.parametrize("role", sorted(PROTOCOL))
def test_treatment_and_what_is_ones_own_is_not_seen_in_anothers_record(role: str) -> None:
    _, own = PROTOCOL[role]

    assert not classes(project(full(OTHER), Viewer(role, OWN))) & (own | {"TREATMENT"})


def test_a_viewer_without_an_organisation_owns_nothing() -> None:
    message = full(OWN)
    message.author = ""

    assert "DRUG_TEST" not in classes(project(message, Viewer("custody_officer", "")))


def test_the_protocol_above_names_every_role_and_every_class() -> None:
    roles = {name.removeprefix("ROLE_").lower() for name, value in policy_pb2.Role.items() if value}

    assert set(PROTOCOL) == roles
    assert set().union(*(always | own for always, own in PROTOCOL.values())) == {*CLASSES, "EVENT"}


def test_every_class_says_who_may_see_it() -> None:
    values = policy_pb2.Class.DESCRIPTOR.values[1:]

    assert [value.name for value in values if not value.GetOptions().HasExtension(policy_pb2.grant)] == []


def test_a_field_that_this_code_does_not_know_is_not_disclosed() -> None:
    newer = full(OWN).SerializeToString() + b"\xfa\x3f\x03new"
    message = GetMessageClass(RECORD).FromString(newer)

    for role in PROTOCOL:
        assert b"new" not in project(message, Viewer(role, OWN)).SerializeToString()


@pytest.mark.parametrize("role", [*sorted(set(SEES) - {"suite"}), "nobody"])
def test_not_even_that_an_event_exists_is_disclosed_outside_its_audience(role: str) -> None:
    with pytest.raises(policy.Undisclosed):
        project(events_pb2.PpoArrested(detention_id="1"), Viewer(role))


@pytest.mark.parametrize("role", ["suite", *SERVICES])
def test_an_event_is_disclosed_to_its_audience(role: str) -> None:
    event = events_pb2.PpoArrested(detention_id="1", nominal_id="2")

    assert project(event, Viewer(role)) == event
