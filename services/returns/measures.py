"""The headline measures of a month: what the counts hold, each with what it is a share of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from services.returns.definitions import (
    ANYWHERE,
    BETWEEN,
    IN_TIME,
    LIMITS,
    MEASURES,
    NEED,
    NOT_RECORDED,
    OUTCOMES,
    Cell,
    Counts,
    parts,
)

WHITE = "White"
NON_WHITE = "non-White"
NOT_STATED = "not stated"
RECORDED = " of those recorded"
# Made of the parts of M1.
DERIVED = ("M2", "M3", "M4", "M15", "M20")
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
        return _rate(self.value, 100, self.base) if self.base else NO_SHARE


def headlines(counts: Counts, planned: int) -> list[Headline]:
    """In the order of the measures; `planned` is how many PPOs there were to be, 0 where nobody said."""
    order = {measure: place for place, measure in enumerate(MEASURES)}
    given = {cell.measure for cell in counts}
    found = [
        *_people(counts),
        *_ethnicity(parts(counts, "M1", "ethnicity"), _total(counts, "M1")),
        *_changes(counts),
        *_tests(counts),
        *_stages(counts),
        *_sizes(_total(counts, "M1"), parts(counts, "M1", "ocu"), planned),
        *_sentences(counts),
        *_work(counts),
        *_before_after(counts),
        *_young(counts),
    ]
    # Sorting is stable: within a measure the order above stays.
    return sorted(
        (one for one in found if one.measure in given or one.measure in DERIVED),
        key=lambda headline: order[headline.measure],
    )


def _people(counts: Counts) -> Iterator[Headline]:
    people = _total(counts, "M1")
    yield Headline("M0", "", _total(counts, "M0"))
    yield Headline("M1", "", people)
    for measure, breakdown in (("M2", "sex"), ("M3", "age_band")):
        # None of whom it is not recorded is said too.
        whole = {Cell("M1", breakdown, NOT_RECORDED): 0, **counts}
        yield from _shares(whole, measure, Cell("M1", breakdown), people)


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


def _sizes(people: int, ocus: dict[str, int], planned: int) -> Iterator[Headline]:
    yield Headline("M15", "", people, planned)
    each = planned // len(ocus) if ocus else 0
    yield from (Headline("M15", ocu, value, each) for ocu, value in ocus.items())


def _sentences(counts: Counts) -> Iterator[Headline]:
    sentences, days = _total(counts, "M16"), parts(counts, "M16", "days")
    yield Headline("M16", "", sentences)
    if days:
        # Of none of which they are not recorded is said too.
        for part, value in ({NOT_RECORDED: 0} | days).items():
            if part in ANYWHERE:
                yield Headline("M16", f"days {part}", value, sentences)
    yield from _middle("M16", "", days)
    yield from _shares(counts, "M16", Cell("M16", "ocu"), sentences)
    for breakdown in ("ocu_days", "court_days"):
        for place, days in _places(counts, "M16", breakdown):
            yield from _middle("M16", place, days)
    for window in ("before", "after"):
        days = {
            part.removeprefix(f"{window} "): value
            for part, value in parts(counts, "M23", "window_days").items()
            if part.startswith(window)
        }
        yield Headline("M23", window, sum(days.values()))
        yield from _middle("M23", window, days)


def _middle(measure: str, which: str, days: Mapping[str, int]) -> Iterator[Headline]:
    """The median and mean of the days that are recorded, half up."""
    told = f"{which}, " if which else ""
    ordered = sorted((int(day), times) for day, times in days.items() if times and day not in ANYWHERE)
    if ordered:
        many, whole = sum(times for _, times in ordered), sum(day * times for day, times in ordered)
        yield Headline(measure, f"{told}median days", _median(ordered, many))
        yield Headline(measure, f"{told}mean days", (2 * whole + many) // (2 * many))


def _median(ordered: Sequence[tuple[int, int]], many: int) -> int:
    """Half up where it lies between two days."""
    days = [day for day, times in ordered for _ in range(times)]
    return (days[(many - 1) // 2] + days[many // 2] + 1) // 2


def _work(counts: Counts) -> Iterator[Headline]:
    need, due = _total(counts, "M17"), _total(counts, "M18")
    yield Headline("M17", NEED, need, _total(counts, "M1"))
    yield from _needs(parts(counts, "M1", "drug_need"), need, _total(counts, "M1"))
    yield from _shares(counts, "M17", Cell("M17", "treatment"), need)
    yield from _outcomes(counts, "M17", "ocu_treatment", "in treatment")
    yield Headline("M18", "due", due)
    yield from _shares(counts, "M18", Cell("M18", "attendance"), due)
    for breakdown in ("ocu_attendance", "agency_attendance"):
        yield from _outcomes(counts, "M18", breakdown, "attended")
    yield from (Headline(one, "", _total(counts, one)) for one in ("FOLLOW_UPS", "RE_ENGAGED"))
    yield Headline("M19", "", _total(counts, "M19"))
    yield from _limits("", parts(counts, "M19", "limit"))
    for breakdown in ("ocu_limit", "prison_limit"):
        for place, limits in _places(counts, "M19", breakdown):
            yield from _limits(f"{place}, ", limits)


def _needs(needs: Mapping[str, int], need: int, people: int) -> Iterator[Headline]:
    """Of whom no need was identified; figures of the area's own say nothing of them."""
    if needs.get(NEED, 0) == need:
        for part, value in needs.items():
            if part != NEED:
                yield Headline("M17", f"need {part}" if part in ANYWHERE else part, value, people)


