"""`ppo prison`: who of a prison's people is a PPO, and whose a prison number is."""

import asyncio
import json as json_text
from collections import Counter
from typing import Annotated

import typer
from rich.console import Group
from rich.padding import Padding
from rich.table import Table

from ppo.flagging.v1 import roll_pb2 as roll
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, imports, notices, output, rolls, session
from services.console.nominals import FORCE
from services.console.rolls import Outcome, Told
from services.console.stop import Stop

Prison = Annotated[str, typer.Option(envvar="PPO_PRISON", help="The prison that you work for.")]
Number = Annotated[str, typer.Argument(metavar="PRISON-NUMBER", help="Such as A1234BC.")]

PRISON = "BMI"
_WORDS = {
    screening.OUTCOME_FLAGGED: "!! PPO",
    screening.OUTCOME_POSSIBLE: "?? possible",
    screening.OUTCOME_NOT_FLAGGED: "no",
}
_STYLES = {screening.OUTCOME_FLAGGED: "bold red", screening.OUTCOME_POSSIBLE: "bold yellow"}
# Whatever this command does not know is no "no".
_UNKNOWN, _UNKNOWN_STYLE = "?? UNKNOWN", "bold magenta"


def show_roll(
    file: imports.File,
    everybody: Annotated[bool, typer.Option("--all", help="Show those too who are no PPOs.")] = False,
    prison: Prison = PRISON,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says who on a prison's roll is a PPO, whose case it is and whom to ring; safe to repeat.

    A prison number that is surely somebody's whom the police know is theirs from then on; one that may be a
    PPO's waits for the keeper of the register. A PPO's date of release goes to those who prepare it. Of
    anybody else nothing is kept.

    A file whose name ends in .csv has a header; any other has one JSON object a line with the same names.

    ```
    ppo prison roll roll.csv --prison BMI
    prison_number,given_name,family_name,birth_date,pnc_id,reception_date,planned_release_date
    A1234BC,Shane,Kelly,1979-03-04,79/163001B,2004-11-01,2005-02-14
    ```

    Exit code 0 when every line was answered, 3 when some were refused, 1 when nobody could say whose cases
    they are.
    """
    outcome = imports.run(rolls.send(file, _unit(prison, data)))
    if json:
        _emit(outcome)
    else:
        output.show(_table(outcome.told, everybody=everybody))
        output.show(_sum(outcome))
        for refused in outcome.refused:
            output.show(f"  line {refused.line}: {refused.field}: {refused.rule}")
    if outcome.outage:
        raise Stop(f"{outcome.outage}; send the roll again for owners, contacts and dates of release")
    return imports.SOME_REFUSED if outcome.refused else 0


def _emit(outcome: Outcome) -> None:
    for told in outcome.told:
        document = {"line": told.prisoner.line, "answer": output.as_json(told.answer)}
        if told.contact is not None:
            document["contact"] = output.as_json(told.contact)
        if told.release:
            document |= {"release_date": str(told.prisoner.release), "release": told.release}
        output.line(json_text.dumps(document, ensure_ascii=False))
    for refused in outcome.refused:
        refusal = {"field": refused.field, "rule": refused.rule}
        output.line(json_text.dumps({"line": refused.line, "refusal": refusal}))


def _table(told: list[Told], *, everybody: bool) -> Table:
    made = output.table("Prisoner", "Number", "PPO?", "Strand", "Owner", "Whom to ring", "Release date")
    for one in told:
        outcome = one.answer.outcome
        if not everybody and outcome == screening.OUTCOME_NOT_FLAGGED:
            continue
        made.add_row(
            output.full_name(one.prisoner.name),
            one.answer.prison_number,
            _WORDS.get(outcome, _UNKNOWN),
            output.word(screening.Strand, one.answer.strand),
            _owner(one),
            _rung(one),
            f"{one.prisoner.release} {one.release}" if one.release else "",
            style=_STYLES.get(outcome, "" if outcome in _WORDS else _UNKNOWN_STYLE),
        )
    return made


def _unit(prison: str, data: session.Data) -> session.Session:
    if notices.roles().get(prison) != rolls.ROLE:
        raise Stop(f"--prison {prison!r} is no prison of the reference data", 2)
    return session.Session(data, rolls.ROLE, prison)


def _owner(one: Told) -> str:
    if not one.flagged or one.contact is None:
        return ""
    if not one.contact.owner:
        return f"not decided yet; nominated by {one.answer.nominating_ocu}"
    interim = one.contact.state == tracking.OWNERSHIP_STATE_INTERIM
    return f"{one.contact.owner}, for the time being" if interim else one.contact.owner


def _rung(one: Told) -> str:
    if one.contact is not None:
        duty = one.contact.duty_contact
        return f"{duty.title}, {duty.telephone}"
    if one.answer.outcome == screening.OUTCOME_POSSIBLE:
        return "the keeper of the register is asked"
    if one.answer.outcome == screening.OUTCOME_NOT_FLAGGED:
        return ""
    return "nobody yet" if one.flagged else "too little is known of the person to say"


def _sum(outcome: Outcome) -> str:
    counted = Counter(_WORDS.get(one.answer.outcome, _UNKNOWN) for one in outcome.told)
    words = (*_WORDS.values(), _UNKNOWN)
    ppo, possible, no, unknown = (f"{counted[word]:,}" for word in words)
    lines = f"{len(outcome.told) + len(outcome.refused):,}"
    numbers = Counter(one.answer.link for one in outcome.told)
    dates = Counter(one.release for one in outcome.told)
    return (
        f"{lines} lines: {ppo} {'PPO' if ppo == '1' else 'PPOs'}, {possible} possible, {no} no PPOs, "
        f"{unknown} unknown, "
        f"{len(outcome.refused):,} refused\n"
        f"{numbers[roll.NUMBER_LINK_LINKED]:,} PPOs' prison numbers new to the register; "
        f"{dates[rolls.RECORDED]:,} release dates handed over, {dates[rolls.UNCHANGED]:,} known already"
        f"{_version(outcome)}"
    )


def _version(outcome: Outcome) -> str:
    answers = [one.answer for one in outcome.told]
    if not answers:
        return ""
    latest = max(answers, key=lambda one: one.register_version)
    return f"\nThe register as of its version {latest.register_version:,}"


# ---- the keeper of the register


def show_matches(json: output.AsJson = False, data: session.Data = session.DATA) -> int:
    """Shows the prisoners who may be PPOs, as a roll could not say surely; the longest waiting first.

    ```
    ppo prison matches
    ```

    Exit code 0, also when nobody waits.
    """
    found = asyncio.run(_matches(session.Session(data, "register_keeper", FORCE)))
    if json:
        for one in found:
            output.emit(one)
    elif not found:
        output.say("nobody waits")
    else:
        output.show(Group(*(_match(one) for one in found)))
    return 0


async def _matches(keeper: session.Session) -> list[roll.PrisonMatch]:
    request = roll.ListPrisonMatchesRequest(purpose=policy.PURPOSE_REGISTER)
    async with keeper.flagging() as service:
        asked = service.ListPrisonMatches(request, timeout=session.CALL_SECONDS)
        return [one.match async for one in asked]


def _match(match: roll.PrisonMatch) -> Padding:
    made = output.table("", "Name", "Born", "Identifiers", "Nominal id", "Bits", "Evidence")
    made.add_row("prisoner", *_person(match.person), "", "", f"asked {output.moment(match.asked_time)}")
    for one in match.candidates:
        evidence = output.evidence(one.evidence)
        made.add_row("may be", *_person(one.person), one.nominal_id, f"{one.bits:.1f}", evidence)
    return Padding(made, (0, 0, 1, 0))


def _person(person: pb.Person) -> tuple[str, str, str]:
    return output.full_name(person.name), output.day(person.birth_date), output.identifiers(person)


def resolve(
    number: Number,
    nominal: Annotated[str, typer.Option(help="Whose it is: a nominal id.")] = "",
    nobody: Annotated[bool, typer.Option("--nobody", help="None of the candidates has it.")] = False,
    reason: Annotated[str, typer.Option(help="By what you know; it is kept.")] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says whose a prison number is, or that none of the candidates has it.

    ```
    ppo prison resolve A1234BC --nominal e9ab78e1-0aeb-40b7-be35-3d21488eb20b --reason "photograph compared"
    ppo prison resolve A1234BC --nobody --reason "another date of birth on the warrant"
    ```
    """
    if bool(nominal) == nobody:
        raise Stop("give --nominal or --nobody, one of the two", 2)
    whom = details.identifier(nominal) if nominal else pb.Identifier()
    request = roll.ResolvePrisonMatchRequest(
        request_id=session.request_id(request_id),
        prison_number=number,
        nominal_id=whom.value,
        reason=reason,
    )
    response = asyncio.run(_resolve(session.Session(data, "register_keeper", FORCE), request))
    if json:
        output.emit(response)
    else:
        output.show(_SAID[response.link])
    return 0


_SAID = {
    roll.NUMBER_LINK_HELD: "That was known.",
    roll.NUMBER_LINK_LINKED: "The number is this person's: what was kept of its movements is theirs too.",
    roll.NUMBER_LINK_RULED_OUT: "None of the candidates: later rolls do not ask about them again.",
}


async def _resolve(
    keeper: session.Session, request: roll.ResolvePrisonMatchRequest
) -> roll.ResolvePrisonMatchResponse:
    async with keeper.flagging() as service:
        return await service.ResolvePrisonMatch(request, timeout=session.CALL_SECONDS)


def withdraw(
    number: Number,
    nominal: Annotated[str, typer.Option(help="Whose it is not: a nominal id.")],
    reason: Annotated[str, typer.Option(help="By what you know; it is kept.")] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Takes back a prison number that was given to the wrong person, with the movements that came by it.

    Who was told something because of them is told that it was wrong. Whose the number is says
    `ppo prison resolve`.

    ```
    ppo prison withdraw A1234BC --nominal e9ab78e1-0aeb-40b7-be35-3d21488eb20b --reason "another man's"
    ```
    """
    request = roll.WithdrawPrisonNumberRequest(
        request_id=session.request_id(request_id),
        prison_number=number,
        nominal_id=details.identifier(nominal).value,
        reason=reason,
    )
    response = asyncio.run(_withdraw(session.Session(data, "register_keeper", FORCE), request))
    if json:
        output.emit(response)
    else:
        output.show("The number is not this person's any more: what came by it is taken back.")
    return 0


async def _withdraw(
    keeper: session.Session, request: roll.WithdrawPrisonNumberRequest
) -> roll.WithdrawPrisonNumberResponse:
    async with keeper.flagging() as service:
        return await service.WithdrawPrisonNumber(request, timeout=session.CALL_SECONDS)
