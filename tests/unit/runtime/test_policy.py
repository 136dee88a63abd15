"""The projection of a message onto an audience: the information-sharing protocol, role by role and class by class."""

from collections.abc import Iterator
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
    " NEEDS PRISON_WORK RELEASE_ADDRESS ADDRESS"
)
PRISON = "IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS MOVEMENTS INDEX_OFFENCE PRISON_WORK RELEASE_ADDRESS"
SEES = {
    "custody_officer": CUSTODY,
    "arresting_officer": CUSTODY,
    "arrest_referral_worker": ("IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS DRUG_TEST", "TREATMENT"),
    "police_offender_manager": (f"{MANAGER} LEGAL_STATUS INTELLIGENCE COUNTS", ""),
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
    "court": ("", ""),
    "home_office": ("COUNTS", ""),
    "ops": ("COUNTS", ""),
    "returns_officer": ("COUNTS", ""),
    "importer": ("COUNTS", ""),
    "register_keeper": ("IDENTITY PPO_LABEL OWNER_CONTACT OFFENCES INTELLIGENCE COUNTS", ""),
    # Topics between our own services: no treatment and no intelligence travels on them.
    "suite": (f"{MANAGER} LEGAL_STATUS COUNTS", ""),
}
SERVICES = {f"service_{name}": SEES["suite"] for name in ("flagging", "custody", "tracking", "returns")}
PROTOCOL = {
    role: (frozenset(always.split()) | {"TECHNICAL"}, frozenset(own.split()))
    for role, (always, own) in (SEES | SERVICES).items()
}

# The column "Never" of domain.md 3.5, which holds for one's own records too.
PERSON = "IDENTITY PPO_LABEL OWNER_CONTACT WHEREABOUTS ADDRESS DRUG_TEST TREATMENT INTELLIGENCE OFFENCES NEEDS"
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
    "court": "PPO_LABEL INTELLIGENCE",
    "home_office": PERSON,
    "returns_officer": PERSON,
    "ops": PERSON,
    "suite": "TREATMENT INTELLIGENCE",
}

CLASSES = {name.removeprefix("CLASS_"): value for name, value in policy_pb2.Class.items() if value}
ROLES = sorted(PROTOCOL)
OWN, OTHER = "E3", "F2"


def record() -> Descriptor:
    """A message with a field of every class, one without a class, and the same again below it."""
    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="record", syntax="proto3")
    file.dependency.append("ppo/policy/v1/policy.proto")
    message = file.message_type.add(name="Record")
    message.options.Extensions[policy_pb2.party_field] = "author"
    kinds = CLASSES | {"author": CLASSES["TECHNICAL"], "unclassed": 0, "one": 18, "many": 18}
    for number, (name, kind) in enumerate(kinds.items(), 1):
        field = message.field.add(name=name.lower(), number=number, type="TYPE_STRING", label="LABEL_OPTIONAL")
        field.options.Extensions[policy_pb2.field_class] = kind
        if name in ("one", "many"):
            field.type, field.type_name = field.TYPE_MESSAGE, ".record.Record"
        if name == "many":
            field.label = field.LABEL_REPEATED
    return Default().AddSerializedFile(file.SerializeToString()).message_types_by_name["Record"]


RECORD = record()
KINDS = [
    RECORD,
    flagging_pb2.GetRegistrationResponse.DESCRIPTOR,
    flagging_pb2.SearchNominalsResponse.DESCRIPTOR,
    flagging_pb2.ImportNominalsResponse.DESCRIPTOR,
    custody_pb2.ListReferralsResponse.DESCRIPTOR,
    custody_pb2.WatchSuiteResponse.DESCRIPTOR,
]


def classed(author: str, depth: int = 1) -> Message:
    """A record full to the brim, with records below it, all by one author."""
    message: Any = GetMessageClass(RECORD)(author=author, unclassed="x")
    for name in CLASSES:
        setattr(message, name.lower(), "x")
    if depth:
        message.one.CopyFrom(classed(author, depth - 1))
        message.many.append(classed(author, depth - 1))
    return message


def seen(message: Message) -> set[str]:
    """The classes of which anything is left, here or below."""
    return {path[-1].upper() for path, _ in leaves(message)} & set(CLASSES)
