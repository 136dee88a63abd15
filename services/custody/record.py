"""What follows from an answer or a fact in a custody record: the referral, the arrest, what screens see."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from google.type.date_pb2 import Date
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from services.custody import answers, arrests, duty, orders, routing, store, verdicts
from services.custody.instructions import Situation
from services.custody.models import Decision, Detention, DrugTest, due, outbox, timestamp
from services.custody.replica import Replica
from services.custody.watch import Board
from services.runtime.reference import LONDON, Reference

ARRESTS = "ppo.custody.arrests.v1"


class Records:
    """Each method works in the caller's transaction, on a custody record that the caller has locked."""

    def __init__(self, board: Board, replica: Replica, reference: Reference) -> None:
        self._board = board
        self._replica = replica
        self._reference = reference

    async def open(self, session: AsyncSession, detention: Detention, now: datetime) -> None:
        session.add(detention)
        self._instruct(detention, now)
        await _arrest(session, detention, self._change(detention, reidentified=False), now)
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
        change = self._change(detention, reidentified=reidentified)
        rerouted = self._reroute(detention, ruled_out=bool(change.withdrawn), now=now)
        instructed = self._instruct(detention, now)
        await _arrest(session, detention, change, now)
        if answers.differ(earlier, answer):
            told = earlier.screening.outcome
            await self.tell(session, pb.SUITE_EVENT_KIND_ANSWER_CHANGED, detention, now, told)
        elif detention.open and answers.changed_hands(earlier, answer):
            await self.tell(session, pb.SUITE_EVENT_KIND_OWNER_CHANGED, detention, now)
        elif instructed:
            await self.tell(session, pb.SUITE_EVENT_KIND_INSTRUCTIONS_CHANGED, detention, now)
        if rerouted:
            await self.tell(session, pb.SUITE_EVENT_KIND_REFERRAL_ROUTED, detention, now)

    async def reconsider(self, session: AsyncSession, detention: Detention, now: datetime) -> None:
        """The arrest alone, under the same answer: the replica may have heard since of what ended it."""
        await _arrest(session, detention, self._change(detention, reidentified=False), now)

    async def test(self, session: AsyncSession, detention: Detention, now: datetime) -> None:
        """What follows from a test that is recorded, or corrected."""
        self._instruct(detention, now)
        if detention.arrested_nominal:
            await _publish_test(session, detention, now)
        elif not detention.open:
            await _publish_count(session, detention, now)
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
        self._instruct(detention, now)
        if detention.arrested_nominal:
            detention.elsewhere = []
            await _look_elsewhere(session, [detention.arrested_nominal], now)
            await _publish_disposal(session, detention, now)
        else:
            await _publish_count(session, detention, now)
        await self.tell(session, pb.SUITE_EVENT_KIND_DISPOSED, detention, now)
        if departed:
            await self.tell(session, pb.SUITE_EVENT_KIND_REFERRAL_ROUTED, detention, now)

    async def elsewhere(self, session: AsyncSession, nominal_id: str, now: datetime) -> None:
        """Tells every suite that holds this PPO of the others that do."""
        held = await store.arrested(session, nominal_id)
        for one in held:
            others = sorted({each.suite_id for each in held if each is not one})
            if others != one.elsewhere:
                one.elsewhere = others
                await self.tell(session, pb.SUITE_EVENT_KIND_HELD_ELSEWHERE, one, now)

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

    def _instruct(self, detention: Detention, now: datetime) -> bool:
        """Runs the instructions again; whether that gave others."""
        suite = self._reference.row("suites", detention.suite_id, at=detention.booked_time)
        if suite is None:
            raise LookupError(f"no suite {detention.suite_id} at {detention.booked_time}")
        earlier = detention.orders()
        revised = orders.instructions(
            self._reference, self._situation(detention), suite=suite, now=now, earlier=earlier
        )
        detention.instructions = revised.SerializeToString()
        return orders.differ(earlier, revised)

    def _situation(self, detention: Detention) -> Situation:
        test = detention.drug_test
        return Situation(
            answer=detention.decision.to_proto(),
            given=detention.details(),
            occurred_time=detention.booked_time,
            here=detention.open,
            law=duty.law(self._reference, detention.offence_codes, detention.booked_time),
            drug_test=test.to_proto() if test else None,
            left_unknown=test is not None and test.status_not_known,
        )

    def _reroute(self, detention: Detention, *, ruled_out: bool, now: datetime) -> bool:
        """Whether the referral goes somewhere else by the answer that the custody record has now."""
        test, outcome = detention.drug_test, detention.decision.to_proto().screening.outcome
        if test is None:
            return False
        current = routing.Referral(pb.ReferralRoute.Value(test.route), test.status_not_known)
        right = routing.reroute(current, outcome, ruled_out=ruled_out, here=detention.open)
        if right == current:
            return False
        _send(test, right, now)
        return True

    def _change(self, detention: Detention, *, reidentified: bool) -> arrests.Change:
        earlier, answer = detention.arrested_nominal or "", detention.decision.to_proto()
        flag = self._replica.flag(earlier)
        wrong = earlier and arrests.ruled_out(
            earlier,
            answer,
            excluded=self._replica.known_as(verdicts.standing(detention.said).excluded),
            reidentified=reidentified,
            flag=flag,
            booked_time=detention.booked_time,
            caught_up=self._replica.version >= answer.screening.register_version,
        )
        living = flag.nominal_id if flag is not None else ""
        return arrests.change(earlier, answer, living=living, ruled_out=bool(wrong))


