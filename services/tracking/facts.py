"""What happened to a person, from whatever source, in the one form that the journey is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

from ppo.custody.v1 import custody_pb2, events_pb2
from ppo.tracking.v1 import movement_pb2, tracking_pb2
from services.prisons import reasons
from services.prisons.reasons import Absence, Basis, ReleaseKind
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


RANK = {event: rank for rank, event in enumerate(Event)}
DISPOSALS = {
    custody_pb2.DISPOSAL_CHARGED_AND_BAILED: Event.BAILED,
    custody_pb2.DISPOSAL_BAILED: Event.BAILED,
    custody_pb2.DISPOSAL_CHARGED_AND_HELD_FOR_COURT: Event.HELD_FOR_COURT,
    custody_pb2.DISPOSAL_NO_FURTHER_ACTION: Event.NO_FURTHER_ACTION,
    custody_pb2.DISPOSAL_CAUTIONED: Event.NO_FURTHER_ACTION,
}


@dataclass(frozen=True)
class Fact:
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
    convicted: bool = False


def moved(movement: movement_pb2.Movement, recorded: datetime, reference: Reference) -> Fact | None:
    """What a movement says of the journey; a merge of numbers says nothing."""
    if movement.kind == movement_pb2.MOVEMENT_KIND_MERGE:
        return None
    occurred, code = movement.occurred_time.ToDatetime(UTC), movement.reason_code
    return Fact(
        id=movement.movement_id,
        event=Event(movement_pb2.MovementKind.Name(movement.kind).removeprefix("MOVEMENT_KIND_")),
        occurred=occurred,
        recorded=recorded,
        prison_number=movement.prison_number,
        prison=movement.prison_id,
        code=code,
        basis=reasons.basis(reference, code, occurred),
        release=reasons.release_kind(reference, code, occurred),
        absence=reasons.absence(reference, code, occurred),
        convicted=movement.convicted,
    )


def staged(stage_id: str, kind: StageKind, occurred: datetime, recorded: datetime) -> Fact:
    event = Event(tracking_pb2.StageKind.Name(kind).removeprefix("STAGE_KIND_"))
    return Fact(stage_id, event, occurred, recorded)


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
    return [
        fact
        for fact in facts
        if (as_of is None or fact.occurred <= as_of)
        and (known_at is None or fact.recorded <= known_at)
        and (fact.withdrawn is None or (known_at is not None and known_at < fact.withdrawn))
    ]


def ordered(facts: Iterable[Fact]) -> list[Fact]:
    """As they happened, each once; in whatever order they came, the same order."""
    once: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda fact: (fact.recorded, fact.occurred, fact.event)):
        once.setdefault(fact.id, fact)
    return sorted(once.values(), key=lambda fact: (fact.occurred, RANK[fact.event], fact.id))
