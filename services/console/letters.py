"""`ppo letters`: records that tracking could not take, retried or discarded with a reason."""

import asyncio
from typing import Annotated

import typer

from ppo.tracking.v1 import tracking_pb2 as pb
from services.console import output, session
from services.console.stop import Stop

LetterId = Annotated[str, typer.Argument(help="Its topic/partition/offset.", metavar="LETTER")]


def listing(
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that were retried or discarded.")
    ] = False,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists the dead letters that nobody has done anything about, the latest first.

    ```
    ppo letters list
    ppo letters list --all --json
    ```
    """
    response = asyncio.run(_listed(data, everything=everything))
    if json:
        output.emit(response)
        return 0
    # Lines and no table: a name that goes over two lines cannot be copied.
    for one in response.letters:
        output.line(f"{one.letter_id}  {output.word(pb.DeadLetterFate, one.fate)}")
        output.line(f"  {one.event_type or 'a record of no type'}: {one.reason}")
    if not response.letters:
        output.say("nothing waits")
    return 0


def show(letter: LetterId, json: output.AsJson = False, data: session.Data = session.DATA) -> int:
    """Shows a dead letter: why it was refused, where it came from, what was done about it.

    ```
    ppo letters show ppo.tracking.movements.v1.dead/3/0
    ```
    """
    response = asyncio.run(_listed(data, everything=True))
    found = next((one for one in response.letters if one.letter_id == letter.strip()), None)
    if found is None:
        raise Stop(f"{letter!r} is no dead letter", 1)
    _tell(found, as_json=json)
    return 0


def retry(
    letter: LetterId,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Takes a dead letter now: a state over a lower version only, a fact at the time it happened.

    ```
    ppo letters retry ppo.tracking.movements.v1.dead/3/0
    ```
    """
    request = pb.RetryDeadLetterRequest(request_id=session.request_id(request_id), letter_id=letter.strip())
    _tell(asyncio.run(_retried(data, request)).letter, as_json=json)
    return 0


def discard(
    letter: LetterId,
    reason: Annotated[str, typer.Option(help="Why nothing is lost by it.")],
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says that a dead letter needs nothing any more, and why; it cannot be retried then.

    ```
    ppo letters discard hmpps.domain-events.dead/0/4 --reason "a test message of the prison system"
    ```
    """
    request = pb.DiscardDeadLetterRequest(
        request_id=session.request_id(request_id), letter_id=letter.strip(), reason=reason.strip()
    )
    _tell(asyncio.run(_discarded(data, request)).letter, as_json=json)
    return 0


def _tell(letter: pb.DeadLetter, *, as_json: bool) -> None:
    if as_json:
        output.emit(letter)
        return
    output.show(f"{letter.letter_id}: {output.word(pb.DeadLetterFate, letter.fate)}", style="bold")
    output.show(f"refused: {letter.reason}")
    output.show(
        f"from {letter.topic}/{letter.partition}/{letter.offset}, {letter.event_type} {letter.event_id}"
    )
    if letter.discard_reason:
        output.show(f"discarded: {letter.discard_reason}")


async def _listed(data: session.Data, *, everything: bool) -> pb.ListDeadLettersResponse:
    async with session.Session(data, "ops", "ppo").tracking() as service:
        return await service.ListDeadLetters(
            pb.ListDeadLettersRequest(all=everything), timeout=session.CALL_SECONDS
        )


async def _retried(data: session.Data, request: pb.RetryDeadLetterRequest) -> pb.RetryDeadLetterResponse:
    async with session.Session(data, "ops", "ppo").tracking() as service:
        return await service.RetryDeadLetter(request, timeout=session.CALL_SECONDS)


async def _discarded(
    data: session.Data, request: pb.DiscardDeadLetterRequest
) -> pb.DiscardDeadLetterResponse:
    async with session.Session(data, "ops", "ppo").tracking() as service:
        return await service.DiscardDeadLetter(request, timeout=session.CALL_SECONDS)
