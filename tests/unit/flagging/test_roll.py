"""When a prison number is surely a person's, and what the prison is answered when it is not."""

from ppo.flagging.v1 import roll_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import roll
from services.flagging.roll import Finding, Holder, Line
from services.people import screening
from tests.builders import person, pnc_id

PPO, OTHER = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
FLAGGED, POSSIBLE = screening_pb2.OUTCOME_FLAGGED, screening_pb2.OUTCOME_POSSIBLE


def number(serial: int) -> person_pb2.Identifier:
    return person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, value=f"A{serial:04d}BC")


def line(serial: int, *pnc: int) -> Line:
    identifiers = [number(serial), *map(pnc_id, pnc)]
    return Line(serial, (int(identifiers[0].kind), identifiers[0].value), person(identifiers=identifiers))


def found(
    *lines: Line,
    flagged: dict[str, person_pb2.Person],
    index: dict[str, person_pb2.Person] | None = None,
    ruled_out: dict[str, set[str]] | None = None,
) -> list[Finding]:
    people = screening.FlaggedSet()
    for nominal_id, held in flagged.items():
        people.put(screening_pb2.Candidate(nominal_id=nominal_id, person=held, nominating_ocu="D1"))
    screened = []
    for one in lines:
        holders = held_by(one, {**flagged, **(index or {})})
        answer = screening.screen(
            one.person, fingerprint=False, flagged=people, holders=holders, authoritative=True
        )
        screened.append((answer, holders))
    return roll.findings(lines, screened, roll.presence(lines), ruled_out or {})


def held_by(one: Line, index: dict[str, person_pb2.Person]) -> list[Holder]:
    asked = {each.value for each in one.person.identifiers}
    return [
        (nominal_id, held)
        for nominal_id, held in index.items()
        for each in held.identifiers
        if each.value in asked
    ]


def test_a_pnc_id_that_agrees_makes_a_number_sure() -> None:
    [one] = found(line(1, 1), flagged={PPO: person(identifiers=[pnc_id(1)])})

    assert (one.nominal_id, one.held, one.link) == (PPO, False, pb.NUMBER_LINK_LINKED)
    assert one.answer().nominating_ocu == "D1"


def test_two_prisoners_with_two_pnc_ids_of_one_person_are_neither_sure() -> None:
    held = person(identifiers=[pnc_id(1), pnc_id(2)])

    both = found(line(1, 1), line(2, 2), flagged={PPO: held})

    assert [(one.screening.outcome, one.nominal_id) for one in both] == [(POSSIBLE, "")] * 2


def test_who_holds_the_number_is_sure_whoever_else_types_the_pnc_id() -> None:
    held = person(identifiers=[pnc_id(1), number(1)])

    mine, other = found(line(1, 1), line(2, 1), flagged={PPO: held})

    assert (mine.screening.outcome, mine.held) == (FLAGGED, True)
    assert (other.screening.outcome, other.nominal_id) == (POSSIBLE, "")


def test_of_nobody_flagged_there_is_no_doubt_to_keep() -> None:
    both = found(line(1, 1), line(2, 1), flagged={}, index={OTHER: person(identifiers=[pnc_id(1)])})

    assert [(one.nominal_id, one.doubtful) for one in both] == [("", False)] * 2
    assert [one.answer().link for one in both] == [pb.NUMBER_LINK_UNSPECIFIED] * 2


def test_a_ruling_leaves_the_other_candidates() -> None:
    flagged = {PPO: person(), OTHER: person()}

    [one] = found(line(1), flagged=flagged, ruled_out={number(1).value: {PPO}})

    assert (one.screening.outcome, [each.nominal_id for each in one.screening.candidates]) == (
        POSSIBLE,
        [OTHER],
    )


def test_behind_as_many_candidates_as_are_named_there_may_be_more() -> None:
    flagged = {f"00000000-0000-0000-0000-00000000000{serial}": person() for serial in range(7)}
    [before] = found(line(1), flagged=flagged)
    named = {each.nominal_id for each in before.screening.candidates}

    [one] = found(line(1), flagged=flagged, ruled_out={number(1).value: named})

    assert len(named) == roll.MOST_CANDIDATES
    assert one.screening.outcome == screening_pb2.OUTCOME_UNKNOWN
    assert one.screening.unknown_reason == screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT


def test_the_prison_is_told_nothing_of_who_else_it_may_be() -> None:
    [one] = found(line(1), flagged={PPO: person()})

    told = one.answer()
    assert (told.outcome, told.link) == (POSSIBLE, pb.NUMBER_LINK_QUEUED)
    assert (told.nominal_id, told.nominating_ocu, told.strand) == ("", "", 0)
