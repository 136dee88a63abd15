"""A custody record from booking to disposal: what its suite and other services are told, and when."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers
from services.runtime import channel
from tests import builders
from tests.integration.custody import running
from tests.integration.custody.running import Desk, outcome, refused, somebody, told, unnumbered, until

# ---- booking in


async def test_a_ppo_is_booked_in_flagged_and_the_arrest_is_told(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)

    detention = await desk.book(person)

    assert outcome(detention.answer) == "FLAGGED"
    assert detention.nominal_id == nominal_id
    [arrested] = await told(desk, detention, events.PpoArrested)
    assert isinstance(arrested, events.PpoArrested)
    assert arrested.nominal_id == nominal_id
    assert arrested.booked_time == detention.booked_time
    assert arrested.arrested_time == detention.arrested_time


async def test_the_arrest_is_told_with_the_summons_number_that_the_desk_has_given(desk: Desk) -> None:
    person, number = somebody(), identifiers.asn(2004, "20E301", 1234)
    await desk.flagged(person)
    person.identifiers.add(kind=person_pb2.IDENTIFIER_KIND_ASN, value=number)

    detention = await desk.book(person)

    [arrested] = await told(desk, detention, events.PpoArrested)
    assert isinstance(arrested, events.PpoArrested)
    assert arrested.arrest_summons_number == number


async def test_a_repeated_booking_is_the_first_one_with_a_fresh_check(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    request = desk.booking(person)
    custody = await desk.custody()
    first = (await custody.BookIn(request, timeout=5)).detention
    await desk.flag(nominal_id)

    again = (await custody.BookIn(request, timeout=5)).detention

    assert again.detention_id == first.detention_id
    assert (outcome(first.answer), outcome(again.answer)) == ("NOT_FLAGGED", "FLAGGED")
    assert await desk.open() == [first.detention_id]


async def test_a_repeated_booking_takes_back_nothing_that_was_learnt_since(desk: Desk) -> None:
    person, alias = somebody(), somebody()
    await desk.flagged(person)
    request = desk.booking(unnumbered(alias))
    custody = await desk.custody()
    booked = (await custody.BookIn(request, timeout=5)).detention
    await desk.identify(booked, *person.identifiers)

    again = (await custody.BookIn(request, timeout=5)).detention

    assert (outcome(booked.answer), outcome(again.answer)) == ("NOT_FLAGGED", "FLAGGED")
    await desk.dispose(again)
    found = await told(desk, again, events.PpoArrested, events.PpoDisposed)
    assert events.PpoArrestWithdrawn not in {type(each) for each in found}


async def test_bookings_repeated_at_once_are_one(desk: Desk) -> None:
    request = desk.booking(somebody())
    custody = await desk.custody()

    booked = await asyncio.gather(*(custody.BookIn(request, timeout=10) for _ in range(8)))

    assert len({each.detention.detention_id for each in booked}) == 1


async def test_another_booking_under_the_same_request_id_is_refused(desk: Desk) -> None:
    request = desk.booking(somebody())
    custody = await desk.custody()
    await custody.BookIn(request, timeout=5)
    request.person.CopyFrom(somebody())

    async with refused("ALREADY_EXISTS"):
        await custody.BookIn(request, timeout=5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suite_id", "X9"),
        ("arrested_time", datetime.now(UTC) + timedelta(days=1)),
        ("offence_codes", ["no-such-offence"]),
    ],
)
async def test_a_booking_that_cannot_be_is_refused_and_leaves_nothing(
    desk: Desk, field: str, value: object
) -> None:
    request = desk.booking(somebody())
    request.ClearField(field)  # type: ignore[arg-type]
    request.MergeFrom(pb.BookInRequest(**{field: value}))  # type: ignore[arg-type]
    before = await desk.open()

    async with refused("INVALID_ARGUMENT", field):
        await (await desk.custody()).BookIn(request, timeout=5)

    assert await desk.open() == before


# ---- the suite's screens


async def test_events_are_numbered_and_resumed_without_a_gap(desk: Desk) -> None:
    stream = await desk.watch_from_now()
    people = [somebody() for _ in range(3)]
    booked = [(await desk.book(person)).detention_id for person in people]

    seen = [await until(stream, "BOOKED_IN") for _ in booked]
    resumed = await desk.watch(after=seen[0].number)
    later = [await until(resumed, "BOOKED_IN") for _ in booked[1:]]

    assert [each.detention.detention_id for each in seen] == booked
    assert [each.number for each in seen] == [seen[0].number + place for place in range(3)]
    assert later == seen[1:]


async def test_a_flag_set_while_its_person_is_in_the_suite_reaches_its_screens(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    stream = await desk.watch_from_now()
    detention = await desk.book(person)
    await until(stream, "BOOKED_IN")
    await desk.quiet()

    await desk.flag(nominal_id)
    changed = await until(stream, "ANSWER_CHANGED")

    assert changed.detention.detention_id == detention.detention_id
    assert changed.earlier_outcome == screening_pb2.OUTCOME_NOT_FLAGGED
    assert outcome(changed.detention.answer) == "FLAGGED"
    [arrested] = await told(desk, detention, events.PpoArrested)
    assert arrested.booked_time == detention.booked_time  # type: ignore[attr-defined]


async def test_a_flag_reaches_somebody_who_gave_a_similar_name_only(desk: Desk) -> None:
    person = somebody()
    stream = await desk.watch_from_now()
    given = unnumbered(person)
    given.name.given_name = given.name.given_name[:-1]
    await desk.book(given)
    await desk.quiet()

    await desk.flagged(person)

    assert outcome((await until(stream, "ANSWER_CHANGED")).detention.answer) == "POSSIBLE"


async def test_a_flag_reaches_somebody_who_gave_an_identifier_only(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    stream = await desk.watch_from_now()
    await desk.book(person_pb2.Person(identifiers=person.identifiers))
    await desk.quiet()

    await desk.flag(nominal_id)

    assert outcome((await until(stream, "ANSWER_CHANGED")).detention.answer) == "FLAGGED"


async def test_a_flag_reaches_somebody_who_gave_the_number_of_a_second_record(
    desk: Desk,
) -> None:
    person = somebody()
    second = somebody()
    second.name.CopyFrom(person.name)
    second.birth_date.CopyFrom(person.birth_date)
    await desk.nominal(second)
    stream = await desk.watch_from_now()
    detention = await desk.book(person_pb2.Person(identifiers=second.identifiers))
    await desk.quiet()

    nominal_id = await desk.flagged(person)
    changed = (await until(stream, "ANSWER_CHANGED")).detention

    assert (outcome(detention.answer), outcome(changed.answer)) == ("NOT_FLAGGED", "POSSIBLE")
    assert [each.nominal_id for each in changed.answer.screening.candidates] == [nominal_id]


async def test_both_suites_that_hold_one_person_are_told(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    async with running.desk(desk.processes, "F3" if desk.suite_id != "F3" else "F2") as other:
        streams = [await desk.watch_from_now(), await other.watch_from_now()]
        await desk.book(person)
        await other.book(person)

        await desk.flag(nominal_id)

        for stream in streams:
            changed = await until(stream, "ANSWER_CHANGED")
            assert outcome(changed.detention.answer) == "FLAGGED"


async def test_a_screen_that_reads_nothing_holds_nobody_back(desk: Desk) -> None:
    asleep = [await desk.watch() for _ in range(20)]
    stream = await desk.watch_from_now()

    booked = [(await desk.book(somebody())).detention_id for _ in range(5)]

    assert [(await until(stream, "BOOKED_IN")).detention.detention_id for _ in booked] == booked
    # They get all of it once they read.
    for late in asleep:
        async with asyncio.timeout(running.SECONDS):
            while (await anext(late)).detention.detention_id != booked[-1]:
                pass


# ---- two suites


async def test_two_suites_that_book_one_ppo_in_at_once_are_both_told(desk: Desk) -> None:
    person = somebody()
    await desk.flagged(person)
    other_suite = "F3" if desk.suite_id != "F3" else "F2"
    async with running.desk(desk.processes, other_suite) as other:
        streams = [await desk.watch_from_now(), await other.watch_from_now()]

        here, there = await asyncio.gather(desk.book(person), other.book(person))

        told = [await until(stream, "HELD_ELSEWHERE") for stream in streams]
        assert [one.detention.detention_id for one in told] == [here.detention_id, there.detention_id]
        assert [list(one.detention.elsewhere_suite_ids) for one in told] == [[other_suite], [desk.suite_id]]

        await other.dispose(there)
        gone = await until(streams[0], "HELD_ELSEWHERE")
        assert not gone.detention.elsewhere_suite_ids


# ---- disposal


async def test_somebody_who_is_no_ppo_is_counted_without_a_person(desk: Desk) -> None:
    person = somebody()
    detention = await desk.book(person)
    await desk.test(detention, pb.TEST_RESULT_NEGATIVE)

    closed = await desk.dispose(detention)

    assert closed.state == pb.DETENTION_STATE_CLOSED
    [counted] = await told(desk, detention, events.DetentionCounted)
    assert isinstance(counted, events.DetentionCounted)
    assert counted.test_result == pb.TEST_RESULT_NEGATIVE
    assert counted.suite_id == desk.suite_id
    assert person.name.family_name.encode() not in counted.SerializeToString()


async def test_a_closed_custody_record_takes_nothing_more(desk: Desk) -> None:
    detention = await desk.book(somebody())
    await desk.dispose(detention)

    async with refused("FAILED_PRECONDITION"):
        await desk.test(detention)
    async with refused("FAILED_PRECONDITION"):
        await desk.dispose(detention)
    assert detention.detention_id not in await desk.open()


async def test_a_custody_record_that_is_not_there_is_not_found(desk: Desk) -> None:
    async with refused("NOT_FOUND"):
        await desk.dispose(pb.Detention(detention_id="nobody"))


async def test_a_flag_set_while_its_person_is_being_booked_in_is_not_missed(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    stream = await desk.watch_from_now()

    # Between the question and the commit of the booking: the suite's row is what that commit waits for.
    with psycopg.connect(desk.processes.database.url("custody")) as holder:
        holder.execute("SELECT * FROM suite WHERE suite_id = %s FOR UPDATE", [desk.suite_id])
        booking = asyncio.create_task(desk.book(person))
        await held_up(desk)
        await desk.flag(nominal_id)
        await heard(desk, nominal_id)
        holder.rollback()

    assert outcome((await booking).answer) == "NOT_FLAGGED"
    assert outcome((await until(stream, "ANSWER_CHANGED")).detention.answer) == "FLAGGED"


async def held_up(desk: Desk) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(desk.processes.database.superuser, autocommit=True) as session:
        async with asyncio.timeout(running.SECONDS):
            while not session.execute(waiting).fetchone():
                await asyncio.sleep(0.01)


async def heard(desk: Desk, nominal_id: str) -> None:
    """Until custody has taken the flag, and with it whatever comes before in the topic."""
    sent = "SELECT event_id FROM flagging.outbox WHERE key = %s"
    taken = "SELECT count(*) FROM custody.inbox WHERE event_id = ANY(%s)"
    with psycopg.connect(desk.processes.database.superuser, autocommit=True) as session:
        async with asyncio.timeout(running.SECONDS):
            while True:
                events = [row[0] for row in session.execute(sent, [nominal_id])]
                if events and session.execute(taken, [events]).fetchone() == (len(events),):
                    return
                await asyncio.sleep(0.01)


async def test_what_happens_to_somebody_in_a_suite_no_other_suite_records(desk: Desk) -> None:
    detention = await desk.book(somebody())
    async with running.desk(desk.processes, "D1" if desk.suite_id != "D1" else "D2") as other:
        for record in (
            lambda: other.dispose(detention),
            lambda: other.test(detention),
            lambda: other.identify(detention, builders.pnc_id(1)),
            lambda: other.book(somebody(), suite_id=desk.suite_id),
        ):
            with pytest.raises(channel.CallError) as refusal:
                await record()
            assert channel.reason(refusal.value) == "OTHER_SUITE"

    assert [each for each in await desk.listed() if each.detention_id == detention.detention_id] == [
        detention
    ]
