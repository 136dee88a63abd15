"""Sends every organisation what it must be told: a row of the ledger and an event in one transaction."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeAlias

from casework.v1 import casework_pb2 as casework
from casework.v1 import court_pb2 as court
from prometheus_client import Counter

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import policy
from services.runtime.outbox import Event
from services.runtime.policy import Viewer
from services.tracking import news
from services.tracking.casebook import Casebook, Held
from services.tracking.casefile import CaseFile
from services.tracking.changes import Change
from services.tracking.holding import held_until
from services.tracking.models import CASEWORK, NOTICES, Delivery, Person, notice_type
from services.tracking.notices import (
    BESIDES,
    COURT,
    UNNAMED,
    Copy,
    Message,
    Role,
    Subject,
    Told,
    not_acknowledged,
    notices,
)
from services.tracking.parties import parties
from services.tracking.store.casebook import NoticeRow
from services.tracking.store.numbering import Sending
from services.tracking.watch import Board

NoticeState: TypeAlias = pb.NoticeState.ValueType

SENT = Counter("ppo_notices_sent", "Records of notices sent to organisations.", ["type", "state"])

PROVISIONAL, CONFIRMED, RETRACTED = (
    pb.NOTICE_STATE_PROVISIONAL,
    pb.NOTICE_STATE_CONFIRMED,
    pb.NOTICE_STATE_RETRACTED,
)
# Caused by nothing that happened to the person, so nothing takes it back.
LATE = pb.NOTICE_TYPE_NOT_ACKNOWLEDGED
# What it tells is the level, when it came to it, and whose case it was then.
TO = " to "
MESSAGES: dict[str, type[Message]] = {
    notice_pb2.Notice.DESCRIPTOR.full_name: notice_pb2.Notice,
    casework.CaseNotice.DESCRIPTOR.full_name: casework.CaseNotice,
    court.CourtNotice.DESCRIPTOR.full_name: court.CourtNotice,
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
        book: Casebook,
        held: Held,
        file: CaseFile,
        case: pb.Case,
        now: datetime,
        handed: Change | None = None,
    ) -> datetime | None:
        """When the next hold ends. What was told of a nominal that lives on in this one is not told again."""
        rows = _standing(held)
        # A hand-over is known by the number of a case, which is each nominal's own.
        known = (row for row in rows if _own(held, row) or row.type not in news.LASTING)
        standing = {(row.type, row.cause): row for row in known}
        changes = news.news(file, standing, now)
        changes += [handed] if handed else []
        sent = [await self._tell(book, held, file, case, change, standing, now) for change in changes]
        current = {key for change in changes for key in _keys(change)}
        for row in rows:
            if (row.type, row.cause) not in current and _may_be_unsaid(held, row):
                await self._retract(book, held, row, now)
            elif _moved(held, row):
                await self._go_on(book, held, row, now)
            elif row.hold_time is not None and row.hold_time <= now:
                await self._confirm(book, held, row, now)
        await self._excuse(book, held, now)
        late = [row for row in held.notices if row.type == LATE and row.state != RETRACTED]
        if await book.stands_late(_told_another(late, _responsible(file, case, now))):
            book.overdue_since(held.nominal_id, now)
        ends = (row.hold_time for row in (*rows, *chain.from_iterable(sent)))
        return min((at for at in ends if at is not None), default=None)

    async def leave(self, book: Casebook, held: Held, file: CaseFile, case: pb.Case, now: datetime) -> None:
        """Of a nominal that lives on in another, under whose lock its other notices are changed."""
        standing = {(row.type, row.cause): row for row in _standing(held)}
        for change in news.cleared(standing, now):
            await self._tell(book, held, file, case, change, standing, now)

    async def _go_on(self, book: Casebook, held: Held, row: NoticeRow, now: datetime) -> None:
        """Whoever was told of a nominal learns, under the same notice, as whom the person lives on."""
        row.goes_on_as, row.recorded_time = _goes_on_as(held, row), now
        row.revision += 1
        told = [one for one in await book.recipients([row.notice_id]) if one.role not in UNNAMED]
        self._deliver(
            book, held, row, [_sending(held, row, _again(before, ()), None, now) for before in told]
        )

    async def _tell(
        self,
        book: Casebook,
        held: Held,
        file: CaseFile,
        case: pb.Case,
        change: Change,
        standing: dict[news.Key, NoticeRow],
        now: datetime,
    ) -> list[NoticeRow]:
        """The notices that were sent."""
        what = {kind: news.text(change, kind) for kind, _ in _keys(change)}
        known = [standing.get(key) for key in _keys(change)]
        if all(row and row.told == what[row.type] and not _moved(held, row) for row in known):
            return []
        whose = next((row.nominal_id for row in known if row is not None), held.nominal_id)
        subject = self._subject(held, file, case, now, whose)
        own_parties = parties(
            file.reference,
            _responsible(file, case, now),
            probation=case.probation_manager.organisation,
            nominating_ocu=file.nominating_ocu(now),
            at=now,
        )
        before = await _told_before(book, change, standing)
        until, sent = held_until(change, self._hold, now), list[NoticeRow]()
        for told in notices(change, subject, own_parties, before):
            row = standing.get((told.type, told.cause))
            said = what[told.type]
            changed = row is None or row.told != said
            if changed or (row is not None and _moved(held, row)):
                notice = _revised(held, whose, told, said, until, now)
                # As whom somebody lives on is nothing to a court, which is told no name.
                await self._send(book, held, notice, told, now, unsaid=() if changed else (COURT,))
                sent.append(notice)
        return sent

    async def lateness(
        self,
        book: Casebook,
        held: Held,
        file: CaseFile,
        case: pb.Case,
        overdue: pb.OverdueNotice,
        now: datetime,
    ) -> None:
        """Each level is another revision of one notice, and so is each whose case it has become."""
        owned = _responsible(file, case, now)
        level, reached = pb.EscalationLevel.Name(overdue.escalation), overdue.escalated_time.ToJsonString()
        said = f"{level} at {reached}{TO}{owned.owner}"
        whose = parties(file.reference, owned, nominating_ocu=file.nominating_ocu(now), at=now)
        told = not_acknowledged(overdue, self._subject(held, file, case, now), whose)
        if told.copies and (told.type, told.cause, said) not in _said(held):
            await self._send(book, held, _revised(held, held.nominal_id, told, said, None, now), told, now)

    def _subject(self, held: Held, file: CaseFile, case: pb.Case, now: datetime, whose: str = "") -> Subject:
        person, merged = _known_as(held, whose), bool(held.person.merged_into)
        return Subject(
            nominal_id=person.nominal_id,
            person=file.flag.person,
            flag_state=screening_pb2.FLAG_STATE_MERGED_INTO if merged else file.flag_state(now),
            strand=case.strand,
            ownership=case.ownership,
            police=case.police_manager,
            probation=case.probation_manager,
            case_reference=person.case_reference,
            protocol=self._protocol,
            referred=any(_referred(test) for test in file.of(custody.PpoDrugTested)),
            held_at=file.state(now).prison,
            plan=file.registration(now),
        )

    async def _send(
        self,
        book: Casebook,
        held: Held,
        notice: NoticeRow,
        told: Told,
        now: datetime,
        *,
        unsaid: Collection[Role] = (),
    ) -> None:
        copies = {copy.organisation: copy for copy in told.copies}
        if notice.revision > 1:
            for before in await book.recipients([notice.notice_id]):
                copies.setdefault(before.organisation, _again(before, told.copies))
        going = (copy for copy in copies.values() if copy.role not in unsaid)
        self._deliver(book, held, notice, [_sending(held, notice, copy, told.due, now) for copy in going])

    async def _retract(self, book: Casebook, held: Held, notice: NoticeRow, now: datetime) -> None:
        notice.goes_on_as = _goes_on_as(held, notice)
        await book.excuse(notice.notice_id, now)
        told = await _end_hold(book, notice, RETRACTED, now)
        self._deliver(
            book, held, notice, [_sending(held, notice, _again(before, ()), None, now) for before in told]
        )

    async def _confirm(self, book: Casebook, held: Held, notice: NoticeRow, now: datetime) -> None:
        """Whoever has acknowledged what is confirmed is asked for nothing anew."""
        told = await _end_hold(book, notice, CONFIRMED, now)
        self._deliver(book, held, notice, [_confirming(held, notice, before, now) for before in told])

    async def _excuse(self, book: Casebook, held: Held, now: datetime) -> None:
        """Nobody is late with what was told in error."""
        retracted = {row.notice_id for row in held.notices if row.state == RETRACTED}
        for row in held.notices:
            if row.type == LATE and row.state != RETRACTED and row.cause.partition("/")[0] in retracted:
                await self._retract(book, held, row, now)

    def _deliver(self, book: Casebook, held: Held, notice: NoticeRow, sendings: Sequence[Sending]) -> None:
        """A row of the ledger and a record to each organisation."""
        event_id = f"{notice.notice_id}/{notice.revision}"
        for one in sendings:
            book.publish(Event(one.topic, one.key, event_id, one.message_type, one.recorded_time, one.record))
            self._board.ring(book.session, one.organisation)
        book.send(held, sendings)
        state = pb.NoticeState.Name(pb.NoticeState.ValueType(notice.state))
        SENT.labels(notice_type(notice.type), state).inc(len(sendings))


def _standing(held: Held) -> list[NoticeRow]:
    """The person's own last, but for what lateness has caused; flags are each nominal's own."""
    rows = [row for row in held.notices if row.state != RETRACTED and row.type != LATE]
    others = [row for row in rows if not _own(held, row) and row.type not in news.FLAGS]
    return [*others, *(row for row in rows if _own(held, row))]


def _own(held: Held, row: NoticeRow) -> bool:
    return row.nominal_id == held.nominal_id


def _goes_on_as(held: Held, row: NoticeRow) -> str:
    return held.person.merged_into or "" if _own(held, row) else held.nominal_id


def _moved(held: Held, row: NoticeRow) -> bool:
    return row.goes_on_as != _goes_on_as(held, row)


def _may_be_unsaid(held: Held, row: NoticeRow) -> bool:
    """A day on which another's plan was to be looked at was so, whatever days the two have together."""
    return row.type not in news.LASTING and (_own(held, row) or row.type != news.REVIEW)


