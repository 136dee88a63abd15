"""Whose case it is, asked of the running service: at a time, as known at a time, as if something were so."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.type.date_pb2 import Date

from deploy.embedded import clock
from ppo.person.v1 import person_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import (
    NOW,
    REGISTERED,
    SECONDS,
    Ppo,
    World,
    december,
    hmpps,
    stamp,
)

BROUGHT_ALONG = ("drug_referrals", "open_matters", "release", "review_date")


async def explained(
    world: World, ppo: Ppo, organisation: str = "E3", **asked: Any
) -> pb.ExplainOwnershipResponse:
    identifier = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_NOMINAL_ID, value=ppo.nominal_id)
    request = pb.ExplainOwnershipRequest(
        identifier=identifier, purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT, **asked
    )
    service = await world.tracking(organisation=organisation)
    return await service.ExplainOwnership(request, timeout=SECONDS)


async def moves(world: World, ppo: Ppo, ocu: str, at: datetime, handover: datetime | None = None) -> pb.Case:
    request = pb.SetResidenceRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        kind=pb.RESIDENCE_KIND_HOME,
        ocu=ocu,
        effective_time=stamp(at),
        handover_time=stamp(handover) if handover else None,
    )
    return (await (await world.tracking()).SetResidence(request, timeout=SECONDS)).case


async def at_home(world: World, ocu: str = "E3") -> Ppo:
    ppo = await world.known(Ppo())
    await moves(world, ppo, ocu, REGISTERED - timedelta(days=30))
    return ppo


async def told(world: World, organisation: str, ppo: Ppo, kind: pb.NoticeType.ValueType) -> notice_pb2.Notice:
    """The first notice of that kind, however many come before it."""
    for many in itertools.count(1):
        found = [one for one in await world.notices(organisation, ppo, many) if one.type == kind]
        if found:
            return found[0]
    raise AssertionError("they are counted without end")


def rows(world: World, ppo: Ppo) -> list[tuple[Any, ...]]:
    """All that is stored of the person, by kind."""
    counted = (
        "SELECT (SELECT count(*) FROM tracking.fact WHERE nominal_id = %(id)s),"
        " (SELECT count(*) FROM tracking.ownership WHERE nominal_id = %(id)s),"
        " (SELECT case_version FROM tracking.person WHERE nominal_id = %(id)s),"
        " (SELECT count(*) FROM tracking.notice WHERE nominal_id = %(id)s)"
    )
    with psycopg.connect(world.processes.database.superuser) as connection:
        return connection.execute(counted, {"id": ppo.nominal_id}).fetchall()


async def test_a_move_told_late_decides_the_past_again_and_says_what_changed(world: World) -> None:
    ppo = await at_home(world)
    before = await explained(world, ppo, as_of_time=stamp(december(20)))
    known = before.now_time

    case = await moves(world, ppo, "F2", december(10))

    after = await explained(world, ppo, as_of_time=stamp(december(20)))
    then = await explained(world, ppo, as_of_time=stamp(december(20)), known_at_time=known)
    assert [one.ownership.owner for one in (before, after, then)] == ["E3", "F2", "E3"]
    [correction] = after.corrections
    assert (correction.owner_before, correction.owner) == ("E3", "F2")
    assert correction.start_time.ToDatetime(UTC) == december(10)
    assert list(case.corrections) == [correction]
    assert list(then.corrections) == []


async def test_what_was_corrected_goes_out_with_the_case(world: World) -> None:
    ppo = await at_home(world)

    await moves(world, ppo, "F2", december(10))

    told = await world.case(ppo, lambda case: len(case.corrections) == 1)
    assert told.corrections[0].owner == told.ownership.owner == "F2"


async def test_a_supposition_is_answered_and_stored_nowhere(world: World) -> None:
    ppo = await at_home(world)
    before = rows(world, ppo)
    home = pb.SupposedResidence(kind=pb.RESIDENCE_KIND_HOME, ocu="F2")

    supposed = await explained(world, ppo, suppositions=[pb.Supposition(residence=home)])

    assert supposed.ownership.owner == "F2"
    assert (await explained(world, ppo)).ownership.owner == "E3"
    assert rows(world, ppo) == before


async def test_the_old_owner_keeps_the_case_until_the_hand_over(world: World) -> None:
    ppo = await at_home(world)
    handover = NOW + timedelta(days=7)

    await moves(world, ppo, "F2", december(28), handover)

    told = [await explained(world, ppo, as_of_time=stamp(at)) for at in (december(29), handover)]
    assert [(one.ownership.owner, one.ownership.proposed_owner) for one in told] == [("E3", "F2"), ("F2", "")]


async def test_a_hand_over_is_not_refused_but_disputed(world: World) -> None:
    ppo = await at_home(world)
    await moves(world, ppo, "F2", december(28), NOW + timedelta(days=7))
    dispute = pb.RaiseDisputeRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, ocu="F2", reason="only stays with a cousin"
    )

    service = await world.tracking(organisation="F2")
    ownership = (await service.RaiseDispute(dispute, timeout=SECONDS)).case.ownership

    assert (ownership.owner, ownership.rule, ownership.state) == ("E3", "O1", pb.OWNERSHIP_STATE_DISPUTED)
    assert "F2" in ownership.interested_ocus


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"as_of_time": stamp(NOW + timedelta(days=4000))}, "as_of_time"),
        ({"suppositions": [pb.Supposition(disputed_by="ZZ")]}, "suppositions[0].disputed_by"),
        (
            {"suppositions": [pb.Supposition(removed=True)], "known_at_time": stamp(NOW)},
            "suppositions",
        ),
    ],
)
async def test_what_cannot_be_explained_is_refused_by_its_field(
    world: World, asked: dict[str, Any], field: str
) -> None:
    ppo = await at_home(world)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await explained(world, ppo, **asked)

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [named for named, _ in channel.violations(refused.value)] == [field]


async def test_who_works_for_no_ocu_that_there_is_learns_nothing(world: World) -> None:
    ppo = await at_home(world)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await explained(world, ppo, organisation="ZZ")

    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert refused.value.details() == "'ZZ' is no OCU that the reference data knows"


async def test_what_was_planned_goes_on_with_who_takes_the_case_over(world: World) -> None:
    ppo = await at_home(world)
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    plan = pb.PlanReleaseRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        release_date=Date(year=2005, month=1, day=4),
        ocu="F2",
    )
    prison = await world.tracking("prison_offender_management_unit", "BMI")
    await prison.PlanRelease(plan, timeout=SECONDS)

    let_out = clock.now(world.processes.directory)
    await world.publish(hmpps("released", ppo.number, let_out, "RELEASED", "BMI", "CR"))

    await world.moved(ppo, 2)
    old, new = [await told(world, ocu, ppo, pb.NOTICE_TYPE_RELEASED) for ocu in ("E3", "F2")]
    changed = [await told(world, ocu, ppo, pb.NOTICE_TYPE_OWNERSHIP_CHANGED) for ocu in ("E3", "F2")]
    ownership = await world.ownership(ppo)
    assert (ownership.owner, list(ownership.interested_ocus)) == ("F2", ["E3"])
    assert (old.ownership.owner, new.ownership.owner) == ("F2", "F2")
    handed = [(one.ownership_change.from_owner, one.ownership_change.to_owner) for one in changed]
    assert handed == [("E3", "F2")] * 2


async def test_what_is_open_and_what_is_due_goes_to_the_new_owner_alone(world: World) -> None:
    ppo = await at_home(world)
    detention = await world.arrest(ppo, december(10), suite="D3")
    await world.test(ppo, detention, december(10, 12))
    await world.publish(hmpps("received", ppo.number, december(11), "ADMISSION", "BMI", "N"))
    await told(world, "BMI", ppo, pb.NOTICE_TYPE_PRISON_RECEPTION)
    plan = pb.PlanReleaseRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        release_date=Date(year=2005, month=2, day=14),
        ocu="F2",
    )

    prison = await world.tracking("prison_offender_management_unit", "BMI")
    await prison.PlanRelease(plan, timeout=SECONDS)
    before = await told(world, "E3", ppo, pb.NOTICE_TYPE_OWNERSHIP_PROPOSED)
    proposed = await told(world, "F2", ppo, pb.NOTICE_TYPE_OWNERSHIP_PROPOSED)
    let_out = clock.now(world.processes.directory)
    await world.publish(hmpps("released", ppo.number, let_out, "RELEASED", "BMI", "CR"))
    new = await told(world, "F2", ppo, pb.NOTICE_TYPE_OWNERSHIP_CHANGED)
    old = await told(world, "E3", ppo, pb.NOTICE_TYPE_OWNERSHIP_CHANGED)

    assert (before.release.area, before.release.release_date) == ("F2", plan.release_date)
    assert [(one.type, one.organisation) for one in new.drug_referrals] == [
        (pb.NOTICE_TYPE_DRUG_TEST_ROUTED, "drug-solutions-birmingham")
    ]
    assert new.drug_referrals[0].due_time.ToDatetime(UTC) >= december(17)
    assert (pb.NOTICE_TYPE_HOUSING_FAST_TRACK, "birmingham-housing") in [
        (one.type, one.organisation) for one in new.open_matters
    ]
    assert new.review_date.year == 2005
    for other in (proposed, old):
        assert not {field.name for field, _ in other.ListFields()} & set(BROUGHT_ALONG)


async def test_who_was_to_have_a_case_is_told_that_it_does_not_come(world: World) -> None:
    ppo = await at_home(world)
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await told(world, "BMI", ppo, pb.NOTICE_TYPE_PRISON_RECEPTION)
    prison = await world.tracking("prison_offender_management_unit", "BMI")
    on = Date(year=2005, month=2, day=14)

    for ocu in ("F2", "D1"):
        plan = pb.PlanReleaseRequest(
            request_id=str(uuid4()), nominal_id=ppo.nominal_id, release_date=on, ocu=ocu
        )
        await prison.PlanRelease(plan, timeout=SECONDS)

    first, second = [
        one.ownership_change for one in await world.notices("F2", ppo, 2, pb.NOTICE_TYPE_OWNERSHIP_PROPOSED)
    ]
    assert (first.to_owner, first.withdrawn_owner) == ("F2", "")
    assert (second.to_owner, second.withdrawn_owner) == ("D1", "F2")


async def test_what_somebody_has_taken_on_is_not_open_any_more(world: World) -> None:
    ppo = await at_home(world)
    detention = await world.arrest(ppo, december(10), suite="D3")
    await world.test(ppo, detention, december(10, 12))
    [referral] = await world.notices("drug-solutions-birmingham", ppo, 1)
    drug_team = await world.tracking("ppo_drug_team", "drug-solutions-birmingham")
    taken = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=referral.notice_id)
    await drug_team.AcknowledgeNotice(taken, timeout=SECONDS)

    await moves(world, ppo, "F2", clock.now(world.processes.directory))

    changed = await told(world, "F2", ppo, pb.NOTICE_TYPE_OWNERSHIP_CHANGED)
    assert changed.ownership.owner == "F2"
    assert not changed.drug_referrals


async def test_what_is_found_out_of_the_past_is_told_to_all_whose_case_it_was_or_was_not(
    world: World,
) -> None:
    ppo = await at_home(world)
    await moves(world, ppo, "E3", december(20))

    await moves(world, ppo, "D3", december(10))

    for ocu in ("E3", "D3"):
        changed = (await told(world, ocu, ppo, pb.NOTICE_TYPE_OWNERSHIP_CHANGED)).ownership_change
        [found] = changed.corrections
        assert (changed.from_owner, changed.to_owner) == ("E3", "E3")
        assert (found.owner_before, found.owner) == ("E3", "D3")
        assert (found.start_time, found.end_time) == (stamp(december(10)), stamp(december(20)))


async def test_a_release_to_an_area_outside_proposes_it_and_hands_nothing_over(world: World) -> None:
    ppo = await at_home(world)
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)
    plan = pb.PlanReleaseRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        release_date=Date(year=2005, month=2, day=14),
        ocu="K1",
    )

    prison = await world.tracking("prison_offender_management_unit", "BMI")
    ownership = (await prison.PlanRelease(plan, timeout=SECONDS)).case.ownership

    assert (ownership.owner, ownership.proposed_owner) == ("E3", "K1")
    assert not ownership.HasField("handover_time")


# ---- every history held against its facts


async def checked(world: World) -> pb.CheckOwnershipsResponse:
    service = await world.tracking("ops", "operations")
    return await service.CheckOwnerships(pb.CheckOwnershipsRequest(), timeout=SECONDS)


def change(world: World, statement: str, ppo: Ppo) -> None:
    with psycopg.connect(world.processes.database.superuser) as connection:
        connection.execute(statement.encode(), {"id": ppo.nominal_id})


async def test_a_history_with_a_gap_is_counted(world: World) -> None:
    ppo = await at_home(world)
    whole = await checked(world)

    change(world, "DELETE FROM tracking.ownership WHERE nominal_id = %(id)s", ppo)

    broken = await checked(world)
    assert (whole.breaches, whole.differing) == (0, 0)
    assert 0 < whole.cases <= whole.decisions
    assert (broken.breaches, broken.differing) == (1, 1)


async def test_a_history_that_is_not_what_the_facts_make_is_counted(world: World) -> None:
    ppo = await at_home(world)
    before = await checked(world)

    change(world, "DELETE FROM tracking.fact WHERE nominal_id = %(id)s", ppo)

    after = await checked(world)
    assert (after.breaches - before.breaches, after.differing - before.differing) == (0, 1)
