"""What a month's return counts, as the database counted it, in the words of a return."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days

TOTAL = "total"
NOT_RECORDED = "not recorded"
OTHER = "other or not known"
BALANCE = ("ADDED", "REMOVED", "MOVED", "MERGED", "NEW_PERSONS")
STAGES: Mapping[int, str] = {
    pb.POSITION_CUSTODY_REMAND: "M10",
    pb.POSITION_CUSTODY_SENTENCED: "M10",
    pb.POSITION_IN_CJS: "M11",
    pb.POSITION_SUPERVISED: "M12",
    pb.POSITION_AT_LIBERTY_TARGETED: "M13",
    pb.POSITION_OTHER_OR_NOT_KNOWN: "M14",
}
# Given in every return, none or not.
MEASURED = (
    *BALANCE,
    *("M0", "M1", "M5", "M6", "M7", "M8", "M9"),
    *dict.fromkeys(STAGES.values()),
    *("M16", "M17", "M18", "FOLLOW_UPS", "RE_ENGAGED", "M19", "M20"),
    *("M21", "CONVICTIONS", "M22", "OFFENCES", "LIBERTY_DAYS", "M23", "M24"),
)
BY_OCU = ("M0", "M1", "M5", "M6", "M7", "M8", "M9", "M16", "M17", "M20")
# Of a breakdown by two things the database counts `one: the other`.
BETWEEN = ": "
ETHNICITIES = frozenset(
    ("W1", "W2", "W9", "M1", "M2", "M3", "M9", "A1", "A2", "A3", "A9", "B1", "B2", "B9", "O1", "O9", "NS")
)
# The codes of 18+1 for what 16+1 has under another.
RECODED = {"A4": "O1", "W3": "W9", "O2": "O9"}
# The notices whose time limits are counted.
LIMITS: Mapping[int, str] = {
    pb.NOTICE_TYPE_DRUG_TEST_ROUTED: "drug worker within 7 days",
    pb.NOTICE_TYPE_PRISON_RECEPTION: "reception within 1 working day",
    pb.NOTICE_TYPE_HOUSING_FAST_TRACK: "housing within 48 hours",
    pb.NOTICE_TYPE_PRE_RELEASE_DUE: "release told 3 months before",
}
MEMBERS = "MEMBERS"
SUITES = ("suites", "suite_ocus", "suite_areas")


class Cell(NamedTuple):
    measure: str
    breakdown: str = TOTAL
    category: str = ""


class Row(NamedTuple):
    """What the database counted; the category as it is stored."""

    area: str
    measure: str
    breakdown: str
    category: str
    value: int


@dataclass(frozen=True)
class Area:
    ocus: Sequence[str]
    # Each with all OCUs that it serves, those of other areas too.
    teams: Mapping[str, Sequence[str]]
    # The suites of its OCUs, each with its OCU.
    suites: Mapping[str, str]

    @property
    def owners(self) -> list[str]:
        """Organisations whose cases are the area's."""
        return [*self.ocus, *self.teams]


class Month(NamedTuple):
    first: date

    @property
    def start(self) -> datetime:
        return days.midnight(self.first)

    @property
    def end(self) -> datetime:
        return days.midnight(days.shift(self.first, 1))

    @property
    def last(self) -> date:
        return days.shift(self.first, 1) - timedelta(days=1)


