"""Each row of the table of positions, what is impossible, and that the order of arrival never matters."""

from datetime import timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.custody.v1 import custody_pb2, events_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons import hmpps
from services.prisons.reasons import Absence, Basis, ReleaseKind
from services.tracking import facts as fact_forms
from services.tracking.facts import Event, Fact, known
from services.tracking.journey import journey, known_journey, state_at, to_proto
from services.tracking.state import State
from tests.unit.tracking.journeys import (
    ARRESTED,
    BAILED,
    BEGIN,
    FREE,
    IMPRISONED,
    LICENSED,
    ORDERED,
    REFERENCE,
    REMANDED,
    end,
    fact,
    reception,
    release,
    reviews,
)

OTHER, FREED, CJS, SUPERVISED, REMAND, SENTENCED = (
    pb.POSITION_OTHER_OR_NOT_KNOWN,
    pb.POSITION_AT_LIBERTY_TARGETED,
    pb.POSITION_IN_CJS,
    pb.POSITION_SUPERVISED,
    pb.POSITION_CUSTODY_REMAND,
    pb.POSITION_CUSTODY_SENTENCED,
)
HOUR = timedelta(hours=1)
NOTHING: tuple[Fact, ...] = ()


def simple(event: Event) -> Fact:
    return fact(0, event)


