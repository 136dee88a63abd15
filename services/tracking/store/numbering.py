"""Deliveries of a transaction, numbered and written as it ends: no organisation's row is held any longer."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from services.runtime.database import copy_at_commit
from services.tracking.models import SCHEMA

_WAITING = "deliveries that wait for their numbers"


class Sending(NamedTuple):
    """One revision of a notice to one organisation; a Delivery, but for its number."""

    notice_id: str
    organisation: str
    revision: int
    role: str
    topic: str
    key: str
    message_type: str
    message: bytes
    record: bytes
    state: int
    recorded_time: datetime
    due_time: datetime | None
    silent: bool = False
    acknowledged_time: datetime | None = None
    register_date: date | None = None


_COLUMNS = (*Sending._fields, "number")
_NUMBER = text(
    f"""
    INSERT INTO {SCHEMA}.organisation AS held (organisation, last_number)
    SELECT * FROM unnest(CAST(:names AS text[]), CAST(:counts AS bigint[]))
    ON CONFLICT (organisation) DO UPDATE SET last_number = held.last_number + excluded.last_number
    RETURNING organisation, last_number
    """
)


def deliver(session: AsyncSession, sendings: Iterable[Sending]) -> None:
    """Whoever needs a row of several organisations takes them all at once, in one order, and last."""
    own, info = session.sync_session, session.sync_session.info
    if _WAITING not in info:
        info[_WAITING] = []
        event.listen(own, "before_commit", _write)
        event.listen(own, "after_soft_rollback", _forget)
    nested = own.get_nested_transaction()
    info[_WAITING] += [(nested, sending) for sending in sendings]


def waiting(session: AsyncSession, notice_ids: Collection[str]) -> list[Sending]:
    """Those of these notices that are not written yet, the latest last."""
    told = session.sync_session.info.get(_WAITING, ())
    return [sending for _, sending in told if sending.notice_id in notice_ids]


def _write(session: Session) -> None:
    sendings: list[Sending] = [one for _, one in session.info[_WAITING]]
    # Also called for a savepoint, after which others may still be told something.
    if session.in_nested_transaction() or not sendings:
        return
    numbers = _numbers(session, Counter(one.organisation for one in sendings))
    rows = []
    for sending in sendings:
        numbers[sending.organisation] += 1
        rows.append((*sending, numbers[sending.organisation]))
    session.info[_WAITING] = []
    copy_at_commit(session, f"{SCHEMA}.delivery", _COLUMNS, rows)


def _numbers(session: Session, counts: Mapping[str, int]) -> dict[str, int]:
    """The last number of each before these; its row is held until they commit."""
    names = sorted(counts)
    rows = session.execute(_NUMBER, {"names": names, "counts": [counts[name] for name in names]})
    return {name: last - counts[name] for name, last in rows}


def _forget(session: Session, ended: SessionTransaction) -> None:
    """What a savepoint held that was rolled back was never told."""
    session.info[_WAITING] = [one for one in session.info[_WAITING] if one[0] is not ended]
