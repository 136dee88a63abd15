"""Drug tests in a suite: to whom each goes, what is held, and what a correction takes back."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from tests.integration.custody.running import Desk, refused, somebody, told, unnumbered, until

SAME = pb.MATCH_VERDICT_SAME_PERSON
PPO = pb.REFERRAL_ROUTE_PPO_DRUG_TEAM
DIP = pb.REFERRAL_ROUTE_DIP_TEAM
HELD = pb.REFERRAL_ROUTE_HELD


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
