"""Writes the generated pages of docs/ from the contracts, topics, samples and rules: make events."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from casework.v1 import casework_pb2, court_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from docs import samples
from docs.comments import comments
from docs.descriptors import CALLED, Kind, only, types
from docs.fields import matrix
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2, notice_pb2, tracking_pb2
from services.custody.instructions import RULES, Rule
from services.prisons import hmpps
from services.runtime import policy
from services.runtime.broker import Record, Topic, Topics, dead_letter
from services.tracking.notices import KINDS

HERE = Path(__file__).parent
TOPICS = Topics.load(HERE.parent / "deploy" / "kafka" / "topics.toml")
DAY = 86_400

NOTICE, CASE_NOTICE = notice_pb2.Notice.DESCRIPTOR, casework_pb2.CaseNotice.DESCRIPTOR
COURT_NOTICE = court_pb2.CourtNotice.DESCRIPTOR
MOVEMENT = movement_pb2.Movement.DESCRIPTOR
NOTICES_TOPIC, CASEWORK_TOPIC = "ppo.notices.*.v1", "casework.*.v1"
MOVEMENTS_TOPIC, HMPPS_TOPIC = "ppo.tracking.movements.v1", "hmpps.domain-events"

# What no contract says of a topic: its key, who writes it, who reads it.
FLOWS: Mapping[str, tuple[str, str, str]] = {
    "ppo.flagging.flags.v1": ("nominal id", "flagging", "custody, tracking"),
    "ppo.custody.arrests.v1": ("nominal id, else detention id", "custody", "tracking"),
    "ppo.tracking.cases.v1": ("nominal id", "tracking", "custody"),
    MOVEMENTS_TOPIC: ("prison number", "prisons", "tracking, flagging"),
    HMPPS_TOPIC: ("prison number", "prisons", "tracking, flagging"),
    NOTICES_TOPIC: ("nominal id", "tracking", "the organisation"),
    CASEWORK_TOPIC: ("case reference, the court's own to a court", "tracking", "the organisation"),
}
MESSAGES: Mapping[str, Sequence[str]] = {
    "ppo.flagging.flags.v1": ["ppo.flagging.v1.Flag", "ppo.flagging.v1.Watermark"],
    "ppo.custody.arrests.v1": [name for name in samples.BETWEEN if name.startswith("ppo.custody.")],
    "ppo.tracking.cases.v1": [tracking_pb2.Case.DESCRIPTOR.full_name],
    MOVEMENTS_TOPIC: [MOVEMENT.full_name],
    HMPPS_TOPIC: [],
    NOTICES_TOPIC: [NOTICE.full_name],
    CASEWORK_TOPIC: [CASE_NOTICE.full_name, COURT_NOTICE.full_name],
}


def topics() -> list[Topic]:
    """Those of the file without their dead letters; a star stands for an organisation."""
    every = [*TOPICS.by_name.values(), *(pattern for pattern, _ in TOPICS.patterns)]
    return [topic for topic in every if not topic.name.endswith(".dead")]


def topic(name: str) -> Topic:
    [found] = [one for one in topics() if one.name == name]
    return found


def shown(name: str) -> str:
    return name.replace("*", "<organisation>")


# ---- tables


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def topics_table() -> str:
    head = ["topic", "key", "messages", "from", "to", "partitions", "kept"]
    return table(head, [_topic_row(one) for one in topics()])


def _topic_row(one: Topic) -> list[object]:
    names = [f"`{name.rpartition('.')[2]}`" for name in MESSAGES[one.name]]
    key, writer, reader = FLOWS[one.name]
    return [
        f"`{shown(one.name)}`",
        key,
        ", ".join(names) or "JSON",
        writer,
        reader,
        one.partitions,
        kept(one),
    ]


def kept(one: Topic) -> str:
    days = f"{one.retention_seconds / DAY:g} days"
    return f"the last state of each key; a tombstone {days}" if one.compacted else days


def audience(kind: Descriptor) -> list[str]:
    """In the order of the roles' numbers."""
    numbers = [policy_pb2.Role.Value(policy.ROLE_PREFIX + name.upper()) for name in policy.audience(kind)]
    names = [policy_pb2.Role.Name(number) for number in sorted(numbers)]
    return [name.removeprefix(policy.ROLE_PREFIX).lower() for name in names]


