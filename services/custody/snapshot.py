"""The replica on disk, so that a restart answers before Kafka does, and even without it."""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from google.protobuf.message import DecodeError

from ppo.flagging.v1 import events_pb2 as events

KINDS: dict[str, type[events.Flag] | type[events.Watermark]] = {
    "flag": events.Flag,
    "watermark": events.Watermark,
}

log = structlog.get_logger()


@dataclass(frozen=True)
class Snapshot:
    cluster_id: str
    # When all that the broker had was read, by the system's clock.
    heard_time: datetime
    partitions: int
    offsets: Mapping[int, int]
    contents: Sequence[events.Flag | events.Watermark]


def save(path: Path, snapshot: Snapshot) -> None:
    """Whole or not at all: a crash leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    # It names people: nobody else on this machine reads it.
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        # Piece by piece: no check could be answered while so many were made one text.
        json.dump(_parts(snapshot), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def load(path: Path) -> Snapshot | None:
    """None where there is none, or none that can be read: then the topic is read from its beginning."""
    try:
        return _snapshot(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, DecodeError) as error:
        log.warning("the replica's snapshot cannot be read", error=type(error).__name__)
        return None


def _parts(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "cluster_id": snapshot.cluster_id,
        "heard_time": snapshot.heard_time.isoformat(),
        "partitions": snapshot.partitions,
        "offsets": {str(partition): offset for partition, offset in snapshot.offsets.items()},
        "contents": [_packed(message) for message in snapshot.contents],
    }


def _snapshot(text: str) -> Snapshot:
    parts = json.loads(text)
    return Snapshot(
        cluster_id=parts["cluster_id"],
        heard_time=datetime.fromisoformat(parts["heard_time"]),
        partitions=parts["partitions"],
        offsets={int(partition): offset for partition, offset in parts["offsets"].items()},
        contents=[KINDS[kind].FromString(base64.b64decode(packed)) for kind, packed in parts["contents"]],
    )


def _packed(message: events.Flag | events.Watermark) -> tuple[str, str]:
    kind = "flag" if isinstance(message, events.Flag) else "watermark"
    return kind, base64.b64encode(message.SerializeToString()).decode()
