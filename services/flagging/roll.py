"""What a line of a prison's roll amounts to: is it a PPO, and is the prison number surely this person's?"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ppo.flagging.v1 import roll_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import nominals
from services.flagging.nominals import Key

# As many candidates as a screening names at most: behind that many there may be more.
MOST_CANDIDATES = 5

Holder = tuple[str, person_pb2.Person]


class Line(NamedTuple):
    """A prisoner, with the identifiers in canonical form."""

    number: int
    key: Key
    person: person_pb2.Person


class Presence(NamedTuple):
    """What the whole roll says about each of its lines: nobody stands on it twice."""

    numbers: frozenset[Key]
    # PNC ids of more than one prisoner.
    doubled: frozenset[Key]


class Finding(NamedTuple):
    line: Line
    # As the prison is answered.
    screening: screening_pb2.Screening
    # Whose the prison number is; empty where that is not sure.
    nominal_id: str = ""
    held: bool = False

    @property
    def new(self) -> bool:
        """There is a number to be learnt."""
        return bool(self.nominal_id) and not self.held

    @property
    def doubtful(self) -> bool:
        return self.screening.outcome == screening_pb2.OUTCOME_POSSIBLE

    @property
    def link(self) -> pb.NumberLink.ValueType:
        if self.doubtful:
            return pb.NUMBER_LINK_QUEUED
        if not self.nominal_id:
            return pb.NUMBER_LINK_UNSPECIFIED
        return pb.NUMBER_LINK_HELD if self.held else pb.NUMBER_LINK_LINKED

    def answer(self) -> pb.RollAnswer:
        screening = self.screening
        answer = pb.RollAnswer(
            prison_number=self.line.key[1],
            outcome=screening.outcome,
            unknown_reason=screening.unknown_reason,
            register_version=screening.register_version,
            register_time=screening.register_time,
        )
        if screening.outcome == screening_pb2.OUTCOME_FLAGGED:
            [ppo] = screening.candidates
            answer.nominal_id, answer.strand = ppo.nominal_id, ppo.strand
            answer.nominating_ocu = ppo.nominating_ocu
        # That somebody who is no PPO is known to the police is not for the prison.
        if screening.outcome in (screening_pb2.OUTCOME_FLAGGED, screening_pb2.OUTCOME_POSSIBLE):
            answer.link = self.link
        return answer


def presence(lines: Iterable[Line]) -> Presence:
    counted = Counter(key for line in lines for key in nominals.keys(line.person))
    numbers = frozenset(key for key in counted if key[0] == person_pb2.IDENTIFIER_KIND_PRISON_NUMBER)
    return Presence(numbers, frozenset(key for key, times in counted.items() if times > 1))


def findings(
    lines: Sequence[Line],
    screened: Sequence[tuple[screening_pb2.Screening, Sequence[Holder]]],
    present: Presence,
    ruled_out: Mapping[str, Collection[str]],
) -> list[Finding]:
    """Several lines at a time; of those that would give one person a new number, none is sure."""
    found = [
        finding(line, *one, present, ruled_out.get(line.key[1], ()))
        for line, one in zip(lines, screened, strict=True)
    ]
    given = Counter(one.nominal_id for one in found if one.new)
    return [_doubted(one) if one.new and given[one.nominal_id] > 1 else one for one in found]


def finding(
    line: Line,
    screening: screening_pb2.Screening,
    holders: Sequence[Holder],
    present: Presence,
    ruled_out: Collection[str],
) -> Finding:
    """`holders`: whom the index knows by its identifiers; `ruled_out`: who the keeper said it is not."""
    nominal_id, held = _sure(line, screening, holders, present, ruled_out)
    if nominal_id:
        return Finding(line, screening, nominal_id, held)
    if screening.outcome == screening_pb2.OUTCOME_FLAGGED:
        return _doubted(Finding(line, screening))
    return Finding(line, _without(screening, ruled_out))


def _doubted(one: Finding) -> Finding:
    if one.screening.outcome != screening_pb2.OUTCOME_FLAGGED:
        return Finding(one.line, one.screening)
    return Finding(one.line, _said(one.screening, screening_pb2.OUTCOME_POSSIBLE))


def _sure(
    line: Line,
    screening: screening_pb2.Screening,
    holders: Sequence[Holder],
    present: Presence,
    ruled_out: Collection[str],
) -> tuple[str, bool]:
    """Whose number it is, and whether it was theirs before."""
    persons = dict(holders)
    if screening.identity_basis != screening_pb2.IDENTITY_BASIS_IDENTIFIER or len(persons) != 1:
        return "", False
    [(nominal_id, person)] = persons.items()
    theirs = set(nominals.keys(person))
    if line.key in theirs:
        return nominal_id, True
    # The same PNC id on two lines, or a person who stands on this roll under another number: one is mistaken.
    twice = present.doubled.intersection(nominals.keys(line.person)) or present.numbers & theirs
    return ("", False) if twice or nominal_id in ruled_out else (nominal_id, False)


def _without(screening: screening_pb2.Screening, ruled_out: Collection[str]) -> screening_pb2.Screening:
    left = [one for one in screening.candidates if one.nominal_id not in ruled_out]
    if screening.outcome != screening_pb2.OUTCOME_POSSIBLE or len(left) == len(screening.candidates):
        return screening
    if left:
        return _said(screening, screening_pb2.OUTCOME_POSSIBLE, left)
    if len(screening.candidates) >= MOST_CANDIDATES:
        answer = _said(screening, screening_pb2.OUTCOME_UNKNOWN, left)
        answer.unknown_reason = screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT
        return answer
    return _said(screening, screening_pb2.OUTCOME_NOT_FLAGGED, left)


def _said(
    screening: screening_pb2.Screening,
    outcome: screening_pb2.Outcome.ValueType,
    candidates: Sequence[screening_pb2.Candidate] | None = None,
) -> screening_pb2.Screening:
    copy = screening_pb2.Screening()
    copy.CopyFrom(screening)
    copy.outcome = outcome
    if candidates is not None:
        del copy.candidates[:]
        copy.candidates.extend(candidates)
    return copy
