"""`ppo journey`, `notices`: what each asks for, as whom, and what a person reads."""

import json

import pytest
from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2 as pb
from ppo.tracking.v1 import notice_pb2 as notice
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import notices
from services.runtime.errors import NotFound
from tests.unit.console.conftest import Run, Served

KELLY = pb.Person(name=pb.Name(family_name="Kelly", given_name="Shane"))


def sent(number: int, **fields: object) -> tracking.SentNotice:
    told = notice.Notice(notice_id=f"notice-{number}", person=KELLY, **fields)  # type: ignore[arg-type]
    told.recorded_time.FromJsonString("2004-12-31T20:14:05Z")
    return tracking.SentNotice(number=number, record=told.SerializeToString())


# ---- a release


def test_a_release_is_planned_for_whoever_has_the_number(ppo: Run, served: Served) -> None:
    served.tracking.journey = tracking.Journey(nominal_id="nominal-1")
    served.tracking.ownership = tracking.Ownership(owner="E3", proposed_owner="F2", rule="O4")

    ran = ppo("release", "plan", "A1234BC", "--on", "2005-02-14", "--to", "F2", "--as", "probation-5")

    [asked, planned], caller = served.tracking.asked, served.tracking.callers[-1]
    assert asked.identifier.value == "A1234BC"
    assert (planned.nominal_id, planned.ocu) == ("nominal-1", "F2")
    assert planned.release_date == Date(year=2005, month=2, day=14)
    assert (caller.role, caller.organisation) == ("probation_offender_manager", "probation-5")
    assert (ran.code, "It is to go to F2" in ran.out) == (0, True)
    assert ran.out.startswith("recorded: release planned for 2005-02-14\n")


def test_a_tenancy_is_said_to_be_held_not_held_or_not_known(ppo: Run, served: Served) -> None:
    served.tracking.journey = tracking.Journey(nominal_id="nominal-1")

    ran = ppo("housing", "tenancy", "A1234BC", "--held", "unknown", "--as", "probation-5")

    recorded = served.tracking.asked[-1]
    assert (recorded.nominal_id, recorded.held) == ("nominal-1", tracking.TENANCY_HELD_UNKNOWN)
    assert (ran.code, ran.out) == (0, "recorded: tenancy held: unknown\n")


def test_a_breach_is_recorded_with_the_court_that_is_told(ppo: Run, served: Served) -> None:
    served.tracking.journey = tracking.Journey(nominal_id="nominal-1", position=tracking.POSITION_IN_CJS)
    stage = ("--kind", "breach-proceedings", "--at", "2004-12-20T10:00", "--reason", "NON_COMPLIANCE")
    court = ("--court", "birmingham-magistrates", "--reference", " BM 04/2217 ")

    ran = ppo("journey", "stage", "A1234BC", *stage, *court, "--as", "probation-5")

    recorded, caller = served.tracking.asked[-1], served.tracking.callers[-1]
    assert (recorded.nominal_id, recorded.kind) == ("nominal-1", tracking.STAGE_KIND_BREACH_PROCEEDINGS)
    assert (recorded.court_id, recorded.court_reference) == ("birmingham-magistrates", "BM 04/2217")
    assert recorded.reason_code == "NON_COMPLIANCE"
    assert recorded.occurred_time.ToJsonString() == "2004-12-20T10:00:00Z"
    assert (caller.role, caller.organisation) == ("probation_offender_manager", "probation-5")
    assert (ran.code, ran.out) == (0, "recorded: breach proceedings\nin the justice system\n")


def test_a_stage_that_cannot_be_is_said_to_be_looked_at_and_told_to_nobody(ppo: Run, served: Served) -> None:
    served.tracking.journey = tracking.Journey(nominal_id="nominal-1", position=tracking.POSITION_IN_CJS)
    for reason, hour in (("of another day", "2004-12-19T10:00:00Z"), ("no licence", "2004-12-20T10:00:00Z")):
        step = served.tracking.journey.steps.add(event="BREACH_PROCEEDINGS", review_reason=reason)
        step.occurred_time.FromJsonString(hour)

    ran = ppo(
        *("journey", "stage", "A1234BC", "--kind", "breach-proceedings", "--at", "2004-12-20T10:00"),
        *("--as", "probation-5"),
    )

    assert ran.code == 0
    assert ran.out.splitlines()[2:] == ["to be looked at, and told to nobody meanwhile: no licence"]


def test_a_prison_says_of_its_own_prisoner_that_the_date_is_lost(ppo: Run, served: Served) -> None:
    nominal_id = "e9ab78e1-0aeb-40b7-be35-3d21488eb20b"

    ran = ppo("release", "cancel", nominal_id, "--as", "BMI")

    [lost], [caller] = served.tracking.asked, served.tracking.callers
    assert (lost.nominal_id, lost.HasField("release_date")) == (nominal_id, False)
    assert (caller.role, ran.code) == ("prison_offender_management_unit", 0)
    assert ran.out.startswith("recorded: the planned date of release is lost\n")


