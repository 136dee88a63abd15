"""What a month's return counts, each person once; every breakdown sums to its total."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from google.type.date_pb2 import Date

from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days

# Changes with the definitions of what is counted.
TOOL_VERSION = "1"

TOTAL = "total"
NOT_RECORDED = "not recorded"
OTHER = "other or not known"
BALANCE = ("ADDED", "REMOVED", "MOVED", "MERGED", "NEW_PERSONS")
MEASURED = (*BALANCE, "M0", "M1", "M5", "M6", "M7", "M8", "M9", "M24")
STAGES: Mapping[int, str] = {
    pb.POSITION_CUSTODY_REMAND: "M10",
    pb.POSITION_CUSTODY_SENTENCED: "M10",
    pb.POSITION_IN_CJS: "M11",
    pb.POSITION_SUPERVISED: "M12",
    pb.POSITION_AT_LIBERTY_TARGETED: "M13",
    pb.POSITION_OTHER_OR_NOT_KNOWN: "M14",
}
ETHNICITIES = frozenset(
    ("W1", "W2", "W9", "M1", "M2", "M3", "M9", "A1", "A2", "A3", "A9", "B1", "B2", "B9", "O1", "O9", "NS")
)
# The codes of 18+1 for what 16+1 has under another.
RECODED = {"A4": "O1", "W3": "W9", "O2": "O9"}
FIRST_ADULT, FIRST_OLDER = 18, 26


class Cell(NamedTuple):
    measure: str
    breakdown: str = TOTAL
    category: str = ""


class Other(NamedTuple):
    """Somebody who was on the list at the end of the month before and was found to be this one since."""

    strand: int
    nominating_ocu: str
    owner: str


@dataclass(frozen=True)
class Listed:
    """Somebody who was on the list in the month, or at the end of the month before."""

    person: person_pb2.Person
    strand: int
    # The month's last instant, or the last one before the removal.
    snapshot: datetime
    # At the end of the month before, and at the end of this one.
    before: bool
    at_end: bool
    added: int
    # The reason of each registration that ended in the month.
    removals: Sequence[int]
    position: int
    # Of the last registration; the owner of the case then and at the end of the month before.
    nominating_ocu: str
    owner: str
    owner_before: str
    merged: Sequence[Other] = ()
    # Was on the list at the end of the month before, then counted as one with another.
    parted: bool = False


@dataclass(frozen=True)
class DrugTest:
    """A detention with a drug test; `drug` is given with a positive one of a PPO."""

    ocu: str
    ppo: bool
    result: int
    drug: int = 0


@dataclass(frozen=True)
class Area:
    ocus: Collection[str]
    # Organisations whose cases are the area's: its OCUs and its youth offending teams.
    owners: Collection[str]

    def has(self, owner: str, nominating_ocu: str) -> bool:
        """Until somebody owns the case, it is where the person was nominated."""
        return (owner or nominating_ocu) in self.owners


def counted(listed: Iterable[Listed], tests: Iterable[DrugTest], area: Area) -> dict[Cell, int]:
    cells: Counter[Cell] = Counter(dict.fromkeys(map(Cell, (*MEASURED, *STAGES.values())), 0))
    for measure in ("M1", "M5", "M6", "M7"):
        cells.update({Cell(measure, "ocu", ocu): 0 for ocu in area.ocus})
    for one in listed:
        _person(cells, one, area)
    for test in tests:
        _test(cells, test, area)
    return dict(cells)


def _person(cells: Counter[Cell], one: Listed, area: Area) -> None:
    here = area.has(one.owner, one.nominating_ocu)
    cells[Cell("MERGED")] -= sum(
        area.has(other.owner, other.nominating_ocu)
        for other in one.merged
        if other.strand != screening_pb2.STRAND_PREVENT_AND_DETER
    )
    if one.strand == screening_pb2.STRAND_PREVENT_AND_DETER:
        _add(cells, "M24", (), int(here))
        return
    was_here = one.before and area.has(one.owner_before, one.nominating_ocu)
    if one.before:
        cells[Cell("MOVED")] += here - was_here
    if not here:
        return
    ocu = _ocu(one, area)
    position = _position(one.position)
    parts = (
        ("ocu", ocu),
        ("sex", _sex(one.person.sex)),
        ("age_band", _age_band(one.person.birth_date, one.snapshot)),
        ("ethnicity", _ethnicity(one.person.ethnicity_code)),
        ("position", position),
    )
    _add(cells, "M1", parts)
    _add(cells, STAGES.get(one.position, "M14"), [("position", position)])
    for reason in one.removals:
        _add(cells, "M5", [("ocu", ocu), ("reason", _reason(reason))])
    _add(cells, "M6", [("ocu", ocu)], one.added)
    cells[Cell("M0")] += one.at_end
    cells[Cell("ADDED")] += one.added
    cells[Cell("REMOVED")] += len(one.removals)
    cells[Cell("NEW_PERSONS")] += not (one.before or one.parted)
    cells[Cell("MERGED")] += one.parted


def _test(cells: Counter[Cell], test: DrugTest, area: Area) -> None:
    if test.ocu not in area.ocus:
        return
    _add(cells, "M7", [("ocu", test.ocu)])
    if not test.ppo:
        return
    _add(cells, "M8", ())
    if test.result == custody_pb2.TEST_RESULT_POSITIVE:
        _add(cells, "M9", [("drug_class", _drug(test.drug))])


def _add(cells: Counter[Cell], measure: str, parts: Sequence[tuple[str, str]], value: int = 1) -> None:
    if value:
        cells[Cell(measure)] += value
        for breakdown, category in parts:
            cells[Cell(measure, breakdown, category)] += value


def _ocu(one: Listed, area: Area) -> str:
    """A youth offending team's case is counted where the person was nominated."""
    return next((ocu for ocu in (one.owner, one.nominating_ocu) if ocu in area.ocus), OTHER)


