"""What a stage may say to a court: which stages, under which reference, and no word of the scheme."""

import re
from collections.abc import Collection, Iterator
from typing import Final

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Invalid

STAGES: Final = (
    pb.STAGE_KIND_BREACH_PROCEEDINGS,
    pb.STAGE_KIND_RECALL_REQUESTED,
    pb.STAGE_KIND_RECALL_EXECUTED,
)
# It is the key of the court's records too.
_REFERENCE = re.compile(r"[A-Z0-9]([A-Z0-9 /.-]{0,62}[A-Z0-9])?", re.IGNORECASE | re.ASCII)
# A court numbers its proceedings: without a figure, or with more letters together, it is a name.
_NUMBER = re.compile(r"(?!.*[A-Z]{4})(?=.*[0-9]).*", re.IGNORECASE | re.ASCII)
# Words would let out more than why: what is known of somebody, and from whom.
_CODE = re.compile(r"([A-Z0-9][A-Z0-9_-]{0,39})?", re.ASCII)
# PC 33A/2005 keeps the term from the courts. "Appointment", "support" and "opposed" hold its letters.
_UNSAID = re.compile(r"(?<![aou])ppo|prolific|intel", re.IGNORECASE)


def refuse(stage: pb.RecordStageRequest, known: Collection[str]) -> None:
    """Raises Invalid; `known`: the courts that there are."""
    if stage.court_id or stage.court_reference:
        for field, rule, kept in _rules(stage, known):
            if not kept:
                raise Invalid(field, rule)


def _rules(stage: pb.RecordStageRequest, known: Collection[str]) -> Iterator[tuple[str, str, object]]:
    court, reference, reason = "court_id", "court_reference", "reason_code"
    named = court if stage.court_id else reference
    yield named, "goes with a breach or a recall alone", stage.kind in STAGES
    yield court, "is required with court_reference", stage.court_id
    yield court, "is no court that the reference data knows", stage.court_id in known
    lacking = "is required with court_id: the court knows nobody by a name of ours"
    yield reference, lacking, stage.court_reference
    letters = "is up to 64 letters, figures, spaces and / . - between them"
    yield reference, letters, _REFERENCE.fullmatch(stage.court_reference)
    number = "is the court's number: it has a figure, and no more than three letters together"
    yield reference, number, _NUMBER.fullmatch(stage.court_reference)
    own = stage.court_reference.lower() != stage.nominal_id.lower()
    yield reference, "is the court's own, not the nominal's", own
    code = "is with court_id up to 40 capitals, figures, _ and -: a code, no words"
    yield reason, code, _CODE.fullmatch(stage.reason_code)
    for field in (reference, reason):
        scheme = "names the scheme or intelligence, of which a court is not told"
        yield field, scheme, not _UNSAID.search(getattr(stage, field))
