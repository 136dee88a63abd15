"""Says that a provider or a court has a notice: needs grpcio, protobuf and the descriptor set."""

import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

SERVICE, METHOD = "casework.v1.CaseworkService", "AcknowledgeNotice"
SECONDS = 5


def found(descriptors: Path) -> MethodDescriptor:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(descriptors.read_bytes()).file:
        pool.Add(file)
    return pool.FindServiceByName(SERVICE).methods_by_name[METHOD]


def asking(method: MethodDescriptor, event_id: str, registered: str) -> Any:
    """`event_id` is the record's `ce_id`; `registered` the date of entry, where the notice asks for one."""
    notice_id, _, revision = event_id.partition("/")
    kind: Any = GetMessageClass(method.input_type)
    # The same notice has the same request_id, so that a repeat after a crash has no second effect.
    request = kind(request_id=event_id, notice_id=notice_id, revision=int(revision or 0))
    if registered:
        day, given = date.fromisoformat(registered), request.register_date
        given.year, given.month, given.day = day.year, day.month, day.day
    return request


def connect(address: str) -> grpc.Channel:
    """Encrypted, by the certificate in the file that CA names; without one, to this machine alone."""
    if "CA" not in os.environ:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(Path(os.environ["CA"]).read_bytes()))


def main(address: str, descriptors: str, event_id: str, registered: str = "") -> None:
    method = found(Path(descriptors))
    request, reply = asking(method, event_id, registered), GetMessageClass(method.output_type)
    token = ("authorization", f"Bearer {os.environ['TOKEN']}")
    with connect(address) as channel:
        call: Any = channel.unary_unary(
            f"/{SERVICE}/{METHOD}", type(request).SerializeToString, reply.FromString
        )
        answer = call(request, timeout=SECONDS, metadata=(token,))
    print("acknowledged", answer.acknowledged_time.ToJsonString(), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as refusal:
        sys.exit(f"{refusal.code().name}: {refusal.details()}")
