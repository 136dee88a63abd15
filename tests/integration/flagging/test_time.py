"""The register and the index as of any time, as known at any time; and the instant at which a flag ends."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import grpc
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging.fields import stamp
from services.flagging.models import SCHEMA
from services.flagging.store import registrations
from services.runtime.channel import reason, violations
from tests import servers
from tests.builders import nominal_id, person, pnc_id
from tests.integration.flagging.service import (
    DAY,
    NOON,
    PLAN,
    Service,
    Still,
    decision,
    nomination,
    refusal,
    removal,
)
from tests.lives import FIRST, Life, instant

CARTER = person("James", "Carter", identifiers=[pnc_id(1)])
REGISTER = policy_pb2.PURPOSE_REGISTER
MICROSECOND = timedelta(microseconds=1)
FLAGGED, NOT_FLAGGED = screening_pb2.FLAG_STATE_FLAGGED, screening_pb2.FLAG_STATE_NOT_FLAGGED


async def read(
    service: Service, nominal: str, at: datetime | None = None, known: datetime | None = None
) -> pb.GetRegistrationResponse:
    request = pb.GetRegistrationRequest(
        nominal_id=nominal, purpose=REGISTER, as_of_time=stamp(at), known_at_time=stamp(known)
    )
    return await (await service.stub("register_keeper")).GetRegistration(request, timeout=5)


async def listed(
    service: Service, at: datetime | None = None, known: datetime | None = None
) -> list[pb.ListPposResponse]:
    request = pb.ListPposRequest(purpose=REGISTER, as_of_time=stamp(at), known_at_time=stamp(known))
    keeper = await service.stub("register_keeper")
    return [row async for row in keeper.ListPpos(request, timeout=5)]


async def nominal(
    service: Service, identifier: person_pb2.Identifier, known: datetime | None = None
) -> pb.Nominal:
    request = pb.GetNominalRequest(identifier=identifier, purpose=REGISTER, known_at_time=stamp(known))
    return (await (await service.stub("register_keeper")).GetNominal(request, timeout=5)).nominal


# ---- the register


async def test_a_registration_is_read_as_it_was_known_before_it_was_corrected(service: Service) -> None:
    nominated = await service.nominate(await service.nominal(CARTER))
    service.clock.at = NOON + DAY
    await service.plan_exit(await service.decide(nominated, effective_time=stamp(NOON)))
    service.clock.at = NOON + 2 * DAY
    await service.remove(nominated, effective_time=stamp(NOON + 4 * DAY))
    service.clock.at = NOON + 3 * DAY
    await service.annul(nominated)

    then = [
        await read(service, nominated.nominal_id, NOON + hours * DAY, NOON + known * DAY)
        for hours, known in ((0, 0), (0, 1), (5, 1), (5, 2), (0, 3))
    ]

    assert [one.flag_state == FLAGGED for one in then] == [False, True, True, False, False]
    assert [state(one) for one in then] == ["NOMINATED", "ACTIVE", "EXIT_PLANNED", "REMOVED", "ANNULLED"]
    assert [len(one.steps) for one in then] == [1, 3, 3, 4, 5]
    assert not then[2].registration.HasField("effective_end_time")
    assert then[3].registration.removal_reason == pb.REMOVAL_REASON_NO_LONGER_A_THREAT
    assert then[3].registration.effective_end_time == stamp(NOON + 4 * DAY)


def state(response: pb.GetRegistrationResponse) -> str:
    return pb.RegistrationState.Name(response.registration.state).removeprefix("REGISTRATION_STATE_")


async def test_a_corrected_import_leaves_what_the_first_one_said(service: Service) -> None:
    known = await service.nominal(CARTER)
    importer = await service.stub("importer")
    for days, ocu, strand in (
        (0, "D1", "STRAND_CATCH_AND_CONVICT"),
        (1, "E3", "STRAND_REHABILITATE_AND_RESETTLE"),
    ):
        row = pb.ImportRegistrationsRequest(
            request_id=f"{days}",
            source="jtrack",
            source_reference="R1",
            identifier=pnc_id(1),
            strand=screening_pb2.Strand.Value(strand),
            criteria=[pb.CRITERION_VOLUME, pb.CRITERION_HARM][days:],
            nominating_ocu=ocu,
            effective_start_time=stamp(NOON - 9 * DAY + days * DAY),
        )
        service.clock.at = NOON + days * DAY
        await importer.ImportRegistrations(iter([row]), timeout=5)

    first = (await read(service, known, NOON, NOON)).registration
    now = (await read(service, known)).registration
    between = await read(service, known, NOON - 9 * DAY)

    assert (first.nominating_ocu, now.nominating_ocu) == ("D1", "E3")
    assert (len(first.criteria), len(now.criteria)) == (2, 1)
    assert first.strand == screening_pb2.STRAND_CATCH_AND_CONVICT
    assert (first.effective_start_time, now.effective_start_time) == (
        stamp(NOON - 9 * DAY),
        stamp(NOON - 8 * DAY),
    )
    assert (first.version, now.version) == (0, 2)
    assert (between.flag_state, between.HasField("registration")) == (NOT_FLAGGED, False)
    [row_then] = await listed(service, NOON - 9 * DAY, NOON)
    assert (row_then.registration.nominating_ocu, await listed(service, NOON - 9 * DAY)) == ("D1", [])


async def test_the_list_is_that_of_the_time_with_the_names_of_the_time(service: Service) -> None:
    known = await service.nominal(CARTER)
    await service.active(known)
    source = (await service.read(pnc_id(1))).source
    service.clock.at = NOON + DAY
    await service.load(person("James", "Doyle", identifiers=[pnc_id(1)]), source=source)

    names = [[row.person.name.family_name for row in await listed(service, known=at)] for at in (NOON, None)]
    asked = [(await read(service, known, known=at)).person.name.family_name for at in (NOON, None)]

    assert names == [["Carter"], ["Doyle"]]
    assert asked == ["Carter", "Doyle"]
    assert await listed(service, known=NOON - MICROSECOND) == []


async def test_of_two_registrations_the_one_in_force_then_is_read(service: Service) -> None:
    known = await service.nominal(CARTER)
    first = await service.plan_exit(await service.active(known))
    service.clock.at = NOON + DAY
    await service.remove(first)
    service.clock.at = NOON + 2 * DAY
    second = await service.active(known)

    read_at = [await read(service, known, NOON + days * DAY) for days in (0, 1, 2)]
    refused = await refusal(read(service, known, known=NOON + 3 * DAY))

    ids = [one.registration.registration_id for one in read_at]
    assert ids == [first.registration_id, first.registration_id, second.registration_id]
    assert [one.flag_state for one in read_at] == [FLAGGED, NOT_FLAGGED, FLAGGED]
    assert violations(refused) == [("known_at_time", "is in the future")]


async def test_who_never_was_on_the_register_is_no_ppo(service: Service) -> None:
    answer = await read(service, await service.nominal(CARTER))

    assert (answer.flag_state, answer.HasField("registration")) == (NOT_FLAGGED, False)
    assert answer.person == CARTER


async def test_what_waited_for_another_step_is_not_recorded_before_it(service: Service) -> None:
    registration = await service.active(await service.nominal(CARTER))
    service.clock.at = NOON - DAY

    await service.plan_exit(registration)

    assert (await read(service, registration.nominal_id, NOON)).steps[-1].recorded_time == stamp(NOON)


# ---- the index


async def test_a_person_is_read_as_the_index_had_one(service: Service) -> None:
    found = await service.nominal(CARTER)
    source = (await service.read(pnc_id(1))).source
    for family, days in (("Doyle", 1), ("Evans", 2)):
        service.clock.at = NOON + days * DAY
        await service.load(person("James", family, identifiers=[pnc_id(1)]), source=source)

    names = {
        days: (await nominal(service, nominal_id(found), NOON + days * DAY)).person.name.family_name
        for days in (0, 0.9, 1, 2)
    }
    unknown = await refusal(nominal(service, pnc_id(1), NOON - MICROSECOND))

    assert names == {0: "Carter", 0.9: "Carter", 1: "Doyle", 2: "Evans"}
    assert (await nominal(service, pnc_id(1))).person.name.family_name == "Evans"
    assert unknown.code() == grpc.StatusCode.NOT_FOUND


async def test_an_identifier_is_that_of_whoever_held_it_then(service: Service) -> None:
    await service.load(CARTER, person("Ann", "Doyle", identifiers=[pnc_id(2)]))
    service.clock.at = NOON + DAY
    await service.load(person("James", "Carter"))
    await service.load(person("James", "Carter"), person("Ann", "Doyle", identifiers=[pnc_id(1), pnc_id(2)]))

    then, now = await nominal(service, pnc_id(1), NOON), await nominal(service, pnc_id(1), NOON + DAY)

    assert (then.person.name.family_name, now.person.name.family_name) == ("Carter", "Doyle")
    assert (then.recorded_time, now.recorded_time) == (stamp(NOON), stamp(NOON + DAY))


async def test_versions_follow_each_other_where_the_clock_does_not(service: Service) -> None:
    await service.load(CARTER)
    for family, at in (("Doyle", NOON), ("Evans", NOON - DAY)):
        service.clock.at = at
        await service.load(person("James", family, identifiers=[pnc_id(1)]))
    service.clock.at = NOON + DAY

    names = [
        (await nominal(service, pnc_id(1), NOON + after * MICROSECOND)).person.name.family_name
        for after in range(3)
    ]

    assert names == ["Carter", "Doyle", "Evans"]


async def test_an_import_of_new_persons_writes_no_version_and_one_that_changes_nothing_neither(
    service: Service,
) -> None:
    for family in ("Carter", "Carter", "Doyle"):
        await service.load(*(person("James", family, identifiers=[pnc_id(serial)]) for serial in (1, 2, 3)))
        if family == "Carter":
            assert await versions(service) == 0

    assert await versions(service) == 3


async def test_a_version_cannot_be_changed(service: Service) -> None:
    await service.load(CARTER)
    await service.load(person("James", "Doyle", identifiers=[pnc_id(1)]))

    for change in ("UPDATE nominal_version SET person = ''", "DELETE FROM nominal_version"):
        with pytest.raises(Exception, match="rows are only ever added"):
            async with service.database.transaction() as session:
                await session.execute(text(change))


async def versions(service: Service) -> int:
    async with service.database.transaction() as session:
        number: int = (await session.execute(text("SELECT count(*) FROM nominal_version"))).scalar_one()
        return number


# ---- the instant


@pytest.mark.parametrize(("after", "flagged"), [(-MICROSECOND, True), (0 * DAY, False), (MICROSECOND, False)])
async def test_a_flag_that_ends_at_an_instant_ends_then_for_every_reader_here(
    service: Service, after: timedelta, flagged: bool
) -> None:
    """Nobody has done the work that falls due at the instant."""
    known = await service.nominal(CARTER)
    await service.ending(CARTER, NOON + DAY)
    service.clock.at = NOON + DAY + after

    outcome = await service.outcome(CARTER)
    answer = await read(service, known)

    assert outcome == ("FLAGGED" if flagged else "NOT_FLAGGED")
    assert (answer.flag_state, state(answer)) == (
        (FLAGGED, "EXIT_PLANNED") if flagged else (NOT_FLAGGED, "REMOVED")
    )
    assert (await read(service, known, NOON + DAY + after)).flag_state == answer.flag_state
    assert len(await listed(service)) == len(await listed(service, NOON + DAY + after)) == int(flagged)
    assert len(await listed(service, known=service.clock.at)) == int(flagged)


@pytest.mark.parametrize(("after", "flagged"), [(-MICROSECOND, False), (0 * DAY, True), (MICROSECOND, True)])
async def test_a_flag_begins_at_its_instant_for_every_reading_of_the_past(
    service: Service, after: timedelta, flagged: bool
) -> None:
    known = await service.nominal(CARTER)
    await service.active(known)
    service.clock.at = NOON + DAY

    assert (await read(service, known, NOON + after)).flag_state == (FLAGGED if flagged else NOT_FLAGGED)
    assert len(await listed(service, NOON + after)) == int(flagged)
    assert len(await listed(service, NOON + DAY, NOON + after)) == int(flagged)


# ---- any life


class Stored(Life):
    """Through the service and its database."""

    runner: ClassVar[asyncio.Runner]
    service: ClassVar[Service]
    serials: ClassVar = count(1)

    def __init__(self) -> None:
        super().__init__()
        whom = person(identifiers=[pnc_id(next(self.serials))])
        self.service.clock.at = instant(0)
        self.nominal_id = self.runner.run(self.service.nominal(whom))
        self.registration = pb.Registration()

    def take(self, step: str, effective: int) -> str:
        return self.runner.run(self._take(step, effective))

    def read(self, hour: int, known: int) -> tuple[str, bool]:
        return self.runner.run(self._read(hour, known))

    async def _take(self, step: str, effective: int) -> str:
        self.service.clock.at = instant(self.now)
        keeper = await self.service.stub("register_keeper")
        rpc, request = self._call(step, stamp(instant(effective)))
        try:
            self.registration = (await getattr(keeper, rpc)(request, timeout=30)).registration
        except grpc.aio.AioRpcError as error:
            return reason(error)
        return ""

    def _call(self, step: str, effective: Any) -> tuple[str, Any]:
        one = self.registration
        if step == "nominate":
            return "NominatePpo", nomination(self.nominal_id)
        if step in ("review", "activate", "decline"):
            chosen = pb.NominationDecision.Value(f"NOMINATION_DECISION_{step.upper()}")
            return "DecideNomination", decision(one, decision=chosen, effective_time=effective)
        if step in ("remove", "die"):
            why = pb.REMOVAL_REASON_MOVED_AWAY if step == "remove" else pb.REMOVAL_REASON_DECEASED
            return "RemovePpo", removal(one, reason=why, effective_time=effective)
        plain = {"request_id": removal(one).request_id, "registration_id": one.registration_id}
        return {
            "plan exit": ("PlanExit", pb.PlanExitRequest(**plain, plan=PLAN)),
            "cancel exit": ("CancelExit", pb.CancelExitRequest(**plain, reason="-")),
            "annul": ("AnnulRegistration", pb.AnnulRegistrationRequest(**plain, reason="-")),
        }[step]

    async def _read(self, hour: int, known: int) -> tuple[str, bool]:
        self.service.clock.at = instant(self.now)
        answer = await read(self.service, self.nominal_id, instant(hour), instant(known))
        on_list = await listed(self.service, instant(hour), instant(known))
        flagged = self.nominal_id in {row.registration.nominal_id for row in on_list}
        assert flagged == (answer.flag_state == FLAGGED)
        if (hour, known) == (self.now, self.now):
            await self._hold_rows_against_steps()
            whom = person(identifiers=[nominal_id(self.nominal_id)])
            assert (await self.service.outcome(whom) == "FLAGGED") == flagged
        return (state(answer) if answer.HasField("registration") else ""), flagged

    async def _hold_rows_against_steps(self) -> None:
        async with self.service.database.transaction() as session:
            for row in await registrations.of(session, [self.nominal_id]):
                told, now = row.known(), instant(self.now)
                assert told is not None
                assert told.standing.at(now) == row.standing.at(now)


def test_any_life_is_kept_and_read_as_the_list_of_all_that_was_said(own: servers.Database) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        Stored.runner = runner
        Stored.service = runner.run(Service.start(own.url(SCHEMA), stack, Still(instant(FIRST))))
        try:
            few = settings(max_examples=5, stateful_step_count=20, deadline=None)
            run_state_machine_as_test(Stored, settings=few)
        finally:
            runner.run(stack.aclose())
