"""Writes the descriptor sets that go outside: one message each with what it is made of, and nothing else."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from casework.v1 import casework_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from ppo.tracking.v1 import movement_pb2, notice_pb2

SETS: Mapping[str, Descriptor] = {
    "notices": notice_pb2.Notice.DESCRIPTOR,
    "movements": movement_pb2.Movement.DESCRIPTOR,
    "casework": casework_pb2.CaseNotice.DESCRIPTOR,
}


def types(root: Descriptor) -> dict[str, Descriptor | EnumDescriptor]:
    """The message and all that it is made of, by full name."""
    found: dict[str, Descriptor | EnumDescriptor] = {}
    waiting: list[Descriptor | EnumDescriptor] = [root]
    while waiting:
        kind = waiting.pop(0)
        if kind.full_name not in found:
            found[kind.full_name] = kind
            waiting += _parts(kind)
    return found


def _parts(kind: Descriptor | EnumDescriptor) -> list[Descriptor | EnumDescriptor]:
    if isinstance(kind, EnumDescriptor):
        return []
    return [part for field in kind.fields if (part := field.message_type or field.enum_type)]


def only(root: Descriptor) -> FileDescriptorSet:
    """Without services, options and imports: who may call and who sees what is no recipient's business."""
    needed = types(root)
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
    pruned.ClearField("service")
    pruned.ClearField("extension")
    for kinds in (pruned.message_type, pruned.enum_type):
        _keep(kinds, [kind for kind in kinds if f"{file.package}.{kind.name}" in needed])
    _keep(pruned.dependency, [name for name in pruned.dependency if name in files])
    for message in pruned.message_type:
        _strip([message, *message.field])
    for enum in pruned.enum_type:
        _strip([enum, *enum.value])
    return pruned


def _keep(repeated: Any, kept: list[Any]) -> None:
    del repeated[:]
    repeated.extend(kept)


def _strip(rows: Iterable[Any]) -> None:
    for row in rows:
        row.ClearField("options")


def write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, root in SETS.items():
        (directory / f"{name}.binpb").write_bytes(only(root).SerializeToString(deterministic=True))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
