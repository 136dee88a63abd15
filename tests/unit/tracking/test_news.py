"""What there is to tell of a person at an instant, and when time alone will bring the next."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import days, news
from services.tracking.casefile import CaseFile, Entry
from services.tracking.changes import Change
from tests.integration.tracking.running import stamp
from tests.unit.tracking.journeys import REFERENCE

REGISTERED = datetime(2004, 10, 4, 9, tzinfo=UTC)
RECEIVED = datetime(2004, 11, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRE_RELEASE, IDENTIFIED = pb.NOTICE_TYPE_PRE_RELEASE_DUE, pb.NOTICE_TYPE_PPO_IDENTIFIED_IN_CUSTODY
HANDOVER, REVIEW = pb.NOTICE_TYPE_CARE_PLAN_HANDOVER, pb.NOTICE_TYPE_REVIEW_DUE
TRANSFER, PLANNED = pb.NOTICE_TYPE_PRISON_TRANSFER, pb.NOTICE_TYPE_RELEASE_PLANNED


def at(*given: int) -> datetime:
    return datetime(*given, tzinfo=UTC)  # type: ignore[arg-type,misc]


def entry(message: Message, occurred: datetime, recorded: datetime | None = None) -> Entry:
    return Entry(f"{message.DESCRIPTOR.name}/{occurred}", message, occurred, recorded or occurred)


def moved(kind: str, occurred: datetime, **told: Any) -> Entry:
    movement = movement_pb2.Movement(
        movement_id=f"{kind}/{occurred}",
        prison_number="A1234BC",
        kind=movement_pb2.MovementKind.Value(f"MOVEMENT_KIND_{kind}"),
        occurred_time=stamp(occurred),
        **{"prison_id": "BMI", **told},
    )
    return entry(movement, occurred)


def planned(on: date, recorded: datetime, **told: Any) -> Entry:
    return entry(pb.PlanReleaseRequest(release_date=days.proto(on), **told), recorded)


INSIDE = moved("RECEPTION", RECEIVED, reason_code="I")


def case(*entries: Entry, start: datetime = REGISTERED, known: datetime = REGISTERED) -> CaseFile:
    episode = flagging.Episode(
        registration_id="registration-1",
        effective_start_time=stamp(start),
        recorded_time=stamp(start),
        nominating_ocu="E3",
    )
    flag = flagging.Flag(
        nominal_id="nominal-1", version=7, state=screening_pb2.FLAG_STATE_FLAGGED, episodes=[episode]
    )
    return CaseFile(flag, entries, REFERENCE, known=known)


def told(
    file: CaseFile, now: datetime, kind: pb.NoticeType.ValueType, before: tuple[Change, ...] = ()
) -> list[Change]:
    known = {(one.type, one.cause) for one in before}
    return [one for one in news.news(file, known, now) if one.type == kind]


# ---- before a release

MAY = date(2005, 5, 11)
PLAN = planned(MAY, at(2004, 12, 1, 9))


def ahead(file: CaseFile, now: datetime, *before: Change) -> list[str]:
    return [one.planned.ahead for one in told(file, now, PRE_RELEASE, before) if one.planned]


def test_a_release_is_prepared_for_from_three_months_before_and_again_at_28_days() -> None:
    file = case(INSIDE, PLAN)
    three_months = days.midnight(date(2005, 2, 11))
    # In summer time midnight is an hour earlier.
    four_weeks = at(2005, 4, 12, 23)
    tick = timedelta(microseconds=1)
    [first] = told(file, three_months, PRE_RELEASE)

    assert ahead(file, three_months - tick) == []
    assert ahead(file, three_months) == ["3 months"]
    assert ahead(file, four_weeks - tick, first) == ["3 months"]
    assert ahead(file, four_weeks, first) == ["3 months", "28 days"]


def test_a_date_that_is_first_known_late_is_prepared_for_at_once_and_once() -> None:
    late = planned(date(2004, 12, 20), at(2004, 12, 6, 9))

    assert ahead(case(INSIDE, late), at(2004, 12, 6, 9)) == ["28 days"]


def test_the_next_of_them_is_awaited_at_its_instant() -> None:
    file = case(INSIDE, planned(date(2004, 12, 22), at(2004, 11, 2)), start=RECEIVED - HOUR)

    assert news.next_time(file, at(2004, 11, 22, 12)) == at(2004, 11, 24)


def test_another_date_is_told_again_under_the_same_notice() -> None:
    now = at(2005, 3, 1)
    [first] = told(case(INSIDE, PLAN), now, PRE_RELEASE)
    [second] = told(
        case(INSIDE, PLAN, planned(date(2005, 5, 18), at(2005, 2, 20))), now, PRE_RELEASE, (first,)
    )

    assert first.cause == second.cause
    assert news.text(first, PRE_RELEASE) != news.text(second, PRE_RELEASE)


def test_who_is_out_is_prepared_for_no_more_and_nothing_is_taken_back() -> None:
    file = case(INSIDE, PLAN, moved("RELEASE", at(2005, 2, 1), reason_code="CR"))
    also_late = case(INSIDE, PLAN, moved("RELEASE", at(2005, 3, 1), reason_code="CR"))

    assert ahead(file, at(2005, 6, 1)) == []
    assert ahead(also_late, at(2005, 6, 1)) == ["3 months"]


def test_what_is_known_of_a_release_is_told_with_it() -> None:
    arrangements = pb.ReleaseArrangements(collected_by="PC Hollis")
    plan = planned(
        MAY, at(2004, 12, 1), ocu="F2", licence=True, condition_codes=["curfew"], arrangements=arrangements
    )
    [change] = told(case(INSIDE, plan), at(2004, 12, 1), PLANNED)

    assert change.planned is not None
    assert (change.planned.area, change.planned.address_confirmed, change.planned.licence) == (
        "F2",
        True,
        True,
    )
    assert list(change.planned.condition_codes) == ["curfew"]
    assert change.planned.arrangements.collected_by == "PC Hollis"
    assert change.occurred == days.midnight(MAY)


def test_a_release_on_christmas_day_is_told_and_prepared_for_by_the_day_that_it_moves_to() -> None:
    file = case(INSIDE, planned(date(2004, 12, 25), at(2004, 11, 2)))
    [change] = told(file, at(2004, 11, 2), PLANNED)
    [soon] = told(file, at(2004, 11, 27), PRE_RELEASE)

    assert change.occurred == at(2004, 12, 24)
    assert soon.planned is not None
    assert soon.planned.release_date == days.proto(date(2004, 12, 24))
    # 28 days before the 24th, not the 25th.
    assert news.next_time(file, at(2004, 11, 25, 12)) == at(2004, 11, 26)


# ---- while inside


def test_who_becomes_a_ppo_while_inside_is_identified_to_the_prison() -> None:
    [change] = told(case(INSIDE, start=RECEIVED + 48 * HOUR), RECEIVED + 50 * HOUR, IDENTIFIED)

    assert (change.prison, change.cause) == ("BMI", "registration-1")
    assert told(case(INSIDE), RECEIVED + HOUR, IDENTIFIED) == []


WORK = pb.PrisonWork(courses=[pb.Course(title="Bricklaying", level="level 1")])


def test_what_was_learnt_goes_with_a_transfer_and_out_when_a_date_is_known() -> None:
    done = entry(pb.RecordPrisonWorkRequest(work=WORK), at(2004, 11, 20))
    away = (
        moved("TRANSFER_OUT", at(2004, 11, 25, 9)),
        moved("TRANSFER_IN", at(2004, 11, 25, 14), prison_id="FSI"),
    )

    assert told(case(INSIDE, done), at(2004, 12, 1), HANDOVER) == []
    [moves] = told(case(INSIDE, done, *away), at(2004, 12, 1), HANDOVER)
    [leaves] = told(case(INSIDE, done, PLAN), at(2004, 12, 2), HANDOVER)
    assert (moves.from_prison, moves.prison, moves.work) == ("BMI", "FSI", WORK)
    assert (leaves.work, leaves.due) == (WORK, days.midnight(MAY))


AWAY = moved("TRANSFER_OUT", at(2004, 11, 25, 9), reason_code="OVCROW", destination_prison_id="FSI")


def test_a_reception_is_late_a_day_after_the_departure_until_somebody_has_the_person() -> None:
    file, limit = case(INSIDE, AWAY), at(2004, 11, 26, 9)

    [waiting] = told(file, limit - HOUR, TRANSFER)
    [late] = told(file, limit, TRANSFER)
    arrived = case(INSIDE, AWAY, moved("TRANSFER_IN", limit + HOUR, prison_id="RNI"))
    [there] = told(arrived, limit + 2 * HOUR, TRANSFER)

    assert (waiting.late, late.late, there.late) == (False, True, False)
    assert (waiting.cause, late.cause) == (there.cause, there.cause)
    assert (there.from_prison, there.bound, there.prison, there.reason) == (
        "BMI",
        "FSI",
        "RNI",
        "OVERCROWDING",
    )
    assert len({news.text(one, TRANSFER) for one in (waiting, late, there)}) == 3
    assert news.next_time(file, limit - HOUR) == limit
    assert [(kind, why) for kind, _, why in news.late(file, limit)] == [
        ("transfer", "left BMI and no prison has received them")
    ]
    assert list(news.late(arrived, limit + 2 * HOUR)) == []


@pytest.mark.parametrize("hours", [2, 30])
def test_who_is_off_the_register_on_the_way_was_told_of_as_leaving_and_their_arrival_is_nobodys(
    hours: int,
) -> None:
    left = AWAY.occurred
    file, gone = case(INSIDE, AWAY), left + hours * HOUR
    arrived = case(INSIDE, AWAY, moved("TRANSFER_IN", gone + HOUR, prison_id="RNI"))
    for one in (file, arrived):
        one.flag.episodes[0].effective_end_time.CopyFrom(stamp(gone))

    [before] = told(file, gone, TRANSFER)
    [after] = told(arrived, gone + 2 * HOUR, TRANSFER)

    assert (after.cause, news.text(after, TRANSFER)) == (before.cause, news.text(before, TRANSFER))
    assert (after.occurred, after.prison, after.late) == (left, "", hours > 24)


def test_nobody_looks_for_who_is_off_the_register() -> None:
    file = case(INSIDE, AWAY)
    file.flag.episodes[0].effective_end_time.CopyFrom(stamp(AWAY.occurred - HOUR))

    assert list(news.late(file, AWAY.occurred + timedelta(days=2))) == []
    assert told(file, AWAY.occurred + timedelta(days=2), TRANSFER) == []


# ---- breaches, and plans to be looked at


def staged(kind: str, occurred: datetime, **told_too: Any) -> Entry:
    return entry(pb.RecordStageRequest(kind=pb.StageKind.Value(f"STAGE_KIND_{kind}"), **told_too), occurred)


OUT = moved("RELEASE", at(2004, 11, 29, 9), reason_code="CR")


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("BREACH_PROCEEDINGS", pb.NOTICE_TYPE_BREACH_STARTED),
        ("RECALL_REQUESTED", pb.NOTICE_TYPE_RECALL_REQUESTED),
        ("RECALL_EXECUTED", pb.NOTICE_TYPE_RECALL_EXECUTED),
    ],
)
def test_a_breach_and_a_recall_are_told_with_the_order_and_why(
    stage: str, kind: pb.NoticeType.ValueType
) -> None:
    step = staged(stage, at(2004, 12, 6), reason_code="NON_COMPLIANCE")
    [change] = told(case(INSIDE, OUT, step), at(2004, 12, 6), kind)

    assert change.breach is not None
    assert (change.breach.order_kind, change.breach.reason_code) == ("LICENCE", "NON_COMPLIANCE")


def test_a_stage_that_names_a_court_is_told_with_it_and_reads_to_others_as_without() -> None:
    when = at(2004, 12, 6)
    named = staged("BREACH_PROCEEDINGS", when, court_id="birmingham-crown", court_reference="T2004/7")

    [change] = told(case(INSIDE, OUT, named), when, pb.NOTICE_TYPE_BREACH_STARTED)
    [unnamed] = told(
        case(INSIDE, OUT, staged("BREACH_PROCEEDINGS", when)), when, pb.NOTICE_TYPE_BREACH_STARTED
    )

    assert (change.court, change.court_reference) == ("birmingham-crown", "T2004/7")
    assert (unnamed.court, unnamed.court_reference) == ("", "")
    assert change.breach == unnamed.breach


def test_a_recall_that_cannot_be_is_told_to_nobody() -> None:
    step = staged("RECALL_REQUESTED", at(2004, 12, 6))

    assert told(case(INSIDE, step), at(2004, 12, 6), pb.NOTICE_TYPE_RECALL_REQUESTED) == []


def test_a_plan_is_looked_at_a_fortnight_after_the_start_and_what_fell_due_unknown_is_not_told() -> None:
    fortnight = at(2004, 10, 17, 23)
    [change] = told(case(), fortnight, REVIEW)

    assert (change.review, change.due) == (date(2004, 10, 18), at(2004, 10, 18, 23))
    assert told(case(), fortnight - HOUR, REVIEW) == []
    assert told(case(known=fortnight + HOUR), fortnight + 2 * HOUR, REVIEW) == []
    assert news.next_time(case(), REGISTERED) == fortnight


def test_a_review_that_was_told_stays_told_and_the_latest_alone_is_new() -> None:
    [first] = told(case(), at(2004, 10, 18, 12), REVIEW)
    later = at(2004, 11, 20)

    assert [one.review for one in told(case(), later, REVIEW)] == [date(2004, 11, 15)]
    assert [one.review for one in told(case(), later, REVIEW, (first,))] == [
        date(2004, 10, 18),
        date(2004, 11, 15),
    ]
