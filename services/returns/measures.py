"""The headline measures of a month: what the counts hold, each with what it is a share of."""

from collections.abc import Iterator
from typing import NamedTuple

from services.returns.definitions import MEASURES, NOT_RECORDED, Cell, Counts, parts

WHITE = "White"
NON_WHITE = "non-White"
NOT_STATED = "not stated"
RECORDED = " of those recorded"
# No base, no share.
NO_SHARE = -1


class Headline(NamedTuple):
    measure: str
    category: str
    value: int
    # 0 where it is a share of nothing.
    base: int = 0

    @property
    def title(self) -> str:
        return MEASURES[self.measure].title

    @property
    def per_cent(self) -> int:
        """Whole, half up."""
        return (200 * self.value + self.base) // (2 * self.base) if self.base else NO_SHARE


def headlines(counts: Counts, planned: int) -> list[Headline]:
    """In the order of the measures; `planned` is how many PPOs an OCU was to have, 0 where nothing was."""
    order = {measure: place for place, measure in enumerate(MEASURES)}
    found = [
        *_people(counts),
        *_ethnicity(parts(counts, "M1", "ethnicity"), _total(counts, "M1")),
        *_changes(counts),
        *_tests(counts),
        *_stages(counts),
        *_sizes(parts(counts, "M1", "ocu"), planned),
        *_others(counts),
    ]
    # Sorting is stable: within a measure the order above stays.
    return sorted(found, key=lambda headline: order[headline.measure])


def _people(counts: Counts) -> Iterator[Headline]:
    people = _total(counts, "M1")
    yield Headline("M1", "", people)
    yield from _shares(counts, "M2", Cell("M1", "sex"), people)
    yield from _shares(counts, "M3", Cell("M1", "age_band"), people)


def _ethnicity(codes: dict[str, int], people: int) -> Iterator[Headline]:
    rolled = dict.fromkeys((WHITE, NON_WHITE, NOT_STATED, NOT_RECORDED), 0)
    for code, value in codes.items():
        rolled[_rolled(code)] += value
    yield from (Headline("M4", group, value, people) for group, value in rolled.items())
    recorded = people - rolled[NOT_RECORDED]
    yield from (Headline("M4", group + RECORDED, rolled[group], recorded) for group in (WHITE, NON_WHITE))
    yield Headline("M20", "", recorded, people)


def _rolled(code: str) -> str:
    if code == "NS":
        return NOT_STATED
    if code[1:].isdigit():
        return WHITE if code.startswith("W") else NON_WHITE
    return NOT_RECORDED


def _changes(counts: Counts) -> Iterator[Headline]:
    removed = _total(counts, "M5")
    yield Headline("M5", "", removed)
    yield from _shares(counts, "M5", Cell("M5", "reason"), removed)
    yield Headline("M6", "", _total(counts, "M6"))


def _tests(counts: Counts) -> Iterator[Headline]:
    tested, ppos, positive = (_total(counts, measure) for measure in ("M7", "M8", "M9"))
    yield Headline("M7", "", tested)
    yield Headline("M8", "", ppos, tested)
    yield Headline("M9", "", positive, ppos)
    yield from _shares(counts, "M9", Cell("M9", "drug_class"), positive)


def _stages(counts: Counts) -> Iterator[Headline]:
    people = _total(counts, "M1")
    for stage in ("M10", "M11", "M12", "M13", "M14"):
        yield Headline(stage, "", _total(counts, stage), people)
        yield from _shares(counts, stage, Cell(stage, "position"), people)


def _sizes(ocus: dict[str, int], planned: int) -> Iterator[Headline]:
    yield Headline("M15", "", sum(ocus.values()), planned * len(ocus))
    yield from (Headline("M15", ocu, value, planned) for ocu, value in ocus.items())


def _others(counts: Counts) -> Iterator[Headline]:
    """As they came: what they are shares of is not among the counts."""
    for cell in sorted(counts):
        if cell.measure in ("M16", "M17", "M18", "M19", "M21", "M22", "M23", "M24"):
            yield Headline(cell.measure, cell.category, counts[cell])


def _shares(counts: Counts, measure: str, of: Cell, base: int) -> Iterator[Headline]:
    for part, value in parts(counts, of.measure, of.breakdown).items():
        yield Headline(measure, part, value, base)


def _total(counts: Counts, measure: str) -> int:
    return counts.get(Cell(measure), 0)
