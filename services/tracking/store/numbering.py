"""Deliveries of a transaction, numbered and written as it ends: no organisation's row is held any longer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from services.tracking.models import Delivery, Organisation

_WAITING = "deliveries that wait for their numbers"


def deliver(session: AsyncSession, rows: Iterable[dict[str, Any]]) -> None:
    """Whoever needs a row of several organisations takes them all at once, in one order, and last."""
    own, info = session.sync_session, session.sync_session.info
    if _WAITING not in info:
        info[_WAITING] = []
        event.listen(own, "before_commit", _write)
        event.listen(own, "after_soft_rollback", _forget)
    info[_WAITING] += [(own.get_nested_transaction(), Delivery(**row)) for row in rows]


def waiting(session: AsyncSession, notice_ids: Sequence[str]) -> list[Delivery]:
    """Those of these notices that are not written yet, the latest last."""
    told = session.sync_session.info.get(_WAITING, ())
    return [delivery for _, delivery in told if delivery.notice_id in notice_ids]


def _write(session: Session) -> None:
    deliveries: list[Delivery] = [one for _, one in session.info[_WAITING]]
    # Also called for a savepoint, after which others may still be told something.
    if session.in_nested_transaction() or not deliveries:
        return
    numbers = _numbers(session, Counter(one.organisation for one in deliveries))
    for delivery in deliveries:
        numbers[delivery.organisation] += 1
        delivery.number = numbers[delivery.organisation]
    session.info[_WAITING] = []
    session.add_all(deliveries)


def _numbers(session: Session, counts: Counter[str]) -> dict[str, int]:
    """The last number of each before these; its row is held until they commit."""
    rows = [{"organisation": name, "last_number": counts[name]} for name in sorted(counts)]
    first = insert(Organisation).values(rows)
    upsert = first.on_conflict_do_update(
        index_elements=[Organisation.organisation],
        set_={"last_number": Organisation.last_number + first.excluded.last_number},
    ).returning(Organisation.organisation, Organisation.last_number)
    return {name: last - counts[name] for name, last in session.execute(upsert)}


def _forget(session: Session, ended: SessionTransaction) -> None:
    """What a savepoint held that was rolled back was never told."""
    session.info[_WAITING] = [one for one in session.info[_WAITING] if one[0] is not ended]
