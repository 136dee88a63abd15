"""All that is true of a person in the justice process at once, and the one position that it amounts to."""

from typing import NamedTuple, TypeAlias

from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import Absence, Basis

Position: TypeAlias = pb.Position.ValueType

IN_TRANSIT = "IN_TRANSIT"
CUSTODY_SUITE = "CUSTODY_SUITE"
ON_BAIL = "ON_BAIL"
LICENCE = "LICENCE"
COMMUNITY_ORDER = "COMMUNITY_ORDER"
REQUESTED = "RECALL_REQUESTED"
EXECUTED = "RECALL_EXECUTED"

SENTENCED = (Basis.SENTENCED, Basis.RECALL)
AWAY = {
    Absence.COURT: "AT_COURT",
    Absence.HOSPITAL: "IN_HOSPITAL",
    Absence.POLICE: "WITH_POLICE",
    Absence.TEMPORARY: "TEMPORARILY_ABSENT",
}
BASIS_DETAIL = {
    Basis.RECALL: "RECALL",
    Basis.OTHERWISE: "DETAINED_OTHERWISE",
    Basis.NOT_KNOWN: "BASIS_NOT_KNOWN",
}


class Custody(NamedTuple):
    basis: Basis
    # Empty on the way to another prison, and until one has received the person.
    prison: str
    # Why the person is not in the prison: IN_TRANSIT, AT_COURT, ...
    away: str = ""


class State(NamedTuple):
    """All that is true at once; the position is what of it ranks highest."""

    custody: Custody | None = None
    suite: bool = False
    # Proceedings that go on outside: ON_BAIL, CHARGED, HELD_FOR_COURT, BREACH_PROCEEDINGS.
    proceedings: str = ""
    # LICENCE or COMMUNITY_ORDER.
    supervision: str = ""
    liberty: Position = pb.POSITION_OTHER_OR_NOT_KNOWN
    liberty_detail: str = ""
    # RECALL_REQUESTED, then RECALL_EXECUTED until the person is caught.
    recall: str = ""
    # The basis of the last custody, for those who come back to it; None before any.
    served: Basis | None = None
    # A court has ended custody; the prison has still to say so.
    freed: bool = False
    dead: bool = False

    @property
    def remanded(self) -> bool:
        return self.custody is not None and self.custody.basis not in SENTENCED

    @property
    def position(self) -> Position:
        if self.custody:
            return pb.POSITION_CUSTODY_REMAND if self.remanded else pb.POSITION_CUSTODY_SENTENCED
        if self.suite or self.proceedings:
            return pb.POSITION_IN_CJS
        return pb.POSITION_SUPERVISED if self.supervision else self.liberty

    @property
    def detail(self) -> str:
        if self.custody:
            return self.custody.away or BASIS_DETAIL.get(self.custody.basis, "")
        if self.suite:
            return CUSTODY_SUITE
        requested = self.recall if self.supervision else ""
        return self.proceedings or requested or self.supervision or self.liberty_detail

    @property
    def prison(self) -> str:
        return self.custody.prison if self.custody else ""

    @property
    def legal_statuses(self) -> list[str]:
        """What is in force, as custody staff read it in Case.legal_statuses."""
        bail = "BAIL" if self.proceedings == ON_BAIL else ""
        return [status for status in (self.supervision, bail) if status]
