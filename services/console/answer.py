"""An answer as a person reads it: what it means, what it rests on, whom to ring, what to do next."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import orders, output

FLAGGED, POSSIBLE, UNKNOWN, NOT_FLAGGED_ON_DETAILS = 10, 11, 12, 13

# Colour is never the only sign: each has its word and its mark.
_STYLES = {
    screening.OUTCOME_FLAGGED: "bold white on red",
    screening.OUTCOME_POSSIBLE: "bold black on yellow",
    screening.OUTCOME_NOT_FLAGGED: "bold white on green",
    screening.OUTCOME_UNKNOWN: "bold white on magenta",
}
_TITLES = {
    screening.OUTCOME_FLAGGED: "!!  FLAGGED  -  this person is a PPO",
    screening.OUTCOME_POSSIBLE: "??  POSSIBLE  -  this may be a PPO: confirm who it is",
    screening.OUTCOME_NOT_FLAGGED: "OK  NOT FLAGGED  -  this person is not a PPO",
    screening.OUTCOME_UNKNOWN: "??  UNKNOWN  -  this is not a no",
}
_ON_DETAILS = "--  NOT FLAGGED on details given  -  check again after fingerprints"
_RESTS_ON = {
    screening.IDENTITY_BASIS_FINGERPRINT: "fingerprints",
    screening.IDENTITY_BASIS_IDENTIFIER: "an identifier that the police index holds",
    screening.IDENTITY_BASIS_DETAILS_GIVEN: "what was given: not proven",
}
_REASONS = {
    screening.UNKNOWN_REASON_UNREACHABLE: "the register could not be asked",
    screening.UNKNOWN_REASON_NO_IDENTITY: "neither a name nor an identifier was given",
    screening.UNKNOWN_REASON_INSUFFICIENT_INPUT: "too little was given to find anybody by",
}
_NOW = "What to do now"
_SHOWN = 5
_WIDTH = 78


def outcome(answer: custody.Answer) -> screening.Outcome.ValueType:
    """As a reader must take it: an unknown word is UNKNOWN, and only the register itself says NOT_FLAGGED."""
    said = answer.screening.outcome
    if said not in _TITLES:
        return screening.OUTCOME_UNKNOWN
    if said == screening.OUTCOME_NOT_FLAGGED and answer.basis != custody.BASIS_REGISTER:
        return screening.OUTCOME_UNKNOWN
    return said


def proven(answer: custody.Answer) -> bool:
    return answer.screening.identity_basis in (
        screening.IDENTITY_BASIS_FINGERPRINT,
        screening.IDENTITY_BASIS_IDENTIFIER,
    )


def exit_code(answer: custody.Answer) -> int:
    """0 only for NOT_FLAGGED on a fingerprint or an identifier."""
    match outcome(answer):
        case screening.OUTCOME_NOT_FLAGGED:
            return 0 if proven(answer) else NOT_FLAGGED_ON_DETAILS
        case screening.OUTCOME_FLAGGED:
            return FLAGGED
        case screening.OUTCOME_POSSIBLE:
            return POSSIBLE
    return UNKNOWN


def unreachable() -> custody.Answer:
    """What the desk must be told when nobody can be asked."""
    made = custody.Answer()
    made.screening.outcome = screening.OUTCOME_UNKNOWN
    made.screening.unknown_reason = screening.UNKNOWN_REASON_UNREACHABLE
    return made


def title(answer: custody.Answer) -> str:
    said = outcome(answer)
    if said == screening.OUTCOME_NOT_FLAGGED and not proven(answer):
        return _ON_DETAILS
    return _TITLES[said]


def word(answer: custody.Answer) -> str:
    """The outcome in a word or two, for a list."""
    said = outcome(answer)
    short = output.word(screening.Outcome, said).upper()
    return (
        f"{short} on details given" if said == screening.OUTCOME_NOT_FLAGGED and not proven(answer) else short
    )


def brief(answer: custody.Answer) -> RenderableType:
    """The answer without what to do about it; candidates where somebody must choose."""
    parts: list[RenderableType] = [_banner(answer, padding=(0, 1)), output.facts(_facts(answer))]
    if outcome(answer) == screening.OUTCOME_POSSIBLE:
        parts.append(Padding(candidates(answer.screening), (0, 0, 0, 2), expand=False))
    return Group(*parts)


def page(answer: custody.Answer) -> RenderableType:
    return Group(_answered(answer), *_asked(_NOW, steps(answer, answer.instructions)))


def record(detention: custody.Detention) -> RenderableType:
    """The latest answer, with all that the officers of a custody record were told to do."""
    answer, given = detention.answer, detention.instructions
    if detention.state == custody.DETENTION_STATE_CLOSED:
        return Group(_answered(answer), *_asked("What was asked, and of whom", list(orders.lines(given))))
    return Group(_answered(answer), *_asked(_NOW, steps(answer, given)))


def _answered(answer: custody.Answer) -> RenderableType:
    parts: list[RenderableType] = [_banner(answer, padding=(1, 3)), output.facts(_facts(answer))]
    if answer.screening.candidates:
        parts += [Text(), Padding(candidates(answer.screening), (0, 0, 0, 2), expand=False)]
    return Group(*parts)


def _asked(title: str, lines: list[tuple[str, str]]) -> Iterator[RenderableType]:
    if lines:
        yield from (Text(), Text(f"  {title}", style="bold"), output.facts(lines))


def _banner(answer: custody.Answer, padding: tuple[int, int]) -> Padding:
    style = _STYLES[outcome(answer)] if title(answer) != _ON_DETAILS else "bold black on cyan"
    return Padding(
        Panel(Text(title(answer)), style=style, padding=padding, width=_WIDTH), (0, 0, 0, 2), expand=False
    )


def _facts(answer: custody.Answer) -> Iterator[tuple[str, str]]:
    said = answer.screening
    if outcome(answer) == screening.OUTCOME_UNKNOWN:
        yield "Because", _REASONS.get(said.unknown_reason, "the answer was not one that this command knows")
    if said.identity_basis in _RESTS_ON:
        yield "Rests on", _RESTS_ON[said.identity_basis]
    if answer.basis in _SOURCES:
        yield "Asked", _SOURCES[answer.basis] + _age(answer)
    if answer.incomplete:
        yield "Careful", "the copy cannot prove that it is whole: some flags may be missing"
    if answer.HasField("last_known"):
        known = answer.last_known
        yield (
            "Last known",
            f"{output.word(screening.Outcome, known.outcome)}, said on {output.moment(known.answered_time)}",
        )
    if answer.HasField("contact"):
        yield "Ring", ", ".join(filter(None, (answer.contact.title, answer.contact.organisation)))
        yield "", answer.contact.telephone
    yield from _case(answer)


def _case(answer: custody.Answer) -> Iterator[tuple[str, str]]:
    """Whose case it is; of several people who it may be, the first one's."""
    if not answer.HasField("ownership"):
        return
    several = len(answer.screening.candidates) > 1
    yield "Owner", _owner(answer.ownership) + (" (of the first person below)" if several else "")
    if answer.ownership.interested_ocus:
        yield "Interested", ", ".join(answer.ownership.interested_ocus)
    managers = (
        ("Police", answer.police_manager, tracking.LEAD_POLICE),
        ("Probation", answer.probation_manager, tracking.LEAD_PROBATION),
    )
    for label, manager, lead in managers:
        if manager.name or manager.telephone:
            leads = "leads" if answer.lead == lead else ""
            reached = (manager.name, manager.telephone, manager.organisation, leads)
            yield label, ", ".join(filter(None, reached))


