"""What of a stage a court may be told, and which stages are refused."""

from typing import Any

import pytest

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Invalid
from services.tracking import courts

KNOWN = {"birmingham-magistrates"}


def stage(**told: Any) -> pb.RecordStageRequest:
    given: dict[str, Any] = {
        "kind": pb.STAGE_KIND_BREACH_PROCEEDINGS,
        "reason_code": "NON_COMPLIANCE",
        "court_id": "birmingham-magistrates",
        "court_reference": "BM 04/2217",
    }
    return pb.RecordStageRequest(**(given | told))


@pytest.mark.parametrize("kind", courts.STAGES)
def test_a_breach_and_a_recall_may_name_a_court_and_its_reference(kind: pb.StageKind.ValueType) -> None:
    courts.refuse(stage(kind=kind), KNOWN)


@pytest.mark.parametrize("kind", pb.StageKind.values())
def test_no_stage_needs_a_court(kind: pb.StageKind.ValueType) -> None:
    courts.refuse(stage(kind=kind, court_id="", court_reference="", reason_code="left PPO"), KNOWN)


@pytest.mark.parametrize("number", ["BM 04/2217", "T20047123", "20BM1234504", "bm 4", "012345678901"])
def test_a_court_s_number_is_taken_as_courts_write_it(number: str) -> None:
    courts.refuse(stage(court_reference=number), KNOWN)


@pytest.mark.parametrize("word", ["MISSED_APPOINTMENT", "NO_SUPPORT", "OPPOSED"])
def test_a_word_that_only_holds_the_letters_is_no_name_of_the_scheme(word: str) -> None:
    courts.refuse(stage(reason_code=word), KNOWN)


@pytest.mark.parametrize(
    ("told", "field", "rule"),
    [
        ({"kind": pb.STAGE_KIND_BAILED}, "court_id", "goes with a breach or a recall alone"),
        (
            {"kind": pb.STAGE_KIND_BAILED, "court_id": ""},
            "court_reference",
            "goes with a breach or a recall alone",
        ),
        ({"court_id": ""}, "court_id", "is required with court_reference"),
        ({"court_id": "leeds-crown"}, "court_id", "is no court that the reference data knows"),
        ({"court_reference": ""}, "court_reference", "is required with court_id"),
        ({"court_reference": " BM 1"}, "court_reference", "is up to 64 letters"),
        ({"court_reference": "B" * 65}, "court_reference", "is up to 64 letters"),
        ({"court_reference": "BM\n1"}, "court_reference", "is up to 64 letters"),
        ({"court_reference": "JOHN SMITH 01-02-1980"}, "court_reference", "is the court's number"),
        ({"court_reference": "Ann Lee"}, "court_reference", "is the court's number"),
        ({"court_reference": "4f1-22", "nominal_id": "4f1-22"}, "court_reference", "is the court's own"),
        ({"court_reference": "PPO/1"}, "court_reference", "names the scheme"),
        ({"reason_code": "PPOBREACH"}, "reason_code", "names the scheme"),
        ({"reason_code": "PROLIFICOFFENDER"}, "reason_code", "names the scheme"),
        ({"reason_code": "LEFT_PPO_SCHEME"}, "reason_code", "names the scheme"),
        ({"reason_code": "PROLIFIC"}, "reason_code", "names the scheme"),
        ({"reason_code": "INTEL_REPORT"}, "reason_code", "names the scheme or intelligence"),
        ({"reason_code": "NON_COMPLIANCE " * 3}, "reason_code", "is with court_id up to 40 capitals"),
        ({"reason_code": "seen in Small Heath"}, "reason_code", "is with court_id up to 40 capitals"),
    ],
)
def test_what_may_not_be_told_to_a_court_is_refused_by_field_and_rule(
    told: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refused:
        courts.refuse(stage(**told), KNOWN)

    assert refused.value.field == field
    assert refused.value.rule.startswith(rule)