def _said(held: Held) -> set[tuple[int, str, str]]:
    standing = (row for row in held.notices if _own(held, row) and row.state != RETRACTED)
    return {(row.type, row.cause, row.told) for row in standing}


def _told_another(late: Sequence[NoticeRow], owned: pb.Ownership) -> set[str]:
    """What was told others alone than whose case it is, as far as that was kept."""
    known = {row.cause for row in late if TO not in row.told or row.told.endswith(f"{TO}{owned.owner}")}
    return {row.cause for row in late} - known


def _responsible(file: CaseFile, case: pb.Case, now: datetime) -> pb.Ownership:
    """Of what ends a case, or comes after its end, those are told whose case it was."""
    return case.ownership if case.ownership.owner else file.last_owned(now)


def _known_as(held: Held, nominal_id: str) -> Person:
    """A notice stays under the nominal that it began with."""
    return next((one for one in held.older if one.nominal_id == nominal_id), held.person)


async def _told_before(book: Casebook, change: Change, standing: dict[news.Key, NoticeRow]) -> dict[str, str]:
    """Who was told what the change undoes, and in which role."""
    undone = [row.notice_id for row in standing.values() if row.type in change.undoes]
    told = await book.recipients(undone) if undone else []
    return {one.organisation: one.role for one in told}


