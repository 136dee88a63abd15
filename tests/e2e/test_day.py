"""An arrest, a movement and a month through the four real processes; and a day on which they are killed."""

import asyncio
import json
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import grpc
import pytest
from google.type.date_pb2 import Date

from ppo.custody.v1 import custody_pb2 as custody
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.returns.v1 import returns_pb2 as returns
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.runtime import channel
from tests.e2e import suite
from tests.e2e.suite import DEAD, HMPPS, LATE, Prisons, Processes, Told, told, without_repeats
from tests.integration.custody import running
from tests.integration.custody.running import AGREED, PATIENTLY, Desk, somebody
from tests.integration.tracking.running import hmpps, prison_number, stamp
from tests.servers import REFERENCE, Running, Servers

T = TypeVar("T")

SEED = 2004
OCUS = ("D1", "D2", "D3", "E1", "E2", "E3", "F1", "F2", "F3")
NOVEMBER, DECEMBER = Date(year=2004, month=11), Date(year=2004, month=12)
NEW_YEAR = datetime(2005, 1, 1, 9, tzinfo=UTC)
QUIET_SECONDS = 60


def december(day: int, hour: int = 9) -> datetime:
    return datetime(2004, 12, day, hour, tzinfo=UTC)


def numbered(number: str) -> person_pb2.Person:
    person = somebody()
    person.identifiers.append(prison_number(number))
    return person


async def close(processes: Processes, month: Date, request_id: str = "") -> tracking.CloseMonthResponse:
    request = tracking.CloseMonthRequest(
        request_id=request_id or str(uuid4()), area="birmingham", month=month
    )
    async with suite.tracking_as(processes, "returns_officer", "birmingham") as officer:
        return await officer.CloseMonth(request, **PATIENTLY)


async def closed(processes: Processes, month: Date) -> tuple[returns.Return, Mapping[str, int]]:
    """The return of a month, and its headline measures but for their parts."""
    get = returns.GetReturnRequest(area="birmingham", month=month)
    asked = returns.StreamHeadlineMeasuresRequest(area="birmingham", first_month=month, last_month=month)
    async with suite.returns_as(processes, "returns_officer", "birmingham") as officer:
        got = await officer.GetReturn(get, **PATIENTLY)
        measures = [one async for one in officer.StreamHeadlineMeasures(asked, **PATIENTLY)]
    return got.monthly_return, {one.measure: one.value for one in measures if not one.category}


# ---- an arrest, a movement, a month

# A prison's management unit and its drug workers.
BIRMINGHAM, FEATHERSTONE = ("BMI", "carat-bmi"), ("FSI", "carat-fsi")
TOLD_OF_THE_ARREST = [
    *((to, "PPO_FLAG_SET") for to in ("E3", "probation-5")),
    # D3, where the offence was, has an interest in the case of E3.
    *((to, "PPO_ARRESTED") for to in ("E3", "probation-5", "D3", "arrest-referral-d")),
    ("drug-solutions-birmingham", "DRUG_TEST_ROUTED"),
]
TOLD_OF_THE_RECEPTION = [
    *((to, "PRISON_RECEPTION") for to in ("E3", "probation-5", *BIRMINGHAM)),
    ("birmingham-housing", "HOUSING_NEEDED"),
]
TOLD_OF_THE_RELEASE = [
    *((to, "RELEASED") for to in ("E3", "probation-5", "D3", "drug-solutions-birmingham")),
    *((to, "AVAILABLE_FROM") for to in ("birmingham-housing", "eespro")),
]
# A fortnight after two came onto the list.
TOLD_TO_REVIEW = [
    (to, "REVIEW_DUE") for to in ("E3", "probation-5", "forum-e3-west", "F1", "probation-6", "forum-f1")
]
TOLD_OF_THE_OTHERS = [
    *((to, "PPO_FLAG_SET") for to in ("F1", "probation-6", "D1", "probation-1")),
    *((to, "PPO_FLAG_CLEARED") for to in ("D1", "probation-1")),
]


