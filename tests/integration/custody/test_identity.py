"""Who a detainee is: matches that are confirmed or ruled out, fingerprints, registrations that end."""

import asyncio
from uuid import uuid4

import psycopg

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from tests.integration.custody.running import (
    SECONDS,
    Desk,
    outcome,
    refused,
    somebody,
    told,
    unnumbered,
    until,
)

SAME = pb.MATCH_VERDICT_SAME_PERSON
ANOTHER = pb.MATCH_VERDICT_ANOTHER_PERSON
HOLD = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"


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


async def test_what_two_officers_enter_at_once_is_answered_together(desk: Desk) -> None:
    person, said = somebody(), somebody()
    await desk.flagged(person)
    detention = await desk.book(unnumbered(said))
    await desk.quiet()

    # Both have asked before either may enter it, and the one with the fingerprints comes first.
    with psycopg.connect(desk.processes.database.url("custody")) as holder:
        holder.execute(HOLD, [detention.detention_id])
        async with asyncio.TaskGroup() as officers:
            officers.create_task(desk.identify(detention, *person.identifiers))
            await held_up(desk, 1)
            officers.create_task(desk.identify(detention, *said.identifiers, fingerprint=False))
            await held_up(desk, 2)
            holder.rollback()

    [shown] = [each for each in await desk.listed() if each.detention_id == detention.detention_id]
    assert outcome(shown.answer) == "FLAGGED"
    found = await told(desk, detention, events.PpoArrested)
    assert events.PpoArrestWithdrawn not in {type(each) for each in found}


async def held_up(desk: Desk, most: int) -> None:
    """Until so many wait for the custody record."""
    with psycopg.connect(desk.processes.database.superuser, autocommit=True) as session:
        async with asyncio.timeout(SECONDS):
            while session.execute(WAITING).fetchall() != [(most,)]:
                await asyncio.sleep(0.01)


async def test_an_identification_that_is_repeated_is_checked_afresh(desk: Desk) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    detention = await desk.book(person_pb2.Person())
    request = pb.IdentifyDetaineeRequest(
        request_id=str(uuid4()), detention_id=detention.detention_id, identifiers=person.identifiers
    )
    custody = await desk.custody()
    first = (await custody.IdentifyDetainee(request, timeout=SECONDS)).detention
    await desk.flag(nominal_id)

    again = (await custody.IdentifyDetainee(request, timeout=SECONDS)).detention

    assert (outcome(first.answer), outcome(again.answer)) == ("NOT_FLAGGED", "FLAGGED")


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
