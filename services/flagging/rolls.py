"""A prison's roll: screened line by line, its numbers learnt where that is sure, queued where it is not."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import roll_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import changes, fields, nominals, roll
from services.flagging.models import PrisonMatch, Roll
from services.flagging.nominals import Key
from services.flagging.roll import Finding, Line, Presence
from services.flagging.screening import Screening
from services.flagging.store import nominals as nominal_store
from services.flagging.store import rolls as store
from services.runtime import identity, validation
from services.runtime.clock import Clock
from services.runtime.database import Database, lock
from services.runtime.errors import Denied, Invalid
from services.runtime.reference import Reference

LINES = Counter("ppo_flagging_roll_lines", "Lines of prisons' rolls, by what was answered.", ["outcome"])
LINKS = Counter(
    "ppo_flagging_roll_links", "Prison numbers on rolls, by what is known of them then.", ["link"]
)

BATCH = 200
# The largest prison of England and Wales holds some 2,000; who sends more has not sent one prison's roll.
MOST_LINES = 10_000
# A roll is sent every week or oftener: who has left the prison stands in no later one.
KEPT = timedelta(days=28)

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
PNC = person_pb2.IDENTIFIER_KIND_PNC_ID


class Read(NamedTuple):
    lines: list[Line]
    refused: list[pb.ScreenRollResponse]
    purpose: int


class RollCall:
    """What was answered stands, whatever becomes of the rest; the same roll again changes nothing."""

    def __init__(self, database: Database, clock: Clock, screening: Screening, reference: Reference) -> None:
        self._database = database
        self._clock = clock
        self._screening = screening
        self._reference = reference
        self._roll_id = str(uuid4())

    async def run(
        self, requests: AsyncIterator[pb.ScreenRollRequest]
    ) -> AsyncIterator[pb.ScreenRollResponse]:
        prison = identity.current().organisation
        if prison not in self._reference.ids("prisons"):
            raise Denied("the token names no prison of the reference data")
        read = await _read(requests, self._clock.now())
        if not (read.lines or read.refused):
            return
        await self._open(prison, read)
        for refusal in read.refused:
            yield refusal
        present = roll.presence(read.lines)
        for start in range(0, len(read.lines), BATCH):
            for found in await self._take(read.lines[start : start + BATCH], present):
                yield pb.ScreenRollResponse(line=found.line.number, answer=found.answer())

    async def _open(self, prison: str, read: Read) -> None:
        """Who asked stands before anything is answered."""
        LINES.labels("REFUSED").inc(len(read.refused))
        row = Roll(
            roll_id=self._roll_id,
            prison=prison,
            asked_by=identity.current().subject,
            asked_time=self._clock.now(),
            purpose=read.purpose,
            lines=len(read.lines) + len(read.refused),
            refused=len(read.refused),
        )
        async with self._database.transaction() as session:
            session.add(row)

    async def _take(self, batch: Sequence[Line], present: Presence) -> Sequence[Finding]:
        async with self._database.transaction() as session:
            # As for an import: from the reading on, who holds an identifier stays true until it is written.
            await lock(session, "nominals")
            screened = await self._screening.screen_all([line.person for line in batch])
            ruled = await store.ruled_out(session, [line.key[1] for line in batch])
            found = roll.findings(batch, screened, present, ruled)
            await self._write(session, found)
        for one in found:
            LINES.labels(_outcome(one)).inc()
            LINKS.labels(pb.NumberLink.Name(one.link).removeprefix("NUMBER_LINK_")).inc()
        return found

    async def _write(self, session: AsyncSession, found: Sequence[Finding]) -> None:
        await write(session, found, self._clock.now())
        version = max(one.screening.register_version for one in found)
        await store.count(session, self._roll_id, _counts(found), version)


async def named(session: AsyncSession, screening: Screening, line: Line, now: datetime) -> None:
    """Whom a movement names, as on a roll of one line, unless the number is somebody's already."""
    await lock(session, "nominals")
    if await nominal_store.holders(session, [line.key]):
        return
    screened = await screening.screen_all([line.person])
    ruled = await store.ruled_out(session, [line.key[1]])
    await write(session, roll.findings([line], screened, roll.presence([line]), ruled), now)


