"""What each organisation is told of a change: to whom, as what audience, by when; nothing to anybody else."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from casework.v1 import casework_pb2 as casework
from casework.v1 import court_pb2 as court

from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import ReleaseKind
from services.runtime import policy
from services.tracking import days, handing
from services.tracking.changes import Change, NoticeType
from services.tracking.parties import Parties

Message: TypeAlias = notice_pb2.Notice | casework.CaseNotice | court.CourtNotice
Role: TypeAlias = str

OWNER = "police_offender_manager"
INTERESTED = "interested_ocu"
PROBATION = "probation_offender_manager"
YOUTH_TEAM = "youth_offending_team"
PRISON = "prison_offender_management_unit"
DRUG_TEAM = "ppo_drug_team"
ARREST_REFERRAL = "arrest_referral_worker"
CARAT = "carat_worker"
FORUM = "forum"
COURT = "court"
HOUSING = "housing_provider"
TRAINING = "training_provider"
PROVIDERS = (HOUSING, TRAINING)
# They know nobody by a name of ours: what is of no plan or proceedings they could not tell from another's.
UNNAMED = (FORUM, COURT)
# Receivers who are told as somebody else is: the OCU that is to have the case, and both sides of a hand-over.
PROPOSED, SIDES = "proposed", "sides"
NOBODY: Mapping[str, Role] = {}
# Why a role is told; the others manage the case.
PURPOSES = {
    PRISON: policy_pb2.PURPOSE_PRISON_CUSTODY,
    CARAT: policy_pb2.PURPOSE_PRISON_CUSTODY,
    ARREST_REFERRAL: policy_pb2.PURPOSE_ARREST,
}

# A provider must get ready for these; who is at large, abroad or out by an unknown kind needs no place now.
EXPECTED = (ReleaseKind.SUPERVISED, ReleaseKind.UNSUPERVISED, ReleaseKind.BAILED)


@dataclass(frozen=True)
class Subject:
    """What there is to tell of the person and the case."""

    nominal_id: str
    person: person_pb2.Person
    flag_state: screening_pb2.FlagState.ValueType
    strand: screening_pb2.Strand.ValueType
    ownership: pb.Ownership
    police: pb.Manager
    probation: pb.Manager
    # All that a provider knows the person by.
    case_reference: str
    # The information-sharing protocol that it is disclosed under.
    protocol: str
    # The drug team has a referral of the person: its notices are of its own clients alone.
    referred: bool = False
    # The registration whose plan the person is on.
    plan: str = ""
    # The prison that holds the person, for a notice that no movement causes.
    held_at: str = ""


@dataclass(frozen=True)
class Copy:
    """What one organisation is told, whole: it is projected onto the audience, `role`, when it is sent.

    The sender adds notice id, revision, state and recorded time.
    """

    organisation: str
    role: Role
    message: Message

    @property
    def key(self) -> str:
        """What the organisation knows the person by; to a forum nobody is named."""
        match self.message:
            case casework.CaseNotice() as notice:
                return notice.case_reference
            case court.CourtNotice() as notice:
                return notice.court_reference
        return self.message.care_plan_reference if self.role == FORUM else self.message.nominal_id


@dataclass(frozen=True)
class Told:
    """One notice, whose copies share its id and its revisions."""

    type: NoticeType
    cause: str
    due: datetime | None
    copies: tuple[Copy, ...]
    prison: str = ""


class Kind(NamedTuple):
    receivers: tuple[Role, ...]
    due: Callable[[Change], datetime | None]
    to_providers: casework.CaseNoticeKind.ValueType = casework.CASE_NOTICE_KIND_UNSPECIFIED
    to_court: court.CourtNoticeKind.ValueType = court.COURT_NOTICE_KIND_UNSPECIFIED


def _same_day(change: Change) -> datetime:
    return days.midnight(days.day(change.occurred) + days.DAY)


def _at_release(change: Change) -> datetime:
    """The same day; at once what nobody could expect."""
    planned = change.release in (ReleaseKind.SUPERVISED, ReleaseKind.UNSUPERVISED, ReleaseKind.LEFT_COUNTRY)
    return _same_day(change) if planned else change.recorded


def _own_due(change: Change) -> datetime | None:
    return change.due


def _within_a_day(change: Change) -> datetime:
    return change.recorded + timedelta(days=1)


CASE = (OWNER, YOUTH_TEAM, PROBATION)
OUTSIDE = (*CASE, INTERESTED, DRUG_TEAM, HOUSING, TRAINING)
ENFORCING = (*CASE, INTERESTED, PRISON, COURT)

KINDS: Mapping[NoticeType, Kind] = {
    # N1.
    pb.NOTICE_TYPE_PPO_FLAG_SET: Kind((*CASE, INTERESTED, PRISON), _same_day),
    pb.NOTICE_TYPE_PPO_FLAG_CLEARED: Kind((*CASE, INTERESTED, PRISON), _same_day),
    # N2: somebody must have it within the hour from when it can be told.
    pb.NOTICE_TYPE_PPO_ARRESTED: Kind(
        (*CASE, INTERESTED, ARREST_REFERRAL), lambda change: change.recorded + timedelta(hours=1)
    ),
    # N3: a worker is allocated within 7 days.
    pb.NOTICE_TYPE_DRUG_TEST_ROUTED: Kind((DRUG_TEAM,), lambda change: change.recorded + timedelta(days=7)),
    # N4: the prison marks its own record by it, so it is told as well.
    pb.NOTICE_TYPE_PRISON_RECEPTION: Kind(
        (*CASE, PRISON, CARAT), lambda change: days.end_of_working_day(change.occurred, 1)
    ),
    # N5.
    pb.NOTICE_TYPE_HOUSING_FAST_TRACK: Kind(
        (HOUSING,),
        lambda change: change.occurred + timedelta(hours=48),
        casework.CASE_NOTICE_KIND_HOUSING_NEEDED,
    ),
    # N7: the prison that is left closes its record, the other opens one.
    pb.NOTICE_TYPE_PRISON_TRANSFER: Kind((*CASE, PRISON, CARAT), _same_day),
    # N9.
    pb.NOTICE_TYPE_RELEASE_PLANNED: Kind(
        OUTSIDE, lambda change: None, casework.CASE_NOTICE_KIND_AVAILABLE_FROM
    ),
    pb.NOTICE_TYPE_RELEASED: Kind(OUTSIDE, _at_release, casework.CASE_NOTICE_KIND_AVAILABLE_FROM),
    pb.NOTICE_TYPE_RELEASE_CANCELLED: Kind(
        OUTSIDE, lambda change: change.recorded, casework.CASE_NOTICE_KIND_DATE_CANCELLED
    ),
    # N6.
    pb.NOTICE_TYPE_PPO_IDENTIFIED_IN_CUSTODY: Kind(
        (PRISON,), lambda change: days.end_of_working_day(max(change.occurred, change.recorded), 1)
    ),
    # N8: who must be ready by the release.
    pb.NOTICE_TYPE_PRE_RELEASE_DUE: Kind(
        (*CASE, PROPOSED, DRUG_TEAM, HOUSING, TRAINING), _own_due, casework.CASE_NOTICE_KIND_PREPARE
    ),
    # N10.
    pb.NOTICE_TYPE_CARE_PLAN_HANDOVER: Kind(
        (*CASE, PRISON, TRAINING),
        lambda change: change.due or _same_day(change),
        casework.CASE_NOTICE_KIND_WORK_DONE,
    ),
    # N13.
    pb.NOTICE_TYPE_BREACH_STARTED: Kind(
        ENFORCING,
        lambda change: days.end_of_working_day(change.recorded, 1),
        to_court=court.COURT_NOTICE_KIND_BREACH_STARTED,
    ),
    pb.NOTICE_TYPE_RECALL_REQUESTED: Kind(
        ENFORCING, _within_a_day, to_court=court.COURT_NOTICE_KIND_RECALL_REQUESTED
    ),
    pb.NOTICE_TYPE_RECALL_EXECUTED: Kind(
        ENFORCING, _within_a_day, to_court=court.COURT_NOTICE_KIND_RECALL_EXECUTED
    ),
    # N14.
    **{kind: Kind((*CASE, INTERESTED, SIDES, PRISON), _own_due) for kind in handing.TYPES},
    # N16.
    pb.NOTICE_TYPE_REVIEW_DUE: Kind((*CASE, FORUM), _own_due),
}
# The plan travels with the person, and is looked at again.
WITH_PLAN = (
    pb.NOTICE_TYPE_PRISON_TRANSFER,
    pb.NOTICE_TYPE_CARE_PLAN_HANDOVER,
    pb.NOTICE_TYPE_PRE_RELEASE_DUE,
    pb.NOTICE_TYPE_RELEASED,
    pb.NOTICE_TYPE_REVIEW_DUE,
    *handing.TYPES,
)
# What a change is told as, where that is more than its own notice.
BESIDES = {pb.NOTICE_TYPE_PRISON_RECEPTION: pb.NOTICE_TYPE_HOUSING_FAST_TRACK}


def notices(
    change: Change, subject: Subject, parties: Parties, before: Mapping[str, Role] = NOBODY
) -> tuple[Told, ...]:
    """Every notice that a change causes, each with somebody to tell.

    `before`: the organisations that were told what the change undoes, each with the role it was told in.
    """
    besides = BESIDES.get(change.type)
    types = (change.type, besides) if besides else (change.type,)
    told = (_told(notice, change, subject, parties, before) for notice in types)
    return tuple(one for one in told if one.copies)


def _told(
    notice: NoticeType, change: Change, subject: Subject, parties: Parties, before: Mapping[str, Role]
) -> Told:
    due, held_at = KINDS[notice].due(change), change.prison or subject.held_at
    copies = [
        Copy(
            organisation,
            role,
            _own(
                _message(notice, role, _for(organisation, change, parties), subject, parties, due),
                role,
                organisation,
                held_at,
            ),
        )
        for organisation, role in _receivers(notice, change, subject, parties, before).items()
    ]
    disclosed = tuple(copy for copy in copies if _disclosed(copy))
    return Told(notice, change.cause, due, disclosed, change.prison)


def _for(organisation: str, change: Change, parties: Parties) -> Change:
    """What is open goes with a case to those who have it, and to nobody whose it was or is to be."""
    if change.owned is None or organisation in (parties.owner, parties.youth_team, parties.probation):
        return change
    return change._replace(planned=None, review=None, matters=())


def _receivers(
    notice: NoticeType, change: Change, subject: Subject, parties: Parties, before: Mapping[str, Role]
) -> Mapping[str, Role]:
    """An organisation in two roles is told as the first of them."""
    kind, found = KINDS[notice], dict[str, Role]()
    for role in kind.receivers:
        for organisation in _organisations(role, change, subject, parties):
            found.setdefault(organisation, _as(role, organisation, parties))
    for organisation, role in before.items():
        if _concerns(kind, role):
            found.setdefault(organisation, role)
    return found


def _concerns(kind: Kind, role: Role) -> bool:
    if role in UNNAMED:
        return role in kind.receivers
    return role not in PROVIDERS or bool(kind.to_providers)


def _as(role: Role, organisation: str, parties: Parties) -> Role:
    if role not in (PROPOSED, SIDES):
        return role
    if organisation in parties.offices.values():
        return PROBATION
    return YOUTH_TEAM if organisation in parties.youth_teams else INTERESTED


def _disclosed(copy: Copy) -> bool:
    """Not even that there is a notice is for a role outside the audience of its contract."""
    return copy.role in policy.audience(copy.message.DESCRIPTOR)


def _organisations(role: Role, change: Change, subject: Subject, parties: Parties) -> Iterable[str]:
    match role:
        case "interested_ocu":
            return parties.interested
        case "proposed":
            return _own_here(subject.ownership.proposed_owner, parties)
        case "sides":
            return _sides(change.owned, parties) if change.owned else ()
        case "prison_offender_management_unit":
            concerned = (change.from_prison, change.prison, subject.held_at)
            return [prison for prison in dict.fromkeys(concerned) if prison in parties.prisons]
        case "carat_worker":
            prisons = dict.fromkeys((change.from_prison, change.prison))
            return [parties.carat[prison] for prison in prisons if prison in parties.carat]
        case "court":
            return _one(change.court)
        case "arrest_referral_worker":
            return _one(parties.arrest_referral.get(change.suite, ""))
        case "ppo_drug_team":
            own = subject.referred or change.type == pb.NOTICE_TYPE_DRUG_TEST_ROUTED
            return _one(parties.drug_team if own else "")
        case "housing_provider" | "training_provider":
            awaited = change.release is None or change.release in EXPECTED
            provider = parties.housing if role == HOUSING else parties.training
            return _one(provider if awaited else "")
    named = {OWNER: parties.owner, YOUTH_TEAM: parties.youth_team, PROBATION: parties.probation}
    return _one((named | {FORUM: parties.forum})[role])


def _own_here(organisation: str, parties: Parties) -> tuple[str, ...]:
    return (organisation,) if organisation in parties.ocus | parties.youth_teams else ()


def _sides(owned: notice_pb2.OwnershipChange, parties: Parties) -> Iterator[str]:
    """Whose the case was, is or is to be, each with the probation office there."""
    for owner in sorted(handing.concerned(owned)):
        yield from _own_here(owner, parties)
        yield from _one(parties.offices.get(owner, ""))


def _one(organisation: str) -> tuple[str, ...]:
    return (organisation,) if organisation else ()


def _message(
    notice: NoticeType, role: Role, change: Change, subject: Subject, parties: Parties, due: datetime | None
) -> Message:
    if role in PROVIDERS:
        return _case_notice(KINDS[notice].to_providers, change, subject, parties, due)
    if role == COURT:
        return _court_notice(KINDS[notice].to_court, change, due)
    return _notice(notice, role, change, subject, due)


def _own(message: Message, role: Role, organisation: str, held_at: str) -> Message:
    """Says where the prisoner, the case or the notice is the recipient's own, which sees more of it then."""
    if isinstance(message, casework.CaseNotice):
        message.provider_id = organisation
        return message
    if isinstance(message, court.CourtNotice):
        message.court_id = organisation
        return message
    if role == YOUTH_TEAM or organisation == held_at:
        for part in (name for name in ("movement", "release", "breach") if message.HasField(name)):
            getattr(message, part).party_id = organisation
    return message


def _case_notice(
    kind: casework.CaseNoticeKind.ValueType,
    change: Change,
    subject: Subject,
    parties: Parties,
    due: datetime | None,
) -> casework.CaseNotice:
    """A case reference, the desk and the dates: nothing else leaves here."""
    message = casework.CaseNotice(
        kind=kind,
        case_reference=subject.case_reference,
        referrer_desk=parties.desk,
        referrer_telephone=parties.desk_telephone,
    )
    if kind == casework.CASE_NOTICE_KIND_HOUSING_NEEDED:
        # The same numbers in both contracts.
        message.tenancy_held = casework.TenancyHeld.ValueType(change.tenancy)
    if kind == casework.CASE_NOTICE_KIND_WORK_DONE and change.work:
        message.work.extend(_work_done(change.work))
    message.needed_time.FromDatetime(change.occurred)
    if due:
        message.due_time.FromDatetime(due)
    return message


def _court_notice(
    kind: court.CourtNoticeKind.ValueType, change: Change, due: datetime | None
) -> court.CourtNotice:
    """The court's own reference and the facts: nothing else leaves here."""
    message = court.CourtNotice(kind=kind, court_reference=change.court_reference)
    if change.breach:
        message.order_kind, message.reason_code = change.breach.order_kind, change.breach.reason_code
        message.occurred_time.CopyFrom(change.breach.occurred_time)
    if due:
        message.due_time.FromDatetime(due)
    return message