def said(role: str) -> str:
    return role.replace("_", " ").replace("ocu", "OCU").replace("carat", "CARAT").replace("ppo", "PPO")


def audience_table(kind: Descriptor) -> str:
    roles = audience(kind)
    rows = [[f"`{path}`", *marks] for path, marks in matrix(kind, roles)]
    return table(["field", *map(said, roles)], rows)


def receivers_table() -> str:
    rows = [(value, KINDS[value.number]) for value in _notice_types() if value.number in KINDS]
    return table(
        ["type", "sent to"],
        [
            [f"`{value.name}`", ", ".join(said(role) for role in kind.receivers if role in audience(NOTICE))]
            for value, kind in rows
            if set(kind.receivers) & set(audience(NOTICE))
        ],
    )


def _notice_types() -> Sequence[Any]:
    values: Sequence[Any] = tracking_pb2.NoticeType.DESCRIPTOR.values
    return values


def fields_table(kind: Descriptor) -> str:
    return table(["number", "field", "type", "meaning"], [_field_row(field) for field in kind.fields])


def _field_row(field: FieldDescriptor) -> list[object]:
    behaviour = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    required = ["Required."] if field_behavior_pb2.REQUIRED in behaviour else []
    meaning = " ".join([*required, _words(field.full_name)]).strip()
    return [field.number, f"`{field.name}`", field_type(field), meaning]


_SCALARS = {FieldDescriptor.TYPE_STRING: "text", FieldDescriptor.TYPE_BOOL: "bool"} | {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name for name in ("int32", "int64", "fixed64", "double")
}


def field_type(field: FieldDescriptor) -> str:
    kind = field.message_type or field.enum_type
    if kind is None:
        name = _SCALARS[field.type]
    else:
        known = {"google.protobuf.Timestamp": "time", "google.type.Date": "date"}
        name = known.get(kind.full_name, f"[{kind.name}](#{kind.name.lower()})")
    return f"{name}, repeated" if field.is_repeated else name


def values_table(kind: EnumDescriptor) -> str:
    rows = [
        [value.number, f"`{value.name}`", _words(f"{kind.full_name}.{value.name}")] for value in kind.values
    ]
    return table(["number", "value", "meaning"], rows)


def calls_table(service: ServiceDescriptor) -> str:
    return table(
        ["call", "takes", "answers", "meaning"],
        [
            [f"`{one.name}`", _link(one.input_type), _link(one.output_type), _words(one.full_name)]
            for one in service.methods
        ],
    )


def _link(kind: Descriptor) -> str:
    return f"[{kind.name}](#{kind.name.lower()})"


def reference(roots: Iterable[Kind]) -> str:
    """Every message and value that the roots are made of, each once, by name."""
    kinds = {name: kind for root in roots for name, kind in types(root).items()}
    ours = [kind for kind in kinds.values() if not kind.file.package.startswith("google.")]
    return "\n\n".join(_described(kind) for kind in sorted(ours, key=lambda kind: kind.name))


def _described(kind: Kind) -> str:
    match kind:
        case EnumDescriptor():
            rows = values_table(kind)
        case ServiceDescriptor():
            rows = calls_table(kind)
        case _:
            rows = fields_table(kind)
    return "\n\n".join(filter(None, [f"### {kind.name}", _words(kind.full_name), rows]))


# ---- samples


