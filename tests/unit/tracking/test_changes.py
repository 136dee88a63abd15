"""What a journey amounts to for those who must be told, each change once under the cause it keeps."""

from datetime import timedelta
from itertools import permutations

import pytest

from ppo.custody.v1 import events_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import Basis, ReleaseKind
from services.prisons.reasons import Transfer as Reason
from services.tracking import changes, news
from services.tracking.changes import Change, of_journey
from services.tracking.facts import Event, Fact
from services.tracking.journey import journey
from tests.unit.tracking.journeys import BEGIN, FREE, IMPRISONED, fact, reception, release

RECEPTION, TRANSFER = pb.NOTICE_TYPE_PRISON_RECEPTION, pb.NOTICE_TYPE_PRISON_TRANSFER
RELEASED = pb.NOTICE_TYPE_RELEASED


def told(*facts: Fact) -> list[Change]:
    return list(of_journey(journey(facts)))


def kinds(*facts: Fact) -> list[tuple[int, str]]:
    return [(change.type, change.cause) for change in told(*facts)]


def test_a_reception_is_told_with_its_basis_and_prison() -> None:
    (change,) = told(reception(0, Basis.RECALL, prison_number="A1234BC"))

    assert change == Change(
        RECEPTION, "RECEPTION/0", BEGIN, BEGIN, prison_number="A1234BC", prison="BMI", basis="RECALL"
    )


def test_a_court_trip_is_told_to_nobody() -> None:
    trip = (fact(1, Event.ABSENCE_START), fact(2, Event.ABSENCE_END))

    assert kinds(reception(0), *trip) == kinds(reception(0))


def test_the_same_reception_from_two_sources_is_told_once_with_the_better_basis() -> None:
    vague, exact = reception(0, Basis.NOT_KNOWN), reception(1, Basis.SENTENCED)
    (change,) = told(vague, exact)

    assert (change.cause, change.basis) == ("RECEPTION/0", "SENTENCED")


def test_a_conviction_does_not_change_what_was_told_of_the_reception() -> None:
    inside = (reception(0), fact(1, Event.STATUS_CHANGE, convicted=True), fact(2, Event.ABSENCE_END))

    assert told(*inside) == told(reception(0))


def test_a_transfer_is_one_change_from_its_departure_to_its_arrival() -> None:
    away, there = fact(0, Event.TRANSFER_OUT), fact(4, Event.TRANSFER_IN, prison="FSI")
    leaving = told(*IMPRISONED, away)[-1]
    arriving = told(*IMPRISONED, away, there)[-1]

    assert (leaving.type, leaving.from_prison, leaving.prison) == (TRANSFER, "BMI", "")
    assert (arriving.type, arriving.from_prison, arriving.prison) == (TRANSFER, "BMI", "FSI")
    assert leaving.cause == arriving.cause == "TRANSFER_OUT/0"


def test_an_arrival_whose_departure_is_late_stays_the_same_transfer_when_that_comes() -> None:
    there = fact(4, Event.TRANSFER_IN, prison="FSI")
    left = fact(0, Event.TRANSFER_OUT, recorded=BEGIN + timedelta(hours=9))
    alone, both = told(*IMPRISONED, there), told(*IMPRISONED, there, left)

    assert alone[-1].cause == both[-1].cause == "TRANSFER_IN/4"
    assert len(alone) == len(both)
    assert both[-1].left == left.occurred


LEFT, ARRIVED = fact(2, Event.TRANSFER_OUT), fact(3, Event.TRANSFER_IN, prison="FSI")


@pytest.mark.parametrize(("before", "rest"), [((), (ARRIVED,)), ((LEFT,), ())])
def test_why_and_when_somebody_left_is_news_though_it_is_learnt_after_the_transfer(
    before: tuple[Fact, ...], rest: tuple[Fact, ...]
) -> None:
    known = told(reception(0), *before, *rest)[-1]
    learnt = told(reception(0), LEFT._replace(transfer=Reason.SECURITY), *rest)[-1]

    assert (learnt.reason, learnt.left) == (Reason.SECURITY, LEFT.occurred)
    assert news.text(learnt, TRANSFER) != news.text(known, TRANSFER)