# ---- a journey


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("79/163001B", pb.IDENTIFIER_KIND_PNC_ID),
        ("A1234BC", pb.IDENTIFIER_KIND_PRISON_NUMBER),
        ("e9ab78e1-0aeb-40b7-be35-3d21488eb20b", pb.IDENTIFIER_KIND_NOMINAL_ID),
    ],
)
def test_a_person_is_named_by_any_number(
    ppo: Run, served: Served, typed: str, kind: pb.IdentifierKind.ValueType
) -> None:
    ppo("journey", "show", typed, "--ocu", "E3")

    [asked], [caller] = served.tracking.asked, served.tracking.callers
    assert asked.identifier == pb.Identifier(kind=kind, value=typed)
    assert (caller.role, caller.organisation) == ("police_offender_manager", "E3")


def test_a_journey_is_asked_for_as_of_a_time_as_known_at_another(ppo: Run, served: Served) -> None:
    ppo("journey", "show", "A1234BC", "--at", "2004-12-31T12:00", "--known-at", "2004-12-31T18:00")

    [asked] = served.tracking.asked
    assert asked.as_of_time.ToJsonString() == "2004-12-31T12:00:00Z"
    assert asked.known_at_time.ToJsonString() == "2004-12-31T18:00:00Z"


def test_a_journey_says_where_the_person_is_and_how_that_came_about(ppo: Run, served: Served) -> None:
    held = tracking.POSITION_CUSTODY_REMAND
    served.tracking.journey = tracking.Journey(position=held, prison_id="BMI", detail="AT_COURT")
    served.tracking.journey.since_time.FromJsonString("2004-12-31T16:45:00Z")
    served.tracking.journey.steps.add(event="RECEPTION N", position=held, prison_id="BMI")

    ran = ppo("journey", "show", "A1234BC")

    assert ran.code == 0
    assert ran.out.startswith("custody remand, at court, at BMI, since 31 Dec 2004 16:45:00\n")
    assert "RECEPTION N" in ran.out


def test_somebody_who_was_never_on_the_list_is_one_line(ppo: Run, served: Served) -> None:
    served.tracking.refusal = NotFound("nobody who was ever on the register has this identifier")

    ran = ppo("journey", "show", "A1234BC")

    assert ran.code == 1
    assert ran.err == "ppo: tracking: nobody who was ever on the register has this identifier\n"


# ---- notices


def test_a_watch_shows_notices_from_the_last_seen_on(ppo: Run, served: Served) -> None:
    movement = notice.PrisonMovement(prison_id="BMI", basis="REMAND")
    kind, state = tracking.NOTICE_TYPE_PRISON_RECEPTION, tracking.NOTICE_STATE_CONFIRMED
    served.tracking.notices = [
        sent(number, type=kind, state=state, movement=movement, revision=number - 16) for number in (17, 18)
    ]

    ran = ppo("notices", "watch", "BMI", "--after", "17")

    assert ran.out.splitlines() == [
        "  18  31 Dec 20:14:05  prison reception: KELLY, Shane, at BMI, remand",
        "      notice notice-18, revision 2",
    ]


def test_each_organisation_watches_in_its_own_role(ppo: Run, served: Served) -> None:
    for organisation in ("E3", "BMI", "probation-2", "drug-solutions-birmingham"):
        ppo("notices", "watch", organisation)

    assert [(caller.organisation, caller.role) for caller in served.tracking.callers] == [
        ("E3", "police_offender_manager"),
        ("BMI", "prison_offender_management_unit"),
        ("probation-2", "probation_offender_manager"),
        ("drug-solutions-birmingham", "ppo_drug_team"),
    ]


def test_a_hand_over_is_read_with_what_it_corrects_and_what_is_still_open() -> None:
    told = notice.Notice(
        type=tracking.NOTICE_TYPE_OWNERSHIP_CHANGED, state=tracking.NOTICE_STATE_CONFIRMED, person=KELLY
    )
    owned = told.ownership_change
    owned.from_owner, owned.to_owner, owned.rule = "E3", "F2", "O4"
    owned.withdrawn_owner = "D1"
    owned.effective_time.FromJsonString("2005-02-14T11:30:00Z")
    found = owned.corrections.add(owner="D3", owner_before="E3")
    found.start_time.FromJsonString("2004-12-10T09:00:00Z")
    referral = told.drug_referrals.add(type=tracking.NOTICE_TYPE_DRUG_TEST_ROUTED, organisation="drug-team")
    referral.due_time.FromJsonString("2005-02-20T09:00:00Z")
    told.release.release_date.CopyFrom(Date(year=2005, month=2, day=14))
    told.review_date.CopyFrom(Date(year=2005, month=2, day=28))

    assert notices.summary(told) == (
        "ownership changed: KELLY, Shane, from E3 to F2 by O4, 14 Feb 11:30, "
        "D1 is not to have it any more, "
        "found out: it was D3's from 10 Dec 09:00, not E3's, "
        "still open: drug test routed with drug-team, due 20 Feb 09:00, "
        "release planned for 14 Feb 2005, to be reviewed on 28 Feb 2005"
    )