@pytest.mark.parametrize(
    ("before", "next_fact", "position", "detail"),
    [
        (FREE, simple(Event.ARREST), CJS, "CUSTODY_SUITE"),
        (LICENSED, simple(Event.ARREST), CJS, "CUSTODY_SUITE"),
        (NOTHING, simple(Event.ARREST), CJS, "CUSTODY_SUITE"),
        ((*FREE, *ARRESTED), simple(Event.NO_FURTHER_ACTION), FREED, ""),
        ((*LICENSED, *ARRESTED), simple(Event.ACQUITTED), SUPERVISED, "LICENCE"),
        (ARRESTED, simple(Event.NO_FURTHER_ACTION), OTHER, ""),
        (ARRESTED, simple(Event.BAILED), CJS, "ON_BAIL"),
        (ARRESTED, simple(Event.HELD_FOR_COURT), CJS, "HELD_FOR_COURT"),
        (NOTHING, simple(Event.CHARGED), CJS, "CHARGED"),
        (ARRESTED, simple(Event.REMANDED), REMAND, ""),
        (BAILED, simple(Event.COMMUNITY_SENTENCE), SUPERVISED, "COMMUNITY_ORDER"),
        (REMANDED, simple(Event.COMMUNITY_SENTENCE), SUPERVISED, "COMMUNITY_ORDER"),
        (BAILED, simple(Event.CUSTODIAL_SENTENCE), SENTENCED, ""),
        (REMANDED, simple(Event.CUSTODIAL_SENTENCE), SENTENCED, ""),
        (REMANDED, simple(Event.BAILED), CJS, "ON_BAIL"),
        (REMANDED, release(0, ReleaseKind.BAILED), CJS, "ON_BAIL"),
        (REMANDED, simple(Event.ACQUITTED), OTHER, ""),
        ((*FREE, *REMANDED), release(0, ReleaseKind.UNSUPERVISED), FREED, ""),
        ((*LICENSED, *REMANDED), release(0, ReleaseKind.UNSUPERVISED), SUPERVISED, "LICENCE"),
        (IMPRISONED, release(0, ReleaseKind.SUPERVISED), SUPERVISED, "LICENCE"),
        (IMPRISONED, release(0, ReleaseKind.UNSUPERVISED), FREED, ""),
        (IMPRISONED, release(0, ReleaseKind.UNLAWFULLY_AT_LARGE), FREED, "UNLAWFULLY_AT_LARGE"),
        (IMPRISONED, release(0, ReleaseKind.DIED), OTHER, "DECEASED"),
        (IMPRISONED, release(0, ReleaseKind.LEFT_COUNTRY), OTHER, "LEFT_COUNTRY"),
        (IMPRISONED, release(0, ReleaseKind.HOSPITAL), SENTENCED, "IN_HOSPITAL"),
        (IMPRISONED, release(0, ReleaseKind.NO_RELEASE), SENTENCED, ""),
        (ORDERED, simple(Event.BREACH_PROCEEDINGS), CJS, "BREACH_PROCEEDINGS"),
        (LICENSED, simple(Event.RECALL_REQUESTED), SUPERVISED, "RECALL_REQUESTED"),
        (LICENSED, simple(Event.RECALL_EXECUTED), FREED, "UNLAWFULLY_AT_LARGE"),
        ((*LICENSED, *ARRESTED), simple(Event.RECALL_EXECUTED), SENTENCED, "RECALL"),
        ((*LICENSED, fact(-5, Event.RECALL_EXECUTED)), simple(Event.ARREST), SENTENCED, "RECALL"),
        ((*LICENSED, fact(-5, Event.RECALL_EXECUTED)), reception(0, Basis.RECALL), SENTENCED, "RECALL"),
        (LICENSED, simple(Event.ORDER_ENDED), FREED, ""),
        (ORDERED, simple(Event.ORDER_ENDED), FREED, ""),
        (NOTHING, reception(0, Basis.REMAND), REMAND, ""),
        (FREE, reception(0, Basis.SENTENCED), SENTENCED, ""),
        (LICENSED, reception(0, Basis.RECALL), SENTENCED, "RECALL"),
        (NOTHING, reception(0, Basis.NOT_KNOWN), REMAND, "BASIS_NOT_KNOWN"),
        (NOTHING, reception(0, Basis.OTHERWISE), REMAND, "DETAINED_OTHERWISE"),
        (REMANDED, fact(0, Event.ABSENCE_START, absence=Absence.COURT), REMAND, "AT_COURT"),
        (IMPRISONED, fact(0, Event.ABSENCE_START, absence=Absence.POLICE), SENTENCED, "WITH_POLICE"),
        (REMANDED, fact(0, Event.STATUS_CHANGE, convicted=True), SENTENCED, ""),
        (IMPRISONED, fact(0, Event.STATUS_CHANGE, convicted=False), REMAND, ""),
        (LICENSED, simple(Event.REGISTERED), OTHER, ""),
    ],
)
def test_a_fact_leads_from_position_to_position(
    before: tuple[Fact, ...], next_fact: Fact, position: int, detail: str
) -> None:
    state = end(*before, next_fact)

    assert reviews(*before, next_fact) == []
    assert (state.position, state.detail) == (position, detail)


@pytest.mark.parametrize(
    ("before", "next_fact", "why"),
    [
        (NOTHING, release(0), "release before any reception"),
        (FREE, release(0), "release of somebody who is not in custody"),
        (FREE, simple(Event.TRANSFER_OUT), "transfer out of somebody who is not in custody"),
        (FREE, simple(Event.TRANSFER_IN), "transfer in of somebody who is not in custody"),
        (FREE, simple(Event.ABSENCE_START), "absence start of somebody who is not in custody"),
        (FREE, simple(Event.ABSENCE_END), "absence end of somebody who is not in custody"),
        (FREE, simple(Event.STATUS_CHANGE), "status change of somebody who is not in custody"),
        (FREE, simple(Event.RECALL_REQUESTED), "recall without a licence"),
        (ORDERED, simple(Event.RECALL_EXECUTED), "recall without a licence"),
        (FREE, simple(Event.CUSTODIAL_SENTENCE), "sentenced without proceedings"),
        (IMPRISONED, simple(Event.COMMUNITY_SENTENCE), "sentenced without proceedings"),
        (LICENSED, simple(Event.BAILED), "bail without proceedings"),
        (LICENSED, simple(Event.REMANDED), "remanded without proceedings"),
        (FREE, simple(Event.NO_FURTHER_ACTION), "there are no proceedings to end"),
        (FREE, simple(Event.HELD_FOR_COURT), "held for court without an arrest"),
        (FREE, simple(Event.BREACH_PROCEEDINGS), "breach without an order or licence"),
        (FREE, simple(Event.ORDER_ENDED), "there is no order or licence to end"),
        (IMPRISONED, simple(Event.ARREST), "arrested while held at BMI"),
        (IMPRISONED, reception(0, prison="FSI"), "received at FSI while held at BMI"),
        (IMPRISONED, fact(0, Event.TRANSFER_OUT, prison="FSI"), "transfer out from FSI while held at BMI"),
        (
            (*IMPRISONED, release(-1, ReleaseKind.DIED)),
            reception(0),
            "it is dated after the person's death",
        ),
    ],
)
def test_an_impossible_fact_waits_for_review_and_changes_nothing(
    before: tuple[Fact, ...], next_fact: Fact, why: str
) -> None:
    *_, last = journey((*before, next_fact))

    assert last.review == why
    assert last.state == (end(*before) if before else State())