@dataclass
class Story:
    """One who lives in E3 and is arrested in D3; one who comes onto the list; one who leaves it."""

    processes: Processes
    desk: Desk
    prisons: Prisons
    ppo: person_pb2.Person = field(default_factory=lambda: numbered("A1000BC"))

    async def register(self) -> None:
        nominal_id = await self.desk.flagged(self.ppo, "E3")
        await self.desk.flagged(somebody(), "F1")
        leaver = await self.desk.flag(await self.desk.nominal(somebody()), "D1")
        await suite.quiet(self.processes, 6, QUIET_SECONDS)
        await self.lives_in_e3(nominal_id)
        await self.desk.plan_exit(leaver)
        self.processes.move_clock(december(8))
        await self.desk.remove(leaver)

    async def lives_in_e3(self, nominal_id: str) -> None:
        request = tracking.SetResidenceRequest(
            request_id=str(uuid4()),
            nominal_id=nominal_id,
            kind=tracking.RESIDENCE_KIND_HOME,
            ocu="E3",
            effective_time=stamp(december(1) - timedelta(days=30)),
        )
        async with suite.tracking_as(self.processes, "police_offender_manager", "E3") as manager:
            await manager.SetResidence(request, **PATIENTLY)

    async def arrest(self) -> None:
        self.processes.move_clock(december(10))
        booking = self.desk.booking(self.ppo)
        booking.arrested_time.CopyFrom(stamp(december(10, 8)))
        officer = await self.desk.custody()
        detention = (await officer.BookIn(booking, **PATIENTLY)).detention.detention_id
        tested = custody.RecordDrugTestRequest(
            request_id=str(uuid4()),
            detention_id=detention,
            result=custody.TEST_RESULT_POSITIVE,
            drug=custody.DRUG_HEROIN,
            tested_time=stamp(self.processes.now),
        )
        await officer.RecordDrugTest(tested, **PATIENTLY)
        disposed = custody.RecordDisposalRequest(
            request_id=str(uuid4()),
            detention_id=detention,
            disposal=custody.DISPOSAL_CHARGED_AND_HELD_FOR_COURT,
            disposed_time=stamp(self.processes.now),
        )
        await officer.RecordDisposal(disposed, **PATIENTLY)

    async def move(self, at: datetime, name: str, reason: str, code: str) -> None:
        self.processes.move_clock(at + timedelta(hours=1))
        event = hmpps(name, "A1000BC", at, reason, "BMI", code)
        await self.prisons.publish("A1000BC", json.dumps(event).encode())

    async def told(self, many: int) -> list[tuple[str, str]]:
        """All that was news to anybody, once so much is written and sent."""
        await suite.quiet(self.processes, many, QUIET_SECONDS)
        found = await asyncio.to_thread(told, self.processes.kafka)
        news = [one for one in found if one.what != LATE and not one.silent]
        return sorted((one.organisation, one.what) for one in news)


@pytest.mark.timeout(400)
async def test_an_arrest_a_movement_and_a_month_reach_who_must_know_and_nobody_else(
    servers: Servers, tmp_path: Path
) -> None:
    with (
        suite.started(servers, tmp_path, december(1)) as processes,
        closing(Prisons(processes.kafka)) as prisons,
    ):
        async with running.desk(processes, "D3") as desk:
            story = Story(processes, desk, prisons)
            await story.register()
            await story.arrest()
            expected = sorted([*TOLD_OF_THE_OTHERS, *TOLD_OF_THE_ARREST])
            assert await story.told(len(expected)) == expected

            await story.move(december(13), "received", "ADMISSION", "N")
            expected = sorted([*expected, *TOLD_OF_THE_RECEPTION])
            assert await story.told(len(expected)) == expected

            await story.move(december(20), "released", "RELEASED", "CR")
            expected = sorted([*expected, *TOLD_TO_REVIEW, *TOLD_OF_THE_RELEASE])
            assert await story.told(len(expected)) == expected

        processes.move_clock(NEW_YEAR)
        await close(processes, DECEMBER)
        made, measures = await closed(processes, DECEMBER)

    assert (made.state, made.revision) == (returns.RETURN_STATE_CHECKED, 1)
    assert [measures[one] for one in ("M1", "M5", "M6")] == [3, 1, 3]
    assert [measures[one] for one in ("M7", "M8", "M9")] == [1, 1, 1]
    assert [measures[one] for one in ("M10", "M11", "M12", "M13", "M14")] == [0, 0, 1, 0, 2]


# ---- a day of movements and kills

PRISONERS = 40
NEWCOMERS = 4
ARRESTED = 6
REPEATS = 60
KILLS_OF_EACH = 2
DAY = december(31, 20)
CASE = ("ocu", "probation")


class Notice(NamedTuple):
    what: str
    revision: int
    to: Sequence[str]
    state: str = "PROVISIONAL"


class Move(NamedTuple):
    hour: int
    name: str
    reason: str
    code: str
    prison: str = "BMI"


