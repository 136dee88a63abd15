"""When a forum meets, which meetings hear a dispute, and how far the dispute has come by then."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import InvalidReference, Reference
from services.tracking import forums
from services.tracking.evidence import Dispute, Hearing
from tests.unit.tracking.cases import AT, DAY, TICK, ago, asked, lives, owns

BIRMINGHAM = Reference.load(Path(__file__).parents[3] / "deploy" / "reference" / "birmingham")
COLUMNS = """
[columns.core_priority_groups]
name = "text"
[[core_priority_groups]]
id = "core"
from = 2004-01-01
name = "Core Priority Group"
[columns.forums]
name = "text"
ocus = "texts"
first_meeting = "day"
weeks_between = "number"
starts = "time"
"""


def calendar(forum: str, first: str, since: str = "2004-01-01", until: str = "", weeks: int = 2) -> str:
    to = f"to = {until}" if until else ""
    return f"""
[[forums]]
id = "{forum}"
from = {since}
{to}
name = "Forum {forum}"
ocus = ["E3"]
first_meeting = {first}
weeks_between = {weeks}
starts = 10:00:00
"""


def loaded(directory: Path, *calendars: str) -> Reference:
    (directory / "forums.toml").write_text(COLUMNS + "".join(calendars))
    return Reference.load(directory)


def days(reference: Reference, forum: str, after: str, many: int = 3) -> list[str]:
    times = forums.meetings(reference, forum, datetime.fromisoformat(after))
    return [time.isoformat() for time in islice(times, many)]


def test_a_forum_meets_every_fortnight_at_the_same_hour_in_london(tmp_path: Path) -> None:
    reference = loaded(tmp_path, calendar("e", "2004-10-15"))

    # The clocks go back in between.
    assert days(reference, "e", "2004-10-15T09:59:59+01:00") == [
        "2004-10-15T10:00:00+01:00",
        "2004-10-29T10:00:00+01:00",
        "2004-11-12T10:00:00+00:00",
    ]
    # What is raised as it opens is heard at the next one.
    assert days(reference, "e", "2004-10-15T10:00:00+01:00", 1) == ["2004-10-29T10:00:00+01:00"]


def test_a_change_of_the_calendar_is_a_new_row_from_its_day_on(tmp_path: Path) -> None:
    reference = loaded(
        tmp_path,
        calendar("e", "2004-10-15", until="2004-11-12"),
        calendar("e", "2004-11-16", since="2004-11-12", weeks=4),
    )

    assert days(reference, "e", "2004-10-20T00:00:00+00:00", 4) == [
        "2004-10-29T10:00:00+01:00",
        "2004-11-16T10:00:00+00:00",
        "2004-12-14T10:00:00+00:00",
        "2005-01-11T10:00:00+00:00",
    ]


def test_the_forum_that_meets_first_hears_it_at_its_own_next_two_meetings() -> None:
    heard = forums.hearing(BIRMINGHAM, "E3", datetime.fromisoformat("2004-12-18T12:00+00:00"))

    assert heard == Hearing(
        "forum-e3-west",
        "Shared Priority Forum E3 west",
        datetime.fromisoformat("2004-12-24T10:00+00:00"),
        datetime.fromisoformat("2005-01-07T10:00+00:00"),
        "core-priority-group",
    )


def test_a_calendar_that_ends_before_the_second_meeting_hears_nothing(tmp_path: Path) -> None:
    raised = datetime.fromisoformat("2004-10-20T00:00+00:00")
    one = loaded(tmp_path, calendar("e", "2004-10-29", until="2004-11-12"))
    two = loaded(tmp_path, calendar("e", "2004-10-29", until="2004-11-13"))

    assert forums.hearing(one, "E3", raised) is None
    assert forums.hearing(two, "E3", raised) is not None
    assert forums.hearing(two, "D3", raised) is None


def test_a_calendar_without_a_next_meeting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidReference, match="forums e: weeks_between is at least 1"):
        forums.check(loaded(tmp_path, calendar("e", "2004-10-29", weeks=0)))
    forums.check(BIRMINGHAM)


# ---- the clock of a dispute

FIRST, SECOND = AT, AT + 14 * DAY
HEARING = Hearing("forum-e3", "Forum E3", FIRST, SECOND, "core")
DISPUTED: dict[str, Any] = {
    "residences": (lives("E3"),),
    "existing": owns("E3"),
    "dispute": Dispute(("F2",), ago(3), {"E3": HEARING}),
}


@pytest.mark.parametrize(
    ("at", "stage", "forum", "hearing", "following"),
    [
        (AT - TICK, pb.DISPUTE_STAGE_LISTED, "forum-e3", FIRST, FIRST),
        (FIRST, pb.DISPUTE_STAGE_ADJOURNED, "forum-e3", SECOND, SECOND),
        (SECOND - TICK, pb.DISPUTE_STAGE_ADJOURNED, "forum-e3", SECOND, SECOND),
        (SECOND, pb.DISPUTE_STAGE_ESCALATED, "core", None, None),
    ],
)
def test_a_dispute_is_heard_twice_and_then_escalated(
    at: datetime,
    stage: pb.DisputeStage.ValueType,
    forum: str,
    hearing: datetime | None,
    following: datetime | None,
) -> None:
    decision = asked(at, **DISPUTED)
    clock, owned = decision.ownership.dispute, decision.ownership

    assert (owned.owner, owned.state) == ("E3", pb.OWNERSHIP_STATE_DISPUTED)
    assert (clock.stage, clock.forum_id) == (stage, forum)
    assert clock.HasField("hearing_time") == (hearing is not None)
    assert hearing is None or clock.hearing_time.ToDatetime(AT.tzinfo) == hearing
    # Time alone brings the next stage.
    assert decision.next_time == following


def test_who_reads_of_a_dispute_reads_where_it_stands() -> None:
    said = [" ".join(asked(at, **DISPUTED).ownership.facts[:2]) for at in (AT - TICK, FIRST, SECOND)]

    assert said == [
        "Disputed by F2 since 28 November 2004: E3 has the case until the forum decides. "
        "Forum E3 hears it on 1 December 2004, and if need be on 15 December 2004.",
        "Disputed by F2 since 28 November 2004: E3 has the case until the forum decides. "
        "Forum E3 did not settle it on 1 December 2004 and hears it again on 15 December 2004.",
        "Disputed by F2 since 28 November 2004: E3 has the case until the forum decides. "
        "Forum E3 did not settle it on 1 December 2004 nor on 15 December 2004: it is with the Core "
        "Priority Group.",
    ]


def test_where_the_owner_has_no_forum_the_claimants_hears_it() -> None:
    outside = owns("K1")
    given = {**DISPUTED, "existing": outside, "registered_outside": {"K1": ago(90)}}
    dispute = Dispute(("F2",), ago(3), {"F2": HEARING})

    assert asked(**{**given, "dispute": dispute}).ownership.dispute.forum_id == "forum-e3"
    unlisted = asked(**{**given, "dispute": Dispute(("F2",), ago(3))}).ownership.dispute
    assert (unlisted.stage, unlisted.forum_id) == (pb.DISPUTE_STAGE_UNLISTED, "")


def test_only_a_disputed_case_has_a_dispute() -> None:
    assert not asked(residences=(lives("E3"),)).ownership.HasField("dispute")
