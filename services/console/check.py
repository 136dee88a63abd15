"""`ppo check`: is this person a PPO?"""

import asyncio
from typing import Annotated

import typer

from ppo.custody.v1 import custody_pb2 as custody
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, details, output, session
from services.console.stop import Unreachable

Purpose = Annotated[
    str, typer.Option(help=f"Why you ask, kept with the answer: {details.words(policy.Purpose)}.")
]


def check(
    given: details.Given = "",
    family: details.Family = "",
    born: details.Born = "",
    postcode: details.Postcode = "",
    pnc: details.Pnc = "",
    cro: details.Cro = "",
    prison: details.Prison = "",
    fingerprint: details.Fingerprint = False,
    offence: details.Offence = None,
    suite: details.Suite = details.SUITE,
    purpose: Purpose = "arrest",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Is this person a PPO? Give what you know; nothing is booked in.

    ```
    ppo check --pnc 79/163001B
    ppo check --family Kelly --given Shane --born 1979-03-04
    ppo check --pnc 79/163001B --offence burglary
    ppo check --pnc 79/163001B --fingerprint --suite D3 --json
    ```

    | exit code | meaning |
    |---|---|
    | 0 | NOT FLAGGED, on a fingerprint or an identifier |
    | 10 | FLAGGED |
    | 11 | POSSIBLE |
    | 12 | UNKNOWN, also when nothing can be reached |
    | 13 | NOT FLAGGED, on details given |
    | 2 | the input was refused |
    | 1 | anything else |
    """
    whom = details.typed(
        given=given, family=family, born=born, postcode=postcode, pnc=pnc, cro=cro, prison=prison
    )
    request = custody.CheckPersonRequest(
        person=whom,
        fingerprint=fingerprint,
        suite_id=suite,
        purpose=details.value(policy.Purpose, purpose, "--purpose"),
        offence_codes=details.offences(",".join(offence or ())),
    )
    said = asyncio.run(ask(request, session.Session(data, "custody_officer", suite)))
    if json:
        output.emit(custody.CheckPersonResponse(answer=said))
    else:
        output.show(answer.page(said))
    return answer.exit_code(said)


async def ask(request: custody.CheckPersonRequest, place: session.Session) -> custody.Answer:
    """UNKNOWN where nobody can be asked: an outage is an answer here, never an error."""
    try:
        async with place.custody() as service:
            return (await service.CheckPerson(request, timeout=session.CALL_SECONDS)).answer
    except Unreachable as outage:
        output.say(str(outage))
        return answer.unreachable()