RECEIVED = Move(7, "received", "ADMISSION", "N")
TO_COURT = Move(8, "released", "SENT_TO_COURT", "CRT")
FROM_COURT = Move(16, "received", "RETURN_FROM_COURT", "CRT")
LEFT = Move(10, "released", "TRANSFERRED", "NOTR")
ARRIVED = Move(14, "received", "TRANSFERRED", "INT", "FSI")
RELEASED = Move(18, "released", "RELEASED", "CR")

FLAGGED = [Notice("PPO_FLAG_SET", 1, CASE, "CONFIRMED")]
TAKEN_IN = [
    Notice("PRISON_RECEPTION", 1, (*CASE, *BIRMINGHAM)),
    Notice("HOUSING_NEEDED", 1, ["birmingham-housing"]),
]
LET_OUT = [Notice("RELEASED", 1, CASE), Notice("AVAILABLE_FROM", 1, ["birmingham-housing", "eespro"])]
MOVED = [
    Notice("PRISON_TRANSFER", 1, (*CASE, *BIRMINGHAM)),
    Notice("PRISON_TRANSFER", 2, (*CASE, *BIRMINGHAM, *FEATHERSTONE)),
]
# The arrival names both prisons; the departure that comes after it says when and why.
MOVED_BACKWARDS = [
    Notice("PRISON_TRANSFER", revision, (*CASE, *BIRMINGHAM, *FEATHERSTONE)) for revision in (1, 2)
]
SEIZED = [Notice("PPO_ARRESTED", 1, (*CASE, "arrest referral"))]

# What is published of a prisoner in this order, and what is told of it.
REMANDED = ([RECEIVED], TAKEN_IN)
LIVES: Sequence[tuple[Sequence[Move], Sequence[Notice]]] = (
    REMANDED,
    ([RECEIVED, TO_COURT, FROM_COURT, RELEASED], [*TAKEN_IN, *LET_OUT]),
    ([RECEIVED, LEFT, ARRIVED], [*TAKEN_IN, *MOVED]),
    ([RELEASED, RECEIVED], [*TAKEN_IN, *LET_OUT]),
    ([RECEIVED, ARRIVED, LEFT], [*TAKEN_IN, *MOVED_BACKWARDS]),
)
UNKNOWN_NUMBER = "A9999BC"


@dataclass
class Prisoner:
    number: str
    ocu: str
    moves: Sequence[Move]
    notices: list[Notice]
    nominal_id: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [moved(self.number, move) for move in self.moves]


def moved(number: str, move: Move, at: datetime | None = None) -> dict[str, Any]:
    return hmpps(move.name, number, at or december(31, move.hour), move.reason, move.prison, move.code)


def prisoners() -> list[Prisoner]:
    lives = [LIVES[place % len(LIVES)] for place in range(PRISONERS)]
    return [
        Prisoner(f"A{1000 + place}BC", OCUS[place % len(OCUS)], moves, [*FLAGGED, *notices])
        for place, (moves, notices) in enumerate(lives)
    ]


def shuffled(people: Sequence[Prisoner], chance: Random) -> list[tuple[str, bytes]]:
    """Each prisoner's events in their order, all among each other, and repeats of some of them later."""
    order = [one.number for one in people for _ in one.moves]
    chance.shuffle(order)
    streams = {one.number: iter(one.events) for one in people}
    events = [next(streams[number]) for number in order]
    for place in sorted(chance.sample(range(len(events)), REPEATS), reverse=True):
        # A prison that publishes again says when.
        again = events[place] | chance.choice([{}, {"publishedAt": "2004-12-31T19:00:00Z"}])
        events.insert(chance.randint(place + 1, len(events)), again)
    return [(event["additionalInformation"]["nomsNumber"], json.dumps(event).encode()) for event in events]


def strays() -> list[tuple[str, bytes]]:
    """Somebody whom nobody knows, which is no dead letter."""
    return [
        (UNKNOWN_NUMBER, json.dumps(moved(UNKNOWN_NUMBER, move)).encode()) for move in (RECEIVED, RELEASED)
    ]


def bad() -> dict[str, bytes]:
    huge = moved(UNKNOWN_NUMBER, RECEIVED) | {"description": "x" * 10_000_000}
    return {
        "malformed": b"\xff{not json",
        "huge": json.dumps(huge).encode(),
        "wrong-number": json.dumps(moved("12345", RECEIVED)).encode(),
        "impossible": json.dumps(
            moved("A9998BC", RECEIVED) | {"occurredAt": "2004-02-30T09:00:00Z"}
        ).encode(),
    }


