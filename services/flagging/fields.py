"""The rules of single fields that a contract cannot say."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.flagging.v1 import flagging_pb2 as pb
from services.runtime.errors import Invalid
from services.runtime.reference import Reference

# 5x5x5: how reliable the source is, A to E, and how good the information, 1 to 5.
GRADE = re.compile(r"[A-E][1-5]", re.ASCII)


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


def ocu(reference: Reference, ocu_id: str, *instants: datetime) -> None:
    if all(reference.row("ocus", ocu_id, at=instant) is None for instant in instants):
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
            raise Invalid(f"evidence[{place}].grade", "is not a grade of source and information, such as B2")


def _each_once(values: Sequence[int], field: str, part: str = "") -> None:
    for place, value in enumerate(values):
        if not value:
            raise Invalid(f"{field}[{place}]{part}", "is required")
        if value in values[:place]:
            raise Invalid(f"{field}[{place}]{part}", "stands here twice")
