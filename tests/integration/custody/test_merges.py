"""Somebody in a suite is found to be a PPO under another nominal, and not to be that one after all."""

import asyncio

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2
from tests.builders import nominal_id
from tests.integration.custody.running import SECONDS, Desk, outcome, somebody, told, unnumbered, until
from tests.integration.custody.test_outages import flagging_away


async def two(desk: Desk) -> tuple[person_pb2.Person, str, str]:
    """Somebody who is no PPO under this nominal, and the nominal of a PPO."""
    person = somebody()
    return person, await desk.nominal(person), await desk.flagged(somebody())


async def test_the_next_check_of_the_merged_is_flagged_and_after_the_unmerge_is_not(desk: Desk) -> None:
    person, away, living = await two(desk)
    await desk.merge(away, living)
    merged = await desk.ask(person)
    await desk.unmerge(away)

    assert outcome(merged) == "FLAGGED"
    assert [one.nominal_id for one in merged.screening.candidates] == [living]
    assert outcome(await desk.ask(person)) == "NOT_FLAGGED"


async def test_a_merge_reaches_whoever_is_in_the_suite_and_its_end_withdraws_the_arrest(desk: Desk) -> None:
    person, away, living = await two(desk)
    stream = await desk.watch_from_now()
    detention = await desk.book(person)
    await until(stream, "BOOKED_IN")
    await desk.quiet()

    await desk.merge(away, living)
    changed = await until(stream, "ANSWER_CHANGED")
    await desk.quiet()
    await desk.unmerge(away)
    again = await until(stream, "ANSWER_CHANGED")

    assert (outcome(changed.detention.answer), outcome(again.detention.answer)) == ("FLAGGED", "NOT_FLAGGED")
    published = await told(desk, detention, events.PpoArrested, events.PpoArrestWithdrawn)
    assert [one.nominal_id for one in published] == [living, living]  # type: ignore[attr-defined]


async def test_who_was_confirmed_to_be_the_merged_is_the_one_that_lives_on(desk: Desk) -> None:
    living = await desk.flagged(somebody())
    given = somebody()
    confirmed = await desk.flagged(given)
    detention = await desk.book(unnumbered(given))
    await desk.rule(detention, confirmed, pb.MATCH_VERDICT_SAME_PERSON)
    await desk.quiet()

    await desk.merge(confirmed, living)
    answer = await desk.ask(person_pb2.Person(identifiers=[nominal_id(confirmed)]))
    async with asyncio.timeout(SECONDS):
        while (await candidates(desk, detention)) != [living]:
            await asyncio.sleep(0.1)

    assert outcome(answer) == "FLAGGED"


async def candidates(desk: Desk, detention: pb.Detention) -> list[str]:
    [held] = [one for one in await desk.listed() if one.detention_id == detention.detention_id]
    return [one.nominal_id for one in held.answer.screening.candidates]


async def test_who_was_said_not_to_be_the_merged_is_not_the_one_that_lives_on_either(desk: Desk) -> None:
    living = await desk.flagged(somebody())
    given = somebody()
    suspected = await desk.flagged(given)
    detention = await desk.book(unnumbered(given))
    await desk.rule(detention, suspected, pb.MATCH_VERDICT_ANOTHER_PERSON)
    await desk.quiet()

    await desk.merge(suspected, living)
    await desk.replicated(given)
    await desk.quiet()

    assert await candidates(desk, detention) == []


async def test_without_the_register_the_replica_knows_the_merged_by_either_number(desk: Desk) -> None:
    person, away, living = await two(desk)
    await desk.merge(away, living)
    await desk.replicated(person)

    with flagging_away(desk.processes):
        by_number = await desk.check(person)
        by_id = await desk.check(person_pb2.Person(identifiers=[nominal_id(away)]))

    for answer in (by_number, by_id):
        assert (outcome(answer), answer.basis) == ("FLAGGED", pb.BASIS_REPLICA)
        assert [one.nominal_id for one in answer.screening.candidates] == [living]