# Answers that only say that a process was killed under the call, or has not yet started again.
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


async def answered(call: Callable[[], Awaitable[T]]) -> T:
    """The answer, however often who gives it is killed; the call is the same each time."""
    while True:
        try:
            return await call()
        except channel.CallError as error:
            if error.code() not in AWAY:
                raise


@dataclass
class Day:
    """Prisons publish, suites book in, a forum decides and a clerk closes a month, whoever is killed."""

    processes: Processes
    desk: Desk
    prisons: Prisons
    chance: Random
    people: list[Prisoner]
    newcomers: list[tuple[Prisoner, flagging.Registration]] = field(default_factory=list)
    arrested: list[tuple[Prisoner, person_pb2.Person]] = field(default_factory=list)
    closings: list[tracking.CloseMonthResponse] = field(default_factory=list)

    async def before(self) -> None:
        remanded = [one for one in self.people if one.moves == REMANDED[0]]
        for one in self.people:
            person = numbered(one.number)
            one.nominal_id = await self.desk.flagged(person, one.ocu)
            if one in remanded[:ARRESTED]:
                one.notices += SEIZED
                self.arrested.append((one, person))
        for place in range(NEWCOMERS):
            await self.nominate(f"A{2000 + place}BC", OCUS[place])
        await suite.quiet(self.processes, len(CASE) * len(self.people), QUIET_SECONDS)
        self.processes.move_clock(DAY)

    async def nominate(self, number: str, ocu: str) -> None:
        """Somebody who is taken into prison before the forum decides, and let out after."""
        notices = [
            Notice("PPO_FLAG_SET", 1, (*CASE, "BMI"), "CONFIRMED"),
            Notice("PPO_IDENTIFIED_IN_CUSTODY", 1, ["BMI"], "CONFIRMED"),
            *LET_OUT,
        ]
        newcomer = Prisoner(number, ocu, [RECEIVED], notices, await self.desk.nominal(numbered(number)))
        request = flagging.NominatePpoRequest(
            request_id=str(uuid4()),
            nominal_id=newcomer.nominal_id,
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            criteria=[flagging.CRITERION_VOLUME],
            nominating_ocu=ocu,
        )
        keeper = await self.desk.register()
        self.newcomers.append((newcomer, (await keeper.NominatePpo(request, **PATIENTLY)).registration))

    async def publish(self) -> None:
        records = shuffled(self.people, self.chance)
        for stray in [*strays(), *bad().items()]:
            records.insert(self.chance.randint(0, len(records)), stray)
        for key, content in records:
            await self.prisons.publish(key, content)
            await asyncio.sleep(self.chance.uniform(0, 0.2))

    async def book(self) -> None:
        for prisoner, person in self.arrested:
            suite_desk = Desk(self.processes, prisoner.ocu, self.desk.stack)
            booking = suite_desk.booking(person)
            booking.arrested_time.CopyFrom(stamp(DAY - timedelta(hours=1)))
            officer = await suite_desk.custody()
            await answered(partial(officer.BookIn, booking, **PATIENTLY))
            await asyncio.sleep(self.chance.uniform(1, 3))

    async def decide(self) -> None:
        for newcomer, registration in self.newcomers:
            [received] = newcomer.events
            await self.prisons.publish(newcomer.number, json.dumps(received).encode())
            await self.until("SELECT prison_number FROM tracking.parked", newcomer.number)
            await self.activate(registration)
            await self.until("SELECT nominal_id FROM tracking.person", newcomer.nominal_id)
            released = moved(newcomer.number, RELEASED, self.processes.now)
            await self.prisons.publish(newcomer.number, json.dumps(released).encode())

    async def activate(self, registration: flagging.Registration) -> None:
        request = flagging.DecideNominationRequest(
            request_id=str(uuid4()),
            registration_id=registration.registration_id,
            decision=flagging.NOMINATION_DECISION_ACTIVATE,
            forum_id="forum-d1",
            votes=AGREED,
        )
        keeper = await self.desk.register()
        await answered(partial(keeper.DecideNomination, request, **PATIENTLY))

    async def until(self, query: Any, value: str) -> None:
        while (value,) not in await asyncio.to_thread(self.processes.rows, query):
            await asyncio.sleep(0.2)

    async def close_months(self) -> None:
        while True:
            closing = partial(close, self.processes, NOVEMBER, str(uuid4()))
            self.closings.append(await answered(closing))
            await asyncio.sleep(1)

    async def kill(self) -> None:
        victims: list[Running] = self.processes.all * KILLS_OF_EACH
        self.chance.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(self.chance.uniform(0, 0.5))
            await asyncio.to_thread(victim.start)

    async def pass_(self) -> None:
        clerk = asyncio.create_task(self.close_months())
        await asyncio.gather(self.publish(), self.book(), self.decide(), self.kill())
        clerk.cancel()
        await asyncio.wait([clerk])

    @property
    def expected(self) -> Counter[tuple[str, str, str, int, str]]:
        """What each organisation is told: itself, of whom, what, in which revision and state."""
        everybody = [*self.people, *(newcomer for newcomer, _ in self.newcomers)]
        return Counter(
            (to, one.nominal_id, notice.what, notice.revision, notice.state)
            for one in everybody
            for notice in one.notices
            for to in receivers(notice, one.ocu)
        )