def test_a_release_of_unknown_kind_takes_effect_and_is_reviewed() -> None:
    out = release(0, ReleaseKind.UNKNOWN, code="AR")

    assert end(*IMPRISONED, out).position == OTHER
    assert reviews(*IMPRISONED, out) == ["a release of unknown kind: AR"]


def test_who_is_released_from_another_prison_is_out_and_reviewed() -> None:
    out = release(0, prison="FSI")

    assert end(*IMPRISONED, out).position == SUPERVISED
    assert reviews(*IMPRISONED, out) == ["released from FSI while held at BMI"]


def test_a_transfer_keeps_the_position_and_is_in_transit_between_its_two_events() -> None:
    away, there = fact(0, Event.TRANSFER_OUT), fact(4, Event.TRANSFER_IN, prison="FSI")
    leaving, arriving = journey((*IMPRISONED, away, there))[-2:]

    assert (leaving.state.position, leaving.state.prison, leaving.state.detail) == (
        SENTENCED,
        "",
        "IN_TRANSIT",
    )
    assert (arriving.state.position, arriving.state.prison, arriving.state.detail) == (SENTENCED, "FSI", "")


def test_an_admission_ends_a_transfer_as_well() -> None:
    state = end(*IMPRISONED, fact(0, Event.TRANSFER_OUT), reception(4, Basis.TRANSFER, prison="FSI"))

    assert (state.position, state.prison, state.detail) == (SENTENCED, "FSI", "")


def test_who_comes_back_from_court_may_come_to_another_prison() -> None:
    state = end(*REMANDED, fact(0, Event.ABSENCE_START), fact(8, Event.ABSENCE_END, prison="FSI"))

    assert (state.position, state.prison, state.detail) == (REMAND, "FSI", "")


def test_an_arrest_during_an_absence_keeps_the_position_of_custody() -> None:
    out = fact(0, Event.ABSENCE_START, absence=Absence.POLICE)

    assert reviews(*IMPRISONED, out, fact(1, Event.ARREST)) == []
    assert end(*IMPRISONED, out, fact(1, Event.ARREST)).position == SENTENCED


def test_the_same_reception_told_twice_is_one() -> None:
    first, second = reception(0, Basis.SENTENCED), reception(1, Basis.NOT_KNOWN)

    assert reviews(first, second) == []
    assert end(first, second).custody == end(first).custody


def test_the_end_of_one_arrest_leaves_bail_for_another() -> None:
    state = end(*BAILED, fact(-1, Event.ARREST), fact(0, Event.NO_FURTHER_ACTION))

    assert (state.position, state.detail, state.legal_statuses) == (CJS, "ON_BAIL", ["BAIL"])


