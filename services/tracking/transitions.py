"""What each fact changes of what is true of a person, or why it cannot be so."""

from collections.abc import Callable

from ppo.tracking.v1 import tracking_pb2 as pb
from services.prisons.reasons import Absence, Basis, ReleaseKind
from services.tracking.facts import Event, Fact
from services.tracking.state import (
    AWAY,
    COMMUNITY_ORDER,
    EXECUTED,
    IN_TRANSIT,
    LICENCE,
    ON_BAIL,
    REQUESTED,
    SENTENCED,
    Custody,
    State,
)

_LIBERTY = pb.POSITION_AT_LIBERTY_TARGETED
_AT_LARGE = "UNLAWFULLY_AT_LARGE"


class Impossible(ValueError):
    """A fact that cannot be true after those before it, and why: it changes nothing and waits for review."""


def apply(state: State, fact: Fact) -> State:
    if state.dead and fact.event != Event.REGISTERED:
        raise Impossible("it is dated after the person's death")
    return _CHANGES[fact.event](state, fact)


def doubt(state: State, fact: Fact) -> str:
    """Why somebody must look at a fact that takes effect all the same: who is told out must be shown out."""
    if fact.event != Event.RELEASE or state.custody is None:
        return f"{_words(fact)} for {fact.unknown}" if fact.unknown else ""
    if state.prison and fact.prison and state.prison != fact.prison:
        return f"released from {fact.prison} while held at {state.prison}"
    if fact.unknown.startswith("an unknown reason"):
        return f"a release for {fact.unknown}"
    return (
        f"a release of unknown kind: {fact.code or 'no code'}" if fact.release == ReleaseKind.UNKNOWN else ""
    )


# ---- police and courts


def _registered(state: State, fact: Fact) -> State:
    return State()


def _arrested(state: State, fact: Fact) -> State:
    if state.custody and state.custody.prison and not state.custody.away:
        raise Impossible(f"arrested while held at {state.prison}")
    caught = state._replace(suite=True, freed=False)
    if state.recall == EXECUTED:
        return caught._replace(custody=Custody(Basis.RECALL, ""), recall="", liberty_detail="")
    return caught


def _charged(state: State, fact: Fact) -> State:
    under_way = state.suite or state.proceedings or state.custody
    return state if under_way else state._replace(proceedings="CHARGED")


def _held_for_court(state: State, fact: Fact) -> State:
    if not state.suite:
        raise Impossible("held for court without an arrest")
    return state._replace(suite=False, proceedings="HELD_FOR_COURT")


def _bailed(state: State, fact: Fact) -> State:
    if state.suite or state.proceedings:
        return state._replace(suite=False, proceedings=ON_BAIL)
    if state.remanded:
        return _freed(state)._replace(proceedings=ON_BAIL)
    raise Impossible("bail without proceedings")


def _dropped(state: State, fact: Fact) -> State:
    # The last arrest ends by itself: bail for an earlier offence goes on.
    if state.suite:
        return state._replace(suite=False)
    if state.proceedings:
        return state._replace(proceedings="")
    if state.remanded:
        return _freed(state)
    raise Impossible("there are no proceedings to end")


def _remanded(state: State, fact: Fact) -> State:
    if not (state.custody or state.suite or state.proceedings):
        raise Impossible("remanded without proceedings")
    custody = state.custody or Custody(Basis.REMAND, "")
    return state._replace(custody=custody, suite=False, proceedings="")


def _community_sentence(state: State, fact: Fact) -> State:
    if not (state.suite or state.proceedings or state.remanded):
        raise Impossible("sentenced without proceedings")
    out = _freed(state) if state.remanded else state
    # A licence that runs outranks an order: it can be recalled.
    supervision = state.supervision or COMMUNITY_ORDER
    return out._replace(suite=False, proceedings="", supervision=supervision, liberty=_LIBERTY)


