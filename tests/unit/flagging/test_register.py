"""The rules of the register: which step from which state, under which guards, whatever came before."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import screening_pb2
from services.flagging import register
from services.flagging.register import (
    ACTIVE,
    ANNULLED,
    DECLINED,
    EXIT_PLANNED,
    NOMINATED,
    REMOVED,
    UNDER_REVIEW,
    Standing,
)
from services.runtime.errors import Illegal

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICE, PROBATION, HOUSING = pb.AGENCY_POLICE, pb.AGENCY_PROBATION, pb.AGENCY_HOUSING
VOLUME = [pb.CRITERION_VOLUME]
PLAN = pb.ExitPlan(drug_route=pb.DRUG_ROUTE_NONE, mainstream_information=True, summary="-")
EVERY_STATE = [NOMINATED, UNDER_REVIEW, ACTIVE, DECLINED, EXIT_PLANNED, REMOVED, ANNULLED]


def votes(agrees: bool = True, *agencies: pb.Agency.ValueType) -> list[pb.Vote]:
    return [pb.Vote(agency=agency, agrees=agrees) for agency in agencies or (POLICE, PROBATION)]


def removal(**changes: Any) -> pb.RemovePpoRequest:
    request: dict[str, Any] = {
        "reason": pb.REMOVAL_REASON_MOVED_AWAY,
        "forum_id": "forum-d1",
        "votes": votes(),
    }
    return pb.RemovePpoRequest(**(request | changes))


def death() -> pb.RemovePpoRequest:
    return pb.RemovePpoRequest(reason=pb.REMOVAL_REASON_DECEASED)


def standing(state: register.State) -> Standing:
    if state in (ACTIVE, EXIT_PLANNED, ANNULLED):
        return Standing(state, NOON - DAY)
    if state == REMOVED:
        return Standing(state, NOON - DAY, NOON, pb.REMOVAL_REASON_MOVED_AWAY)
    return Standing(state)


def activated(
    before: Standing,
    *,
    doubtful: bool = False,
    criteria: Sequence[int] = VOLUME,
    by: list[pb.Vote] | None = None,
) -> Standing:
    request = pb.DecideNominationRequest(doubtful=doubtful, votes=votes() if by is None else by)
    return register.activate(before, request, criteria, NOON)


# ---- the steps

STEPS: dict[str, Callable[[Standing], Standing]] = {
    "review": register.review,
    "activate": activated,
    "decline": register.decline,
    "plan exit": lambda before: register.plan_exit(before, PLAN),
    "cancel exit": register.cancel_exit,
    "remove": lambda before: register.remove(before, removal(), NOON + DAY, NOON),
    "die": lambda before: register.remove(before, death(), NOON + DAY, NOON),
    "annul": register.annul,
}
ALLOWED = {
    "review": {NOMINATED},
    "activate": {NOMINATED, UNDER_REVIEW},
    "decline": {NOMINATED, UNDER_REVIEW},
    "plan exit": {ACTIVE},
    "cancel exit": {EXIT_PLANNED},
    "remove": {EXIT_PLANNED},
    "die": {ACTIVE, EXIT_PLANNED},
    "annul": {ACTIVE, EXIT_PLANNED},
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", EVERY_STATE, ids=register.state_name)
def test_a_step_is_taken_from_the_states_of_the_table_and_refused_from_every_other(
    step: str, state: register.State
) -> None:
    if state in ALLOWED[step]:
        STEPS[step](standing(state))
    else:
        with pytest.raises(Illegal, match="cannot become"):
            STEPS[step](standing(state))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ACTIVE, "a registration cannot become ACTIVE again: this one is ACTIVE already"),
        (
            DECLINED,
            "that is DECLINED cannot become ACTIVE: only one that is NOMINATED or UNDER_REVIEW can",
        ),
    ],
)
def test_a_refused_step_says_what_the_registration_is_and_would_have_to_be(
    state: register.State, said: str
) -> None:
    with pytest.raises(Illegal, match=said):
        STEPS["activate"](standing(state))


@pytest.mark.parametrize(
    ("step", "before", "rule"),
    [
        ("remove", standing(NOMINATED), "NOMINATED_TO_REMOVED"),
        ("activate", standing(DECLINED), "DECLINED_TO_ACTIVE"),
        ("activate", standing(REMOVED), "REMOVED_TO_ACTIVE"),
        (
            "cancel exit",
            register.remove(standing(ACTIVE), death(), NOON, NOON).at(NOON),
            "DECEASED_TO_ACTIVE",
        ),
    ],
)
def test_an_illegal_step_is_named(step: str, before: Standing, rule: str) -> None:
    with pytest.raises(Illegal) as refusal:
        STEPS[step](before)

    assert refusal.value.rule == rule


# ---- the guards


def test_a_ppo_needs_a_criterion() -> None:
    with pytest.raises(Illegal, match="criterion"):
        activated(standing(NOMINATED), criteria=[])


@pytest.mark.parametrize(
    "by",
    [votes(True, POLICE), votes(True, POLICE, HOUSING), [*votes(True, POLICE), *votes(False, PROBATION)]],
)
def test_a_doubtful_case_needs_police_and_probation_to_agree(by: list[pb.Vote]) -> None:
    with pytest.raises(Illegal) as refusal:
        activated(standing(UNDER_REVIEW), doubtful=True, by=by)

    assert refusal.value.rule == "NOT_AGREED"
    assert activated(standing(UNDER_REVIEW), doubtful=False, by=by).state == ACTIVE


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"forum_id": ""}, "NO_FORUM"),
        ({"votes": []}, "NO_CONSENSUS"),
        ({"votes": votes(True, POLICE)}, "NO_CONSENSUS"),
        ({"votes": [*votes(), *votes(False, HOUSING)]}, "NO_CONSENSUS"),
    ],
)
def test_a_removal_needs_a_forum_and_consensus(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(Illegal) as refusal:
        register.remove(standing(EXIT_PLANNED), removal(**change), NOON, NOON)

    assert refusal.value.rule == rule


def test_a_removal_does_not_take_effect_before_the_exit_was_planned() -> None:
    with pytest.raises(Illegal, match="after the exit was planned"):
        register.remove(standing(EXIT_PLANNED), removal(), NOON - timedelta(hours=1), NOON)


@pytest.mark.parametrize(
    "plan",
    [
        pb.ExitPlan(mainstream_information=True, summary="-"),
        pb.ExitPlan(drug_route=pb.DRUG_ROUTE_NONE, summary="-"),
    ],
)
def test_an_exit_plan_has_a_drug_route_and_mainstream_information(plan: pb.ExitPlan) -> None:
    with pytest.raises(Illegal):
        register.plan_exit(standing(ACTIVE), plan)


def test_death_removes_without_forum_and_plan() -> None:
    removed = register.remove(standing(ACTIVE), death(), NOON, NOON).at(NOON)

    assert (removed.state, removed.end, removed.name) == (REMOVED, NOON, "DECEASED")


def test_a_registration_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(Illegal, match="annulled"):
        register.remove(standing(ACTIVE), death(), NOON - DAY, NOON)


def test_a_planned_end_leaves_the_person_a_ppo_until_its_instant() -> None:
    ending = register.remove(standing(EXIT_PLANNED), removal(), NOON + DAY, NOON)

    assert ending.at(NOON + DAY - timedelta(microseconds=1)).state == EXIT_PLANNED
    assert ending.at(NOON + DAY).state == REMOVED


def test_cancelling_an_exit_takes_a_planned_end_back() -> None:
    ending = register.remove(standing(EXIT_PLANNED), removal(), NOON + DAY, NOON)

    assert register.cancel_exit(ending) == Standing(ACTIVE, NOON - DAY)


# ---- beside other registrations


@pytest.mark.parametrize("state", [DECLINED, REMOVED, ANNULLED])
def test_who_was_declined_removed_or_annulled_may_be_nominated_again(state: register.State) -> None:
    assert register.nominate([standing(state)]) == Standing(NOMINATED)


@pytest.mark.parametrize("state", [NOMINATED, UNDER_REVIEW, ACTIVE, EXIT_PLANNED])
def test_nobody_has_two_live_registrations(state: register.State) -> None:
    with pytest.raises(Illegal) as refusal:
        register.nominate([standing(state)])

    assert refusal.value.rule == "ON_REGISTER"


def test_the_dead_are_not_nominated() -> None:
    dead = register.remove(standing(ACTIVE), death(), NOON, NOON).at(NOON)

    with pytest.raises(Illegal) as refusal:
        register.nominate([dead])

    assert refusal.value.rule == "DECEASED_TO_NOMINATED"


@pytest.mark.parametrize(("start", "end"), [(-2, -0.5), (-0.5, 1), (-2, 1), (-0.9, -0.1)])
def test_two_episodes_of_a_person_do_not_overlap(start: float, end: float) -> None:
    episode = Standing(REMOVED, NOON + start * DAY, NOON + end * DAY, pb.REMOVAL_REASON_MOVED_AWAY)

    with pytest.raises(Illegal) as refusal:
        register.place(episode, [standing(REMOVED)])

    assert refusal.value.rule == "OVERLAPS"


def test_an_episode_may_begin_when_the_one_before_ends() -> None:
    register.place(Standing(ACTIVE, NOON), [standing(REMOVED), standing(ANNULLED), standing(DECLINED)])


@pytest.mark.parametrize("later_first", [True, False])
def test_nobody_is_a_ppo_after_death(later_first: bool) -> None:
    dead = register.remove(standing(ACTIVE), death(), NOON, NOON).at(NOON)
    later = Standing(REMOVED, NOON + DAY, NOON + 2 * DAY, pb.REMOVAL_REASON_MOVED_AWAY)
    one, other = (later, dead) if later_first else (dead, later)

    with pytest.raises(Illegal, match="has died"):
        register.place(one, [other])


# ---- age

ADULT, YOUNG = screening_pb2.STRAND_CATCH_AND_CONVICT, screening_pb2.STRAND_PREVENT_AND_DETER


@pytest.mark.parametrize(
    ("born", "adult"),
    [
        ((1986, 12, 31), True),
        ((1987, 1, 1), False),
        ((1986, 12, 0), True),
        ((1986, 0, 0), True),
        ((1987, 0, 0), False),
    ],
)
def test_those_under_18_are_in_prevent_and_deter_and_nobody_else(
    born: tuple[int, int, int], adult: bool
) -> None:
    year, month, day = born
    allowed, refused = (ADULT, YOUNG) if adult else (YOUNG, ADULT)

    register.refuse_age(allowed, Date(year=year, month=month, day=day), NOON)
    with pytest.raises(Illegal):
        register.refuse_age(refused, Date(year=year, month=month, day=day), NOON)


@pytest.mark.parametrize("born", [Date(), Date(month=5, day=1), Date(year=1987, day=30)])
def test_a_date_of_birth_that_does_not_tell_refuses_nobody(born: Date) -> None:
    instant = datetime(2005, 6, 15, tzinfo=UTC)

    register.refuse_age(ADULT, born, instant)
    register.refuse_age(YOUNG, born, instant)


def test_the_birthday_begins_at_midnight_in_london() -> None:
    summer_midnight = datetime(2005, 6, 9, 23, tzinfo=UTC)

    register.refuse_age(ADULT, Date(year=1987, month=6, day=10), summer_midnight)
    with pytest.raises(Illegal):
        register.refuse_age(ADULT, Date(year=1987, month=6, day=10), summer_midnight - timedelta(seconds=1))


# ---- every history


class Tried(NamedTuple):
    """What is tried, how many hours after what came before, and for a removal how many hours ahead."""

    step: str
    later: int
    ahead: int


@given(st.lists(st.builds(Tried, st.sampled_from(sorted(STEPS)), st.integers(1, 30), st.integers(0, 40))))
def test_whatever_is_tried_a_registration_keeps_the_rules(life: list[Tried]) -> None:
    now, held, seen = NOON, Standing(NOMINATED), [NOMINATED]
    for tried in life:
        now += timedelta(hours=tried.later)
        held = held.at(now)
        seen.append(held.state)
        try:
            taken = taken_by(tried, held, now)
        except Illegal:
            continue
        assert held.state in ALLOWED[tried.step]
        held = taken.at(now)
        seen.append(held.state)

    assert consistent(held)
    assert all(after == before or after in NEXT[before] for before, after in pairwise(seen))


def taken_by(tried: Tried, held: Standing, now: datetime) -> Standing:
    if tried.step in ("remove", "die"):
        end = now + timedelta(hours=tried.ahead)
        return register.remove(held, death() if tried.step == "die" else removal(), end, NOON)
    if tried.step == "activate":
        return register.activate(held, pb.DecideNominationRequest(votes=votes()), VOLUME, now)
    return STEPS[tried.step](held)


# The diagram of the domain page: what may stand after what.
NEXT = {
    NOMINATED: {UNDER_REVIEW, ACTIVE, DECLINED},
    UNDER_REVIEW: {ACTIVE, DECLINED},
    ACTIVE: {EXIT_PLANNED, REMOVED, ANNULLED},
    EXIT_PLANNED: {ACTIVE, REMOVED, ANNULLED},
    DECLINED: set(),
    REMOVED: set(),
    ANNULLED: set(),
}


def consistent(held: Standing) -> bool:
    """What the database demands of a row too."""
    ended_for_a_reason = (held.end is None) == (held.removal_reason == pb.REMOVAL_REASON_UNSPECIFIED)
    in_order = held.end is None or (held.start is not None and held.start < held.end)
    started = (held.start is not None) == (held.state in {ACTIVE, EXIT_PLANNED, REMOVED, ANNULLED})
    return ended_for_a_reason and in_order and started
