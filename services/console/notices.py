"""`ppo notices`: what an organisation is told, that it has it, and where a notice has got to."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from json import dumps
from typing import Annotated, TypeAlias

import typer
from casework.v1 import casework_pb2 as casework
from google.type.date_pb2 import Date

from deploy.embedded.services import REFERENCE
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import notice_pb2 as pb
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import output, session
from services.console.stop import Stop, Unreachable
from services.console.suite import AGAIN_SECONDS
from services.runtime.reference import LONDON, Reference

# By the table of the reference data that an organisation stands in: as what its people look.
ROLES = {
    "ocus": "police_offender_manager",
    "probation_offices": "probation_offender_manager",
    "prisons": "prison_offender_management_unit",
    "youth_offending_teams": "youth_offending_team",
    "drug_teams": "ppo_drug_team",
    "arrest_referral_teams": "arrest_referral_worker",
    "carat_teams": "carat_worker",
    "forums": "forum",
    "housing_providers": "housing_provider",
    "training_providers": "training_provider",
    "courts": "court",
}
Acknowledged: TypeAlias = tracking.AcknowledgeNoticeResponse | casework.AcknowledgeNoticeResponse
PROVIDERS = ("housing_provider", "training_provider")
COURT = "court"
# They read their topics alone.
READERS = dict.fromkeys((*PROVIDERS, COURT), "casework") | {"forum": "ppo.notices"}
HELD = "HOLD and ask: its state is not known here"
_STATES = {
    tracking.NOTICE_STATE_PROVISIONAL: "provisional: ",
    tracking.NOTICE_STATE_CONFIRMED: "",
    tracking.NOTICE_STATE_RETRACTED: "RETRACTED, undo what it caused: ",
}

Whose = Annotated[
    str,
    typer.Argument(help="Such as E3, BMI, probation-2, drug-solutions-birmingham.", metavar="ORGANISATION"),
]
NoticeId = Annotated[str, typer.Argument(help="The notice's id.", metavar="NOTICE")]


def watch(
    organisation: Whose,
    after: Annotated[
        int, typer.Option(min=0, help="The number of the last notice seen; 0: from the beginning.")
    ] = 0,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Shows an organisation's notices as they come, with the fields that it may see; Ctrl-C ends.

    ```
    ppo notices watch E3
    ppo notices watch BMI --after 17 --json
    ```
    """
    whose = place(organisation, data)
    _refuse_reader(whose)
    asyncio.run(_watch(whose, after, as_json=json))
    return 0


async def _watch(whose: session.Session, after: int, *, as_json: bool) -> None:
    request = tracking.WatchNoticesRequest(purpose=policy.PURPOSE_OFFENDER_MANAGEMENT)
    while True:
        try:
            async with whose.tracking() as service:
                request.after_number = after
                async for one in service.WatchNotices(request, timeout=session.STREAM_SECONDS):
                    after = one.notice.number
                    _show(one.notice, as_json=as_json)
        except Unreachable as outage:
            output.say(f"{outage}; watching on from notice {after} when it is back")
            await asyncio.sleep(AGAIN_SECONDS)


def _show(sent: tracking.SentNotice, *, as_json: bool) -> None:
    notice = read(sent)
    if as_json:
        output.emit(notice)
        return
    # What only confirms is there to be read, and catches nobody's eye.
    style = "dim" if notice.silent else None
    output.show(f"{sent.number:>4}  {line(notice)}", style=style)
    output.show(f"      {'; '.join([*_asked(notice, sent), _named(notice)])}", style=style)


