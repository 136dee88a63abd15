"""What the officer must do, asked for at the booking and again whenever the answer changes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import screening_pb2
from tests.integration.custody import running
from tests.integration.custody.running import Desk, outcome, refused, somebody, told, unnumbered, until

SAME = pb.MATCH_VERDICT_SAME_PERSON
ANOTHER = pb.MATCH_VERDICT_ANOTHER_PERSON
PPO = pb.REFERRAL_ROUTE_PPO_DRUG_TEAM
DIP = pb.REFERRAL_ROUTE_DIP_TEAM


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


async def test_a_correction_that_is_repeated_is_made_once(desk: Desk) -> None:
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

    assert again.detention.match_decisions == first.detention.match_decisions
    assert [outcome(each.detention.answer) for each in (first, again)] == ["NOT_FLAGGED"] * 2
    assert len(first.detention.match_decisions) == 2


async def test_who_may_not_see_a_drug_test_is_told_of_none(desk: Desk) -> None:
    detention = await desk.book(somebody())
    await desk.test(detention)

    foreign = await shown(desk, detention, organisation="another suite")

    assert asked((await shown(desk, detention)).instructions) == ["I9", "I16"]
    assert asked(foreign.instructions) == ["I9"]
