"""Sends every organisation what it must be told: a row of the ledger and an event in one transaction."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, TypeAlias

from casework.v1 import casework_pb2 as casework
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import policy
from services.runtime.policy import Viewer
from services.tracking import news
from services.tracking.casefile import CaseFile
from services.tracking.changes import Change
from services.tracking.holding import held_until
from services.tracking.models import CASEWORK, NOTICES, Delivery, Notice, Person, notice_type, outbox
from services.tracking.notices import BESIDES, Copy, Message, Subject, Told, notices
from services.tracking.parties import parties
from services.tracking.store import notices as store
from services.tracking.store import numbering
from services.tracking.watch import Board

NoticeState: TypeAlias = pb.NoticeState.ValueType

SENT = Counter("ppo_notices_sent", "Records of notices sent to organisations.", ["type", "state"])

PROVISIONAL, CONFIRMED, RETRACTED = (
    pb.NOTICE_STATE_PROVISIONAL,
    pb.NOTICE_STATE_CONFIRMED,
    pb.NOTICE_STATE_RETRACTED,
)
MESSAGES: dict[str, type[Message]] = {
    notice_pb2.Notice.DESCRIPTOR.full_name: notice_pb2.Notice,
    casework.CaseNotice.DESCRIPTOR.full_name: casework.CaseNotice,
}
# Our own names of notices, made of what causes them, are the same whoever makes them.
NAMESPACE = uuid.UUID("7c1d9a52-5b0e-4f61-9d43-0a6c2f1b8e77")


class Teller:
    def __init__(self, board: Board, protocol: str, hold: timedelta) -> None:
        self._board = board
        self._protocol = protocol
        self._hold = hold

    async def tell(
        self,
        session: AsyncSession,
        person: Person,
        older: Sequence[Person],
        file: CaseFile,
        case: pb.Case,
        now: datetime,
    ) -> datetime | None:
        """When the next hold ends. What was told of a nominal that lives on in this one is not told again."""
        known = await store.of_persons(session, [person.nominal_id, *(one.nominal_id for one in older)])
        rows = [row for row in known if row.state != RETRACTED]
        own = {(row.type, row.cause): row for row in rows if row.nominal_id == person.nominal_id}
        # A flag is the nominal's own: that of one that lives on in it says nothing of it.
        others = {(row.type, row.cause): row for row in rows if row.type not in news.FLAGS}
        standing = others | own
        merged = bool(person.merged_into)
        changes = news.cleared(own, now) if merged else news.news(file, standing, now)
        sent = [await self._tell(session, person, file, case, change, standing, now) for change in changes]
        current = {key for change in changes for key in _keys(change)}
        for key, row in own.items():
            if key not in current and not merged:
                await self._retract(session, row, now)
            elif row.hold_time is not None and row.hold_time <= now:
                await self._confirm(session, row, now)
        held = (row.hold_time for row in (*own.values(), *chain.from_iterable(sent)))
        return min((ends for ends in held if ends is not None), default=None)

    async def _tell(
        self,
        session: AsyncSession,
        person: Person,
        file: CaseFile,
        case: pb.Case,
        change: Change,
        standing: dict[news.Key, Notice],
        now: datetime,
    ) -> list[Notice]:
        """The notices that were sent."""
        what = {kind: news.text(change, kind) for kind, _ in _keys(change)}
        known = [standing.get(key) for key in _keys(change)]
        if all(row is not None and row.told == what[row.type] for row in known):
            return []
        subject = self._subject(person, file, case, now)
        # Of what ends a case, or is told after its end, those are told whose case it was.
        own_parties = parties(
            file.reference,
            case.ownership if case.ownership.owner else file.last_owned(now),
            probation=case.probation_manager.organisation,
            nominating_ocu=file.nominating_ocu(now),
            at=now,
        )
        before = await self._told_before(session, person, change, standing)
        until, sent = held_until(change, self._hold, now), list[Notice]()
        for told in notices(change, subject, own_parties, before):
            row = standing.get((told.type, told.cause))
            said = what[told.type]
            if row is None or (row.told != said and row.nominal_id == person.nominal_id):
                notice = await self._revise(session, person.nominal_id, told, said, until, now)
                await self._send(session, notice, told, now)
                sent.append(notice)
        return sent

    async def _told_before(
        self, session: AsyncSession, person: Person, change: Change, standing: dict[news.Key, Notice]
    ) -> dict[str, str]:
        """Who was told what the change undoes, and in which role."""
        undone = [
            row.notice_id
            for row in standing.values()
            if row.type in change.undoes and row.nominal_id == person.nominal_id
        ]
        told = await store.recipients(session, undone) if undone else []
        return {one.organisation: one.role for one in told}

    def _subject(self, person: Person, file: CaseFile, case: pb.Case, now: datetime) -> Subject:
        return Subject(
            nominal_id=person.nominal_id,
            person=file.flag.person,
            flag_state=file.flag_state(now),
            strand=case.strand,
            ownership=case.ownership,
            police=case.police_manager,
            probation=case.probation_manager,
            case_reference=person.case_reference,
            protocol=self._protocol,
            referred=any(_referred(test) for test in file.of(custody.PpoDrugTested)),
            held_at=file.state(now).prison,
        )

    async def _send(self, session: AsyncSession, notice: Notice, told: Told, now: datetime) -> None:
        copies = {copy.organisation: copy for copy in told.copies}
        if notice.revision > 1:
            for before in await store.recipients(session, [notice.notice_id]):
                copies.setdefault(before.organisation, _again(before, told.copies))
        rows = [
            await self._row(session, notice, copy, now) | {"due_time": told.due} for copy in copies.values()
        ]
        self._deliver(session, notice, rows)

    async def _revise(
        self,
        session: AsyncSession,
        nominal_id: str,
        told: Told,
        what: str,
        until: datetime | None,
        now: datetime,
    ) -> Notice:
        """The notice in its next revision; one that was retracted may come to be so after all."""
        notice_id = str(uuid.uuid5(NAMESPACE, f"{nominal_id}/{told.type}/{told.cause}"))
        notice = await store.notice(session, notice_id)
        if notice is None:
            notice = Notice(
                notice_id=notice_id, nominal_id=nominal_id, type=told.type, cause=told.cause, revision=0
            )
            session.add(notice)
        notice.told, notice.recorded_time, notice.hold_time = what, now, until
        notice.state = CONFIRMED if until is None else PROVISIONAL
        notice.revision += 1
        await session.flush()
        return notice

    async def _retract(self, session: AsyncSession, notice: Notice, now: datetime) -> None:
        told = await self._end_hold(session, notice, RETRACTED, now)
        rows = [await self._row(session, notice, _again(before, ()), now) for before in told]
        self._deliver(session, notice, rows)

    async def _confirm(self, session: AsyncSession, notice: Notice, now: datetime) -> None:
        """Whoever has acknowledged what is confirmed is asked for nothing anew."""
        told = await self._end_hold(session, notice, CONFIRMED, now)
        rows = [
            await self._row(session, notice, _again(before, ()), now, silent=True)
            | {name: getattr(before, name) for name in ("due_time", "acknowledged_time", "register_date")}
            for before in told
        ]
        self._deliver(session, notice, rows)

    async def _end_hold(
        self, session: AsyncSession, notice: Notice, state: NoticeState, now: datetime
    ) -> Sequence[Delivery]:
        """Whoever was told of it, each with the latest that they were."""
        notice.state, notice.recorded_time, notice.hold_time = state, now, None
        notice.revision += 1
        await session.flush()
        return await store.recipients(session, [notice.notice_id])

    def _deliver(self, session: AsyncSession, notice: Notice, rows: Sequence[dict[str, Any]]) -> None:
        numbering.deliver(session, rows)
        state = pb.NoticeState.Name(pb.NoticeState.ValueType(notice.state))
        SENT.labels(notice_type(notice.type), state).inc(len(rows))

    async def _row(
        self, session: AsyncSession, notice: Notice, copy: Copy, now: datetime, *, silent: bool = False
    ) -> dict[str, Any]:
        """Hands the record to the outbox; returns how it stands in the ledger."""
        message, viewer = _stamped(copy.message, notice, now), Viewer(copy.role, copy.organisation)
        message.silent = silent
        topic, event_id = _topic(copy), f"{notice.notice_id}/{notice.revision}"
        await outbox.append(session, topic, copy.key, message, time=now, audience=viewer, event_id=event_id)
        self._board.ring(session, copy.organisation)
        return {
            "notice_id": notice.notice_id,
            "organisation": copy.organisation,
            "revision": notice.revision,
            "role": copy.role,
            "topic": topic,
            "key": copy.key,
            "message_type": message.DESCRIPTOR.full_name,
            "message": message.SerializeToString(),
            "record": policy.project(message, viewer).SerializeToString(),
            "state": notice.state,
            "recorded_time": now,
            "silent": silent,
        }


def _keys(change: Change) -> list[news.Key]:
    """The notices that a change is told as."""
    besides = BESIDES.get(change.type)
    return [(kind, change.cause) for kind in (change.type, besides) if kind is not None]


def _topic(copy: Copy) -> str:
    provider = isinstance(copy.message, casework.CaseNotice)
    return f"{CASEWORK if provider else NOTICES}{copy.organisation}.v1"


def _stamped(message: Message, notice: Notice, now: datetime) -> Message:
    stamped = type(message).FromString(message.SerializeToString())
    stamped.notice_id, stamped.revision = notice.notice_id, notice.revision
    stamped.recorded_time.FromDatetime(now)
    # The states are the same numbers in both contracts.
    if isinstance(stamped, notice_pb2.Notice):
        stamped.state = pb.NoticeState.ValueType(notice.state)
    else:
        stamped.state = casework.CaseNoticeState.ValueType(notice.state)
    return stamped


def _again(before: Delivery, copies: Iterable[Copy]) -> Copy:
    """For one that was told earlier and would not be now: what it was told, with what has changed since."""
    message = MESSAGES[before.message_type].FromString(before.message)
    for copy in copies:
        if isinstance(message, notice_pb2.Notice) and isinstance(copy.message, notice_pb2.Notice):
            message.movement.CopyFrom(copy.message.movement)
    return Copy(before.organisation, before.role, message)


def _referred(test: custody.PpoDrugTested) -> bool:
    return test.drug_test.route == custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM
