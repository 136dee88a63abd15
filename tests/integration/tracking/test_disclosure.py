"""Who is told what: each organisation its own record, with what its audience may see and nothing else."""

from uuid import uuid4

import grpc
import pytest
from casework.v1 import casework_pb2
from google.type.date_pb2 import Date

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from tests.integration.tracking.running import (
    ARRESTS,
    ASN,
    NOW,
    SECONDS,
    Ppo,
    World,
    casework_notice,
    december,
    hmpps,
    stamp,
)

HOUSING = "casework.birmingham-housing.v1"
DRUG_TEAM = "drug-solutions-birmingham"


async def test_an_arrest_reaches_the_owner_and_the_interested_ocu(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")

    await world.arrest(ppo, december(10), suite="D3")

    [_, owner] = await world.notices("E3", ppo, 2)
    [interested] = await world.notices("D3", ppo, 1)
    ownership = await world.ownership(ppo)
    assert (ownership.owner, ownership.rule, list(ownership.interested_ocus)) == ("E3", "O6", ["D3"])
    assert {owner.type, interested.type} == {pb.NOTICE_TYPE_PPO_ARRESTED}
    assert interested.arrest.suite_id == "D3"


async def test_arrest_referral_workers_are_told_where_somebody_is_held_and_not_what_for(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.arrest(ppo, december(10), suite="D3")

    [told] = await world.notices("arrest-referral-d", ppo, 1)
    assert (told.type, told.arrest.suite_id) == (pb.NOTICE_TYPE_PPO_ARRESTED, "D3")
    assert told.arrest.booked_time == stamp(december(10))
    assert not told.arrest.offence_codes
    assert not told.arrest.HasField("arrested_time")
    assert not told.arrest.HasField("trigger_offence")
    [owner] = await world.notices("E3", ppo, 1, pb.NOTICE_TYPE_PPO_ARRESTED)
    assert owner.arrest.trigger_offence
    assert (owner.arrest.arrest_summons_number, told.arrest.arrest_summons_number) == (ASN, "")


async def test_the_drug_workers_of_a_prison_are_told_who_comes_in_and_watch_their_notices(
    world: World,
) -> None:
    ppo = await world.known(Ppo())

    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))

    [told] = await world.notices("carat-bmi", ppo, 1)
    assert (told.movement.prison_id, told.movement.prison_number) == ("BMI", ppo.number)
    assert told.movement.occurred_time == stamp(december(1))
    # Why somebody is held is not theirs to know.
    assert told.movement.basis == ""
    own = await world.tracking("carat_worker", "carat-bmi")
    asked = pb.ListNoticesRequest(purpose=policy_pb2.PURPOSE_PRISON_CUSTODY)
    listed = (await own.ListNotices(asked, timeout=SECONDS)).notices
    assert told.SerializeToString() in [one.record for one in listed]


async def test_a_tenancy_that_is_recorded_is_told_to_the_housing_provider_alone(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await world.moved(ppo, 1)
    prison = await world.tracking("prison_offender_management_unit", "BMI")

    for held in (pb.TENANCY_HELD_YES, pb.TENANCY_HELD_YES, pb.TENANCY_HELD_NO):
        request = pb.RecordTenancyRequest(request_id=str(uuid4()), nominal_id=ppo.nominal_id, held=held)
        await prison.RecordTenancy(request, timeout=SECONDS)
    await world.publish(hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "BL"))
    await world.moved(ppo, 2)
    later = pb.RecordTenancyRequest(
        request_id=str(uuid4()), nominal_id=ppo.nominal_id, held=pb.TENANCY_HELD_YES
    )
    await prison.RecordTenancy(later, timeout=SECONDS)
    await world.arrest(ppo, december(22), suite="F1")
    await world.notices("arrest-referral-f", ppo, 1)

    records = await world.records(HOUSING, 4, key=world.case_reference(ppo))
    told = [casework_notice(one) for one in records]
    assert [(one.revision, one.tenancy_held) for one in told] == [
        (1, casework_pb2.TENANCY_HELD_UNKNOWN),
        (2, casework_pb2.TENANCY_HELD_YES),
        (3, casework_pb2.TENANCY_HELD_NO),
        (1, casework_pb2.TENANCY_HELD_UNSPECIFIED),
    ]
    assert {one.due_time.ToJsonString() for one in told[:3]} == {stamp(december(3)).ToJsonString()}
    assert [one.type for one in await world.notices("BMI", ppo, 1)] == [pb.NOTICE_TYPE_PRISON_RECEPTION]


