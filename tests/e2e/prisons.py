"""Prisons that send movements, each until Kafka has it, some of them more than once; what each must cause."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from casework.v1 import casework_pb2 as casework

from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.broker import Producer, Record
from tests.integration.tracking import running
from tests.integration.tracking.running import FLAGS, MOVEMENTS, Ppo, december

# An organisation's topic, the type of notice there, and its state.
Said: TypeAlias = tuple[str, int, int]

FIRST = december(1)
OWNER, PROBATION = "ppo.notices.E3.v1", "ppo.notices.probation-5.v1"
PRISON, CARAT = "ppo.notices.BMI.v1", "ppo.notices.carat-bmi.v1"
HOUSING, TRAINING = "casework.birmingham-housing.v1", "casework.eespro.v1"
FLAGGED = dict.fromkeys([OWNER, PROBATION], pb.NOTICE_TYPE_PPO_FLAG_SET)


class Step(NamedTuple):
    """A movement, its reason, and what each organisation is told of it, once and in itself."""

    kind: movement_pb2.MovementKind.ValueType
    code: str
    told: Mapping[str, int]


STEPS = (
    Step(
        movement_pb2.MOVEMENT_KIND_RECEPTION,
        "N",
        {
            **dict.fromkeys([OWNER, PROBATION, PRISON, CARAT], pb.NOTICE_TYPE_PRISON_RECEPTION),
            HOUSING: casework.CASE_NOTICE_KIND_HOUSING_NEEDED,
        },
    ),
    Step(
        movement_pb2.MOVEMENT_KIND_RELEASE,
        "CR",
        {
            **dict.fromkeys([OWNER, PROBATION], pb.NOTICE_TYPE_RELEASED),
            **dict.fromkeys([HOUSING, TRAINING], casework.CASE_NOTICE_KIND_AVAILABLE_FROM),
        },
    ),
)


@dataclass
class Prisons:
    producer: Producer
    chance: Random
    people: Sequence[Ppo] = ()
    sent: list[Record] = field(default_factory=list)
    # What must have been told of each.
    caused: dict[str, Counter[Said]] = field(default_factory=lambda: defaultdict(Counter))
    _before: int = 0

    async def flag(self, people: Sequence[Ppo]) -> None:
        """From now on it is they who move."""
        self.people, self._before = people, len(self.sent)
        for ppo in people:
            self._cause(ppo, FLAGGED, pb.NOTICE_STATE_CONFIRMED)
        await self._send([_record(FLAGS, ppo.nominal_id, ppo.flag()) for ppo in people])

    async def move(self, count: int) -> None:
        """The next movements: everybody is received, then everybody is released, and so on."""
        first = len(self.sent) - self._before
        moved = [self._movement(first + each) for each in range(count)]
        self.sent += moved
        await self._send([*moved, *self._again(5)])

    def _movement(self, serial: int) -> Record:
        before, whose = divmod(serial, len(self.people))
        ppo, step = self.people[whose], STEPS[before % 2]
        self._cause(ppo, step.told, pb.NOTICE_STATE_PROVISIONAL, pb.NOTICE_STATE_CONFIRMED)
        at = FIRST + timedelta(hours=before, seconds=whose)
        movement = running.movement(ppo, step.kind, at, reason_code=step.code, prison_id="BMI")
        return _record(MOVEMENTS, ppo.number, movement)

    def _cause(self, ppo: Ppo, told: Mapping[str, int], *states: int) -> None:
        said = [(topic, kind, state) for topic, kind in told.items() for state in states]
        self.caused[ppo.nominal_id].update(said)

    async def repeat(self, count: int) -> None:
        """Of what was sent long ago."""
        await self._send(self._again(count))

    def _again(self, count: int) -> list[Record]:
        """As they were or made anew, none both ways: of two in one batch the second is not looked at."""
        again = self.chance.sample(self.sent, count)
        return [record if self.chance.random() < 0.5 else _made_anew(record) for record in again]

    async def _send(self, records: Sequence[Record]) -> None:
        while records:
            done = await self.producer.send(records)
            records = [record for record, has in zip(records, done, strict=True) if not has]


def _record(topic: str, key: str, message: Any) -> Record:
    headers = {"ce_id": str(uuid4()), "ce_type": message.DESCRIPTOR.full_name, "ce_source": "/test"}
    return Record(topic, key, message.SerializeToString(), headers)


def _made_anew(record: Record) -> Record:
    """The same event by a sender that has forgotten all but the event's id."""
    movement = movement_pb2.Movement.FromString(record.value or b"")
    movement.movement_id = str(uuid4())
    movement.occurred_time.FromDatetime(_occurred(movement) + timedelta(minutes=30))
    return Record(record.topic, record.key, movement.SerializeToString(), record.headers)


def _occurred(movement: movement_pb2.Movement) -> datetime:
    return movement.occurred_time.ToDatetime()
