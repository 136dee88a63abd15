"""What somebody must look at: listed for those who can, and settled by what they found."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import identity
from services.runtime.database import Database
from services.runtime.errors import Conflict, Denied, Invalid, NotFound
from services.tracking.models import Review
from services.tracking.store import facts, persons, reviews
from services.tracking.take import Taking, numbers

ACCEPTED, WITHDRAWN, BOTH_NUMBERS = (
    pb.REVIEW_RESOLUTION_ACCEPTED,
    pb.REVIEW_RESOLUTION_WITHDRAWN,
    pb.REVIEW_RESOLUTION_BOTH_NUMBERS,
)
# By what a review is of, what may be found.
FINDINGS = {
    "fact": (ACCEPTED, WITHDRAWN),
    "case": (ACCEPTED,),
    "merge": (ACCEPTED, BOTH_NUMBERS),
    "transfer": (ACCEPTED, WITHDRAWN),
    "recall": (ACCEPTED, WITHDRAWN),
}
KEEPER = "register_keeper"
# What a journey is made of and anybody here may take back; arrests are custody's.
JOURNEY = (movement_pb2.Movement, pb.RecordStageRequest)


class Reviews:
    def __init__(self, database: Database, taking: Taking) -> None:
        self._database = database
        self._taking = taking

    async def waiting(self, request: pb.ListReviewsRequest) -> AsyncIterator[pb.ListReviewsResponse]:
        kind = pb.ReviewKind.Name(request.kind).removeprefix("REVIEW_KIND_").lower() if request.kind else ""
        async with self._database.transaction() as session:
            found = await reviews.waiting(session, kind, resolved=request.resolved)
        for review in found:
            yield pb.ListReviewsResponse(review=review.to_proto())

    async def resolve(
        self, session: AsyncSession, request: pb.ResolveReviewRequest, now: datetime
    ) -> pb.Review:
        moved = await facts.movement(session, request.subject)
        both = numbers(moved) if moved else []
        await self._taking.hold(session, both, [request.nominal_id])
        review = await self._one(session, request)
        settled = await reviews.merged(session, review.subject) if review.kind == facts.MERGE else [review]
        for one in settled:
            one.resolution, one.note = request.resolution, request.note
            one.resolved_time, one.resolved_by = now, identity.current().subject
        # What is resolved stays, though with the fact the reason to look goes too.
        await session.flush()
        if request.resolution == WITHDRAWN:
            await self.withdraw(session, request.nominal_id, review.subject, now)
        if request.resolution == BOTH_NUMBERS:
            await self._taking.give(session, both, review.nominal_id)
        return review.to_proto()

    async def _one(self, session: AsyncSession, request: pb.ResolveReviewRequest) -> Review:
        review = await reviews.one(session, request.subject, request.nominal_id)
        if review is None:
            raise NotFound("nothing of this subject and nominal waits for anybody")
        if review.resolved_time is not None:
            raise Conflict("somebody has looked at it already")
        if request.resolution not in FINDINGS[review.kind]:
            raise Invalid("resolution", f"is not one for a review of a {review.kind}")
        if review.kind == facts.MERGE and identity.current().role != KEEPER:
            raise Denied("whose a prison number is, the keeper of the register says")
        return review

    async def withdraw(self, session: AsyncSession, nominal_id: str, fact_id: str, now: datetime) -> None:
        """Raises NotFound for what is no fact of the nominal's journey that stands."""
        living = await persons.living(session, nominal_id)
        family = [living, *(one.nominal_id for one in await persons.merged_with(session, living))]
        kinds = [kind.DESCRIPTOR.full_name for kind in JOURNEY]
        if not await facts.withdraw_fact(session, fact_id, family, kinds, now):
            raise NotFound("the nominal has no such movement or step that stands")
        if (moved := await facts.movement(session, fact_id)) is not None:
            await self._taking.take_back(session, moved)
        await self._taking.settle(session, living)
