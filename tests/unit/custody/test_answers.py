"""What an answer says once officers have ruled somebody out, and which answer takes another's place."""

import pytest

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.custody import answers
from tests import builders

FLAGGED = screening_pb2.OUTCOME_FLAGGED
POSSIBLE = screening_pb2.OUTCOME_POSSIBLE
NOT_FLAGGED = screening_pb2.OUTCOME_NOT_FLAGGED
UNKNOWN = screening_pb2.OUTCOME_UNKNOWN
UNREACHABLE = screening_pb2.UNKNOWN_REASON_UNREACHABLE


def screening(
    outcome: screening_pb2.Outcome.ValueType, *nominals: str, version: int = 1, register: int = 1
) -> screening_pb2.Screening:
    candidates = [screening_pb2.Candidate(nominal_id=each, version=version) for each in nominals]
    reason = UNREACHABLE if outcome == UNKNOWN else screening_pb2.UNKNOWN_REASON_UNSPECIFIED
    return screening_pb2.Screening(
        outcome=outcome, candidates=candidates, unknown_reason=reason, register_version=register
    )


def by_register(said: screening_pb2.Screening) -> pb.Answer:
    return pb.Answer(screening=said, basis=pb.BASIS_REGISTER)


def by_replica(said: screening_pb2.Screening) -> pb.Answer:
    return pb.Answer(screening=said, basis=pb.BASIS_REPLICA)


NO = by_register(screening(NOT_FLAGGED, register=5))
YES = by_register(screening(FLAGGED, "n1", register=5))
UNREACHED = by_replica(screening(UNKNOWN))
COPIED = by_replica(screening(FLAGGED, "n1", register=5))


def owned(answer: pb.Answer, owner: str, police: str = "PC Shah") -> pb.Answer:
    case = tracking.Case(
        ownership=tracking.Ownership(owner=owner), police_manager=tracking.Manager(name=police)
    )
    copy = pb.Answer()
    copy.CopyFrom(answer)
    copy.MergeFrom(answers.entrusted(case))
    return copy


def test_an_outcome_that_nobody_here_knows_is_unknown() -> None:
    strange = answers.understood(screening_pb2.Screening(outcome=99))  # type: ignore[arg-type]

    assert (strange.outcome, strange.unknown_reason) == (UNKNOWN, UNREACHABLE)


@pytest.mark.parametrize("outcome", [FLAGGED, POSSIBLE, NOT_FLAGGED])
def test_a_known_outcome_stays(outcome: screening_pb2.Outcome.ValueType) -> None:
    assert answers.understood(screening(outcome)).outcome == outcome


@pytest.mark.parametrize(
    ("said", "authoritative", "outcome"),
    [
        (screening(POSSIBLE, "n1"), True, NOT_FLAGGED),
        (screening(POSSIBLE, "n1"), False, UNKNOWN),
        (screening(FLAGGED, "n1"), False, UNKNOWN),
        (screening(POSSIBLE, "n1", "n2"), True, POSSIBLE),
        (screening(FLAGGED, "n1", "n2"), True, POSSIBLE),
        (screening(POSSIBLE, "n2"), True, POSSIBLE),
        (screening(NOT_FLAGGED), True, NOT_FLAGGED),
    ],
)
def test_who_is_ruled_out_is_no_candidate_any_more(
    said: screening_pb2.Screening, authoritative: bool, outcome: screening_pb2.Outcome.ValueType
) -> None:
    left = answers.exclude(said, {"n1"}, authoritative=authoritative)

    assert left.outcome == outcome
    assert "n1" not in [each.nominal_id for each in left.candidates]


def test_five_candidates_ruled_out_are_no_proof_that_there_is_no_sixth() -> None:
    five = [f"n{number}" for number in range(5)]

    left = answers.exclude(screening(POSSIBLE, *five), set(five), authoritative=True)

    assert left.outcome == UNKNOWN
    assert left.unknown_reason == screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT


def test_the_identifier_of_somebody_ruled_out_is_not_asked_about_again() -> None:
    wrong, right = builders.pnc_id(1), builders.pnc_id(2)
    given = builders.person(identifiers=[wrong, right])
    said = screening(POSSIBLE, "n1", "n2")
    said.candidates[0].person.identifiers.append(wrong)
    said.candidates[1].person.identifiers.append(right)

    assert list(answers.without_mistaken(given, said, {"n1"}).identifiers) == [right]