def _limits(place: str, limits: Mapping[str, int]) -> Iterator[Headline]:
    for limit in LIMITS:
        outcomes = {outcome: limits.get(f"{limit}, {outcome}", 0) for outcome in OUTCOMES}
        if told := sum(outcomes.values()):
            for outcome in (IN_TIME, NOT_RECORDED):
                yield Headline("M19", f"{place}{limit}, {outcome}", outcomes[outcome], told)


def _outcomes(counts: Counts, measure: str, breakdown: str, outcome: str) -> Iterator[Headline]:
    """How many came out well, of all in each place."""
    for place, outcomes in _places(counts, measure, breakdown):
        if told := sum(outcomes.values()):
            yield Headline(measure, f"{place}, {outcome}", outcomes.get(outcome, 0), told)


def _places(counts: Counts, measure: str, breakdown: str) -> list[tuple[str, dict[str, int]]]:
    """A breakdown by two things, by the first of them."""
    found: dict[str, dict[str, int]] = {}
    for part, value in parts(counts, measure, breakdown).items():
        place, other = part.rsplit(BETWEEN, 1)
        found.setdefault(place, {})[other] = value
    return sorted(found.items())


def _before_after(counts: Counts) -> Iterator[Headline]:
    for measure, of in (("M21", "CONVICTIONS"), ("M22", "OFFENCES")):
        people = _total(counts, measure)
        yield from _shares(counts, measure, Cell(measure, "follow_up"), people)
        followed = counts.get(Cell(measure, "follow_up", "followed up"), 0)
        for window in ("before", "after"):
            value = counts.get(Cell(of, "window", window), 0)
            if followed:
                yield Headline(measure, f"{of.lower()} {window}", value)
                yield Headline(measure, f"{of.lower()} {window}, for 100 PPOs", _rate(value, 100, followed))
    for window in ("before", "after"):
        days = counts.get(Cell("LIBERTY_DAYS", "window", window), 0)
        if days:
            rate = _rate(counts.get(Cell("OFFENCES", "window", window), 0), 1_000, days)
            yield Headline("M22", f"offences {window}, for 1,000 days at liberty", rate)


def _rate(value: int, many: int, of: int) -> int:
    """For so many of them; half up."""
    return (2 * many * value + of) // (2 * of)


def _young(counts: Counts) -> Iterator[Headline]:
    yield Headline("M24", "", _total(counts, "M24"))
    yield from _shares(counts, "M24", Cell("M24", "team"), _total(counts, "M24"))


def _shares(counts: Counts, measure: str, of: Cell, base: int) -> Iterator[Headline]:
    for part, value in parts(counts, of.measure, of.breakdown).items():
        yield Headline(measure, part, value, base)


def _total(counts: Counts, measure: str) -> int:
    return counts.get(Cell(measure), 0)
