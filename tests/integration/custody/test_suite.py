"""A custody record from booking to disposal: what its suite and other services are told, and when."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import psycopg
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers
from services.runtime import channel
from services.runtime.broker import Tail
from tests import builders
from tests.integration.custody import running
from tests.integration.custody.running import Desk, outcome, refused, somebody, unnumbered, until

M = TypeVar("M", bound=Message)

ARRESTS = "ppo.custody.arrests.v1"
SAME = pb.MATCH_VERDICT_SAME_PERSON
ANOTHER = pb.MATCH_VERDICT_ANOTHER_PERSON
PPO = pb.REFERRAL_ROUTE_PPO_DRUG_TEAM
DIP = pb.REFERRAL_ROUTE_DIP_TEAM
HELD = pb.REFERRAL_ROUTE_HELD


async def told(desk: Desk, detention: pb.Detention, *kinds: type[Message]) -> list[Message]:
    """What other services are told of a custody record, until all of `kinds` have been."""
    names = {kind.DESCRIPTOR.full_name: kind for kind in _EVENTS}
    found: list[Message] = []
    tail = Tail(desk.processes.kafka, mock=False, topic=ARRESTS)
    await tail.start({})
    try:
        deadline = time.monotonic() + running.SECONDS
        while not {*kinds} <= {type(each) for each in found}:
            assert time.monotonic() < deadline, [type(each).__name__ for each in found]
            for record in await tail.poll():
                event = names[record.headers["ce_type"]].FromString(record.value or b"")
                if event.detention_id == detention.detention_id:
                    found.append(event)
    finally:
        await tail.close()
    return found


_EVENTS = (
    events.PpoArrested,
    events.PpoArrestWithdrawn,
    events.PpoDrugTested,
    events.PpoDisposed,
    events.DetentionCounted,
)


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


# ---- who it is


async def test_a_confirmed_match_is_flagged_and_told_and_its_correction_withdraws_it(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    detention = await desk.book(unnumbered(person))
    assert outcome(detention.answer) == "POSSIBLE"

    confirmed = await desk.rule(detention, nominal_id, SAME)
    corrected = await desk.rule(detention, nominal_id, ANOTHER, "the prints of a cell mate")

    assert outcome(confirmed.answer) == "FLAGGED"
    assert confirmed.answer.screening.identity_basis == screening_pb2.IDENTITY_BASIS_FINGERPRINT
    assert confirmed.nominal_id == nominal_id
    assert outcome(corrected.answer) == "NOT_FLAGGED"
    assert corrected.nominal_id == ""
    arrested, withdrawn = await told(desk, detention, events.PpoArrested, events.PpoArrestWithdrawn)
    assert {arrested.nominal_id, withdrawn.nominal_id} == {nominal_id}  # type: ignore[attr-defined]


async def test_who_is_another_person_stays_another_person(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    stream = await desk.watch_from_now()
    detention = await desk.book(unnumbered(person))
    await desk.rule(detention, nominal_id, ANOTHER)
    await until(stream, "MATCH_DECIDED")

    # A change of that very flag asks about everybody who looks like its person.
    registration = await desk.registration(nominal_id)
    await desk.plan_exit(registration)
    bystander = await desk.book(unnumbered(person))

    assert outcome(bystander.answer) == "POSSIBLE"
    [shown] = [each for each in await desk.listed() if each.detention_id == detention.detention_id]
    assert outcome(shown.answer) == "NOT_FLAGGED"


async def test_a_verdict_on_somebody_who_is_no_candidate_is_refused(desk: Desk) -> None:
    detention = await desk.book(somebody())

    async with refused("INVALID_ARGUMENT", "nominal_id"):
        await desk.rule(detention, str(uuid4()), SAME)


async def test_a_pnc_id_entered_later_checks_again_by_itself(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    detention = await desk.book(person_pb2.Person())

    identified = await desk.identify(detention, *person.identifiers)

    assert (outcome(detention.answer), outcome(identified.answer)) == ("UNKNOWN", "FLAGGED")
    assert identified.answer.screening.identity_basis == screening_pb2.IDENTITY_BASIS_FINGERPRINT
    assert identified.nominal_id == nominal_id
    assert list(identified.person.identifiers) == list(person.identifiers)


async def test_fingerprints_that_say_another_person_withdraw_the_arrest(desk: Desk) -> None:
    borrowed, person = somebody(), somebody()
    await desk.flagged(borrowed)
    await desk.nominal(person)
    detention = await desk.book(borrowed)
    assert outcome(detention.answer) == "FLAGGED"

    identified = await desk.identify(detention, *person.identifiers)

    # Still the name and date of birth of a PPO, under the identifier of somebody who is none.
    assert outcome(identified.answer) == "POSSIBLE"
    await told(desk, detention, events.PpoArrestWithdrawn)


async def test_fingerprints_that_nobody_is_known_by_take_no_ppo_for_another(desk: Desk) -> None:
    person, alias = somebody(), somebody()
    nominal_id = await desk.flagged(person)
    by_number = await desk.book(person_pb2.Person(identifiers=person.identifiers))
    under_alias = await desk.book(
        person_pb2.Person(name=alias.name, birth_date=alias.birth_date, identifiers=person.identifiers)
    )
    unknown = [next(iter(somebody().identifiers)) for _ in range(2)]

    identified = [
        await desk.identify(detention, number)
        for detention, number in zip((by_number, under_alias), unknown, strict=True)
    ]

    assert [outcome(each.answer) for each in identified] == ["FLAGGED", "POSSIBLE"]
    assert [each.answer.screening.candidates[0].nominal_id for each in identified] == [nominal_id] * 2


async def test_fingerprints_that_two_are_known_by_may_be_a_ppos_whoever_was_confirmed_before(
    desk: Desk,
) -> None:
    said, ppo, other = somebody(), somebody(), somebody()
    nominal_id = await desk.nominal(said)
    registration = await desk.flag(nominal_id)
    flagged = await desk.flagged(ppo)
    await desk.nominal(other)
    detention = await desk.book(unnumbered(said))
    await desk.rule(detention, nominal_id, SAME, basis=screening_pb2.IDENTITY_BASIS_IDENTIFIER)
    stream = await desk.watch_from_now()
    await desk.annul(registration)
    await until(stream, "ANSWER_CHANGED")

    identified = await desk.identify(detention, *ppo.identifiers, *other.identifiers)

    assert outcome(identified.answer) == "POSSIBLE"
    assert [each.nominal_id for each in identified.answer.screening.candidates] == [flagged]


async def test_a_registration_made_in_error_withdraws_the_arrest_of_who_is_in_a_suite(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    registration = await desk.flag(nominal_id)
    stream = await desk.watch_from_now()
    detention = await desk.book(person)

    await desk.annul(registration)

    changed = await until(stream, "ANSWER_CHANGED")
    assert changed.earlier_outcome == screening_pb2.OUTCOME_FLAGGED
    assert outcome(changed.detention.answer) == "NOT_FLAGGED"
    await told(desk, detention, events.PpoArrested, events.PpoArrestWithdrawn)


async def test_a_removal_after_the_booking_leaves_the_arrest_of_a_ppo(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    registration = await desk.flag(nominal_id)
    stream = await desk.watch_from_now()
    detention = await desk.book(person)

    await desk.plan_exit(registration)
    await desk.remove(registration)

    changed = await until(stream, "ANSWER_CHANGED")
    assert outcome(changed.detention.answer) == "NOT_FLAGGED"
    await desk.dispose(detention)
    found = await told(desk, detention, events.PpoArrested, events.PpoDisposed)
    assert events.PpoArrestWithdrawn not in {type(each) for each in found}


# ---- drug tests


@pytest.mark.parametrize(
    ("result", "route"),
    [
        (pb.TEST_RESULT_POSITIVE, PPO),
        (pb.TEST_RESULT_NEGATIVE, pb.REFERRAL_ROUTE_NONE),
        (pb.TEST_RESULT_REFUSED, pb.REFERRAL_ROUTE_NONE),
    ],
)
async def test_a_ppos_test_is_told_and_a_positive_one_goes_to_the_ppo_drug_team(
    desk: Desk, result: pb.TestResult.ValueType, route: pb.ReferralRoute.ValueType
) -> None:
    person = somebody()
    await desk.flagged(person)
    detention = await desk.book(person)

    test = await desk.test(detention, result)

    assert test.route == route
    _, tested = await told(desk, detention, events.PpoArrested, events.PpoDrugTested)
    assert tested.drug_test == test  # type: ignore[attr-defined]


async def test_somebody_who_is_no_ppo_goes_to_the_dip_team_of_the_suite(desk: Desk) -> None:
    desk.suite_id = "D3"
    person = somebody()
    test = await desk.test(await desk.book(person))

    assert test.route == DIP
    listed = await desk.referrals("dip_team", "dip-2", DIP)
    assert test.test_id in {each.drug_test.test_id for each in listed}
    assert person.name in [each.person.name for each in listed]
    elsewhere = await desk.referrals("dip_team", "dip-1", DIP)
    assert test.test_id not in {each.drug_test.test_id for each in elsewhere}


async def test_a_referral_is_held_until_it_is_known_who_it_is(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    detention = await desk.book(unnumbered(person))
    stream = await desk.watch_from_now()

    test = await desk.test(detention)
    held = await desk.referrals("arrest_referral_worker", desk.suite_id, HELD)
    await desk.rule(detention, nominal_id, SAME)

    assert test.route == HELD
    assert test.test_id in {each.drug_test.test_id for each in held}
    assert (await until(stream, "REFERRAL_ROUTED")).detention.drug_test.route == PPO
    found = await told(desk, detention, events.PpoArrested, events.PpoDrugTested)
    tested = next(each for each in found if isinstance(each, events.PpoDrugTested))
    assert tested.drug_test.route == PPO
    assert tested.drug_test.tested_time == test.tested_time


async def test_a_held_referral_leaves_with_the_person_marked_and_is_routed_once_it_is_known(
    desk: Desk,
) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    detention = await desk.book(unnumbered(person))
    test = await desk.test(detention)

    await desk.dispose(detention)
    at_contact = await desk.referrals("dip_team", "dip-contact-point", DIP)
    await desk.rule(detention, nominal_id, SAME)
    at_ppo_team = await desk.referrals("ppo_drug_team", "drug-solutions-birmingham", PPO)
    left = await desk.referrals("dip_team", "dip-contact-point", DIP)

    [marked] = [each for each in at_contact if each.drug_test.test_id == test.test_id]
    assert marked.status_not_known
    assert test.test_id in {each.drug_test.test_id for each in at_ppo_team if not each.status_not_known}
    assert test.test_id not in {each.drug_test.test_id for each in left}
    await told(desk, detention, events.DetentionCounted, events.PpoArrested, events.PpoDisposed)


async def test_a_test_is_taken_once_and_with_a_drug_only_where_it_is_positive(desk: Desk) -> None:
    detention = await desk.book(somebody())
    await desk.test(detention, pb.TEST_RESULT_NEGATIVE)
    tested_time = Timestamp()
    tested_time.FromDatetime(datetime.now(UTC))
    positive = pb.RecordDrugTestRequest(
        request_id=str(uuid4()),
        detention_id=detention.detention_id,
        result=pb.TEST_RESULT_POSITIVE,
        tested_time=tested_time,
    )

    async with refused("ALREADY_EXISTS"):
        await desk.test(detention)
    async with refused("INVALID_ARGUMENT", "drug"):
        await (await desk.custody()).RecordDrugTest(positive, timeout=5)


async def test_a_custody_officer_sees_the_tests_of_the_own_suite_only(desk: Desk) -> None:
    detention = await desk.book(somebody())
    await desk.test(detention)

    [own] = [each for each in await desk.listed() if each.detention_id == detention.detention_id]
    others = await desk.listed(organisation="another suite")
    [foreign] = [each for each in others if each.detention_id == detention.detention_id]

    assert own.drug_test.result == pb.TEST_RESULT_POSITIVE
    assert foreign.drug_test.result == pb.TEST_RESULT_UNSPECIFIED


async def test_a_corrected_test_is_told_again_and_takes_its_referral_back(desk: Desk) -> None:
    person = somebody()
    await desk.flagged(person)
    detention = await desk.book(person)
    first = await desk.test(detention)

    corrected = await desk.test(detention, pb.TEST_RESULT_NEGATIVE, "the sample of a cell mate")

    assert (corrected.test_id, corrected.route) == (first.test_id, pb.REFERRAL_ROUTE_NONE)
    [correction] = corrected.corrections
    assert (correction.result, correction.drug) == (pb.TEST_RESULT_POSITIVE, pb.DRUG_HEROIN)
    assert (correction.corrected_by, correction.reason) == (
        f"custody_officer-{desk.suite_id}",
        "the sample of a cell mate",
    )
    assert correction.HasField("corrected_time")
    referred = await desk.referrals("ppo_drug_team", "drug-solutions-birmingham", PPO)
    assert first.test_id not in {each.drug_test.test_id for each in referred}
    found = await told(desk, detention, events.PpoArrested, events.PpoDrugTested)
    while len(found) < 3:
        found = await told(desk, detention, events.PpoArrested, events.PpoDrugTested)
    assert [each.drug_test.result for each in found[1:]] == [  # type: ignore[attr-defined]
        pb.TEST_RESULT_POSITIVE,
        pb.TEST_RESULT_NEGATIVE,
    ]


async def test_a_test_is_corrected_after_the_person_has_left_and_counted_anew(desk: Desk) -> None:
    detention = await desk.book(somebody())
    await desk.test(detention, pb.TEST_RESULT_NEGATIVE)
    await desk.dispose(detention)

    corrected = await desk.test(detention, pb.TEST_RESULT_POSITIVE, "two labels were swapped")

    assert corrected.route == DIP
    while len(found := await told(desk, detention, events.DetentionCounted)) < 2:
        pass
    assert [each.test_result for each in found] == [  # type: ignore[attr-defined]
        pb.TEST_RESULT_NEGATIVE,
        pb.TEST_RESULT_POSITIVE,
    ]


async def test_a_correction_needs_a_test_that_was_recorded(desk: Desk) -> None:
    detention = await desk.book(somebody())

    async with refused("INVALID_ARGUMENT", "reason"):
        await desk.test(detention, reason="none was taken")


# ---- what the officer must do


def asked(given: pb.Instructions) -> list[str]:
    """The rules that stand, those that were withdrawn with a minus."""
    every = [*given.general, *given.recall, *given.drug_test]
    return [f"-{one.rule}" if one.HasField("withdrawn_time") else one.rule for one in every]


async def shown(desk: Desk, detention: pb.Detention, organisation: str = "") -> pb.Detention:
    listed = await desk.listed(organisation=organisation)
    return next(each for each in listed if each.detention_id == detention.detention_id)


async def test_a_booking_says_whom_to_tell_and_that_a_test_follows_a_charge_or_an_arrest(desk: Desk) -> None:
    person = somebody()
    await desk.flagged(person, ocu="E3")

    detention = await desk.book(person)
    await desk.test(detention)
    tested = await shown(desk, detention)

    # Real clocks are long past December 2005.
    assert asked(detention.instructions) == ["I1", "I2", "I14"]
    assert asked(detention.answer.instructions) == ["I1", "I2"]
    assert {one.party for one in detention.instructions.general} == {"E3"}
    assert all(one.contact.telephone for one in detention.instructions.general)
    assert asked(tested.instructions) == ["I1", "I2", "I15"]
    assert tested.instructions.drug_test[0].party == "drug-solutions-birmingham"


async def test_of_a_ppo_under_18_the_youth_offending_team_is_told_and_no_offender_manager(desk: Desk) -> None:
    person = somebody()
    person.birth_date.year = datetime.now(UTC).year - 16
    await desk.flag(await desk.nominal(person), strand=screening_pb2.STRAND_PREVENT_AND_DETER)

    detention = await desk.book(person)

    [youth] = detention.instructions.general
    assert (youth.rule, youth.party) == ("I3", "birmingham-yot")
    assert youth.contact.telephone
    assert youth.due_time.ToDatetime() - youth.given_time.ToDatetime() == timedelta(hours=1)


async def test_a_flag_set_later_asks_late_with_the_time_of_the_booking(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    stream = await desk.watch_from_now()
    detention = await desk.book(person)
    await desk.quiet()

    await desk.flag(nominal_id)
    changed = (await until(stream, "ANSWER_CHANGED")).detention

    assert asked(detention.instructions) == ["I10", "I14"]
    assert asked(changed.instructions) == ["I1", "I2", "I14"]
    late = changed.instructions.general[0]
    assert late.occurred_time == detention.booked_time
    assert late.given_time.ToDatetime() > detention.booked_time.ToDatetime()


async def test_a_corrected_confirmation_takes_back_all_that_it_caused(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    stream = await desk.watch_from_now()
    detention = await desk.book(unnumbered(person))
    test = await desk.test(detention)
    await desk.rule(detention, nominal_id, SAME)
    await until(stream, "REFERRAL_ROUTED")

    corrected = await desk.rule(detention, nominal_id, ANOTHER, "the prints of a cell mate")

    assert asked(corrected.instructions) == ["I9", "-I1", "-I2", "I16", "-I15"]
    assert corrected.drug_test.route == DIP
    mistaken, right = corrected.match_decisions
    assert (mistaken.verdict, right.verdict) == (SAME, ANOTHER)
    assert (right.decided_by, right.reason) == (
        f"custody_officer-{desk.suite_id}",
        "the prints of a cell mate",
    )
    changed = await until(stream, "ANSWER_CHANGED")
    assert changed.earlier_outcome == screening_pb2.OUTCOME_FLAGGED
    assert (await until(stream, "REFERRAL_ROUTED")).detention.drug_test.route == DIP
    referred = await desk.referrals("ppo_drug_team", "drug-solutions-birmingham", PPO)
    assert test.test_id not in {each.drug_test.test_id for each in referred}
    await told(desk, detention, events.PpoArrested, events.PpoDrugTested, events.PpoArrestWithdrawn)


async def test_a_confirmation_is_taken_back_with_a_reason_and_a_first_one_needs_none(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    detention = await desk.book(unnumbered(person))

    async with refused("INVALID_ARGUMENT", "reason"):
        await desk.rule(detention, nominal_id, SAME, "because")
    await desk.rule(detention, nominal_id, SAME)
    async with refused("INVALID_ARGUMENT", "reason"):
        await desk.rule(detention, nominal_id, ANOTHER)


async def test_a_correction_that_is_repeated_is_answered_as_the_first(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.flagged(person)
    detention = await desk.book(unnumbered(person))
    await desk.rule(detention, nominal_id, SAME)
    request = pb.ConfirmMatchRequest(
        request_id=str(uuid4()),
        detention_id=detention.detention_id,
        nominal_id=nominal_id,
        verdict=ANOTHER,
        identity_basis=screening_pb2.IDENTITY_BASIS_FINGERPRINT,
        reason="the prints of a cell mate",
    )
    custody = await desk.custody()

    first = await custody.ConfirmMatch(request, timeout=running.SECONDS)
    again = await custody.ConfirmMatch(request, timeout=running.SECONDS)

    assert again == first
    assert len(first.detention.match_decisions) == 2


async def test_who_may_not_see_a_drug_test_is_told_of_none(desk: Desk) -> None:
    detention = await desk.book(somebody())
    await desk.test(detention)

    foreign = await shown(desk, detention, organisation="another suite")

    assert asked((await shown(desk, detention)).instructions) == ["I9", "I16"]
    assert asked(foreign.instructions) == ["I9"]


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