def _revised(
    held: Held, nominal_id: str, told: Told, what: str, until: datetime | None, now: datetime
) -> NoticeRow:
    """The notice in its next revision; one that was retracted may come to be so after all."""
    notice_id = str(uuid.uuid5(NAMESPACE, f"{nominal_id}/{told.type}/{told.cause}"))
    notice = next((row for row in held.notices if row.notice_id == notice_id), None)
    if notice is None:
        notice = NoticeRow(notice_id, nominal_id, told.type, told.cause)
        held.notices.append(notice)
    notice.goes_on_as, notice.prison = _goes_on_as(held, notice), told.prison
    notice.told, notice.recorded_time, notice.hold_time = what, now, until
    notice.state = CONFIRMED if until is None else PROVISIONAL
    notice.revision += 1
    return notice


async def _end_hold(
    book: Casebook, notice: NoticeRow, state: NoticeState, now: datetime
) -> Sequence[Delivery | Sending]:
    """Whoever was told of it, each with the latest that they were."""
    notice.state, notice.recorded_time, notice.hold_time = state, now, None
    notice.revision += 1
    return await book.recipients([notice.notice_id])


def _confirming(held: Held, notice: NoticeRow, before: Delivery | Sending, now: datetime) -> Sending:
    sending = _sending(held, notice, _again(before, ()), before.due_time, now, silent=True)
    return sending._replace(acknowledged_time=before.acknowledged_time, register_date=before.register_date)


