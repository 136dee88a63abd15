"""What operations look at, counted every few seconds: no person and no identifier."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Unavailable
from services.runtime.reference import Reference
from services.tracking import caseload
from services.tracking.models import notice_type
from services.tracking.store import figures, lateness

NOTICES = Gauge("ppo_notices", "Notices, by type and state of the latest revision.", ["type", "state"])
UNDELIVERED = Gauge("ppo_notices_undelivered", "Records of notices that Kafka does not have yet.")
OVERDUE = Gauge("ppo_notices_overdue", "Notices that an organisation has not acknowledged in time.", ["type"])
ESCALATED = Gauge(
    "ppo_notices_escalated", "Notices not acknowledged in time, by who was told of it last.", ["level"]
)
HOUSING = Gauge(
    "ppo_housing_nearly_late", "Receptions of which a housing provider has said nothing for 36 hours or more."
)
PARKED = Gauge("ppo_movements_parked", "Movements of numbers that nobody on the register is known by.")
PARKED_SECONDS = Gauge("ppo_movements_parked_seconds", "How long the oldest of them has waited.")
REVIEWS = Gauge("ppo_reviews", "What waits for somebody to look at it.", ["kind"])
OWNERS = Gauge("ppo_owners", "PPOs, by the state of the ownership of their cases.", ["state"])
OWNERLESS = Gauge("ppo_registrations_without_owner", "PPOs who have not exactly one owner now; must be 0.")
CASELOAD = Gauge("ppo_caseload", "PPOs whose case an OCU has, to the nearest five.", ["ocu"])
DISPUTES = Gauge("ppo_disputes", "Open disputes about whose case it is, by stage.", ["stage"])
DISPUTE_SECONDS = Gauge("ppo_dispute_oldest_seconds", "How long ago the oldest of them was raised.")
GUIDE = Gauge("ppo_caseload_guide", "How many its area planned for an OCU: a guide, no limit.", ["ocu"])

LOOK_SECONDS = 5
# Of the 48 hours from a reception: after 36 somebody must look.
LAST_HOURS = timedelta(hours=12)

log = structlog.get_logger()


class Gauges:
    def __init__(self, database: Database, clock: Clock, reference: Reference) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference

    async def run(self) -> None:
        while True:
            try:
                async with self._database.transaction() as session:
                    await self._look(session)
            except Unavailable as outage:
                log.warning("gauges wait", dependency=outage.dependency)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, session: AsyncSession) -> None:
        now = self._clock.now()
        # Read before the old ones go: who scrapes in between would find none.
        notices, overdue = await figures.notices(session), await figures.overdue(session, now)
        reviews = await figures.reviews(session)
        NOTICES.clear()
        for kind, state, count in notices:
            NOTICES.labels(notice_type(kind), pb.NoticeState.Name(pb.NoticeState.ValueType(state))).set(count)
        UNDELIVERED.set(await figures.undelivered(session))
        OVERDUE.clear()
        for kind, count in overdue:
            OVERDUE.labels(notice_type(kind)).set(count)
        ESCALATED.clear()
        for level, count in await lateness.levels(session):
            ESCALATED.labels(pb.EscalationLevel.Name(pb.EscalationLevel.ValueType(level))).set(count)
        soon = dict(await figures.overdue(session, now + LAST_HOURS))
        HOUSING.set(soon.get(pb.NOTICE_TYPE_HOUSING_FAST_TRACK, 0))
        parked, oldest = await figures.parked(session)
        PARKED.set(parked)
        PARKED_SECONDS.set((now - oldest).total_seconds() if oldest else 0)
        REVIEWS.clear()
        for word, count in reviews:
            REVIEWS.labels(word).set(count)
        await self._owners(session)
        await self._caseloads(session, now)
        await self._disputes(session, now)

    async def _disputes(self, session: AsyncSession, now: datetime) -> None:
        disputes = [owned.dispute for _, owned in await figures.disputed(session, now)]
        stages = Counter(dispute.stage for dispute in disputes)
        for stage in pb.DisputeStage.values()[1:]:
            DISPUTES.labels(pb.DisputeStage.Name(stage)).set(stages[stage])
        raised = min((dispute.raised_time.ToDatetime(UTC) for dispute in disputes), default=now)
        DISPUTE_SECONDS.set((now - raised).total_seconds())

    async def _caseloads(self, session: AsyncSession, now: datetime) -> None:
        guides = caseload.guides(self._reference, now)
        owned = await figures.owned(session, now)
        CASELOAD.clear()
        for ocu, guide in guides.items():
            CASELOAD.labels(ocu).set(caseload.rounded(owned.get(ocu, 0)))
            GUIDE.labels(ocu).set(guide)

    async def _owners(self, session: AsyncSession) -> None:
        owners = await figures.owners(session, self._clock.now())
        OWNERS.clear()
        # One state may come twice: with an owner, and without.
        for _, state, count in owners:
            OWNERS.labels(pb.OwnershipState.Name(pb.OwnershipState.ValueType(state))).inc(count)
        OWNERLESS.set(sum(count for owned, _, count in owners if not owned))