@pytest.mark.parametrize(
    ("new", "latest", "takes_over"),
    [
        # The register has the last word, and says nothing twice.
        (YES, NO, True),
        (NO, YES, True),
        (NO, NO, False),
        (NO, UNREACHED, True),
        (by_register(screening(FLAGGED, "n1")), by_replica(screening(FLAGGED, "n1")), True),
        # The replica overrules the register only by a flag that is newer than its answer.
        (UNREACHED, NO, False),
        (UNREACHED, YES, False),
        (by_replica(screening(FLAGGED, "n1", version=6)), NO, True),
        (by_replica(screening(POSSIBLE, "n1", version=6)), NO, True),
        (by_replica(screening(FLAGGED, "n1", version=5)), NO, False),
        # Of two answers of the replica the later one counts.
        (by_replica(screening(FLAGGED, "n1")), UNREACHED, True),
        (UNREACHED, by_replica(screening(FLAGGED, "n1")), True),
        (UNREACHED, UNREACHED, False),
        # Another owner or manager is news; that none could be read is not.
        (owned(YES, "E3"), YES, True),
        (owned(YES, "E3"), owned(YES, "D3"), True),
        (owned(YES, "E3"), owned(YES, "E3", police="PC Bell"), True),
        (owned(YES, "E3"), owned(YES, "E3"), False),
        (YES, owned(YES, "E3"), False),
        (owned(COPIED, "E3"), COPIED, True),
        (owned(COPIED, "E3"), YES, False),
    ],
)
def test_which_answer_takes_the_place_of_another(new: pb.Answer, latest: pb.Answer, takes_over: bool) -> None:
    assert answers.supersedes(new, latest) is takes_over


def test_an_answer_of_the_register_that_nobody_understood_is_asked_for_again() -> None:
    assert not answers.settled(by_register(screening(UNKNOWN)))
    assert answers.settled(NO)
    assert not answers.settled(UNREACHED)


def test_only_a_no_on_details_given_is_checked_again_after_fingerprints() -> None:
    given = screening_pb2.IDENTITY_BASIS_DETAILS_GIVEN
    proven = screening_pb2.IDENTITY_BASIS_IDENTIFIER

    assert answers.check_after_fingerprints(
        screening_pb2.Screening(outcome=NOT_FLAGGED, identity_basis=given)
    )
    assert not answers.check_after_fingerprints(
        screening_pb2.Screening(outcome=NOT_FLAGGED, identity_basis=proven)
    )
    assert not answers.check_after_fingerprints(
        screening_pb2.Screening(outcome=POSSIBLE, identity_basis=given)
    )


def test_no_identifier_is_asked_about_again_where_all_meant_somebody_ruled_out() -> None:
    # A merged record's own: no candidate has it.
    given = builders.person(identifiers=[builders.pnc_id(1)])

    left = answers.without_mistaken(given, screening(FLAGGED, "n1"), {"n1"})

    assert not left.identifiers
    assert left.name == given.name


def test_without_mistaken_leaves_what_was_given_as_it_is() -> None:
    given = builders.person(identifiers=[builders.pnc_id(1)])
    before = person_pb2.Person.FromString(given.SerializeToString())
    said = screening(POSSIBLE, "n1")
    said.candidates[0].person.identifiers.append(builders.pnc_id(1))

    answers.without_mistaken(given, said, {"n1"})

    assert given == before


# ---- whose case it is


def nominated(ocu: str, owner: str = "") -> pb.Answer:
    candidate = screening_pb2.Candidate(nominal_id="n1", nominating_ocu=ocu)
    answer = pb.Answer(screening=screening_pb2.Screening(outcome=FLAGGED, candidates=[candidate]))
    return owned(answer, owner) if owner else answer


TURNED_ROUND = owned(by_register(screening(POSSIBLE, "n2", "n1")), "F3")


def test_the_owner_is_rung_before_the_ocu_that_nominated() -> None:
    assert answers.owners(nominated("D3", "E3")) == ["E3", "D3"]
    assert answers.owners(nominated("D3")) == ["D3"]
    assert answers.owners(NO) == []


def test_a_case_that_is_nobodys_says_nothing() -> None:
    nobodys = tracking.Case(ownership=tracking.Ownership(state=tracking.OWNERSHIP_STATE_NONE))

    assert answers.entrusted(None) == answers.entrusted(nobodys) == pb.Answer()


@pytest.mark.parametrize(
    ("earlier", "now", "changed"),
    [
        (nominated("D3", "E3"), nominated("D3", "F2"), True),
        (nominated("D3"), nominated("D3", "E3"), True),
        # Until the first decision the case is that of the OCU that nominated.
        (nominated("D3"), nominated("D3", "D3"), False),
        (nominated("D3", "E3"), nominated("D3", "E3"), False),
        (nominated("D3", "E3"), nominated("D3"), False),
        # Somebody else comes first now: nobody's case has changed.
        (owned(by_register(screening(POSSIBLE, "n1", "n2")), "E3"), TURNED_ROUND, False),
    ],
)
def test_an_owner_has_changed_only_where_another_is_known(
    earlier: pb.Answer, now: pb.Answer, changed: bool
) -> None:
    assert answers.changed_hands(earlier, now) is changed
