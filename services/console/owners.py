"""`ppo owner explain`: whose case a PPO is, why, what would change it, and how that came about."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, drawing, output, session, supposing, timeline
from services.console.cases import MANAGER
from services.console.stop import Stop
from services.runtime.reference import LONDON

# The ownership table of the domain, as a colleague would quote it.
RULES = {
    "O1": "it is disputed, and until the forum decides it stays where it was",
    "O2": "the forum has decided so; that stands until it expires or something material changes",
    "O3": "in prison nothing moves: wherever the prison stands, the case stays where it was",
    "O4": "whoever has the case keeps it until the release; the OCU of the new address takes over then",
    "O5": "lives and offends in one and the same OCU",
    "O6": "lives in one OCU and offends in another: where somebody lives decides",
    "O7": "a hostel, a hospital or a bail address is temporary, and moves no case",
    "O8": "without a home the case stays where it was, or else goes where most offences are",
    "O9": "lives outside: the scheme there has the case once it has registered the person",
    "O10": "has moved: who had the case keeps it until the hand-over; the new OCU may dispute, not refuse",
    "O11": "under 18 it is the youth offending team's",
    "O12": "not on the register, so there is no case that anybody could own",
}


def explain(
    person: details.Whom,
    at: Annotated[str, typer.Option(help="Whose it was, or will be, such as 2004-12-01T00:00.")] = "",
    known_at: Annotated[str, typer.Option(help="As it was decided and told until this time.")] = "",
    what_if: Annotated[
        list[str] | None, typer.Option("--what-if", help=f"As if this were so: {supposing.FORMS}")
    ] = None,
    history: Annotated[bool, typer.Option("--timeline", help="Draw how it came about.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write the same picture to this file.")] = None,
    ocu: details.Ocu = details.OCU,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says whose case a PPO is, by which rule and from which facts, and what would change it.

    ```
    ppo owner explain 79/163001B
    ppo owner explain 79/163001B --at 2004-12-01T00:00 --known-at 2004-12-31T18:00
    ppo owner explain 79/163001B --what-if "home D3" --what-if "arrest F2 @ 2005-01-10"
    ppo owner explain 79/163001B --timeline --svg owners.svg
    ```

    What is supposed is stored nowhere.
    """
    request = tracking.ExplainOwnershipRequest(
        identifier=details.identifier(person),
        purpose=policy.PURPOSE_OFFENDER_MANAGEMENT,
        suppositions=[supposing.supposition(text) for text in what_if or ()],
    )
    if at:
        request.as_of_time.CopyFrom(details.instant(at, "--at"))
    if known_at:
        request.known_at_time.CopyFrom(details.instant(known_at, "--known-at"))
    told = asyncio.run(explained(session.Session(data, MANAGER, ocu), request))
    if svg:
        _write(svg, told, person)
    if json:
        output.emit(told)
        return 0
    for text in account(told, supposed=bool(what_if)):
        output.show(text)
    if history:
        _draw(told)
    return 0


async def explained(
    manager: session.Session, request: tracking.ExplainOwnershipRequest
) -> tracking.ExplainOwnershipResponse:
    async with manager.tracking() as service:
        return await service.ExplainOwnership(request, timeout=session.CALL_SECONDS)


# ---- the picture


def _write(file: Path, told: tracking.ExplainOwnershipResponse, person: str) -> None:
    picture = timeline.picture(told)
    if picture is None:
        raise Stop("there never was a case, so there is nothing to draw")
    try:
        file.write_text(drawing.svg(picture, f"Whose case: {person}"), encoding="utf-8")
    except OSError as error:
        raise Stop(f"--svg {str(file)!r}: {error.strerror}") from None
    output.say(f"written to {file}")


def _draw(told: tracking.ExplainOwnershipResponse) -> None:
    picture = timeline.picture(told)
    output.show()
    for text in timeline.lines(picture, output.width()) if picture else ("There never was a case.",):
        output.show(text)


# ---- in words