def ack(
    notice: NoticeId,
    organisation: Annotated[str, typer.Option("--as", help="The organisation that has it, such as E3.")],
    registered: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="A housing provider's: the date of entry on the housing register."
        ),
    ] = None,
    request_id: session.RequestId = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Says that an organisation has a notice, in its latest revision and so in all before.

    ```
    ppo notices ack NOTICE --as E3
    ppo notices ack NOTICE --as birmingham-housing --registered 2004-12-08
    ```
    """
    whose, named = place(organisation, data), session.request_id(request_id)
    if whose.role in (*PROVIDERS, COURT):
        case = casework.AcknowledgeNoticeRequest(
            request_id=named, notice_id=notice.strip(), register_date=_date(registered)
        )
        response: Acknowledged = asyncio.run(acknowledge_case(whose, case))
    elif registered is not None:
        raise Stop(f"{organisation} is no provider, which alone says --registered", 2)
    else:
        request = tracking.AcknowledgeNoticeRequest(request_id=named, notice_id=notice.strip())
        response = asyncio.run(acknowledge(whose, request))
    if json:
        output.emit(response)
    else:
        output.show(f"{organisation} has it since {output.moment(response.acknowledged_time)}")
    return 0


async def acknowledge(
    whose: session.Session, request: tracking.AcknowledgeNoticeRequest
) -> tracking.AcknowledgeNoticeResponse:
    async with whose.tracking() as service:
        return await service.AcknowledgeNotice(request, timeout=session.CALL_SECONDS)


async def acknowledge_case(
    whose: session.Session, request: casework.AcknowledgeNoticeRequest
) -> casework.AcknowledgeNoticeResponse:
    async with whose.casework() as service:
        return await service.AcknowledgeNotice(request, timeout=session.CALL_SECONDS)


def _date(on: datetime | None) -> Date | None:
    return on and Date(year=on.year, month=on.month, day=on.day)


def trace(
    notice: NoticeId,
    organisation: Annotated[
        str,
        typer.Option("--as", help="Who asks, such as E3: sees the date of entry on the housing register."),
    ] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Follows a notice: to whom it went, in which state, who has acknowledged it. Nothing of the person.

    ```
    ppo notices trace NOTICE
    ppo notices trace NOTICE --as E3
    ```
    """
    request = tracking.TraceNoticeRequest(notice_id=notice.strip())
    asks = place(organisation, data) if organisation else session.Session(data, "ops", "ppo")
    response = asyncio.run(traced(asks, request))
    if json:
        output.emit(response)
        return 0
    output.show(output.word(tracking.NoticeType, response.type), style="bold")
    made = output.table(
        "To", "Revision", "State", "Recorded", "Published", "Due", "Acknowledged", "Escalated to"
    )
    made.columns[0].no_wrap = True
    for one in response.deliveries:
        state = output.word(tracking.NoticeState, one.state)
        times = [
            output.moment(getattr(one, name)) if one.HasField(name) else _MISSING.get(name, "")
            for name in ("recorded_time", "published_time", "due_time", "acknowledged_time")
        ]
        if one.HasField("register_date"):
            times[-1] += f", on the housing register since {output.day(one.register_date)}"
        made.add_row(one.organisation, str(one.revision), state, *times, _level(one.escalation))
    output.show(made)
    return 0


_MISSING = {"published_time": "not yet", "acknowledged_time": "not yet"}


def _level(level: tracking.EscalationLevel.ValueType) -> str:
    return output.word(tracking.EscalationLevel, level) if level else ""


