"""The ownership table: the worked cases by name, each rule from both sides, always exactly one owner."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days
from services.tracking.evidence import (
    TEMPORARY,
    Areas,
    Dispute,
    Evidence,
    Existing,
    Former,
    ForumDecision,
    Limits,
    Offence,
    Plan,
    Residence,
    Status,
    Stay,
)
from services.tracking.ownership import TABLE, decide, follow, history
from tests.unit.tracking.cases import (
    AREAS,
    AT,
    DAY,
    HOSTEL,
    NOWHERE,
    OCUS,
    REGISTERED,
    TICK,
    ago,
    asked,
    evidence,
    lives,
    offends,
    ownership,
    owns,
)

ASSIGNED, PROPOSED = pb.OWNERSHIP_STATE_ASSIGNED, pb.OWNERSHIP_STATE_PROPOSED
DISPUTED, INTERIM = pb.OWNERSHIP_STATE_DISPUTED, pb.OWNERSHIP_STATE_INTERIM
NONE = pb.OWNERSHIP_STATE_NONE

CROSS: dict[str, Any] = {"residences": (lives("E3"),), "offences": offends("D3", "F2")}
TIED: dict[str, Any] = {
    "residences": (lives("", 90, NOWHERE),),
    "offences": offends(*["D3", "F2"] * 4),
}


def says(found: pb.Ownership) -> tuple[str, str, int]:
    return found.rule, found.owner, found.state


# ---- the worked cases


def test_a_lives_in_e3_and_offends_in_d3_and_f2() -> None:
    found = ownership(**CROSS)

    assert says(found) == ("O6", "E3", ASSIGNED)
    assert list(found.interested_ocus) == ["D3", "F2"]


def test_b_held_in_a_prison_that_stands_in_another_ocu() -> None:
    assert says(ownership(**CROSS, stays=(Stay(ago(5)),))) == ("O3", "E3", ASSIGNED)


def test_c_to_be_released_to_a_relative_in_f2() -> None:
    release = days.day(AT + 80 * DAY)
    plan = Plan(release, "F2")
    before = ownership(**CROSS, existing=owns("E3"), stays=(Stay(ago(50), None, plan),))
    out = days.midnight(release) + timedelta(hours=9)
    after = ownership(out, **CROSS, existing=owns("E3"), stays=(Stay(ago(50), out, plan),))

    assert (says(before), before.proposed_owner) == (("O4", "E3", PROPOSED), "F2")
    assert before.handover_time.ToDatetime(UTC) == days.midnight(release)
    assert says(after) == ("O6", "F2", ASSIGNED)
    assert after.effective_time.ToDatetime(UTC) == out


def test_d_of_no_fixed_abode_with_as_many_offences_in_two_ocus() -> None:
    found = ownership(**TIED)

    assert says(found) == ("O8", "F2", ASSIGNED)
    assert list(found.interested_ocus) == ["D3"]


def test_e_in_a_hostel_in_d3_when_e3_has_the_case() -> None:
    found = ownership(residences=(lives("E3"), lives("D3", 10, HOSTEL)), existing=owns("E3"))

    assert says(found) == ("O7", "E3", ASSIGNED)
    assert list(found.interested_ocus) == ["D3"]


def test_f_lives_in_sandwell_unregistered_there_and_offends_in_f2() -> None:
    found = ownership(residences=(lives("K1"),), offences=offends("F2"))

    assert (says(found), found.proposed_owner) == (("O9", "F2", INTERIM), "K1")


def test_g_f2_disputes_a() -> None:
    found = ownership(**CROSS, existing=owns("E3"), dispute=Dispute(("F2",), ago(1)))

    assert says(found) == ("O1", "E3", DISPUTED)
    assert "F2" in found.interested_ocus


def test_h_the_forum_decides_g_for_f2() -> None:
    found = ownership(**CROSS, existing=owns("E3"), forum=ForumDecision("F2", "forum-e3", ago(0)))

    assert says(found) == ("O2", "F2", ASSIGNED)
    assert list(found.interested_ocus) == ["D3", "E3"]


def test_i_aged_seventeen() -> None:
    found = ownership(**CROSS, birth_date=date(1987, 6, 1))

    assert says(found) == ("O11", "birmingham-yot", ASSIGNED)
    assert list(found.interested_ocus) == ["E3"]


def test_j_removed() -> None:
    found = ownership(**CROSS, existing=owns("E3"), registered=((REGISTERED, ago(1)),))

    assert says(found) == ("O12", "", NONE)
    assert not found.interested_ocus


def test_k_moves_home_from_e3_to_d3() -> None:
    handover = AT + 7 * DAY
    moved = (lives("E3"), lives("D3", 0, handover=handover))
    before = ownership(residences=moved, existing=owns("E3"))
    after = ownership(handover, residences=moved, existing=owns("E3"))

    assert (says(before), before.proposed_owner) == (("O10", "E3", PROPOSED), "D3")
    assert before.handover_time.ToDatetime(UTC) == handover
    assert "D3" in before.interested_ocus
    assert says(after) == ("O5", "D3", ASSIGNED)


def test_l_as_d_when_e3_has_the_case() -> None:
    assert says(ownership(**TIED, existing=owns("E3"))) == ("O8", "E3", ASSIGNED)


# ---- each rule from both sides of its border


def test_o12_a_registration_holds_from_its_start_until_its_end() -> None:
    span: dict[str, Any] = {"registered": ((REGISTERED, AT),)}

    assert [ownership(at, **span).state == NONE for at in (REGISTERED - TICK, REGISTERED, AT - TICK, AT)] == [
        True,
        False,
        False,
        True,
    ]


def test_o11_the_eighteenth_birthday_decides_at_its_first_instant() -> None:
    born: dict[str, Any] = {"birth_date": date(1986, 7, 15)}
    birthday = datetime(2004, 7, 14, 23, tzinfo=UTC)  # midnight of summer time
    before = asked(birthday - TICK, **CROSS, **born, registered=((ago(300), None),))

    assert (before.ownership.rule, before.next_time) == ("O11", birthday)
    assert ownership(birthday, **CROSS, **born, registered=((ago(300), None),)).rule == "O5"


def test_o11_who_was_a_child_is_not_kept_by_the_team() -> None:
    found = ownership(**TIED, birth_date=date(1986, 12, 1), existing=owns("birmingham-yot"))

    assert says(found) == ("O8", "F2", ASSIGNED)


@pytest.mark.parametrize(
    ("strand", "rule"),
    [(screening_pb2.STRAND_PREVENT_AND_DETER, "O11"), (screening_pb2.STRAND_CATCH_AND_CONVICT, "O6")],
)
def test_o11_without_a_date_of_birth_the_strand_tells(strand: Any, rule: str) -> None:
    assert ownership(**CROSS, strand=strand).rule == rule


def test_o11_goes_by_the_residence_then_by_who_nominated() -> None:
    areas = Areas(frozenset({"E3", "D2"}), {"E3": "yot-e", "D2": "yot-d"})
    child: dict[str, Any] = {"areas": areas, "birth_date": date(1988, 1, 1)}

    at_home, elsewhere = (ownership(**child, residences=(lives(area),)) for area in ("E3", "K1"))

    assert (at_home.owner, at_home.home_ocu) == ("yot-e", "E3")
    assert (elsewhere.owner, elsewhere.home_ocu) == ("yot-d", "D2")


def test_o11_an_area_without_a_team_leaves_the_child_with_who_nominated() -> None:
    child = ownership(areas=Areas(frozenset(OCUS), {}), birth_date=date(1988, 1, 1))

    assert says(child) == ("O11", "D2", INTERIM)


def test_o1_a_dispute_holds_from_when_it_is_raised() -> None:
    dispute: dict[str, Any] = {"dispute": Dispute(("F2",), AT)}

    assert ownership(AT - TICK, **CROSS, **dispute).rule == "O6"
    assert ownership(AT, **CROSS, **dispute).rule == "O1"


def test_o1_without_an_owner_the_home_has_it_else_the_offences() -> None:
    dispute: dict[str, Any] = {"dispute": Dispute(("F2",), ago(1))}

    assert ownership(**CROSS, **dispute).owner == "E3"
    assert ownership(offences=offends("D3"), **dispute).owner == "D3"


def test_o2_a_decision_lasts_until_it_expires() -> None:
    forum: dict[str, Any] = {"forum": ForumDecision("F2", "forum-e3", ago(9), AT)}

    assert ownership(AT - TICK, **CROSS, **forum).rule == "O2"
    assert ownership(AT, **CROSS, **forum).rule == "O6"


@pytest.mark.parametrize(
    "change",
    [
        {"residences": (lives("E3"), Residence(pb.RESIDENCE_KIND_RELATIVE, "D3", ago(5)))},
        {"sentences": (ago(5),)},
        {"merges": (ago(5),)},
        {"stays": (Stay(ago(50), ago(5)),)},
    ],
)
def test_o2_a_material_change_ends_a_decision(change: dict[str, Any]) -> None:
    forum = ForumDecision("F2", "forum-e3", ago(9))
    given = CROSS | change

    assert ownership(ago(5) - TICK, **given, forum=forum).rule == "O2"
    assert ownership(ago(5), **given, forum=forum).rule != "O2"


def test_o2_what_had_changed_when_the_forum_met_is_in_its_decision() -> None:
    forum = ForumDecision("F2", "forum-e3", ago(5))

    assert ownership(**CROSS, forum=forum, sentences=(ago(5),)).rule == "O2"


def test_o2_a_move_to_a_hostel_is_no_material_change() -> None:
    moved = (lives("E3"), lives("D3", 5, HOSTEL))

    assert ownership(residences=moved, forum=ForumDecision("F2", "forum-e3", ago(9))).rule == "O2"


def test_o4_the_new_owner_is_proposed_from_three_months_before() -> None:
    plan = Plan(date(2005, 3, 1), "F2")
    inside: dict[str, Any] = {**CROSS, "existing": owns("E3"), "stays": (Stay(ago(50), None, plan),)}
    proposal = datetime(2004, 12, 1, tzinfo=UTC)
    early = asked(proposal - TICK, **inside)

    assert (says(early.ownership), early.ownership.proposed_owner) == (("O4", "E3", ASSIGNED), "")
    assert early.next_time == proposal
    assert ownership(proposal, **inside).proposed_owner == "F2"


def test_o4_who_is_not_let_out_on_the_day_stays_with_the_owner() -> None:
    plan = Plan(days.day(ago(3)), "F2")

    assert says(ownership(**CROSS, existing=owns("E3"), stays=(Stay(ago(50), None, plan),))) == (
        "O4",
        "E3",
        PROPOSED,
    )


@pytest.mark.parametrize(("area", "rule"), [("F2", "O4"), ("K1", "O4"), ("E3", "O3"), ("", "O3")])
def test_o4_needs_a_confirmed_address_in_another_area(area: str, rule: str) -> None:
    stay = Stay(ago(50), None, Plan(days.day(AT + 30 * DAY), area))

    assert ownership(**CROSS, existing=owns("E3"), stays=(stay,)).rule == rule


@pytest.mark.parametrize(("accepted", "handed_over"), [(None, False), (AT, True)])
def test_o4_a_scheme_outside_takes_over_when_it_has_registered(
    accepted: datetime | None, handed_over: bool
) -> None:
    given: dict[str, Any] = {
        **CROSS,
        "existing": owns("E3"),
        "registered_outside": {"K1": accepted} if accepted else {},
    }
    stay = Stay(ago(50), None, Plan(days.day(AT + 30 * DAY), "K1"))
    inside = ownership(**given, stays=(stay,))
    out = ownership(AT + 30 * DAY, **given, stays=(Stay(stay.received, AT + 30 * DAY, stay.plan),))

    assert (inside.owner, inside.proposed_owner, inside.HasField("handover_time")) == (
        "E3",
        "K1",
        handed_over,
    )
    assert (out.rule, out.owner) == ("O9", "K1" if handed_over else "E3")


def test_o3_the_home_at_reception_counts_and_no_later_one() -> None:
    homes = (lives("E3"), lives("D3", 2))

    assert says(ownership(residences=homes, stays=(Stay(ago(5)),))) == ("O3", "E3", ASSIGNED)


def test_o3_ends_with_the_release() -> None:
    stay: dict[str, Any] = {"stays": (Stay(ago(50), AT),)}

    assert ownership(AT - TICK, **CROSS, **stay).rule == "O3"
    assert ownership(AT, **CROSS, **stay).rule == "O6"


def test_o7_a_stay_of_28_days_is_temporary_and_one_of_29_is_not() -> None:
    stay: dict[str, Any] = {"residences": (Residence(HOSTEL, "D3", datetime(2004, 11, 1, 15, tzinfo=UTC)),)}
    end = datetime(2004, 11, 30, tzinfo=UTC)
    last = asked(end - TICK, **stay)

    assert (last.ownership.rule, last.next_time, last.reviews) == ("O7", end, ())
    assert ownership(end, **stay).rule == "O5"
    assert decide(evidence(**stay), end, Limits(temporary_days=60)).ownership.rule == "O7"


def test_o7_after_too_long_a_stay_the_owner_keeps_the_case_until_a_hand_over_is_agreed() -> None:
    long = asked(residences=(lives("E3"), lives("D3", 40, HOSTEL)), existing=owns("E3"))
    agreed = ownership(residences=(lives("D3", 40, HOSTEL, handover=AT),), existing=owns("E3"))

    assert (says(long.ownership), long.ownership.proposed_owner) == (("O10", "E3", PROPOSED), "D3")
    assert long.reviews == ("in temporary accommodation for more than 28 days",)
    assert says(agreed) == ("O5", "D3", ASSIGNED)


def test_o7_no_length_of_stay_outside_makes_a_home_there() -> None:
    assert says(ownership(residences=(lives("K1", 90, HOSTEL),), existing=owns("E3"))) == (
        "O7",
        "E3",
        ASSIGNED,
    )


def test_o9_a_home_scheme_owns_once_it_has_registered() -> None:
    home: dict[str, Any] = {
        "residences": (lives("K1"),),
        "offences": offends("F2"),
        "registered_outside": {"K1": AT},
    }

    assert says(ownership(AT - TICK, **home)) == ("O9", "F2", INTERIM)
    assert says(ownership(AT, **home)) == ("O9", "K1", ASSIGNED)
    assert list(ownership(AT, **home).interested_ocus) == ["F2"]


def test_o9_an_existing_owner_stays_until_the_home_scheme_accepts() -> None:
    found = ownership(residences=(lives("K1"),), offences=offends("F2"), existing=owns("E3"))

    assert (says(found), found.proposed_owner) == (("O9", "E3", PROPOSED), "K1")


def test_o9_counts_permanent_homes_only() -> None:
    assert ownership(residences=(lives("K1", 9, HOSTEL),), offences=offends("F2")).rule == "O7"


@pytest.mark.parametrize(
    ("offences", "owner"),
    [
        (offends("F2", "D3", "D3"), "D3"),
        (offends("D3", "F2", "D3", "F2"), "F2"),
        ((Offence("F2", ago(9)), Offence("D3", ago(9))), "D3"),
        (offends("D3", "D3", "D3", last=366) + offends("F2"), "F2"),
        (offends("K1", "K1", "F2"), "F2"),
    ],
)
def test_o8_goes_by_most_offences_then_by_the_latest_then_by_the_code(
    offences: tuple[Offence, ...], owner: str
) -> None:
    assert says(ownership(offences=offences)) == ("O8", owner, ASSIGNED)


def test_o8_without_offences_who_nominated_has_it_for_the_time_being() -> None:
    assert says(ownership()) == ("O8", "D2", INTERIM)


def test_o8_an_interim_owner_gives_way_to_the_offences() -> None:
    assert says(ownership(**TIED, existing=owns("D2", interim=True))) == ("O8", "F2", ASSIGNED)


@pytest.mark.parametrize(
    ("offences", "rule", "interested"),
    [
        ((), "O5", []),
        (offends("E3"), "O5", []),
        (offends("K1"), "O5", []),
        (offends("E3", "D3"), "O6", ["D3"]),
        (offends("D3"), "O6", ["D3"]),
    ],
)
def test_o5_and_o6_part_at_an_offence_in_another_ocu(
    offences: tuple[Offence, ...], rule: str, interested: list[str]
) -> None:
    found = ownership(residences=(lives("E3"),), offences=offences)

    assert (found.rule, found.owner, list(found.interested_ocus)) == (rule, "E3", interested)


def test_o6_an_offence_counts_for_twelve_months() -> None:
    offence: dict[str, Any] = {
        "residences": (lives("E3"),),
        "offences": (Offence("D3", datetime(2003, 12, 1, 22, tzinfo=UTC)),),
    }
    gone = datetime(2004, 12, 1, tzinfo=UTC)

    assert ownership(gone - TICK, **offence).rule == "O6"
    assert asked(gone - TICK, **offence).next_time == gone
    assert ownership(gone, **offence).rule == "O5"


@pytest.mark.parametrize(("before", "rule", "owner"), [(TICK, "O10", "E3"), (0 * TICK, "O5", "D3")])
def test_o10_the_old_owner_keeps_the_case_up_to_the_hand_over(
    before: timedelta, rule: str, owner: str
) -> None:
    handover = AT + 7 * DAY
    moved = asked(
        handover - before, residences=(lives("E3"), lives("D3", 0, handover=handover)), existing=owns("E3")
    )

    assert (moved.ownership.rule, moved.ownership.owner) == (rule, owner)
    assert moved.next_time == handover or not before


@pytest.mark.parametrize("kind", TEMPORARY)
def test_o7_every_temporary_kind_leaves_the_case_where_it_was(kind: pb.ResidenceKind.ValueType) -> None:
    found = ownership(residences=(lives("E3"), lives("D3", 10, kind)), existing=owns("E3"))

    assert (says(found), list(found.interested_ocus)) == (("O7", "E3", ASSIGNED), ["D3"])


def test_o10_a_move_without_a_hand_over_time_takes_effect_at_once() -> None:
    found = ownership(residences=(lives("E3"), lives("D3", 0)), existing=owns("E3"))

    assert (says(found), found.effective_time.ToDatetime(UTC)) == (("O5", "D3", ASSIGNED), AT)


def test_o10_who_handed_over_is_told_for_28_days_more() -> None:
    handed: dict[str, Any] = {"residences": (lives("D3"),), "existing": owns("D3")}
    until = datetime(2004, 11, 1, 9, tzinfo=UTC)
    end = datetime(2004, 11, 30, tzinfo=UTC)

    assert list(ownership(end - TICK, **handed, former=Former("E3", until)).interested_ocus) == ["E3"]
    assert list(ownership(end, **handed, former=Former("E3", until)).interested_ocus) == []


def test_an_owner_that_stays_has_been_it_since_before() -> None:
    assert ownership(**CROSS, existing=owns("E3")).effective_time.ToDatetime(UTC) == ago(60)


def test_an_ocu_that_is_no_more_has_no_case() -> None:
    assert ownership(**TIED, existing=owns("A1")).owner == "F2"


def test_two_years_in_custody_are_reviewed_and_remove_nothing() -> None:
    stay: dict[str, Any] = {"stays": (Stay(datetime(2002, 12, 1, 12, tzinfo=UTC)),), "existing": owns("E3")}
    begin = datetime(2004, 12, 1, tzinfo=UTC)

    assert asked(begin - TICK, **stay).reviews == ()
    assert asked(begin, **stay).reviews == ("in custody for 24 months or more",)
    assert ownership(begin, **stay).owner == "E3"


# ---- in words


@pytest.mark.parametrize(
    ("status", "lead"), [(Status.LICENCE, "probation leads"), (Status.NONE, "the police lead")]
)
def test_the_order_of_a_court_names_the_lead_and_moves_nothing(status: Status, lead: str) -> None:
    found = ownership(**CROSS, status=status)

    assert found.owner == "E3"
    assert lead in found.facts[-1]


def test_the_facts_read_as_a_colleague_would_say_them() -> None:
    found = ownership(**CROSS | {"offences": offends("D3", "D3", "F2")}, status=Status.LICENCE)

    assert list(found.facts) == [
        "Has lived in E3 since 28 October 2003.",
        "2 offences in D3 and 1 offence in F2 in the last 12 months.",
        "On licence: probation leads, with the police offender manager.",
    ]


def test_a_hand_over_ahead_is_said() -> None:
    moved = (lives("E3"), lives("D3", 0, handover=AT + 7 * DAY))

    assert (
        "E3 keeps the case until it hands over to D3 on 8 December 2004."
        in ownership(residences=moved, existing=owns("E3")).facts
    )


# ---- always exactly one

areas = st.sampled_from(["D3", "E3", "F2", "K1"])
instants = st.integers(-800, 400).map(lambda half_days: AT + timedelta(hours=12 * half_days))
residences = st.builds(
    lambda kind, area, start, handover: Residence(kind, "" if kind == NOWHERE else area, start, handover),
    st.sampled_from([kind for kind in pb.ResidenceKind.values() if kind]),
    areas,
    instants,
    st.none() | instants,
)
plans = st.builds(Plan, instants.map(days.day), st.just("") | areas)
stays = st.builds(
    lambda received, length, plan: Stay(received, length and received + length, plan),
    instants,
    st.none() | st.integers(1, 400).map(lambda n: n * DAY),
    st.none() | plans,
)
cases = st.builds(
    Evidence,
    areas=st.just(AREAS),
    registered=st.just(((ago(380), ago(-190)),)),
    nominating_ocu=st.just("D2"),
    birth_date=st.none() | st.sampled_from([date(1980, 1, 1), date(1986, 10, 30), date(1987, 3, 2)]),
    residences=st.lists(residences, max_size=3).map(tuple),
    offences=st.lists(st.builds(Offence, areas, instants), max_size=5).map(tuple),
    stays=st.lists(stays, max_size=2).map(tuple),
    sentences=st.lists(instants, max_size=1).map(tuple),
    merges=st.lists(instants, max_size=1).map(tuple),
    strand=st.sampled_from(screening_pb2.Strand.values()),
    status=st.sampled_from(Status),
    existing=st.none() | st.builds(Existing, st.sampled_from(["E3", "D2"]), st.just(ago(380)), st.booleans()),
    former=st.none() | st.builds(Former, areas, instants),
    forum=st.none()
    | st.builds(ForumDecision, st.just("F2"), st.just("forum-e3"), instants, st.none() | instants),
    dispute=st.none() | st.builds(Dispute, st.just(("F2",)), instants),
    registered_outside=st.dictionaries(st.just("K1"), instants, max_size=1),
)
within = st.integers(0, 379 * 24).map(lambda hours: ago(379) + timedelta(hours=hours))


@given(cases, within)
def test_a_live_registration_has_exactly_one_owner(case: Evidence, at: datetime) -> None:
    found = decide(case, at).ownership

    assert found.owner in {*OCUS, "birmingham-yot", "K1"}
    assert found.owner not in found.interested_ocus
    assert set(found.interested_ocus) <= set(OCUS)
    assert (found.owner == "birmingham-yot") == (found.rule == "O11")
    assert found.state in (ASSIGNED, PROPOSED, DISPUTED, INTERIM)
    assert found.state != PROPOSED or found.proposed_owner not in ("", found.owner)


@given(cases, within, st.floats(0, 1))
def test_nothing_but_the_next_instant_changes_a_decision(case: Evidence, at: datetime, part: float) -> None:
    decision = decide(case, at)
    turn = decision.next_time or at + 400 * DAY
    last = turn - TICK
    between = at + part * (last - at)
    for later in (between, last):
        found = decide(case, later)
        found.ownership.effective_time.CopyFrom(decision.ownership.effective_time)
        assert (found.ownership, found.reviews) == (decision.ownership, decision.reviews)


@given(cases)
def test_a_history_has_an_owner_at_every_instant_of_the_registration(case: Evidence) -> None:
    (begin, end) = case.registered[0]
    assert end is not None
    told = list(history(case, begin, end))

    assert told[0][0] == begin
    assert all(decision.next_time == at for (_, decision), (at, _) in pairwise(told))
    assert [bool(decision.ownership.owner) for at, decision in told] == [at < end for at, _ in told]


def test_a_history_hands_over_at_its_time_and_remembers_who_had_it() -> None:
    moved = evidence(residences=(lives("E3"), lives("D3", 0, handover=AT + 7 * DAY)), existing=owns("E3"))
    told = dict(history(moved, AT, AT + 60 * DAY))
    owners = [
        (decision.ownership.owner, list(decision.ownership.interested_ocus)) for decision in told.values()
    ]

    assert owners == [("E3", ["D3"]), ("D3", ["E3"]), ("D3", [])]
    assert told[AT + 7 * DAY].ownership.rule == "O5"


def test_an_owner_for_the_time_being_gives_way_when_more_is_known() -> None:
    late = evidence(offences=(Offence("F2", AT + 7 * DAY),))

    owned = [says(decision.ownership) for _, decision in history(late, AT, AT + 30 * DAY)]

    assert owned == [("O8", "D2", INTERIM), ("O8", "F2", ASSIGNED)]


@pytest.mark.parametrize("interim", [True, False])
def test_a_dispute_makes_no_owner_of_an_interim_one(interim: bool) -> None:
    case = evidence(**TIED, existing=Existing("F2", ago(9), interim), dispute=Dispute(("D3",), ago(1)))
    following = follow(case, decide(case, AT)).existing

    assert following == Existing("F2", ago(9), interim)


def test_the_table_is_evaluated_in_the_order_of_the_page() -> None:
    assert [rule.id for rule in TABLE] == ["O12", "O11", "O1", "O2", "O4", "O3", "O7", "O9", "O8", "O5", "O6"]
