"""Notices and their deliveries."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import Row, select, text, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.outbox import Sent
from services.tracking.models import CASEWORK, NOTICES, SCHEMA, Delivery, Notice, outbox, stamp
from services.tracking.store import numbering


async def notice(session: AsyncSession, notice_id: str) -> Notice | None:
    return await session.get(Notice, notice_id)


async def deliveries(session: AsyncSession, notice_id: str) -> Sequence[Delivery]:
    rows = select(Delivery).where(Delivery.notice_id == notice_id)
    return (await session.scalars(rows.order_by(Delivery.revision, Delivery.organisation))).all()


async def published(session: AsyncSession, sent: Sequence[Delivery]) -> dict[tuple[str, str], datetime]:
    """When Kafka first had each record, by topic and id: what the outbox has forgotten the ledger knows.

    Of one that was forgotten before the ledger kept it no more is known than when it was recorded.
    """
    rows = outbox.rows
    asked = tuple_(rows.c.topic, rows.c.event_id).in_([one.event for one in sent])
    found = await session.execute(select(rows.c.topic, rows.c.event_id, rows.c.sent_time).where(asked))
    told = {(row.topic, row.event_id): row.sent_time for row in found}
    times = {one.event: one.published_time or told.get(one.event, one.recorded_time) for one in sent}
    return {event: at for event, at in times.items() if at is not None}


# The rows are held in the order in which they are acknowledged.
_KEEP = text(
    f"""
    WITH forgotten AS (
        SELECT notice_id, organisation, revision, sent_time
        FROM {SCHEMA}.delivery JOIN unnest(
            CAST(:topics AS text[]), CAST(:ids AS text[]), CAST(:revisions AS integer[]),
            CAST(:times AS timestamptz[])
        ) AS had (topic, notice_id, revision, sent_time) USING (topic, notice_id, revision)
        WHERE published_time IS NULL
        ORDER BY notice_id, organisation, revision FOR UPDATE OF delivery
    )
    UPDATE {SCHEMA}.delivery AS held SET published_time = sent_time FROM forgotten
    WHERE (held.notice_id, held.organisation, held.revision)
        = (forgotten.notice_id, forgotten.organisation, forgotten.revision)
    """
)


async def keep_published(session: AsyncSession, forgotten: Sequence[Sent]) -> None:
    """Notices alone: nobody asks when another event was sent."""
    had = [one for one in forgotten if one.topic.startswith((NOTICES, CASEWORK))]
    if not had:
        return
    parts = [one.event_id.rpartition("/") for one in had]
    values = {
        "topics": [one.topic for one in had],
        "ids": [notice_id for notice_id, _, _ in parts],
        "revisions": [int(revision) for _, _, revision in parts],
        "times": [one.sent_time for one in had],
    }
    await session.execute(_KEEP, values)


async def recipients(
    session: AsyncSession, notice_ids: Sequence[str]
) -> Sequence[Delivery | numbering.Sending]:
    """The latest delivery to each organisation that was told any revision of any of these notices."""
    rows = select(Delivery).where(Delivery.notice_id.in_(notice_ids)).ext(distinct_on(Delivery.organisation))
    written = await session.scalars(rows.order_by(Delivery.organisation, Delivery.number.desc()))
    latest: list[Delivery | numbering.Sending] = [*written, *numbering.waiting(session, notice_ids)]
    return list({one.organisation: one for one in latest}.values())


# Whoever is asked to do something for the person, and has not said that they do.
_ASKED = ("ppo_drug_team", "housing_provider", "training_provider")
_OPEN = text(
    f"""
    SELECT notice.type, organisation, min(delivery.recorded_time) AS asked, min(due_time) AS due
    FROM {SCHEMA}.notice JOIN {SCHEMA}.delivery USING (notice_id)
    WHERE nominal_id = ANY (:ids) AND role = ANY (:asked) AND notice.state <> {pb.NOTICE_STATE_RETRACTED}
        AND due_time IS NOT NULL AND acknowledged_time IS NULL
    GROUP BY notice_id, notice.type, organisation ORDER BY due, asked, notice_id
    """
)


async def open_matters(session: AsyncSession, nominal_ids: Sequence[str]) -> list[notice_pb2.OpenMatter]:
    rows = await session.execute(_OPEN, {"ids": list(nominal_ids), "asked": list(_ASKED)})
    return [
        notice_pb2.OpenMatter(
            type=row.type, organisation=row.organisation, asked_time=stamp(row.asked), due_time=stamp(row.due)
        )
        for row in rows
    ]


# A key's records in a topic are numbered as they were written: the place of each is its first sequence.
_REPLAYED = text(
    f"""
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY topic, key ORDER BY number) AS sequence
        FROM {SCHEMA}.delivery WHERE organisation = :organisation
    ) told
    WHERE number > :after AND recorded_time >= :since ORDER BY number LIMIT :limit
    """
)


async def replayed(
    session: AsyncSession, organisation: str, since: datetime | None, after: int, limit: int
) -> Sequence[Row[Any]]:
    """The ledger of an organisation, each with its first sequence."""
    asked = {"organisation": organisation, "after": after, "limit": limit}
    began = since or datetime.min.replace(tzinfo=UTC)
    return (await session.execute(_REPLAYED, asked | {"since": began})).all()


async def after(session: AsyncSession, organisation: str, number: int, limit: int) -> Sequence[Delivery]:
    rows = select(Delivery).where(Delivery.organisation == organisation, Delivery.number > number)
    return (await session.scalars(rows.order_by(Delivery.number).limit(limit))).all()


async def latest(
    session: AsyncSession, organisation: str, number: int, limit: int, *, unacknowledged: bool
) -> Sequence[Delivery]:
    """Each notice of an organisation in its latest revision, from after a number on."""
    later = aliased(Delivery)
    newer = select(later.number).where(
        later.organisation == Delivery.organisation,
        later.notice_id == Delivery.notice_id,
        later.revision > Delivery.revision,
    )
    rows = select(Delivery).where(
        Delivery.organisation == organisation, Delivery.number > number, ~newer.exists()
    )
    if unacknowledged:
        rows = rows.where(Delivery.acknowledged_time.is_(None))
    return (await session.scalars(rows.order_by(Delivery.number).limit(limit))).all()


async def sent(session: AsyncSession, notice_id: str, organisation: str, revision: int) -> Sequence[Delivery]:
    """The revision, or for 0 the latest, and all that the organisation was sent before it; locked.

    What only confirms the revision is settled with it. Empty where it was sent none such.
    """
    rows = select(Delivery).where(Delivery.notice_id == notice_id, Delivery.organisation == organisation)
    every = (await session.scalars(rows.order_by(Delivery.revision).with_for_update())).all()
    had = [one for one in every if not revision or one.revision <= revision]
    if not had or revision not in (0, had[-1].revision):
        return []
    return [*had, *takewhile(lambda one: one.silent, every[len(had) :])]


def settle(had: Sequence[Delivery], now: datetime) -> datetime:
    """When the organisation first said that it has the last of these; it needs none of those before it."""
    for one in had:
        one.acknowledged_time = one.acknowledged_time or now
    return had[-1].acknowledged_time or now
