"""`ppo owner explain`: what it asks for, and what a person reads and sees."""

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import drawing, owners, timeline
from tests.integration.tracking.running import stamp
from tests.unit.console.conftest import Run, Served
from tests.unit.tracking import files
from tests.unit.tracking.files import on

HOME_IN_D3 = tracking.SupposedResidence(kind=tracking.RESIDENCE_KIND_HOME, ocu="D3")
TENTH = stamp(on(1, 10, 0, 2005))
NOWHERE = tracking.SupposedResidence(kind=tracking.RESIDENCE_KIND_NO_FIXED_ABODE)


def cross() -> tracking.ExplainOwnershipResponse:
    """Lives in E3, offends in D3, is in prison, and moves with a hand-over."""
    entries = (
        files.lives("E3", on(9, 1)),
        files.arrested("D3", on(12, 10)),
        files.received(on(12, 11)),
        files.released(on(12, 20)),
        files.lives("F2", on(12, 21), handover=on(1, 20, year=2005)),
    )
    return files.told(files.casefile(*entries))


# ---- what is asked


def test_a_person_is_explained_at_a_time_as_known_at_a_time(ppo: Run, served: Served) -> None:
    ran = ppo("owner", "explain", "79/163001B", "--at", "2004-12-01T00:00", "--known-at", "2004-12-02T00:00")

    asked = served.tracking.asked[-1]
    assert ran.code == 0
    assert asked.as_of_time.ToJsonString() == "2004-12-01T00:00:00Z"
    assert asked.known_at_time.ToJsonString() == "2004-12-02T00:00:00Z"


@pytest.mark.parametrize(
    ("typed", "supposed"),
    [
        ("home D3", tracking.Supposition(residence=HOME_IN_D3)),
        ("No Fixed Abode", tracking.Supposition(residence=NOWHERE)),
        (
            "arrest F2 @ 2005-01-10",
            tracking.Supposition(arrested_suite_id="F2", time=stamp(on(1, 10, 0, 2005))),
        ),
        ("prison BMI", tracking.Supposition(received_prison_id="BMI")),
        ("release", tracking.Supposition(released=True)),
        (
            "release 2005-03-01 F2",
            tracking.Supposition(
                planned_release=tracking.SupposedRelease(
                    release_date=Date(year=2005, month=3, day=1), ocu="F2"
                )
            ),
        ),
        ("dispute F2", tracking.Supposition(disputed_by="F2")),
        ("forum F2", tracking.Supposition(decided_for="F2")),
        ("removed", tracking.Supposition(removed=True)),
    ],
)
def test_what_is_supposed_is_read_as_it_is_said(
    ppo: Run, served: Served, typed: str, supposed: tracking.Supposition
) -> None:
    ran = ppo("owner", "explain", "79/163001B", "--what-if", typed)

    assert ran.code == 0
    assert list(served.tracking.asked[-1].suppositions) == [supposed]


@pytest.mark.parametrize("typed", ["", "home", "home D3 E3", "release soon", "removed now", "holiday D3"])
def test_what_cannot_be_read_as_a_supposition_is_refused(ppo: Run, served: Served, typed: str) -> None:
    ran = ppo("owner", "explain", "79/163001B", "--what-if", typed)

    assert ran.code == 2
    assert f"--what-if {typed!r} is none of" in ran.err


# ---- what is read


def test_an_ownership_is_said_as_a_colleague_would_say_it(ppo: Run, served: Served) -> None:
    entries = (files.lives("E3", on(9, 1)), files.arrested("D3", on(12, 10)))
    served.tracking.explained = files.told(files.casefile(*entries))

    ran = ppo("owner", "explain", "79/163001B")

    assert ran.out.splitlines() == [
        "This is E3's case; they have had it since 23 November 2004, 14:00.",
        "  Has lived in E3 since 1 September 2004.",
        "  1 offence in D3 in the last 12 months.",
        "  Under no order: the police lead, and probation is consulted.",
        "  D3 has an interest, and is told as well.",
        "  Rule O6: lives in one OCU and offends in another: where somebody lives decides.",
        "What would change it:",
        "  On 10 December 2005, if nothing else happens, D3 will have no interest in it any more.",
        "  With a home in D3, it would be D3's (O5).",
        "  With a dispute raised by D3, it would stay E3's until the forum decides (O1).",
    ]


def test_a_hand_over_ahead_says_to_whom_and_when() -> None:
    said = list(owners.account(cross()))

    assert said[0] == "This is E3's case until the hand-over; they have had it since 23 November 2004, 14:00."
    assert "  It is to go to F2 on 20 January 2005, 09:00." in said
    assert "  On 20 January 2005, if nothing else happens, it will be F2's (O6)." in said


