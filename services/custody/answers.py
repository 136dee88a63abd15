"""What an answer says: made from what was found and from what officers have ruled out."""

from collections.abc import Collection, Iterable

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.people import identifiers

# As many candidates as a screening names at most: behind that many there may be more.
MOST_CANDIDATES = 5

_KNOWN = {
    screening_pb2.OUTCOME_FLAGGED,
    screening_pb2.OUTCOME_POSSIBLE,
    screening_pb2.OUTCOME_NOT_FLAGGED,
    screening_pb2.OUTCOME_UNKNOWN,
}
_SOMEBODY = (screening_pb2.OUTCOME_FLAGGED, screening_pb2.OUTCOME_POSSIBLE)
_BY_IDENTIFIER = (screening_pb2.IDENTITY_BASIS_FINGERPRINT, screening_pb2.IDENTITY_BASIS_IDENTIFIER)
_NUMBERS = frozenset(map(identifiers.kind_name, person_pb2.IdentifierKind.values()))


def understood(screening: screening_pb2.Screening) -> screening_pb2.Screening:
    """An outcome that this code does not know is UNKNOWN: nothing can be read into it."""
    if screening.outcome in _KNOWN:
        return screening
    return _said(screening, screening_pb2.OUTCOME_UNKNOWN, screening_pb2.UNKNOWN_REASON_UNREACHABLE)


def without_mistaken(
    given: person_pb2.Person, screening: screening_pb2.Screening, excluded: Collection[str]
) -> person_pb2.Person:
    """What was given but the identifiers of those whom the person is known not to be."""
    copy = person_pb2.Person()
    copy.CopyFrom(given)
    if screening.outcome == screening_pb2.OUTCOME_FLAGGED:
        # Those that are known are all that one person's, of whom merged records may have others.
        del copy.identifiers[:]
        return copy
    wrong = [each for each in screening.candidates if each.nominal_id in excluded]
    keys = {identifiers.key(each) for candidate in wrong for each in _identifiers(candidate)}
    del copy.identifiers[:]
    copy.identifiers.extend(each for each in given.identifiers if identifiers.key(each) not in keys)
    return copy


def exclude(
    screening: screening_pb2.Screening, excluded: Collection[str], *, authoritative: bool
) -> screening_pb2.Screening:
    """The same without candidates whom the person is known not to be."""
    left = [each for each in screening.candidates if each.nominal_id not in excluded]
    if len(left) == len(screening.candidates):
        return screening
    if left:
        return _said(screening, screening_pb2.OUTCOME_POSSIBLE, candidates=left)
    if not authoritative:
        return _said(screening, screening_pb2.OUTCOME_UNKNOWN, screening_pb2.UNKNOWN_REASON_UNREACHABLE)
    if len(screening.candidates) >= MOST_CANDIDATES:
        reason = screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT
        return _said(screening, screening_pb2.OUTCOME_UNKNOWN, reason)
    return _said(screening, screening_pb2.OUTCOME_NOT_FLAGGED)


def known_by_identifier(screening: screening_pb2.Screening) -> bool:
    """Whether it says of anybody that an identifier that was given is theirs, if not theirs alone."""
    evidence = (said for each in screening.candidates for said in each.evidence)
    return screening.identity_basis in _BY_IDENTIFIER or any(
        said.field in _NUMBERS and said.comparison == "exact" for said in evidence
    )


def check_after_fingerprints(screening: screening_pb2.Screening) -> bool:
    return (
        screening.outcome == screening_pb2.OUTCOME_NOT_FLAGGED
        and screening.identity_basis == screening_pb2.IDENTITY_BASIS_DETAILS_GIVEN
    )


def settled(answer: pb.Answer) -> bool:
    """The register itself has answered; else it is asked again."""
    unreachable = answer.screening.unknown_reason == screening_pb2.UNKNOWN_REASON_UNREACHABLE
    return answer.basis == pb.BASIS_REGISTER and not unreachable


def flagged(answer: pb.Answer) -> str:
    """The nominal that the person is, where the answer is FLAGGED."""
    if answer.screening.outcome != screening_pb2.OUTCOME_FLAGGED:
        return ""
    return answer.screening.candidates[0].nominal_id


def nominals(answer: pb.Answer) -> list[str]:
    return [each.nominal_id for each in answer.screening.candidates]


def differ(one: pb.Answer, other: pb.Answer) -> bool:
    """Whether somebody who was told the one must be told the other."""
    return one.screening.outcome != other.screening.outcome or {*nominals(one)} != {*nominals(other)}


def entrusted(case: tracking.Case | None) -> pb.Answer:
    """What an answer says of a case; nothing where it is nobody's."""
    if case is None or not case.ownership.owner:
        return pb.Answer()
    return pb.Answer(
        ownership=case.ownership,
        police_manager=case.police_manager if case.HasField("police_manager") else None,
        probation_manager=case.probation_manager if case.HasField("probation_manager") else None,
        recall_requested=case.recall_requested,
        lead=case.lead,
    )


def owners(answer: pb.Answer) -> list[str]:
    """Whose duty contact is rung, the first first: the owner's, else that of the OCU that nominated."""
    nominating = [each.nominating_ocu for each in answer.screening.candidates[:1]]
    return [one for one in (answer.ownership.owner, *nominating) if one]


def changed_hands(earlier: pb.Answer, answer: pb.Answer) -> bool:
    """Whether who was told of the one owner must be told of another. That it cannot be read is no news."""
    if not answer.HasField("ownership") or nominals(earlier)[:1] != nominals(answer)[:1]:
        return False
    return owners(earlier)[:1] != owners(answer)[:1]


def supersedes(new: pb.Answer, latest: pb.Answer) -> bool:
    """Whether `new` takes the place of `latest`. The replica overrules the register by news only."""
    if settled(new):
        return differ(new, latest) or not settled(latest) or _news_of_case(new, latest)
    if not differ(new, latest):
        return not settled(latest) and _news_of_case(new, latest)
    if not settled(latest):
        return True
    newest = max((each.version for each in new.screening.candidates), default=0)
    return new.screening.outcome in _SOMEBODY and newest > latest.screening.register_version


def _news_of_case(new: pb.Answer, latest: pb.Answer) -> bool:
    return new.HasField("ownership") and _case(new) != _case(latest)


def _case(
    answer: pb.Answer,
) -> tuple[tracking.Ownership, tracking.Manager, tracking.Manager, tracking.Lead.ValueType, bool]:
    managers = (answer.police_manager, answer.probation_manager, answer.lead)
    return (answer.ownership, *managers, answer.recall_requested)


def _said(
    screening: screening_pb2.Screening,
    outcome: screening_pb2.Outcome.ValueType,
    reason: screening_pb2.UnknownReason.ValueType = screening_pb2.UNKNOWN_REASON_UNSPECIFIED,
    candidates: Iterable[screening_pb2.Candidate] = (),
) -> screening_pb2.Screening:
    copy = screening_pb2.Screening()
    copy.CopyFrom(screening)
    copy.outcome = outcome
    copy.unknown_reason = reason
    kept = list(candidates)
    del copy.candidates[:]
    copy.candidates.extend(kept)
    return copy


def _identifiers(candidate: screening_pb2.Candidate) -> list[person_pb2.Identifier]:
    kind = person_pb2.IDENTIFIER_KIND_NOMINAL_ID
    own = person_pb2.Identifier(kind=kind, value=candidate.nominal_id)
    return [own, *candidate.person.identifiers]
