"""`ppo release` and `ppo housing`: when a prisoner is to be let out, and whether they have a home."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer
from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2
from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details, notices, output, owners, session
from services.console.stop import Stop

Organisation = Annotated[
    str,
    typer.Option(
        "--as",
        help="Who says so: a probation office such as probation-5, or a prison such as BMI, "
        "which names the person by the nominal id.",
        metavar="ORGANISATION",
    ),
]


def plan(
    person: details.Whom,
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The date of release.")],
    organisation: Organisation,
    to: Annotated[str, typer.Option(help="The OCU of the confirmed address; without one, none is.")] = "",
    postcode: Annotated[str, typer.Option(help="Its postcode, which says the OCU by itself.")] = "",
    licence: Annotated[
        bool | None, typer.Option("--licence/--no-licence", help="Whether it is on licence, where known.")
    ] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="A condition of the licence, by its code; may be repeated.")
    ] = None,
    collected_by: Annotated[str, typer.Option(help="Who meets the person at the gate.")] = "",
    collected_at: Annotated[str, typer.Option(help="When, such as 2005-02-14T09:00.")] = "",
    appointment: Annotated[
        list[str] | None, typer.Option(help="TIME PLACE of an appointment that day; may be repeated.")
    ] = None,
    need: Annotated[list[str] | None, typer.Option(help="What is not settled yet; may be repeated.")] = None,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records the date on which a prisoner is to be released: whoever must get ready is told.

    ```
    ppo release plan A1234BC --on 2005-02-14 --as probation-5
    ppo release plan A1234BC --on 2005-02-14 --postcode "B20 1AA" --as probation-5
    ppo release plan A1234BC --on 2005-02-14 --to F2 --as probation-5 --licence --condition curfew \\
        --collected-by "PC Hollis" --appointment "2005-02-14T11:00 probation, Centenary House"
    ```

    Nobody is let out on a Sunday or a holiday, nor after more than five days on a Saturday: the day moves to
    the one before it that is none of those.
    """
    request = tracking.PlanReleaseRequest(
        request_id=session.request_id(request_id),
        release_date=Date(year=on.year, month=on.month, day=on.day),
        ocu=to.strip(),
        postcode=postcode.strip(),
        licence=licence,
        condition_codes=condition,
        arrangements=_arrangements(collected_by, collected_at, appointment or []),
        outstanding_needs=need,
    )
    return _planned(person, organisation, request, as_json=json, data=data)


def _arrangements(
    collected_by: str, collected_at: str, appointments: list[str]
) -> tracking.ReleaseArrangements | None:
    if not (collected_by or collected_at or appointments):
        return None
    made = tracking.ReleaseArrangements(collected_by=collected_by)
    if collected_at:
        made.collected_time.CopyFrom(details.instant(collected_at, "--collected-at"))
    for appointment in appointments:
        at, _, place = appointment.strip().partition(" ")
        if not place:
            raise Stop(f"--appointment {appointment!r} is no time and place", 2)
        made.appointments.add(place=place, time=details.instant(at, "--appointment"))
    return made


