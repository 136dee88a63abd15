"""A prison's roll sent: flagging's answers, tracking's owners and contacts, and the dates handed over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from google.type.date_pb2 import Date
from rich.progress import Progress

from ppo.flagging.v1 import roll_pb2 as roll
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from ppo.tracking.v1 import tracking_pb2 as tracking
from ppo.tracking.v1.tracking_pb2_grpc import TrackingServiceStub
from services.console import cells, details, output, session
from services.console.cells import Refused
from services.console.lines import RowError
from services.console.rows import Cells
from services.console.stop import Stop, Unreachable
from services.runtime import channel
from services.runtime.reference import LONDON

COLUMNS = (
    "prison_number", "given_name", "family_name", "birth_date", "pnc_id", "reception_date",
    "planned_release_date",
)  # fmt: skip
NEEDED = ("prison_number", "family_name", "birth_date")
ROLE = "prison_offender_management_unit"

ROLL_SECONDS = 600.0
# As many as one message may hold.
TOGETHER = 1_000
# Each is a transaction of its own.
AT_ONCE = 8

RECORDED, UNCHANGED, NOT_TAKEN = "handed over", "known already", "not taken: send the roll again"


@dataclass(frozen=True)
class Prisoner:
    line: int
    number: str
    name: pb.Name
    born: Date
    pnc: str
    release: date | None


@dataclass
class Told:
    """What became of one prisoner's line."""

    prisoner: Prisoner
    answer: roll.RollAnswer
    contact: tracking.Contact | None = None
    # What became of the date of release; empty where none was handed over.
    release: str = ""

    @property
    def flagged(self) -> bool:
        return self.answer.outcome == screening.OUTCOME_FLAGGED


@dataclass
class Outcome:
    told: list[Told] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    # Why nothing is known of owners and contacts; empty where it is.
    outage: str = ""


# ---- the file


def read(path: Path, today: date) -> tuple[list[Prisoner], list[Refused]]:
    prisoners, refused = list[Prisoner](), list[Refused]()
    for line, row in cells.read(path, COLUMNS, NEEDED):
        try:
            prisoners.append(_prisoner(line, row, today))
        except RowError as wrong:
            refused.append(Refused(line, wrong.field, wrong.rule))
    return prisoners, refused


def _prisoner(line: int, row: Cells | RowError, today: date) -> Prisoner:
    if isinstance(row, RowError):
        raise row
    for column in NEEDED:
        if not row[column]:
            raise RowError(column, "is required")
    release = _release(row, today)
    name = pb.Name(given_name=row["given_name"], family_name=row["family_name"])
    return Prisoner(line, row["prison_number"], name, _born(row["birth_date"]), row["pnc_id"], release)


def _born(text: str) -> Date:
    try:
        return details.birth_date(text)
    except Stop as refusal:
        raise RowError("birth_date", str(refusal).partition(": ")[2]) from None


def _release(row: Cells, today: date) -> date | None:
    received, release = cells.day(row, "reception_date"), cells.day(row, "planned_release_date")
    if received and received > today:
        raise RowError("reception_date", "lies in the future")
    if received and release and release < received:
        raise RowError("planned_release_date", "lies before the reception")
    return release


# ---- what is asked


async def send(path: Path, place: session.Session) -> Outcome:
    prisoners, refused = read(path, place.clock().now().astimezone(LONDON).date())
    by_line = {one.line: one for one in prisoners}
    outcome = Outcome(refused=refused)
    with output.progress() as bar:
        async for response in _answers(place, prisoners, bar):
            if response.HasField("refusal"):
                told = response.refusal
                outcome.refused.append(Refused(response.line, told.field, told.rule))
            else:
                outcome.told.append(Told(by_line[response.line], response.answer))
        try:
            await _entrust(place, [told for told in outcome.told if told.flagged], bar)
        except Unreachable as outage:
            outcome.outage = str(outage)
    outcome.refused.sort()
    return outcome


async def _answers(
    place: session.Session, prisoners: Sequence[Prisoner], bar: Progress
) -> AsyncIterator[roll.ScreenRollResponse]:
    task = bar.add_task("Asking who is a PPO", total=len(prisoners))
    async with place.flagging() as service:
        async for response in service.ScreenRoll(map(_request, prisoners), timeout=ROLL_SECONDS):
            bar.advance(task)
            yield response


def _request(one: Prisoner) -> roll.ScreenRollRequest:
    """Without the dates: those are no business of the register."""
    return roll.ScreenRollRequest(
        purpose=policy.PURPOSE_PRISON_CUSTODY,
        line=one.line,
        prison_number=one.number,
        name=one.name,
        birth_date=one.born,
        pnc_id=one.pnc,
    )


async def _entrust(place: session.Session, ppos: Sequence[Told], bar: Progress) -> None:
    """Whose cases they are, and the dates of release to whom they matter."""
    if not ppos:
        return
    task = bar.add_task("Asking whose cases they are", total=len(ppos))
    async with place.tracking() as service:
        for start in range(0, len(ppos), TOGETHER):
            some = ppos[start : start + TOGETHER]
            request = tracking.ListContactsRequest(
                persons=[_asked(told.answer) for told in some], purpose=policy.PURPOSE_PRISON_CUSTODY
            )
            contacts = (await service.ListContacts(request, timeout=session.CALL_SECONDS)).contacts
            for told, contact in zip(some, contacts, strict=True):
                told.contact = contact
        turn = asyncio.Semaphore(AT_ONCE)
        for done in asyncio.as_completed([_hand_over(service, told, turn) for told in ppos]):
            await done
            bar.advance(task)


def _asked(answer: roll.RollAnswer) -> tracking.PersonAsked:
    return tracking.PersonAsked(nominal_id=answer.nominal_id, nominating_ocu=answer.nominating_ocu)


async def _hand_over(service: TrackingServiceStub, told: Told, turn: asyncio.Semaphore) -> None:
    day = told.prisoner.release
    if day is None:
        return
    request = tracking.PlanReleaseRequest(
        request_id=session.request_id(),
        nominal_id=told.answer.nominal_id,
        release_date=Date(year=day.year, month=day.month, day=day.day),
        date_alone=True,
    )
    async with turn:
        try:
            response = await service.PlanRelease(request, timeout=session.CALL_SECONDS)
        except channel.CallError as error:
            refused = [rule for field, rule in channel.violations(error) if field == "release_date"]
            # A flag of this moment is not there yet.
            if error.code().name != "NOT_FOUND" and not refused:
                raise
            told.release = f"not taken: {refused[0]}" if refused else NOT_TAKEN
        else:
            told.release = UNCHANGED if response.unchanged else RECORDED