def _work_done(work: pb.PrisonWork) -> Iterator[casework.WorkDone]:
    """Without the prison: where somebody was is not for a provider to know."""
    for course in work.courses:
        over = course.completed_date if course.HasField("completed_date") else None
        yield casework.WorkDone(title=course.title, level=course.level, completed_date=over)
    for job in work.jobs:
        yield casework.WorkDone(title=job.title, level=job.skills)


def not_acknowledged(overdue: pb.OverdueNotice, subject: Subject, parties: Parties) -> Told:
    """To whoever manages the case, and last to the forum: an organisation has not acknowledged a notice."""
    copies = []
    forum = parties.forum if overdue.escalation == pb.ESCALATION_LEVEL_FORUM and subject.plan else ""
    told = ((OWNER, parties.owner), (YOUTH_TEAM, parties.youth_team), (FORUM, forum))
    for role, organisation in told:
        if organisation:
            message = _addressed(pb.NOTICE_TYPE_NOT_ACKNOWLEDGED, role, subject)
            message.overdue.CopyFrom(overdue)
            if role == FORUM:
                # That a drug team is late would tell whoever knows the plan of a drug test.
                message.overdue.ClearField("type")
                message.overdue.ClearField("organisation")
            message.care_plan_reference = subject.plan
            copies.append(Copy(organisation, role, message))
    cause = f"{overdue.notice_id}/{overdue.organisation}"
    return Told(pb.NOTICE_TYPE_NOT_ACKNOWLEDGED, cause, None, tuple(copies))