def cancel(
    person: details.Whom,
    organisation: Organisation,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records that the planned date is lost: whoever was told of it is told.

    ```
    ppo release cancel A1234BC --as probation-5
    ```
    """
    request = tracking.PlanReleaseRequest(request_id=session.request_id(request_id))
    return _planned(person, organisation, request, as_json=json, data=data)


def _planned(
    person: str, organisation: str, request: tracking.PlanReleaseRequest, *, as_json: bool, data: session.Data
) -> int:
    whose = notices.place(organisation, data)
    response = asyncio.run(_plan(whose, details.identifier(person), request))
    if as_json:
        output.emit(response)
        return 0
    output.show(_recorded(request, response))
    for text in owners.sentences(response.case.ownership):
        output.show(text)
    return 0


def _recorded(request: tracking.PlanReleaseRequest, response: tracking.PlanReleaseResponse) -> str:
    if not request.HasField("release_date"):
        return "recorded: the planned date of release is lost"
    asked, out = output.day(request.release_date), output.day(response.release_date)
    if not response.HasField("release_date") or asked == out:
        return f"recorded: release planned for {asked}"
    return f"recorded: release planned for {out}, for nobody is let out on {asked}"


async def _plan(
    whose: session.Session, person: person_pb2.Identifier, request: tracking.PlanReleaseRequest
) -> tracking.PlanReleaseResponse:
    request.nominal_id = await nominal_id(whose, person)
    async with whose.tracking() as service:
        return await service.PlanRelease(request, timeout=session.CALL_SECONDS)


def work(
    person: details.Whom,
    organisation: Organisation,
    course: Annotated[
        list[str] | None, typer.Option(help='A course, such as "Bricklaying, level 1"; may be repeated.')
    ] = None,
    job: Annotated[list[str] | None, typer.Option(help="A job; may be repeated.")] = None,
    contact: Annotated[str, typer.Option(help="Who in the prison can be asked.")] = "",
    telephone: Annotated[str, typer.Option(help="Where they are rung.")] = "",
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records all that somebody has learnt and done in prison: it goes with them to the next prison and out.

    ```
    ppo prison work e9ab78e1-0aeb-40b7-be35-3d21488eb20b --as BMI --course "Bricklaying, level 1"
    ```
    """
    if not (course or job):
        raise Stop("give a --course or a --job", 2)
    done = tracking.PrisonWork(contact_name=contact, contact_telephone=telephone)
    for one in course or []:
        title, _, level = one.partition(",")
        done.courses.add(title=title.strip(), level=level.strip())
    for one in job or []:
        done.jobs.add(title=one.strip())
    request = tracking.RecordPrisonWorkRequest(request_id=session.request_id(request_id), work=done)
    whose = notices.place(organisation, data)
    response = asyncio.run(_record_work(whose, details.identifier(person), request))
    if json:
        output.emit(response)
    else:
        output.show(f"recorded: {len(done.courses)} courses and {len(done.jobs)} jobs")
    return 0


async def _record_work(
    whose: session.Session, person: person_pb2.Identifier, request: tracking.RecordPrisonWorkRequest
) -> tracking.RecordPrisonWorkResponse:
    request.nominal_id = await nominal_id(whose, person)
    async with whose.tracking() as service:
        return await service.RecordPrisonWork(request, timeout=session.CALL_SECONDS)


def tenancy(
    person: details.Whom,
    held: Annotated[str, typer.Option(help=f"One of {details.words(tracking.TenancyHeld)}.")],
    organisation: Organisation,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Records whether somebody has a tenancy: the housing provider is told while they are in custody.

    ```
    ppo housing tenancy A1234BC --held yes --as probation-5
    ```
    """
    request = tracking.RecordTenancyRequest(
        request_id=session.request_id(request_id),
        held=details.value(tracking.TenancyHeld, held, "--held"),
    )
    whose = notices.place(organisation, data)
    response = asyncio.run(_record_tenancy(whose, details.identifier(person), request))
    if json:
        output.emit(response)
    else:
        output.show(f"recorded: tenancy held: {output.word(tracking.TenancyHeld, request.held)}")
    return 0


async def _record_tenancy(
    whose: session.Session, person: person_pb2.Identifier, request: tracking.RecordTenancyRequest
) -> tracking.RecordTenancyResponse:
    request.nominal_id = await nominal_id(whose, person)
    async with whose.tracking() as service:
        return await service.RecordTenancy(request, timeout=session.CALL_SECONDS)


async def nominal_id(whose: session.Session, person: person_pb2.Identifier) -> str:
    """A prison cannot ask: it was told the nominal id of its own prisoners."""
    if person.kind == person_pb2.IDENTIFIER_KIND_NOMINAL_ID:
        return person.value
    asked = tracking.GetJourneyRequest(identifier=person, purpose=policy.PURPOSE_OFFENDER_MANAGEMENT)
    async with whose.tracking() as service:
        found = await service.GetJourney(asked, timeout=session.CALL_SECONDS)
    return found.journey.nominal_id
