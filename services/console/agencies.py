"""The demo's second half: what every agency is told and what it is not, whose case it is, and the month."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

from casework.v1 import casework_pb2 as casework
from google.type.date_pb2 import Date

from deploy.embedded import clock
from ppo.custody.v1 import custody_pb2 as custody
from ppo.custody.v1 import events_pb2 as custody_events
from ppo.person.v1 import person_pb2 as pb
from ppo.policy.v1 import policy_pb2 as policy
from ppo.returns.v1 import returns_pb2 as contract
from ppo.tracking.v1 import notice_pb2 as notice
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import (
    answer,
    cases,
    december,
    movements,
    notices,
    output,
    owners,
    prison_day,
    register,
    returns,
    status,
)
from services.console.nominals import FORCE
from services.console.screen import PATIENCE
from services.console.session import CALL_SECONDS, Session, kafka, request_id
from services.console.stage import Stage, chapter, expect, named, say, timestamp
from services.runtime import broker
from services.runtime.reference import LONDON

T = TypeVar("T")
Kind: TypeAlias = tracking.NoticeType.ValueType
CaseKind: TypeAlias = casework.CaseNoticeKind.ValueType

HOUSING, TRAINING = "birmingham-housing", "eespro"
NEEDED, AVAILABLE = casework.CASE_NOTICE_KIND_HOUSING_NEEDED, casework.CASE_NOTICE_KIND_AVAILABLE_FROM
TOLD: Mapping[CaseKind, Sequence[str]] = {NEEDED: [HOUSING], AVAILABLE: [HOUSING, TRAINING]}
AREA, MONTH = "birmingham", Date(year=2004, month=12)
# Made up.
POLICE = tracking.Manager(name="PC J. Hollis", telephone="0121 496 0311", organisation="E3")
PROBATION = tracking.Manager(name="R. Achterberg", telephone="0121 496 0325", organisation="probation-5")
NEW_YEAR = datetime(2005, 1, 1, 9, tzinfo=LONDON)
HOME_SINCE = datetime(2004, 9, 1, tzinfo=LONDON)
AGAIN_SECONDS = 0.3

RECEPTION, TRANSFER = tracking.NOTICE_TYPE_PRISON_RECEPTION, tracking.NOTICE_TYPE_PRISON_TRANSFER
RELEASED = tracking.NOTICE_TYPE_RELEASED
OF_PRISON = (RECEPTION, TRANSFER, RELEASED, tracking.NOTICE_TYPE_HOUSING_FAST_TRACK)


TESTED, COUNTED = custody_events.PpoDrugTested.DESCRIPTOR, custody_events.DetentionCounted.DESCRIPTOR
NOT_PPOS = december.TESTS - december.PPOS
STAGES = ("M10", "M11", "M12", "M13", "M14")
# As published; what was printed without a category or as a share besides stands in the return all the same.
COUNTS = {("M1", ""): 321, ("M5", ""): 21, ("M7", ""): 408, ("M8", ""): 13, ("M9", ""): 9}
# As the register was made up.
REASONS = {
    ("M5", "no longer a threat"): 13,
    ("M5", "moved away"): 3,
    ("M5", "long custody"): 4,
    ("M5", "deceased"): 1,
}
SHARES = {("M2", "male"): 98, ("M3", "18-25"): 53, ("M4", "non-White"): 25, ("M4", "not recorded"): 26}


class Inmate(NamedTuple):
    person: pb.Person
    nominal_id: str


async def tell(stage: Stage, nominee: custody.Detention, stranger: custody.Detention, workbook: Path) -> None:
    people = december.people()
    await _tests(stage, (nominee, stranger))
    await _prisons(stage, prison_day.inmates(people))
    await _ownership(stage, people.between)
    await _month(stage, workbook)


# ---- December's drug tests


async def _tests(stage: Stage, still_here: Sequence[custody.Detention]) -> None:
    chapter("The drug tests of December are entered, at the desks of all eleven suites")
    began, planned = time.monotonic(), december.visits()
    await december.carry_out(stage.data, planned)
    for detention in still_here:
        request = custody.RecordDisposalRequest(
            request_id=request_id(),
            detention_id=detention.detention_id,
            disposal=custody.DISPOSAL_BAILED,
            disposed_time=timestamp(stage.clock.now()),
        )
        await stage.desk.RecordDisposal(request, timeout=CALL_SECONDS)
    say(f"{len(planned)} people were booked in, tested and sent on, three calls of a suite's desk for each,")
    say(f"in {time.monotonic() - began:.0f} seconds. With this evening's two that makes {december.TESTS}.")


# ---- a day in the prisons


async def _prisons(stage: Stage, those: prison_day.Inmates) -> None:
    chapter("The prisons send their day: seven events, in the JSON that prison systems really publish")
    inside, day = stage.data / "inside.jsonl", stage.data / "day.jsonl"
    prison_day.write_earlier(inside, those)
    events = prison_day.write_day(day, those)
    earlier = await movements.report(inside, stage.data)
    expect(earlier.recorded == 3, f"3 receptions to be recorded, of {earlier}")
    told = await movements.publish(day, movements.TOPIC, stage.data)
    expect((told.published, len(told.unreadable)) == (events, 0), f"{events} to be published, of {told}")
    remanded, at_court, moved, released = [await _inmate(stage, one) for one in those]
    await _shown(stage, f"{named(remanded.person)} has come in on remand", remanded, RECEPTION, NEEDED)
    await _shown(stage, f"{named(moved.person)} was moved, which is two events", moved, TRANSFER, None)
    await _shown(stage, f"{named(released.person)} was released on licence", released, RELEASED, AVAILABLE)
    await _court_trip(stage, at_court)
    await _unknown(stage, those)


async def _heard(stage: Stage, inmate: Inmate, steps: int) -> tracking.Journey:
    request = tracking.GetJourneyRequest(
        identifier=_nominal(inmate), purpose=policy.PURPOSE_OFFENDER_MANAGEMENT
    )
    async with Session(stage.data, cases.MANAGER, december.LIVES_IN).tracking() as service:

        async def journey() -> tracking.Journey | None:
            found = (await service.GetJourney(request, timeout=CALL_SECONDS)).journey
            return found if len(found.steps) >= steps else None

        return await _until(f"{steps} movements of {named(inmate.person)} to be heard", journey)


async def _shown(stage: Stage, what: str, inmate: Inmate, kind: Kind, also: CaseKind | None) -> None:
    """Who was told what, and that nobody else was."""
    owner = (await _owned(stage, inmate)).owner

    async def sent() -> notice.Notice | None:
        ours = await _notices(stage, owner, inmate)
        return next((one for one in ours if one.type == kind and _complete(one)), None)

    first = await _until(f"{owner} to be told that {what}", sent)
    told = {organisation: await _notices(stage, organisation, inmate) for organisation in _readers()}
    made = output.table("Whom", "As", "Told")
    for organisation, found in told.items():
        for one in found:
            if one.type == kind:
                made.add_row(organisation, _role(organisation), notices.summary(one))
    for provider, case in (await _casework(stage, also, inmate)).items() if also else ():
        made.add_row(provider, _role(provider), _case_line(case))
    say(f"{what}.")
    output.show(output.indented(made))
    have = sum(any(one.type == kind for one in found) for found in told.values())
    say(f"The other {len(told) - have} organisations that could be told of somebody were not told of this.\n")
    if kind == RECEPTION:
        await _acknowledged(stage, owner, first)


def _complete(one: notice.Notice) -> bool:
    """A transfer is told when the person leaves, and again with where they have arrived."""
    return one.type != TRANSFER or bool(one.movement.prison_id)


def _role(organisation: str) -> str:
    return notices.roles()[organisation].replace("_", " ")


def _case_line(case: casework.CaseNotice) -> str:
    """All that a provider gets."""
    needed = case.needed_time.ToDatetime(UTC).astimezone(LONDON)
    what = output.word(casework.CaseNoticeKind, case.kind)
    asked = f"ask {case.referrer_desk}, {case.referrer_telephone}"
    return f"case {case.case_reference}: {what}, {needed:%-d %b %H:%M}; {asked}"


async def _acknowledged(stage: Stage, owner: str, told: notice.Notice) -> None:
    await notices.acknowledge(
        notices.place(owner, stage.data),
        tracking.AcknowledgeNoticeRequest(request_id=request_id(), notice_id=told.notice_id),
    )
    traced = await notices.traced(
        Session(stage.data, "ops", "ppo"), tracking.TraceNoticeRequest(notice_id=told.notice_id)
    )
    have = [one.organisation for one in traced.deliveries if one.HasField("acknowledged_time")]
    expect(have == [owner], f"{owner} alone to have acknowledged, not {have}")
    others = [one.organisation for one in traced.deliveries if one.organisation not in have]
    say(f"{owner} says that it has it. The trace of the notice: {', '.join(others)} not yet.\n")


async def _court_trip(stage: Stage, inmate: Inmate) -> None:
    journey = await _heard(stage, inmate, 3)
    told = {
        organisation: found
        for organisation in _readers()
        if (found := [one for one in await _notices(stage, organisation, inmate) if one.type in OF_PRISON])
    }
    expect(not told, f"nobody to be told of a court trip, not {', '.join(told)}")
    say(f"{named(inmate.person)} was “released” to court and is back. Nobody was told: that is no release.")
    say(f"His journey says: {cases.position(journey)}.\n")


async def _unknown(stage: Stage, those: prison_day.Inmates) -> None:
    """The same event once more, which says what became of it the first time."""
    unknown = prison_day.of_nobody(those)
    request = tracking.ReportMovementRequest(request_id=request_id(), movement=unknown)
    async with Session(stage.data, "importer", FORCE).tracking() as service:
        fate = (await service.ReportMovement(request, timeout=CALL_SECONDS)).fate
    expect(fate == tracking.MOVEMENT_FATE_REPEATED, "the event of an unknown number to be known already")
    say(
        f"{prison_day.UNKNOWN_NUMBER} is nobody on the list. Nobody was told, and the event is kept: should a"
    )
    say("flag ever carry that number, it is replayed.")


# ---- whose case it is


async def _ownership(stage: Stage, person: pb.Person) -> None:
    chapter(f"{named(person)}, arrested in {december.OFFENDED_IN}, turns out to live in {december.LIVES_IN}")
    inmate = await _inmate(stage, person)
    request = tracking.SetResidenceRequest(
        request_id=request_id(),
        nominal_id=inmate.nominal_id,
        kind=tracking.RESIDENCE_KIND_HOME,
        ocu=december.LIVES_IN,
        effective_time=timestamp(HOME_SINCE),
    )
    async with Session(stage.data, cases.MANAGER, december.LIVES_IN).tracking() as service:
        await service.SetResidence(request, timeout=CALL_SECONDS)

    async def decided() -> tracking.Ownership | None:
        found = await _owned(stage, inmate)
        return found if list(found.interested_ocus) == [december.OFFENDED_IN] else None

    ownership = await _until(f"{december.OFFENDED_IN} to have an interest", decided)
    expect(
        (ownership.owner, ownership.rule) == (december.LIVES_IN, "O6"),
        f"the case to be {december.LIVES_IN}'s by rule O6, not {ownership.owner}'s by {ownership.rule}",
    )
    for text in owners.sentences(ownership):
        say(text)
    await _at_the_desk(stage, inmate)


async def _at_the_desk(stage: Stage, inmate: Inmate) -> None:
    """Where the next arrest may be, the answer names the owner and the managers."""
    request = tracking.AssignManagersRequest(
        request_id=request_id(), nominal_id=inmate.nominal_id, police=POLICE, probation=PROBATION
    )
    async with Session(stage.data, cases.MANAGER, december.LIVES_IN).tracking() as service:
        await service.AssignManagers(request, timeout=CALL_SECONDS)
    checked = custody.CheckPersonRequest(
        person=pb.Person(identifiers=inmate.person.identifiers),
        suite_id=december.OFFENDED_IN,
        purpose=policy.PURPOSE_ARREST,
    )
    async with Session(stage.data, "custody_officer", december.OFFENDED_IN).custody() as desk:

        async def answered() -> custody.Answer | None:
            said = (await desk.CheckPerson(checked, timeout=CALL_SECONDS)).answer
            known = said.ownership.owner == december.LIVES_IN and said.police_manager == POLICE
            return said if known else None

        said = await _until(f"the desk in {december.OFFENDED_IN} to know whose case it is", answered)
    say(f"The police and the probation manager are named. The next desk in {december.OFFENDED_IN} will read:")
    output.show(answer.brief(said))


async def _owned(stage: Stage, inmate: Inmate) -> tracking.Ownership:
    request = tracking.ExplainOwnershipRequest(
        identifier=_nominal(inmate), purpose=policy.PURPOSE_OFFENDER_MANAGEMENT
    )
    return (await owners.explained(Session(stage.data, cases.MANAGER, december.LIVES_IN), request)).ownership


# ---- the month


async def _month(stage: Stage, workbook: Path) -> None:
    chapter("It is the first of January: December is closed")
    await _until("tracking to have heard of every test", lambda: _all_heard(stage.data))
    clock.move(stage.data, NEW_YEAR)
    officer = Session(stage.data, returns.ROLE, AREA)
    request = tracking.CloseMonthRequest(request_id=request_id(), area=AREA, month=MONTH)
    closed = await returns.closed(officer, request)
    say(f"Revision {closed.revision}, of {closed.counts_sent} counts. It balances, or it would not be there.")
    async with officer.returns() as service:
        measures = await returns.measured(service, AREA, MONTH)
        exported = await returns.workbook(service, contract.ExportReturnRequest(area=AREA, month=MONTH))
    told = [one for one in measures if one.published or _broken_down(one)]
    output.show(output.indented(returns.headlines(told)))
    _compare({(one.measure, one.category): one for one in measures})
    returns.write(workbook, exported)
    say("Where most of them are in the justice process nobody has told this suite, and it does not guess.")
    say(f"The workbook of the return is {workbook}")


def _broken_down(one: contract.StreamHeadlineMeasuresResponse) -> bool:
    """What nobody published, but each return has: why people were removed, and where they are."""
    return one.measure == "M5" or (one.measure in STAGES and not one.category)


def _compare(measures: Mapping[tuple[str, str], contract.StreamHeadlineMeasuresResponse]) -> None:
    counts = {place: measures[place].value for place in COUNTS}
    expect(counts == COUNTS, f"the published counts {COUNTS}, not {counts}")
    reasons = {place: one.value for place, one in measures.items() if place[0] == "M5" and place[1]}
    expect(reasons == REASONS, f"people to be removed for {REASONS}, not {reasons}")
    shares = {place: measures[place].per_cent for place in SHARES}
    expect(shares == SHARES, f"the published shares {SHARES}, not {shares}")
    stages = sum(measures[stage, ""].value for stage in STAGES)
    expect(stages == COUNTS["M1", ""], f"every PPO to be in one stage, not {stages}")


async def _all_heard(data: Path) -> bool | None:
    """By tracking's own metrics: everybody tested, and everything of those who are PPOs."""
    counted = await asyncio.to_thread(status.events_taken, data, "tracking")
    tests, others = counted.get(TESTED.full_name, 0), counted.get(COUNTED.full_name, 0)
    return True if tests >= december.PPOS and others >= NOT_PPOS else None


