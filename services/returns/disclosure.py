"""What may be published of a month: no count of 1 to 4, and nothing from which one could be worked out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from services.returns.definitions import (
    ANYWHERE,
    BREAKDOWNS,
    IN_TIME,
    LATE,
    LIMITS,
    NEED,
    NOT_RECORDED,
    OUTCOMES,
)
from services.returns.measures import NON_WHITE, RECORDED, WHITE, Headline

# Measure and category, as in the headlines; `REST` is what is left of a total besides its parts.
Key: TypeAlias = tuple[str, str]
Values: TypeAlias = Mapping[Key, int]

SMALL = range(1, 5)
# So many at least are the hidden parts of a table together: each may be none, small, or more than small.
ENOUGH = SMALL.stop
REST = "rest"
NO_KEYS: frozenset[Key] = frozenset()

PEOPLE, TESTED, DUE, NOTICES = ("M1", ""), ("M7", ""), ("M18", "due"), ("M19", "")
SENTENCES = ("M16", "")
# Shown by themselves.
TOTALS: Sequence[Key] = (
    *(PEOPLE, TESTED, DUE, NOTICES, SENTENCES),
    *((measure, "") for measure in ("FOLLOW_UPS", "RE_ENGAGED", "M24")),
)
STAGES = tuple((f"M{number}", "") for number in range(10, 15))
TREATED = tuple(("M17", part) for part in (*(BREAKDOWNS["treatment"] or ()), *ANYWHERE))
NO_NEED = tuple(("M17", part) for part in ("no need", *(f"need {part}" for part in ANYWHERE)))
# Neither by OCU, agency nor prison: such breakdowns overlap, and what one hides another would give away.
ATTENDANCE = tuple(("M18", outcome) for outcome in (*(BREAKDOWNS["attendance"] or ()), *ANYWHERE))
# How many sentences its days are of is told by no line, but the days of few are not shown.
DAYS = tuple(("M16", f"days {part}") for part in ANYWHERE)
MANY: Key = ("M16 rest", REST)
DELIVERY = tuple(("M19", part) for part in BREAKDOWNS["limit"] or ())
# Shown only where all of these are, as they could be worked out of it or of what it is a share of.
SHOWN_WITH: Mapping[Key, tuple[Key, ...]] = {
    **dict.fromkeys((("M8", ""), ("M9", "")), (("M9", ""), ("M8", REST))),
    **dict.fromkeys((("M17", NEED), *TREATED), TREATED),
    **{
        ("M19", f"{limit}, {outcome}"): tuple(("M19", f"{limit}, {one}") for one in OUTCOMES)
        for limit in LIMITS
        for outcome in OUTCOMES
    },
    ("M20", ""): (PEOPLE, ("M4", NOT_RECORDED)),
    ("M4", WHITE + RECORDED): (("M4", WHITE), ("M4", NOT_RECORDED)),
    ("M4", NON_WHITE + RECORDED): (("M4", NON_WHITE), ("M4", NOT_RECORDED)),
    **dict.fromkeys((("M16", "median days"), ("M16", "mean days")), (SENTENCES, *DAYS, MANY)),
    ("M15", ""): (PEOPLE,),
}


class Table(NamedTuple):
    """A total and parts that sum to it."""

    total: Key
    parts: Values


class Shown(NamedTuple):
    """An earlier publication of the same month: what it was made of, and what of that it did not show."""

    headlines: Sequence[Headline] = ()
    hidden: Collection[Key] = NO_KEYS


NOT_SHOWN = Shown()


def tables(headlines: Iterable[Headline]) -> list[Table]:
    """Every sum among what is published; a table whose total is a part of another stands after that one."""
    values = _values(headlines)
    found = [
        Table(PEOPLE, _of(values, "M2")),
        Table(PEOPLE, _of(values, "M3")),
        Table(PEOPLE, {key: value for key, value in _of(values, "M4").items() if RECORDED not in key[1]}),
        Table(PEOPLE, _of(values, "M15")),
        Table(PEOPLE, {stage: values.get(stage, 0) for stage in STAGES}),
        *(Table(stage, _of(values, stage[0])) for stage in STAGES),
        _with_rest(values, PEOPLE, ("M5", "")),
        Table(("M5", ""), _of(values, "M5")),
        _with_rest(values, PEOPLE, ("M6", "")),
        _needs(values),
        _with_rest(values, TESTED, ("M9", ""), ("M8", REST)),
        Table(("M9", ""), _of(values, "M9")),
        *_days(values),
        Table(DUE, {key: values[key] for key in ATTENDANCE if key in values}),
        Table(NOTICES, {key: values[key] for key in DELIVERY if key in values}),
        Table(("M24", ""), _of(values, "M24")),
    ]
    return [table for table in found if table.parts]


def hidden(
    headlines: Sequence[Headline], *, before: Shown = NOT_SHOWN, small: Collection[Key] = NO_KEYS
) -> set[Key]:
    """What must not be shown of a month; `small`: what is to be hidden besides.

    What an earlier publication did not show is not shown now either. Whoever has both may take it that what
    is as it was has not changed.
    """
    listed = {(one.measure, one.category) for one in headlines}
    # A line that is left out says that there are none of it any more.
    gone = [one for one in before.headlines if (one.measure, one.category) not in listed]
    headlines = [*headlines, *(one._replace(value=0, base=0) for one in gone)]
    values, was = _values(headlines), _values(before.headlines)
    same = {key for key, value in values.items() if was.get(key) == value}
    found = {key for key in TOTALS if values.get(key, 0) in SMALL} | {*before.hidden, *small}
    known = -1
    while len(found) > known:
        known = len(found)
        for table in tables(headlines):
            found |= _hidden(table, found, same, same - set(before.hidden))
    return found | {key for key, others in SHOWN_WITH.items() if any(other in found for other in others)}


def published(headlines: Sequence[Headline], kept_back: Collection[Key]) -> list[tuple[Headline, bool]]:
    """What a publication lists, each with whether its value is shown."""
    known = {key for table in tables(headlines) for key in table.parts} | {*TOTALS, *SHOWN_WITH, ("M5", "")}
    return [
        (one, (one.measure, one.category) not in kept_back)
        for one in headlines
        if (one.measure, one.category) in known
    ]


def _hidden(table: Table, already: Collection[Key], same: Collection[Key], told: Collection[Key]) -> set[Key]:
    """The small ones, and as many others that nobody can say which of them is how many; else all of it."""
    parts = table.parts
    if table.total in already:
        return set(parts)
    found = {key for key, value in parts.items() if value in SMALL or key in already}
    others = sorted(parts.keys() - found, key=lambda key: (key in same, parts[key] == 0, parts[key], key))
    while not (_open(parts, found - set(told)) and _open(parts, found - set(same))):
        if not others:
            return {*found, table.total}
        found.add(others.pop(0))
    return found


def _open(parts: Values, found: Collection[Key]) -> bool:
    """Whether of these, whose sum is known, each may be none, small, or more."""
    return not found or (len(found) > 1 and sum(parts[part] for part in found) >= ENOUGH)


def _values(headlines: Iterable[Headline]) -> dict[Key, int]:
    values = {(one.measure, one.category): one.value for one in headlines}
    values["M8", REST] = values.get(("M8", ""), 0) - values.get(("M9", ""), 0)
    for one in headlines:
        limit, _, outcome = one.category.rpartition(", ")
        if one.measure == "M19" and outcome == IN_TIME:
            other = values.get(("M19", f"{limit}, {NOT_RECORDED}"), 0)
            values["M19", f"{limit}, {LATE}"] = one.base - one.value - other
    return values


def _needs(values: Values) -> Table:
    """Of whom it is not said whether they have a need is the rest, where it is not listed."""
    given = [key for key in TREATED if key in values] or [key for key in (("M17", NEED),) if key in values]
    others = {key: values[key] for key in NO_NEED if key in values}
    if others or not given:
        return Table(PEOPLE, {key: values[key] for key in given} | others)
    return _with_rest(values, PEOPLE, *given)


def _days(values: Values) -> list[Table]:
    """The sentences whose days are known, and those whose days are not, where the days are given."""
    untold = [key for key in DAYS if key in values]
    return [_with_rest(values, SENTENCES, *untold)] if untold else []


def _of(values: Values, measure: str) -> dict[Key, int]:
    return {key: value for key, value in values.items() if key[0] == measure and key[1] not in ("", REST)}


def _with_rest(values: Values, total: Key, *parts: Key) -> Table:
    shown = {part: values.get(part, 0) for part in parts}
    return Table(total, shown | {(f"{parts[0][0]} {REST}", REST): values.get(total, 0) - sum(shown.values())})
