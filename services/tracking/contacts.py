"""Whose case a person is, and who can be rung about it: there is always somebody."""

from collections.abc import Mapping
from datetime import datetime

from ppo.tracking.v1 import tracking_pb2 as pb
from services.police import duty
from services.runtime.reference import Reference, Row


def contact(
    reference: Reference, asked: pb.PersonAsked, cases: Mapping[str, pb.Case], at: datetime
) -> pb.Contact:
    """A person of whom nothing is known yet is the nominating OCU's to be rung about."""
    case = cases.get(asked.nominal_id, pb.Case())
    owners = [one for one in (case.ownership.owner, asked.nominating_ocu) if one]
    rung = duty.on_call(reference, owners=owners, at=at) or reference.latest("control_rooms", at=at)
    return pb.Contact(
        nominal_id=asked.nominal_id,
        owner=case.ownership.owner,
        state=case.ownership.state,
        police_manager=case.police_manager if case.HasField("police_manager") else None,
        probation_manager=case.probation_manager if case.HasField("probation_manager") else None,
        duty_contact=_duty(rung),
        lead=case.lead,
    )


def _duty(row: Row) -> pb.DutyContact:
    return pb.DutyContact(
        title=row.text("title"), telephone=row.text("telephone"), organisation=row.text("organisation")
    )
