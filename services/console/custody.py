"""`ppo custody`: what happens to the people in a suite."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import answer, details, output, session

DetentionId = Annotated[str, typer.Argument(help="The custody record's id.")]
Reason = Annotated[str, typer.Option(help="With a correction: why what was recorded before is wrong.")]
At = Annotated[str, typer.Option(help="When, such as 2004-12-31T20:00; now when not given.")]


def book_in(
    given: details.Given = "",
    family: details.Family = "",
    born: details.Born = "",
    postcode: details.Postcode = "",
    pnc: details.Pnc = "",
    cro: details.Cro = "",
    prison: details.Prison = "",
    asn: Annotated[str, typer.Option(help="Arrest/summons number, such as 04/20E3/01/1234L.")] = "",
    fingerprint: details.Fingerprint = False,
    offence: details.Offence = None,
    arrested: At = "",
    suite: details.Suite = details.SUITE,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Opens a custody record, and checks the person.

    ```
    ppo custody book-in --pnc 79/163001B --offence burglary
    ppo custody book-in --family Kelly --given Shane --born 1979-03-04 --suite D3
    ```

    Exit code 0 once the record is open, whatever the answer is.
    """
    place = session.Session(data, "custody_officer", suite)
    request = custody.BookInRequest(
        request_id=session.request_id(request_id),
        suite_id=suite,
        person=_given(
            details.typed(
                given=given, family=family, born=born, postcode=postcode, pnc=pnc, cro=cro, prison=prison
            ),
            asn,
        ),
        fingerprint=fingerprint,
        arrested_time=moment(place, arrested, "--arrested"),
        offence_codes=details.offences(",".join(offence or ())),
    )
    response = asyncio.run(ask(place, lambda desk: desk.BookIn(request, timeout=session.CALL_SECONDS)))
    return _show_detention(response, as_json=json)


def _given(person: pb.Person, asn: str) -> pb.Person:
    if asn.strip():
        person.identifiers.add(kind=pb.IDENTIFIER_KIND_ASN, value=asn.strip())
    return person


async def book(
    place: session.Session, suite: str, person: pb.Person, offences: Sequence[str]
) -> custody.Detention:
    """Books in somebody who was arrested just now."""
    request = custody.BookInRequest(
        request_id=session.request_id(),
        suite_id=suite,
        person=person,
        arrested_time=moment(place, "", ""),
        offence_codes=offences,
    )
    response = await ask(place, lambda desk: desk.BookIn(request, timeout=session.CALL_SECONDS))
    detention: custody.Detention = response.detention
    return detention


