"""Who is told what of a change, as which audience and by when; and that nobody else is told anything."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from casework.v1 import casework_pb2, court_pb2

from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import ReleaseKind
from services.runtime import policy
from services.runtime.reference import Reference
from services.tracking.changes import Change
from services.tracking.notices import KINDS, Copy, Message, Subject, Told, not_acknowledged, notices
from services.tracking.parties import Parties, parties
from tests.unit.tracking.journeys import REFERENCE

REFERENCES = Path(__file__).parents[3] / "deploy" / "reference"
# A Friday, so that a working day ends on Monday.
AT = datetime(2004, 12, 3, 15, tzinfo=UTC)
KNOWN = AT + timedelta(hours=2)
E3 = pb.Ownership(owner="E3", interested_ocus=["D3", "F2"], rule="O6", facts=["2 offences in D3"])
CHILD = pb.Ownership(owner="birmingham-yot", interested_ocus=["E3"], rule="O11")


def change(kind: str, **told: Any) -> Change:
    notice = pb.NoticeType.Value(f"NOTICE_TYPE_{kind}")
    given = {"prison_number": "A1234BC", "prison": "BMI", **told}
    return Change(notice, "cause-1", AT, KNOWN, **given)


def subject(**told: Any) -> Subject:
    given: dict[str, Any] = {
        "nominal_id": "nominal-1",
        "person": person_pb2.Person(name=person_pb2.Name(given_name="John", family_name="Smith")),
        "flag_state": screening_pb2.FLAG_STATE_FLAGGED,
        "strand": screening_pb2.STRAND_CATCH_AND_CONVICT,
        "ownership": E3,
        "police": pb.Manager(name="PC Jones", telephone="0121 496 0001"),
        "probation": pb.Manager(name="A Brown", organisation="probation-5"),
        "case_reference": "CR-7K2M",
        "protocol": "2004-12",
        "plan": "plan-1",
    }
    return Subject(**(given | told))


def concerned(ownership: pb.Ownership = E3, **given: Any) -> Parties:
    return parties(REFERENCE, ownership, at=AT, **given)


def told(kind: str, *, about: Subject | None = None, to: Parties | None = None, **given: Any) -> list[Told]:
    return list(notices(change(kind, **given), about or subject(), to or concerned()))


def copies(*notices: Told) -> dict[str, Copy]:
    return {copy.organisation: copy for one in notices for copy in one.copies}


def roles(*notices: Told) -> dict[str, str]:
    return {organisation: copy.role for organisation, copy in copies(*notices).items()}


AGENCIES = {"E3": "police_offender_manager", "probation-5": "probation_offender_manager"}
OTHERS = {"D3": "interested_ocu", "F2": "interested_ocu"}
PROVIDERS = {"birmingham-housing": "housing_provider", "eespro": "training_provider"}
CARAT = {"carat-bmi": "carat_worker"}
PRISON = {"BMI": "prison_offender_management_unit"}


@pytest.mark.parametrize(
    ("kind", "receivers"),
    [
        ("PPO_FLAG_SET", AGENCIES | OTHERS),
        ("PPO_FLAG_CLEARED", AGENCIES | OTHERS),
        ("PPO_ARRESTED", AGENCIES | OTHERS),
        ("PRISON_RECEPTION", AGENCIES | PRISON | CARAT),
        ("PRISON_TRANSFER", AGENCIES | PRISON | CARAT),
        ("RELEASED", AGENCIES | OTHERS | PROVIDERS),
        ("RELEASE_PLANNED", AGENCIES | OTHERS | PROVIDERS),
        ("RELEASE_CANCELLED", AGENCIES | OTHERS | PROVIDERS),
        ("DRUG_TEST_ROUTED", {"drug-solutions-birmingham": "ppo_drug_team"}),
        ("REVIEW_DUE", AGENCIES | {"forum-e3-west": "forum"}),
    ],
)
def test_a_notice_goes_to_its_receivers_each_as_its_audience(kind: str, receivers: dict[str, str]) -> None:
    prison: dict[str, Any] = {"prison": "", "prison_number": ""} if kind.startswith("PPO") else {}

    assert roles(told(kind, **prison)[0]) == receivers


def test_a_reception_starts_the_fast_track_of_housing_as_a_notice_of_its_own() -> None:
    reception, housing = told("PRISON_RECEPTION")

    assert (reception.type, housing.type) == (
        pb.NOTICE_TYPE_PRISON_RECEPTION,
        pb.NOTICE_TYPE_HOUSING_FAST_TRACK,
    )
    assert roles(housing) == {"birmingham-housing": "housing_provider"}


@pytest.mark.parametrize(
    ("kind", "due"),
    [
        ("PPO_FLAG_SET", datetime(2004, 12, 4, tzinfo=UTC)),
        ("PPO_ARRESTED", KNOWN + timedelta(hours=1)),
        ("PRISON_RECEPTION", datetime(2004, 12, 7, tzinfo=UTC)),
        ("PRISON_TRANSFER", datetime(2004, 12, 4, tzinfo=UTC)),
        ("DRUG_TEST_ROUTED", KNOWN + timedelta(days=7)),
        ("RELEASE_PLANNED", None),
        ("RELEASE_CANCELLED", KNOWN),
    ],
)
def test_a_notice_is_due_within_its_limit(kind: str, due: datetime | None) -> None:
    notice = told(kind)[0]

    assert notice.due == due
    for copy in notice.copies:
        assert copy.message.HasField("due_time") == (due is not None)
        assert due is None or copy.message.due_time.ToDatetime(UTC) == due


@pytest.mark.parametrize("hour", [0, 12])
def test_housing_has_48_hours_from_the_reception_through_a_change_of_the_clocks(hour: int) -> None:
    received = datetime(2004, 10, 30, hour, tzinfo=UTC)
    (_, housing) = notices(change("PRISON_RECEPTION")._replace(occurred=received), subject(), concerned())

    assert housing.due == received + timedelta(hours=48)


@pytest.mark.parametrize(
    ("kind", "due"),
    [
        (ReleaseKind.SUPERVISED, datetime(2004, 12, 4, tzinfo=UTC)),
        (ReleaseKind.UNSUPERVISED, datetime(2004, 12, 4, tzinfo=UTC)),
        (ReleaseKind.BAILED, KNOWN),
        (ReleaseKind.UNLAWFULLY_AT_LARGE, KNOWN),
        (ReleaseKind.UNKNOWN, KNOWN),
    ],
)
def test_a_release_that_nobody_could_expect_is_due_at_once(kind: ReleaseKind, due: datetime) -> None:
    assert told("RELEASED", release=kind)[0].due == due


@pytest.mark.parametrize(
    ("kind", "awaited"),
    [
        (ReleaseKind.SUPERVISED, True),
        (ReleaseKind.BAILED, True),
        (ReleaseKind.UNLAWFULLY_AT_LARGE, False),
        (ReleaseKind.LEFT_COUNTRY, False),
        (ReleaseKind.UNKNOWN, False),
    ],
)
def test_providers_are_told_of_those_who_need_a_place_now(kind: ReleaseKind, awaited: bool) -> None:
    assert (PROVIDERS.keys() <= copies(*told("RELEASED", release=kind)).keys()) == awaited


def test_a_notice_holds_the_person_the_case_and_the_movement() -> None:
    notice = copies(*told("PRISON_RECEPTION", basis="REMAND"))["E3"].message

    assert isinstance(notice, notice_pb2.Notice)
    assert (notice.nominal_id, notice.person.name.family_name) == ("nominal-1", "Smith")
    assert (notice.ownership.owner, notice.police_manager.name) == ("E3", "PC Jones")
    assert (notice.movement.prison_id, notice.movement.basis) == ("BMI", "REMAND")
    assert notice.movement.occurred_time.ToDatetime(UTC) == AT
    assert (notice.purpose, notice.protocol_version) == (policy_pb2.PURPOSE_OFFENDER_MANAGEMENT, "2004-12")


def test_a_prison_is_told_for_the_custody_of_its_prisoner() -> None:
    notice = copies(*told("PRISON_RECEPTION"))["BMI"].message

    assert isinstance(notice, notice_pb2.Notice)
    assert notice.purpose == policy_pb2.PURPOSE_PRISON_CUSTODY


def test_an_arrest_is_told_with_suite_and_offences_and_no_prison() -> None:
    arrested = told("PPO_ARRESTED", prison="", prison_number="", suite="D3", offences=("theft",))
    notice = copies(*arrested)["E3"].message

    assert isinstance(notice, notice_pb2.Notice)
    assert (notice.arrest.suite_id, list(notice.arrest.offence_codes)) == ("D3", ["theft"])
    assert not notice.HasField("movement")


def test_a_flag_is_told_to_the_prison_that_holds_the_person() -> None:
    flag = told("PPO_FLAG_SET", prison="", prison_number="", about=subject(held_at="BMI"))

    assert roles(*flag) == AGENCIES | OTHERS | PRISON


def test_a_transfer_is_told_to_both_prisons() -> None:
    assert PRISON.keys() | {"FSI"} <= copies(*told("PRISON_TRANSFER", from_prison="BMI", prison="FSI")).keys()


def test_whoever_was_told_what_a_change_undoes_is_told_of_it_in_the_role_it_had() -> None:
    before = {"BMI": "prison_offender_management_unit", "F2": "police_offender_manager"}

    found = notices(change("PPO_FLAG_CLEARED", prison="", prison_number=""), subject(), concerned(), before)

    # Concerned now as well, F2 is told as what it is now.
    assert roles(*found) == AGENCIES | OTHERS | PRISON


@pytest.mark.parametrize(("kind", "told"), [("PPO_FLAG_CLEARED", False), ("RELEASE_CANCELLED", True)])
def test_a_provider_that_was_told_before_is_told_of_dates_alone(kind: str, told: bool) -> None:
    before = {"focus-futures": "housing_provider"}

    found = copies(*notices(change(kind), subject(), concerned(), before))

    assert ("focus-futures" in found) == told


def test_a_transfer_is_told_to_the_drug_workers_of_both_prisons() -> None:
    workers = {"carat-bmi", "carat-fsi"}

    assert workers <= copies(*told("PRISON_TRANSFER", from_prison="BMI", prison="FSI")).keys()


def test_an_arrest_is_told_to_the_arrest_referral_workers_of_its_suite_alone() -> None:
    found = roles(*told("PPO_ARRESTED", prison="", prison_number="", suite="E3"))

    assert found == AGENCIES | OTHERS | {"arrest-referral-e": "arrest_referral_worker"}


@pytest.mark.parametrize("area", ["birmingham", "gloucestershire"])
def test_every_suite_has_arrest_referral_workers_and_every_prison_drug_workers(area: str) -> None:
    reference = Reference.load(REFERENCES / area)
    found = parties(reference, E3, at=AT)

    assert found.arrest_referral.keys() == {row.id for row in reference.rows("suites", at=AT)}
    assert found.carat.keys() == found.prisons


def test_a_prison_that_takes_no_notices_is_not_told() -> None:
    assert "ZZI" not in copies(*told("PRISON_RECEPTION", prison="ZZI"))


def test_the_drug_team_is_told_of_the_release_of_its_own_clients_alone() -> None:
    assert "drug-solutions-birmingham" not in copies(*told("RELEASED"))
    assert "drug-solutions-birmingham" in copies(*told("RELEASED", about=subject(referred=True)))


@pytest.mark.parametrize(
    "kind", ["PPO_FLAG_SET", "PPO_ARRESTED", "PRISON_RECEPTION", "PRISON_TRANSFER", "RELEASED"]
)
def test_the_youth_offending_team_is_told_of_its_own_in_place_of_an_owner(kind: str) -> None:
    found = roles(*told(kind, about=subject(ownership=CHILD), to=concerned(CHILD)))

    assert found["birmingham-yot"] == "youth_offending_team"
    assert not {"police_offender_manager", "probation_offender_manager"} & set(found.values())


# ---- what a provider gets


@pytest.mark.parametrize(
    ("kind", "told_as"),
    [
        ("PRISON_RECEPTION", casework_pb2.CASE_NOTICE_KIND_HOUSING_NEEDED),
        ("RELEASED", casework_pb2.CASE_NOTICE_KIND_AVAILABLE_FROM),
        ("RELEASE_PLANNED", casework_pb2.CASE_NOTICE_KIND_AVAILABLE_FROM),
        ("RELEASE_CANCELLED", casework_pb2.CASE_NOTICE_KIND_DATE_CANCELLED),
    ],
)
def test_a_provider_gets_a_reference_a_desk_and_dates_and_nothing_else(kind: str, told_as: int) -> None:
    notice = copies(*told(kind, release=ReleaseKind.SUPERVISED))["birmingham-housing"].message

    assert isinstance(notice, casework_pb2.CaseNotice)
    assert notice.kind == told_as
    assert {field.name for field, _ in notice.ListFields()} - {"due_time", "tenancy_held"} == {
        "provider_id",
        "kind",
        "case_reference",
        "referrer_desk",
        "referrer_telephone",
        "needed_time",
    }
    assert (notice.case_reference, notice.referrer_desk) == ("CR-7K2M", "City referral desk")
    assert notice.needed_time.ToDatetime(UTC) == AT


@pytest.mark.parametrize("kind", KINDS)
def test_no_provider_ever_gets_the_nominal_id_or_a_name(kind: pb.NoticeType.ValueType) -> None:
    for copy in copies(*notices(change("RELEASED")._replace(type=kind), subject(), concerned())).values():
        if copy.role in ("housing_provider", "training_provider"):
            assert b"nominal-1" not in copy.message.SerializeToString()
            assert b"Smith" not in copy.message.SerializeToString()
            assert copy.key == "CR-7K2M"
        else:
            assert copy.key == ("plan-1" if copy.role == "forum" else "nominal-1")


# ---- what a court gets

N13 = ("BREACH_STARTED", "RECALL_REQUESTED", "RECALL_EXECUTED")
ENFORCED = AGENCIES | OTHERS | PRISON
BREACH = notice_pb2.Breach(order_kind="COMMUNITY_ORDER", reason_code="NON_COMPLIANCE")
BREACH.occurred_time.FromDatetime(AT)


def enforced(kind: str, court: str = "birmingham-crown", reference: str = "T2004/7") -> list[Told]:
    return told(kind, breach=BREACH, court=court, court_reference=reference if court else "")


@pytest.mark.parametrize("kind", N13)
def test_the_court_that_is_named_gets_its_reference_and_the_facts_and_nothing_else(kind: str) -> None:
    copy = copies(*enforced(kind))["birmingham-crown"]
    notice = policy.project(copy.message, policy.Viewer(copy.role, copy.organisation))

    assert isinstance(notice, court_pb2.CourtNotice)
    assert notice.kind == court_pb2.CourtNoticeKind.Value(f"COURT_NOTICE_KIND_{kind}")
    assert {field.name for field, _ in notice.ListFields()} == {
        *("kind", "court_reference", "order_kind", "occurred_time", "reason_code", "due_time", "court_id"),
    }
    assert (copy.role, copy.key, notice.court_reference) == ("court", "T2004/7", "T2004/7")
    assert (notice.order_kind, notice.reason_code) == ("COMMUNITY_ORDER", "NON_COMPLIANCE")
    assert notice.occurred_time.ToDatetime(UTC) == AT


@pytest.mark.parametrize("kind", N13)
def test_a_court_is_told_where_one_is_named_and_the_others_are_told_the_same(kind: str) -> None:
    with_court, without = copies(*enforced(kind)), copies(*enforced(kind, court=""))

    assert {one: copy.role for one, copy in without.items()} == ENFORCED
    assert with_court.keys() - without.keys() == {"birmingham-crown"}
    assert all(with_court[one].message == copy.message for one, copy in without.items())


@pytest.mark.parametrize("kind", set(KINDS) - {pb.NoticeType.Value(f"NOTICE_TYPE_{one}") for one in N13})
def test_of_nothing_else_a_court_is_told(kind: pb.NoticeType.ValueType) -> None:
    named = change("RELEASED")._replace(type=kind, court="birmingham-crown", court_reference="T2004/7")

    found = notices(named, subject(), concerned(), {"birmingham-magistrates": "court"})

    assert not {"birmingham-crown", "birmingham-magistrates"} & copies(*found).keys()


def test_another_court_sees_of_the_proceedings_nothing() -> None:
    copy = copies(*enforced("BREACH_STARTED"))["birmingham-crown"]

    seen = policy.project(copy.message, policy.Viewer("court", "birmingham-magistrates"))

    assert {field.name for field, _ in seen.ListFields()} == {"due_time", "court_id"}


# ---- who may see what


@pytest.mark.parametrize("kind", KINDS)
def test_every_copy_is_for_its_audience_and_reaches_it(kind: pb.NoticeType.ValueType) -> None:
    everything = change("RELEASED")._replace(type=kind, from_prison="FSI", suite="D3", offences=("theft",))
    everything = everything._replace(court="birmingham-crown", court_reference="T2004/7")
    about = subject(referred=True, held_at="BMI")

    for one in notices(everything, about, concerned()):
        assert len({copy.organisation for copy in one.copies}) == len(one.copies)
        for copy in one.copies:
            assert copy.role in policy.audience(copy.message.DESCRIPTOR)
            assert policy.project(copy.message, policy.Viewer(copy.role, copy.organisation)).ListFields()


OF_ARREST = {"suite_id", "booked_time"}
WHOLE_ARREST = OF_ARREST | {"arrested_time", "offence_codes", "trigger_offence"}
OF_MOVEMENT = {"occurred_time", "prison_id", "from_prison_id", "prison_number"}
WHOLE_MOVEMENT = OF_MOVEMENT | {"basis", "release_kind"}


def seen(message: Message, field: str, role: str, organisation: str = "") -> set[str]:
    part = getattr(policy.project(message, policy.Viewer(role, organisation)), field)
    return {descriptor.name for descriptor, _ in part.ListFields()} - {"party_id"}


@pytest.mark.parametrize(
    ("role", "fields"),
    [
        ("police_offender_manager", WHOLE_ARREST),
        ("interested_ocu", WHOLE_ARREST),
        ("custody_officer", WHOLE_ARREST),
        ("youth_offending_team", WHOLE_ARREST),
        ("arrest_referral_worker", OF_ARREST),
        ("ppo_drug_team", OF_ARREST),
        ("carat_worker", OF_ARREST),
    ],
)
def test_of_an_arrest_each_audience_sees_where_and_only_some_what_for(role: str, fields: set[str]) -> None:
    arrested = told("PPO_ARRESTED", suite="D3", offences=("theft",), trigger=True, booked=AT)

    assert seen(copies(*arrested)["E3"].message, "arrest", role) == fields


@pytest.mark.parametrize(
    ("role", "organisation", "fields"),
    [
        ("police_offender_manager", "E3", WHOLE_MOVEMENT),
        ("interested_ocu", "D3", WHOLE_MOVEMENT),
        ("carat_worker", "carat-bmi", OF_MOVEMENT),
        ("ppo_drug_team", "drug-solutions-birmingham", OF_MOVEMENT),
        ("arrest_referral_worker", "arrest-referral-d", {"prison_id", "prison_number"}),
        ("custody_officer", "D3", {"prison_id", "prison_number", "basis", "release_kind"}),
        ("prison_offender_management_unit", "FSI", OF_MOVEMENT),
    ],
)
def test_of_a_movement_each_audience_sees_what_the_protocol_allows(
    role: str, organisation: str, fields: set[str]
) -> None:
    moved = told("PRISON_RECEPTION", from_prison="FSI", basis="REMAND", release=ReleaseKind.SUPERVISED)

    assert seen(copies(*moved)["E3"].message, "movement", role, organisation) == fields


def test_a_prison_sees_the_basis_of_its_own_prisoners_and_a_youth_team_of_its_own_cases() -> None:
    given: dict[str, Any] = {"from_prison": "FSI", "basis": "REMAND"}
    found = copies(*told("PRISON_TRANSFER", about=subject(ownership=CHILD), to=concerned(CHILD), **given))

    for organisation, told_basis in (("BMI", True), ("FSI", False), ("birmingham-yot", True)):
        copy = found[organisation]
        assert ("basis" in seen(copy.message, "movement", copy.role, organisation)) == told_basis


@pytest.mark.parametrize(
    ("said", "held"),
    [
        (pb.TENANCY_HELD_YES, casework_pb2.TENANCY_HELD_YES),
        (pb.TENANCY_HELD_NO, casework_pb2.TENANCY_HELD_NO),
        (pb.TENANCY_HELD_UNKNOWN, casework_pb2.TENANCY_HELD_UNKNOWN),
    ],
)
def test_the_housing_provider_alone_sees_whether_there_is_a_tenancy(said: Any, held: int) -> None:
    (_, housing) = told("PRISON_RECEPTION", tenancy=said)
    (copy,) = housing.copies

    own = policy.project(copy.message, policy.Viewer(copy.role, copy.organisation))
    other = policy.project(copy.message, policy.Viewer(copy.role, "focus-futures"))

    assert isinstance(own, casework_pb2.CaseNotice)
    assert isinstance(other, casework_pb2.CaseNotice)
    assert (own.tenancy_held, other.tenancy_held) == (held, casework_pb2.TENANCY_HELD_UNSPECIFIED)


def test_what_the_owner_is_by_is_not_told_for_it_speaks_of_offences() -> None:
    for copy in copies(*told("RELEASED", about=subject(referred=True))).values():
        assert b"offences in D3" not in copy.message.SerializeToString()


def test_a_role_that_no_contract_discloses_to_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "audience", lambda descriptor: frozenset({"interested_ocu"}))

    assert roles(*told("RELEASED")) == OTHERS
    assert told("PRISON_RECEPTION") == []


# ---- the parties of a case


def test_the_parties_of_a_case_are_those_of_its_owner() -> None:
    found = concerned()

    assert (found.owner, found.interested, found.probation) == ("E3", ("D3", "F2"), "probation-5")
    assert (found.housing, found.training) == ("birmingham-housing", "eespro")
    assert found.drug_team == "drug-solutions-birmingham"


def test_the_office_of_the_manager_who_is_named_comes_first() -> None:
    assert concerned(probation="probation-1").probation == "probation-1"
    assert concerned(probation="A Brown's desk").probation == "probation-5"


def test_an_owner_outside_is_told_nothing_here_and_the_interested_ocus_are() -> None:
    outside = concerned(pb.Ownership(owner="K1", interested_ocus=["F2", "K2"]))

    assert (outside.owner, outside.interested, outside.probation) == ("", ("F2",), "probation-6")


def test_a_child_has_a_team_and_no_probation_office() -> None:
    found = concerned(CHILD)

    assert (found.owner, found.youth_team, found.probation) == ("", "birmingham-yot", "")


def moved(*given: tuple[str, str], **told: Any) -> dict[str, Any]:
    """A hand-over to E3, as the change of it tells."""
    corrections = [pb.OwnershipCorrection(owner_before=before, owner=owner) for before, owner in given]
    owned = notice_pb2.OwnershipChange(from_owner="F2", to_owner="E3", rule="O5", corrections=corrections)
    return {"prison_number": "", "prison": "", "owned": owned, **told}


def test_both_sides_of_a_hand_over_are_told_each_with_its_probation_office() -> None:
    alone = concerned(pb.Ownership(owner="E3"))

    assert roles(*told("OWNERSHIP_CHANGED", to=alone, **moved())) == AGENCIES | {
        "F2": "interested_ocu",
        alone.offices["F2"]: "probation_offender_manager",
    }


def test_whose_the_case_is_found_not_to_have_been_is_told_of_it() -> None:
    alone = concerned(pb.Ownership(owner="E3"))

    assert "D3" in roles(*told("OWNERSHIP_CHANGED", to=alone, **moved(("D3", "F2"))))
    assert "D3" not in roles(*told("OWNERSHIP_CHANGED", to=alone, **moved(("F2", "E3"))))


def test_a_child_who_turns_18_is_handed_over_by_the_team_to_the_ocu() -> None:
    owned = notice_pb2.OwnershipChange(from_owner="birmingham-yot", to_owner="E3", rule="O5")

    sent = roles(*told("OWNERSHIP_CHANGED", prison_number="", prison="", owned=owned))

    assert (sent["birmingham-yot"], sent["E3"]) == ("youth_offending_team", "police_offender_manager")


def matter(kind: str, organisation: str) -> notice_pb2.OpenMatter:
    return notice_pb2.OpenMatter(type=pb.NoticeType.Value(f"NOTICE_TYPE_{kind}"), organisation=organisation)


OPEN = {
    "matters": (
        matter("DRUG_TEST_ROUTED", "drug-solutions-birmingham"),
        matter("HOUSING_FAST_TRACK", "birmingham-housing"),
    ),
    "planned": notice_pb2.Release(area="E3"),
    "review": AT.date(),
}


def test_what_is_open_goes_to_whoever_has_the_case_now_and_to_nobody_else() -> None:
    sent = copies(*told("OWNERSHIP_CHANGED", **moved(**OPEN)))

    brought = ("drug_referrals", "open_matters", "release", "review_date")
    seen = {
        organisation: {
            field.name
            for field, _ in policy.project(copy.message, policy.Viewer(copy.role, organisation)).ListFields()
        }
        & set(brought)
        for organisation, copy in sent.items()
    }
    assert {one for one, fields in seen.items() if fields} == {"E3", "probation-5"}
    assert seen["E3"] == seen["probation-5"] == set(brought)
    assert {"F2", "D3"} < seen.keys()


def test_a_team_whose_case_it_was_is_not_told_what_is_open() -> None:
    owned = notice_pb2.OwnershipChange(from_owner="birmingham-yot", to_owner="E3", rule="O5")

    sent = copies(*told("OWNERSHIP_CHANGED", **moved(**OPEN) | {"owned": owned}))

    message = sent["birmingham-yot"].message
    assert isinstance(message, notice_pb2.Notice)
    assert not message.open_matters
    assert not message.drug_referrals


def test_of_two_forums_of_an_ocu_the_one_that_meets_next_is_told() -> None:
    owned = pb.Ownership(owner="D3")

    asked = [datetime(2004, 12, day, 12, tzinfo=UTC) for day in (1, 3, 9)]
    found = [parties(REFERENCE, owned, at=at).forum for at in asked]

    assert found == ["forum-d3-north", "forum-d3-south", "forum-d3-north"]


def test_lateness_comes_to_a_forum_last_and_by_the_plan_alone() -> None:
    def late(level: pb.EscalationLevel.ValueType) -> dict[str, Copy]:
        tested = pb.NOTICE_TYPE_DRUG_TEST_ROUTED
        overdue = pb.OverdueNotice(notice_id="n", type=tested, organisation="DSB", escalation=level)
        return copies(not_acknowledged(overdue, subject(), concerned()))

    lead, forum = late(pb.ESCALATION_LEVEL_OCU_LEAD), late(pb.ESCALATION_LEVEL_FORUM)

    assert lead.keys() == {"E3"}
    assert forum.keys() == {"E3", "forum-e3-west"}
    copy = forum["forum-e3-west"]
    seen_there = policy.project(copy.message, policy.Viewer(copy.role, copy.organisation))
    assert isinstance(seen_there, notice_pb2.Notice)
    assert (seen_there.overdue.notice_id, seen_there.care_plan_reference) == ("n", "plan-1")
    assert (seen_there.nominal_id, seen_there.flag_state, seen_there.ownership.owner) == ("", 0, "")
    assert (seen_there.overdue.organisation, seen_there.overdue.type) == ("", 0)


def test_a_forum_that_was_told_of_a_review_is_not_told_of_a_flag_without_a_plan() -> None:
    before = {"forum-e3-west": "forum", "BMP": "prison_offender_management_unit"}

    told = copies(*notices(change("PPO_FLAG_CLEARED"), subject(), concerned(), before))

    assert "BMP" in told
    assert "forum-e3-west" not in told