def _position(position: int) -> str:
    if position not in STAGES or position == pb.POSITION_OTHER_OR_NOT_KNOWN:
        return OTHER
    return _words(pb.Position.Name(pb.Position.ValueType(position)), "POSITION_")


def _sex(sex: person_pb2.Sex.ValueType) -> str:
    if sex == person_pb2.SEX_UNSPECIFIED or sex not in person_pb2.Sex.values():
        return NOT_RECORDED
    return _words(person_pb2.Sex.Name(sex), "SEX_")


def _age_band(born: Date, at: datetime) -> str:
    """Not recorded where a partial date leaves it open."""
    latest = days.latest(born)
    if latest is None:
        return NOT_RECORDED
    earliest = date(born.year, born.month or 1, born.day or 1)
    bands = {_band(day, at) for day in (earliest, latest)}
    return bands.pop() if len(bands) == 1 else NOT_RECORDED


def _band(born: date, at: datetime) -> str:
    on = days.day(at)
    if on < days.birthday(born, FIRST_ADULT):
        return "under 18"
    return "18-25" if on < days.birthday(born, FIRST_OLDER) else "26+"


def _ethnicity(code: str) -> str:
    if not code:
        return NOT_RECORDED
    recoded = RECODED.get(code, code)
    return recoded if recoded in ETHNICITIES else OTHER


def _reason(reason: int) -> str:
    if reason == flagging_pb2.REMOVAL_REASON_UNSPECIFIED or reason not in flagging_pb2.RemovalReason.values():
        return NOT_RECORDED
    name = flagging_pb2.RemovalReason.Name(flagging_pb2.RemovalReason.ValueType(reason))
    return _words(name, "REMOVAL_REASON_")


def _drug(drug: int) -> str:
    if drug == custody_pb2.DRUG_UNSPECIFIED or drug not in custody_pb2.Drug.values():
        return NOT_RECORDED
    return _words(custody_pb2.Drug.Name(custody_pb2.Drug.ValueType(drug)), "DRUG_")


def _words(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")