async def _arrest(session: AsyncSession, detention: Detention, change: arrests.Change, now: datetime) -> None:
    earlier = detention.arrested_nominal or ""
    detention.arrested_nominal = change.standing or None
    if change.standing != earlier:
        detention.elsewhere = []
        await _look_elsewhere(session, [earlier, change.standing], now)
    if change.withdrawn:
        await _publish_withdrawal(session, detention, change.withdrawn, now)
    if change.arrested:
        await _publish_arrest(session, detention, now)
    elif change.withdrawn and not detention.open:
        await _publish_count(session, detention, now)


async def _look_elsewhere(session: AsyncSession, nominal_ids: Iterable[str], now: datetime) -> None:
    """After the commit, in a transaction of its own: two bookings of one person do not see each other.

    Under a key that nobody else puts, so that no booking ever waits for such a look.
    """
    for nominal_id in filter(None, nominal_ids):
        await due.put(session, store.ELSEWHERE, f"{nominal_id}/{uuid.uuid4()}", now)


def take(detention: Detention, decision: Decision) -> None:
    """Makes a decision the latest answer of a custody record."""
    detention.decision = decision
    detention.candidates = answers.nominals(decision.to_proto())


def _depart(test: DrugTest, now: datetime) -> bool:
    """Whether the referral of somebody who leaves had to go somewhere else."""
    referral = routing.depart(pb.ReferralRoute.Value(test.route))
    if referral.status_not_known:
        _send(test, referral, now)
    return referral.status_not_known


def _send(test: DrugTest, referral: routing.Referral, now: datetime) -> None:
    test.route = pb.ReferralRoute.Name(referral.route)
    test.referred_time = now
    test.status_not_known = referral.status_not_known


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
        arrest_summons_number=_summons(detention),
    )
    await _publish(session, arrested.nominal_id, arrested, now)
    if detention.drug_test is not None:
        await _publish_test(session, detention, now)
    if not detention.open:
        await _publish_disposal(session, detention, now)


def _summons(detention: Detention) -> str:
    """The number of this arrest, where the desk has given one."""
    given = person_pb2.Person.FromString(detention.person).identifiers
    numbers = (one.value for one in given if one.kind == person_pb2.IDENTIFIER_KIND_ASN)
    return next(numbers, "")


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
        recorded_time=timestamp(now),
    )
    await _publish(session, detention.detention_id, counted, now)


async def _publish(session: AsyncSession, key: str, message: Message, now: datetime) -> None:
    await outbox.append(session, ARRESTS, key, message, time=now)