@pytest.mark.parametrize("verdict", [Event.BAILED, Event.ACQUITTED, Event.COMMUNITY_SENTENCE])
def test_the_prison_confirms_what_a_court_has_decided(verdict: Event) -> None:
    decided = (*REMANDED, fact(0, Event.ABSENCE_START), fact(1, verdict))
    confirmed = (*decided, fact(3, Event.ABSENCE_END), release(4, ReleaseKind.BAILED))

    assert reviews(*confirmed) == []
    assert end(*confirmed).position == end(*decided).position
    assert reviews(*confirmed, release(5)) == ["release of somebody who is not in custody"]


def test_who_is_recaptured_serves_what_they_escaped_from() -> None:
    escaped = (*IMPRISONED, release(0, ReleaseKind.UNLAWFULLY_AT_LARGE))

    assert end(*escaped, fact(1, Event.ARREST)).position == CJS
    assert end(*escaped, fact(1, Event.ARREST), reception(2, Basis.RETURN)).position == SENTENCED


def test_a_recall_leaves_the_new_offence_to_be_dealt_with() -> None:
    bailed = (*LICENSED, fact(-2, Event.ARREST), fact(-1, Event.BAILED))
    back = (*bailed, reception(0, Basis.RECALL), release(1, ReleaseKind.UNLAWFULLY_AT_LARGE))

    assert end(*back).detail == "ON_BAIL"


def test_a_death_is_believed_even_where_no_reception_was_seen() -> None:
    assert end(release(0, ReleaseKind.DIED)).detail == "DECEASED"


def test_custody_outranks_proceedings_and_proceedings_outrank_supervision() -> None:
    on_licence = end(*LICENSED, fact(-2, Event.ARREST), fact(-1, Event.BAILED))
    inside = end(*LICENSED, fact(-2, Event.ARREST), fact(-1, Event.BAILED), reception(0))

    assert (on_licence.supervision, on_licence.proceedings, on_licence.position) == (
        "LICENCE",
        "ON_BAIL",
        CJS,
    )
    assert (inside.supervision, inside.position) == ("LICENCE", REMAND)


# ---- order, repeats, corrections

DAY = (
    fact(1, Event.ARREST),
    fact(2, Event.HELD_FOR_COURT),
    reception(3),
    fact(4, Event.ABSENCE_START, absence=Absence.COURT),
    fact(5, Event.ABSENCE_END),
    release(6, ReleaseKind.UNSUPERVISED),
)


def test_every_order_of_arrival_gives_the_same_journey() -> None:
    expected = [(step.fact.id, step.state, step.review) for step in journey(DAY)]

    for arrival in permutations(DAY):
        told = [one._replace(recorded=BEGIN + n * HOUR) for n, one in enumerate(arrival)]
        assert [(step.fact.id, step.state, step.review) for step in journey(told)] == expected


def test_a_fact_that_comes_again_is_taken_once() -> None:
    again = [one._replace(recorded=one.recorded + HOUR) for one in DAY]

    assert journey([*again, *DAY]) == journey(DAY)


def test_a_late_fact_takes_another_out_of_review() -> None:
    out = release(6)

    assert reviews(out) == ["release before any reception"]
    assert reviews(out, reception(3, Basis.SENTENCED, recorded=BEGIN + 9 * HOUR)) == []


def test_what_was_not_known_then_is_not_in_the_journey_as_known_then() -> None:
    late = reception(3, recorded=BEGIN + 9 * HOUR)

    assert state_at(known_journey([late], known_at=BEGIN + 8 * HOUR), BEGIN + 5 * HOUR).position == OTHER
    assert state_at(known_journey([late], known_at=BEGIN + 9 * HOUR), BEGIN + 5 * HOUR).position == REMAND


def test_what_had_not_happened_yet_is_not_in_the_journey_as_of_then() -> None:
    assert known_journey(DAY, as_of=BEGIN + 3 * HOUR)[-1].fact.event == Event.RECEPTION