def _custodial_sentence(state: State, fact: Fact) -> State:
    if not (state.suite or state.proceedings or state.custody):
        raise Impossible("sentenced without proceedings")
    custody = state.custody or Custody(Basis.SENTENCED, "")
    basis = Basis.RECALL if custody.basis == Basis.RECALL else Basis.SENTENCED
    return state._replace(
        custody=custody._replace(basis=basis), suite=False, proceedings="", supervision="", recall=""
    )


def _breach(state: State, fact: Fact) -> State:
    if not state.supervision:
        raise Impossible("breach without an order or licence")
    return state._replace(proceedings=state.proceedings or "BREACH_PROCEEDINGS")


def _recall_requested(state: State, fact: Fact) -> State:
    if state.supervision != LICENCE:
        raise Impossible("recall without a licence")
    return state._replace(recall=REQUESTED)


def _recall_executed(state: State, fact: Fact) -> State:
    if state.custody and state.custody.basis == Basis.RECALL:
        return state
    if state.supervision != LICENCE:
        raise Impossible("recall without a licence")
    revoked = state._replace(supervision="", recall="")
    if state.custody or state.suite:
        custody = state.custody or Custody(Basis.RECALL, "")
        return revoked._replace(custody=custody._replace(basis=Basis.RECALL))
    return revoked._replace(recall=EXECUTED, liberty=_LIBERTY, liberty_detail=_AT_LARGE)


def _order_ended(state: State, fact: Fact) -> State:
    if not state.supervision:
        raise Impossible("there is no order or licence to end")
    return state._replace(supervision="", recall="", liberty=_LIBERTY)


# ---- prison


def _received(state: State, fact: Fact) -> State:
    held = state.custody
    # Where the prison says that it is from another, it is the departure that has not come.
    moved = fact.basis in (Basis.TRANSFER, Basis.STOPOVER)
    if held and held.prison and not held.away and held.prison != fact.prison and not moved:
        raise Impossible(f"received at {fact.prison} while held at {held.prison}")
    basis = _basis(state, fact.basis)
    inside = state._replace(custody=Custody(basis, fact.prison), suite=False, freed=False, liberty_detail="")
    if basis in SENTENCED:
        # A new offence is still to be dealt with when a licence is recalled.
        rest = state.proceedings if basis == Basis.RECALL else ""
        return inside._replace(proceedings=rest, supervision="", recall="")
    return inside._replace(proceedings="")


def _basis(state: State, told: Basis) -> Basis:
    """What the prison says; where it says only that the person is there or is back, what was so before."""
    if told not in (Basis.RETURN, Basis.TRANSFER, Basis.STOPOVER, Basis.NOT_KNOWN):
        return told
    if state.custody:
        return state.custody.basis
    return Basis.NOT_KNOWN if told == Basis.NOT_KNOWN else state.served or Basis.NOT_KNOWN


def _released(state: State, fact: Fact) -> State:
    if fact.release == ReleaseKind.DIED:
        return State(liberty_detail="DECEASED", dead=True)
    if state.custody is None and state.freed:
        return state._replace(freed=False)
    custody = _custody(state, fact)
    if fact.release == ReleaseKind.HOSPITAL:
        return state._replace(custody=custody._replace(away=AWAY[Absence.HOSPITAL]))
    if fact.release == ReleaseKind.NO_RELEASE:
        return state
    out = state._replace(custody=None, served=custody.basis, suite=False)
    return _OUTSIDE[fact.release](state, out)


def _unsupervised(state: State, out: State) -> State:
    # A case that is dropped leaves the person where they were before it.
    if state.custody and state.custody.basis == Basis.REMAND:
        return out._replace(proceedings="")
    return out._replace(proceedings="", supervision="", liberty=_LIBERTY)


def _custody(state: State, fact: Fact) -> Custody:
    if state.custody:
        return state.custody
    if state.served is None:
        raise Impossible(f"{_words(fact)} before any reception")
    raise Impossible(f"{_words(fact)} of somebody who is not in custody")


def _transferred_out(state: State, fact: Fact) -> State:
    custody = _custody_at(state, fact)
    return state._replace(custody=custody._replace(prison="", away=IN_TRANSIT))