def parameters(month: Month, areas: Mapping[str, Area]) -> dict[str, Any]:
    """What the statements of the store are counted by."""
    places = [(name, ocu) for name, area in areas.items() for ocu in area.ocus]
    teams = {team: ocus for area in areas.values() for team, ocus in area.teams.items()}
    serving = [(team, ocu) for team, ocus in teams.items() for ocu in ocus]
    suites = [(suite, ocu, name) for name, area in areas.items() for suite, ocu in area.suites.items()]
    return (
        _columns(places, "areas", "ocus")
        | _columns(serving, "teams", "team_ocus")
        | _columns(suites, *SUITES)
        | {
            "owners": [owner for area in areas.values() for owner in area.owners],
            "start": month.start,
            "end": month.end,
            "first": month.first,
            "last": month.last,
            "prevent": screening_pb2.STRAND_PREVENT_AND_DETER,
            "negative": custody_pb2.TEST_RESULT_NEGATIVE,
            "positive": custody_pb2.TEST_RESULT_POSITIVE,
            "custody": [pb.POSITION_CUSTODY_REMAND, pb.POSITION_CUSTODY_SENTENCED],
            "limited": [kind for kind in LIMITS if kind != pb.NOTICE_TYPE_PRE_RELEASE_DUE],
            "ahead": pb.NOTICE_TYPE_PRE_RELEASE_DUE,
            "retracted": pb.NOTICE_STATE_RETRACTED,
            "sentenced": pb.PROGRESS_KIND_SENTENCED,
            "need_identified": pb.PROGRESS_KIND_DRUG_NEED_IDENTIFIED,
            "no_need": pb.PROGRESS_KIND_NO_DRUG_NEED,
            "treated": pb.PROGRESS_KIND_TREATMENT_STARTED,
            "treatment_ended": pb.PROGRESS_KIND_TREATMENT_ENDED,
            "due": [
                pb.PROGRESS_KIND_ATTENDED,
                pb.PROGRESS_KIND_ACCEPTABLE_ABSENCE,
                pb.PROGRESS_KIND_UNACCEPTABLE_ABSENCE,
            ],
            "followed_up": pb.PROGRESS_KIND_FOLLOWED_UP,
            "re_engaged": pb.PROGRESS_KIND_RE_ENGAGED,
        }
    )


def _columns(rows: Sequence[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def cells(rows: Iterable[Row], area: Area) -> dict[Cell, int]:
    """Every measure, and every OCU of those by OCU, counted or none."""
    found: Counter[Cell] = Counter(dict.fromkeys(map(Cell, MEASURED), 0))
    found.update({Cell(measure, "ocu", ocu): 0 for measure in BY_OCU for ocu in area.ocus})
    for row in rows:
        found[Cell(row.measure, row.breakdown, _category(row, area))] += row.value
        if row.breakdown == "position":
            _stage(found, row)
    return dict(found)


def _stage(found: Counter[Cell], row: Row) -> None:
    stage = STAGES.get(int(row.category), "M14")
    found[Cell(stage)] += row.value
    found[Cell(stage, "position", WORDS["position"](row.category))] += row.value


def _category(row: Row, area: Area) -> str:
    if row.breakdown == TOTAL:
        return ""
    if row.breakdown == "team":
        return row.category if row.category in area.teams else OTHER
    if row.breakdown in CROSSED:
        one, other = row.category.rsplit(BETWEEN, 1)
        return BETWEEN.join((one or OTHER, CROSSED[row.breakdown](other)))
    words = WORDS.get(row.breakdown)
    return words(row.category) if words else row.category


def _worded(enum: Any, prefix: str) -> Callable[[str], str]:
    """What an enum's value is called in a return; of a later contract it is known to others alone."""

    def word(number: str) -> str:
        if number == "0":
            return NOT_RECORDED
        if int(number) not in enum.values():
            return OTHER
        return str(enum.Name(int(number))).removeprefix(prefix).lower().replace("_", " ")

    return word


def _ethnicity(code: str) -> str:
    if not code:
        return NOT_RECORDED
    recoded = RECODED.get(code, code)
    return recoded if recoded in ETHNICITIES else OTHER


def _limit(counted: str) -> str:
    notice, outcome = counted.split(" ", 1)
    return f"{LIMITS[int(notice)]}, {outcome}"


WORDS: Mapping[str, Callable[[str], str]] = {
    "ocu": lambda ocu: ocu or OTHER,
    "sex": _worded(person_pb2.Sex, "SEX_"),
    "ethnicity": _ethnicity,
    # What is other or not known is a value of its own.
    "position": _worded(pb.Position, "POSITION_"),
    "reason": _worded(flagging_pb2.RemovalReason, "REMOVAL_REASON_"),
    "drug_class": _worded(custody_pb2.Drug, "DRUG_"),
    "attendance": _worded(pb.ProgressKind, "PROGRESS_KIND_"),
    "limit": _limit,
}
# What stands after the place in a breakdown by two things.
CROSSED: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("ocu_days", "court_days", "ocu_treatment"), str),
    **dict.fromkeys(("ocu_attendance", "agency_attendance"), WORDS["attendance"]),
    **dict.fromkeys(("ocu_limit", "prison_limit"), _limit),
}
