"""Two nominals become one person and two again: what is read, checked, published and refused then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from itertools import pairwise

import grpc
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging import changes
from services.flagging.fields import stamp
from services.flagging.store import flags as flag_store
from services.runtime.channel import reason, violations
from services.runtime.errors import Conflict
from tests.builders import name, nominal_id, person, pnc_id
from tests.integration.flagging.service import DAY, NOON, Service, refusal

CARTER = person("James", "Carter", identifiers=[pnc_id(1)])
WRIGHT = person("Joe", "Wright", born="1980-03-21", identifiers=[pnc_id(2)])
OTHER = person("Sam", "Hill", identifiers=[pnc_id(3)])
NO_ONE = "00000000-0000-0000-0000-000000000000"
MERGED = pb.REGISTRATION_STATE_MERGED


async def steps(service: Service, registration: pb.Registration) -> pb.GetRegistrationResponse:
    request = pb.GetRegistrationRequest(
        registration_id=registration.registration_id, purpose=policy_pb2.PURPOSE_REGISTER
    )
    return await (await service.stub("register_keeper")).GetRegistration(request, timeout=5)


async def get(service: Service, identifier: person_pb2.Identifier) -> pb.GetNominalResponse:
    request = pb.GetNominalRequest(identifier=identifier, purpose=policy_pb2.PURPOSE_REGISTER)
    return await (await service.stub("register_keeper")).GetNominal(request, timeout=5)


async def search(service: Service, whom: person_pb2.Person) -> list[pb.FoundNominal]:
    request = pb.SearchNominalsRequest(person=whom, purpose=policy_pb2.PURPOSE_REGISTER)
    return list((await (await service.stub("register_keeper")).SearchNominals(request, timeout=5)).found)


async def count(service: Service, query: str) -> int:
    async with service.database.transaction() as session:
        found: int = (await session.execute(text(query))).scalar_one()
        return found


async def two(service: Service) -> tuple[str, str]:
    return await service.nominal(CARTER), await service.nominal(WRIGHT)


def asked(*identifiers: person_pb2.Identifier, of: person_pb2.Person = CARTER) -> person_pb2.Person:
    return person_pb2.Person(name=of.name, birth_date=of.birth_date, identifiers=identifiers)


# ---- what is read


async def test_the_one_that_lives_on_has_the_names_and_identifiers_of_both(service: Service) -> None:
    carter, wright = await two(service)

    merged = (await service.merge(carter, wright)).nominal

    assert (merged.nominal_id, list(merged.merged_nominal_ids)) == (wright, [carter])
    assert merged.person.name == WRIGHT.name
    assert list(merged.person.aliases) == [name("James", "Carter")]
    assert list(merged.person.identifiers) == [pnc_id(2), pnc_id(1)]


@pytest.mark.parametrize("by", ["identifier", "nominal id"])
async def test_whoever_asks_for_the_merged_is_led_to_the_living_and_told_so(
    service: Service, by: str
) -> None:
    carter, wright = await two(service)
    await service.merge(carter, wright)

    found = await get(service, pnc_id(1) if by == "identifier" else nominal_id(carter))

    assert (found.nominal.nominal_id, found.merged_nominal_id) == (wright, carter)
    assert (await get(service, pnc_id(2))).merged_nominal_id == ""


async def test_a_search_finds_one_person_once_under_any_of_the_names(service: Service) -> None:
    carter, wright = await two(service)
    await service.merge(carter, wright)
    await service.people.catch_up()

    by_name = await search(service, person("James", "Carter"))
    by_both = await search(service, asked(pnc_id(1), pnc_id(2)))

    assert [(one.nominal.nominal_id, one.merged_nominal_id) for one in by_name] == [(wright, carter)]
    assert [one.nominal.nominal_id for one in by_both] == [wright]


# ---- the check


async def test_the_next_check_knows_the_merge_and_the_next_one_its_end(service: Service) -> None:
    carter, wright = await two(service)
    await service.active(wright)
    answers = [await service.outcome(CARTER)]
    await service.merge(carter, wright)
    merged = await service.screen(CARTER)
    await service.unmerge(carter)
    answers.append(await service.outcome(CARTER))

    assert answers == ["NOT_FLAGGED", "NOT_FLAGGED"]
    assert merged.outcome == screening_pb2.OUTCOME_FLAGGED
    assert [one.nominal_id for one in merged.candidates] == [wright]
    assert merged.identity_basis == screening_pb2.IDENTITY_BASIS_IDENTIFIER


async def test_under_the_merged_nominal_id_the_living_one_is_flagged(service: Service) -> None:
    carter, wright = await two(service)
    await service.active(wright)
    await service.merge(carter, wright)

    answer = await service.screen(asked(nominal_id(carter)))

    assert answer.outcome == screening_pb2.OUTCOME_FLAGGED
    assert answer.candidates[0].nominal_id == wright


async def test_who_was_merged_and_is_no_ppo_is_known_by_the_identifier_under_either_name(
    service: Service,
) -> None:
    carter, wright = await two(service)
    await service.merge(carter, wright)

    answer = await service.screen(asked(pnc_id(2), of=CARTER))

    assert answer.outcome == screening_pb2.OUTCOME_NOT_FLAGGED
    assert answer.identity_basis == screening_pb2.IDENTITY_BASIS_IDENTIFIER


# ---- the registrations


async def test_of_two_live_registrations_the_later_ends_as_merged(service: Service) -> None:
    carter, wright = await two(service)
    earlier = await service.active(carter)
    service.clock.at += DAY
    later = await service.active(wright)
    service.clock.at += DAY

    ended = (await service.merge(carter, wright)).merged_registration

    assert (ended.registration_id, ended.state) == (later.registration_id, MERGED)
    assert ended.merged_time == stamp(NOON + 2 * DAY)
    assert (await service.latest(wright)).registration_id == earlier.registration_id
    assert (await service.latest(carter)).nominal_id == wright


async def test_a_nomination_never_outlives_a_registration_in_force(service: Service) -> None:
    carter, wright = await two(service)
    nomination = await service.nominate(carter)
    service.clock.at += DAY
    await service.active(wright)

    ended = (await service.merge(wright, carter)).merged_registration

    assert ended.registration_id == nomination.registration_id
    assert await service.outcome(WRIGHT) == "FLAGGED"


async def test_unmerged_the_registration_stands_as_if_it_had_never_ended(service: Service) -> None:
    carter, wright = await two(service)
    await service.active(carter)
    service.clock.at += DAY
    before = await service.active(wright)
    service.clock.at += DAY
    await service.merge(wright, carter)
    service.clock.at += DAY

    [restored] = (await service.unmerge(wright)).restored_registrations

    before.version = restored.version
    assert restored == before
    kept = await steps(service, before)
    assert [step.state for step in kept.steps][-2:] == [MERGED, pb.REGISTRATION_STATE_ACTIVE]
    assert kept.steps[-1].effective_time == kept.steps[-2].effective_time == stamp(NOON + 2 * DAY)
    assert kept.steps[-1].recorded_time == stamp(NOON + 3 * DAY)


async def test_a_planned_end_that_came_while_merged_has_come_after_the_unmerge(service: Service) -> None:
    carter, wright = await two(service)
    await service.active(carter)
    service.clock.at += DAY
    await service.ending(WRIGHT, NOON + 3 * DAY)
    await service.merge(wright, carter)
    service.clock.at += 5 * DAY

    [restored] = (await service.unmerge(wright)).restored_registrations

    assert restored.state == pb.REGISTRATION_STATE_REMOVED
    assert restored.effective_end_time == stamp(NOON + 3 * DAY)


async def test_who_was_removed_while_merged_stays_removed_and_the_other_is_a_ppo_again(
    service: Service,
) -> None:
    carter, wright = await two(service)
    registration = await service.active(carter)
    service.clock.at += DAY
    await service.active(wright)
    await service.merge(wright, carter)
    await service.remove(await service.plan_exit(registration), effective_time=stamp(service.clock.at + DAY))
    service.clock.at += 2 * DAY
    merged = await service.outcome(WRIGHT)

    await service.unmerge(wright)

    assert merged == "NOT_FLAGGED"
    assert (await service.outcome(CARTER), await service.outcome(WRIGHT)) == ("NOT_FLAGGED", "FLAGGED")


async def test_a_nomination_of_the_merged_is_one_of_the_living(service: Service) -> None:
    carter, wright = await two(service)
    await service.merge(carter, wright)

    registration = await service.nominate(carter)
    again = await refusal(service.nominate(wright))

    assert registration.nominal_id == wright
    assert reason(again) == "ON_REGISTER"


async def test_a_chain_of_merges_is_one_person_and_comes_apart_where_it_is_taken_back(
    service: Service,
) -> None:
    carter, wright = await two(service)
    other = await service.nominal(OTHER)
    for one in (other, wright, carter):
        await service.active(one)
        service.clock.at += DAY
    await service.merge(carter, wright)
    await service.merge(wright, other)
    chained = [one.merged_nominal_id for one in [await get(service, pnc_id(1))]]
    listed = await people(service)

    await service.unmerge(wright)

    assert (chained, listed) == ([carter], [other])
    assert sorted(await people(service)) == sorted([other, wright])
    assert (await get(service, pnc_id(1))).nominal.nominal_id == wright


async def people(service: Service) -> list[str]:
    keeper = await service.stub("register_keeper")
    request = pb.ListPposRequest(purpose=policy_pb2.PURPOSE_REGISTER)
    return [row.registration.nominal_id async for row in keeper.ListPpos(request, timeout=5)]


async def test_what_was_known_of_a_merge_is_read_as_of_any_time(service: Service) -> None:
    carter, wright = await two(service)
    await service.active(carter)
    service.clock.at += DAY
    later = await service.active(wright)
    service.clock.at += 2 * DAY
    await service.merge(wright, carter)
    service.clock.at += 2 * DAY
    await service.unmerge(wright)

    known = [await as_known(service, later, known_at=NOON + number * DAY) for number in (2, 4, 5)]

    assert [(one.nominal_id, one.state) for one in known] == [
        (wright, pb.REGISTRATION_STATE_ACTIVE),
        (carter, MERGED),
        (wright, pb.REGISTRATION_STATE_ACTIVE),
    ]


async def as_known(service: Service, registration: pb.Registration, known_at: datetime) -> pb.Registration:
    """As of the last instant that was known then."""
    request = pb.GetRegistrationRequest(
        registration_id=registration.registration_id,
        purpose=policy_pb2.PURPOSE_REGISTER,
        as_of_time=stamp(known_at),
        known_at_time=stamp(known_at),
    )
    return (await (await service.stub("register_keeper")).GetRegistration(request, timeout=5)).registration


# ---- what is refused


async def test_a_merge_that_cannot_be_is_refused_by_its_rule(service: Service) -> None:
    carter, wright = await two(service)
    other = await service.nominal(OTHER)
    await service.merge(carter, wright)

    assert reason(await refusal(service.merge(carter, other))) == "MERGED_ALREADY"
    assert reason(await refusal(service.merge(wright, carter))) == "MERGES_IN_A_CIRCLE"
    assert reason(await refusal(service.unmerge(other))) == "NOT_MERGED"


async def test_a_nominal_is_not_merged_into_itself_nor_with_nobody(service: Service) -> None:
    carter = await service.nominal(CARTER)

    itself = await refusal(service.merge(carter, carter))
    nobody = await refusal(service.merge(carter, NO_ONE))

    assert violations(itself) == [("into_nominal_id", "is the nominal itself")]
    assert (nobody.code(), nobody.details()) == (
        grpc.StatusCode.NOT_FOUND,
        "into_nominal_id: there is no such nominal",
    )


async def test_the_dead_are_not_merged_with_the_living(service: Service) -> None:
    carter, wright = await two(service)
    died = await service.active(carter)
    await service.active(wright)
    service.clock.at += DAY
    await service.remove(died, reason=pb.REMOVAL_REASON_DECEASED, forum_id="", votes=[])

    assert reason(await refusal(service.merge(carter, wright))) == "DECEASED_AND_LIVE"


async def test_a_registration_that_ended_by_a_merge_takes_no_step(service: Service) -> None:
    carter, wright = await two(service)
    await service.active(carter)
    service.clock.at += DAY
    later = await service.active(wright)
    await service.merge(wright, carter)

    assert reason(await refusal(service.plan_exit(later))) == "MERGED_TO_EXIT_PLANNED"
    assert reason(await refusal(service.annul(later))) == "MERGED_TO_ANNULLED"


async def test_only_the_register_keeper_merges(service: Service) -> None:
    carter, wright = await two(service)
    request = pb.MergeNominalsRequest(
        request_id="1", nominal_id=carter, into_nominal_id=wright, reason="one fingerprint"
    )
    manager = await service.stub("police_offender_manager")

    assert (await refusal(manager.MergeNominals(request, timeout=5))).code() == (
        grpc.StatusCode.PERMISSION_DENIED
    )


async def test_a_merge_repeated_under_its_request_id_is_one(service: Service) -> None:
    carter, wright = await two(service)
    keeper = await service.stub("register_keeper")
    request = pb.MergeNominalsRequest(
        request_id="1", nominal_id=carter, into_nominal_id=wright, reason="one fingerprint"
    )

    first = await keeper.MergeNominals(request, timeout=5)
    again = await keeper.MergeNominals(request, timeout=5)

    assert first == again
    assert await count(service, "SELECT count(*) FROM nominal_merge") == 1


# ---- the database


async def test_the_database_itself_refuses_a_circle_and_a_second_merge(service: Service) -> None:
    ids = [await service.nominal(one) for one in (CARTER, WRIGHT, OTHER)]
    for one, into in pairwise(ids):
        await _insert(service, one, into)

    with pytest.raises(Exception, match="nominal_merge_has_no_cycle"):
        await _insert(service, ids[2], ids[0])
    with pytest.raises(Exception, match="nominal_merge_live"):
        await _insert(service, ids[0], ids[2])


async def test_two_merges_at_once_make_no_circle_in_the_database(service: Service) -> None:
    carter, wright = await two(service)

    async with service.database.transaction() as first:
        await _insert_into(first, carter, wright)
        second = asyncio.create_task(_insert(service, wright, carter))
        while not second.done() and not await count(service, WAITING):
            await asyncio.sleep(0.01)

    with pytest.raises(Conflict, match="nominal_merge_has_no_cycle"):
        await second


# Whoever waits for another writer.
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"


async def _insert(service: Service, one: str, into: str) -> None:
    """Past all the code."""
    async with service.database.transaction() as session:
        await _insert_into(session, one, into)


async def _insert_into(session: AsyncSession, one: str, into: str) -> None:
    await session.execute(
        text(
            "INSERT INTO nominal_merge (merge_id, nominal_id, into_id, living_id, recorded_time,"
            " recorded_by, reason) VALUES (gen_random_uuid(), :one, :into, :into, now(), '', '')"
        ),
        {"one": one, "into": into},
    )


async def test_concurrent_merges_and_nominations_leave_one_live_registration_a_person(
    service: Service,
) -> None:
    ids = [await service.nominal(person(identifiers=[pnc_id(serial)])) for serial in range(1, 5)]
    for one in ids:
        await service.active(one)
    calls: list[Callable[[], Awaitable[object]]] = [partial(service.nominate, one) for one in ids]
    calls += [partial(service.merge, one, into) for one in ids for into in ids if one != into]

    refused = await asyncio.gather(*map(refused_for, calls))

    assert {*refused} <= {"", "MERGED_ALREADY", "MERGES_IN_A_CIRCLE", "ON_REGISTER"}
    persons = set((await living(service, ids)).values())
    assert len(persons) == 1
    assert len(await people(service)) == 1


async def refused_for(call: Callable[[], Awaitable[object]]) -> str:
    """Insists, as a caller does whom the others have kept waiting for too long."""
    while True:
        try:
            await call()
            return ""
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                return reason(error)


async def living(service: Service, ids: list[str]) -> dict[str, str]:
    return {one: (await get(service, nominal_id(one))).nominal.nominal_id for one in ids}


async def test_imported_identifiers_of_the_merged_are_at_once_the_livings(service: Service) -> None:
    await service.load(CARTER, WRIGHT)
    carter, wright = [(await service.read(one.identifiers[0])).nominal_id for one in (CARTER, WRIGHT)]
    await service.active(wright)
    await service.merge(carter, wright)

    more = person("James", "Carter", identifiers=[pnc_id(1), pnc_id(9)])
    await service.load(more)

    assert await service.outcome(asked(pnc_id(9))) == "FLAGGED"


async def test_a_planned_end_under_the_merged_nominal_ends_the_livings_flag_when_due(
    service: Service,
) -> None:
    carter, wright = await two(service)
    await service.ending(CARTER, NOON + DAY)
    await service.merge(carter, wright)
    due = await count(service, f"SELECT count(*) FROM due WHERE kind = '{changes.FLAG_ENDS}'")
    service.clock.at = NOON + DAY

    async with service.database.transaction() as session:
        await changes.end_flag(session, wright, service.clock.at)
        held = await flag_store.held(session, [carter, wright])

    assert due == 1
    assert held[wright].state == screening_pb2.FLAG_STATE_NOT_FLAGGED
    assert held[carter].state == screening_pb2.FLAG_STATE_MERGED_INTO
