"""What happened to a person, from whatever source, in the one form that the journey is made of."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from ppo.custody.v1 import custody_pb2, events_pb2
from ppo.tracking.v1 import movement_pb2, tracking_pb2
from services.prisons import reasons
from services.prisons.reasons import Absence, Basis, ReleaseKind, Transfer
from services.runtime.reference import Reference

StageKind: TypeAlias = tracking_pb2.StageKind.ValueType


class Event(StrEnum):
    """In the order in which those of one instant are taken: what ends something before what follows it."""

    # A further registration: what came before it is not evidence any more. The first one needs no fact.
    REGISTERED = "REGISTERED"
    ARREST = "ARREST"
    CHARGED = "CHARGED"
    BREACH_PROCEEDINGS = "BREACH_PROCEEDINGS"
    RECALL_REQUESTED = "RECALL_REQUESTED"
    RECALL_EXECUTED = "RECALL_EXECUTED"
    HELD_FOR_COURT = "HELD_FOR_COURT"
    BAILED = "BAILED"
    NO_FURTHER_ACTION = "NO_FURTHER_ACTION"
    ACQUITTED = "ACQUITTED"
    REMANDED = "REMANDED"
    COMMUNITY_SENTENCE = "COMMUNITY_SENTENCE"
    CUSTODIAL_SENTENCE = "CUSTODIAL_SENTENCE"
    ORDER_ENDED = "ORDER_ENDED"
    ABSENCE_END = "ABSENCE_END"
    TRANSFER_OUT = "TRANSFER_OUT"
    RELEASE = "RELEASE"
    TRANSFER_IN = "TRANSFER_IN"
    RECEPTION = "RECEPTION"
    STATUS_CHANGE = "STATUS_CHANGE"
    ABSENCE_START = "ABSENCE_START"
    UNKNOWN = "UNKNOWN"


RANK = {event: rank for rank, event in enumerate(Event)}
DISPOSALS = {
    custody_pb2.DISPOSAL_CHARGED_AND_BAILED: Event.BAILED,
    custody_pb2.DISPOSAL_BAILED: Event.BAILED,
    custody_pb2.DISPOSAL_CHARGED_AND_HELD_FOR_COURT: Event.HELD_FOR_COURT,
    custody_pb2.DISPOSAL_NO_FURTHER_ACTION: Event.NO_FURTHER_ACTION,
    custody_pb2.DISPOSAL_CAUTIONED: Event.NO_FURTHER_ACTION,
}


class Fact(NamedTuple):
    # The same fact again has the same id.
    id: str
    event: Event
    occurred: datetime
    recorded: datetime
    # When it was found to be wrong.
    withdrawn: datetime | None = None
    prison_number: str = ""
    prison: str = ""
    code: str = ""
    basis: Basis = Basis.NOT_KNOWN
    release: ReleaseKind = ReleaseKind.UNKNOWN
    absence: Absence = Absence.TEMPORARY
    transfer: Transfer = Transfer.UNKNOWN
    # The prison that a transfer is bound for, where somebody has said so.
    bound: str = ""
    convicted: bool = False
    # What of it nobody here knows the meaning of, in words.
    unknown: str = ""
    # What it takes the place of.
    corrects: str = ""
    # The first to be known of those that tell it, where it is told twice.
    told_first: str = ""

    @property
    def cause(self) -> str:
        """What is told of it is known by."""
        return self.told_first or self.id


# What says nothing of the journey by itself.
SILENT = (movement_pb2.MOVEMENT_KIND_MERGE, movement_pb2.MOVEMENT_KIND_REVERSAL)
# By what a movement is, the table that its code stands in.
CODES = {
    Event.RECEPTION: "admission_reasons",
    Event.RELEASE: "release_reasons",
    Event.ABSENCE_START: "absence_reasons",
    Event.TRANSFER_OUT: "transfer_reasons",
}


def moved(
    movement: movement_pb2.Movement,
    recorded: datetime,
    reference: Reference,
    withdrawn: datetime | None = None,
) -> Fact | None:
    """None for a merge of numbers and for a reversal, and for a kind that only newer code knows."""
    event = _EVENTS.get(movement.kind)
    if event is None:
        return None
    occurred, code = movement.occurred_time.ToDatetime(UTC), movement.reason_code
    return Fact(
        id=movement.movement_id,
        event=event,
        occurred=occurred,
        recorded=recorded,
        withdrawn=withdrawn,
        prison_number=movement.prison_number,
        prison=movement.prison_id,
        code=code,
        basis=reasons.basis(reference, code, occurred),
        release=reasons.release_kind(reference, code, occurred),
        absence=reasons.absence(reference, code, occurred),
        transfer=reasons.transfer(reference, code, occurred),
        bound=movement.destination_prison_id,
        corrects=movement.corrects_movement_id,
        convicted=movement.convicted,
        unknown=_unknown(movement, event, reference),
    )


def _unknown(movement: movement_pb2.Movement, event: Event, reference: Reference) -> str:
    if movement.unknown_reason:
        return f"an unknown reason: {movement.unknown_reason}"
    table, code = CODES.get(event), movement.reason_code
    at = movement.occurred_time.ToDatetime(UTC)
    if table is None or not code or reference.row(table, code, at=at) is not None:
        return ""
    return f"an unknown code: {code}"


_EVENTS = {
    kind: Event(name.removeprefix("MOVEMENT_KIND_"))
    for name, kind in movement_pb2.MovementKind.items()
    if kind not in (movement_pb2.MOVEMENT_KIND_UNSPECIFIED, *SILENT)
}


def staged(
    stage_id: str,
    kind: StageKind,
    occurred: datetime,
    recorded: datetime,
    withdrawn: datetime | None = None,
) -> Fact:
    event = Event(tracking_pb2.StageKind.Name(kind).removeprefix("STAGE_KIND_"))
    return Fact(stage_id, event, occurred, recorded, withdrawn)


def arrested(arrest: events_pb2.PpoArrested, withdrawn: datetime | None = None) -> Fact:
    occurred, recorded = arrest.arrested_time.ToDatetime(UTC), arrest.recorded_time.ToDatetime(UTC)
    return Fact(f"{arrest.detention_id}/arrest", Event.ARREST, occurred, recorded, withdrawn)


def disposed(disposal: events_pb2.PpoDisposed, withdrawn: datetime | None = None) -> Fact | None:
    """None for a disposal that only newer code knows."""
    event = DISPOSALS.get(disposal.disposal)
    if event is None:
        return None
    occurred, recorded = disposal.disposed_time.ToDatetime(UTC), disposal.recorded_time.ToDatetime(UTC)
    return Fact(f"{disposal.detention_id}/disposal", event, occurred, recorded, withdrawn)


def known(
    facts: Iterable[Fact], *, as_of: datetime | None = None, known_at: datetime | None = None
) -> list[Fact]:
    """Those that had happened by the one instant, as was known at the other; with none, all that stand."""
    heard = [
        fact
        for fact in facts
        if (as_of is None or fact.occurred <= as_of) and (known_at is None or fact.recorded <= known_at)
    ]
    wrong = [
        fact
        for fact in heard
        if fact.withdrawn is not None and (known_at is None or fact.withdrawn <= known_at)
    ]
    return _without(heard, wrong) if wrong else heard


def _without(heard: Iterable[Fact], wrong: Sequence[Fact]) -> list[Fact]:
    """With what was wrong goes what only tells it again."""
    gone = {fact.id for fact in wrong}
    standing = [fact for fact in heard if fact.id not in gone]
    coded = [fact for fact in wrong if fact.code and fact.event in _CODED]
    return [
        fact
        for fact in standing
        if not _tells_any(fact, coded) or _tells_any(fact, [one for one in standing if one.code])
    ]


def _tells_any(fact: Fact, coded: Sequence[Fact]) -> bool:
    """Whether it is one of these without its code."""
    if fact.code or fact.corrects:
        return False
    return any(_same(*sorted((fact, one), key=lambda told: told.occurred)) for one in coded)


def ordered(facts: Iterable[Fact]) -> list[Fact]:
    """As they happened, each once; in whatever order they came, the same order."""
    once: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda fact: (fact.recorded, fact.occurred, fact.event)):
        once.setdefault(fact.id, fact)
    return sorted(once.values(), key=lambda fact: (fact.occurred, RANK[fact.event], fact.id))


# Prison systems tell most movements twice: as entered, and without a code when their search has noticed.
NOTICED_WITHIN = timedelta(hours=1)
_CODED = (*CODES, Event.TRANSFER_IN, Event.ABSENCE_END)


def told_twice(history: Sequence[Fact]) -> tuple[dict[str, Fact], frozenset[str]]:
    """Of facts in their order: what is better known of some, by id, and the ids that only tell them again."""
    better: dict[str, Fact] = {}
    again: set[str] = set()
    last: Fact | None = None
    for fact in (one for one in history if one.event in _CODED):
        if last is not None and _same(last, fact):
            again.add(fact.id)
            last = better[last.id] = _together(last, fact)
        else:
            last = fact
    return better, frozenset(again)


def _same(one: Fact, other: Fact) -> bool:
    alike = (one.event, one.prison_number) == (other.event, other.prison_number)
    prisons = {prison for prison in (one.prison, other.prison) if prison}
    if not alike or len(prisons) > 1:
        return False
    if one.occurred == other.occurred:
        return one.code == other.code or not (one.code and other.code)
    # One with a code of its own is another movement.
    return other.occurred - one.occurred <= NOTICED_WITHIN and bool(one.code) != bool(other.code)


def _together(fact: Fact, other: Fact) -> Fact:
    first = min(fact, other, key=lambda one: one.recorded)
    known = fact._replace(told_first=first.cause)
    if fact.code or not other.code:
        return known
    return known._replace(
        code=other.code,
        prison=fact.prison or other.prison,
        basis=other.basis,
        release=other.release,
        absence=other.absence,
        transfer=other.transfer,
        unknown=other.unknown,
    )