async def test_an_interested_ocu_never_sees_a_drug_test(world: World) -> None:
    ppo = await world.known(Ppo())
    await world.lives(ppo, "E3")
    detention = await world.arrest(ppo, december(10), suite="D3")
    await world.notices("D3", ppo, 1)

    await world.test(ppo, detention, december(10, 12))

    [tested] = await world.notices(DRUG_TEAM, ppo, 1)
    await world.publish(hmpps("received", ppo.number, december(11), "ADMISSION", "BMI", "N"))
    await world.publish(hmpps("released", ppo.number, december(20), "RELEASED", "BMI", "BL"))
    told = await world.notices("D3", ppo, 2)
    assert tested.type == pb.NOTICE_TYPE_DRUG_TEST_ROUTED
    assert [one.type for one in told] == [pb.NOTICE_TYPE_PPO_ARRESTED, pb.NOTICE_TYPE_RELEASED]


async def test_a_housing_providers_record_says_nothing_of_the_person_or_the_scheme(world: World) -> None:
    ppo = await world.known(Ppo())

    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))

    await world.notices("E3", ppo, 2)
    [record] = await world.records(HOUSING, 1, key=world.case_reference(ppo))
    notice = casework_notice(record)
    whole = repr(record).lower()
    assert notice.case_reference == record.key
    assert notice.due_time == stamp(december(3))
    for word in (ppo.nominal_id, ppo.number, "ppo", "tadcaster", "wilfred", "correlation", "trace"):
        assert word.lower() not in whole
    assert set(record.headers) <= {*_CLOUD_EVENT, "content-type"}


_CLOUD_EVENT = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_sequence")


