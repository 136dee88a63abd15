"""A step that is counted and moves nobody: who may record which, and what it needs."""

import uuid
from datetime import date, datetime

from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Denied, Invalid
from services.runtime.identity import Caller
from services.tracking import days
from services.tracking.models import Progress

# Of treatment only those write who may read of it.
TREATMENT = frozenset(
    {
        pb.PROGRESS_KIND_DRUG_NEED_IDENTIFIED,
        pb.PROGRESS_KIND_NO_DRUG_NEED,
        pb.PROGRESS_KIND_TREATMENT_STARTED,
        pb.PROGRESS_KIND_TREATMENT_ENDED,
    }
)
DRUG_TEAM = "ppo_drug_team"
SENTENCED = pb.PROGRESS_KIND_SENTENCED
LONGEST = 100


def row(request: pb.RecordProgressRequest, caller: Caller, now: datetime) -> Progress:
    """Raises Denied or Invalid."""
    if request.kind in TREATMENT and caller.role != DRUG_TEAM:
        raise Denied("only the drug team records a drug need and its treatment")
    if request.kind == SENTENCED and caller.role == DRUG_TEAM:
        raise Denied("a drug team records no sentences")
    if len(request.organisation) > LONGEST or not request.organisation.isprintable():
        raise Invalid("organisation", f"is not at most {LONGEST} characters that can be printed")
    on = _day(request.date, "date")
    if on > days.day(now):
        raise Invalid("date", "lies in the future")
    return Progress(
        progress_id=str(uuid.uuid4()),
        nominal_id=request.nominal_id,
        kind=request.kind,
        done_date=on,
        offence_date=_offence_day(request, on),
        organisation=request.organisation,
        recorded_time=now,
        recorded_by=caller.subject,
    )


def _offence_day(request: pb.RecordProgressRequest, sentenced: date) -> date | None:
    if request.HasField("offence_date") != (request.kind == SENTENCED):
        raise Invalid("offence_date", "is given with a sentence, and with nothing else")
    if not request.HasField("offence_date"):
        return None
    offended = _day(request.offence_date, "offence_date")
    if offended > sentenced:
        raise Invalid("offence_date", "lies after the sentence")
    return offended


def _day(given: Date, field: str) -> date:
    try:
        return date(given.year, given.month, given.day)
    except ValueError:
        raise Invalid(field, "is not a whole date") from None
