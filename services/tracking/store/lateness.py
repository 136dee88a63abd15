"""What organisations have not acknowledged in time."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.lateness import GRACE, Level, begins
from services.tracking.models import SCHEMA, Lateness, Notice, stamp


class Late(NamedTuple):
    """A notice that an organisation has still to acknowledge, and by when; 0 while nobody was told of it."""

    notice_id: str
    organisation: str
    type: int
    due_time: datetime
    told_time: datetime
    level: int
    # When it came to that level.
    escalated_time: datetime | None = None
    # When what the organisation was told last of it is overdue.
    last_time: datetime | None = None

    @property
    def overdue_time(self) -> datetime:
        return begins(self.due_time, self.told_time)

    def to_proto(self, reached: Level, now: datetime) -> pb.OverdueNotice:
        return pb.OverdueNotice(
            notice_id=self.notice_id,
            type=pb.NoticeType.ValueType(self.type),
            organisation=self.organisation,
            due_time=stamp(self.due_time),
            escalation=reached,
            escalated_time=stamp(self.escalated_time if reached == self.level else now),
        )


# When a delivery is overdue.
_BEGINS = f"greatest(delivery.due_time, delivery.recorded_time + interval '{GRACE.total_seconds()} seconds')"
# A retraction asks for nothing any more, nor for what was told before it; what was acknowledged after all and
# then changed is late anew.
_UNSETTLED = text(
    f"""
    SELECT nominal_id, notice_id, organisation, notice.type, min(delivery.due_time),
        min(delivery.recorded_time), coalesce(max(level), 0), max(escalated_time),
        max({_BEGINS}) FILTER (WHERE NOT silent)
    FROM {SCHEMA}.delivery JOIN {SCHEMA}.notice USING (notice_id)
        LEFT JOIN (SELECT * FROM {SCHEMA}.lateness WHERE settled_time IS NULL) standing
            USING (notice_id, organisation)
    WHERE nominal_id = ANY (:ids) AND notice.state <> {pb.NOTICE_STATE_RETRACTED}
        AND delivery.due_time IS NOT NULL AND acknowledged_time IS NULL
        AND NOT EXISTS (
            SELECT FROM {SCHEMA}.delivery later WHERE later.notice_id = delivery.notice_id
                AND later.organisation = delivery.organisation AND later.revision > delivery.revision
                AND later.state = {pb.NOTICE_STATE_RETRACTED}
        )
    GROUP BY nominal_id, notice_id, organisation, notice.type ORDER BY 5, 2, 3
    """
)


async def unsettled(session: AsyncSession, nominal_ids: Collection[str]) -> dict[str, list[Late]]:
    """Of each person, what has been due longest first."""
    found: dict[str, list[Late]] = {}
    for nominal_id, *late in await session.execute(_UNSETTLED, {"ids": list(nominal_ids)}):
        found.setdefault(nominal_id, []).append(Late(*late))
    return found


# Whoever acknowledges holds the deliveries too, in this order: they come before, and nothing rises, or after,
# and settle what has risen.
_RISE = text(
    f"""
    WITH risen AS (
        SELECT notice_id, organisation, reached.due_time, reached.level, reached.escalated_time
        FROM unnest(
            CAST(:ids AS text[]), CAST(:organisations AS text[]), CAST(:due_times AS timestamptz[]),
            CAST(:levels AS smallint[]), CAST(:times AS timestamptz[])
        ) AS reached (notice_id, organisation, due_time, level, escalated_time)
            JOIN {SCHEMA}.delivery USING (notice_id, organisation)
            LEFT JOIN {SCHEMA}.lateness standing USING (notice_id, organisation)
        WHERE delivery.due_time IS NOT NULL AND acknowledged_time IS NULL
            AND (standing.level IS NULL OR settled_time IS NOT NULL OR standing.level < reached.level)
        ORDER BY notice_id, organisation, revision FOR SHARE OF delivery
    )
    INSERT INTO {SCHEMA}.lateness (notice_id, organisation, due_time, level, escalated_time)
    SELECT DISTINCT * FROM risen
    ON CONFLICT (notice_id, organisation) DO UPDATE
        SET due_time = excluded.due_time, level = excluded.level, escalated_time = excluded.escalated_time,
            settled_time = NULL
    """
)


async def rise(session: AsyncSession, reached: Sequence[pb.OverdueNotice]) -> None:
    """What stands at its level already, or was acknowledged meanwhile, stays as it is."""
    values = {
        "ids": [one.notice_id for one in reached],
        "organisations": [one.organisation for one in reached],
        "due_times": [one.due_time.ToDatetime(UTC) for one in reached],
        "levels": [one.escalation for one in reached],
        "times": [one.escalated_time.ToDatetime(UTC) for one in reached],
    }
    await session.execute(_RISE, values)


_STANDING = text(
    f"""
    SELECT EXISTS (
        SELECT FROM {SCHEMA}.lateness JOIN unnest(CAST(:ids AS text[]), CAST(:organisations AS text[]))
            AS asked (notice_id, organisation) USING (notice_id, organisation)
        WHERE settled_time IS NULL
    )
    """
)


async def stands(session: AsyncSession, causes: Collection[str]) -> bool:
    """Whether any of these has not been acknowledged since, each a notice and an organisation."""
    parts = [cause.partition("/") for cause in causes]
    asked = {"ids": [first for first, _, _ in parts], "organisations": [last for _, _, last in parts]}
    return bool(await session.scalar(_STANDING, asked))


_SETTLE = text(
    f"""
    UPDATE {SCHEMA}.lateness SET settled_time = :now
    WHERE notice_id = :id AND organisation = :organisation AND settled_time IS NULL AND NOT EXISTS (
        SELECT FROM {SCHEMA}.delivery
        WHERE notice_id = :id AND organisation = :organisation AND acknowledged_time IS NULL
            AND {_BEGINS} <= :now
    )
    """
)


async def settle(session: AsyncSession, notice_id: str, organisation: str, now: datetime) -> None:
    """It was acknowledged after all, which is told nobody; that it was late stays.

    Not where a later revision is overdue as well.
    """
    # What the caller has acknowledged, so that it is seen here.
    await session.flush()
    await session.execute(_SETTLE, {"id": notice_id, "organisation": organisation, "now": now})


async def excuse(session: AsyncSession, notice_id: str, now: datetime) -> None:
    """What was told in error nobody is late with; what it becomes, if anything, is late anew."""
    rows = update(Lateness).where(Lateness.notice_id == notice_id, Lateness.settled_time.is_(None))
    await session.execute(rows.values(settled_time=now))


async def of_notice(session: AsyncSession, notice_id: str) -> dict[str, Lateness]:
    rows = await session.scalars(select(Lateness).where(Lateness.notice_id == notice_id))
    return {row.organisation: row for row in rows}


async def overdue(session: AsyncSession, organisation: str, limit: int) -> Sequence[pb.OverdueNotice]:
    """Those that stand, the longest overdue first; of one organisation or of all."""
    rows = select(Lateness, Notice.type).join(Notice, Notice.notice_id == Lateness.notice_id)
    rows = rows.where(Lateness.settled_time.is_(None), Notice.state != pb.NOTICE_STATE_RETRACTED)
    if organisation:
        rows = rows.where(Lateness.organisation == organisation)
    found = await session.execute(rows.order_by(Lateness.due_time, Lateness.notice_id).limit(limit))
    return [
        Late(row.notice_id, row.organisation, kind, row.due_time, row.due_time, row.level).to_proto(
            pb.EscalationLevel.ValueType(row.level), row.escalated_time
        )
        for row, kind in found
    ]


async def levels(session: AsyncSession) -> Sequence[tuple[int, int]]:
    """(level, how many stand there)."""
    rows = select(Lateness.level, func.count()).where(Lateness.settled_time.is_(None))
    return [(row[0], row[1]) for row in await session.execute(rows.group_by(Lateness.level))]
