"""The history of whose case it is, in a real database: whole whoever writes, whatever comes first."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from google.type.date_pb2 import Date
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.cache import Bell
from services.runtime.database import Database, lock
from services.runtime.errors import Conflict
from services.tracking import corrections
from services.tracking.addresses import AREAS
from services.tracking.casefile import CaseFile, Entry
from services.tracking.corrections import Period
from services.tracking.models import Ownership, due
from services.tracking.settle import SETTLE, Settler
from services.tracking.store import casebook, facts, persons
from services.tracking.take import Taking
from services.tracking.telling import Teller
from services.tracking.watch import Board
from tests.integration.runtime.test_due import Still
from tests.integration.tracking import running
from tests.integration.tracking.running import Ppo
from tests.servers import Servers
from tests.unit.tracking import files
from tests.unit.tracking.files import BIRMINGHAM

REGISTERED = datetime(2005, 1, 6, 9, tzinfo=UTC)
DAY = timedelta(days=1)
# Everything is recorded after it happened, one thing an hour.
RECORDING = REGISTERED + 760 * DAY
HOLD = timedelta(minutes=45)
OCUS = ("D1", "D3", "E3", "F2")


@dataclass
class Desk:
    """Tracking's own code on a database of its own."""

    loop: asyncio.AbstractEventLoop
    url: str
    redis: str
    database: Database = field(init=False)
    settler: Settler = field(init=False)

    def __post_init__(self) -> None:
        self.database = Database(self.url, "tracking")
        self.settler = Settler(
            BIRMINGHAM, Teller(Board(self.database, Bell(self.redis, "test")), "2004-1", HOLD)
        )

    def __call__(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def flag(self, ppo: Ppo, now: datetime) -> None:
        async with self.database.transaction() as session:
            await lock(session, ppo.nominal_id)
            await persons.take(session, [ppo.flag()], now)
            await self.settler.settle(session, ppo.nominal_id, now)

    async def record(self, ppo: Ppo, entry: Entry, now: datetime) -> None:
        entry = entry._replace(id=f"{ppo.nominal_id} {entry.id}", recorded=now)
        async with self.database.transaction() as session:
            await facts.record(session, entry, nominal_id=ppo.nominal_id)
            await self.settler.settle(session, ppo.nominal_id, now, entry.occurred)

    async def ledger(self, ppo: Ppo) -> list[Period]:
        async with self.database.snapshot() as session:
            return await casebook.ledger(session, ppo.nominal_id)

    async def file(self, ppo: Ppo) -> CaseFile:
        async with self.database.snapshot() as session:
            person = await persons.person(session, ppo.nominal_id)
            assert person is not None
            return await self.settler.file(session, person)


class Stumbling(Teller):
    """Refuses one person."""

    def __init__(self, nominal_id: str, teller: Teller) -> None:
        self._refused, self._teller = nominal_id, teller

    async def tell(self, book: Any, held: Any, *told: Any) -> Any:
        if held.nominal_id == self._refused:
            raise Conflict("not this one")
        return await self._teller.tell(book, held, *told)


@pytest.fixture(scope="module")
def desk(servers: Servers) -> Iterator[Desk]:
    loop = asyncio.new_event_loop()
    with running.migrated(servers) as template, servers.database(template) as database:
        made = Desk(loop, database.url("tracking"), servers.redis.address)
        yield made
        made(made.database.close())
    loop.close()


def standing(ledger: Sequence[Period], at: datetime) -> list[tuple[datetime, pb.Ownership]]:
    return [(one.start, one.ownership) for one in corrections.known(ledger, at)]


def decided(file: CaseFile, at: datetime) -> list[tuple[datetime, pb.Ownership]]:
    return [(tenure.start, tenure.decision.ownership) for tenure in file.tenures(at)[0]]


# ---- histories whose facts come late and in any order

instants = st.integers(-60, 1500).map(lambda half_days: REGISTERED + timedelta(hours=12 * half_days))
kinds = st.sampled_from([kind for kind in pb.ResidenceKind.values() if kind])
ocus = st.sampled_from([*OCUS, "K1"])


def _residence(ocu: str, at: datetime, kind: Any, later: int | None) -> Entry:
    nowhere = kind == pb.RESIDENCE_KIND_NO_FIXED_ABODE
    return files.lives("" if nowhere else ocu, at, kind, handover=at + later * DAY if later else None)


known = st.one_of(
    st.builds(_residence, ocus, instants, kinds, st.none() | st.integers(1, 30)),
    st.builds(files.arrested, st.sampled_from(OCUS), instants),
    st.builds(lambda at: files.received(at), instants),
    st.builds(lambda at: files.released(at), instants),
    st.builds(files.disputed, st.sampled_from(OCUS), instants),
    st.builds(files.decided, st.sampled_from(OCUS), instants),
    st.builds(
        lambda at, day, ocu: files.planned(_date(day), ocu, at), instants, instants, st.just("") | ocus
    ),
)
# Of two things at one instant the one told later counts.
histories = st.lists(known, min_size=1, max_size=8, unique_by=lambda one: one.occurred)
ages = st.sampled_from(["1970-05-02", "1987-06-15", "1988-02-29"])


def _date(day: datetime) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def _by_real_time(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda one: one.occurred)


async def _told(desk: Desk, ppo: Ppo, entries: Sequence[Entry]) -> list[datetime]:
    """Recorded one after the other, an hour apart; returns when."""
    times = [RECORDING + n * timedelta(hours=1) for n in range(len(entries) + 1)]
    await desk.flag(ppo, times[0])
    for entry, now in zip(entries, times[1:], strict=True):
        await desk.record(ppo, entry, now)
    return times


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories, ages, st.randoms(use_true_random=False))
def test_whatever_comes_first_the_history_is_that_of_the_right_order(
    desk: Desk, entries: list[Entry], born: str, chance: Any
) -> None:
    late, right = (Ppo(start=REGISTERED, born=born) for _ in range(2))
    shuffled = chance.sample(entries, len(entries))

    # Told alike, but for the order: when a fact was recorded settles nothing of the ownership.
    times = desk(_told(desk, late, shuffled))
    desk(_told(desk, right, _by_real_time(entries)))

    found, expected = (standing(desk(desk.ledger(ppo)), times[-1]) for ppo in (late, right))
    assert found == expected


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories, ages)
def test_at_every_instant_as_known_at_every_instant_there_is_one_owner_and_the_ledger_says_which(
    desk: Desk, entries: list[Entry], born: str
) -> None:
    ppo = Ppo(start=REGISTERED, born=born)

    times = desk(_told(desk, ppo, entries))

    ledger, file = desk(desk.ledger(ppo)), desk(desk.file(ppo))
    for known_at in times:
        history = standing(ledger, known_at)
        assert history[0][0] == REGISTERED
        assert all(ownership.owner for _, ownership in history)
        assert all(one < other for (one, _), (other, _) in pairwise(history))
        assert history == decided(file.as_known(known_at), known_at)


