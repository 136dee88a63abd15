"""The answer to "is this person a PPO?", as one pure rule over what was given and what is known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ppo.person.v1 import person_pb2, screening_pb2
from services.people import identifiers, matching, names
from services.people.index import Index, Match
from services.people.model import MODEL
from services.people.question import Question
from services.people.reading import read

# log2 of P(this identifier | same) / P(it | another): check letters and fingerprints make agreement by chance
# one in a thousand million; one person in eight or so has a wrong one somewhere. By hand, like matching's.
IDENTIFIER_AGREES = 30.0
IDENTIFIER_CONTRADICTS = -3.0

# Several records of one person, where nominals were merged.
Holders = Mapping[str, Sequence[person_pb2.Person]]
Verdict = tuple[screening_pb2.Outcome.ValueType, screening_pb2.UnknownReason.ValueType]


class FlaggedSet:
    """Everybody who is flagged at one instant, each as the candidate that an answer names."""

    def __init__(self) -> None:
        self.index = Index()
        self._candidates: dict[str, screening_pb2.Candidate] = {}
        # What of each is in the index, and under which key.
        self._records: dict[str, dict[str, person_pb2.Person]] = {}
        self._nominals: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, nominal_id: object) -> bool:
        return nominal_id in self._candidates

    def put(self, candidate: screening_pb2.Candidate, merged: Sequence[person_pb2.Person] = ()) -> None:
        """Takes the nominal id, person, strand, nominating OCU and version from the candidate.

        `merged`: other records of the person, under each of which they may be met.
        """
        self.drop(candidate.nominal_id)
        self._candidates[candidate.nominal_id] = screening_pb2.Candidate(
            nominal_id=candidate.nominal_id,
            person=candidate.person,
            flag_state=screening_pb2.FLAG_STATE_FLAGGED,
            strand=candidate.strand,
            nominating_ocu=candidate.nominating_ocu,
            version=candidate.version,
        )
        for place, person in enumerate((candidate.person, *merged)):
            key = f"{candidate.nominal_id}+{place}" if place else candidate.nominal_id
            self._records.setdefault(candidate.nominal_id, {})[key] = person
            self._nominals[key] = candidate.nominal_id
            self.index.put(key, person)

    def drop(self, nominal_id: str) -> None:
        self._candidates.pop(nominal_id, None)
        for key in self._records.pop(nominal_id, ()):
            del self._nominals[key]
            self.index.drop(key)

    def holders(self, wanted: Iterable[person_pb2.Identifier]) -> Holders:
        keys = {key for identifier in wanted for key in self.index.holders(identifier)}
        found = {self._nominals[key] for key in keys}
        return {one: list(self._records[one].values()) for one in found}

    def matches(self, question: Question, limit: int, at_least: float) -> dict[str, Match]:
        """Each person once, by the record that fits best."""
        best: dict[str, Match] = {}
        for each in self.index.answers(question, limit, at_least):
            nominal_id = self._nominals[each.nominal_id]
            best.setdefault(nominal_id, each._replace(nominal_id=nominal_id))
        return best

    def explain(self, question: Question, nominal_id: str) -> Match:
        records = (self.index.explain(question, key) for key in self._records[nominal_id])
        return max(records, key=lambda each: each.bits)._replace(nominal_id=nominal_id)

    def candidates(
        self, given: person_pb2.Person, matches: Iterable[Match], limit: int
    ) -> list[screening_pb2.Candidate]:
        """The best by details and identifiers together."""
        found = [self._identified(given, each) for each in matches]
        best = sorted(found, key=lambda each: (-each.bits, each.nominal_id))[:limit]
        return [self._candidate(each) for each in best]

    def _identified(self, given: person_pb2.Person, match: Match) -> Match:
        """With what the identifiers say."""
        held = self._candidates[match.nominal_id].person
        stated = [*_identifier_evidence(given, match.nominal_id, held), *match.evidence]
        return match._replace(bits=sum(each.bits for each in stated), evidence=stated)

    def _candidate(self, match: Match) -> screening_pb2.Candidate:
        candidate = screening_pb2.Candidate()
        candidate.CopyFrom(self._candidates[match.nominal_id])
        candidate.evidence.extend(match.evidence)
        candidate.bits = match.bits
        return candidate


def screen(
    given: person_pb2.Person,
    *,
    fingerprint: bool,
    flagged: FlaggedSet,
    holders: Sequence[tuple[str, person_pb2.Person]],
    authoritative: bool,
    false_alarms: float = 0.01,
    limit: int = 5,
) -> screening_pb2.Screening:
    """The answer; its register version and time are added by the caller.

    `holders`: whom the nominal index knows by the identifiers given, flagged or not, merges followed; a
    caller that has no such index passes none. Only the register itself is `authoritative`.
    """
    known = _together(flagged.holders(given.identifiers), holders)
    identified = _identified(given, known, fingerprint=fingerprint)
    threshold = flagged.index.threshold(false_alarms)
    asked = (given, *_other_records(given, known, flagged))
    questions = [flagged.index.question(each) for each in asked]
    suspects = _suspects(questions, known, identified, flagged, threshold)
    question = questions[0]
    thin = identified is None and not question.reaches(threshold)
    doubt = _doubt(given, question, thin=thin, authoritative=authoritative)
    outcome, reason = _verdict(identified, suspects, flagged, doubt)
    told = bool(suspects) or _numbered(given) or question.named
    return screening_pb2.Screening(
        outcome=outcome,
        unknown_reason=reason,
        identity_basis=_basis(identified, told=told, fingerprint=fingerprint),
        candidates=flagged.candidates(given, suspects, limit),
        model_version=MODEL.version,
        threshold_bits=threshold,
    )


def _together(flagged: Holders, holders: Iterable[tuple[str, person_pb2.Person]]) -> Holders:
    """What the index says of somebody is not older than the flag."""
    known: dict[str, list[person_pb2.Person]] = {}
    for nominal_id, person in holders:
        known.setdefault(nominal_id, []).append(person)
    return {**flagged, **known}


def _identified(given: person_pb2.Person, known: Holders, *, fingerprint: bool) -> str | None:
    """The one person whom the identifiers mean, unless the details speak against it."""
    if len(known) != 1:
        return None
    [(nominal_id, records)] = known.items()
    # Fingerprints outrank what was said: under any name this is the person they belong to.
    return nominal_id if fingerprint or not _contradicts(given, records) else None


def _contradicts(given: person_pb2.Person, records: Iterable[person_pb2.Person]) -> bool:
    return all(matching.contradicts(given, each) for each in records)


def _suspects(
    questions: Sequence[Question],
    known: Holders,
    identified: str | None,
    flagged: FlaggedSet,
    threshold: float,
) -> list[Match]:
    question, *others = questions
    if identified in flagged:
        return [flagged.explain(question, str(identified))]
    # Exactly this name and date of birth is among them whatever the threshold.
    by_details = flagged.matches(question, limit=50, at_least=threshold)
    # Under the identifier of somebody who is not flagged only a match that nothing speaks against counts: it
    # may be a second record of the same person, or a borrowed identifier. A twin or a brother is neither.
    if identified is not None:
        by_details = _unopposed(by_details)
    # And what is recorded of that somebody may be a second record of a PPO, whatever was said.
    for other in others:
        matches = flagged.matches(other, limit=50, at_least=threshold)
        recorded = {each: _on_record(match, other, question) for each, match in _unopposed(matches).items()}
        by_details = {**recorded, **by_details}
    named = [flagged.explain(question, each) for each in known if each in flagged and each not in by_details]
    return [*by_details.values(), *named]


def _other_records(
    given: person_pb2.Person, known: Holders, flagged: FlaggedSet
) -> Iterator[person_pb2.Person]:
    """What else stands under the identifiers of those who are not flagged."""
    said = names.written(given.name), given.birth_date
    for nominal_id, records in known.items():
        for record in records if nominal_id not in flagged else ():
            each = _completed(record, given)
            if each.aliases or (names.written(each.name), each.birth_date) != said:
                yield each


def _completed(record: person_pb2.Person, given: person_pb2.Person) -> person_pb2.Person:
    """With the date and the sex that were said where none is recorded: a name alone means every namesake."""
    held, copy = read(record), person_pb2.Person()
    copy.CopyFrom(record)
    if not held.born:
        copy.birth_date.CopyFrom(given.birth_date)
    if not held.sex:
        copy.sex = given.sex
    return copy


def _on_record(match: Match, asked: Question, said: Question) -> Match:
    """Marks what was compared with a record under the identifiers, and not with what was said."""
    spoken = {
        "birth_date": asked.born == said.born,
        "sex": asked.sex == said.sex,
        "postcode": asked.postcode == said.postcode,
    }
    marked = (each if spoken.get(each.field) else _recorded(each) for each in match.evidence)
    return match._replace(evidence=list(marked))


def _recorded(part: screening_pb2.Evidence) -> screening_pb2.Evidence:
    comparison = f"on record, {part.comparison}"
    return screening_pb2.Evidence(field=part.field, comparison=comparison, bits=part.bits)


def _unopposed(matches: Mapping[str, Match]) -> dict[str, Match]:
    return {nominal_id: match for nominal_id, match in matches.items() if not _opposed(match)}


def _opposed(match: Match) -> bool:
    said = {each.field: each.comparison for each in match.evidence}
    # Paula may be Paul's twin; of two with one given name the other sex is a slip of the pen.
    if said.get("given_name", "").endswith("exact"):
        said.pop("sex", None)
    return any(comparison.endswith("differs") for comparison in said.values())


def _verdict(
    identified: str | None,
    suspects: Sequence[Match],
    flagged: FlaggedSet,
    doubt: screening_pb2.UnknownReason.ValueType,
) -> Verdict:
    if identified in flagged:
        return screening_pb2.OUTCOME_FLAGGED, screening_pb2.UNKNOWN_REASON_UNSPECIFIED
    if suspects:
        return screening_pb2.OUTCOME_POSSIBLE, screening_pb2.UNKNOWN_REASON_UNSPECIFIED
    outcome = screening_pb2.OUTCOME_UNKNOWN if doubt else screening_pb2.OUTCOME_NOT_FLAGGED
    return outcome, doubt


def _doubt(
    given: person_pb2.Person, question: Question, *, thin: bool, authoritative: bool
) -> screening_pb2.UnknownReason.ValueType:
    """Why nobody found would not mean "not a PPO"; unspecified when it does."""
    numbered = _numbered(given)
    if not numbered and not question.named:
        return screening_pb2.UNKNOWN_REASON_NO_IDENTITY
    # The register may know the number that a replica does not: there the answer is to ask it, not the person.
    if thin and (authoritative or not numbered):
        return screening_pb2.UNKNOWN_REASON_INSUFFICIENT_INPUT
    if not authoritative:
        return screening_pb2.UNKNOWN_REASON_UNREACHABLE
    return screening_pb2.UNKNOWN_REASON_UNSPECIFIED


def _basis(identified: str | None, *, told: bool, fingerprint: bool) -> screening_pb2.IdentityBasis.ValueType:
    if identified is not None:
        by_print = screening_pb2.IDENTITY_BASIS_FINGERPRINT
        return by_print if fingerprint else screening_pb2.IDENTITY_BASIS_IDENTIFIER
    if told:
        return screening_pb2.IDENTITY_BASIS_DETAILS_GIVEN
    return screening_pb2.IDENTITY_BASIS_UNSPECIFIED


def _numbered(given: person_pb2.Person) -> bool:
    return any(each.value.strip() for each in given.identifiers)


def _identifier_evidence(
    given: person_pb2.Person, nominal_id: str, held: person_pb2.Person
) -> Iterator[screening_pb2.Evidence]:
    own = (int(person_pb2.IDENTIFIER_KIND_NOMINAL_ID), nominal_id)
    keys = {own, *map(identifiers.key, held.identifiers)}
    kinds = {kind for kind, _ in keys}
    for each in given.identifiers:
        field = identifiers.kind_name(each.kind)
        if identifiers.key(each) in keys:
            yield screening_pb2.Evidence(field=field, comparison="exact", bits=IDENTIFIER_AGREES)
        elif each.kind in kinds:
            yield screening_pb2.Evidence(field=field, comparison="contradicts", bits=IDENTIFIER_CONTRADICTS)
