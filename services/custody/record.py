"""What follows from an answer or a fact in a custody record: the referral, the arrest, what screens see."""

from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.type.date_pb2 import Date
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import screening_pb2
from services.custody import answers, arrests, routing, store, verdicts
from services.custody.models import Decision, Detention, DrugTest, outbox, timestamp
from services.custody.replica import Replica
from services.custody.watch import Board
from services.runtime.reference import LONDON

ARRESTS = "ppo.custody.arrests.v1"


class Records:
    """Each method works in the caller's transaction, on a custody record that the caller has locked."""

    def __init__(self, board: Board, replica: Replica) -> None:
        self._board = board
        self._replica = replica

    async def open(self, session: AsyncSession, detention: Detention, now: datetime) -> None:
        session.add(detention)
        await self._arrest(session, detention, now, reidentified=False)
        await self.tell(session, pb.SUITE_EVENT_KIND_BOOKED_IN, detention, now)

    async def answer(
        self,
        session: AsyncSession,
        detention: Detention,
        row: dict[str, Any],
        now: datetime,
        *,
        reidentified: bool = False,
    ) -> None:
        """Makes `row`, a decision, the latest answer. `reidentified`: who this is was looked at anew."""
        earlier = detention.decision.to_proto()
        # Who has left is asked about from the custody record alone.
        take(detention, Decision(**row if detention.open else row | {"input": None}))
        session.add(detention)
        answer = detention.decision.to_proto()
        if answers.settled(answer):
            await session.flush()
            await store.forget_inputs(session, detention.detention_id)
        rerouted = self._reroute(detention, answer.screening.outcome, now)
        await self._arrest(session, detention, now, reidentified=reidentified)
        if answers.differ(earlier, answer):
            told = earlier.screening.outcome
            await self.tell(session, pb.SUITE_EVENT_KIND_ANSWER_CHANGED, detention, now, told)
        elif detention.open and answers.changed_hands(earlier, answer):
            await self.tell(session, pb.SUITE_EVENT_KIND_OWNER_CHANGED, detention, now)
        if rerouted:
            await self.tell(session, pb.SUITE_EVENT_KIND_REFERRAL_ROUTED, detention, now)

    async def reconsider(self, session: AsyncSession, detention: Detention, now: datetime) -> None:
        """The arrest alone, under the same answer: the replica may have heard since of what ended it."""
        await self._arrest(session, detention, now, reidentified=False)

    async def test(self, session: AsyncSession, detention: Detention, test: DrugTest, now: datetime) -> None:
        detention.drug_test = test
        if detention.arrested_nominal:
            await _publish_test(session, detention, now)
        await self.tell(session, pb.SUITE_EVENT_KIND_DRUG_TESTED, detention, now)

    async def dispose(
        self,
        session: AsyncSession,
        detention: Detention,
        disposal: pb.Disposal.ValueType,
        disposed_time: datetime,
        now: datetime,
    ) -> None:
        detention.disposal = pb.Disposal.Name(disposal)
        detention.disposed_time = disposed_time
        await store.forget_inputs(session, detention.detention_id)
        departed = detention.drug_test is not None and _depart(detention.drug_test, now)
        if detention.arrested_nominal:
            await _publish_disposal(session, detention, now)
        else:
            await _publish_count(session, detention, now)
        await self.tell(session, pb.SUITE_EVENT_KIND_DISPOSED, detention, now)
        if departed:
            await self.tell(session, pb.SUITE_EVENT_KIND_REFERRAL_ROUTED, detention, now)

    def behind(self, detention: Detention) -> bool:
        """Whether an arrest stands only because the replica has not heard yet of what ended it."""
        answer = detention.decision.to_proto()
        standing = detention.arrested_nominal is not None and not answers.flagged(answer)
        return standing and self._replica.version < answer.screening.register_version

    async def tell(
        self,
        session: AsyncSession,
        kind: pb.SuiteEventKind.ValueType,
        detention: Detention,
        now: datetime,
        earlier: screening_pb2.Outcome.ValueType = screening_pb2.OUTCOME_UNSPECIFIED,
    ) -> None:
        await self._board.post(session, kind, detention.to_proto(), now, earlier)

    def _reroute(self, detention: Detention, outcome: screening_pb2.Outcome.ValueType, now: datetime) -> bool:
        test = detention.drug_test
        if test is None:
            return False
        current = pb.ReferralRoute.Value(test.route)
        route = routing.reroute(current, outcome)
        known = outcome in (screening_pb2.OUTCOME_FLAGGED, screening_pb2.OUTCOME_NOT_FLAGGED)
        if route == current and not (test.status_not_known and known):
            return False
        _send(test, route, now)
        return True

    async def _arrest(
        self, session: AsyncSession, detention: Detention, now: datetime, *, reidentified: bool
    ) -> None:
        earlier, answer = detention.arrested_nominal or "", detention.decision.to_proto()
        flag = self._replica.flag(earlier)
        wrong = earlier and arrests.ruled_out(
            earlier,
            answer,
            excluded=verdicts.standing(detention.said).excluded,
            reidentified=reidentified,
            flag=flag,
            booked_time=detention.booked_time,
        )
        living = flag.nominal_id if flag is not None else ""
        change = arrests.change(earlier, answer, living=living, ruled_out=bool(wrong))
        detention.arrested_nominal = change.standing or None
        if change.withdrawn:
            await _publish_withdrawal(session, detention, change.withdrawn, now)
        if change.arrested:
            await _publish_arrest(session, detention, now)
        elif change.withdrawn and not detention.open:
            await _publish_count(session, detention, now)