def account(told: tracking.ExplainOwnershipResponse, *, supposed: bool = False) -> Iterator[str]:
    """All of it, as a colleague would say it."""
    now, at = told.now_time.ToDatetime(UTC), told.as_of_time.ToDatetime(UTC)
    if supposed:
        yield "If that were so:"
    if abs(at - now) > timedelta(seconds=1):
        yield f"At {output.moment(told.as_of_time)}:"
    yield from sentences(told.ownership)
    if told.prospects:
        yield "What would change it:"
    before = told.ownership
    for one in told.prospects:
        if one.HasField("time"):
            yield f"  {_by_time(one, before)}"
            before = one.ownership
        else:
            yield f"  With {one.condition}, {_outcome(one.ownership, told.ownership)}."
    if told.corrections:
        yield "What was found out later:"
    for correction in told.corrections:
        yield f"  {_correction(correction)}"


def sentences(ownership: tracking.Ownership) -> Iterator[str]:
    yield _owner(ownership)
    for fact in ownership.facts:
        yield f"  {fact}"
    if ownership.proposed_owner:
        yield f"  It is to go to {ownership.proposed_owner}{_handover(ownership)}."
    if ownership.interested_ocus:
        named = _listed(ownership.interested_ocus)
        have, are = ("has", "is") if len(ownership.interested_ocus) == 1 else ("have", "are")
        yield f"  {named} {have} an interest, and {are} told as well."
    yield f"  Rule {ownership.rule}: {RULES.get(ownership.rule, 'one that this command does not know')}."


def _owner(ownership: tracking.Ownership) -> str:
    if not ownership.owner:
        return "This is nobody's case."
    since = (
        f"; they have had it since {_when(ownership.effective_time)}"
        if ownership.HasField("effective_time")
        else ""
    )
    return f"This is {ownership.owner}'s case{_STATES.get(ownership.state, '')}{since}."


def _handover(ownership: tracking.Ownership) -> str:
    if ownership.HasField("handover_time"):
        return f" on {_when(ownership.handover_time)}"
    return "; when is not agreed yet"


def _when(time: Timestamp) -> str:
    local = time.ToDatetime(UTC).astimezone(LONDON)
    return f"{local:%-d %B %Y}" if local.hour == local.minute == 0 else f"{local:%-d %B %Y, %H:%M}"


def _by_time(one: tracking.Prospect, before: tracking.Ownership) -> str:
    """What will be so for certain, unless something else happens."""
    day = one.time.ToDatetime(UTC).astimezone(LONDON)
    outcome = _outcome(one.ownership, before).replace("would", "will")
    return f"On {day:%-d %B %Y}, if nothing else happens, {outcome}."


def _outcome(then: tracking.Ownership, now: tracking.Ownership) -> str:
    if not then.owner:
        return f"it would be nobody's case ({then.rule})"
    if then.owner != now.owner:
        proposed = f", and {then.proposed_owner} would be to take it over" if then.proposed_owner else ""
        return f"it would be {then.owner}'s{_STATES.get(then.state, '')}{proposed} ({then.rule})"
    if then.proposed_owner and then.proposed_owner != now.proposed_owner:
        return f"{then.proposed_owner} would be to take it over from {then.owner} ({then.rule})"
    if then.state != now.state:
        settled = ", without a hand-over" if now.proposed_owner else " for good"
        return f"it would stay {then.owner}'s{_STATES.get(then.state, settled)} ({then.rule})"
    return _interests(then, now)


def _interests(then: tracking.Ownership, now: tracking.Ownership) -> str:
    gone = [ocu for ocu in now.interested_ocus if ocu not in then.interested_ocus]
    come = [ocu for ocu in then.interested_ocus if ocu not in now.interested_ocus]
    if gone:
        return f"{_listed(gone)} would have no interest in it any more"
    return f"{_listed(come)} would have an interest in it" if come else f"rule {then.rule} would decide"


def _correction(one: tracking.OwnershipCorrection) -> str:
    until = f" until {_when(one.end_time)}" if one.HasField("end_time") else " on"
    was = f"{one.owner_before}'s" if one.owner_before else "nobody's"
    is_now = f"{one.owner}'s ({one.rule})" if one.owner else "nobody's"
    return f"On {_when(one.recorded_time)}: from {_when(one.start_time)}{until} it was {is_now}, not {was}."


def _listed(ocus: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(ocus[:-1]), *ocus[-1:])))


_STATES = {
    tracking.OWNERSHIP_STATE_PROPOSED: " until the hand-over",
    tracking.OWNERSHIP_STATE_DISPUTED: " until the forum decides",
    tracking.OWNERSHIP_STATE_INTERIM: " for the time being",
}
