"""Nothing small that is hidden can be worked out from all that is published together."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from services.returns import definitions, disclosure
from services.returns.definitions import Cell
from services.returns.disclosure import SMALL, Key, Shown, Table
from services.returns.measures import Headline, headlines
from tests.unit.returns.builders import december, parts, totals

PLANNED = 270
ATTENDANCE = ("attended", "acceptable absence", "unacceptable absence")
# Making a failing month smaller takes minutes of linear programmes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def december_with(**values: int) -> list[Headline]:
    return headlines(december() | totals(**values), PLANNED)


def keys(found: Sequence[Headline]) -> dict[Key, int]:
    return {(one.measure, one.category): one.value for one in found}


NOTHING: Mapping[Key, Headline] = MappingProxyType({})
UNCHANGED: Mapping[Key, str] = MappingProxyType({})


class Attack:
    """All that was published, as equations; every count that was not is unknown, but not below none."""

    def __init__(self) -> None:
        self.unknown: dict[tuple[str, Key], int] = {}
        self.rows: list[dict[int, float]] = []
        self.sums: list[float] = []
        # Under which name a count was unknown already.
        self.same: dict[tuple[str, Key], str] = {}

    def learn(
        self,
        name: str,
        found: Sequence[Headline],
        kept_back: set[Key],
        told: Mapping[Key, Headline] = NOTHING,
        same: Mapping[Key, str] = UNCHANGED,
    ) -> dict[Key, Headline]:
        """`told`: what was shown before and is as it was; `same`: and what was not, with its earlier name."""
        shown = disclosure.published(found, kept_back)
        now = {(one.measure, one.category): one for one, seen in shown if seen}
        given = {**told, **now}
        self.same |= {(name, key): earlier for key, earlier in same.items()}
        for table in disclosure.tables(found):
            self._sum(name, table, given)
        self._shares(name, given)
        self._days(name, found, now)
        return now

    def _sum(self, name: str, table: Table, given: Mapping[Key, Headline]) -> None:
        """The parts make the total, whether or not either is shown."""
        row: dict[int, float] = {}
        whole = self._term(name, table.total, given, row, -1.0)
        for key in table.parts:
            whole += self._term(name, key, given, row, 1.0)
        self.rows.append(row)
        self.sums.append(-whole)

    def _shares(self, name: str, given: Mapping[Key, Headline]) -> None:
        """Of a shown share the base is known to a half per cent, and where it is written exactly."""
        for key, one in given.items():
            if one.base and key == ("M8", ""):
                self._equal(name, [("M9", ""), ("M8", disclosure.REST)], one.value, given)
            if one.base and key[0] == "M9" and not key[1]:
                self._equal(name, [("M9", ""), ("M8", disclosure.REST)], one.base, given)
            if one.base and key[0] in ("M5", "M9") and key[1]:
                self._equal(name, [(key[0], "")], one.base, given)
            if one.base and key[0] == "M19" and key[1]:
                limit = key[1].rpartition(", ")[0]
                outcomes = [("M19", f"{limit}, {outcome}") for outcome in definitions.OUTCOMES]
                self._equal(name, outcomes, one.base, given)
            if one.base and key == ("M20", ""):
                self._equal(name, [("M4", "not recorded")], one.base - one.value, given)
            if key == ("M17", "need identified"):
                treated = [("M17", "in treatment"), ("M17", "not in treatment")]
                self._equal(name, treated, one.value, given)
            if one.base and key in disclosure.TREATED:
                self._equal(name, [("M17", "in treatment"), ("M17", "not in treatment")], one.base, given)
            if key[0] == "M4" and key[1].endswith("recorded") and key[1] != "not recorded":
                self._equal(name, [(key[0], key[1].removesuffix(" of those recorded"))], one.value, given)

    def _days(self, name: str, found: Sequence[Headline], given: Mapping[Key, Headline]) -> None:
        """Whoever is told the median may have heard of how many sentences it is."""
        if {("M16", "median days"), ("M16", "mean days")} & given.keys():
            many = [table.parts.get(disclosure.MANY, 0) for table in disclosure.tables(found)]
            self._equal(name, [disclosure.MANY], sum(many), given)

    def _equal(self, name: str, which: Sequence[Key], value: int, given: Mapping[Key, Headline]) -> None:
        row: dict[int, float] = {}
        known = sum(self._term(name, key, given, row, 1.0) for key in which)
        self.rows.append(row)
        self.sums.append(value - known)

    def _term(
        self, name: str, key: Key, given: Mapping[Key, Headline], row: dict[int, float], sign: float
    ) -> float:
        if key in given:
            return sign * given[key].value
        place = self.place(name, key)
        row[place] = row.get(place, 0.0) + sign
        return 0.0

    def place(self, name: str, key: Key) -> int:
        earlier = self.same.get((name, key), name)
        return self.unknown.setdefault((earlier, key), len(self.unknown))

    def bounds(self, name: str, key: Key) -> tuple[float, float]:
        place = self.place(name, key)
        many = len(self.unknown)
        matrix = np.zeros((len(self.rows), many))
        for number, row in enumerate(self.rows):
            for column, sign in row.items():
                matrix[number, column] = sign
        found = []
        for sign in (1, -1):
            goal = np.zeros(many)
            goal[place] = sign
            solved = linprog(goal, A_eq=matrix, b_eq=self.sums, bounds=(0, None), method="highs")
            assert solved.status in (0, 3), solved.message
            found.append(sign * solved.fun if solved.status == 0 else float("inf"))
        return found[0], found[1]


def refute(attack: Attack, name: str, found: Sequence[Headline], kept_back: set[Key]) -> None:
    """Every small count may be anything from none to more than small."""
    values = disclosure._values(found)
    for table in disclosure.tables(found):
        for key, value in table.parts.items():
            if value in SMALL and (attack.same.get((name, key), name), key) in attack.unknown:
                low, high = attack.bounds(name, key)
                assert low < min(SMALL) + 1e-6, key
                assert high > max(SMALL) - 1e-6, key
    assert not [
        one
        for one, seen in disclosure.published(found, kept_back)
        if seen
        and values[one.measure, one.category] in SMALL
        and one.category not in ("median days", "mean days")
    ]


@st.composite
def months(draw: st.DrawFn) -> dict[Cell, int]:
    """Counts of any size, as small as they come, that sum as those of a return do."""
    people = draw(st.sampled_from([3, 5, 9, 14, 40, 321]))
    cells = {Cell("M1"): people}
    for breakdown, names in {
        "sex": ("male", "female", "not recorded"),
        "age_band": ("under 18", "18-25", "26+", "not recorded"),
        "ethnicity": ("W1", "B1", "NS", "not recorded"),
        "position": ("custody remand", "custody sentenced", "in cjs", "supervised", "other or not known"),
        "ocu": ("D1", "D2", "D3", "E1"),
    }.items():
        cells |= _split(draw, "M1", breakdown, people, names)
    remand, sentenced, cjs, supervised, other = (
        cells[Cell("M1", "position", name)]
        for name in ("custody remand", "custody sentenced", "in cjs", "supervised", "other or not known")
    )
    cells |= totals(M10=remand + sentenced, M11=cjs, M12=supervised, M13=0, M14=other)
    cells |= parts("M10", "position", custody_remand=remand, custody_sentenced=sentenced)
    removed, added, tested = (draw(st.integers(0, limit)) for limit in (min(people, 21), min(people, 9), 40))
    ppos = draw(st.integers(0, tested))
    positive = draw(st.integers(0, ppos))
    cells |= totals(M5=removed, M6=added, M7=tested, M8=ppos, M9=positive)
    cells |= _split(draw, "M5", "reason", removed, ("moved away", "deceased", "long custody"))
    cells |= _split(draw, "M9", "drug_class", positive, ("heroin", "cocaine"))
    need = draw(st.integers(0, people))
    cells |= totals(M17=need) | _split(draw, "M17", "treatment", need, ("in treatment", "not in treatment"))
    if draw(st.booleans()):
        cells[Cell("M1", "drug_need", "need identified")] = need
        cells |= _split(draw, "M1", "drug_need", people - need, ("no need", "not recorded"))
    due = draw(st.integers(0, 30))
    cells |= totals(M18=due) | _split(draw, "M18", "attendance", due, ATTENDANCE)
    told = draw(st.integers(0, 30))
    limits = [f"{limit}, {outcome}" for limit in definitions.LIMITS[:2] for outcome in definitions.OUTCOMES]
    sentences = draw(st.integers(0, 30))
    cells |= totals(M16=sentences) | _split(draw, "M16", "days", sentences, ("20", "137", "not recorded"))
    return cells | totals(M19=told) | _split(draw, "M19", "limit", told, limits)


def _split(
    draw: st.DrawFn, measure: str, breakdown: str, whole: int, names: Sequence[str]
) -> dict[Cell, int]:
    marks = sorted(draw(st.lists(st.integers(0, whole), min_size=len(names) - 1, max_size=len(names) - 1)))
    values = np.diff([0, *marks, whole])
    return {Cell(measure, breakdown, name): int(value) for name, value in zip(names, values, strict=True)}


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(months())
def test_no_small_count_of_a_month_is_worked_out_of_what_is_published(counts: dict[Cell, int]) -> None:
    found = headlines(counts, PLANNED)
    kept_back = disclosure.hidden(found)
    attack = Attack()
    attack.learn("december", found, kept_back)

    refute(attack, "december", found, kept_back)


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(months(), months(), st.data())
def test_nor_with_its_revisions_and_the_month_before(
    november: dict[Cell, int], december: dict[Cell, int], data: st.DataObject
) -> None:
    later = data.draw(months().map(lambda other: _partly(december, other)) | _moved(december))
    attack = Attack()
    for name, counts in (("november", november), ("december", december)):
        found = headlines(counts, PLANNED)
        first = disclosure.hidden(found)
        shown = attack.learn(name, found, first)
    revised = headlines(later, PLANNED)
    # Of another total than it was, such a count says nothing of the new one.
    told = {
        key: one if one in revised else one._replace(base=0)
        for key, one in shown.items()
        if keys(revised).get(key) == one.value
    }
    second = disclosure.hidden(revised, before=Shown(found, first))
    was, now = disclosure._values(found), disclosure._values(revised)
    unchanged = {key: "december" for key, value in now.items() if was.get(key) == value}
    attack.learn("revised", revised, second, told, unchanged)

    assert not first & {
        (one.measure, one.category) for one, seen in disclosure.published(revised, second) if seen
    }
    refute(attack, "december", headlines(december, PLANNED), first)
    refute(attack, "revised", revised, second)


def _partly(counts: dict[Cell, int], other: dict[Cell, int]) -> dict[Cell, int]:
    """A revision: the tests, the removals and the deliveries are others, the people as they were."""
    changed = ("M5", "M7", "M8", "M9", "M16", "M19")
    cells = {cell: value for cell, value in counts.items() if cell.measure not in changed}
    people = counts[Cell("M1")]
    if other[Cell("M5")] > people:
        return counts
    return cells | {cell: value for cell, value in other.items() if cell.measure in changed}


@st.composite
def _moved(draw: st.DrawFn, counts: dict[Cell, int]) -> dict[Cell, int]:
    """A revision in which one part is other than it was, and its total with it."""
    measure, breakdown = draw(st.sampled_from([("M5", "reason"), ("M19", "limit"), ("M17", "treatment")]))
    part = draw(st.sampled_from([cell for cell in counts if cell[:2] == (measure, breakdown)]))
    value = draw(st.integers(0, 9))
    total = counts[Cell(measure)] + value - counts[part]
    people = counts[Cell("M1")]
    moved = counts | {part: value, Cell(measure): total}
    if measure == "M17" and Cell("M1", "drug_need", "need identified") in counts:
        none = counts[Cell("M1", "drug_need", "no need")]
        moved |= parts("M1", "drug_need", need_identified=total, not_recorded=people - total - none)
    return moved if min(moved.values()) >= 0 and (total <= people or measure == "M19") else counts


def test_what_is_as_it_was_does_not_give_away_what_is_not() -> None:
    """6 moved away or died, as before: less those, 9 are the 3 who are no longer a threat."""
    first = headlines(december(), PLANNED)
    now = headlines(december() | totals(M5=9) | parts("M5", "reason", no_longer_a_threat=3), PLANNED)
    before = disclosure.hidden(first)

    kept_back = disclosure.hidden(now, before=Shown(first, before))

    assert not before & {("M5", ""), ("M5", "no longer a threat")}
    assert kept_back >= {("M5", ""), ("M5", "no longer a threat")}


def test_the_pair_13_tested_and_9_positive_would_give_4_away_and_is_not_shown() -> None:
    found = headlines(december(), PLANNED)
    shown = {
        (one.measure, one.category): seen
        for one, seen in disclosure.published(found, disclosure.hidden(found))
    }

    assert not shown["M8", ""]
    assert not shown["M9", ""]
    assert shown["M7", ""]
    assert shown["M1", ""]


def test_a_second_part_is_hidden_where_the_total_would_give_the_first_away() -> None:
    counts = december() | parts("M1", "sex", male=318, female=3)
    kept_back = disclosure.hidden(headlines(counts, PLANNED))

    assert {("M2", "female"), ("M2", "male")} <= kept_back


def test_a_small_total_hides_its_parts() -> None:
    counts = december() | totals(M5=3) | parts("M5", "reason", moved_away=3, no_longer_a_threat=0, deceased=0)
    kept_back = disclosure.hidden(headlines(counts, PLANNED))

    assert {("M5", ""), ("M5", "moved away"), ("M5", "deceased")} <= kept_back


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    counts = {cell: value * 10 for cell, value in december().items()}

    assert not disclosure.hidden(headlines(counts, PLANNED))


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        ({"137": 6, "not recorded": 0}, True),
        ({"137": 5, "not recorded": 5}, True),
        ({"137": 1, "not recorded": 5}, False),
        ({"137": 1, "other or not known": 5}, False),
        ({"20": 3, "137": 1, "not recorded": 40}, False),
        ({"137": 5, "not recorded": 1}, False),
        ({"not recorded": 6}, None),
    ],
)
def test_days_of_few_sentences_are_not_told_as_those_of_all(days: dict[str, int], shown: bool | None) -> None:
    counts = december() | totals(M16=sum(days.values()))
    counts |= {Cell("M16", "days", day): times for day, times in days.items()}
    found = headlines(counts, PLANNED)

    listed = {
        one.category: seen
        for one, seen in disclosure.published(found, disclosure.hidden(found))
        if one.measure == "M16"
    }

    assert listed[""]
    assert (listed.get("median days"), listed.get("mean days")) == (shown, shown)


def appointments(
    kept: int, acceptable: int, unacceptable: int, **crossed: tuple[int, int]
) -> dict[Cell, int]:
    """`crossed`: of an OCU or agency how many were kept and how many not."""
    values = (kept, acceptable, unacceptable)
    cells = totals(M18=sum(values)) | {
        Cell("M18", "attendance", outcome): value for outcome, value in zip(ATTENDANCE, values, strict=True)
    }
    for place, (there, away) in crossed.items():
        breakdown = "ocu_attendance" if place.startswith("D") else "agency_attendance"
        cells[Cell("M18", breakdown, f"{place}: attended")] = there
        cells[Cell("M18", breakdown, f"{place}: unacceptable absence")] = away
    return december() | cells


@pytest.mark.parametrize(
    ("counts", "small"),
    [
        (appointments(30, 3, 10, D1=(6, 4), D2=(24, 6)), "acceptable absence"),
        (appointments(30, 0, 12, D1=(2, 6), D2=(28, 6)), "D1, attended"),
        (appointments(30, 6, 7, probation=(30, 2)), "probation, away"),
    ],
)
def test_a_part_of_one_breakdown_does_not_hide_a_part_of_another(counts: dict[Cell, int], small: str) -> None:
    found = headlines(counts, PLANNED)
    shown = disclosure.published(found, disclosure.hidden(found))
    given = {(one.measure, one.category): one for one, seen in shown if seen}
    given |= {
        ("M18", category.removesuffix(", attended")): Headline("M18", category, one.base)
        for (_, category), one in given.items()
        if category.endswith(", attended")
    }
    attack = Attack()
    for total, among in (
        ("due", ATTENDANCE),
        ("attended", ("D1, attended", "D2, attended")),
        ("probation", ("probation, attended", "probation, away")),
    ):
        parts_of = {("M18", one): 0 for one in among}
        attack._sum("december", Table(("M18", total), parts_of), given)

    low, high = attack.bounds("december", ("M18", small))

    assert low < min(SMALL)
    assert high > max(SMALL)


def test_what_is_counted_by_two_things_is_not_published() -> None:
    counts = appointments(50, 20, 30, D1=(40, 10), D2=(10, 40), probation=(50, 50)) | totals(M19=50)
    for breakdown, place in (("limit", ""), ("prison_limit", "BMI: "), ("ocu_limit", "D1: ")):
        for outcome, value in (("in time", 30), ("late", 20)):
            counts[Cell("M19", breakdown, f"{place}housing within 48 hours, {outcome}")] = value
    found = headlines(counts, PLANNED)

    listed = {
        (one.measure, one.category): seen
        for one, seen in disclosure.published(found, disclosure.hidden(found))
        if one.measure in ("M18", "M19")
    }

    assert listed == {
        **{("M18", category): True for category in ("due", *ATTENDANCE)},
        ("M19", ""): True,
        ("M19", "housing within 48 hours, in time"): True,
        ("M19", "housing within 48 hours, not recorded"): True,
    }


def test_a_need_is_hidden_where_it_is_small_and_its_treatment_is_not_told() -> None:
    found = headlines(december() | totals(M17=3), PLANNED)

    assert ("M17", "need identified") in disclosure.hidden(found)


def test_the_rest_of_a_time_limit_does_not_give_late_ones_away() -> None:
    limit = definitions.LIMITS[1]
    outcomes = {f"{limit}, in time": 20, f"{limit}, late": 3, f"{limit}, not recorded": 10}
    told = totals(M1=321, M19=40) | _told(outcomes | {f"{definitions.LIMITS[0]}, in time": 7})

    found = headlines(told, PLANNED)

    assert disclosure.hidden(found) >= {("M19", f"{limit}, in time"), ("M19", f"{limit}, not recorded")}


@pytest.mark.parametrize("secondary", [False, True])
def test_the_attack_finds_what_is_hidden_alone(secondary: bool) -> None:
    found = headlines(december() | parts("M1", "sex", male=318, female=3), PLANNED)
    kept_back = disclosure.hidden(found) if secondary else {("M2", "female")}
    attack = Attack()
    attack.learn("december", found, kept_back)

    low, high = attack.bounds("december", ("M2", "female"))

    assert (low, high) == ((0, 321) if secondary else (3, 3))


def test_a_line_that_a_revision_leaves_out_gives_no_other_away() -> None:
    late = {f"{definitions.LIMITS[1]}, late": 2, f"{definitions.LIMITS[1]}, in time": 8}
    first = totals(M1=40, M19=11) | _told(late | {f"{definitions.LIMITS[0]}, in time": 1})
    revised = totals(M1=40, M19=10) | _told(late)
    was, now = (headlines(counts, PLANNED) for counts in (first, revised))

    kept_back = disclosure.hidden(now, before=Shown(was, disclosure.hidden(was)))

    assert ("M19", "") in kept_back


def _told(limits: Mapping[str, int]) -> dict[Cell, int]:
    return {Cell("M19", "limit", limit): many for limit, many in limits.items()}