def take(detention: Detention, decision: Decision) -> None:
    """Makes a decision the latest answer of a custody record."""
    detention.decision = decision
    detention.candidates = answers.nominals(decision.to_proto())


def _depart(test: DrugTest, now: datetime) -> bool:
    """Whether the referral of somebody who leaves had to go somewhere else."""
    route, status_not_known = routing.depart(pb.ReferralRoute.Value(test.route))
    if status_not_known:
        _send(test, route, now, status_not_known=True)
    return status_not_known


def _send(
    test: DrugTest, route: pb.ReferralRoute.ValueType, now: datetime, *, status_not_known: bool = False
) -> None:
    test.route = pb.ReferralRoute.Name(route)
    test.referred_time = now
    test.status_not_known = status_not_known


async def _publish_arrest(session: AsyncSession, detention: Detention, now: datetime) -> None:
    """What happened before the person was known for a PPO is told late, with its own times."""
    answer = detention.decision.to_proto()
    arrested = events.PpoArrested(
        detention_id=detention.detention_id,
        nominal_id=detention.arrested_nominal or "",
        suite_id=detention.suite_id,
        identity_basis=answer.screening.identity_basis,
        arrested_time=timestamp(detention.arrested_time),
        booked_time=timestamp(detention.booked_time),
        recorded_time=timestamp(now),
        offence_codes=detention.offence_codes,
    )
    await _publish(session, arrested.nominal_id, arrested, now)
    if detention.drug_test is not None:
        await _publish_test(session, detention, now)
    if not detention.open:
        await _publish_disposal(session, detention, now)


async def _publish_withdrawal(
    session: AsyncSession, detention: Detention, nominal_id: str, now: datetime
) -> None:
    withdrawn = events.PpoArrestWithdrawn(
        detention_id=detention.detention_id, nominal_id=nominal_id, recorded_time=timestamp(now)
    )
    await _publish(session, nominal_id, withdrawn, now)


async def _publish_test(session: AsyncSession, detention: Detention, now: datetime) -> None:
    tested = events.PpoDrugTested(
        detention_id=detention.detention_id,
        nominal_id=detention.arrested_nominal or "",
        suite_id=detention.suite_id,
        drug_test=detention.to_proto().drug_test,
        recorded_time=timestamp(now),
    )
    await _publish(session, tested.nominal_id, tested, now)


async def _publish_disposal(session: AsyncSession, detention: Detention, now: datetime) -> None:
    disposed = events.PpoDisposed(
        detention_id=detention.detention_id,
        nominal_id=detention.arrested_nominal or "",
        suite_id=detention.suite_id,
        disposal=pb.Disposal.Value(detention.disposal or ""),
        disposed_time=timestamp(detention.disposed_time or now),
        recorded_time=timestamp(now),
    )
    await _publish(session, disposed.nominal_id, disposed, now)


async def _publish_count(session: AsyncSession, detention: Detention, now: datetime) -> None:
    """Of somebody who is no PPO only this leaves the suite: nothing that says who it was."""
    day = (detention.disposed_time or now).astimezone(LONDON).date()
    counted = events.DetentionCounted(
        detention_id=detention.detention_id,
        suite_id=detention.suite_id,
        disposal_date=Date(year=day.year, month=day.month, day=day.day),
        test_result=detention.to_proto().drug_test.result,
    )
    await _publish(session, detention.detention_id, counted, now)


async def _publish(session: AsyncSession, key: str, message: Message, now: datetime) -> None:
    await outbox.append(session, ARRESTS, key, message, time=now)
