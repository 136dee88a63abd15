"""`ppo custody list`, `referrals` and `watch`: who is in a suite, and what happens there."""

import asyncio
from collections.abc import Sequence
from datetime import UTC
from typing import Annotated

import typer

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, details, output, session
from services.console.custody import ask, referral
from services.console.stop import Stop, Unreachable
from services.runtime.reference import LONDON

# Who may read the referrals of a route.
_READERS = {
    custody.REFERRAL_ROUTE_PPO_DRUG_TEAM: "ppo_drug_team",
    custody.REFERRAL_ROUTE_DIP_TEAM: "dip_team",
    custody.REFERRAL_ROUTE_HELD: "arrest_referral_worker",
}


def _words() -> str:
    return ", ".join(output.word(custody.ReferralRoute, route) for route in _READERS)


Suite = Annotated[str, typer.Argument(help="The custody suite.")]

# A stream ends with its token, or with the service; it is taken up again where it ended.
AGAIN_SECONDS = 1.0


def inmates(
    suite: Suite = details.SUITE, json: output.AsJson = False, data: session.Data = session.DATA
) -> int:
    """Lists the open custody records of a suite.

    ```
    ppo custody list D3
    ```
    """
    found = detentions(session.Session(data, "custody_officer", suite), suite)
    if json:
        for detention in found:
            output.emit(detention)
        return 0
    made = output.table("Booked", "Name", "Born", "Answer", "Custody record")
    for detention in found:
        made.add_row(
            output.moment(detention.booked_time),
            whom(detention),
            output.day(detention.person.birth_date),
            answer.word(detention.answer),
            detention.detention_id,
        )
    output.show(made)
    output.say(f"{len(found)} in the suite")
    return 0


def detentions(place: session.Session, suite: str) -> Sequence[custody.Detention]:
    request = custody.ListDetentionsRequest(suite_id=suite, purpose=policy.PURPOSE_ARREST)
    listed = ask(place, lambda desk: desk.ListDetentions(request, timeout=session.CALL_SECONDS))
    response: custody.ListDetentionsResponse = asyncio.run(listed)
    return response.detentions


def referrals(
    route: Annotated[str, typer.Argument(help=f"Which: {_words()}.")],
    organisation: Annotated[str, typer.Argument(help="Whose: a drug team, or for held ones a suite.")],
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists drug referrals, as the team that gets them sees them.

    ```
    ppo custody referrals "PPO drug team" drug-solutions-birmingham
    ppo custody referrals "DIP team" dip-2
    ppo custody referrals held D3
    ```
    """
    value = details.value(custody.ReferralRoute, route, "ROUTE")
    if value not in _READERS:
        raise Stop(f"ROUTE: {route!r} is none of {_words()}", 2)
    request = custody.ListReferralsRequest(route=value, purpose=policy.PURPOSE_OFFENDER_MANAGEMENT)
    place = session.Session(data, _READERS[value], organisation)
    response = asyncio.run(ask(place, lambda desk: desk.ListReferrals(request, timeout=session.CALL_SECONDS)))
    if json:
        for one in response.referrals:
            output.emit(one)
        return 0
    made = output.table("Referred", "Name", "Born", "Drug", "Suite")
    for one in response.referrals:
        made.add_row(
            output.moment(one.referred_time),
            output.full_name(one.person.name),
            output.day(one.person.birth_date),
            output.word(custody.Drug, one.drug_test.drug),
            one.drug_test.suite_id,
        )
    output.show(made)
    output.say(f"{len(response.referrals)} referred")
    return 0


def watch(
    suite: Suite = details.SUITE,
    after: Annotated[
        int, typer.Option(min=0, help="The number of the last event seen; 0: from the beginning.")
    ] = 0,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows what happens in a suite, as it happens; Ctrl-C ends.

    ```
    ppo custody watch D3
    ppo custody watch D3 --after 17 --json
    ```
    """
    asyncio.run(_watch(session.Session(data, "custody_officer", suite), suite, after, as_json=json))
    return 0


async def _watch(place: session.Session, suite: str, after: int, *, as_json: bool) -> None:
    while True:
        try:
            async with place.custody() as service:
                request = custody.WatchSuiteRequest(
                    suite_id=suite, after_number=after, purpose=policy.PURPOSE_ARREST
                )
                async for event in service.WatchSuite(request, timeout=session.STREAM_SECONDS):
                    after = event.number
                    output.emit(event) if as_json else output.show(line(event))
        except Unreachable as outage:
            output.say(f"{outage}; watching on from event {after} when it is back")
            await asyncio.sleep(AGAIN_SECONDS)


def line(event: custody.WatchSuiteResponse) -> str:
    time = f"{event.recorded_time.ToDatetime(UTC).astimezone(LONDON):%H:%M:%S}"
    return f"{event.number:>4}  {time}  {whom(event.detention)}: {_happened(event)}"


def _happened(event: custody.WatchSuiteResponse) -> str:
    now = answer.word(event.detention.answer)
    match event.kind:
        case custody.SUITE_EVENT_KIND_BOOKED_IN:
            return f"booked in: {now}"
        case custody.SUITE_EVENT_KIND_ANSWER_CHANGED:
            before = output.word(screening.Outcome, event.earlier_outcome)
            return f"the answer has changed: {now}, before: {before}"
        case custody.SUITE_EVENT_KIND_MATCH_DECIDED:
            return f"a match was decided: {now}"
        case custody.SUITE_EVENT_KIND_DRUG_TESTED | custody.SUITE_EVENT_KIND_REFERRAL_ROUTED:
            taken = event.detention.drug_test
            return f"drug test {output.word(custody.TestResult, taken.result)}: {referral(taken.route)}"
        case custody.SUITE_EVENT_KIND_OWNER_CHANGED:
            owner = event.detention.answer.ownership.owner
            return f"the case is {owner}'s now" if owner else "nobody has the case now"
        case custody.SUITE_EVENT_KIND_INSTRUCTIONS_CHANGED:
            return f"there is something else to do: {now}"
        case custody.SUITE_EVENT_KIND_HELD_ELSEWHERE:
            others = ", ".join(event.detention.elsewhere_suite_ids)
            return f"is held elsewhere too: {others}" if others else "is held nowhere else any more"
        case custody.SUITE_EVENT_KIND_DISPOSED:
            return "has left the suite"
    return output.word(custody.SuiteEventKind, event.kind)


def whom(detention: custody.Detention) -> str:
    return output.full_name(detention.person.name) or output.identifiers(detention.person) or "no name given"