def _notice(
    notice: NoticeType, role: Role, change: Change, subject: Subject, due: datetime | None
) -> notice_pb2.Notice:
    message = _addressed(notice, role, subject)
    if due:
        message.due_time.FromDatetime(due)
    if notice == pb.NOTICE_TYPE_PPO_ARRESTED:
        message.arrest.CopyFrom(_arrest(change))
    elif change.prison_number or change.prison or change.from_prison:
        message.movement.CopyFrom(_movement(change))
    _fill(message, change, subject)
    return message


def _addressed(notice: NoticeType, role: Role, subject: Subject) -> notice_pb2.Notice:
    message = notice_pb2.Notice(
        type=notice,
        purpose=PURPOSES.get(role, policy_pb2.PURPOSE_OFFENDER_MANAGEMENT),
        protocol_version=subject.protocol,
        nominal_id=subject.nominal_id,
        person=subject.person,
        flag_state=subject.flag_state,
        strand=subject.strand,
        ownership=subject.ownership,
        police_manager=subject.police,
        probation_manager=subject.probation,
    )
    # They tell of offences too, which not every receiver of the owner may know.
    message.ownership.ClearField("facts")
    return message


def _fill(message: notice_pb2.Notice, change: Change, subject: Subject) -> None:
    """What only some kinds tell."""
    message.register_version = change.version
    if change.effective:
        message.effective_time.FromDatetime(change.effective)
    if message.type in WITH_PLAN:
        message.care_plan_reference = subject.plan
    parts = {"release": change.planned, "work": change.work, "breach": change.breach}
    for name, part in (parts | {"ownership_change": change.owned}).items():
        if part is not None:
            getattr(message, name).CopyFrom(part)
    for matter in change.matters:
        drug = matter.type == pb.NOTICE_TYPE_DRUG_TEST_ROUTED
        (message.drug_referrals if drug else message.open_matters).append(matter)
    if change.review:
        message.review_date.CopyFrom(days.proto(change.review))


def _arrest(change: Change) -> notice_pb2.Arrest:
    arrest = notice_pb2.Arrest(
        suite_id=change.suite,
        offence_codes=change.offences,
        trigger_offence=change.trigger,
        arrest_summons_number=change.summons,
    )
    if change.booked:
        arrest.booked_time.FromDatetime(change.booked)
    arrest.arrested_time.FromDatetime(change.occurred)
    return arrest


def _movement(change: Change) -> notice_pb2.PrisonMovement:
    movement = notice_pb2.PrisonMovement(
        prison_id=change.prison,
        from_prison_id=change.from_prison,
        basis=change.basis,
        release_kind=change.release or "",
        prison_number=change.prison_number,
    )
    movement.occurred_time.FromDatetime(change.occurred)
    if change.type == pb.NOTICE_TYPE_PRISON_TRANSFER:
        movement.transfer_id, movement.transfer_reason = change.cause, change.reason
        movement.bound_for_prison_id, movement.reception_late = change.bound, change.late
        if change.left:
            movement.left_time.FromDatetime(change.left)
    return movement
