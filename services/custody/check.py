"""The check itself: the register is asked, and where it does not answer in time, the replica."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.flagging.v1 import flagging_pb2
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import screening_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import answers, duty, orders
from services.custody.cases import Cases
from services.custody.instructions import Situation
from services.custody.ledger import Ledger, Question
from services.custody.models import timestamp
from services.custody.replica import Replica
from services.custody.verdicts import Asked
from services.runtime import channel
from services.runtime.clock import Clock
from services.runtime.errors import Invalid, Unavailable
from services.runtime.reference import Reference, Row

CHECKS = Counter(
    "ppo_custody_checks", "Answers given, by outcome and by where they come from.", ["outcome", "basis"]
)
UNANSWERED = Counter(
    "ppo_custody_register_unanswered", "Times the register did not answer a check in time.", ["code"]
)

# What is left of a caller's deadline after the register's time, for the replica and for storing.
MARGIN_SECONDS = 0.05
PROBE_SECONDS = 0.5
# More would wait within the register, which would then be busy with those whose time has run out.
MOST_AT_ONCE = 16


class Register:
    """The register itself, over the wire."""

    def __init__(self, connection: channel.Channel) -> None:
        self._connection = connection
        self._stub = FlaggingServiceStub(connection)
        self._back = asyncio.Event()
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        # As it said itself when last looked at.
        self.serving = False

    async def screen(
        self, asked: Asked, purpose: policy_pb2.Purpose.ValueType, until: float
    ) -> screening_pb2.Screening:
        """`until`: by the monotonic clock. Raises Unavailable past it, Invalid where it refuses it."""
        request = flagging_pb2.ScreenPersonRequest(
            person=asked.person, fingerprint=asked.fingerprint, purpose=purpose
        )
        async with self._turn(until) as left:
            try:
                response = await self._stub.ScreenPerson(request, timeout=left)
            except channel.CallError as error:
                for field, rule in channel.violations(error):
                    raise Invalid(field, rule) from None
                raise _unanswered(error.code().name) from None
            except OSError:
                # Our own token could not be read.
                raise _unanswered("TOKEN") from None
        return response.screening

    @asynccontextmanager
    async def _turn(self, until: float) -> AsyncIterator[float]:
        """How many seconds are left once it is one's turn."""
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await self._turns.acquire()
        except TimeoutError:
            raise _unanswered("BUSY") from None
        try:
            yield max(0.0, until - time.monotonic())
        finally:
            self._turns.release()

    async def probe(self) -> None:
        serving = await channel.serving(self._connection, PROBE_SECONDS)
        if serving and not self.serving:
            self._back.set()
        self.serving = serving
        if not serving:
            raise Unavailable("flagging")

    async def back(self, seconds: float) -> bool:
        """Whether it has come back within that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._back.wait()
        except TimeoutError:
            return False
        self._back.clear()
        return True


def _unanswered(code: str) -> Unavailable:
    UNANSWERED.labels(code).inc()
    return Unavailable("flagging")


class Found(NamedTuple):
    screening: screening_pb2.Screening
    basis: pb.Basis.ValueType
    asked: Asked


class Decided(NamedTuple):
    """An answer, and the row of its decision."""

    answer: pb.Answer
    row: dict[str, Any]


class Checker:
    def __init__(
        self,
        register: Register,
        replica: Replica,
        cases: Cases,
        ledger: Ledger,
        reference: Reference,
        clock: Clock,
        *,
        false_alarms: float,
        register_seconds: float,
    ) -> None:
        self._register = register
        self._replica = replica
        self._cases = cases
        self._ledger = ledger
        self._reference = reference
        self._clock = clock
        self._false_alarms = false_alarms
        self._register_seconds = register_seconds

    async def decide(
        self, question: Question, seconds: float | None = None, session: AsyncSession | None = None
    ) -> Decided:
        """`seconds`: what is left to the caller; `session`: the transaction of one who can wait.

        Raises Invalid where what was given is refused.
        """
        suite = self.suite(question.suite_id)
        left = self._register_seconds if seconds is None else max(0.0, seconds - MARGIN_SECONDS)
        # For all that is asked of it together.
        until = time.monotonic() + min(self._register_seconds, left)
        found = await self._find(question.asked, question.purpose, until)
        question = replace(question, asked=found.asked)
        answer = pb.Answer(
            decision_id=str(uuid.uuid4()),
            screening=found.screening,
            basis=found.basis,
            answered_time=timestamp(self._clock.now()),
            incomplete=found.basis == pb.BASIS_REPLICA and not self._replica.whole,
            check_after_fingerprints=answers.check_after_fingerprints(found.screening),
        )
        answer.MergeFrom(await self._entrusted(found.screening, session))
        answer.contact.CopyFrom(self._contact(answer, suite))
        if found.screening.outcome == screening_pb2.OUTCOME_UNKNOWN:
            last_known = await self._ledger.last_known(question.asked.person)
            if last_known is not None:
                answer.last_known.CopyFrom(last_known)
        answer.instructions.CopyFrom(self._instructions(answer, question, suite))
        CHECKS.labels(screening_pb2.Outcome.Name(found.screening.outcome), pb.Basis.Name(found.basis)).inc()
        return Decided(answer, self._ledger.write(answer, question))

    def suite(self, suite_id: str) -> Row:
        suite = self._reference.row("suites", suite_id, at=self._clock.now())
        if suite is None:
            raise Invalid("suite_id", "is no custody suite that the reference data knows")
        return suite

    async def _find(self, asked: Asked, purpose: policy_pb2.Purpose.ValueType, until: float) -> Found:
        asked = asked._replace(excluded=self._replica.known_as(asked.excluded))
        found = await self._screen(asked, purpose, until)
        # That nobody is known by them the register alone can say: the replica knows those who are flagged.
        unknown = found.basis == pb.BASIS_REGISTER and not answers.known_by_identifier(found.screening)
        if asked.otherwise is not None and unknown:
            return await self._find(asked.otherwise, purpose, until)
        if not asked.excluded.intersection(each.nominal_id for each in found.screening.candidates):
            return found
        person = answers.without_mistaken(asked.person, found.screening, asked.excluded)
        if person != asked.person:
            found = (await self._screen(asked._replace(person=person), purpose, until))._replace(asked=asked)
        authoritative = found.basis == pb.BASIS_REGISTER
        return found._replace(
            screening=answers.exclude(found.screening, asked.excluded, authoritative=authoritative)
        )

    async def _screen(self, asked: Asked, purpose: policy_pb2.Purpose.ValueType, until: float) -> Found:
        try:
            screening = answers.understood(await self._register.screen(asked, purpose, until))
            return Found(screening, pb.BASIS_REGISTER, asked)
        except Unavailable:
            now = self._clock.now()
            screening = self._replica.screen(
                asked.person, fingerprint=asked.fingerprint, now=now, false_alarms=self._false_alarms
            )
            return Found(screening, pb.BASIS_REPLICA, asked)

    async def _entrusted(self, screening: screening_pb2.Screening, session: AsyncSession | None) -> pb.Answer:
        if not screening.candidates:
            return pb.Answer()
        return answers.entrusted(await self._cases.of(screening.candidates[0].nominal_id, session))

    def _contact(self, answer: pb.Answer, suite: Row) -> pb.Contact:
        at = self._clock.now()
        return duty.spoken(duty.contact(self._reference, owners=answers.owners(answer), suite=suite, at=at))

    def _instructions(self, answer: pb.Answer, question: Question, suite: Row) -> pb.Instructions:
        now = self._clock.now()
        law = duty.law(self._reference, question.offence_codes, now) if question.offence_codes else None
        situation = Situation(answer, question.asked.person, now, law=law)
        return orders.instructions(self._reference, situation, suite=suite, now=now)
