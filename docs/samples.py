"""One made-up record of each kind, the same at every run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from casework.v1 import casework_pb2, court_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.custody.v1 import custody_pb2, events_pb2
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import movement_pb2, notice_pb2, tracking_pb2

NOMINAL = "6f1d2c58-3a34-4e0b-9d5e-0f1c2b7a9e41"
PRISON_NUMBER = "A1234BC"
CASE_REFERENCE = "4e8a90b7-6c25-4d3f-8f1e-b7c2093d5a66"
DETENTION = "b8a7e1d0-52c9-4f7e-8a43-9c1f0d6e2b15"


def at(written: str) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromisoformat(written).replace(tzinfo=UTC))
    return stamp


PERSON = person_pb2.Person(
    name=person_pb2.Name(given_name="James", family_name="Carter"),
    aliases=[person_pb2.Name(given_name="Jim", family_name="Carter")],
    birth_date=Date(year=1980, month=3, day=12),
    sex=person_pb2.SEX_MALE,
    ethnicity_code="W1",
    identifiers=[
        person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value="2001/0004711K"),
        person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, value=PRISON_NUMBER),
    ],
)
OWNERSHIP = tracking_pb2.Ownership(
    owner="E3",
    interested_ocus=["D1"],
    proposed_owner="D1",
    handover_time=at("2005-01-10T09:00:00"),
    state=tracking_pb2.OWNERSHIP_STATE_PROPOSED,
    rule="O5",
    facts=["lives in E3 since 1 June 2004", "moves to D1 on 10 January 2005"],
    effective_time=at("2004-06-01T00:00:00"),
)
POLICE_MANAGER = tracking_pb2.Manager(name="PC A. Shah", telephone="0121 496 0303", organisation="E3")
PROBATION_MANAGER = tracking_pb2.Manager(
    name="B. Lewis", telephone="0121 496 0224", organisation="probation-4"
)


def notice(
    kind: tracking_pb2.NoticeType.ValueType,
    purpose: policy_pb2.Purpose.ValueType = policy_pb2.PURPOSE_OFFENDER_MANAGEMENT,
    **told: Any,
) -> notice_pb2.Notice:
    message = notice_pb2.Notice(
        notice_id="0d4c1b6e-7a3f-5c1e-9b2a-41f6c8e5d702",
        revision=1,
        state=tracking_pb2.NOTICE_STATE_PROVISIONAL,
        type=kind,
        recorded_time=at("2004-12-07T10:15:04"),
        due_time=at("2004-12-08T00:00:00"),
        purpose=purpose,
        protocol_version="2004-11",
        nominal_id=NOMINAL,
        person=PERSON,
        flag_state=screening_pb2.FLAG_STATE_FLAGGED,
        strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
        ownership=OWNERSHIP,
        police_manager=POLICE_MANAGER,
        probation_manager=PROBATION_MANAGER,
        **told,
    )
    # The facts that decided stay with the case; no notice carries them.
    message.ownership.ClearField("facts")
    return message


ARRESTED = notice(
    tracking_pb2.NOTICE_TYPE_PPO_ARRESTED,
    arrest=notice_pb2.Arrest(
        suite_id="E3", arrested_time=at("2004-12-07T09:40:00"), offence_codes=["TH68001"]
    ),
)
TRANSFERRED = notice(
    tracking_pb2.NOTICE_TYPE_PRISON_TRANSFER,
    policy_pb2.PURPOSE_PRISON_CUSTODY,
    movement=notice_pb2.PrisonMovement(
        occurred_time=at("2004-12-07T10:15:00"),
        prison_id="BMI",
        from_prison_id="FSI",
        basis="REMAND",
        prison_number=PRISON_NUMBER,
    ),
)
RELEASED = notice(
    tracking_pb2.NOTICE_TYPE_RELEASED,
    movement=notice_pb2.PrisonMovement(
        occurred_time=at("2004-12-07T10:15:00"),
        prison_id="BMI",
        basis="SENTENCED",
        release_kind="SUPERVISED",
        prison_number=PRISON_NUMBER,
    ),
)
HANDED_OVER = notice(
    tracking_pb2.NOTICE_TYPE_OWNERSHIP_CHANGED,
    ownership_change=notice_pb2.OwnershipChange(
        from_owner="F2", to_owner="E3", rule="O6", effective_time=at("2004-12-07T10:15:00")
    ),
    drug_referrals=[
        notice_pb2.OpenMatter(
            type=tracking_pb2.NOTICE_TYPE_DRUG_TEST_ROUTED,
            organisation="drug-solutions-birmingham",
            asked_time=at("2004-12-03T11:09:12"),
            due_time=at("2004-12-10T11:09:12"),
        )
    ],
    review_date=Date(year=2004, month=12, day=13),
)

# By audience: whose topic, and what it is told there.
NOTICES: Mapping[str, tuple[str, notice_pb2.Notice]] = {
    "prison_offender_management_unit": ("BMI", TRANSFERRED),
    "police_offender_manager": ("E3", ARRESTED),
    "interested_ocu": ("D1", ARRESTED),
    "probation_offender_manager": ("probation-4", HANDED_OVER),
    "ppo_drug_team": ("drug-solutions-birmingham", RELEASED),
    "youth_offending_team": ("birmingham-yot", RELEASED),
}


def case_notice(kind: casework_pb2.CaseNoticeKind.ValueType, **told: Any) -> casework_pb2.CaseNotice:
    return casework_pb2.CaseNotice(
        notice_id="5b0f7e12-94d8-5a66-b1c3-2e7d90a4f358",
        revision=1,
        state=casework_pb2.CASE_NOTICE_STATE_CONFIRMED,
        kind=kind,
        case_reference=CASE_REFERENCE,
        referrer_desk="Birmingham referral desk",
        referrer_telephone="0121 496 0260",
        needed_time=at("2004-12-07T10:15:00"),
        recorded_time=at("2004-12-07T10:15:04"),
        **told,
    )


CASE_NOTICES: Mapping[str, tuple[str, casework_pb2.CaseNotice]] = {
    "housing_provider": (
        "birmingham-housing",
        case_notice(
            casework_pb2.CASE_NOTICE_KIND_HOUSING_NEEDED,
            due_time=at("2004-12-09T10:15:00"),
            tenancy_held=casework_pb2.TENANCY_HELD_YES,
        ),
    ),
    "training_provider": ("eespro", case_notice(casework_pb2.CASE_NOTICE_KIND_AVAILABLE_FROM)),
}

COURT_NOTICE = (
    "birmingham-magistrates",
    court_pb2.CourtNotice(
        notice_id="c81f4a70-25d6-5b93-8e0f-9a61d7c3b254",
        revision=1,
        state=casework_pb2.CASE_NOTICE_STATE_CONFIRMED,
        kind=court_pb2.COURT_NOTICE_KIND_BREACH_STARTED,
        court_reference="BM 04/2217",
        order_kind="COMMUNITY_ORDER",
        occurred_time=at("2004-12-07T09:00:00"),
        reason_code="NON_COMPLIANCE",
        due_time=at("2004-12-09T00:00:00"),
        recorded_time=at("2004-12-07T10:15:04"),
        court_id="birmingham-magistrates",
    ),
)

# What goes between the suite's own services, by the message's name.
BETWEEN: Mapping[str, Message] = {
    one.DESCRIPTOR.full_name: one
    for one in (
        flagging.Flag(
            nominal_id=NOMINAL,
            state=screening_pb2.FLAG_STATE_FLAGGED,
            version=412,
            episodes=[
                flagging.Episode(
                    registration_id="e2f9d0c4-1b7a-4a55-8c3e-6d0b9f2a7c18",
                    strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
                    nominating_ocu="E3",
                    effective_start_time=at("2004-09-13T14:00:00"),
                    recorded_time=at("2004-09-13T14:20:31"),
                )
            ],
            person=PERSON,
            recorded_time=at("2004-09-13T14:20:31"),
            epoch="9a7c6e50",
        ),
        flagging.Watermark(
            epoch="9a7c6e50",
            version=412,
            flagged_count=271,
            flagged_digest=11529215046068469,
            register_time=at("2004-12-07T10:15:02"),
            partition=7,
        ),
        events_pb2.PpoArrested(
            detention_id=DETENTION,
            nominal_id=NOMINAL,
            suite_id="E3",
            identity_basis=screening_pb2.IDENTITY_BASIS_FINGERPRINT,
            arrested_time=at("2004-12-07T09:40:00"),
            booked_time=at("2004-12-07T10:15:00"),
            recorded_time=at("2004-12-07T10:15:03"),
            offence_codes=["TH68001"],
        ),
        events_pb2.PpoArrestWithdrawn(
            detention_id=DETENTION, nominal_id=NOMINAL, recorded_time=at("2004-12-07T10:52:40")
        ),
        events_pb2.PpoDrugTested(
            detention_id=DETENTION,
            nominal_id=NOMINAL,
            suite_id="E3",
            drug_test=custody_pb2.DrugTest(
                test_id="3c5d8f71-0e92-4b6a-a7d4-18f2c6b05e93",
                suite_id="E3",
                result=custody_pb2.TEST_RESULT_POSITIVE,
                drug=custody_pb2.DRUG_HEROIN,
                tested_time=at("2004-12-07T11:05:00"),
                route=custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM,
            ),
            recorded_time=at("2004-12-07T11:09:12"),
        ),
        events_pb2.PpoDisposed(
            detention_id=DETENTION,
            nominal_id=NOMINAL,
            suite_id="E3",
            disposal=custody_pb2.DISPOSAL_CHARGED_AND_BAILED,
            disposed_time=at("2004-12-07T16:30:00"),
            recorded_time=at("2004-12-07T16:31:20"),
        ),
        events_pb2.DetentionCounted(
            detention_id="f04b9a26-7d13-4c8e-95a0-c2e6b1d7480f",
            suite_id="E3",
            disposal_date=Date(year=2004, month=12, day=7),
            test_result=custody_pb2.TEST_RESULT_NEGATIVE,
        ),
        tracking_pb2.Case(
            nominal_id=NOMINAL,
            version=9,
            ownership=OWNERSHIP,
            police_manager=POLICE_MANAGER,
            probation_manager=PROBATION_MANAGER,
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            legal_statuses=["LICENCE"],
            position=tracking_pb2.POSITION_SUPERVISED,
            recorded_time=at("2004-12-07T10:15:04"),
        ),
        movement_pb2.Movement(
            movement_id="BMI-2004-118203",
            prison_number=PRISON_NUMBER,
            kind=movement_pb2.MOVEMENT_KIND_RECEPTION,
            reason_code="N",
            prison_id="BMI",
            occurred_time=at("2004-12-07T10:15:00"),
            source="topic",
        ),
    )
}

# As English prison systems publish it: released on licence.
HMPPS: Mapping[str, Any] = {
    "eventType": "prison-offender-events.prisoner.released",
    "version": 1,
    "occurredAt": "2004-12-07T10:15:00+00:00",
    "publishedAt": "2004-12-07T10:15:01+00:00",
    "personReference": {"identifiers": [{"type": "NOMS", "value": PRISON_NUMBER}]},
    "additionalInformation": {
        "nomsNumber": PRISON_NUMBER,
        "reason": "RELEASED",
        "nomisMovementReasonCode": "CR",
        "currentLocation": "OUTSIDE_PRISON",
        "prisonId": "BMI",
        "currentPrisonStatus": "NOT_UNDER_PRISON_CARE",
    },
}