# ---- what the scenes share


async def _inmate(stage: Stage, person: pb.Person) -> Inmate:
    return Inmate(person, (await register.find(stage.keeper, person.identifiers[0].value)).nominal_id)


def _nominal(inmate: Inmate) -> pb.Identifier:
    return pb.Identifier(kind=pb.IDENTIFIER_KIND_NOMINAL_ID, value=inmate.nominal_id)


def _readers() -> list[str]:
    """All that read a list of their own; a provider has nothing but its topic."""
    return [one for one, role in notices.roles().items() if role not in notices.READERS]


async def _notices(stage: Stage, organisation: str, inmate: Inmate) -> list[notice.Notice]:
    request = tracking.ListNoticesRequest(purpose=policy.PURPOSE_OFFENDER_MANAGEMENT, page_size=500)
    async with notices.place(organisation, stage.data).tracking() as service:
        sent = (await service.ListNotices(request, timeout=CALL_SECONDS)).notices
    return [one for one in map(notices.read, sent) if one.nominal_id == inmate.nominal_id]


async def _casework(stage: Stage, kind: CaseKind, inmate: Inmate) -> dict[str, casework.CaseNotice]:
    """What providers find in their topics, which names nobody."""

    async def sent() -> dict[str, casework.CaseNotice] | None:
        found = {provider: await _case(stage.data, provider, kind) for provider in TOLD[kind]}
        whole = {provider: case for provider, case in found.items() if case is not None}
        return whole if len(whole) == len(found) else None

    told = await _until(f"{', '.join(TOLD[kind])} to be told", sent)
    for case in told.values():
        _refuse_names(case, inmate)
    return told


async def _case(data: Path, provider: str, kind: CaseKind) -> casework.CaseNotice | None:
    tail = broker.Tail(*kafka(data), f"casework.{provider}.v1")
    try:
        await tail.start({})
        read = [casework.CaseNotice.FromString(record.value or b"") for record in await tail.poll()]
        return next((case for case in read if case.kind == kind), None)
    finally:
        await tail.close()


def _refuse_names(case: casework.CaseNotice, inmate: Inmate) -> None:
    said = case.SerializeToString().decode(errors="replace").lower()
    names = (inmate.person.name.family_name, inmate.nominal_id, "ppo", prison_day.number(inmate.person))
    expect(not any(name.lower() in said for name in names), "a provider to be told of nobody by name")


async def _until(what: str, ask: Callable[[], Awaitable[T | None]]) -> T:
    deadline = time.monotonic() + PATIENCE
    while (found := await ask()) is None:
        expect(time.monotonic() < deadline, what)
        await asyncio.sleep(AGAIN_SECONDS)
    return found
