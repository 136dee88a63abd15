"""What a return counts: every measure with its title and definition, and the parts of every breakdown."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from ppo.returns.v1 import returns_pb2 as pb
from services.runtime.errors import Invalid

TOTAL = "total"
NOT_RECORDED = "not recorded"
OTHER = "other or not known"
# Parts of any breakdown: what is not known is counted too.
ANYWHERE = (NOT_RECORDED, OTHER)

# Sanity, not a limit of the programme: more than any area has people, and a share of it fits its field.
LARGEST = 10_000_000


class Cell(NamedTuple):
    measure: str
    breakdown: str = TOTAL
    category: str = ""

    def __str__(self) -> str:
        if self.breakdown == TOTAL:
            return self.measure
        return f"{self.measure} by {self.breakdown}, {self.category}"


Counts = Mapping[Cell, int]


class Kind(StrEnum):
    # How many there are at an instant.
    STOCK = "stock"
    # How many there were in the month.
    FLOW = "flow"


class Measure(NamedTuple):
    title: str
    definition: str
    unit: str = "persons"
    kind: Kind = Kind.FLOW


ADDED, REMOVED, MOVED, MERGED, NEW_PERSONS = BALANCE = (
    "ADDED",
    "REMOVED",
    "MOVED",
    "MERGED",
    "NEW_PERSONS",
)
FOLLOW_UPS, RE_ENGAGED = "FOLLOW_UPS", "RE_ENGAGED"
CONVICTIONS, OFFENCES, LIBERTY_DAYS = "CONVICTIONS", "OFFENCES", "LIBERTY_DAYS"
# May be below zero.
SIGNED = frozenset({MOVED, MERGED})

MEASURES: Mapping[str, Measure] = {
    "M0": Measure(
        "PPOs at the end of the month", "Persons on the list at the month's last instant.", kind=Kind.STOCK
    ),
    ADDED: Measure("Persons added", "Persons who came onto the list in the month, each time they did."),
    REMOVED: Measure("Persons removed", "Persons who left the list in the month, each time they did."),
    MOVED: Measure("Moved between areas", "PPOs who moved into the area, less those who moved out of it."),
    MERGED: Measure(
        "Merged", "Records found to be one person count below zero, one found to be two above it."
    ),
    NEW_PERSONS: Measure(
        "New persons", "Persons added who were not on the list at the end of the month before."
    ),
    "M1": Measure(
        "PPOs in the scheme",
        "Distinct persons on the list at any instant of the month. Stage, age and OCU are those of the "
        "month's last instant, or of the removal for those who were removed.",
    ),
    "M2": Measure("Sex", "Share of M1."),
    "M3": Measure("Age", "Share of M1, by age as of M1."),
    "M4": Measure(
        "Ethnicity",
        "Share of M1: the codes of self-definition as White and non-White. Not stated was asked and not "
        "answered; not recorded was not asked. Shares of those recorded leave out the latter alone.",
    ),
    "M5": Measure("Removed in the month", "Registrations ended.", "registrations"),
    "M6": Measure("Added in the month", "Registrations opened.", "registrations"),
    "M7": Measure(
        "DIP drug tests in the area",
        "Detentions with a DIP drug test, of anybody, by the suite's OCU: those of PPOs in the month of the "
        "test, others in the month of the disposal; each once, also where it was found later whose it was.",
        "detentions",
    ),
    "M8": Measure("PPOs among those tested", "Share of M7, of all tests, not of all PPOs.", "detentions"),
    "M9": Measure("PPOs who tested positive", "Share of M8, for a Class A drug.", "detentions"),
    "M10": Measure("In custody", "Share of M1: on remand or serving a sentence.", kind=Kind.STOCK),
    "M11": Measure(
        "Going through the criminal justice system",
        "Share of M1: arrested, charged or on bail.",
        kind=Kind.STOCK,
    ),
    "M12": Measure(
        "Under active supervision", "Share of M1: in the community on licence or an order.", kind=Kind.STOCK
    ),
    "M13": Measure("At liberty", "Share of M1: with proactive police targeting.", kind=Kind.STOCK),
    "M14": Measure("Other or not known", "Share of M1: what none of M10 to M13 is.", kind=Kind.STOCK),
    "M15": Measure(
        "Size against the plan", "M1 against the number planned for each OCU, which is a guide and no limit."
    ),
    "M16": Measure(
        "Days from offence to sentence",
        "Sentences in the month of persons of M1, by the days from the offence: the median and mean of "
        "those recorded.",
        "sentences",
    ),
    "M17": Measure(
        "Drug need and treatment",
        "Persons of M1 with a drug need identified, and those of them who are in treatment; of whom neither "
        "a need nor that there is none was said, it is not recorded.",
        kind=Kind.STOCK,
    ),
    "M18": Measure(
        "Attendance", "Appointments of persons of M1 that were due in the month, and kept.", "appointments"
    ),
    FOLLOW_UPS: Measure("Follow-ups", "Absences of persons of M1 that were followed up.", "follow-ups"),
    RE_ENGAGED: Measure("Re-engaged", "Persons of M1, each time they came again after an absence.", "times"),
    "M19": Measure(
        "Delivery in time",
        "Notices about persons of M1 that were to be acknowledged in the month, and those that were in "
        "time: each once for each organisation, retracted ones not. Late are those acknowledged later; not "
        "recorded those that nobody had acknowledged at the cut-off, whatever was done. Of a release in the "
        "month, by its last date, whether it was told 3 months before, however late the date was known.",
        "notices",
    ),
    "M20": Measure("Ethnicity recorded", "Share of M1: all but those not recorded."),
    "M21": Measure(
        "Convictions before and after",
        "Persons of M1, by whether 17 months have passed since they first came onto the list; for those for "
        "whom they ended in this month the convictions of the 17 months before and after.",
    ),
    CONVICTIONS: Measure("Convictions", "Of those followed up, 17 months before and after.", "sentences"),
    "M22": Measure(
        "Offending before and after",
        "As M21 over 12 months: the offences of those followed up, by PPOs and by days at liberty.",
    ),
    OFFENCES: Measure("Offences", "Of those followed up, 12 months before and after.", "offences"),
    LIBERTY_DAYS: Measure(
        "Days at liberty", "Of those followed up, 12 months before and after: not in prison.", "days"
    ),
    "M23": Measure(
        "Days from offence to sentence before and after",
        "Sentences of those followed up, 12 months before and after, by the days from the offence.",
        "sentences",
    ),
    "M24": Measure(
        "Prevent and Deter cases",
        "Young people in the area's scheme at any instant of the month, by youth offending team.",
    ),
}
# By which the suite counts nothing yet where nothing is recorded: an area may give its own figures.
LOCAL = ("M16", "M17", "M18", FOLLOW_UPS, RE_ENGAGED, "M19", CONVICTIONS, OFFENCES, LIBERTY_DAYS, "M23")

LIMITS = (
    "drug worker within 7 days",
    "reception within 1 working day",
    "housing within 48 hours",
    "release told 3 months before",
)
IN_TIME, LATE = "in time", "late"
OUTCOMES = (IN_TIME, LATE, NOT_RECORDED)
NEED = "need identified"

# None: named by reference data, or as somebody wrote it.
BREAKDOWNS: Mapping[str, tuple[str, ...] | None] = {
    "ocu": None,
    "sex": ("male", "female", "not specified"),
    "age_band": ("under 18", "18-25", "26+"),
    "ethnicity": (
        *("W1", "W2", "W9", "M1", "M2", "M3", "M9", "A1", "A2", "A3", "A9", "B1", "B2", "B9", "O1", "O9"),
        "NS",
    ),
    "reason": ("no longer a threat", "moved away", "long custody", "deceased"),
    "position": ("custody remand", "custody sentenced", "in cjs", "supervised", "at liberty targeted"),
    "drug_class": ("heroin", "cocaine", "heroin and cocaine"),
    "drug_need": (NEED, "no need"),
    "treatment": ("in treatment", "not in treatment"),
    "attendance": ("attended", "acceptable absence", "unacceptable absence"),
    "limit": tuple(f"{limit}, {outcome}" for limit in LIMITS for outcome in OUTCOMES),
    "follow_up": ("followed up", "followed up before", "not yet followed up"),
    "window": ("before", "after"),
    "team": None,
    "agency": None,
    "court": None,
    "days": None,
    "window_days": None,
    "ocu_days": None,
    "court_days": None,
    "ocu_treatment": None,
    "ocu_attendance": None,
    "agency_attendance": None,
    "ocu_limit": None,
    "prison_limit": None,
}
# By two things, the first of them one place or agency; between them in a category stands BETWEEN.
CROSSED: Mapping[str, str] = {
    "ocu_days": "days",
    "court_days": "days",
    "ocu_treatment": "treatment",
    "ocu_attendance": "attendance",
    "agency_attendance": "attendance",
    "ocu_limit": "limit",
    "prison_limit": "limit",
}
BETWEEN = ": "
# Nobody else has the same.
OF_AN_AREA = ("ocu", "team", "agency", "court", *CROSSED)
# Days between two dates, which are not many thousands.
DAYS = {"days": re.compile(r"\d{1,5}"), "window_days": re.compile(r"(before|after) \d{1,5}")}
# With two things in it.
LONGEST_NAME = 150

# Which positions each stage of the return is made of.
STAGES: Mapping[str, tuple[str, ...]] = {
    "M10": ("custody remand", "custody sentenced"),
    "M11": ("in cjs",),
    "M12": ("supervised",),
    "M13": ("at liberty targeted",),
    "M14": ANYWHERE,
}

# Without these a return says too little; what else is given must balance too.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "M0": (),
    **dict.fromkeys(BALANCE, ()),
    "M1": ("ocu", "sex", "age_band", "ethnicity"),
    **dict.fromkeys(("M5", "M6", "M7", "M8", "M9", *STAGES), ()),
}


# The same few are sent by every area, month after month.
@lru_cache(20_000)
def cell(measure: str, breakdown: str, category: str) -> Cell:
    """Raises Invalid for what no return holds."""
    if measure not in MEASURES:
        raise Invalid("count.measure", f"{measure!r} is no measure of a return")
    if breakdown != TOTAL and breakdown not in BREAKDOWNS:
        raise Invalid("count.breakdown", f"{breakdown!r} is no breakdown of a return")
    if (breakdown == TOTAL) != (not category):
        raise Invalid("count.category", "is given with a breakdown, and with nothing else")
    _refuse_unknown(breakdown, category)
    if len(category) > LONGEST_NAME or not category.isprintable():
        raise Invalid("count.category", f"is not at most {LONGEST_NAME} characters that can be printed")
    return Cell(measure, breakdown, category)


def _refuse_unknown(breakdown: str, category: str) -> None:
    if breakdown in CROSSED:
        _, between, other = category.rpartition(BETWEEN)
        if not between:
            raise Invalid("count.category", f"{category!r} is no part of a breakdown by two things")
        _refuse_unknown(CROSSED[breakdown], other)
    parts = BREAKDOWNS.get(breakdown)
    if category and parts is not None and category not in parts + ANYWHERE:
        raise Invalid("count.category", f"{category!r} is no part of the breakdown by {breakdown}")
    pattern = DAYS.get(breakdown)
    # Of sentences before and after it would not be known which of the two they are.
    unknown = ANYWHERE if breakdown == "days" else ()
    if pattern and not pattern.fullmatch(category) and category not in unknown:
        raise Invalid("count.category", f"{category!r} is no number of days")


def count(cell: Cell, value: int) -> pb.Count:
    return pb.Count(**cell._asdict(), value=value)


def parts(counts: Counts, measure: str, breakdown: str) -> dict[str, int]:
    """In the order of the definition; OCUs in that of their ids, days as numbers."""
    order = {part: place for place, part in enumerate(BREAKDOWNS[breakdown] or ())}
    last = {part: place for place, part in enumerate(ANYWHERE)}
    found = {cell.category: value for cell, value in counts.items() if cell[:2] == (measure, breakdown)}
    return {
        part: found[part]
        for part in sorted(
            found, key=lambda part: (last.get(part, -1), order.get(part, -1), _number(part), part)
        )
    }


def _number(part: str) -> int:
    return int(part) if part.isdigit() else -1
