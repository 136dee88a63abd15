"""An explanation: why it is somebody's case, what would change it, what is only supposed."""

from datetime import UTC, datetime, timedelta

import pytest
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.errors import Invalid
from services.tracking import suppositions
from services.tracking.casefile import CaseFile
from tests.integration.tracking.running import stamp
from tests.unit.tracking.files import (
    NOW,
    REGISTERED,
    arrested,
    casefile,
    decided,
    disputed,
    lives,
    on,
    planned,
    received,
    released,
    told,
)

CROSS = (lives("E3", on(9, 1)), arrested("D3", on(12, 10)))
INSIDE = (*CROSS, received(on(12, 11)))


def prospects(response: pb.ExplainOwnershipResponse) -> list[tuple[str, str, str]]:
    return [
        (one.condition, one.ownership.owner, one.ownership.rule)
        for one in response.prospects
        if not one.HasField("time")
    ]


def supposed(file: CaseFile, *suppositions_: pb.Supposition, at: datetime = NOW) -> pb.Ownership:
    return told(suppositions.suppose(file, suppositions_, NOW), at).ownership


# ---- at a time


def test_it_is_told_for_any_time_past_or_ahead() -> None:
    file = casefile(*CROSS, lives("D3", on(12, 20), handover=on(1, 20, year=2005)))

    owners = [told(file, at).ownership for at in (on(11, 1), REGISTERED, on(12, 21), on(1, 20, year=2005))]

    assert [(one.owner, one.proposed_owner, one.rule) for one in owners] == [
        ("", "", ""),
        ("E3", "", "O5"),
        ("E3", "D3", "O10"),
        ("D3", "", "O5"),
    ]


def test_the_history_goes_on_with_what_time_alone_will_bring() -> None:
    history = told(casefile(*CROSS)).history

    assert [(one.ownership.rule, list(one.ownership.interested_ocus)) for one in history] == [
        ("O5", []),
        ("O6", ["D3"]),
        ("O5", []),
    ]
    assert history[-1].start_time.ToDatetime(UTC) == datetime(2005, 12, 10, tzinfo=UTC)


# ---- what would change it


def test_a_home_elsewhere_and_a_dispute_would_change_it() -> None:
    assert prospects(told(casefile(*CROSS))) == [
        ("a home in D3", "D3", "O5"),
        ("a dispute raised by D3", "E3", "O1"),
    ]


def test_where_nobody_else_is_concerned_any_other_ocu_is_named() -> None:
    assert prospects(told(casefile(lives("D3", on(9, 1)))))[0] == ("a home in D1", "D1", "O5")


def test_what_time_alone_will_bring_is_named_with_its_day() -> None:
    first = told(casefile(*CROSS)).prospects[0]

    assert first.time.ToDatetime(UTC) == datetime(2005, 12, 10, tzinfo=UTC)
    assert list(first.ownership.interested_ocus) == []


def test_in_prison_the_release_and_its_address_would_change_it() -> None:
    plan = planned(Date(year=2005, month=2, day=14), "F2", on(12, 20))

    assert prospects(told(casefile(*INSIDE, plan)))[:3] == [
        ("a release to the confirmed address in F2", "F2", "O6"),
        ("an address for the release confirmed in D3", "E3", "O4"),
        ("no confirmed address for the release on 14 February 2005", "E3", "O3"),
    ]


def test_what_would_change_nothing_is_not_named() -> None:
    conditions = [condition for condition, _, _ in prospects(told(casefile(*INSIDE)))]

    assert conditions == ["an address for the release confirmed in D3", "a dispute raised by D3"]


def test_a_dispute_is_changed_by_the_forum_alone() -> None:
    file = casefile(*CROSS, disputed("F2", on(12, 20)))

    assert prospects(told(file)) == [
        ("a decision of the forum for E3", "E3", "O2"),
        ("a decision of the forum for D3", "D3", "O2"),
        ("a decision of the forum for F2", "F2", "O2"),
    ]


def test_of_a_child_the_birthday_is_named() -> None:
    response = told(casefile(*CROSS, born="1987-03-12"))

    first = response.prospects[0]
    assert (first.ownership.owner, first.time.ToDatetime(UTC)) == ("E3", datetime(2005, 3, 12, tzinfo=UTC))


# ---- the dated facts


