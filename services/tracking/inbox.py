"""What tracking hears: flags, arrests, movements in the suite's form and in that of prison systems."""

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import movement_pb2
from services.prisons import hmpps
from services.runtime import validation
from services.runtime.broker import LARGEST_RECORD, Record
from services.runtime.consumer import Handler, Take, Together, Unreadable, read
from services.tracking.take import Taking, concerned, numbers

FLAGS = "ppo.flagging.flags.v1"
ARRESTS = "ppo.custody.arrests.v1"
HMPPS = "hmpps"

UNUSED = Counter("ppo_hmpps_unused", "Events of prison systems of a type that is not used here.")


class Inbox:
    """`foreign` is the topic of the prison systems, whose records have no header that says their type."""

    def __init__(self, taking: Taking, foreign: str) -> None:
        self._taking = taking
        self._foreign = foreign

    def kind(self, record: Record) -> str:
        return HMPPS if record.topic == self._foreign else record.headers.get("ce_type", "")

    @property
    def handlers(self) -> Mapping[str, Take]:
        taking = self._taking
        return {
            _name(flagging.Flag): Together(self._flags),
            _name(custody.PpoArrested): Together(self._arrests),
            _name(custody.PpoDrugTested): Handler(custody.PpoDrugTested, taking.from_custody),
            _name(custody.PpoDisposed): Together(self._disposals),
            _name(custody.PpoArrestWithdrawn): Handler(custody.PpoArrestWithdrawn, taking.withdrawn),
            _name(custody.DetentionCounted): Handler(custody.DetentionCounted, taking.counted),
            _name(movement_pb2.Movement): Together(self._movements),
            HMPPS: Together(self._events),
        }

    async def hold(self, session: AsyncSession, records: Sequence[Record]) -> None:
        """Everybody whom a batch is about, before it takes effect for the first of them."""
        held, persons = list[str](), list[str]()
        for record in records:
            numbers, nominal_ids = self._concerned(record)
            held += numbers
            persons += nominal_ids
        await self._taking.hold(session, held, persons)

    def _concerned(self, record: Record) -> tuple[list[str], list[str]]:
        """Prison numbers, and nominals; of what cannot be read nobody."""
        try:
            match self.kind(record):
                case "ppo.flagging.v1.Flag":
                    return concerned(read(record, flagging.Flag))
                case "ppo.tracking.v1.Movement":
                    return numbers(read(record, movement_pb2.Movement)), []
                case "hmpps":
                    told = hmpps.read(record.value or b"")
                    return (numbers(told), []) if isinstance(told, movement_pb2.Movement) else ([], [])
        except Unreadable:
            return [], []
        # What custody tells is keyed by the nominal; a count is of nobody.
        return [], [record.key]

    async def _flags(self, session: AsyncSession, records: Sequence[Record]) -> None:
        await self._taking.flags(session, [read(record, flagging.Flag) for record in records])

    async def _arrests(self, session: AsyncSession, records: Sequence[Record]) -> None:
        await self._taking.together(session, [read(record, custody.PpoArrested) for record in records])

    async def _disposals(self, session: AsyncSession, records: Sequence[Record]) -> None:
        await self._taking.together(session, [read(record, custody.PpoDisposed) for record in records])

    async def _movements(self, session: AsyncSession, records: Sequence[Record]) -> None:
        await self._move(session, [read(record, movement_pb2.Movement) for record in records])

    async def _events(self, session: AsyncSession, records: Sequence[Record]) -> None:
        await self._move(session, [one for record in records if (one := _reading(record)) is not None])

    async def _move(self, session: AsyncSession, movements: Sequence[movement_pb2.Movement]) -> None:
        for movement in movements:
            validation.check(movement)
        await self._taking.movements(session, movements, heard=True)


def _reading(record: Record) -> movement_pb2.Movement | None:
    """None for an event that is not used here."""
    content = record.value or b""
    if len(content) > LARGEST_RECORD:
        raise Unreadable(f"is longer than {LARGEST_RECORD} bytes")
    reading = hmpps.read(content)
    if isinstance(reading, hmpps.Unreadable):
        raise Unreadable(reading.reason)
    if isinstance(reading, hmpps.Unused):
        UNUSED.inc()
        return None
    return reading


def _name(message: type[Message]) -> str:
    return message.DESCRIPTOR.full_name
