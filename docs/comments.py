"""What the contracts say of themselves: the comment above each declaration, by full name."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.type import date_pb2
from grpc_tools import protoc

PROTO = Path(__file__).parents[1] / "proto"


@cache
def comments() -> dict[str, str]:
    return {name: words for file in _compiled().file for name, words in _commented(file)}


def _compiled() -> FileDescriptorSet:
    google = Path(date_pb2.__file__).parents[2]
    roots = [PROTO, google, files("grpc_tools") / "_proto"]
    with TemporaryDirectory() as directory:
        image = Path(directory) / "contracts.binpb"
        options = [f"--proto_path={root}" for root in roots]
        options += ["--include_source_info", f"--descriptor_set_out={image}"]
        if protoc.main(["protoc", *options, *sorted(str(path) for path in PROTO.rglob("*.proto"))]):
            raise SystemExit("protoc refused the contracts, see above")
        return FileDescriptorSet.FromString(image.read_bytes())


def _commented(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        name = _name(file, list(location.path))
        if name and location.leading_comments:
            yield f"{file.package}.{name}", " ".join(location.leading_comments.split())


def _name(file: FileDescriptorProto, path: list[int]) -> str:
    # The numbers are those of the fields of FileDescriptorProto, DescriptorProto, EnumDescriptorProto and
    # ServiceDescriptorProto.
    match path:
        case [4, message]:
            return file.message_type[message].name
        case [4, message, 2, field]:
            return f"{file.message_type[message].name}.{file.message_type[message].field[field].name}"
        case [5, enum]:
            return file.enum_type[enum].name
        case [6, service, 2, method]:
            return f"{file.service[service].name}.{file.service[service].method[method].name}"
        case [5, enum, 2, value]:
            return f"{file.enum_type[enum].name}.{file.enum_type[enum].value[value].name}"
    return ""
