"""What a stage may say to a court: which stages, under which reference, and no word of the scheme."""

import re
from collections.abc import Collection
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
# PC 33A/2005 keeps the term from the courts. As a word: "appointment" and "support" hold its letters.
_SCHEME = re.compile(r"(?<![a-z])(ppos?|prolific)(?![a-z])", re.IGNORECASE)


def refuse(stage: pb.RecordStageRequest, known: Collection[str]) -> None:
    """Raises Invalid; `known`: the courts that there are."""
    if not (stage.court_id or stage.court_reference):
        return
    if stage.kind not in STAGES:
        raise Invalid(
            "court_id" if stage.court_id else "court_reference", "goes with a breach or a recall alone"
        )
    if stage.court_id not in known:
        rule = (
            "is no court that the reference data knows"
            if stage.court_id
            else "is required with court_reference"
        )
        raise Invalid("court_id", rule)
    if not stage.court_reference:
        raise Invalid(
            "court_reference", "is required with court_id: the court knows nobody by a name of ours"
        )
    if not _REFERENCE.fullmatch(stage.court_reference):
        raise Invalid("court_reference", "is up to 64 letters, figures, spaces and / . - between them")
    for field in ("court_reference", "reason_code"):
        if _SCHEME.search(getattr(stage, field)):
            raise Invalid(field, "names the scheme, of which a court is not told")
