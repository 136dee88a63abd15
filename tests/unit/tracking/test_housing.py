"""When a provider says the date of entry on the housing register, and which dates it may say."""

from datetime import date
from typing import Any

import pytest
from casework.v1 import casework_pb2 as pb
from google.type.date_pb2 import Date

from services.runtime.errors import Invalid
from services.tracking import housing

TODAY = date(2004, 12, 8)


def notice(**fields: Any) -> pb.CaseNotice:
    return pb.CaseNotice(**{"kind": pb.CASE_NOTICE_KIND_HOUSING_NEEDED, **fields})


def said(on: Date | None) -> pb.AcknowledgeNoticeRequest:
    return pb.AcknowledgeNoticeRequest(request_id="r", notice_id="n", register_date=on)


def test_the_date_of_entry_is_taken_up_to_today() -> None:
    assert housing.entered(notice(), said(Date(year=2004, month=12, day=8)), TODAY) == TODAY


@pytest.mark.parametrize(
    ("on", "rule"),
    [
        (None, "is required"),
        (Date(year=2004, month=12, day=9), "lies in the future"),
        (Date(year=2004, month=12), "needs its year, month and day"),
    ],
)
def test_a_date_that_cannot_be_is_refused_by_its_name(on: Date | None, rule: str) -> None:
    with pytest.raises(Invalid, match=f"register_date: {rule}"):
        housing.entered(notice(), said(on), TODAY)


@pytest.mark.parametrize(
    "fields",
    [
        {"state": pb.CASE_NOTICE_STATE_RETRACTED},
        {"tenancy_held": pb.TENANCY_HELD_YES},
        {"kind": pb.CASE_NOTICE_KIND_AVAILABLE_FROM},
        {"kind": pb.CASE_NOTICE_KIND_DATE_CANCELLED},
    ],
)
def test_where_nobody_is_to_be_entered_no_date_is_asked_for(fields: dict[str, Any]) -> None:
    assert housing.entered(notice(**fields), said(None), TODAY) is None


def test_only_a_notice_of_a_need_takes_a_date_of_entry() -> None:
    other = notice(kind=pb.CASE_NOTICE_KIND_AVAILABLE_FROM)

    with pytest.raises(Invalid, match="register_date: goes with a notice of HOUSING_NEEDED alone"):
        housing.entered(other, said(Date(year=2004, month=12, day=8)), TODAY)
