"""What a return counts: every measure with its title and definition, and the parts of every breakdown."""

from collections.abc import Mapping
from typing import NamedTuple

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


class Measure(NamedTuple):
    title: str
    definition: str


ADDED, REMOVED, MOVED, MERGED, NEW_PERSONS = BALANCE = (
    "ADDED",
    "REMOVED",
    "MOVED",
    "MERGED",
    "NEW_PERSONS",
)
# May be below zero.
SIGNED = frozenset({MOVED, MERGED})

MEASURES: Mapping[str, Measure] = {
    "M0": Measure("PPOs at the end of the month", "Persons on the list at the month's last instant."),
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
        "Share of M1: the 16+1 codes as White and non-White. Not stated was asked and not answered; not "
        "recorded was not asked. Shares of those recorded leave out the latter alone.",
    ),
    "M5": Measure("Removed in the month", "Registrations ended."),
    "M6": Measure("Added in the month", "Registrations opened."),
    "M7": Measure(
        "DIP drug tests in the area", "Detentions with a DIP drug test, of anybody, by the suite's OCU."
    ),
    "M8": Measure("PPOs among those tested", "Share of M7, of all tests, not of all PPOs."),
    "M9": Measure("PPOs who tested positive", "Share of M8, for a Class A drug."),
    "M10": Measure("In custody", "Share of M1: on remand or serving a sentence."),
    "M11": Measure("Going through the criminal justice system", "Share of M1: arrested, charged or on bail."),
    "M12": Measure("Under active supervision", "Share of M1: in the community on licence or an order."),
    "M13": Measure("At liberty", "Share of M1: with proactive police targeting."),
    "M14": Measure("Other or not known", "Share of M1: what none of M10 to M13 is."),
    "M15": Measure(
        "Size against the plan", "M1 against the number planned for each OCU, which is a guide and no limit."
    ),
    "M16": Measure("Days from offence to sentence", "From the day of the offence to that of the sentence."),
    "M17": Measure("Drug need and treatment", "In treatment, of those with a need identified."),
    "M18": Measure("Attendance", "Attended, of what was due."),
    "M19": Measure("Delivery in time", "Notices delivered within their limits."),
    "M20": Measure("Ethnicity recorded", "Share of M1: all but those not recorded."),
    "M21": Measure("Convictions before and after", "17 months before and after entry."),
    "M22": Measure("Offending before and after", "For each PPO and day at liberty, 12 months."),
    "M23": Measure("Days from offence to sentence before and after", "12 months."),
    "M24": Measure("Prevent and Deter cases", "Young people in the area's scheme."),
}

# None: the OCUs of the area, which reference data names.
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
}

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


def cell(measure: str, breakdown: str, category: str) -> Cell:
    """Raises Invalid for what no return holds."""
    if measure not in MEASURES:
        raise Invalid("count.measure", f"{measure!r} is no measure of a return")
    if breakdown != TOTAL and breakdown not in BREAKDOWNS:
        raise Invalid("count.breakdown", f"{breakdown!r} is no breakdown of a return")
    if (breakdown == TOTAL) != (not category):
        raise Invalid("count.category", "is given with a breakdown, and with nothing else")
    parts = BREAKDOWNS.get(breakdown)
    if category and parts is not None and category not in parts + ANYWHERE:
        raise Invalid("count.category", f"{category!r} is no part of the breakdown by {breakdown}")
    return Cell(measure, breakdown, category)


def parts(counts: Counts, measure: str, breakdown: str) -> dict[str, int]:
    """In the order of the definition; OCUs in that of their ids."""
    order = {part: place for place, part in enumerate(BREAKDOWNS[breakdown] or ())}
    last = {part: place for place, part in enumerate(ANYWHERE)}
    found = {cell.category: value for cell, value in counts.items() if cell[:2] == (measure, breakdown)}
    return {
        part: found[part]
        for part in sorted(found, key=lambda part: (last.get(part, -1), order.get(part, -1), part))
    }