def sample(
    topic_name: str,
    key: str,
    message: Message,
    role: str = "suite",
    source: str = "",
    *,
    organisation: str = "",
) -> str:
    """The record as the audience reads it: what it may not see is not there."""
    projected = policy.project(message, policy.Viewer(role, organisation))
    value = MessageToDict(projected, preserving_proto_field_name=True)
    told = headers(event_id(value), message.DESCRIPTOR.full_name, source)
    return fenced({"topic": topic_name, "key": key, "headers": told, "value": value})


def headers(event: str, kind: str, source: str) -> dict[str, str]:
    """As services/runtime/relay.py gives them."""
    return {
        "ce_specversion": "1.0",
        "ce_id": event,
        "ce_type": kind,
        "ce_source": source,
        "ce_time": "2004-12-07T10:15:04+00:00",
        "ce_sequence": "3",
        "content-type": "application/protobuf",
    }


def event_id(value: Mapping[str, Any]) -> str:
    """A notice's is its own and its revision; any other event has one that says nothing."""
    if "notice_id" in value:
        return f"{value['notice_id']}/{value['revision']}"
    return str(value.get("movement_id", "a35c9e0f-8d42-4b17-b6e1-72f0d9c8e354"))


def fenced(record: object) -> str:
    return f"```json\n{json.dumps(record, indent=2, ensure_ascii=False)}\n```"


def notice_samples() -> str:
    """The prison's own in sight, the others folded."""
    first, *others = [_notice_sample(role) for role in samples.NOTICES]
    folded = [f"<details><summary>{title}</summary>\n\n{record}\n\n</details>" for title, record in others]
    return "\n\n".join([*first, *folded])


def _notice_sample(role: str) -> tuple[str, str]:
    organisation, notice = samples.NOTICES[role]
    name = NOTICES_TOPIC.replace("*", organisation)
    title = f"To the {said(role)}: {tracking_pb2.NoticeType.Name(notice.type)}"
    return title, sample(name, notice.nominal_id, notice, role, "/ppo/tracking")


def case_notice_samples() -> str:
    parts = []
    for role, (organisation, notice) in samples.CASE_NOTICES.items():
        name = CASEWORK_TOPIC.replace("*", organisation)
        parts.append(
            f"### A {said(role)}\n\n{sample(name, notice.case_reference, notice, role, '/casework')}"
        )
    return "\n\n".join(parts)


def court_sample() -> str:
    court, notice = samples.COURT_NOTICE
    name, key = CASEWORK_TOPIC.replace("*", court), notice.court_reference
    return sample(name, key, notice, "court", "/casework", organisation=court)


def movement_sample() -> str:
    movement = samples.BETWEEN[MOVEMENT.full_name]
    return sample(MOVEMENTS_TOPIC, samples.PRISON_NUMBER, movement, source="/prisons/BMI")


def hmpps_sample() -> str:
    return fenced(samples.HMPPS)


def hmpps_reading() -> str:
    movement = hmpps.read(json.dumps(samples.HMPPS).encode())
    assert isinstance(movement, movement_pb2.Movement), movement
    return fenced(MessageToDict(movement, preserving_proto_field_name=True))


def hmpps_table() -> str:
    rows = [
        [f"`{event}`", f"`{reason}`", f"`{movement_pb2.MovementKind.Name(kind)}`"]
        for event, reasons in hmpps.KINDS.items()
        for reason, kind in reasons.items()
    ]
    changed = movement_pb2.MovementKind.Name(movement_pb2.MOVEMENT_KIND_STATUS_CHANGE)
    rows += [[f"`{hmpps.STATUS_CHANGED}`", f"`{status}`", f"`{changed}`"] for status in hmpps.CONVICTED]
    return table(["eventType", "reason (convictedStatus)", "read as"], rows)


def instructions_table() -> str:
    return table(("rule", "when all of this holds", "do", "tell", "within"), map(_rule_row, RULES))


