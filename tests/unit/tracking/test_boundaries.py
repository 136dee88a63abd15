"""A boundary that moves: whose case it is from that day on, and whose cases a load would move."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2 as pb
from services.police.areas import Code
from services.runtime.reference import Reference
from services.tracking import boundaries
from services.tracking.casefile import CaseFile, Entry
from services.tracking.evidence import ForumDecision
from tests.integration.tracking.running import stamp
from tests.servers import REFERENCE
from tests.unit.tracking.cases import AT, DAY, HOSTEL, TICK, ago, asked, lives, ownership, owns

MOVES = AT
REDRAWN = lives("E3", boundaries=((MOVES, "D3"),))


@pytest.mark.parametrize(("at", "owner"), [(MOVES - TICK, "E3"), (MOVES, "D3")])
def test_on_the_day_the_boundary_moves_the_case_is_the_other_ocus(at: datetime, owner: str) -> None:
    assert ownership(at, residences=(REDRAWN,), existing=owns("E3")).owner == owner


def test_time_alone_brings_the_boundary() -> None:
    assert asked(MOVES - TICK, residences=(REDRAWN,), existing=owns("E3")).next_time == MOVES


def test_a_boundary_is_no_new_home_so_a_forums_decision_stands() -> None:
    decided = ForumDecision("F2", "forum-e3", ago(5))

    assert ownership(AT + DAY, residences=(REDRAWN,), forum=decided).rule == "O2"


def test_the_days_in_a_hostel_go_on_over_a_boundary() -> None:
    hostel = lives("E3", 20, HOSTEL, boundaries=((MOVES, "D3"),))
    given = {"residences": (lives("F1"), hostel), "existing": owns("F1")}

    assert ownership(AT + 8 * DAY, **given).rule == "O7"
    assert ownership(AT + 9 * DAY, **given).rule == "O10"
    assert "D3" in ownership(AT + 8 * DAY, **given).interested_ocus


def test_the_boundary_of_an_address_that_was_left_is_nothing_to_the_case() -> None:
    left = (REDRAWN, lives("F1", 10))

    assert ownership(AT + DAY, residences=left, existing=owns("F1")).owner == "F1"


def test_who_reads_of_it_reads_that_nobody_has_moved() -> None:
    [lived, *_] = ownership(AT + DAY, residences=(REDRAWN,), existing=owns("E3")).facts

    assert lived == "Has lived in D3 since 28 October 2003, by the boundary of 1 December 2004."


# ---- what a load would change

SINCE, NOON = date(2004, 4, 1), datetime(2004, 12, 1, 12, tzinfo=UTC)
HOME = Code("B33 8TH")


def entry(message: pb.SetResidenceRequest, at: datetime) -> Entry:
    return Entry("home", message, at, at)


def file(*entries: Entry) -> CaseFile:
    start = stamp(NOON - timedelta(days=60))
    episode = flagging.Episode(nominating_ocu="F1", effective_start_time=start)
    flag = flagging.Flag(episodes=[episode])
    return CaseFile(flag, entries, Reference.load(REFERENCE))


def at_home() -> Entry:
    told = pb.SetResidenceRequest(kind=pb.RESIDENCE_KIND_HOME, ocu="E3", postcode="B33 8TH", area_version=1)
    return entry(told, NOON - timedelta(days=90))


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        (((SINCE, "E3"),), None),
        (((SINCE, "E3"), (date(2005, 4, 1), "D3")), ("E3", "D3", datetime(2005, 3, 31, 23, tzinfo=UTC))),
        # It had been wrong from the first.
        (((SINCE, "D3"),), ("E3", "D3", NOON - timedelta(days=60))),
        # Covered no longer it lies where it lay.
        (((SINCE, "E3"), (date(2005, 4, 1), "")), None),
    ],
)
def test_a_load_moves_a_case_from_the_day_on_which_the_address_lies_elsewhere(
    line: tuple[tuple[date, str], ...], moved: tuple[str, str, datetime] | None
) -> None:
    located = boundaries.located("nominal", HOME, line, 2, NOON)

    assert boundaries.moved(file(at_home()), [located], NOON) == moved


def test_the_latest_version_says_where_an_address_lies() -> None:
    old = boundaries.located("nominal", HOME, ((SINCE, "D3"),), 9, NOON + timedelta(hours=1))
    new = boundaries.located("nominal", HOME, ((SINCE, "F2"),), 10, NOON)

    assert file(at_home(), old, new).ownership(NOON).owner == "F2"


def test_who_has_lived_there_since_before_the_areas_begin_lives_where_they_first_say() -> None:
    line = ((SINCE, "D3"), (date(2004, 11, 1), "E1"), (date(2004, 11, 20), "D3"))
    long_ago = at_home()._replace(occurred=datetime(1990, 5, 1, 9, tzinfo=UTC))
    located = boundaries.located("nominal", HOME, line, 2, NOON)
    case = file(long_ago, located)

    owners = [case.ownership(datetime(2004, month, day, tzinfo=UTC)) for month, day in ((10, 31), (11, 10))]

    assert [one.owner for one in owners] == ["D3", "E1"]
    assert owners[0].facts[0] == "Has lived in D3 since 1 May 1990."


def test_another_house_of_the_same_postcode_stays_where_it_is() -> None:
    house = boundaries.located("nominal", Code("B33 8TH", "14"), ((SINCE, "D3"),), 2, NOON)

    assert file(at_home(), house).ownership(NOON).owner == "E3"


def test_what_comes_and_what_goes_is_the_difference_of_two_versions() -> None:
    before = {HOME: ((SINCE, "E3"),), Code("B34"): ((SINCE, "D3"),)}
    after = {HOME: ((SINCE, "D3"), (date(2005, 4, 1), "E3")), Code("B34"): ((SINCE, "D3"),)}

    added, withdrawn = boundaries.changes(before, after)

    assert added == [(HOME, SINCE, "D3"), (HOME, date(2005, 4, 1), "E3")]
    assert withdrawn == [(HOME, SINCE, "E3")]