def test_a_registration_found_to_have_ended_has_no_owner_from_its_end_on(desk: Desk) -> None:
    ppo = Ppo(start=REGISTERED)
    ended = REGISTERED + 100 * DAY
    desk(_told(desk, ppo, [files.lives("E3", REGISTERED), files.lives("F2", REGISTERED + 200 * DAY)]))

    ppo.end = ended
    desk(desk.flag(ppo, RECORDING + DAY))

    history = standing(desk(desk.ledger(ppo)), RECORDING + DAY)
    assert [(start, one.owner) for start, one in history] == [(REGISTERED, "E3"), (ended, "")]


def test_a_registration_found_to_have_begun_earlier_has_an_owner_from_then_on(desk: Desk) -> None:
    ppo = Ppo(start=REGISTERED)
    desk(_told(desk, ppo, [files.lives("E3", REGISTERED - 90 * DAY)]))

    ppo.start = REGISTERED - 30 * DAY
    desk(desk.flag(ppo, RECORDING + DAY))

    history = standing(desk(desk.ledger(ppo)), RECORDING + DAY)
    assert [(start, one.owner) for start, one in history] == [(ppo.start, "E3")]


# ---- concurrent writers


def test_concurrent_writers_leave_the_history_of_all_that_they_told(desk: Desk) -> None:
    ppo = Ppo(start=REGISTERED)
    facts_ = [files.lives(OCUS[n % 4], REGISTERED + 20 * n * DAY) for n in range(12)]
    desk(desk.flag(ppo, RECORDING))

    async def all_at_once() -> None:
        await asyncio.gather(
            *(desk.record(ppo, one, RECORDING + n * timedelta(hours=1)) for n, one in enumerate(facts_))
        )

    desk(all_at_once())

    history = standing(desk(desk.ledger(ppo)), RECORDING + DAY)
    assert history == decided(desk(desk.file(ppo)), RECORDING + DAY)
    owners = [
        [one.owner for start, one in history if start <= REGISTERED + 20 * n * DAY][-1] for n in range(12)
    ]
    assert owners == [OCUS[n % 4] for n in range(12)]


def _row(ppo: Ppo, at: datetime, owner: str) -> dict[str, Any]:
    ownership = pb.Ownership(owner=owner, rule="O5", state=pb.OWNERSHIP_STATE_ASSIGNED)
    return {
        "nominal_id": ppo.nominal_id,
        "effective_time": at,
        "owner": owner,
        "rule": "O5",
        "state": ownership.state,
        "recorded_time": RECORDING,
        "ownership": ownership.SerializeToString(),
    }