async def write(session: AsyncSession, found: Sequence[Finding], now: datetime) -> None:
    """Sure numbers are learnt, those of who may be a PPO wait; of others nothing is kept.

    Under the lock of the nominals.
    """
    # The nominal whose PNC id it is, also where that lives on in another.
    holders = await nominal_store.holders(session, [_pnc(one.line) for one in found if one.new])
    learnt = {one.line.key: holders[_pnc(one.line)] for one in found if one.new}
    await nominal_store.learn(session, learnt, now)
    await changes.republish(session, set(learnt.values()), now)
    await _queue(session, found, now)


async def _queue(session: AsyncSession, found: Sequence[Finding], now: datetime) -> None:
    doubtful = {one.line.key[1]: _match(one, now) for one in found if one.doubtful}
    waiting = await store.waiting(session, [one.line.key[1] for one in found])
    # What lapses is deleted under the same lock.
    for number in sorted({*doubtful, *waiting}):
        await lock(session, number)
    await store.queue(session, doubtful.values())
    await store.forget(session, [number for number in waiting if number not in doubtful])


async def _read(requests: AsyncIterator[pb.ScreenRollRequest], now: datetime) -> Read:
    read, seen, place = Read([], [], 0), dict[Key, int](), 0
    async for request in requests:
        place += 1
        # A line that the sender did not number has its place in the stream.
        request.line = request.line or place
        read = read._replace(purpose=read.purpose or request.purpose)
        if place > MOST_LINES:
            raise Invalid("line", f"a roll has at most {MOST_LINES} lines")
        if request.purpose != read.purpose:
            raise Invalid("purpose", "is the same on every line of a roll")
        try:
            line = read_line(request, now)
            if line.key in seen:
                raise Invalid("prison_number", f"stands on line {seen[line.key]} already")
        except Invalid as refusal:
            told = pb.RollRefusal(field=refusal.field, rule=refusal.rule)
            read.refused.append(pb.ScreenRollResponse(line=request.line, refusal=told))
        else:
            seen[line.key] = line.number
            read.lines.append(line)
    return read


def read_line(request: pb.ScreenRollRequest, now: datetime) -> Line:
    """Raises Invalid."""
    validation.check(request)
    if not request.name.family_name.strip():
        raise Invalid("name.family_name", "is required; a one-word name stands here")
    fields.refuse_unborn(request.birth_date, now.date(), "birth_date")
    number = nominals.number(NUMBER, request.prison_number, "prison_number")
    keys = [number]
    if request.pnc_id.strip():
        keys.append(nominals.number(PNC, request.pnc_id, "pnc_id"))
    person = person_pb2.Person(name=request.name, birth_date=request.birth_date)
    for kind, value in keys:
        person.identifiers.add(kind=person_pb2.IdentifierKind.ValueType(kind), value=value)
    return Line(request.line, number, person)


def _pnc(line: Line) -> Key:
    """What a number that is new was made sure by."""
    return next(key for key in nominals.keys(line.person) if key[0] == PNC)


def _match(one: Finding, now: datetime) -> PrisonMatch:
    return PrisonMatch(
        prison_number=one.line.key[1],
        person=one.line.person.SerializeToString(),
        candidates=[candidate.nominal_id for candidate in one.screening.candidates],
        asked_time=now,
        lapse_time=now + KEPT,
    )


def _outcome(one: Finding) -> str:
    return screening_pb2.Outcome.Name(one.screening.outcome).removeprefix("OUTCOME_")


def _counts(found: Sequence[Finding]) -> dict[str, int]:
    outcomes = [_outcome(one).lower() for one in found]
    return {
        **{name: outcomes.count(name) for name in ("flagged", "possible", "not_flagged", "unknown")},
        "linked": sum(one.new for one in found),
    }
