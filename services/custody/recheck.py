"""Answers that may be others by now are asked for again, by themselves; the suite is told what has changed.

The register is asked inside the transaction of the due row: that holds one custody record and one connection
for at most the register's 200 ms, and whatever becomes true meanwhile puts the same row again, which waits
for this transaction. Asked before it, the answer could be older than one that was stored in between.
"""

from datetime import timedelta

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2
from ppo.policy.v1 import policy_pb2
from services.custody import answers, orders, store
from services.custody.check import Checker, Decided, Register
from services.custody.ledger import Ledger, Question
from services.custody.models import Decision, due, requests
from services.custody.record import Records
from services.custody.verdicts import Asked
from services.custody.watch import Board
from services.runtime import process
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.due import Act
from services.runtime.errors import NotFound, Unavailable
from services.runtime.identity import Caller

OPEN = Gauge("ppo_custody_rechecks_open", "Answers that are still to be asked for again.")

# A flag committed between question and commit was looked for in the suite before this record was there.
LOOK_AGAIN = timedelta(seconds=1)
# While the register says that it serves; while it does not, its return ends the wait.
SOON = timedelta(seconds=2)
LATER = timedelta(seconds=10)
COUNT_SECONDS = 2.0
# No screen is away for so long, and nobody repeats a request after that.
KEPT = timedelta(days=30)
# Between two of those whom a flag concerns hardly ever: whom it surely concerns comes before them.
PACE = timedelta(milliseconds=50)
PRUNE_EVERY = timedelta(hours=1)

log = structlog.get_logger()


class Rechecks:
    def __init__(
        self,
        database: Database,
        checker: Checker,
        register: Register,
        ledger: Ledger,
        records: Records,
        board: Board,
        clock: Clock,
        caller: Caller,
    ) -> None:
        self._database = database
        self._checker = checker
        self._register = register
        self._ledger = ledger
        self._records = records
        self._board = board
        self._clock = clock
        self._caller = caller

    @property
    def acts(self) -> dict[str, Act]:
        return {
            store.RECHECK: self.recheck,
            store.ASK_AGAIN: self.ask_again,
            store.RECHECK_NUMBERED: self.recheck_numbered,
            store.ELSEWHERE: self.elsewhere,
            store.PRUNE: self.prune,
        }

    async def recheck(self, session: AsyncSession, detention_id: str) -> None:
        """A custody record, for as long as another answer matters to it."""
        try:
            detention = await store.detention(session, detention_id)
        except NotFound:
            return
        if not detention.concerned:
            return
        decided = await self._ask(session, detention.asked, detention.suite_id, detention_id=detention_id)
        now = self._clock.now()
        if answers.supersedes(decided.answer, detention.decision.to_proto()):
            await self._records.answer(session, detention, decided.row, now)
        else:
            await self._records.reconsider(session, detention, now)
        if not answers.settled(decided.answer) or self._records.behind(detention):
            await self._put_again(session, store.RECHECK, detention_id)

    async def ask_again(self, session: AsyncSession, decision_id: str) -> None:
        """A check alone, without a custody record."""
        earlier = await store.decision(session, decision_id)
        given = self._ledger.given(earlier) if earlier is not None else None
        if earlier is None or given is None:
            return
        decided = await self._ask(
            session,
            Asked(given, earlier.fingerprint),
            earlier.suite_id,
            offence_codes=tuple(earlier.offence_codes),
        )
        if not answers.settled(decided.answer):
            await self._put_again(session, store.ASK_AGAIN, decision_id)
            return
        earlier.input = None
        session.add(Decision(**decided.row))
        await self._tell(session, earlier, given, decided.answer)

    async def _tell(
        self, session: AsyncSession, earlier: Decision, given: person_pb2.Person, answer: pb.Answer
    ) -> None:
        """What has become of a check alone, where that is anything else."""
        told, now = earlier.to_proto(), self._clock.now()
        revised = orders.again(told.instructions, answer.instructions, now)
        checked = pb.Detention(suite_id=earlier.suite_id, person=given, answer=answer, instructions=revised)
        if answers.differ(told, answer):
            kind = pb.SUITE_EVENT_KIND_ANSWER_CHANGED
            await self._board.post(session, kind, checked, now, told.screening.outcome)
        elif orders.differ(told.instructions, revised):
            await self._board.post(session, pb.SUITE_EVENT_KIND_INSTRUCTIONS_CHANGED, checked, now)

    async def recheck_numbered(self, session: AsyncSession, _: str) -> None:
        """Who is flagged now may have a second record under any number, of which only the register knows."""
        now = self._clock.now()
        numbered = [one.detention_id for one in await store.concerned(session) if one.numbered]
        times = {one: now + place * PACE for place, one in enumerate(sorted(numbered))}
        await due.put_all_first(session, store.RECHECK, times)

    async def elsewhere(self, session: AsyncSession, key: str) -> None:
        await self._records.elsewhere(session, key.partition("/")[0], self._clock.now())

    async def prune(self, session: AsyncSession, key: str) -> None:
        """Decisions and custody records stay. What screens have read and who repeats a request does not."""
        now = self._clock.now()
        await store.prune_events(session, now - KEPT)
        await requests.prune(session, now - KEPT)
        await due.put(session, store.PRUNE, key, now + PRUNE_EVERY)

    async def begin(self) -> None:
        """At the start of every process, which hastens the next pruning and no more."""
        async with self._database.transaction() as session:
            await due.put(session, store.PRUNE, "custody", self._clock.now())

    async def run(self) -> None:
        """When the register is back, all that waits for it is due at once."""
        await process.patiently(self.begin, Unavailable)
        while True:
            back = await self._register.back(COUNT_SECONDS)
            try:
                async with self._database.transaction() as session:
                    if back:
                        await store.hasten_rechecks(session, self._clock.now())
                    OPEN.set(await store.open_rechecks(session))
            except Unavailable as outage:
                log.warning("rechecks wait", dependency=outage.dependency)

    async def _ask(
        self,
        session: AsyncSession,
        asked: Asked,
        suite_id: str,
        *,
        offence_codes: tuple[str, ...] = (),
        detention_id: str | None = None,
    ) -> Decided:
        purpose = policy_pb2.PURPOSE_ARREST
        question = Question(asked, suite_id, purpose, self._caller, offence_codes, detention_id)
        return await self._checker.decide(question, session=session)

    async def _put_again(self, session: AsyncSession, kind: str, key: str) -> None:
        pause = SOON if self._register.serving else LATER
        await due.put(session, kind, key, self._clock.now() + pause)
