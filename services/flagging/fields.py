"""The rules of single fields that a contract cannot say."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.flagging.v1 import flagging_pb2 as pb
from services.runtime.errors import Invalid
from services.runtime.reference import Reference

# 5x5x5: how reliable the source is, how good the information, and who may have it, which is often left out.
GRADE = re.compile(r"[A-E][1-5][1-5]?", re.ASCII)
GRADE_RULE = (
    "is not a 5x5x5 grade: source A to E, information 1 to 5 and, where given, handling 1 to 5, as B24"
)

# Two of them fit an index of PostgreSQL, whatever their script.
LONGEST_KEY = 200


def time(given: Timestamp) -> datetime:
    return given.ToDatetime(tzinfo=UTC)


def stamp(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    given = Timestamp()
    given.FromDatetime(instant)
    return given


def key(text: str, field: str) -> None:
    if len(text) > LONGEST_KEY:
        raise Invalid(field, f"is longer than {LONGEST_KEY} characters")


def refuse_unborn(born: Date, today: date, field: str) -> None:
    if (born.year, born.month, born.day) > (today.year, today.month, today.day):
        raise Invalid(field, "is in the future")


def ocu(reference: Reference, ocu_id: str, *instants: datetime) -> None:
    if all(reference.row("ocus", ocu_id, at=instant) is None for instant in instants):
        raise Invalid("nominating_ocu", "is not an OCU of this area")


def ocu_ever(reference: Reference, ocu_id: str) -> None:
    if ocu_id not in reference.ids("ocus"):
        raise Invalid("nominating_ocu", "is not an OCU of this area")


def forum(reference: Reference, forum_id: str, at: datetime) -> None:
    if reference.row("forums", forum_id, at=at) is None:
        raise Invalid("forum_id", "is not a forum of this area")


def criteria(given: Sequence[int]) -> None:
    _each_once(given, "criteria")


def votes(given: Iterable[pb.Vote]) -> None:
    _each_once([vote.agency for vote in given], "votes", ".agency")


def evidence(given: Iterable[pb.GradedEvidence]) -> None:
    for place, one in enumerate(given):
        if not GRADE.fullmatch(one.grade):
            raise Invalid(f"evidence[{place}].grade", GRADE_RULE)


def convictions(given: Sequence[pb.Conviction], today: date) -> None:
    references = [one.reference for one in given]
    for place, one in enumerate(given):
        where, day = f"convictions[{place}]", one.conviction_date
        if not (day.year and day.month and day.day):
            raise Invalid(f"{where}.conviction_date", "is not a whole date")
        if date(day.year, day.month, day.day) > today:
            raise Invalid(f"{where}.conviction_date", "is in the future")
        if one.reference in references[:place]:
            raise Invalid(f"{where}.reference", "stands here twice")


def _each_once(values: Sequence[int], field: str, part: str = "") -> None:
    for place, value in enumerate(values):
        if not value:
            raise Invalid(f"{field}[{place}]{part}", "is required")
        if value in values[:place]:
            raise Invalid(f"{field}[{place}]{part}", "stands here twice")