async def test_a_record_is_numbered_and_named_by_notice_and_revision(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F3"))

    [record] = await world.records("ppo.notices.F3.v1", 1, key=ppo.nominal_id)
    [notice] = await world.notices("F3", ppo, 1)

    assert record.headers["ce_id"] == f"{notice.notice_id}/1"
    assert record.headers["ce_sequence"] == "1"


async def test_only_who_was_told_can_acknowledge(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    [notice] = await world.notices("F1", ppo, 1)
    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id=notice.notice_id)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (await world.tracking(organisation="F2")).AcknowledgeNotice(request, timeout=SECONDS)
    own = await world.tracking(organisation="F1")
    answers = [await own.AcknowledgeNotice(request, timeout=SECONDS) for _ in range(2)]
    traced = await own.TraceNotice(pb.TraceNoticeRequest(notice_id=notice.notice_id), timeout=SECONDS)

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert answers[0] == answers[1]
    acknowledged = {one.organisation: one.HasField("acknowledged_time") for one in traced.deliveries}
    assert acknowledged == {"F1": True, "probation-6": False}


async def test_a_housing_provider_acknowledges_with_the_date_of_entry_and_the_case_sees_it(
    world: World,
) -> None:
    ppo = await world.known(Ppo())
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    [record] = await world.records(HOUSING, 1, key=world.case_reference(ppo))
    notice_id = casework_notice(record).notice_id
    provider = await world.casework()

    with pytest.raises(grpc.aio.AioRpcError) as undated:
        await provider.AcknowledgeNotice(acknowledging(notice_id), timeout=SECONDS)
    answers = [
        await provider.AcknowledgeNotice(acknowledging(notice_id, ENTERED), timeout=SECONDS) for _ in range(2)
    ]
    with pytest.raises(grpc.aio.AioRpcError) as another:
        await provider.AcknowledgeNotice(
            acknowledging(notice_id, Date(year=2004, month=12, day=3)), timeout=SECONDS
        )

    request = pb.TraceNoticeRequest(notice_id=notice_id)
    [traced] = (await (await world.tracking()).TraceNotice(request, timeout=SECONDS)).deliveries
    assert channel.violations(undated.value)[0][0] == "register_date"
    assert another.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert answers == [answers[0]] * 2
    assert traced.acknowledged_time == answers[0].acknowledged_time
    assert traced.register_date == ENTERED


async def test_a_provider_acknowledges_its_own_case_notices_alone(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    [record] = await world.records(HOUSING, 1, key=world.case_reference(ppo))
    to_police, to_housing = (
        (await world.notices("F1", ppo, 1))[0].notice_id,
        casework_notice(record).notice_id,
    )

    for provider, notice_id in (("birmingham-housing", to_police), ("another-housing", to_housing)):
        stub = await world.casework(provider)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.AcknowledgeNotice(acknowledging(notice_id, ENTERED), timeout=SECONDS)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_tracking_itself_is_not_there_for_a_provider(world: World) -> None:
    tracking = await world.tracking("housing_provider", "birmingham-housing")
    request = pb.AcknowledgeNoticeRequest(request_id=str(uuid4()), notice_id="n")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await tracking.AcknowledgeNotice(request, timeout=SECONDS)

    assert (refused.value.code(), refused.value.details()) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "there is no such RPC",
    )


ENTERED = Date(year=2004, month=12, day=2)


def acknowledging(notice_id: str, on: Date | None = None) -> casework_pb2.AcknowledgeNoticeRequest:
    return casework_pb2.AcknowledgeNoticeRequest(
        request_id=str(uuid4()), notice_id=notice_id, register_date=on
    )


async def test_an_organisation_lists_and_watches_its_own_notices(world: World) -> None:
    ppo = await world.known(Ppo(ocu="D1"))
    [notice] = await world.notices("D1", ppo, 1)
    own = await world.tracking(organisation="D1")
    asked = pb.ListNoticesRequest(purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT)
    watched = pb.WatchNoticesRequest(purpose=policy_pb2.PURPOSE_OFFENDER_MANAGEMENT)

    listed = (await own.ListNotices(asked, timeout=SECONDS)).notices
    stream = own.WatchNotices(watched, timeout=SECONDS)
    first = await anext(aiter(stream))
    stream.cancel()

    assert notice.SerializeToString() in [one.record for one in listed]
    assert first.notice.number == 1


async def test_an_annulled_registration_is_retracted_where_it_was_told(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    await world.publish(hmpps("received", ppo.number, december(1), "ADMISSION", "BMI", "N"))
    await world.notices("F1", ppo, 2)
    await world.notices("BMI", ppo, 1)

    ppo.annulled = True
    await world.flag(ppo)

    told = await world.notices("F1", ppo, 4)
    [received, retracted] = await world.notices("BMI", ppo, 2)
    assert {one.notice_id for one in told[:2]} == {one.notice_id for one in told[2:]}
    assert {(one.revision, one.state) for one in told[2:]} == {(2, pb.NOTICE_STATE_RETRACTED)}
    assert (retracted.notice_id, retracted.state) == (received.notice_id, pb.NOTICE_STATE_RETRACTED)
    assert (await world.ownership(ppo)).state == pb.OWNERSHIP_STATE_NONE


async def test_a_withdrawn_arrest_is_retracted(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    detention = await world.arrest(ppo, december(10), suite="F1")
    await world.notices("F1", ppo, 2)

    withdrawn = custody.PpoArrestWithdrawn(
        detention_id=detention, nominal_id=ppo.nominal_id, recorded_time=stamp(NOW)
    )
    await world.send(ARRESTS, ppo.nominal_id, withdrawn)

    [_, told, retracted] = await world.notices("F1", ppo, 3)
    assert (retracted.notice_id, retracted.revision) == (told.notice_id, 2)
    assert retracted.state == pb.NOTICE_STATE_RETRACTED


async def test_a_corrected_drug_test_retracts_its_referral(world: World) -> None:
    ppo = await world.known(Ppo(ocu="F1"))
    detention = await world.arrest(ppo, december(10), suite="F1")
    tested = await world.test(ppo, detention, december(10, 12))
    [referred] = await world.notices(DRUG_TEAM, ppo, 1)

    tested.drug_test.result = custody_pb2.TEST_RESULT_NEGATIVE
    tested.drug_test.route = custody_pb2.REFERRAL_ROUTE_NONE
    tested.recorded_time.CopyFrom(stamp(december(10, 13)))
    await world.send(ARRESTS, ppo.nominal_id, tested)

    [_, retracted] = await world.notices(DRUG_TEAM, ppo, 2)
    assert (retracted.notice_id, retracted.revision) == (referred.notice_id, 2)
    assert retracted.state == pb.NOTICE_STATE_RETRACTED


async def test_a_child_is_the_youth_offending_teams(world: World) -> None:
    ppo = await world.known(Ppo(born="1989-05-01"))

    [notice] = await world.notices("birmingham-yot", ppo, 1)

    assert notice.ownership.owner == "birmingham-yot"
    assert notice.ownership.rule == "O11"
