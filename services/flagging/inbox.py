"""What flagging hears of prisons: deaths, merges, and prisoners whom a movement names."""

from collections.abc import Mapping

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import roll_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2
from services.flagging import movements, rolls
from services.flagging.fates import Fate
from services.flagging.screening import Screening
from services.prisons import hmpps
from services.runtime import validation
from services.runtime.broker import LARGEST_RECORD, Record
from services.runtime.clock import Clock
from services.runtime.consumer import Take, Unreadable, read

GROUP = "flagging"
MOVEMENTS = "ppo.tracking.movements.v1"
HMPPS = "hmpps"

TOLD = Counter(
    "ppo_flagging_movements",
    "Movements of prisoners, by what became of them: deaths and merges alone are used.",
    ["fate"],
)


class Inbox:
    """`foreign` is the topic of the prison systems, whose records have no header that says their type."""

    def __init__(self, clock: Clock, screening: Screening, foreign: str) -> None:
        self._clock = clock
        self._screening = screening
        self._foreign = foreign

    @property
    def handlers(self) -> Mapping[str, Take]:
        return {movement_pb2.Movement.DESCRIPTOR.full_name: self.movement, HMPPS: self.event}

    def kind(self, record: Record) -> str:
        return HMPPS if record.topic == self._foreign else record.headers.get("ce_type", "")

    async def movement(self, session: AsyncSession, record: Record) -> None:
        _refuse_huge(record)
        await self._take(session, record, read(record, movement_pb2.Movement))

    async def event(self, session: AsyncSession, record: Record) -> None:
        _refuse_huge(record)
        reading = hmpps.read(record.value or b"")
        if isinstance(reading, hmpps.Unreadable):
            raise Unreadable(reading.reason)
        if isinstance(reading, hmpps.Unused):
            TOLD.labels(Fate.NOT_USED).inc()
            return
        await self._take(session, record, reading)

    async def _take(self, session: AsyncSession, record: Record, movement: movement_pb2.Movement) -> None:
        validation.check(movement)
        now = self._clock.now()
        if movement.name.family_name:
            await rolls.named(session, self._screening, rolls.read_line(_line(movement), now), now)
        fate = await movements.take(session, movement, now)
        TOLD.labels(fate).inc()
        movements.review(fate, topic=record.topic, partition=record.partition, offset=record.offset)


def _line(movement: movement_pb2.Movement) -> roll_pb2.ScreenRollRequest:
    """Whom a movement names, as a line of a roll."""
    return roll_pb2.ScreenRollRequest(
        purpose=policy_pb2.PURPOSE_PRISON_CUSTODY,
        line=1,
        prison_number=movement.prison_number,
        name=movement.name,
        birth_date=movement.birth_date if movement.HasField("birth_date") else None,
        pnc_id=movement.pnc_id,
    )


def _refuse_huge(record: Record) -> None:
    if len(record.value or b"") > LARGEST_RECORD:
        raise Unreadable(f"is longer than {LARGEST_RECORD} bytes")