def listing(
    organisation: Whose,
    unacknowledged: Annotated[bool, typer.Option(help="Only those it has not acknowledged.")] = False,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists an organisation's notices, each in its latest revision.

    ```
    ppo notices list E3 --unacknowledged
    ```
    """
    whose = place(organisation, data)
    _refuse_reader(whose)
    asyncio.run(_list(whose, unacknowledged=unacknowledged, as_json=json))
    return 0


async def _list(whose: session.Session, *, unacknowledged: bool, as_json: bool) -> None:
    request = tracking.ListNoticesRequest(
        purpose=policy.PURPOSE_OFFENDER_MANAGEMENT, unacknowledged=unacknowledged
    )
    async with whose.tracking() as service:
        while True:
            reply = await service.ListNotices(request, timeout=session.CALL_SECONDS)
            for sent in reply.notices:
                _show(sent, as_json=as_json)
            if not reply.next_page_token:
                return
            request.page_token = reply.next_page_token


def overdue(
    of: Annotated[str, typer.Option(help="Only of this organisation.", metavar="ORGANISATION")] = "",
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Lists what organisations have not acknowledged in time, the longest overdue first.

    ```
    ppo notices overdue
    ppo notices overdue --of BMI --json
    ```
    """
    request = tracking.ListOverdueNoticesRequest(organisation=of.strip())
    response = asyncio.run(_overdue(session.Session(data, "ops", "ppo"), request))
    if json:
        output.emit(response)
        return 0
    # Lines and no table: an id that goes over two lines cannot be copied.
    for one in response.notices:
        kind, due = output.word(tracking.NoticeType, one.type), output.moment(one.due_time)
        up = f"with the {_level(one.escalation)} since {output.moment(one.escalated_time)}"
        output.line(f"{one.notice_id}  {one.organisation}: {kind}, due {due}, {up}")
    if not response.notices:
        output.say("nothing is overdue")
    return 0


def replay(
    organisation: Whose,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="What was recorded since then, UTC; everything when not given.",
        ),
    ] = None,
    json: output.AsJson = False,
    data: session.Data = session.DATA,
) -> int:
    """Sends an organisation's records again from the ledger, into its topic's .replay, with the first ids.

    Whoever reads them drops what it has by their sequences, as ever.

    ```
    ppo notices replay E3
    ppo notices replay birmingham-housing --since 2004-12-01
    ```
    """
    place(organisation, data)
    sent = asyncio.run(_replay(session.Session(data, "ops", "ppo"), organisation, since))
    if json:
        output.line(dumps({"organisation": organisation, "sent": sent}))
    else:
        output.show(f"{sent} records sent to the .replay of {organisation}'s topic")
    return 0


async def _replay(ops: session.Session, organisation: str, since: datetime | None) -> int:
    sent, request = 0, tracking.ReplayNoticesRequest(organisation=organisation)
    if since is not None:
        request.from_time.FromDatetime(since)
    async with ops.tracking() as service:
        while True:
            request.request_id = session.request_id("")
            reply = await service.ReplayNotices(request, timeout=session.CALL_SECONDS)
            sent += reply.sent
            if not reply.last_number:
                return sent
            request.after_number = reply.last_number


async def _overdue(
    ops: session.Session, request: tracking.ListOverdueNoticesRequest
) -> tracking.ListOverdueNoticesResponse:
    async with ops.tracking() as service:
        return await service.ListOverdueNotices(request, timeout=session.CALL_SECONDS)


async def traced(ops: session.Session, request: tracking.TraceNoticeRequest) -> tracking.TraceNoticeResponse:
    async with ops.tracking() as service:
        return await service.TraceNotice(request, timeout=session.CALL_SECONDS)


def place(organisation: str, data: session.Data) -> session.Session:
    """Somebody of the organisation, in the role that it has by the reference data."""
    role = roles().get(organisation)
    if role is None:
        raise Stop(f"{organisation!r} is no organisation of the reference data", 2)
    return session.Session(data, role, organisation)


@cache
def roles() -> Mapping[str, str]:
    """By organisation."""
    known = Reference.load(REFERENCE)
    return {one: role for table, role in ROLES.items() for one in known.ids(table)}


def _refuse_reader(whose: session.Session) -> None:
    if whose.role in READERS:
        what = "provider" if whose.role in PROVIDERS else whose.role
        topic = f"{READERS[whose.role]}.{whose.organisation}.v1"
        raise Stop(f"{whose.organisation} is a {what}, which reads its topic alone: {topic}", 2)


def read(sent: tracking.SentNotice) -> pb.Notice:
    return pb.Notice.FromString(sent.record)


# ---- a notice as a person reads it


def line(notice: pb.Notice) -> str:
    return f"{_clock(notice)}  {summary(notice)}"