def _sending(
    held: Held, notice: NoticeRow, copy: Copy, due: datetime | None, now: datetime, *, silent: bool = False
) -> Sending:
    message = _stamped(copy.message, held, notice, now)
    message.silent = silent
    return Sending(
        notice_id=notice.notice_id,
        organisation=copy.organisation,
        revision=notice.revision,
        role=copy.role,
        topic=_topic(copy),
        key=copy.key,
        message_type=message.DESCRIPTOR.full_name,
        message=message.SerializeToString(),
        record=policy.project(message, Viewer(copy.role, copy.organisation)).SerializeToString(),
        state=notice.state,
        recorded_time=now,
        due_time=due,
        silent=silent,
    )


def _keys(change: Change) -> list[news.Key]:
    """The notices that a change is told as."""
    besides = BESIDES.get(change.type)
    return [(kind, change.cause) for kind in (change.type, besides) if kind is not None]


def _topic(copy: Copy) -> str:
    ours = isinstance(copy.message, notice_pb2.Notice)
    return f"{NOTICES if ours else CASEWORK}{copy.organisation}.v1"


def _stamped(message: Message, held: Held, notice: NoticeRow, now: datetime) -> Message:
    message.notice_id, message.revision = notice.notice_id, notice.revision
    message.recorded_time.FromDatetime(now)
    # The states are the same numbers in all contracts.
    if isinstance(message, notice_pb2.Notice):
        message.state = pb.NoticeState.ValueType(notice.state)
        message.goes_on_as_nominal_id = notice.goes_on_as
    else:
        message.state = casework.CaseNoticeState.ValueType(notice.state)
    if isinstance(message, casework.CaseNotice):
        message.goes_on_as = held.person.case_reference if notice.goes_on_as else ""
    return message


def _again(before: Delivery | Sending, copies: Iterable[Copy]) -> Copy:
    """For one that was told earlier and would not be now: what it was told, with what has changed since."""
    message = MESSAGES[before.message_type].FromString(before.message)
    for copy in copies:
        if isinstance(message, notice_pb2.Notice) and isinstance(copy.message, notice_pb2.Notice):
            message.movement.CopyFrom(copy.message.movement)
    return Copy(before.organisation, before.role, message)


def _referred(test: custody.PpoDrugTested) -> bool:
    return test.drug_test.route == custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM
