"""Whatever nominals are merged, unmerged, registered and imported, the flags say what a model says."""

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

import grpc
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from ppo.flagging.v1 import events_pb2
from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.custody.replica import Replica
from services.flagging.fields import stamp
from services.flagging.models import SCHEMA
from services.runtime.channel import reason
from tests import servers
from tests.builders import person, pnc_id
from tests.integration.flagging.service import DAY, NOON, Service

FLAGGED = screening_pb2.OUTCOME_FLAGGED
MANY = 4
# No example meets the people of another.
SERIALS = count(1)
SOURCES = count(1)


class Try(NamedTuple):
    what: str
    one: int
    other: int = 0


@dataclass(eq=False)
class Held:
    """A registration."""

    owner: int
    start: datetime
    end: datetime | None = None
    annulled: bool = False
    yields_to: "Held | None" = None
    merged: datetime | None = None
    real: pb.Registration = field(default_factory=pb.Registration)

    @property
    def live(self) -> bool:
        return self.end is None and not self.annulled and self.yields_to is None


@dataclass
class Model:
    """Four nominals: who lives on in whom, who is registered, who has which names and numbers."""

    persons: list[person_pb2.Person]
    into: dict[int, int] = field(default_factory=dict)
    registrations: list[Held] = field(default_factory=list)
    # Of whom anything was published.
    told: set[int] = field(default_factory=set)

    def living(self, one: int) -> int:
        return self.living(self.into[one]) if one in self.into else one

    def family(self, one: int) -> list[int]:
        first = self.living(one)
        others = [other for other in range(MANY) if other != first and self.living(other) == first]
        return [first, *others]

    def of(self, one: int) -> list[Held]:
        return [held for held in self.registrations if held.owner in self.family(one)]

    def live(self, one: int) -> Held | None:
        return next((held for held in self.of(one) if held.live), None)

    def merge(self, one: int, into: int, now: datetime) -> str:
        if one in self.into:
            return "MERGED_ALREADY"
        if self.living(into) == one:
            return "MERGES_IN_A_CIRCLE"
        rivals = [held for held in (self.live(one), self.live(into)) if held]
        self.into[one] = into
        _decide(rivals, now)
        return ""

    def unmerge(self, one: int, now: datetime) -> str:
        if one not in self.into:
            return "NOT_MERGED"
        other = self.into.pop(one)
        parts = [self.of(one), self.of(other)]
        heirs = {held: _heir(held, part) for part in parts for held in part}
        for part in parts:
            rivals = [held for held in part if held.live or (held.yields_to and not heirs[held])]
            for held in part:
                held.yields_to = heirs[held] if held.yields_to and heirs[held] else held.yields_to
            _decide(rivals, now)
        return ""

    def flag(self, one: int) -> dict[str, Any]:
        """What its flag says, but for versions and times of recording."""
        if one in self.into:
            return _said("MERGED_INTO", [self.persons[one]], [], self.living(one))
        counted = sorted((held for held in self.of(one) if not held.annulled), key=lambda held: held.start)
        state = "FLAGGED" if self.live(one) else "NOT_FLAGGED"
        episodes = [
            (
                held.real.registration_id,
                held.start,
                held.merged or held.end,
                held.merged is not None,
                held.owner,
            )
            for held in counted
        ]
        return _said(state, [self.persons[each] for each in self.family(one)], episodes, one)

    def tell(self) -> None:
        for one in range(MANY):
            if self.told.intersection(self.family(one)) or any(not held.annulled for held in self.of(one)):
                self.told.update(self.family(one))


def _heir(held: Held, part: list[Held]) -> Held | None:
    heir = held.yields_to
    while heir is not None and heir not in part:
        heir = heir.yields_to
    return heir


def _decide(rivals: list[Held], now: datetime) -> None:
    first = min(rivals, key=lambda held: held.start, default=None)
    for held in rivals:
        away = held is not first
        held.yields_to = first if away else None
        held.merged = (held.merged or now) if away else None


def _said(state: str, persons: list[person_pb2.Person], episodes: list[Any], living: int) -> dict[str, Any]:
    names = [name for each in persons for name in (each.name, *each.aliases)]
    numbers = sorted(one.value for each in persons for one in each.identifiers)
    return {
        "state": state,
        "name": str(names[0]),
        "aliases": {str(name) for name in names[1:]},
        "numbers": numbers,
        "episodes": episodes,
        "living": living,
    }


@dataclass
class Case:
    """The model beside the real register."""

    service: Service
    model: Model
    ids: list[str]
    source: str

    def read(self, flag: events_pb2.Flag) -> dict[str, Any]:
        own = self.ids.index(flag.nominal_id)
        episodes = [
            (
                one.registration_id,
                _time(one.effective_start_time),
                _time(one.effective_end_time) if one.HasField("effective_end_time") else None,
                one.merged,
                self.ids.index(one.nominal_id or flag.nominal_id),
            )
            for one in flag.episodes
        ]
        state = screening_pb2.FlagState.Name(flag.state).removeprefix("FLAG_STATE_")
        return _said(
            state, [flag.person], episodes, self.ids.index(flag.merged_into) if flag.merged_into else own
        )

    async def published(self) -> list[events_pb2.Flag]:
        """All of them, in the order of their versions."""
        async with self.service.database.transaction() as session:
            asked = text(
                "SELECT payload FROM outbox WHERE event_type LIKE '%Flag' AND key = ANY(:ids) ORDER BY id"
            )
            return [
                events_pb2.Flag.FromString(row) for row in await session.scalars(asked, {"ids": self.ids})
            ]

    async def registrations(self) -> list[dict[str, Any]]:
        async with self.service.database.transaction() as session:
            asked = text("SELECT * FROM registration WHERE nominal_id = ANY(CAST(:ids AS uuid[])) ORDER BY 1")
            rows = await session.execute(asked, {"ids": self.ids})
            return [
                {name: value for name, value in row._mapping.items() if name != "version"} for row in rows
            ]

    async def flags(self) -> dict[int, dict[str, Any]]:
        latest = {self.ids.index(flag.nominal_id): flag for flag in await self.published()}
        return {one: self.read(flag) for one, flag in latest.items()}

    async def attempt(self, tried: Try) -> None:
        service, model, now = self.service, self.model, self.service.clock.now()
        one, other = tried.one, tried.other
        match tried.what:
            case "register":
                await self._register(one, now)
            case "remove" if held := model.live(one):
                await service.remove(await service.plan_exit(held.real), effective_time=stamp(now))
                held.end = now
            case "annul" if held := model.live(one):
                await service.annul(held.real)
                held.annulled = True
            case "import":
                model.persons[one].identifiers.append(pnc_id(next(SERIALS)))
                await self._load(one)
            case "merge" if one != other:
                assert await _refused(service.merge(self.ids[one], self.ids[other])) == model.merge(
                    one, other, now
                )
            case "unmerge":
                assert await _refused(service.unmerge(self.ids[one])) == model.unmerge(one, now)
            case "try" if one != other:
                await self._there_and_back(one, other)
        model.tell()

    async def _register(self, one: int, now: datetime) -> None:
        if self.model.live(one):
            assert await _refused(self.service.nominate(self.ids[one])) == "ON_REGISTER"
            return
        real = await self.service.active(self.ids[one])
        self.model.registrations.append(Held(self.model.living(one), now, real=real))

    async def _load(self, one: int) -> None:
        row = pb.ImportNominalsRequest(
            request_id="1", source=self.source, source_reference=str(one), person=self.model.persons[one]
        )
        assert (await self.service.load_rows(row)).refused == 0

    async def _there_and_back(self, one: int, other: int) -> None:
        """Merged and unmerged, both are as they were."""
        before, registrations = await self.flags(), await self.registrations()
        if await _refused(self.service.merge(self.ids[one], self.ids[other])):
            return
        self.service.clock.at += DAY
        family = self.model.family(one) + self.model.family(other)
        await self.service.unmerge(self.ids[one])

        after = await self.flags()
        if self.model.told.intersection(family):
            self.model.told.update(family)
        assert await self.registrations() == registrations
        assert {each: after[each] for each in before} == before
        assert all(not after[each]["episodes"] for each in after.keys() - before.keys())

    async def agree(self) -> None:
        found = await self.flags()
        assert found == {one: self.model.flag(one) for one in self.model.told}

    async def replicas_agree(self, seed: int) -> None:
        """Custody's copy, whatever the order in which partitions bring the flags, answers as the register."""
        replica, flags = Replica(), await self.published()
        for flag in sorted(
            flags, key=lambda flag: (random.Random(f"{seed} {flag.nominal_id}").random(), flag.version)
        ):
            replica.apply(flag)
        for one in range(MANY):
            asked = person_pb2.Person(identifiers=self.model.persons[one].identifiers[:1])
            register = await self.service.screen(asked)
            copy = replica.screen(asked, fingerprint=False, now=self.service.clock.now(), false_alarms=0.01)
            expected = [self.ids[self.model.living(one)]] if self.model.live(one) else []
            for answer in (register, copy):
                named = [each.nominal_id for each in answer.candidates if answer.outcome == FLAGGED]
                assert named == expected
            if one in self.model.told:
                led = replica.flag(self.ids[one])
                assert led is not None
                assert led.nominal_id == self.ids[self.model.living(one)]


async def _refused(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason(error)
    return ""


def _time(given: Any) -> datetime:
    return given.ToDatetime(NOON.tzinfo)  # type: ignore[no-any-return]


async def live_through(url: str, history: list[Try], seed: int) -> None:
    async with AsyncExitStack() as stack:
        service = await Service.start(url, stack)
        names = ("Kane", "Oduya", "Whitlock", "Szabo")
        persons = [person("Lee", name, identifiers=[pnc_id(next(SERIALS))]) for name in names]
        case = Case(service, Model(persons), [], f"source {next(SOURCES)}")
        for one in range(MANY):
            await case._load(one)
            case.ids.append((await service.read(persons[one].identifiers[0])).nominal_id)
        for tried in history:
            service.clock.at += DAY
            await case.attempt(tried)
            await case.agree()
        await case.replicas_agree(seed)


nominals = st.integers(0, MANY - 1)
kinds = st.sampled_from(
    ["register", "register", "merge", "merge", "unmerge", "unmerge", "try", "remove", "annul", "import"]
)
# Each into each, in a chain that comes apart in its middle.
CHAIN = [
    *(Try("register", one) for one in (2, 0, 1)),
    Try("merge", 0, 1),
    Try("merge", 1, 2),
    Try("import", 0),
    Try("unmerge", 0),
    Try("unmerge", 1),
]
# Who yields to somebody who goes away yields on to the one whom that one had yielded to.
YIELDING = [*CHAIN[:5], Try("remove", 2), Try("unmerge", 0), Try("unmerge", 1)]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.builds(Try, kinds, nominals, nominals), max_size=14), st.integers())
@example(CHAIN, 0)
@example(YIELDING, 0)
def test_after_any_history_the_flags_are_the_models_and_a_merge_undone_leaves_no_trace(
    own: servers.Database, history: list[Try], seed: int
) -> None:
    asyncio.run(live_through(own.url(SCHEMA), history, seed))
