"""What the officer must do by an answer: a decision table, and what of an earlier answer was told in vain."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from google.type.date_pb2 import Date

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.runtime.reference import LONDON

# As reference data says it.
ON_ARREST = "ON_ARREST"


class Fact(StrEnum):
    """What can hold of somebody, in the words of docs/instructions.md."""

    FLAGGED = "the person is a PPO"
    POSSIBLE = "the person may be a PPO"
    NOT_FLAGGED = "the person is no PPO"
    UNREACHABLE = "unknown: the register was not reached"
    NO_IDENTITY = "unknown: neither name nor identifier was given"
    TOO_LITTLE = "unknown: too little was given"
    WAS_PPO = "unknown, and a PPO or a possible one when last asked"
    PROVEN = "by fingerprint or identifier"
    UNPROVEN = "by details given alone"
    ADULT = "18 or over, or not known to be under"
    UNDER_18 = "under 18"
    RECALL = "a recall was requested and is not executed"
    TRIGGER = "arrested for a trigger offence"
    ON_CHARGE = "the law tests on charge"
    ON_ARREST = "the law tests on arrest"
    OF_AGE = "old enough for that test"
    UNTESTED = "not tested yet"
    FOR_PPO_TEAM = "positive, and a PPO"
    FOR_DIP_TEAM = "positive, and no PPO"
    HELD = "positive, and not known whether a PPO"
    LEFT_UNKNOWN = "left while that was not known"


class Whom(StrEnum):
    """Who is to be told; each can be rung at any hour, or somebody in their place."""

    POLICE = "the owner's police offender manager on duty"
    PROBATION = "the owner's probation offender manager on duty"
    YOUTH = "the youth offending team"
    PPO_TEAM = "the PPO drug team of the suite"
    DIP_TEAM = "the DIP team of the suite"
    DIP_CONTACT = "the DIP's single point of contact"


class Within(StrEnum):
    HOUR = "1 hour"
    DAY = "the same day"


class About(StrEnum):
    """Which part of the answer it stands in, by who may see it."""

    GENERAL = "general"
    RECALL = "recall"
    DRUG_TEST = "drug_test"


@dataclass(frozen=True)
class Rule:
    """Applies where all of `when` holds. Without `whom` it is for the officer, while the person is there."""

    id: str
    when: tuple[Fact, ...]
    text: str
    whom: Whom | None = None
    within: Within | None = None
    about: About = About.GENERAL
    # Said instead where the person has left before anybody was asked to.
    left: str = ""


RULES: Sequence[Rule] = (
    Rule(
        "I1",
        (Fact.FLAGGED, Fact.ADULT),
        "Tell the police offender manager on duty that the person is in custody.",
        Whom.POLICE,
        Within.HOUR,
        left="Tell the police offender manager on duty that the person was in custody, and has left.",
    ),
    Rule(
        "I2",
        (Fact.FLAGGED, Fact.ADULT),
        "Tell the probation offender manager on duty that the person is in custody.",
        Whom.PROBATION,
        Within.HOUR,
        left="Tell the probation offender manager on duty that the person was in custody, and has left.",
    ),
    Rule(
        "I3",
        (Fact.FLAGGED, Fact.UNDER_18),
        "Tell the youth offending team that the person is in custody.",
        Whom.YOUTH,
        Within.HOUR,
        left="Tell the youth offending team that the person was in custody, and has left.",
    ),
    Rule(
        "I4",
        (Fact.POSSIBLE,),
        "Confirm who it is by fingerprint or identifier, and record what you find. Tell nobody until then.",
    ),
    Rule(
        "I5",
        (Fact.UNREACHABLE,),
        "This is not a no. Who is booked in is checked again by itself, and you are told.",
    ),
    Rule(
        "I6",
        (Fact.NO_IDENTITY,),
        "This is not a no: nobody could be looked for. Take fingerprints and enter the PNC id they give.",
    ),
    Rule(
        "I7",
        (Fact.TOO_LITTLE,),
        "This is not a no: what was given finds nobody. Ask for the date of birth or a PNC id, or take "
        "fingerprints, and check again.",
    ),
    Rule(
        "I8",
        (Fact.WAS_PPO,),
        "The last answer named a PPO: ring the contact and ask, before anything is decided.",
    ),
    Rule(
        "I9",
        (Fact.NOT_FLAGGED, Fact.UNPROVEN),
        "Check again after fingerprints: until then this is only as good as what the person said.",
    ),
    Rule("I10", (Fact.NOT_FLAGGED, Fact.PROVEN), "Nothing more for this scheme."),
    Rule(
        "I11",
        (Fact.FLAGGED, Fact.RECALL),
        "A recall to prison is requested: find out at once whether the licence is revoked. This answer is no "
        "power to detain, the revoked licence is.",
        Whom.PROBATION,
        Within.HOUR,
        About.RECALL,
    ),
    Rule(
        "I12",
        (Fact.POSSIBLE, Fact.RECALL),
        "A recall to prison of the first candidate is requested: confirm at once who it is.",
        about=About.RECALL,
    ),
    Rule(
        "I13",
        (Fact.TRIGGER, Fact.ON_CHARGE, Fact.OF_AGE, Fact.UNTESTED),
        "If charged with the trigger offence: test for Class A drugs, and record the result.",
        about=About.DRUG_TEST,
    ),
    Rule(
        "I14",
        (Fact.TRIGGER, Fact.ON_ARREST, Fact.OF_AGE, Fact.UNTESTED),
        "Test for Class A drugs now, and record the result.",
        about=About.DRUG_TEST,
    ),
    Rule(
        "I15",
        (Fact.FOR_PPO_TEAM,),
        "Refer to the PPO drug team.",
        Whom.PPO_TEAM,
        Within.DAY,
        About.DRUG_TEST,
    ),
    Rule(
        "I16",
        (Fact.FOR_DIP_TEAM,),
        "Refer to the DIP team.",
        Whom.DIP_TEAM,
        Within.DAY,
        About.DRUG_TEST,
    ),
    Rule(
        "I17",
        (Fact.HELD,),
        "The referral waits until it is known whether this is a PPO. The person does not.",
        about=About.DRUG_TEST,
    ),
    Rule(
        "I18",
        (Fact.LEFT_UNKNOWN,),
        "Refer to the DIP's single point of contact, marked: PPO status not known.",
        Whom.DIP_CONTACT,
        Within.DAY,
        About.DRUG_TEST,
    ),
)

_OUTCOMES = {
    screening_pb2.OUTCOME_FLAGGED: Fact.FLAGGED,
    screening_pb2.OUTCOME_POSSIBLE: Fact.POSSIBLE,
    screening_pb2.OUTCOME_NOT_FLAGGED: Fact.NOT_FLAGGED,
}
_REASONS = {
    screening_pb2.UNKNOWN_REASON_NO_IDENTITY: Fact.NO_IDENTITY,
    screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT: Fact.TOO_LITTLE,
}
_ROUTES = {
    pb.REFERRAL_ROUTE_PPO_DRUG_TEAM: Fact.FOR_PPO_TEAM,
    pb.REFERRAL_ROUTE_DIP_TEAM: Fact.FOR_DIP_TEAM,
    pb.REFERRAL_ROUTE_HELD: Fact.HELD,
}
_PROOFS = (screening_pb2.IDENTITY_BASIS_FINGERPRINT, screening_pb2.IDENTITY_BASIS_IDENTIFIER)
_SOMEBODY = (screening_pb2.OUTCOME_FLAGGED, screening_pb2.OUTCOME_POSSIBLE)


@dataclass(frozen=True)
class Law:
    """What the law says of a drug test after this arrest."""

    trigger: bool
    stage: str
    minimum_age: int


@dataclass(frozen=True)
class Situation:
    """All that the table asks about. Without `law`, nothing is known of what the arrest is for."""

    answer: pb.Answer
    given: person_pb2.Person
    occurred_time: datetime
    here: bool = True
    law: Law | None = None
    drug_test: pb.DrugTest | None = None
    left_unknown: bool = False


def facts(one: Situation) -> frozenset[Fact]:
    return frozenset({_outcome(one.answer), *_said(one.answer), _age(one), *_law(one), *_test(one)})


def apply(held: Collection[Fact], *, here: bool) -> list[Rule]:
    return [rule for rule in RULES if {*rule.when} <= {*held} and (here or rule.whom)]


def revise(
    earlier: Iterable[pb.Instruction], wanted: Sequence[pb.Instruction], now: datetime
) -> list[pb.Instruction]:
    """What stands is not given twice. Who was told in vain is told so; what was to be done just goes."""
    before = list(earlier)
    asked = {_key(each) for each in wanted}
    standing = {_key(each): each for each in before if not each.HasField("withdrawn_time")}
    vain = [_withdrawn(each, now) for key, each in standing.items() if each.party and key not in asked]
    past = [each for each in before if each.HasField("withdrawn_time")]
    return [*(standing.get(_key(each), each) for each in wanted), *past, *vain]


def under(age: int, person: person_pb2.Person, at: datetime) -> bool | None:
    """None where that is not known: no year was given, or the birthday may be on either side of the day."""
    born, day = person.birth_date, at.astimezone(LONDON).date()
    turns = born.year + age
    if not born.year or (turns == day.year and not _dated(born, day)):
        return None
    return (day.year, day.month, day.day) < (turns, born.month, born.day)


def _dated(born: Date, day: date) -> bool:
    return bool(born.month) and (bool(born.day) or born.month != day.month)


def _key(one: pb.Instruction) -> tuple[str, str]:
    return one.rule, one.party


def _withdrawn(one: pb.Instruction, now: datetime) -> pb.Instruction:
    copy = pb.Instruction()
    copy.CopyFrom(one)
    copy.withdrawn_time.FromDatetime(now)
    return copy


def _outcome(answer: pb.Answer) -> Fact:
    screening = answer.screening
    return _OUTCOMES.get(screening.outcome) or _REASONS.get(screening.unknown_reason, Fact.UNREACHABLE)


def _said(answer: pb.Answer) -> Iterable[Fact]:
    yield Fact.PROVEN if answer.screening.identity_basis in _PROOFS else Fact.UNPROVEN
    if answer.recall_requested:
        yield Fact.RECALL
    if answer.last_known.outcome in _SOMEBODY and answer.screening.outcome not in _OUTCOMES:
        yield Fact.WAS_PPO


def _age(one: Situation) -> Fact:
    """By the register's date of birth, else by the strand; of nobody on the register by what was given."""
    known = one.answer.screening.candidates[:1]
    young = _under(18, one)
    if young is None and known:
        young = known[0].strand == screening_pb2.STRAND_PREVENT_AND_DETER
    return Fact.UNDER_18 if young else Fact.ADULT


def _under(age: int, one: Situation) -> bool | None:
    known = one.answer.screening.candidates[:1]
    return under(age, known[0].person if known else one.given, one.occurred_time)


def _law(one: Situation) -> Iterable[Fact]:
    if one.law is None:
        return
    yield Fact.ON_ARREST if one.law.stage == ON_ARREST else Fact.ON_CHARGE
    if one.law.trigger:
        yield Fact.TRIGGER
    if not _under(one.law.minimum_age, one):
        yield Fact.OF_AGE


def _test(one: Situation) -> Iterable[Fact]:
    if one.drug_test is None:
        yield Fact.UNTESTED
    elif one.left_unknown:
        yield Fact.LEFT_UNKNOWN
    elif one.drug_test.route in _ROUTES:
        yield _ROUTES[one.drug_test.route]
