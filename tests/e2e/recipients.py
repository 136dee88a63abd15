"""What every organisation keeps of its topic, read on from round to round, held against the ledger."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from typing import TypeAlias

from casework.v1 import casework_pb2 as casework

from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.broker import Record, Tail
from tests.e2e.prisons import Said
from tests.e2e.stage import Stage, ends

# Topic, key, id and content of a notice, as the ledger has it and as it was heard.
Told: TypeAlias = tuple[str, str, str, bytes]

LEDGER = """
    SELECT organisation, number, topic, key, notice_id || '/' || revision, record
    FROM tracking.delivery WHERE number > coalesce((%s::jsonb ->> organisation)::bigint, 0)
"""
REFERENCES = "SELECT nominal_id, case_reference FROM tracking.person"


@dataclass
class Recipients:
    """Only what is not yet both in the ledger and heard is kept here."""

    stage: Stage
    notices: int = 0
    # What was heard of each, under the nominal or the case.
    _heard: dict[str, Counter[Said]] = field(default_factory=lambda: defaultdict(Counter))
    _ledger: Counter[Told] = field(default_factory=Counter)
    # The last number of each organisation, the last offset of each partition, the last sequence of each key.
    _numbers: Counter[str] = field(default_factory=Counter)
    _offsets: dict[str, dict[int, int]] = field(default_factory=dict)
    _sequences: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def faults(self) -> dict[str, Sized]:
        """What is in the ledger and was not heard, or the other way round, and where a number is missing.

        Time goes on: what is written meanwhile may be heard or not.
        """
        self._look()
        written = self._ledger.copy()
        await self.stage.settled()
        heard, gaps = Counter[Told](), list[tuple[str, str]]()
        for topic in self._offsets:
            for record in await self._read(topic):
                place = topic, record.key
                sequence, last = int(record.headers["ce_sequence"]), self._sequences[place]
                if sequence > last:
                    self._sequences[place] = sequence
                    gaps += [place] * (sequence > last + 1)
                    heard[topic, record.key, record.headers["ce_id"], record.value or b""] += 1
                    self._note(record)
        self._look()
        unknown = heard - self._ledger
        self._ledger -= heard
        return {"not heard": written - heard, "not in the ledger": unknown, "gaps": gaps}

    def told(self) -> dict[str, Counter[Said]]:
        """Of each nominal, by how often."""
        return {one: self._heard[one] + self._heard[case] for one, case in self.stage.asked(REFERENCES)}

    def _look(self) -> None:
        """At what is new in the ledger."""
        for organisation, number, *told in self.stage.asked(LEDGER, json.dumps(self._numbers)):
            self._numbers[organisation] = max(number, self._numbers[organisation])
            self._offsets.setdefault(told[0], {})
            self._ledger[tuple(told)] += 1
            self.notices += 1

    async def _read(self, topic: str) -> list[Record]:
        """On to the topic's present end."""
        with self.stage.admin() as admin:
            end = ends(admin, topic)
        tail = Tail(self.stage.processes.kafka, mock=False, topic=topic)
        at, found = self._offsets[topic], list[Record]()
        await tail.start(at)
        while _short(at, end):
            polled = await tail.poll()
            at |= {record.partition: record.offset for record in polled}
            found += polled
        await tail.close()
        return found

    def _note(self, record: Record) -> None:
        said = _said(record)
        # That something was not acknowledged in time is told besides.
        if said[1] != pb.NOTICE_TYPE_NOT_ACKNOWLEDGED:
            self._heard[record.key][said] += 1


def _said(record: Record) -> Said:
    if record.topic.startswith("casework."):
        case = casework.CaseNotice.FromString(record.value or b"")
        return record.topic, case.kind, case.state
    notice = notice_pb2.Notice.FromString(record.value or b"")
    return record.topic, notice.type, notice.state


def _short(at: Mapping[int, int], end: Mapping[int, int]) -> bool:
    return any(at.get(partition, -1) + 1 < offset for partition, offset in end.items())