def test_a_hand_over_that_nobody_has_agreed_says_so() -> None:
    ownership = tracking.Ownership(
        owner="D3", proposed_owner="E3", state=tracking.OWNERSHIP_STATE_PROPOSED, rule="O10"
    )

    assert list(owners.sentences(ownership))[1] == "  It is to go to E3; when is not agreed yet."


def test_without_a_registration_it_is_nobodys() -> None:
    said = list(owners.sentences(tracking.Ownership(state=tracking.OWNERSHIP_STATE_NONE, rule="O12")))

    assert said == [
        "This is nobody's case.",
        "  Rule O12: not on the register, so there is no case that anybody could own.",
    ]


def test_what_was_found_out_later_is_said_with_what_it_was_taken_for() -> None:
    told = tracking.ExplainOwnershipResponse()
    told.corrections.add(
        recorded_time=stamp(on(12, 20)),
        start_time=stamp(on(12, 1, 0)),
        owner_before="E3",
        rule_before="O6",
        owner="D3",
        rule="O5",
    )

    said = "  On 20 December 2004, 09:00: from 1 December 2004 on it was D3's (O5), not E3's."
    assert said in owners.account(told)


# ---- what is seen


def test_the_timeline_has_the_facts_above_and_the_owners_below(ppo: Run, served: Served) -> None:
    served.tracking.explained = cross()

    ran = ppo("owner", "explain", "79/163001B", "--timeline")

    rows = ran.out.splitlines()
    drawn = rows[-10:]
    assert [row.split(maxsplit=1)[0] for row in drawn[1:-1]] == [
        *("Register", "Lives", "Prison", "Arrests"),
        "─" * (130 - timeline.LABELS),
        *("Owner", "Proposed", "Told"),
    ]
    assert drawn[6].index("├E3") < drawn[6].index("├F2")
    assert drawn[-1].strip() == "▲ now"


def test_the_picture_ends_with_the_last_hand_over_and_names_its_day() -> None:
    told = cross()
    moved = next(one.ownership for one in told.history if one.ownership.owner == "F2")
    moved.proposed_owner = "D1"
    moved.handover_time.FromJsonString("2005-05-01T00:00:00+01:00")

    drawn = timeline.picture(told)

    assert drawn is not None
    # D3 is told until the arrest is a year old, which moves no case.
    assert told.history[-1].start_time.ToDatetime(UTC) > on(12, 1, year=2005)
    assert drawn.end == datetime(2005, 4, 30, 23, tzinfo=UTC) + timeline.MARGIN
    assert drawn.others[0].bars[-1].text == "D1 on 1 May 2005"
    assert all(bar.end <= drawn.end for lane in drawn.lanes for bar in lane.bars)


def test_the_picture_is_written_to_a_file(ppo: Run, served: Served, tmp_path: Path) -> None:
    served.tracking.explained = cross()

    ran = ppo("owner", "explain", "79/163001B", "--svg", str(tmp_path / "owners.svg"), "--json")

    drawn = ElementTree.parse(tmp_path / "owners.svg")
    words = [one.text or "" for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert json.loads(ran.out)["ownership"]["owner"] == "E3"
    assert words[0] == "Whose case: 79/163001B"
    assert {"Owner", "E3", "F2", "now, 31 December 2004"} <= set(words)
    assert "20 January 2005: F2 (O6), if nothing else happens" in words


def test_a_picture_that_cannot_be_written_is_one_line(ppo: Run, served: Served, tmp_path: Path) -> None:
    served.tracking.explained = cross()

    ran = ppo("owner", "explain", "79/163001B", "--svg", str(tmp_path / "not there" / "owners.svg"))

    assert ran.code == 1
    assert ran.err.endswith("No such file or directory\n")


def test_words_that_look_like_markup_are_words_in_the_picture() -> None:
    picture = timeline.picture(cross())
    assert picture is not None

    drawn = ElementTree.fromstring(drawing.svg(picture, "<b> & 'quotes'"))

    assert "<b> & 'quotes'" in [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("width", [50, 80, 130, 300])
def test_no_line_of_a_timeline_is_wider_than_the_terminal(width: int) -> None:
    picture = timeline.picture(cross())
    assert picture is not None

    assert max(map(len, timeline.lines(picture, width))) <= width


def test_who_never_had_a_case_has_no_picture() -> None:
    assert timeline.picture(tracking.ExplainOwnershipResponse()) is None
