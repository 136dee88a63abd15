"""Who manages a case: always somebody of the police and somebody of probation, and which of them leads."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference, Row
from services.tracking.casefile import CaseFile
from services.tracking.state import State


@dataclass(frozen=True)
class Leads:
    lead: pb.Lead.ValueType = pb.LEAD_UNSPECIFIED
    police: pb.Manager | None = None
    probation: pb.Manager | None = None


def leads(file: CaseFile, ownership: pb.Ownership, at: datetime) -> Leads:
    """Those named for this owner, else desk and tier 4 officer of the OCU; of nobody's case nobody."""
    if not ownership.owner:
        return Leads()
    reference = file.reference
    ocu = _ocu(reference, ownership, file.nominating_ocu(at), at)
    entry, told = file.last(pb.AssignManagersRequest) or (None, pb.AssignManagersRequest())
    stands = entry is not None and entry.occurred >= ownership.effective_time.ToDatetime(UTC)
    police, probation = told.police, told.probation
    # Of the owner's, though named before the hand-over; of another OCU's, though the move was told late.
    an_ocus = reference.row("ocus", police.organisation, at=at) is not None
    ours = police.organisation == ocu if an_ocus else stands
    served = stands or _serves(reference, probation.organisation, ocu, at)
    return Leads(
        _lead(reference, ownership.owner, file.state(at), at),
        police if ours else _police(reference, ocu, at),
        probation if served else _probation(reference, ocu, at),
    )


def _lead(reference: Reference, owner: str, state: State, at: datetime) -> pb.Lead.ValueType:
    if reference.row("youth_offending_teams", owner, at=at):
        return pb.LEAD_YOUTH_OFFENDING_TEAM
    return pb.LEAD_PROBATION if state.supervision else pb.LEAD_POLICE


def _ocu(reference: Reference, ownership: pb.Ownership, nominating: str, at: datetime) -> str:
    """The owner; of a case that no OCU has the one it has to do with."""
    ocus = {row.id for row in reference.rows("ocus", at=at)}
    told = (ownership.owner, *ownership.interested_ocus)
    return next((ocu for ocu in told if ocu in ocus), nominating)


def _serves(reference: Reference, office: str, ocu: str, at: datetime) -> bool:
    row = reference.row("probation_offices", office, at=at)
    return row is not None and ocu in row.texts("ocus")


def _police(reference: Reference, ocu: str, at: datetime) -> pb.Manager | None:
    row = _of(reference, "police_leads", ocu, at)
    return _manager(row, ocu) if row else None


def _probation(reference: Reference, ocu: str, at: datetime) -> pb.Manager | None:
    row = _of(reference, "probation_leads", ocu, at)
    return _manager(row, row.text("office")) if row else None


def _of(reference: Reference, table: str, ocu: str, at: datetime) -> Row | None:
    return next((row for row in reference.rows(table, at=at) if row.text("ocu") == ocu), None)


def _manager(row: Row, organisation: str) -> pb.Manager:
    return pb.Manager(name=row.text("title"), telephone=row.text("telephone"), organisation=organisation)
