"""Every answer is one stored decision; while the database is away it waits on the local disk."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import answers, details, store
from services.custody.models import Decision, timestamp
from services.custody.seal import Seal
from services.custody.spool import Spool
from services.custody.together import Row, Together
from services.custody.verdicts import Asked
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Unavailable
from services.runtime.identity import Caller

SPOOLED = Gauge("ppo_custody_decisions_spooled", "Decisions on the local disk that wait for the database.")
UNREADABLE = Counter(
    "ppo_custody_spool_unreadable", "Spooled decisions that could not be stored and were set aside."
)
LOST = Counter("ppo_custody_decisions_lost", "Decisions that neither the database nor the disk could take.")

# A check waits no longer than this for the database, to store or to look up.
STORE_SECONDS = 1.0
LOOK_UP_SECONDS = 0.2
DRAIN_SECONDS = 0.5
ASK_AGAIN_AFTER = timedelta(seconds=2)

log = structlog.get_logger()


@dataclass(frozen=True)
class Question:
    """What is asked, by whom, where and why."""

    asked: Asked
    suite_id: str
    purpose: policy_pb2.Purpose.ValueType
    caller: Caller
    # Of an arrest without a custody record; a record has its own.
    offence_codes: tuple[str, ...] = ()
    detention_id: str | None = None


class Spoilt(Exception):
    """The disk did not give back what was written."""


class Ledger:
    def __init__(self, database: Database, spool: Spool, seal: Seal, clock: Clock) -> None:
        self._line, self._asking = database.line(), database.line()
        self._together = Together(self._store)
        self._spool = spool
        self._seal = seal
        self._clock = clock

    def write(self, answer: pb.Answer, question: Question) -> Row:
        """The decision as it is to be stored."""
        screening = answer.screening
        person = question.asked.person
        given = person.SerializeToString()
        return {
            "decision_id": answer.decision_id,
            "detention_id": question.detention_id,
            "suite_id": question.suite_id,
            "asked_by": question.caller.subject,
            "role": question.caller.role,
            "purpose": policy_pb2.Purpose.Name(question.purpose),
            "outcome": screening_pb2.Outcome.Name(screening.outcome),
            "basis": pb.Basis.Name(answer.basis),
            "identity_basis": screening_pb2.IdentityBasis.Name(screening.identity_basis),
            "unknown_reason": screening_pb2.UnknownReason.Name(screening.unknown_reason),
            "register_version": screening.register_version,
            "model_version": screening.model_version,
            "threshold_bits": screening.threshold_bits,
            "fingerprint": question.asked.fingerprint,
            "offence_codes": [*question.offence_codes],
            "answered_time": answer.answered_time.ToDatetime(UTC),
            "answer": answer.SerializeToString(),
            "input_digest": self._seal.digest(details.text(person)),
            "subjects": self._subjects(person),
            "input": None if answers.settled(answer) else self._seal.close(given, answer.decision_id),
        }

    async def keep(self, row: Row) -> None:
        """Returns once the decision is durable, or could not be made so."""
        # Behind what waits already, so that all are stored in their order.
        if not self._spool.waiting:
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    await self._together.put(row)
                return
            except (Unavailable, TimeoutError):
                log.warning("decisions wait on the local disk", dependency="postgres")
        try:
            await self._spool.append(_line(row))
        except OSError as error:
            # Neither database nor disk: the officer is answered all the same.
            LOST.inc()
            log.error("a decision is lost", decision_id=row["decision_id"], error=type(error).__name__)
        SPOOLED.set(self._spool.waiting)

    async def last_known(self, person: person_pb2.Person) -> pb.LastKnown | None:
        """What was last known of this person, where the database can be asked."""
        subjects = self._subjects(person)
        if not subjects or self._spool.waiting:
            return None
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                found = await store.last_known(self._asking, subjects)
        except (Unavailable, TimeoutError):
            return None
        if found is None:
            return None
        outcome, answered_time = found
        return pb.LastKnown(
            outcome=screening_pb2.Outcome.Value(outcome), answered_time=timestamp(answered_time)
        )

    def given(self, decision: Decision) -> person_pb2.Person | None:
        """What was given, as long as it is kept and the key is the one it was closed with."""
        given = self._seal.open(decision.input, decision.decision_id) if decision.input else None
        return None if given is None else person_pb2.Person.FromString(given)

    async def run(self) -> None:
        """Drains the spool whenever the database takes it."""
        while True:
            SPOOLED.set(self._spool.waiting)
            try:
                if self._spool.waiting:
                    await self._drain()
            except Unavailable:
                pass
            except OSError as error:
                # They wait on; checks are answered meanwhile.
                log.error("the spool cannot be drained", error=type(error).__name__)
            await asyncio.sleep(DRAIN_SECONDS)

    async def _drain(self) -> None:
        lines = await self._spool.oldest()
        try:
            await self._store([_row(line) for line in lines])
        except (Spoilt, Conflict):
            for line in lines:
                await self._put_back(line)
        await self._spool.drop()
        log.info("spooled decisions stored", count=len(lines))

    async def _put_back(self, line: bytes) -> None:
        """One that cannot be stored is set aside; those behind it go on."""
        try:
            await self._store([_row(line)])
        except (Spoilt, Conflict):
            UNREADABLE.inc()
            log.error("a spooled decision cannot be stored")
            await self._spool.set_aside(line)

    async def _store(self, rows: Sequence[Row]) -> None:
        await store.add_decisions(self._line, rows, self._clock.now() + ASK_AGAIN_AFTER)

    def _subjects(self, person: person_pb2.Person) -> list[bytes]:
        return [self._seal.digest(each) for each in details.subjects(person)]


def _line(row: Row) -> bytes:
    packed = row | {name: row[name].hex() for name in ("answer", "input_digest")}
    packed["answered_time"] = row["answered_time"].isoformat()
    packed["subjects"] = [each.hex() for each in row["subjects"]]
    packed["input"] = row["input"].hex() if row["input"] is not None else None
    return json.dumps(packed).encode()


def _row(line: bytes) -> Row:
    try:
        # One that was spooled before checks had offences has none.
        packed = {"offence_codes": []} | json.loads(line)
        row: Row = packed | {name: bytes.fromhex(packed[name]) for name in ("answer", "input_digest")}
        row["answered_time"] = datetime.fromisoformat(packed["answered_time"])
        row["subjects"] = [bytes.fromhex(each) for each in packed["subjects"]]
        row["input"] = bytes.fromhex(packed["input"]) if packed["input"] is not None else None
    except (ValueError, KeyError, TypeError):
        raise Spoilt from None
    return row