def summary(notice: pb.Notice) -> str:
    state = "confirmed: " if notice.silent else _STATES.get(notice.state, f"{HELD}: ")
    what = output.word(tracking.NoticeType, notice.type)
    return f"{state}{what}: {', '.join(filter(None, (whom(notice), *_happened(notice))))}"


def _named(notice: pb.Notice) -> str:
    later = f", revision {notice.revision}" if notice.revision > 1 else ""
    return f"notice {notice.notice_id}{later}"


def whom(notice: pb.Notice) -> str:
    return output.full_name(notice.person.name) or output.identifiers(notice.person) or notice.nominal_id


def _clock(notice: pb.Notice) -> str:
    return f"{notice.recorded_time.ToDatetime(UTC).astimezone(LONDON):%-d %b %H:%M:%S}"


def _happened(notice: pb.Notice) -> Iterator[str]:
    if notice.HasField("arrest"):
        yield f"arrested {_when(notice.arrest.arrested_time.ToDatetime(UTC))}"
        yield f"held at {notice.arrest.suite_id}" if notice.arrest.suite_id else ""
        yield " and ".join(code.replace("_", " ") for code in notice.arrest.offence_codes)
    if notice.HasField("movement"):
        yield from _moved(notice.movement)
    if notice.flag_state and notice.type in _OF_FLAGS:
        yield output.word(screening.FlagState, notice.flag_state)
    if notice.HasField("ownership_change"):
        yield from _handed(notice.ownership_change)
    matters = (*notice.drug_referrals, *notice.open_matters)
    if matters:
        yield f"still open: {' and '.join(_open(one) for one in matters)}"
    if notice.HasField("release") and notice.HasField("ownership_change"):
        yield f"release planned for {_on(notice.release.release_date)}"
    if notice.HasField("review_date"):
        yield f"to be reviewed on {_on(notice.review_date)}"


def _handed(owned: pb.OwnershipChange) -> Iterator[str]:
    if owned.from_owner != owned.to_owner:
        yield f"from {owned.from_owner} to {owned.to_owner} by {owned.rule}"
        if owned.HasField("effective_time"):
            yield _when(owned.effective_time.ToDatetime(UTC))
    if owned.withdrawn_owner:
        yield f"{owned.withdrawn_owner} is not to have it any more"
    for one in owned.corrections:
        since = _when(one.start_time.ToDatetime(UTC))
        was, taken_for = one.owner or "nobody", one.owner_before or "nobody"
        yield f"found out: it was {was}'s from {since}, not {taken_for}'s"


def _open(matter: pb.OpenMatter) -> str:
    what = output.word(tracking.NoticeType, matter.type)
    due = _when(matter.due_time.ToDatetime(UTC))
    return f"{what} with {matter.organisation}, due {due}"


def _on(day: Date) -> str:
    return f"{date(day.year, day.month, day.day):%-d %b %Y}"


def _moved(movement: pb.PrisonMovement) -> Iterator[str]:
    yield f"from {movement.from_prison_id}" if movement.from_prison_id else ""
    yield f"{'to' if movement.from_prison_id else 'at'} {movement.prison_id}" if movement.prison_id else ""
    yield _said(movement.basis)
    yield _said(movement.release_kind)
    if movement.HasField("occurred_time"):
        yield _when(movement.occurred_time.ToDatetime(UTC))


def _asked(notice: pb.Notice, sent: tracking.SentNotice) -> Iterator[str]:
    if notice.ownership.owner:
        yield f"the case is {notice.ownership.owner}'s"
    if sent.HasField("acknowledged_time"):
        yield f"acknowledged {output.moment(sent.acknowledged_time)}"
    elif notice.HasField("due_time"):
        yield f"due by {output.moment(notice.due_time)}"


def _when(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%-d %b %H:%M}"


def _said(word: str) -> str:
    return word.replace("_", " ").lower()


_OF_FLAGS = (tracking.NOTICE_TYPE_PPO_FLAG_SET, tracking.NOTICE_TYPE_PPO_FLAG_CLEARED)
