"""Prints what an organisation's notices ask for: needs kafka-python, protobuf and the descriptor set."""

import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClassesForFiles
from kafka import KafkaConsumer

# Anything else is a state of a later contract: such a notice waits until somebody has asked.
STEPS = {"PROVISIONAL": "prepare", "CONFIRMED": "act", "RETRACTED": "undo"}


def messages(descriptors: Path) -> Mapping[str, Any]:
    """The classes of a descriptor set by full name."""
    files = FileDescriptorSet.FromString(descriptors.read_bytes()).file
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    return GetMessageClassesForFiles([file.name for file in files], pool)


def step(notice: Any) -> str:
    states = notice.DESCRIPTOR.fields_by_name["state"].enum_type
    known = states.values_by_number.get(notice.state)
    return STEPS.get(known.name.rpartition("_")[2], "hold") if known else "hold"


def take(record: Any, kinds: Mapping[str, Any], memory: sqlite3.Connection) -> None:
    key = record.key.decode()
    headers = {name: value.decode() for name, value in record.headers}
    if headers.get("ce_type") not in kinds:
        return
    row = memory.execute("SELECT sequence FROM seen WHERE key = ?", [key]).fetchone()
    last, sequence = row[0] if row else 0, int(headers["ce_sequence"])
    if sequence <= last:
        print("repeat", key, sequence, flush=True)
        return
    if sequence > last + 1:
        print("gap", key, "from", last + 1, "to", sequence - 1, flush=True)
    notice = kinds[headers["ce_type"]].FromString(record.value)
    print(step(notice), headers["ce_id"], flush=True)
    # A real recipient stores this in the transaction of what the notice causes.
    with memory:
        memory.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", [key, sequence])


def main(servers: str, topic: str, descriptors: str, remembered: str) -> None:
    kinds, memory = messages(Path(descriptors)), sqlite3.connect(remembered)
    memory.execute("CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, sequence INTEGER)")
    # The instance has a name, so that after a stop or a crash it takes its place in the group at once.
    member = {"group_id": topic, "group_instance_id": "1", "enable_auto_commit": False}
    consumer = KafkaConsumer(bootstrap_servers=servers.split(","), auto_offset_reset="earliest", **member)
    # Asked first, for the first join can otherwise idle for half a minute.
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic])
    while True:
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                take(record, kinds, memory)
        consumer.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
