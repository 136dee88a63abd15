"""All that the outputs of a month are made of, exact or as it may be published."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import balance, closing, disclosure, measures, months, picture, store
from services.returns.areas import Area, Areas, Figure, beside
from services.returns.balance import Check
from services.returns.definitions import Cell, Counts
from services.returns.disclosure import Key, Shown
from services.returns.measures import Headline
from services.returns.models import Revision
from services.returns.picture import Picture
from services.runtime.errors import Invalid, NotFound

# Of the months that a series shows.
MONTHS = 12
HIDDEN = "~"


class Line(NamedTuple):
    """A headline as it is shown; without a value where that is hidden."""

    headline: Headline
    value: int | None
    base: int | None
    per_cent: int | None
    before: int | None
    # What was published of it elsewhere.
    figure: str = ""


class Version(NamedTuple):
    """A revision with what became of it and how it differs from the one before."""

    monthly_return: pb.Return
    steps: Sequence[pb.Step]
    changes: Mapping[Cell, int]
    counts: Counts


@dataclass(frozen=True)
class Document:
    picture: Picture
    # The version of the code set that ethnicity is counted by.
    ethnicity_codes: str
    # Oldest first; none of a region or the nation.
    versions: Sequence[Version] = ()
    additions: Sequence[pb.Addition] = ()
    # The months before and this one, oldest first, each with what is hidden of it.
    series: Sequence[tuple[Picture, frozenset[Key]]] = ()
    published: bool = False
    # What was published of the month elsewhere, to stand beside it.
    figures: Sequence[Figure] = ()
    hidden: Collection[Key] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        return self.picture.scope.name

    @property
    def month(self) -> date:
        return self.picture.month

    @property
    def area(self) -> Area | None:
        return self.picture.scope.areas[0] if self.picture.scope.single else None

    @property
    def version(self) -> Version | None:
        return self.versions[-1] if self.versions else None

    @property
    def checks(self) -> list[Check]:
        if self.version is None or self.area is None:
            return []
        told = self.version.monthly_return
        before = told.brought_forward if told.HasField("brought_forward") else None
        counts = list(self.picture.counts.items())
        return balance.checks(counts, before, self.area.ocus, told.residual)

    @property
    def lines(self) -> list[Line]:
        """In the order of the measures; in a publication only what one lists."""
        before, figures = self._before(), beside(self.figures)
        return [
            _line(one, shown, before)._replace(figure=figures.get((one.measure, one.category), ""))
            for one, shown in self._shown(self.picture, self.hidden)
        ]

    def values(self, of: Picture, hidden: Collection[Key]) -> dict[Key, int]:
        """What may be shown of a month of the series."""
        return {(one.measure, one.category): one.value for one, shown in self._shown(of, hidden) if shown}

    def _shown(self, of: Picture, hidden: Collection[Key]) -> list[tuple[Headline, bool]]:
        if self.published:
            return disclosure.published(of.headlines, hidden)
        return [(one, True) for one in of.headlines]

    def _before(self) -> dict[Key, int]:
        before = [one for one in self.series if one[0].month == months.preceding(self.month)]
        return self.values(*before[0]) if before else {}


def _line(one: Headline, shown: bool, before: Mapping[Key, int]) -> Line:
    was = before.get((one.measure, one.category))
    if not shown:
        return Line(one, None, None, None, was)
    return Line(one, one.value, one.base or None, one.per_cent if one.base else None, was)


async def of(
    session: AsyncSession, areas: Areas, name: str, month: date, revision: int = 0, *, published: bool = False
) -> Document:
    """Raises NotFound where there is no such return."""
    scope = areas.scope(name, month, "area")
    if scope.single:
        return await _of_area(session, areas, name, month, revision, published)
    if revision:
        raise Invalid("revision", "is given with the return of one area alone")
    shown = await picture.of(session, areas, name, month)
    if shown is None:
        raise NotFound("none of the areas has submitted a return of that month")
    hidden = await _hidden_of_many(session, shown) if published else frozenset()
    series = await _series(session, areas, name, shown, hidden, published)
    figures = [] if published else areas.published(name, month)
    codes = areas.ethnicity_codes(month)
    return Document(shown, codes, series=series, published=published, figures=figures, hidden=hidden)


async def _of_area(
    session: AsyncSession, areas: Areas, name: str, month: date, revision: int, published: bool
) -> Document:
    row = await store.of(session, name, month, revision)
    if row is None:
        raise NotFound("there is no such return")
    shown = Picture(month, areas.scope(name, month, "area"), await store.whole(session, row))
    hidden = await _hidden_of_area(session, row, shown.planned) if published else frozenset()
    return Document(
        shown,
        areas.ethnicity_codes(month),
        versions=await _versions(session, row),
        additions=[one.to_proto() for one in await store.additions(session, row)],
        series=await _series(session, areas, name, shown, hidden, published),
        published=published,
        # Beside what a publication does not show, they would show it.
        figures=[] if published else areas.published(name, month),
        hidden=hidden,
    )


async def _versions(session: AsyncSession, row: Revision) -> list[Version]:
    found: list[Version] = []
    for one in await store.earlier(session, row):
        counts = await store.whole(session, one)
        changes = closing.changes(counts, found[-1].counts) if found else {}
        steps = [step.to_proto() for step in await store.steps(session, one)]
        found.append(Version(one.to_proto(), steps, changes, counts))
    return found


async def _series(
    session: AsyncSession,
    areas: Areas,
    name: str,
    shown: Picture,
    hidden: frozenset[Key],
    published: bool,
) -> list[tuple[Picture, frozenset[Key]]]:
    month, found = shown.month, [(shown, hidden)]
    for _ in range(MONTHS - 1):
        month = months.preceding(month)
        before = await picture.of(session, areas, name, month) if areas.known(name, month) else None
        if before is not None:
            kept_back = await _hidden(session, name, before) if published else frozenset()
            found.append((before, kept_back))
    return found[::-1]


async def _hidden(session: AsyncSession, name: str, of: Picture) -> frozenset[Key]:
    if not of.scope.single:
        return await _hidden_of_many(session, of)
    row = await store.of(session, name, of.month)
    assert row is not None, "its picture has just been made of it"
    return await _hidden_of_area(session, row, of.planned)


async def _hidden_of_area(session: AsyncSession, row: Revision, planned: int) -> frozenset[Key]:
    found = [
        measures.headlines(await store.whole(session, one), planned)
        for one in await store.earlier(session, row)
        if one.submitted_time is not None or one.revision == row.revision
    ]
    return _hidden_of_last(found)


def _hidden_of_last(revisions: Iterable[Sequence[Headline]]) -> frozenset[Key]:
    """After every one before it, each of which may have been published."""
    shown = disclosure.NOT_SHOWN
    for found in revisions:
        shown = Shown(found, disclosure.hidden(found, before=shown))
    return frozenset(shown.hidden)


async def _hidden_of_many(session: AsyncSession, of: Picture) -> frozenset[Key]:
    """Whatever any of the areas hides.

    So all that a region or the nation shows is a sum of what its areas show, and says nothing besides: not in
    the rest of a sum, nor as other areas come in and correct theirs. The exact picture has everything.
    """
    sent = await store.submitted(session, of.scope.ids, of.month)
    # Of hundreds of areas it takes a second.
    return await asyncio.to_thread(_hidden_of_any, of, sent)


def _hidden_of_any(of: Picture, sent: Mapping[str, Sequence[Counts]]) -> frozenset[Key]:
    found = set[Key]()
    for area in of.scope.areas:
        revisions = (measures.headlines(counts, area.size) for counts in sent.get(area.id, ()))
        found |= _hidden_of_last(revisions)
    return frozenset(disclosure.hidden(of.headlines, small=found))
