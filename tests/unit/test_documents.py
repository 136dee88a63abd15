"""The pages and descriptor sets for other people's engineers say what the contracts say, and no more."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc
from sqlalchemy import MetaData

from docs import descriptors, generate, samples
from docs.fields import ALWAYS, NEVER, OWN, full, matrix
from ppo.custody.v1 import custody_pb2
from services.runtime import policy
from services.runtime.outbox import Outbox
from services.runtime.relay import Relay
from services.tracking.notices import KINDS
from tests.unit.test_contracts import events

# What an organisation outside may not learn from anything that it gets.
UNSAID = {
    "casework": ("ppo", "police", "prolific", "offender", "prison", "court", "breach", "recall"),
    "court": ("ppo", "prolific", "intelligence"),
}


@pytest.mark.parametrize("page", ["events.md", "casework.md", "court.md"])
def test_a_page_is_what_make_events_writes(page: str) -> None:
    [written] = [text for path, text in generate.pages().items() if path.name == page]

    assert (generate.HERE / page).read_text() == written


def test_every_topic_is_described() -> None:
    names = {topic.name for topic in generate.topics()}

    assert generate.FLOWS.keys() == generate.MESSAGES.keys() == names


def test_every_event_stands_on_a_topic() -> None:
    named = {name for names in generate.MESSAGES.values() for name in names}

    assert named == {event.full_name for event in events()}


def test_what_a_role_sees_of_its_own_alone_is_marked_so() -> None:
    rows = matrix(custody_pb2.DrugTest.DESCRIPTOR, ["ppo_drug_team", "custody_officer", "home_office"])

    assert dict(rows)["result"] == [ALWAYS, OWN, NEVER]


def test_a_sample_has_the_headers_that_the_relay_gives() -> None:
    outbox = Outbox(MetaData(), "/ppo/tracking")
    nothing: Any = None
    relay = Relay(nothing, outbox, nothing, nothing, nothing, nothing)
    row = SimpleNamespace(
        topic="t", key="k", payload=b"", partition=-1, event_id="e", event_type="m", sequence=3,
        event_time=datetime(2004, 12, 7, 10, 15, 4, tzinfo=UTC),
    )  # fmt: skip

    sent = relay._record(row).headers

    assert list(generate.headers("e", "m", "/ppo/tracking").items()) == list(sent.items())


@pytest.mark.parametrize("role", samples.NOTICES)
def test_a_sample_is_of_a_notice_that_its_audience_is_sent(role: str) -> None:
    _, notice = samples.NOTICES[role]

    assert role in KINDS[notice.type].receivers


@pytest.mark.parametrize("name", UNSAID)
def test_nothing_for_providers_and_courts_names_the_scheme(name: str) -> None:
    [page] = [text for path, text in generate.pages().items() if path.name == f"{name}.md"]
    descriptor_set = str(descriptors.only(name))

    assert [word for word in UNSAID[name] if word in page.lower()] == []
    assert [word for word in UNSAID[name] if word in descriptor_set.lower()] == []


@pytest.mark.parametrize("name", descriptors.SETS)
def test_a_descriptor_set_reads_all_that_its_message_can_hold(name: str, tmp_path: Path) -> None:
    root = descriptors.SETS[name]
    descriptors.write(tmp_path)

    kind = read(tmp_path / f"{name}.binpb").FindMessageTypeByName(root.full_name)

    assert reading(kind, full(root).SerializeToString()) == MessageToDict(full(root))


@pytest.mark.parametrize("name", descriptors.SETS)
def test_a_descriptor_set_says_nothing_of_calls_and_audiences(name: str) -> None:
    files = descriptors.only(name).file
    ours = [file for file in files if not file.package.startswith("google.")]

    called = [descriptors.CALLED[name].full_name] if name in descriptors.CALLED else []
    assert [f"{file.package}.{one.name}" for file in ours for one in file.service] == called
    assert [file.name for file in ours if file.extension] == []
    assert policy.audience(descriptors.SETS[name])
    assert not any(one.HasField("options") for file in ours for one in [*file.message_type, *file.service])
    assert not any(
        method.HasField("options") for file in ours for one in file.service for method in one.method
    )
    assert not any(
        field.HasField("options") for file in ours for message in file.message_type for field in message.field
    )


@pytest.mark.parametrize("name", descriptors.SETS)
def test_protoc_makes_classes_of_a_descriptor_set(name: str, tmp_path: Path) -> None:
    descriptors.write(tmp_path)
    file = descriptors.SETS[name].file.name

    done = protoc.main(
        ["protoc", f"--descriptor_set_in={tmp_path / name}.binpb", f"--python_out={tmp_path}", file]
    )

    assert done == 0
    assert (tmp_path / file.replace(".proto", "_pb2.py")).exists()


def read(path: Path) -> DescriptorPool:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(path.read_bytes()).file:
        pool.Add(file)
    return pool


def reading(kind: Descriptor, record: bytes) -> object:
    return MessageToDict(GetMessageClass(kind).FromString(record))