def test_a_fact_withdrawn_is_gone_but_was_known_before() -> None:
    wrong = fact(1, Event.ARREST)._replace(withdrawn=BEGIN + 5 * HOUR)

    assert known_journey([wrong]) == ()
    assert known_journey([wrong], known_at=BEGIN + 5 * HOUR) == ()
    assert known_journey([wrong], known_at=BEGIN + 4 * HOUR)[-1].state.suite


def test_facts_of_one_instant_are_taken_in_the_order_of_the_process() -> None:
    leaving, arriving = fact(0, Event.TRANSFER_OUT), fact(0, Event.TRANSFER_IN, prison="FSI")
    state = end(*IMPRISONED, arriving._replace(id="000"), leaving)

    assert state.prison == "FSI"


events = st.sampled_from(Event)
bases = st.sampled_from(Basis)
kinds = st.sampled_from(ReleaseKind)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    drawn = draw(st.lists(st.tuples(st.integers(0, 60), events, bases, kinds, st.booleans()), max_size=14))
    prisons, codes = st.sampled_from(["BMI", "FSI", ""]), st.sampled_from(["", "CR"])
    return [
        fact(0, event, basis=basis, release=kind, prison=draw(prisons), convicted=convicted)._replace(
            id=f"fact-{n}",
            code=draw(codes),
            # Some less than an hour apart: what is told twice is among them.
            occurred=BEGIN + half * HOUR / 2,
            recorded=BEGIN + draw(st.integers(0, 60)) * HOUR,
        )
        for n, (half, event, basis, kind, convicted) in enumerate(drawn)
    ]