def _owner(ownership: tracking.Ownership) -> str:
    known = [ownership.owner]
    if ownership.state != tracking.OWNERSHIP_STATE_ASSIGNED:
        known.append(output.word(tracking.OwnershipState, ownership.state))
    if ownership.proposed_owner:
        known.append(f"then {ownership.proposed_owner}")
    if ownership.HasField("handover_time"):
        known.append(f"from {output.moment(ownership.handover_time)}")
    if ownership.rule:
        known.append(f"by {ownership.rule}")
    return ", ".join(filter(None, known))


_SOURCES = {
    custody.BASIS_REGISTER: "the register itself, as it stands now",
    custody.BASIS_REPLICA: "this suite's copy of the register",
}


def _age(answer: custody.Answer) -> str:
    if answer.basis != custody.BASIS_REPLICA:
        return f" (version {answer.screening.register_version})"
    if not answer.screening.HasField("register_time"):
        return ", of unknown age"
    return f", {output.age(answer.screening.register_time)} old"


def candidates(said: screening.Screening) -> Table:
    made = output.table("On the register", "Born", "Identifiers", "OCU", "Bits", "Why")
    for one in said.candidates[:_SHOWN]:
        why = output.evidence(one.evidence)
        name, born = _known_as(one.person), output.day(one.person.birth_date)
        numbers = output.identifiers(one.person) or one.nominal_id
        made.add_row(name, born, numbers, one.nominating_ocu, f"{one.bits:.1f}", why)
    return made


def _known_as(person: pb.Person) -> str:
    """With the aliases, for a match may be of one of them."""
    others = [f"also {output.full_name(alias)}" for alias in person.aliases[:_SHOWN]]
    more = len(person.aliases) - len(others)
    return "\n".join([output.full_name(person.name), *others, *([f"and {more} more"] if more else [])])


def steps(answer: custody.Answer, given: custody.Instructions) -> list[tuple[str, str]]:
    """What the services ask for, by rule; where they could not be asked, what holds without them."""
    told = list(orders.lines(given)) or [("", step) for step in _UNREACHABLE_STEPS]
    hint = _HINTS.get(outcome(answer), "")
    return [*told, ("", hint)] if hint and not proven(answer) else told


_UNREACHABLE_STEPS = [
    "Do not read this as a no.",
    "Ring the contact above, or the force control room where none is shown.",
    "Whoever is booked in is checked again by itself as soon as the register answers.",
]
_HINTS = {
    screening.OUTCOME_POSSIBLE: "Record what you find: ppo custody confirm --help",
    screening.OUTCOME_NOT_FLAGGED: "After fingerprints: ppo check --pnc ... --fingerprint",
    screening.OUTCOME_UNKNOWN: "With fingerprints: ppo check --pnc ... --fingerprint",
}
