"""Whether the counts of a return agree with each other, and with the month before."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from services.returns.definitions import (
    ADDED,
    ANYWHERE,
    LARGEST,
    MERGED,
    MOVED,
    NEW_PERSONS,
    REMOVED,
    REQUIRED,
    SIGNED,
    STAGES,
    TOTAL,
    Cell,
    Counts,
)


class Check(NamedTuple):
    """What a cell or a breakdown should hold by a rule, and what it holds."""

    cell: str
    rule: str
    expected: int
    found: int
    # `expected` is a bound.
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.found <= self.expected if self.at_most else self.found == self.expected

    def __str__(self) -> str:
        bound = "at most " if self.at_most else ""
        return f"{self.cell}: expected {bound}{self.expected}, found {self.found} ({self.rule})"


def imbalances(
    counts: Sequence[tuple[Cell, int]],
    brought_forward: int | None,
    ocus: Collection[str],
    explained: int = 0,
) -> list[Check]:
    """Every check that fails; none for counts that balance."""
    return [check for check in checks(counts, brought_forward, ocus, explained) if not check.holds]


def residual(values: Counts, brought_forward: int | None) -> int:
    """What of M0 does not follow from the month before and what is told of this one."""
    if brought_forward is None:
        return 0
    told = _total(values, ADDED) - _total(values, REMOVED) + _total(values, MOVED) + _total(values, MERGED)
    return _total(values, "M0") - brought_forward - told


def checks(
    counts: Sequence[tuple[Cell, int]],
    brought_forward: int | None,
    ocus: Collection[str],
    explained: int = 0,
) -> list[Check]:
    """`brought_forward` is M0 of the month before; without it the movements are held against M1 alone.

    `explained` is the residual that somebody has explained.
    """
    values = dict(counts)
    return [
        *_impossible(counts),
        *_missing(values),
        *_breakdowns(values),
        *_ocus(values, ocus),
        *_stages(values),
        *_bounds(values),
        *_movements(values, brought_forward, explained),
    ]


def _impossible(counts: Sequence[tuple[Cell, int]]) -> Iterator[Check]:
    for cell, times in Counter(cell for cell, _ in counts).items():
        if times > 1:
            yield Check(str(cell), "a cell is given once", 1, times)
    for cell, value in counts:
        if value < 0 and cell.measure not in SIGNED:
            yield Check(str(cell), "a count is not below zero", 0, value)
        if abs(value) > LARGEST:
            yield Check(str(cell), "no count is so large", LARGEST, abs(value), at_most=True)


def _missing(values: Counts) -> Iterator[Check]:
    needed = {Cell(measure) for measure in (*REQUIRED, *(cell.measure for cell in values))}
    for cell in sorted(needed - values.keys()):
        yield Check(str(cell), "the total is given", 1, 0)


def _breakdowns(values: Counts) -> Iterator[Check]:
    required = {(measure, breakdown) for measure, needed in REQUIRED.items() for breakdown in needed}
    parts = Counter(dict.fromkeys(required, 0))
    for cell, value in values.items():
        if cell.breakdown != TOTAL:
            parts[cell.measure, cell.breakdown] += value
    for measure, breakdown in sorted(parts):
        rule = f"the parts sum to the total of {measure}"
        found = parts[measure, breakdown]
        yield Check(f"{measure} by {breakdown}", rule, _total(values, measure), found)


def _ocus(values: Counts, ocus: Collection[str]) -> Iterator[Check]:
    by_measure = {measure: set[str]() for measure, needed in REQUIRED.items() if "ocu" in needed}
    for cell in values:
        if cell.breakdown == "ocu":
            by_measure.setdefault(cell.measure, set()).add(cell.category)
    for measure, categories in sorted(by_measure.items()):
        given = categories - set(ANYWHERE)
        if given == set(ocus):
            yield Check(f"{measure} by ocu", "every OCU of the area and no other", len(ocus), len(given))
        for ocu in sorted(set(ocus) - given):
            yield Check(str(Cell(measure, "ocu", ocu)), "every OCU of the area is given", 1, 0)
        for ocu in sorted(given - set(ocus)):
            yield Check(str(Cell(measure, "ocu", ocu)), "is no OCU of the area", 0, 1)


def _stages(values: Counts) -> Iterator[Check]:
    stages = sum(_total(values, stage) for stage in STAGES)
    yield Check("M10 to M14", f"{' + '.join(STAGES)} make M1", _total(values, "M1"), stages)
    if not any(cell[:2] == ("M1", "position") for cell in values):
        return
    for stage, positions in STAGES.items():
        there = sum(values.get(Cell("M1", "position", position), 0) for position in positions)
        yield Check(stage, "as M1 by position says", there, _total(values, stage))


def _bounds(values: Counts) -> Iterator[Check]:
    for smaller, larger, rule in (
        ("M8", "M7", "PPOs tested are among all tested (M7)"),
        ("M9", "M8", "PPOs positive are among PPOs tested (M8)"),
        ("M0", "M1", "who is on the list at the end was on it in the month (M1)"),
        (NEW_PERSONS, ADDED, "new persons are among those added (ADDED)"),
        ("M20", "M1", "those with their ethnicity recorded are among all (M1)"),
        ("M17", "M1", "those with a drug need are among all (M1)"),
    ):
        yield Check(smaller, rule, _total(values, larger), _total(values, smaller), at_most=True)


def _movements(values: Counts, brought_forward: int | None, explained: int) -> Iterator[Check]:
    added, removed, moved, merged, new, end = (
        _total(values, measure) for measure in (ADDED, REMOVED, MOVED, MERGED, NEW_PERSONS, "M0")
    )
    # So whatever the month before: M1 and M0 start from the same people.
    rule = f"{end} of M0 - {added} of ADDED + {removed} of REMOVED + {new} of NEW_PERSONS"
    yield Check("M1", rule, end - added + removed + new, _total(values, "M1"))
    if brought_forward is None:
        return
    common = f"{brought_forward} of the month before + {moved} of MOVED + {merged} of MERGED"
    start = brought_forward + moved + merged + explained
    common += f" + {explained} explained" if explained else ""
    yield Check("M0", f"{common} + {added} of ADDED - {removed} of REMOVED", start + added - removed, end)
    yield Check("M1", f"{common} + {new} of NEW_PERSONS", start + new, _total(values, "M1"))


def _total(values: Counts, measure: str) -> int:
    return values.get(Cell(measure), 0)
