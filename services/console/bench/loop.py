"""The floor of the relay: `python -m services.console.bench.loop SERVERS GROUP MEMBER TOPIC SAMPLE`.

Takes the same movements from Kafka and sends the same bytes as the notices of them, with nothing between: no
database, no decision. A batch is acknowledged by the broker before its offsets are committed.
"""

import json
import sys
from base64 import b64decode
from itertools import cycle
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

BATCH = 500
POLL_MS = 1_000


def run(servers: str, group: str, member: str, topic: str, sample: Path) -> None:
    """For ever. Of the sample each line is what one movement led to: topic, key, headers, value."""
    told = cycle([_records(line) for line in sample.read_text().splitlines()])
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=0)
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        group_instance_id=member,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=BATCH,
        fetch_max_wait_ms=100,
    )
    while True:
        polled = consumer.poll(timeout_ms=POLL_MS)
        futures = [
            producer.send(**record, headers=[*headers, ("of", f"{one.partition}/{one.offset}".encode())])
            for batch in polled.values()
            for one in batch
            for record, headers in next(told)
        ]
        for future in futures:
            future.get(timeout=POLL_MS)
        if polled:
            consumer.commit()


def _records(line: str) -> list[tuple[dict[str, Any], list[tuple[str, bytes]]]]:
    """Each with its headers but the time, in whose place stands what it was sent for."""
    return [
        (
            {
                "topic": record["topic"],
                "key": record["key"].encode(),
                "value": b64decode(record["value"]),
            },
            [(name, value.encode()) for name, value in record["headers"] if name != "ce_time"],
        )
        for record in json.loads(line)
    ]


if __name__ == "__main__":
    servers, group, member, topic, sample = sys.argv[1:]
    run(servers, group, member, topic, Path(sample))