def test_of_two_writers_who_take_no_lock_the_database_refuses_one(desk: Desk) -> None:
    ppo = Ppo(start=REGISTERED)
    desk(desk.flag(ppo, RECORDING))
    at = REGISTERED + 10 * DAY

    async def write(owner: str) -> None:
        async with desk.database.transaction() as session:
            await session.execute(insert(Ownership).values(**_row(ppo, at, owner)))
            # Both have written before either commits.
            await asyncio.sleep(0)

    async def both() -> list[BaseException | None]:
        return list(await asyncio.gather(write("E3"), write("F2"), return_exceptions=True))

    refused = [one for one in desk(both()) if one is not None]
    assert [type(one) for one in refused] == [Conflict]
    assert "ownership_standing" in str(refused[0])


@pytest.mark.parametrize(
    ("owner", "state"), [("", pb.OWNERSHIP_STATE_ASSIGNED), ("E3", pb.OWNERSHIP_STATE_NONE)]
)
def test_the_database_holds_no_owner_of_nothing_and_no_case_of_nobody(
    desk: Desk, owner: str, state: int
) -> None:
    ppo = Ppo(start=REGISTERED)
    desk(desk.flag(ppo, RECORDING))

    async def write() -> None:
        async with desk.database.transaction() as session:
            row = _row(ppo, REGISTERED + 10 * DAY, owner) | {"state": state}
            await session.execute(insert(Ownership).values(**row))

    with pytest.raises(Conflict, match="ownership_owner_known"):
        desk(write())


# ---- what time alone brings


async def _due(desk: Desk, taking: Taking, one: Ppo) -> None:
    async with desk.database.transaction() as session:
        await due.drop(session, SETTLE, one.nominal_id)
        await taking.due(session, one.nominal_id)


async def _still_due(desk: Desk, now: datetime, kind: str = SETTLE) -> int:
    async with desk.database.transaction() as session:
        return len(await casebook.claim_due(session, kind, now, 1_000))


async def _redrawn(desk: Desk, taking: Taking, ppos: list[Ppo], at: datetime) -> None:
    async with desk.database.transaction() as session:
        for ppo in ppos:
            await due.put(session, AREAS, ppo.nominal_id, at)
    async with desk.database.transaction() as session:
        await due.drop(session, AREAS, ppos[0].nominal_id)
        await taking.redrawn(session, ppos[0].nominal_id)


def test_whose_boundary_has_moved_is_decided_with_the_others_whose_has(desk: Desk) -> None:
    ppos = [Ppo(start=REGISTERED, born="1987-06-15") for _ in range(12)]
    for ppo in ppos:
        desk(desk.flag(ppo, REGISTERED + DAY))
    birthday = datetime(2005, 6, 14, 23, tzinfo=UTC)

    desk(_redrawn(desk, Taking(desk.settler, Still(birthday)), ppos, birthday))

    last = [standing(desk(desk.ledger(ppo)), birthday)[-1] for ppo in ppos]
    assert {(start, one.owner, one.rule) for start, one in last} == {(birthday, "E3", "O8")}
    assert desk(_still_due(desk, birthday, AREAS)) == 0


def test_whoever_is_due_is_decided_with_the_others_who_are(desk: Desk) -> None:
    ppos = [Ppo(start=REGISTERED, born="1987-06-15") for _ in range(12)]
    for ppo in ppos:
        desk(desk.flag(ppo, REGISTERED + DAY))
    birthday = datetime(2005, 6, 14, 23, tzinfo=UTC)

    taking = Taking(desk.settler, Still(birthday))
    desk(_due(desk, taking, ppos[0]))

    last = [standing(desk(desk.ledger(ppo)), birthday)[-1] for ppo in ppos]
    assert {(start, one.owner, one.rule) for start, one in last} == {(birthday, "E3", "O8")}
    assert desk(_still_due(desk, birthday)) == 0


def test_who_cannot_be_decided_with_the_others_is_decided_alone(desk: Desk) -> None:
    first, other = (Ppo(start=REGISTERED, born="1987-06-15") for _ in range(2))
    for ppo in (first, other):
        desk(desk.flag(ppo, REGISTERED + DAY))
    birthday = datetime(2005, 6, 14, 23, tzinfo=UTC)
    settler = replace(desk.settler, teller=Stumbling(other.nominal_id, desk.settler.teller))

    desk(_due(desk, Taking(settler, Still(birthday)), first))

    assert [standing(desk(desk.ledger(ppo)), birthday)[-1][1].rule for ppo in (first, other)] == ["O8", "O11"]