@given(histories(), st.randoms(use_true_random=False))
def test_any_history_in_any_order_is_one_journey(history: list[Fact], chance: Any) -> None:
    shuffled = chance.sample(history, len(history)) + chance.sample(history, len(history) // 2)

    assert journey(shuffled) == journey(history)


@given(histories(), st.randoms(use_true_random=False))
def test_however_late_each_was_heard_of_it_is_the_same_journey(history: list[Fact], chance: Any) -> None:
    heard = chance.sample(range(len(history)), len(history))
    late = [one._replace(recorded=BEGIN + n * HOUR) for one, n in zip(history, heard, strict=True)]

    assert [(step.fact.id, step.state, step.review) for step in journey(late)] == [
        (step.fact.id, step.state, step.review) for step in journey(history)
    ]


@given(histories())
def test_at_any_instant_there_is_exactly_one_position(history: list[Fact]) -> None:
    steps = journey(history)
    ends = [(steps[0].fact.occurred - HOUR, State())] if steps else []
    ends += [(step.fact.occurred, step.state) for step in steps]

    for (begin, state), (until, _) in pairwise(ends):
        if begin < until:
            assert state_at(steps, until - timedelta(microseconds=1)) == state
            assert state.position in pb.Position.values()
            assert state.position != pb.POSITION_UNSPECIFIED


@given(histories())
def test_whoever_has_a_prison_is_in_custody_and_whoever_waits_for_review_stays(history: list[Fact]) -> None:
    before = State()
    for step in journey(history):
        assert not step.state.prison or step.state.position in (REMAND, SENTENCED)
        if step.review and step.fact.event != Event.RELEASE:
            assert step.state == before
        before = step.state


# ---- the forms that facts come in


def test_the_day_of_a_prisoner_from_hmpps_events_is_a_journey() -> None:
    steps = journey(
        fact_form
        for hour, kind, code in [
            (0, movement_pb2.MOVEMENT_KIND_RECEPTION, "N"),
            (24, movement_pb2.MOVEMENT_KIND_ABSENCE_START, "CRT"),
            (30, movement_pb2.MOVEMENT_KIND_ABSENCE_END, "CRT"),
            (48, movement_pb2.MOVEMENT_KIND_TRANSFER_OUT, "OVCROW"),
            (52, movement_pb2.MOVEMENT_KIND_TRANSFER_IN, "INT"),
            (99, movement_pb2.MOVEMENT_KIND_RELEASE, "BL"),
        ]
        if (fact_form := moved(hour, kind, code))
    )

    assert [(step.state.position, step.state.detail) for step in steps] == [
        (REMAND, ""),
        (REMAND, "AT_COURT"),
        (REMAND, ""),
        (REMAND, "IN_TRANSIT"),
        (REMAND, ""),
        (CJS, "ON_BAIL"),
    ]


def moved(hour: int, kind: movement_pb2.MovementKind.ValueType, code: str) -> Fact | None:
    movement = movement_pb2.Movement(
        movement_id=hmpps.movement_id(str(hour)), kind=kind, reason_code=code, prison_id="BMI"
    )
    movement.occurred_time.FromDatetime(BEGIN + hour * HOUR)
    return fact_forms.moved(movement, BEGIN + hour * HOUR, REFERENCE)


def test_a_merge_of_numbers_is_no_step() -> None:
    assert moved(0, movement_pb2.MOVEMENT_KIND_MERGE, "") is None


@pytest.mark.parametrize("kind", movement_pb2.MovementKind.values())
def test_every_kind_of_movement_has_its_event(kind: movement_pb2.MovementKind.ValueType) -> None:
    told = moved(0, kind, "") is not None

    assert told == (kind not in (movement_pb2.MOVEMENT_KIND_UNSPECIFIED, *fact_forms.SILENT))


@pytest.mark.parametrize(
    ("before", "kind", "why"),
    [
        (NOTHING, "RECEPTION", "reception for an unknown code: XX"),
        (IMPRISONED, "RELEASE", "a release of unknown kind: XX"),
        (IMPRISONED, "TRANSFER_OUT", "transfer out for an unknown code: XX"),
        (IMPRISONED, "ABSENCE_START", "absence start for an unknown code: XX"),
    ],
)
def test_a_code_that_nobody_knows_takes_effect_and_is_reviewed(
    before: tuple[Fact, ...], kind: str, why: str
) -> None:
    told = moved(0, movement_pb2.MovementKind.Value(f"MOVEMENT_KIND_{kind}"), "XX")
    assert told is not None

    *_, last = journey((*before, told))

    assert (last.review, last.impossible) == (why, False)


def test_a_movement_that_nobody_knows_the_meaning_of_changes_nothing_and_is_reviewed() -> None:
    strange = fact(0, Event.UNKNOWN, unknown="an unknown reason: ABDUCTED")

    *_, last = journey((*IMPRISONED, strange))

    assert last.state == end(*IMPRISONED)
    assert last.review == "nobody knows what it means: an unknown reason: ABDUCTED"


# ---- told twice

SOON = timedelta(minutes=10)


def noticed(told: Fact, known: timedelta = SOON) -> Fact:
    """As the prisons' search tells it again: a little later, and without a code."""
    return told._replace(
        id=f"{told.id}/noticed",
        occurred=told.occurred + SOON,
        recorded=told.recorded + known,
        code="",
        basis=Basis.NOT_KNOWN,
        release=ReleaseKind.UNKNOWN,
    )


@pytest.mark.parametrize(
    "history",
    [
        (*IMPRISONED, release(0, code="CR")),
        (*IMPRISONED, release(0, ReleaseKind.UNLAWFULLY_AT_LARGE, code="ESCP")),
        (*IMPRISONED, fact(0, Event.TRANSFER_OUT, code="NOTR"), fact(4, Event.TRANSFER_IN, prison="FSI")),
        (reception(0, Basis.SENTENCED, code="I"),),
    ],
)
def test_what_prison_systems_tell_twice_is_one_movement(history: tuple[Fact, ...]) -> None:
    *earlier, last = history
    both = (*earlier, last, noticed(last))

    assert reviews(*both) == []
    assert end(*both) == end(*history)


def test_the_code_is_believed_though_it_came_later_and_the_cause_is_what_came_first() -> None:
    told = release(0, code="CR")
    first = noticed(told)._replace(occurred=told.occurred - SOON, recorded=told.recorded - SOON)

    steps = journey((*IMPRISONED, told, first))

    assert steps[-1].state.position == SUPERVISED
    assert steps[1].fact.cause == first.id
    assert (
        journey((*IMPRISONED, told._replace(recorded=first.recorded - SOON), first))[1].fact.cause == told.id
    )


@pytest.mark.parametrize("soon", [SOON, -SOON])
def test_what_was_wrong_is_wrong_however_often_it_was_told(soon: timedelta) -> None:
    wrong = release(0, code="CR")._replace(withdrawn=BEGIN + timedelta(days=1))
    again = noticed(wrong)._replace(occurred=wrong.occurred + soon, withdrawn=None)
    hospital = fact(0, Event.ABSENCE_START, code="HP", corrects=wrong.id)
    right = release(0, ReleaseKind.UNKNOWN, corrects=wrong.id)._replace(id="right")

    assert known([*IMPRISONED, wrong, again]) == [*IMPRISONED]
    assert known([*IMPRISONED, wrong, again, hospital]) == [*IMPRISONED, hospital]
    assert known([*IMPRISONED, wrong, right]) == [*IMPRISONED, right]
    assert again in known([*IMPRISONED, wrong, again], known_at=BEGIN + timedelta(hours=1))
    # What stands of the two that it may tell again is what it tells.
    other = release(0, code="BL", corrects=wrong.id)._replace(id="other")
    assert known([*IMPRISONED, wrong, other, again]) == [*IMPRISONED, other, again]


def test_two_releases_an_hour_and_more_apart_are_two() -> None:
    again = release(2)._replace(code="")

    assert reviews(*IMPRISONED, release(0, code="CR"), again) == ["release of somebody who is not in custody"]


def test_the_same_movement_from_two_sources_is_one() -> None:
    told = release(0, code="CR")

    assert reviews(*IMPRISONED, told, told._replace(id="as-a-record-of-our-own")) == []


@pytest.mark.parametrize("kind", pb.StageKind.values())
def test_every_kind_of_stage_has_its_event(kind: pb.StageKind.ValueType) -> None:
    if kind != pb.STAGE_KIND_UNSPECIFIED:
        assert fact_forms.staged("stage-1", kind, BEGIN, BEGIN).id == "stage-1"


@pytest.mark.parametrize("disposal", custody_pb2.Disposal.values())
def test_every_disposal_ends_the_stay_in_the_suite(disposal: custody_pb2.Disposal.ValueType) -> None:
    arrest = events_pb2.PpoArrested(detention_id="d1")
    arrest.arrested_time.FromDatetime(BEGIN)
    left = events_pb2.PpoDisposed(detention_id="d1", disposal=disposal)
    left.disposed_time.FromDatetime(BEGIN + HOUR)
    fact_form = fact_forms.disposed(left)

    if disposal == custody_pb2.DISPOSAL_UNSPECIFIED:
        assert fact_form is None
    else:
        assert fact_form is not None
        assert not end(fact_forms.arrested(arrest), fact_form).suite


def test_a_journey_is_written_with_its_steps_and_since_when() -> None:
    facts = (*IMPRISONED, fact(0, Event.ABSENCE_START), fact(2, Event.ABSENCE_END), release(2, code="CR"))
    message = to_proto("nominal-1", journey(facts))

    assert (message.nominal_id, message.position, message.detail) == ("nominal-1", SUPERVISED, "LICENCE")
    assert message.since_time.ToDatetime() == (BEGIN + 2 * HOUR).replace(tzinfo=None)
    assert [step.event for step in message.steps] == [
        "RECEPTION",
        "ABSENCE_START",
        "ABSENCE_END",
        "RELEASE CR",
    ]


def test_an_empty_journey_is_not_known() -> None:
    assert to_proto("nominal-1", ()).position == OTHER
