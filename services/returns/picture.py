"""What is shown of a month: an area's latest revision, or what those of a region or the nation submitted."""

from collections.abc import AsyncIterator
from datetime import date
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import measures, months, store
from services.returns.areas import Areas, Scope
from services.returns.definitions import Counts
from services.returns.measures import Headline


class Picture(NamedTuple):
    month: date
    scope: Scope
    counts: Counts
    # Areas without a submitted return; of an area's own picture nothing.
    missing: tuple[str, ...] = ()

    @property
    def planned(self) -> int:
        return sum(area.size for area in self.scope.areas if area.id not in self.missing)

    @property
    def headlines(self) -> list[Headline]:
        return measures.headlines(self.counts, self.planned)

    @property
    def coverage(self) -> pb.Coverage | None:
        if self.scope.single:
            return None
        return pb.Coverage(areas=len(self.scope.areas), missing=self.missing)


async def of(session: AsyncSession, areas: Areas, name: str, month: date) -> Picture | None:
    """None where there is no return of it."""
    scope = areas.scope(name, month, "area")
    if scope.single:
        row = await store.of(session, name, month)
        return None if row is None else Picture(month, scope, await store.whole(session, row))
    counts, given = await store.summed(session, scope.ids, month)
    missing = tuple(area for area in scope.ids if area not in given)
    return Picture(month, scope, counts, missing) if given else None


async def series(
    session: AsyncSession, areas: Areas, name: str, first: date, last: date
) -> AsyncIterator[tuple[Picture, Picture | None]]:
    """Each month that was returned, with the month before it."""
    begin = months.preceding(first)
    before = await of(session, areas, name, begin) if areas.known(name, begin) else None
    month = first
    while month <= last:
        this = await of(session, areas, name, month)
        if this is not None:
            yield this, before
        before, month = this, months.following(month)