def _transferred_in(state: State, fact: Fact) -> State:
    custody = _custody(state, fact)
    return state._replace(custody=custody._replace(prison=fact.prison, away=""))


def _went_away(state: State, fact: Fact) -> State:
    custody = _custody_at(state, fact)
    return state._replace(custody=custody._replace(away=AWAY[fact.absence]))


def _came_back(state: State, fact: Fact) -> State:
    # Back from the court that has ended custody, to be let out at the gate.
    if state.custody is None and state.freed:
        return state
    custody = _custody(state, fact)
    return state._replace(custody=custody._replace(prison=fact.prison or custody.prison, away=""))


def _custody_at(state: State, fact: Fact) -> Custody:
    custody = _custody(state, fact)
    if custody.prison and fact.prison and custody.prison != fact.prison:
        raise Impossible(f"{_words(fact)} from {fact.prison} while held at {custody.prison}")
    return custody


def _words(fact: Fact) -> str:
    return fact.event.lower().replace("_", " ")


def _status_changed(state: State, fact: Fact) -> State:
    custody = _custody(state, fact)
    if not fact.convicted:
        return state._replace(custody=custody._replace(basis=Basis.REMAND))
    basis = Basis.RECALL if custody.basis == Basis.RECALL else Basis.SENTENCED
    return state._replace(custody=custody._replace(basis=basis))


def _unknown(state: State, fact: Fact) -> State:
    raise Impossible(f"nobody knows what it means: {fact.unknown or 'a movement of an unknown kind'}")


def _freed(state: State) -> State:
    basis = state.custody.basis if state.custody else state.served
    return state._replace(custody=None, served=basis, freed=True)


_CHANGES: dict[Event, Callable[[State, Fact], State]] = {
    Event.REGISTERED: _registered,
    Event.ARREST: _arrested,
    Event.CHARGED: _charged,
    Event.HELD_FOR_COURT: _held_for_court,
    Event.BAILED: _bailed,
    Event.NO_FURTHER_ACTION: _dropped,
    Event.ACQUITTED: _dropped,
    Event.REMANDED: _remanded,
    Event.COMMUNITY_SENTENCE: _community_sentence,
    Event.CUSTODIAL_SENTENCE: _custodial_sentence,
    Event.BREACH_PROCEEDINGS: _breach,
    Event.RECALL_REQUESTED: _recall_requested,
    Event.RECALL_EXECUTED: _recall_executed,
    Event.ORDER_ENDED: _order_ended,
    Event.RECEPTION: _received,
    Event.RELEASE: _released,
    Event.TRANSFER_OUT: _transferred_out,
    Event.TRANSFER_IN: _transferred_in,
    Event.ABSENCE_START: _went_away,
    Event.ABSENCE_END: _came_back,
    Event.STATUS_CHANGE: _status_changed,
    Event.UNKNOWN: _unknown,
}

# What a release from custody leads to: (the state before, the same without custody) to the state after.
_OUTSIDE: dict[ReleaseKind, Callable[[State, State], State]] = {
    ReleaseKind.SUPERVISED: lambda _, out: out._replace(
        proceedings="", supervision=LICENCE, recall="", liberty=_LIBERTY
    ),
    ReleaseKind.UNSUPERVISED: _unsupervised,
    ReleaseKind.BAILED: lambda _, out: out._replace(proceedings=ON_BAIL),
    ReleaseKind.UNLAWFULLY_AT_LARGE: lambda _, out: out._replace(
        supervision="", liberty=_LIBERTY, liberty_detail=_AT_LARGE
    ),
    ReleaseKind.LEFT_COUNTRY: lambda _, out: State(liberty_detail="LEFT_COUNTRY", served=out.served),
    ReleaseKind.UNKNOWN: lambda _, out: out._replace(
        proceedings="", supervision="", liberty=pb.POSITION_OTHER_OR_NOT_KNOWN
    ),
}
