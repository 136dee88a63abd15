"""Writes the descriptor sets that go outside: a message each, what may be called, and nothing else."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from casework.v1 import casework_pb2, court_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from ppo.tracking.v1 import movement_pb2, notice_pb2

Kind: TypeAlias = Descriptor | EnumDescriptor | ServiceDescriptor

SETS: Mapping[str, Descriptor] = {
    "notices": notice_pb2.Notice.DESCRIPTOR,
    "movements": movement_pb2.Movement.DESCRIPTOR,
    "casework": casework_pb2.CaseNotice.DESCRIPTOR,
    "court": court_pb2.CourtNotice.DESCRIPTOR,
}
# What the recipients of a set call, where they call anything.
CASEWORK = casework_pb2.DESCRIPTOR.services_by_name["CaseworkService"]
CALLED: Mapping[str, ServiceDescriptor] = {"casework": CASEWORK, "court": CASEWORK}


def types(*roots: Kind) -> dict[str, Kind]:
    """The roots and all that they are made of, by full name."""
    found: dict[str, Kind] = {}
    waiting = list(roots)
    while waiting:
        kind = waiting.pop(0)
        if kind.full_name not in found:
            found[kind.full_name] = kind
            waiting += _parts(kind)
    return found


def _parts(kind: Kind) -> list[Kind]:
    if isinstance(kind, EnumDescriptor):
        return []
    if isinstance(kind, ServiceDescriptor):
        return [part for method in kind.methods for part in (method.input_type, method.output_type)]
    return [part for field in kind.fields if (part := field.message_type or field.enum_type)]


def only(name: str) -> FileDescriptorSet:
    """Without options, imports and others' services: who sees what is no recipient's business."""
    needed = types(SETS[name], *(CALLED[name],) if name in CALLED else ())
    files = {kind.file.name: kind.file for kind in needed.values()}
    return FileDescriptorSet(file=[_pruned(file, needed, files) for file in _imports_first(files.values())])


def _imports_first(files: Iterable[FileDescriptor]) -> list[FileDescriptor]:
    wanted = {file.name: file for file in files}
    ordered: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for imported in file.dependencies:
            add(imported)
        if file.name in wanted:
            ordered[file.name] = file

    for name in sorted(wanted):
        add(wanted[name])
    return list(ordered.values())


def _pruned(file: FileDescriptor, needed: Iterable[str], files: Iterable[str]) -> FileDescriptorProto:
    pruned = FileDescriptorProto()
    file.CopyToProto(pruned)
    pruned.ClearField("extension")
    for kinds in (pruned.message_type, pruned.enum_type, pruned.service):
        _keep(kinds, [kind for kind in kinds if f"{file.package}.{kind.name}" in needed])
    _keep(pruned.dependency, [name for name in pruned.dependency if name in files])
    for message in pruned.message_type:
        _strip([message, *message.field])
    for enum in pruned.enum_type:
        _strip([enum, *enum.value])
    for service in pruned.service:
        _strip([service, *service.method])
    return pruned


def _keep(repeated: Any, kept: list[Any]) -> None:
    del repeated[:]
    repeated.extend(kept)


def _strip(rows: Iterable[Any]) -> None:
    for row in rows:
        row.ClearField("options")


def write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        (directory / f"{name}.binpb").write_bytes(only(name).SerializeToString(deterministic=True))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