def test_who_comes_back_from_court_to_another_prison_has_been_transferred() -> None:
    trip = (fact(1, Event.ABSENCE_START), fact(2, Event.ABSENCE_END, prison="FSI"))
    change = told(reception(0), *trip)[-1]

    assert (change.type, change.from_prison, change.prison) == (TRANSFER, "BMI", "FSI")


@pytest.mark.parametrize("kind", ReleaseKind)
def test_a_release_is_told_unless_custody_is_kept_or_the_person_has_died(kind: ReleaseKind) -> None:
    kept = (ReleaseKind.HOSPITAL, ReleaseKind.NO_RELEASE, ReleaseKind.DIED)
    last = told(*IMPRISONED, release(0, kind))[-1]

    assert (last.type == RELEASED) == (kind not in kept)
    assert last.release == (None if kind in kept else kind)


def test_a_release_of_somebody_never_seen_to_come_in_is_told() -> None:
    assert kinds(release(0)) == [(RELEASED, "RELEASE/0")]


def test_a_release_of_somebody_never_seen_to_come_in_is_told_once_though_told_twice() -> None:
    once = release(0, code="CR")
    noticed = once._replace(id="noticed", occurred=BEGIN + timedelta(minutes=5), code="")

    assert told(once, noticed) == told(once)


@pytest.mark.parametrize("kind", [ReleaseKind.HOSPITAL, ReleaseKind.NO_RELEASE])
def test_who_stays_in_custody_is_not_told_of_as_released_though_never_seen_to_come_in(
    kind: ReleaseKind,
) -> None:
    assert kinds(release(0, kind)) == []


def test_a_release_of_somebody_who_is_out_already_is_not_told_again() -> None:
    assert kinds(*FREE, release(0)) == kinds(*FREE)


def test_the_release_that_a_court_ordered_is_told_when_the_prison_lets_go() -> None:
    freed = (reception(0), fact(1, Event.BAILED))

    assert RELEASED not in dict(kinds(*freed))
    assert kinds(*freed, release(2, ReleaseKind.BAILED))[-1] == (RELEASED, "RELEASE/2")


def test_a_contradiction_is_told_to_nobody() -> None:
    assert kinds(reception(0), reception(1, prison="FSI")) == kinds(reception(0))


def test_every_order_of_arrival_amounts_to_the_same() -> None:
    away, there = fact(2, Event.TRANSFER_OUT), fact(3, Event.TRANSFER_IN, prison="FSI")
    facts = (reception(0), away, there, release(5, prison="FSI"))

    assert len({of_journey(journey(order)) for order in permutations(facts)}) == 1


def test_a_fact_that_was_wrong_is_not_among_the_changes_any_more() -> None:
    wrong = release(0)._replace(withdrawn=BEGIN)

    assert kinds(*IMPRISONED, wrong) != kinds(*IMPRISONED)
    assert kinds(*(one for one in (*IMPRISONED, wrong) if one.withdrawn is None)) == kinds(*IMPRISONED)


def test_an_arrest_and_a_test_are_told_with_when_they_became_known() -> None:
    arrest = events_pb2.PpoArrested(detention_id="d1", suite_id="D3", offence_codes=["theft"])
    arrest.recorded_time.FromDatetime(BEGIN)
    test = events_pb2.PpoDrugTested(detention_id="d1", suite_id="D3")
    test.drug_test.test_id = "t1"
    test.recorded_time.FromDatetime(BEGIN)

    assert changes.arrested(arrest).cause == "d1/arrest"
    assert changes.arrested(arrest).recorded == BEGIN
    assert changes.tested(test).cause == "d1/t1"