def test_a_notice_as_json_is_the_record_itself(ppo: Run, served: Served) -> None:
    served.tracking.notices = [sent(1, type=tracking.NOTICE_TYPE_RELEASED)]

    ran = ppo("notices", "watch", "E3", "--json")

    assert json.loads(ran.out)["notice_id"] == "notice-1"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (tracking.NOTICE_STATE_RETRACTED, "RETRACTED, undo what it caused: released: KELLY, Shane"),
        (tracking.NOTICE_STATE_PROVISIONAL, "provisional: released: KELLY, Shane"),
        (99, f"{notices.HELD}: released: KELLY, Shane"),
    ],
)
def test_a_state_is_said_first_and_an_unknown_one_is_to_be_held(
    state: tracking.NoticeState.ValueType, said: str
) -> None:
    told = notice.Notice(type=tracking.NOTICE_TYPE_RELEASED, state=state, person=KELLY)

    assert notices.summary(told) == said


def test_an_organisation_that_nobody_knows_is_one_line(ppo: Run, served: Served) -> None:
    ran = ppo("notices", "watch", "Z9")

    assert (ran.code, ran.err) == (2, "ppo: 'Z9' is no organisation of the reference data\n")


def test_a_provider_is_told_that_it_reads_its_topic(ppo: Run, served: Served) -> None:
    ran = ppo("notices", "watch", "birmingham-housing")

    assert (ran.code, served.tracking.asked) == (2, [])
    assert ran.err.endswith("which reads its topic alone: casework.birmingham-housing.v1\n")


def test_a_provider_acknowledges_by_its_own_contract_with_the_date_of_entry(ppo: Run, served: Served) -> None:
    ran = ppo("notices", "ack", "notice-1", "--as", "birmingham-housing", "--registered", "2004-12-08")

    [asked], [caller] = served.casework.asked, served.casework.callers
    assert (asked.notice_id, caller.role) == ("notice-1", "housing_provider")
    assert asked.register_date == Date(year=2004, month=12, day=8)
    assert ran.out == "birmingham-housing has it since 31 Dec 2004 21:00:00\n"


def test_a_court_reads_its_topic_and_acknowledges_by_the_contract_that_it_knows(
    ppo: Run, served: Served
) -> None:
    watched = ppo("notices", "watch", "birmingham-crown")
    ran = ppo("notices", "ack", "notice-1", "--as", "birmingham-crown")

    [asked], [caller] = served.casework.asked, served.casework.callers
    assert watched.err == (
        "ppo: birmingham-crown is a court, which reads its topic alone: casework.birmingham-crown.v1\n"
    )
    assert (asked.notice_id, caller.role, asked.HasField("register_date")) == ("notice-1", "court", False)
    assert ran.out == "birmingham-crown has it since 31 Dec 2004 21:00:00\n"
    assert served.tracking.asked == []


def test_a_date_of_entry_is_a_providers_to_say(ppo: Run, served: Served) -> None:
    ran = ppo("notices", "ack", "notice-1", "--as", "E3", "--registered", "2004-12-08")

    assert (ran.code, served.tracking.asked) == (2, [])
    assert ran.err == "ppo: E3 is no provider, which alone says --registered\n"


def test_a_trace_says_who_has_it_and_nothing_of_the_person(ppo: Run, served: Served) -> None:
    has, has_not = tracking.NoticeDelivery(organisation="E3"), tracking.NoticeDelivery(organisation="BMI")
    has.acknowledged_time.FromJsonString("2004-12-31T21:00:00Z")
    served.tracking.deliveries = [has, has_not]

    ran = ppo("notices", "trace", "notice-1")

    [caller] = served.tracking.callers
    first, second = (line for line in ran.out.splitlines() if line.startswith(("E3", "BMI")))
    assert caller.role == "ops"
    assert "31 Dec 2004 21:00:00" in first
    assert "not yet" in second


def test_an_organisation_that_traces_sees_the_date_of_entry(ppo: Run, served: Served) -> None:
    delivery = tracking.NoticeDelivery(
        organisation="birmingham-housing", register_date=Date(year=2004, month=12, day=8)
    )
    delivery.acknowledged_time.FromJsonString("2004-12-31T21:00:00Z")
    served.tracking.deliveries = [delivery]

    told, untold = ppo("notices", "trace", "notice-1", "--as", "E3", "--json"), ppo("notices", "trace", "n")

    assert json.loads(told.out)["deliveries"][0]["register_date"] == {"year": 2004, "month": 12, "day": 8}
    assert "housing register" not in untold.out
    assert [caller.role for caller in served.tracking.callers] == ["police_offender_manager", "ops"]