def identify(
    detention: DetentionId,
    pnc: details.Pnc = "",
    cro: details.Cro = "",
    prison: details.Prison = "",
    fingerprint: details.Fingerprint = False,
    suite: details.Suite = details.SUITE,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Adds an identifier learnt later to a custody record, and checks the person again.

    ```
    ppo custody identify DETENTION --pnc 79/163001B --fingerprint
    ```
    """
    known = details.numbers(pnc=pnc, cro=cro, prison=prison)
    request = custody.IdentifyDetaineeRequest(
        request_id=session.request_id(request_id),
        detention_id=detention,
        identifiers=[pb.Identifier(kind=kind, value=value) for kind, value in known.items() if value],
        fingerprint=fingerprint,
    )
    place = session.Session(data, "custody_officer", suite)
    response = asyncio.run(
        ask(place, lambda desk: desk.IdentifyDetainee(request, timeout=session.CALL_SECONDS))
    )
    return _show_detention(response, as_json=json)


def confirm(
    detention: DetentionId,
    candidate: Annotated[str, typer.Argument(help="The candidate's PNC id or nominal id.")],
    same: Annotated[bool, typer.Option("--same/--another", help="It is the same person, or another one.")],
    by: Annotated[str, typer.Option(help="What that rests on: fingerprint or identifier.")],
    reason: Reason = "",
    suite: details.Suite = details.SUITE,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records whether a possible match is the person; said again with a reason, it corrects that.

    ```
    ppo custody confirm DETENTION 79/163001B --same --by fingerprint
    ppo custody confirm DETENTION 79/163001B --another --by identifier
    ppo custody confirm DETENTION 79/163001B --another --by fingerprint --reason "a cell mate's prints"
    ```
    """
    request = custody.ConfirmMatchRequest(
        request_id=session.request_id(request_id),
        detention_id=detention,
        verdict=custody.MATCH_VERDICT_SAME_PERSON if same else custody.MATCH_VERDICT_ANOTHER_PERSON,
        identity_basis=details.value(screening.IdentityBasis, by, "--by"),
        reason=reason,
    )
    response = asyncio.run(_confirm(session.Session(data, "custody_officer", suite), candidate, request))
    return _show_detention(response, as_json=json)


async def _confirm(
    place: session.Session, candidate: str, request: custody.ConfirmMatchRequest
) -> custody.ConfirmMatchResponse:
    whom = details.identifier(candidate)
    if whom.kind == pb.IDENTIFIER_KIND_NOMINAL_ID:
        request.nominal_id = whom.value
    else:
        async with place.flagging() as index:
            asked = flagging.GetNominalRequest(identifier=whom, purpose=policy.PURPOSE_ARREST)
            found = await index.GetNominal(asked, timeout=session.CALL_SECONDS)
            request.nominal_id = found.nominal.nominal_id
    async with place.custody() as service:
        return await service.ConfirmMatch(request, timeout=session.CALL_SECONDS)


def drug_test(
    detention: DetentionId,
    result: Annotated[str, typer.Option(help=f"What the test says: {details.words(custody.TestResult)}.")],
    drug: Annotated[str, typer.Option(help=f"With a positive result: {details.words(custody.Drug)}.")] = "",
    at: At = "",
    reason: Reason = "",
    suite: details.Suite = details.SUITE,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records a drug test, or with a reason corrects it; a positive one is referred by itself.

    ```
    ppo custody test DETENTION --result positive --drug heroin
    ppo custody test DETENTION --result negative --reason "the sample of a cell mate"
    ```
    """
    place = session.Session(data, "custody_officer", suite)
    request = custody.RecordDrugTestRequest(
        request_id=session.request_id(request_id),
        detention_id=detention,
        result=details.value(custody.TestResult, result, "--result"),
        drug=details.value(custody.Drug, drug, "--drug") if drug else custody.DRUG_UNSPECIFIED,
        tested_time=moment(place, at, "--at"),
        reason=reason,
    )
    response = asyncio.run(
        ask(place, lambda desk: desk.RecordDrugTest(request, timeout=session.CALL_SECONDS))
    )
    if json:
        output.emit(response)
    else:
        taken = response.drug_test
        output.show(f"{output.word(custody.TestResult, taken.result)}: {referral(taken.route)}")
    return 0


def dispose(
    detention: DetentionId,
    disposal: Annotated[str, typer.Argument(help=f"How it ended: {details.words(custody.Disposal)}.")],
    at: At = "",
    suite: details.Suite = details.SUITE,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Closes a custody record.

    ```
    ppo custody dispose DETENTION "charged and bailed"
    ```
    """
    place = session.Session(data, "custody_officer", suite)
    request = custody.RecordDisposalRequest(
        request_id=session.request_id(request_id),
        detention_id=detention,
        disposal=details.value(custody.Disposal, disposal, "DISPOSAL"),
        disposed_time=moment(place, at, "--at"),
    )
    response = asyncio.run(
        ask(place, lambda desk: desk.RecordDisposal(request, timeout=session.CALL_SECONDS))
    )
    return _show_detention(response, as_json=json)


def moment(place: session.Session, text: str, option: str) -> Timestamp:
    """The time that was typed, else now by the clock that the services go by."""
    if text:
        return details.instant(text, option)
    now = Timestamp()
    now.FromDatetime(place.clock().now())
    return now


async def ask(place: session.Session, rpc: Callable[[CustodyServiceStub], Awaitable[Any]]) -> Any:
    async with place.custody() as service:
        return await rpc(service)


def referral(route: custody.ReferralRoute.ValueType) -> str:
    return _REFERRALS.get(route, "where it goes is not shown to you")


_REFERRALS = {
    custody.REFERRAL_ROUTE_NONE: "no referral",
    custody.REFERRAL_ROUTE_PPO_DRUG_TEAM: "referred to the PPO drug team",
    custody.REFERRAL_ROUTE_DIP_TEAM: "referred to the DIP team",
    custody.REFERRAL_ROUTE_HELD: "the referral is held until it is known whether this is a PPO",
}


def _show_detention(response: Any, *, as_json: bool) -> int:
    """The response of any RPC that answers with a custody record."""
    if as_json:
        output.emit(response)
        return 0
    detention: custody.Detention = response.detention
    state = output.word(custody.DetentionState, detention.state)
    output.show(f"custody record {detention.detention_id} ({state}), suite {detention.suite_id}")
    if detention.elsewhere_suite_ids:
        output.show(f"held elsewhere too: {', '.join(detention.elsewhere_suite_ids)}")
    output.show(answer.record(detention))
    return 0
