"""A month whose counts balance: December 2004 as it was published for Birmingham, the rest made up."""

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell

OCUS = ("D1", "D2", "D3", "E1", "E2", "E3", "F1", "F2", "F3")
# M0 of the month before.
NOVEMBER = 312


def parts(measure: str, breakdown: str, **values: int) -> dict[Cell, int]:
    """A category with a space or a hyphen in it has an underscore here."""
    names = {"age_band": {"_18_25": "18-25", "_26": "26+"}}.get(breakdown, {})
    return {
        Cell(measure, breakdown, names.get(name, name.replace("_", " "))): value
        for name, value in values.items()
    }


def by_ocu(measure: str, *values: int) -> dict[Cell, int]:
    return {Cell(measure, "ocu", ocu): value for ocu, value in zip(OCUS, values, strict=True)}


def totals(**values: int) -> dict[Cell, int]:
    return {Cell(measure): value for measure, value in values.items()}


def december() -> dict[Cell, int]:
    return (
        totals(M0=300, ADDED=9, REMOVED=21, MOVED=0, MERGED=0, NEW_PERSONS=9, M1=321)
        | by_ocu("M1", 36, 36, 36, 36, 36, 36, 35, 35, 35)
        | parts("M1", "sex", male=315, female=6)
        | parts("M1", "age_band", _18_25=170, _26=151)
        | parts("M1", "ethnicity", W1=158, A2=45, B1=35, not_recorded=83)
        | totals(M5=21, M6=9, M7=408, M8=13, M9=9)
        | parts("M5", "reason", no_longer_a_threat=15, moved_away=4, deceased=2)
        | by_ocu("M7", 46, 46, 46, 45, 45, 45, 45, 45, 45)
        | parts("M9", "drug_class", heroin=5, heroin_and_cocaine=4)
        | totals(M10=120, M11=40, M12=60, M13=41, M14=60)
        | parts("M10", "position", custody_remand=50, custody_sentenced=70)
    )


def after(brought_forward: int) -> dict[Cell, int]:
    """A month that follows from that M0, with the movements of december()."""
    counts, more = december(), brought_forward - NOVEMBER
    parts = [("ocu", "D1"), ("sex", "male"), ("age_band", "26+"), ("ethnicity", "W1")]
    cells = [Cell("M0"), Cell("M1"), Cell("M14"), *(Cell("M1", *part) for part in parts)]
    return counts | {cell: counts[cell] + more for cell in cells}


def messages(counts: dict[Cell, int]) -> list[pb.Count]:
    return [pb.Count(**cell._asdict(), value=value) for cell, value in counts.items()]