def receivers(notice: Notice, ocu: str) -> Iterator[str]:
    named = {"ocu": ocu, "probation": office(ocu), "arrest referral": f"arrest-referral-{ocu[0].lower()}"}
    return (named.get(to, to) for to in notice.to)


def office(ocu: str) -> str:
    with (REFERENCE / "probation_offices.toml").open("rb") as file:
        rows = tomllib.load(file)["probation_offices"]
    return str(next(row["id"] for row in rows if ocu in row["ocus"]))


def counted(processes: Processes, kept: Sequence[Told]) -> Counter[tuple[str, str, str, int, str]]:
    """As `Day.expected`: providers know a person by the case reference alone."""
    nominals = dict(processes.rows("SELECT case_reference, nominal_id FROM tracking.person"))
    return Counter(
        (one.organisation, nominals.get(one.key, one.key), one.what, one.revision, one.state)
        for one in kept
        if one.what != LATE
    )


def sequences(kept: Sequence[Told]) -> list[list[int]]:
    """Those of each key in each topic."""
    found: dict[tuple[str, str], list[int]] = {}
    for one in kept:
        found.setdefault((one.topic, one.key), []).append(one.sequence)
    return list(found.values())


def ledger(processes: Processes) -> list[tuple[str, str, str]]:
    rows = processes.rows("SELECT topic, key, notice_id || '/' || revision FROM tracking.delivery")
    return sorted((topic, key, event_id) for topic, key, event_id in rows)


def refuser(letter: Any) -> str:
    headers = {name: text.decode() for name, text in letter.headers}
    return str(headers["dead_group"])


@pytest.mark.timeout(600)
async def test_whoever_is_killed_each_organisation_is_told_what_it_must_be_once(
    servers: Servers, tmp_path: Path
) -> None:
    """Eight kills (SIGKILL), two of each process, while 40 prisoners move.

    About 180 records come from prisons: 104 movements of the forty, of whom 16 are told in the wrong order,
    60 repeats, two of an unknown number and four that are no movement (not JSON, 10 MB, a wrong number, an
    impossible date). Meanwhile six of the forty are booked in at a suite, four more people come onto the list
    between a movement before that and one after it, and a month is closed again and again.
    """
    chance = Random(SEED)
    with (
        suite.started(servers, tmp_path, december(30)) as processes,
        closing(Prisons(processes.kafka)) as prisons,
    ):
        async with running.desk(processes, "D3") as desk:
            day = Day(processes, desk, prisons, chance, prisoners())
            await day.before()
            await day.pass_()
            await suite.quiet(processes, day.expected.total(), QUIET_SECONDS)
        found = without_repeats(told(processes.kafka))
        letters = suite.records(processes.kafka, DEAD)
        people = counted(processes, found)
        rows = ledger(processes)
        parked = processes.rows("SELECT DISTINCT prison_number FROM tracking.parked")
        november, _ = await closed(processes, NOVEMBER)
        processes.move_clock(NEW_YEAR)
        await close(processes, DECEMBER)
        _, measures = await closed(processes, DECEMBER)

    assert people == day.expected
    assert sorted((one.topic, one.key, one.event_id) for one in found) == rows
    assert all(numbers == [*range(1, len(numbers) + 1)] for numbers in sequences(found))
    assert {(one.topic, one.key.decode(), refuser(one)) for one in letters} == {
        (f"{HMPPS}.dead", key, service) for key in bad() for service in ("flagging", "tracking")
    }
    assert parked == [(UNKNOWN_NUMBER,)]
    assert november.revision == len({one.revision for one in day.closings})
    assert [measures[one] for one in ("M1", "M6", "M8")] == [PRISONERS + NEWCOMERS, PRISONERS + NEWCOMERS, 0]
