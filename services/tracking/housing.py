"""What a provider says with its acknowledgement: since when somebody is on the housing register."""

from datetime import date
from typing import Final

from casework.v1 import casework_pb2 as casework

from services.runtime.errors import Invalid

FIELD: Final = "register_date"
NEEDED = casework.CASE_NOTICE_KIND_HOUSING_NEEDED


def entered(notice: casework.CaseNotice, request: casework.AcknowledgeNoticeRequest, on: date) -> date | None:
    """The date of entry, as said on a day; None where the notice asks for none."""
    if not request.HasField(FIELD):
        if notice.kind == NEEDED and not _settled(notice):
            raise Invalid(FIELD, "is required: the date of entry on the housing register")
        return None
    if notice.kind != NEEDED:
        raise Invalid(FIELD, "goes with a notice of HOUSING_NEEDED alone")
    given = request.register_date
    if not (given.year and given.month and given.day):
        raise Invalid(FIELD, "needs its year, month and day")
    entry = date(given.year, given.month, given.day)
    if entry > on:
        raise Invalid(FIELD, "lies in the future")
    return entry


def _settled(notice: casework.CaseNotice) -> bool:
    """Nobody is entered for whom it was wrong, or who has a tenancy to keep."""
    return notice.state == casework.CASE_NOTICE_STATE_RETRACTED or (
        notice.tenancy_held == casework.TENANCY_HELD_YES
    )