def _rule_row(rule: Rule) -> list[object]:
    facts = "<br>".join(rule.when)
    text = f"{rule.text}<br>Later: {rule.left}" if rule.left else rule.text
    return [rule.id, facts, text, rule.whom or "", rule.within or ""]


def between() -> str:
    """The topics from one of the suite's services to another."""
    own = [
        name for name in MESSAGES if name not in (NOTICES_TOPIC, CASEWORK_TOPIC, MOVEMENTS_TOPIC, HMPPS_TOPIC)
    ]
    return "\n\n".join(_between(name) for name in own)


def _between(name: str) -> str:
    source = f"/ppo/{FLOWS[name][1]}"
    parts = [f"### {name}"]
    for kind in MESSAGES[name]:
        message: Any = samples.BETWEEN[kind]
        key = getattr(message, "nominal_id", "") or getattr(message, "detention_id", "watermark")
        parts += [f"`{kind}`: {_words(kind)}", sample(name, key, message, source=source)]
    return "\n\n".join(parts)


def _words(name: str) -> str:
    """The comment above it, with names of topics as code, or a browser would take them for tags."""
    words = re.sub(r"\S*<\w+>[\w.]*", r"`\g<0>`", comments().get(name, ""))
    return words.replace("|", "\\|")


def compiling(name: str) -> str:
    """How protobuf's compiler reads a descriptor set; it has the google.protobuf package of its own."""
    files = [file.name for file in only(name).file if file.package != "google.protobuf"]
    words = ["protoc", f"--descriptor_set_in={name}.binpb", "--java_out=.", *files]
    return fill(" ".join(words), 110, subsequent_indent="  ", break_on_hyphens=False).replace("\n", " \\\n")


def dead_headers() -> str:
    letter = dead_letter(Record("t", "k", bytes(2 * 1024 * 1024), {}), "reason", "group")
    return ", ".join(f"`{name}`" for name in letter.headers)


def dead_kept() -> str:
    days = {one.retention_seconds / DAY for one in TOPICS.by_name.values() if one.name.endswith(".dead")}
    return " and ".join(f"{one:g}" for one in sorted(days))


# ---- pages

SUITE_ROOTS: list[Any] = [NOTICE, *(message.DESCRIPTOR for message in samples.BETWEEN.values())]

PARTS: Mapping[str, Callable[[], str]] = {
    "topics": topics_table,
    "notice types": receivers_table,
    "notice audiences": lambda: audience_table(NOTICE),
    "notice samples": notice_samples,
    "notices kept": lambda: kept(topic(NOTICES_TOPIC)),
    "movement": lambda: fields_table(MOVEMENT),
    "movement sample": movement_sample,
    "hmpps events": hmpps_table,
    "hmpps sample": hmpps_sample,
    "hmpps reading": hmpps_reading,
    "between": between,
    "dead headers": dead_headers,
    "dead kept": dead_kept,
    "reference": lambda: reference(SUITE_ROOTS),
    "instructions": instructions_table,
    "compiling notices": lambda: compiling("notices"),
    "compiling casework": lambda: compiling("casework"),
    "compiling court": lambda: compiling("court"),
    "court audiences": lambda: audience_table(COURT_NOTICE),
    "court sample": court_sample,
    "court reference": lambda: reference([COURT_NOTICE, CALLED["court"]]),
    "casework partitions": lambda: str(topic(CASEWORK_TOPIC).partitions),
    "casework kept": lambda: kept(topic(CASEWORK_TOPIC)),
    "casework audiences": lambda: audience_table(CASE_NOTICE),
    "casework samples": case_notice_samples,
    "casework reference": lambda: reference([CASE_NOTICE, CALLED["casework"]]),
}


def page(template: str) -> str:
    return re.sub(r"<!-- (.+?) -->", lambda match: PARTS[match[1]](), template)


def pages() -> dict[Path, str]:
    """Every generated page as it should be."""
    return {HERE / path.name: page(path.read_text()) for path in sorted(HERE.glob("templates/*.md"))}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