def test_each_fact_stands_with_its_time() -> None:
    plan = planned(Date(year=2005, month=2, day=14), "F2", on(12, 20))
    response = told(
        casefile(*INSIDE, plan, disputed("F2", on(12, 21)), decided("F2", on(12, 22)), released(on(12, 23)))
    )

    texts = [
        fact.text
        for lane in ("registrations", "residences", "stays", "planned_releases", "arrests", "disputes")
        for fact in getattr(response.facts, lane)
    ]
    assert texts == [
        "nominated by D3, catch and convict",
        "home in E3",
        # Whoever is let out to a confirmed address lives there.
        "home in F2",
        "in prison, BMI",
        "planned for 14 February 2005, to F2",
        "arrested, D3",
        "dispute by F2",
        "forum-d3-north for F2",
    ]
    assert response.facts.stays[0].end_time.ToDatetime(UTC) == on(12, 23)
    assert response.facts.residences[0].end_time == response.facts.residences[1].start_time


def test_as_known_then_a_later_fact_is_not_there() -> None:
    file = casefile(*CROSS, lives("F2", on(12, 1), recorded=on(12, 20)))

    assert [fact.text for fact in told(file, known_at=on(12, 19)).facts.residences] == ["home in E3"]
    assert [fact.text for fact in told(file, known_at=on(12, 20)).facts.residences] == [
        "home in E3",
        "home in F2",
    ]


# ---- what is supposed


HOME_IN_D3 = pb.SupposedResidence(kind=pb.RESIDENCE_KIND_HOME, ocu="D3")
HOSTEL_IN_D3 = pb.SupposedResidence(kind=pb.RESIDENCE_KIND_HOSTEL, ocu="D3")


@pytest.mark.parametrize(
    ("supposition", "owner", "rule"),
    [
        (pb.Supposition(residence=HOME_IN_D3), "D3", "O5"),
        (pb.Supposition(residence=HOSTEL_IN_D3), "E3", "O7"),
        (
            pb.Supposition(residence=pb.SupposedResidence(kind=pb.RESIDENCE_KIND_NO_FIXED_ABODE)),
            "E3",
            "O8",
        ),
        (pb.Supposition(received_prison_id="BMI"), "E3", "O3"),
        (pb.Supposition(disputed_by="F2"), "E3", "O1"),
        (pb.Supposition(decided_for="F2"), "F2", "O2"),
        (pb.Supposition(removed=True), "", "O12"),
    ],
)
def test_a_supposition_is_decided_as_if_it_were_so(
    supposition: pb.Supposition, owner: str, rule: str
) -> None:
    found = supposed(casefile(*CROSS), supposition)

    assert (found.owner, found.rule) == (owner, rule)


def test_suppositions_follow_each_other() -> None:
    decision = pb.Supposition(decided_for="F2")
    sentence = pb.Supposition(stage=pb.STAGE_KIND_COMMUNITY_SENTENCE, time=stamp(NOW + timedelta(days=1)))

    found = supposed(casefile(*CROSS), decision, sentence, at=NOW + timedelta(days=2))

    assert (found.owner, found.rule) == ("E3", "O6")


def test_a_release_to_a_supposed_address_hands_the_case_over() -> None:
    day = NOW + timedelta(days=45)
    plan = pb.SupposedRelease(release_date=Date(year=2005, month=2, day=14), ocu="F2")
    suppositions_ = [pb.Supposition(planned_release=plan), pb.Supposition(released=True, time=stamp(day))]

    inside = supposed(casefile(*INSIDE), *suppositions_)
    out = supposed(casefile(*INSIDE), *suppositions_, at=day)

    assert (inside.owner, inside.proposed_owner, inside.rule) == ("E3", "F2", "O4")
    assert (out.owner, out.rule) == ("F2", "O6")


def test_a_supposed_arrest_counts_where_its_suite_stands() -> None:
    found = supposed(casefile(*CROSS), pb.Supposition(arrested_suite_id="F2"))

    assert list(found.interested_ocus) == ["D3", "F2"]


@pytest.mark.parametrize(
    ("supposition", "field"),
    [
        (pb.Supposition(), "suppositions[0]"),
        (pb.Supposition(disputed_by="ZZ"), "suppositions[0].disputed_by"),
        (pb.Supposition(received_prison_id="D3"), "suppositions[0].received_prison_id"),
        (
            pb.Supposition(residence=pb.SupposedResidence(kind=pb.RESIDENCE_KIND_HOME)),
            "suppositions[0].residence.ocu",
        ),
    ],
)
def test_what_cannot_be_supposed_is_refused_by_its_field(supposition: pb.Supposition, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        suppositions.suppose(casefile(*CROSS), [supposition], NOW)

    assert refused.value.field == field
