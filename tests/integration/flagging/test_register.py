"""The register through its RPCs: decisions, dates, history, versions, repeats, and who may see what."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2
from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging import changes
from services.flagging.fields import stamp
from services.flagging.models import due
from services.flagging.register import Standing
from services.runtime.channel import reason, violations
from services.runtime.due import Runner
from tests.builders import person, pnc_id
from tests.integration.flagging.service import (
    ALL_AGREE,
    DAY,
    NOON,
    PLAN,
    Service,
    decision,
    nomination,
    refusal,
    removal,
)

CARTER = person("James", "Carter", identifiers=[pnc_id(1)])
REGISTER = policy_pb2.PURPOSE_REGISTER
NO_ONE = "00000000-0000-0000-0000-000000000000"


def convicted(year: int, month: int, day: int, reference: str = "04/1") -> pb.Conviction:
    return pb.Conviction(conviction_date=Date(year=year, month=month, day=day), reference=reference)


async def published(service: Service) -> list[events_pb2.Flag]:
    """The flags that wait to be sent or were, in the order of their versions."""
    async with service.database.transaction() as session:
        rows = await session.scalars(text("SELECT payload FROM outbox WHERE event_type LIKE '%Flag'"))
        return sorted((events_pb2.Flag.FromString(row) for row in rows), key=lambda flag: flag.version)


async def register_version(service: Service) -> int:
    async with service.database.transaction() as session:
        version: int = (await session.execute(text("SELECT version FROM register"))).scalar_one()
        return version


async def history(
    service: Service, registration: pb.Registration, role: str = "police_offender_manager"
) -> pb.GetRegistrationResponse:
    request = pb.GetRegistrationRequest(registration_id=registration.registration_id, purpose=REGISTER)
    return await (await service.stub(role)).GetRegistration(request, timeout=5)


async def listed(service: Service, **changes: Any) -> list[pb.ListPposResponse]:
    keeper = await service.stub("register_keeper")
    request = pb.ListPposRequest(purpose=REGISTER, **changes)
    return [row async for row in keeper.ListPpos(request, timeout=5)]


async def step_time(service: Service) -> None:
    async def end_flag(session: AsyncSession, nominal_id: str) -> None:
        await changes.end_flag(session, nominal_id, service.clock.now())

    runner = Runner(service.database, due, service.clock, {changes.FLAG_ENDS: end_flag})
    while await runner.step():
        pass


def states(steps: pb.GetRegistrationResponse) -> list[str]:
    return [pb.RegistrationState.Name(one.state).removeprefix("REGISTRATION_STATE_") for one in steps.steps]


# ---- a life on the register


async def test_a_nomination_flags_nobody_and_a_decision_does(service: Service) -> None:
    registration = await service.nominate(await service.nominal(CARTER))
    before = await service.outcome(CARTER)
    await service.decide(registration)

    assert (before, await service.outcome(CARTER)) == ("NOT_FLAGGED", "FLAGGED")


async def test_a_whole_life_is_kept_step_by_step(service: Service) -> None:
    registration = await service.active(await service.nominal(CARTER))
    service.clock.at += DAY
    await service.plan_exit(registration)
    service.clock.at += DAY
    removed = await service.remove(registration)

    kept = await history(service, registration)
    assert states(kept) == ["NOMINATED", "ACTIVE", "EXIT_PLANNED", "REMOVED"]
    assert [step.recorded_time.ToDatetime().day for step in kept.steps] == [31, 31, 1, 2]
    assert kept.registration == removed
    assert removed.effective_end_time == stamp(NOON + 2 * DAY)
    assert await service.outcome(CARTER) == "NOT_FLAGGED"


async def test_a_step_once_recorded_cannot_be_changed(service: Service) -> None:
    await service.nominate(await service.nominal(CARTER))

    for change in ("UPDATE registration_step SET state = 3", "DELETE FROM registration_step"):
        with pytest.raises(Exception, match="rows are only ever added"):
            async with service.database.transaction() as session:
                await session.execute(text(change))


async def test_after_removal_a_nomination_opens_a_new_registration(service: Service) -> None:
    nominal_id = await service.nominal(CARTER)
    first = await service.active(nominal_id)
    service.clock.at += DAY
    await service.remove(await service.plan_exit(first))
    service.clock.at += DAY

    second = await service.active(nominal_id, nominating_ocu="E3")

    assert second.registration_id != first.registration_id
    [flag] = (await published(service))[-1:]
    assert [(episode.nominating_ocu, episode.removal_reason) for episode in flag.episodes] == [
        ("D1", pb.REMOVAL_REASON_NO_LONGER_A_THREAT),
        ("E3", pb.REMOVAL_REASON_UNSPECIFIED),
    ]


async def test_an_annulled_registration_leaves_no_episode(service: Service) -> None:
    registration = await service.active(await service.nominal(CARTER))
    keeper = await service.stub("register_keeper")

    await keeper.AnnulRegistration(
        pb.AnnulRegistrationRequest(
            request_id="1", registration_id=registration.registration_id, reason="mistaken identity"
        ),
        timeout=5,
    )

    [*_, flag] = await published(service)
    assert (flag.state, list(flag.episodes)) == (screening_pb2.FLAG_STATE_NOT_FLAGGED, [])
    assert await service.outcome(CARTER) == "NOT_FLAGGED"
    assert await listed(service) == []


async def test_every_change_raises_the_version_and_stamps_what_it_changes(service: Service) -> None:
    nominated = await service.nominate(await service.nominal(CARTER))
    decided = await service.decide(nominated)
    planned = await service.plan_exit(decided)

    [flag] = await published(service)
    assert [nominated.version, decided.version, planned.version] == [1, 2, 3]
    assert (flag.version, await register_version(service)) == (2, 3)


async def test_what_is_published_says_no_more_than_the_suite_may_see(service: Service) -> None:
    evidence = [pb.GradedEvidence(reference="log 7", grade="B2", provenance="an informant")]
    await service.active(await service.nominal(CARTER), evidence=evidence)

    [flag] = await published(service)

    assert "informant" not in str(flag)
    assert flag.person.name.family_name == "Carter"


@pytest.mark.parametrize("grade", ["A1", "E5", "B2", "B24", "A11", "E55"])
async def test_evidence_has_a_5x5x5_grade_with_or_without_its_handling_code(
    service: Service, grade: str
) -> None:
    evidence = [pb.GradedEvidence(reference="log 7", grade=grade, provenance="an informant")]

    nominated = await service.nominate(await service.nominal(CARTER), evidence=evidence)

    assert list((await history(service, nominated)).steps[0].evidence) == evidence


@pytest.mark.parametrize(("number", "indicator"), [(5, "NOT_MET"), (6, "MET")])
async def test_the_convictions_of_a_nomination_indicate_and_decide_nothing(
    service: Service, number: int, indicator: str
) -> None:
    convictions = [convicted(2003, 12, 31, f"04/{place}") for place in range(number)]
    request = nomination(await service.nominal(CARTER), convictions=convictions)
    keeper = await service.stub("register_keeper")

    nominated = await keeper.NominatePpo(request, timeout=5)
    await service.decide(nominated.registration)

    kept = (await history(service, nominated.registration)).steps
    told = pb.PersistenceIndicator.Name(nominated.persistence.indicator)
    assert told == f"PERSISTENCE_INDICATOR_{indicator}"
    assert (kept[0].persistence, kept[1].HasField("persistence")) == (nominated.persistence, False)
    assert list(kept[0].persistence.convictions) == convictions
    assert await service.outcome(CARTER) == "FLAGGED"


# ---- planned ends


async def planned_end(service: Service) -> pb.Registration:
    await service.nominal(CARTER)
    return await service.ending(CARTER, NOON + DAY)


async def test_a_person_whose_removal_lies_ahead_is_a_ppo_until_its_instant(service: Service) -> None:
    ending = await planned_end(service)
    before = await service.outcome(CARTER)
    service.clock.at = NOON + DAY - timedelta(microseconds=1)
    last = await service.outcome(CARTER)
    service.clock.at = NOON + DAY

    assert ending.state == pb.REGISTRATION_STATE_EXIT_PLANNED
    assert (before, last, await service.outcome(CARTER)) == ("FLAGGED", "FLAGGED", "NOT_FLAGGED")
    assert (await history(service, ending)).registration.state == pb.REGISTRATION_STATE_REMOVED


async def test_the_new_state_is_published_when_its_instant_has_come_and_once(service: Service) -> None:
    await planned_end(service)
    await step_time(service)
    before = [flag.state for flag in await published(service)]
    service.clock.at = NOON + DAY
    await step_time(service)
    await step_time(service)

    after = await published(service)
    assert before == [screening_pb2.FLAG_STATE_FLAGGED] * 2
    assert [flag.state for flag in after[2:]] == [screening_pb2.FLAG_STATE_NOT_FLAGGED]
    assert await register_version(service) == after[-1].version


async def test_cancelling_the_exit_takes_the_planned_end_back(service: Service) -> None:
    ending = await planned_end(service)
    keeper = await service.stub("register_keeper")

    await keeper.CancelExit(
        pb.CancelExitRequest(request_id="1", registration_id=ending.registration_id, reason="offends again"),
        timeout=5,
    )
    service.clock.at = NOON + 2 * DAY
    await step_time(service)

    assert await service.outcome(CARTER) == "FLAGGED"
    assert (await history(service, ending)).registration.state == pb.REGISTRATION_STATE_ACTIVE


async def test_who_ended_unnoticed_by_the_due_work_can_be_nominated_again(service: Service) -> None:
    ending = await planned_end(service)
    service.clock.at = NOON + 2 * DAY

    again = await service.nominate(ending.nominal_id)

    assert again.state == pb.REGISTRATION_STATE_NOMINATED
    assert (await published(service))[-1].state == screening_pb2.FLAG_STATE_NOT_FLAGGED


# ---- as of


async def test_the_register_says_who_was_a_ppo_at_an_instant(service: Service) -> None:
    registration = await service.active(await service.nominal(CARTER))
    service.clock.at = NOON + DAY
    await service.plan_exit(registration)
    service.clock.at = NOON + 2 * DAY
    await service.remove(registration)
    service.clock.at = NOON + 3 * DAY

    then = {
        hours: await listed(service, as_of_time=stamp(NOON + timedelta(hours=hours)))
        for hours in (-1, 0, 25, 48)
    }

    assert {hours: len(rows) for hours, rows in then.items()} == {-1: 0, 0: 1, 25: 1, 48: 0}
    assert [then[hours][0].registration.state for hours in (0, 25)] == [
        pb.REGISTRATION_STATE_ACTIVE,
        pb.REGISTRATION_STATE_EXIT_PLANNED,
    ]
    assert then[0][0].person.name.family_name == "Carter"


async def test_a_decision_recorded_late_counts_from_its_own_date(service: Service) -> None:
    nominated = await service.nominate(await service.nominal(CARTER))
    await service.decide(nominated, effective_time=stamp(NOON - DAY))

    assert len(await listed(service, as_of_time=stamp(NOON - timedelta(hours=1)))) == 1


async def test_a_decision_is_not_dated_into_an_earlier_registration(service: Service) -> None:
    nominal_id = await service.nominal(CARTER)
    first = await service.plan_exit(await service.active(nominal_id))
    service.clock.at += 2 * DAY
    await service.remove(first)
    second = await service.nominate(nominal_id)
    keeper = await service.stub("register_keeper")

    error = await refusal(
        keeper.DecideNomination(decision(second, effective_time=stamp(NOON + DAY)), timeout=5)
    )

    assert reason(error) == "OVERLAPS"


async def test_the_list_can_be_that_of_one_ocu(service: Service) -> None:
    await service.active(await service.nominal(CARTER))
    await service.active(await service.nominal(person(identifiers=[pnc_id(2)])), nominating_ocu="E3")

    assert [row.registration.nominating_ocu for row in await listed(service, nominating_ocu="E3")] == ["E3"]
    assert len(await listed(service)) == 2


async def test_the_list_of_no_ocu_is_refused_and_not_empty(service: Service) -> None:
    refused = await refusal(listed(service, nominating_ocu="ZZ"))

    assert violations(refused) == [("nominating_ocu", "is not an OCU of this area")]


async def test_the_latest_registration_of_a_nominal_is_read_by_nominal_id(service: Service) -> None:
    nominal_id = await service.nominal(CARTER)
    first = await service.nominate(nominal_id)
    await service.decide(first, decision=pb.NOMINATION_DECISION_DECLINE)
    service.clock.at += DAY
    second = await service.nominate(nominal_id)
    keeper = await service.stub("register_keeper")

    latest = await keeper.GetRegistration(
        pb.GetRegistrationRequest(nominal_id=nominal_id, purpose=REGISTER), timeout=5
    )

    assert latest.registration == second


# ---- repeats and races


async def test_a_repeated_request_is_answered_as_the_first_and_changes_nothing(service: Service) -> None:
    request = nomination(await service.nominal(CARTER))
    keeper = await service.stub("register_keeper")

    first = await keeper.NominatePpo(request, timeout=5)
    repeat = await keeper.NominatePpo(request, timeout=5)

    assert repeat == first
    assert await register_version(service) == 1


async def test_another_request_under_the_same_id_is_refused(service: Service) -> None:
    request = nomination(await service.nominal(CARTER))
    keeper = await service.stub("register_keeper")
    await keeper.NominatePpo(request, timeout=5)
    request.nominating_ocu = "E3"

    error = await refusal(keeper.NominatePpo(request, timeout=5))

    assert error.code() == grpc.StatusCode.ALREADY_EXISTS


async def test_of_many_who_nominate_one_person_at_once_one_succeeds(service: Service) -> None:
    nominal_id = await service.nominal(CARTER)
    keeper = await service.stub("register_keeper")
    importer = await service.stub("importer")
    rows = [
        pb.ImportRegistrationsRequest(
            request_id=str(place),
            source=f"source {place}",
            source_reference="1",
            identifier=CARTER.identifiers[0],
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            criteria=[pb.CRITERION_HARM],
            nominating_ocu="D1",
            effective_start_time=stamp(NOON - DAY),
        )
        for place in range(6)
    ]

    nominated = [keeper.NominatePpo(nomination(nominal_id), timeout=30) for _ in range(12)]
    imported = [importer.ImportRegistrations(iter([row]), timeout=30) for row in rows]
    answers = await asyncio.gather(*nominated, *imported, return_exceptions=True)

    kinds = Counter(map(kind, answers))
    assert kinds == {"created": 1, "refused": 17}
    async with service.database.transaction() as session:
        assert (await session.execute(text("SELECT count(*) FROM registration"))).scalar_one() == 1


def kind(answer: object) -> str:
    if isinstance(answer, grpc.aio.AioRpcError):
        return "refused" if reason(answer) == "ON_REGISTER" else f"{answer.code()}"
    if isinstance(answer, pb.ImportRegistrationsResponse):
        return "created" if answer.report.created else "refused"
    return "created"


async def test_changes_of_many_persons_at_once_get_a_version_each(service: Service) -> None:
    people = [person(identifiers=[pnc_id(serial)]) for serial in range(1, 11)]
    nominals = [await service.nominal(one) for one in people]

    await asyncio.gather(*(service.active(one) for one in nominals))

    versions = [flag.version for flag in await published(service)]
    assert len(set(versions)) == 10
    assert await register_version(service) == 20 == max(versions)


async def test_due_work_decisions_and_imports_of_the_same_people_do_not_stand_in_each_others_way(
    service: Service,
) -> None:
    people = [person("James", "Carter", identifiers=[pnc_id(serial)]) for serial in range(1, 9)]
    await service.load(*people)
    ending = [await service.ending(one, NOON + DAY) for one in people]
    service.clock.at = NOON + DAY

    async def rename(family: str) -> None:
        await service.load(*[person("James", family, identifiers=one.identifiers) for one in people])

    await asyncio.gather(
        *(step_time(service) for _ in range(3)),
        *(rename(f"Carter {number}") for number in range(3)),
        *(service.nominate(one.nominal_id) for one in ending),
    )

    last = {flag.nominal_id: flag for flag in await published(service)}
    assert {flag.state for flag in last.values()} == {screening_pb2.FLAG_STATE_NOT_FLAGGED}
    assert len({flag.person.name.family_name for flag in last.values()}) == 1
    assert len(last) == 8


async def test_a_new_name_that_comes_during_a_decision_is_in_the_flag(service: Service) -> None:
    nominated = await service.nominate(await service.nominal(CARTER))
    nominal = await service.read(pnc_id(1))
    renamed = pb.ImportNominalsRequest(
        request_id="1",
        source=nominal.source,
        source_reference="n1",
        person=person("James", "Smith", identifiers=[pnc_id(1)]),
    )

    async with service.database.transaction() as session:
        history = (await changes.claim(session, [nominal.nominal_id], NOON))[nominal.nominal_id]
        row = history.row(nominated.registration_id)
        row.stand(Standing(pb.REGISTRATION_STATE_ACTIVE, NOON), NOON)
        history.changed.append(row)
        await changes.conclude(session, [history])
        rename = asyncio.create_task(service.load_rows(renamed))
        await until_done_or_waiting(service, rename)
    await rename

    assert [flag.person.name.family_name for flag in await published(service)] == ["Carter", "Smith"]


async def until_done_or_waiting(service: Service, task: asyncio.Task[pb.ImportReport]) -> None:
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    waiting = text(f"{blocked} AND wait_event_type = 'Lock'")
    while not task.done():
        async with service.database.transaction() as session:
            if (await session.execute(waiting)).scalar_one():
                return


# ---- refusals


async def test_a_step_that_the_rules_forbid_is_named(service: Service) -> None:
    registration = await service.nominate(await service.nominal(CARTER))
    keeper = await service.stub("register_keeper")

    before = refused("NOMINATED_TO_REMOVED")

    error = await refusal(keeper.RemovePpo(removal(registration), timeout=5))

    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert reason(error) == "NOMINATED_TO_REMOVED"
    assert refused("NOMINATED_TO_REMOVED") == before + 1
    assert states(await history(service, registration)) == ["NOMINATED"]


def refused(rule: str) -> float:
    return REGISTRY.get_sample_value("ppo_flagging_refused_steps_total", {"rule": rule}) or 0.0


async def test_a_young_person_becomes_a_ppo_in_prevent_and_deter_only(service: Service) -> None:
    young = person(born="1987-06-01", identifiers=[pnc_id(3)])
    nominal_id = await service.nominal(young)
    keeper = await service.stub("register_keeper")

    error = await refusal(keeper.NominatePpo(nomination(nominal_id), timeout=5))
    await service.active(nominal_id, strand=screening_pb2.STRAND_PREVENT_AND_DETER)

    assert reason(error) == "UNDER_18"
    assert "Prevent and Deter" in (error.details() or "")
    assert (await service.screen(young)).candidates[0].strand == screening_pb2.STRAND_PREVENT_AND_DETER


async def test_who_turns_18_before_the_forum_meets_is_put_by_it_into_another_strand(service: Service) -> None:
    born = NOON.date().replace(year=1987) + timedelta(days=1)
    young = person(born=f"{born}", identifiers=[pnc_id(3)])
    nominated = await service.nominate(
        await service.nominal(young), strand=screening_pb2.STRAND_PREVENT_AND_DETER
    )
    keeper = await service.stub("register_keeper")
    service.clock.at = NOON.replace(year=2006)

    error = await refusal(keeper.DecideNomination(decision(nominated), timeout=5))
    await service.decide(nominated, strand=screening_pb2.STRAND_CATCH_AND_CONVICT)

    assert reason(error) == "ADULT"
    assert (await service.screen(young)).candidates[0].strand == screening_pb2.STRAND_CATCH_AND_CONVICT


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nominal_id": "17"}, "nominal_id"),
        ({"nominating_ocu": "K1"}, "nominating_ocu"),
        ({"criteria": [1, 1]}, "criteria[1]"),
        ({"criteria": []}, "criteria"),
        ({"strand": 0}, "strand"),
        ({"request_id": ""}, "request_id"),
        *(
            (
                {"evidence": [pb.GradedEvidence(reference="1", grade=grade, provenance="x")]},
                "evidence[0].grade",
            )
            for grade in ("F1", "A6", "A0", "B", "B26", "B245", "b2", "B-2", "B٢")
        ),
        ({"evidence": [pb.GradedEvidence(reference="1", grade="B2")]}, "evidence[0].provenance"),
        ({"convictions": [convicted(2005, 1, 1)]}, "convictions[0].conviction_date"),
        ({"convictions": [convicted(2004, 6, 0)]}, "convictions[0].conviction_date"),
        ({"convictions": [convicted(2004, 6, 31)]}, "convictions[0].conviction_date"),
        ({"convictions": [convicted(2004, 6, 1)] * 2}, "convictions[1].reference"),
        ({"convictions": [convicted(2004, 6, 1, "")]}, "convictions[0].reference"),
    ],
)
async def test_a_nomination_that_is_wrong_is_refused_by_field(
    service: Service, changes: dict[str, Any], field: str
) -> None:
    keeper = await service.stub("register_keeper")
    nominal_id = await service.nominal(CARTER)

    error = await refusal(keeper.NominatePpo(nomination(nominal_id, **changes), timeout=5))

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert [name for name, _ in violations(error)] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"forum_id": "forum-x"}, "forum_id"),
        ({"votes": [*ALL_AGREE, ALL_AGREE[0]]}, "votes[2].agency"),
        ({"effective_time": stamp(NOON + DAY)}, "effective_time"),
        ({"registration_id": "17"}, "registration_id"),
    ],
)
async def test_a_decision_that_is_wrong_is_refused_by_field(
    service: Service, changes: dict[str, Any], field: str
) -> None:
    keeper = await service.stub("register_keeper")
    registration = await service.nominate(await service.nominal(CARTER))

    error = await refusal(keeper.DecideNomination(decision(registration, **changes), timeout=5))

    assert [name for name, _ in violations(error)] == [field]


async def test_a_death_is_not_in_the_future(service: Service) -> None:
    registration = await service.active(await service.nominal(CARTER))
    keeper = await service.stub("register_keeper")
    request = removal(registration, reason=pb.REMOVAL_REASON_DECEASED, effective_time=stamp(NOON + DAY))

    error = await refusal(keeper.RemovePpo(request, timeout=5))

    assert [name for name, _ in violations(error)] == ["effective_time"]


async def test_what_is_not_there_is_not_found(service: Service) -> None:
    keeper = await service.stub("register_keeper")
    absent = pb.Registration(registration_id=NO_ONE)

    errors = [
        await refusal(keeper.NominatePpo(nomination(NO_ONE), timeout=5)),
        await refusal(keeper.DecideNomination(decision(absent), timeout=5)),
        await refusal(history(service, absent, "register_keeper")),
    ]

    assert {error.code() for error in errors} == {grpc.StatusCode.NOT_FOUND}


# ---- who may do and see what

CALLS: dict[str, Message] = {
    "NominatePpo": nomination(NO_ONE),
    "DecideNomination": pb.DecideNominationRequest(),
    "PlanExit": pb.PlanExitRequest(),
    "CancelExit": pb.CancelExitRequest(),
    "RemovePpo": pb.RemovePpoRequest(),
    "AnnulRegistration": pb.AnnulRegistrationRequest(),
    "GetRegistration": pb.GetRegistrationRequest(),
    "GetNominal": pb.GetNominalRequest(),
    "SearchNominals": pb.SearchNominalsRequest(),
    "ScreenPerson": pb.ScreenPersonRequest(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("role", ["ops", "returns_officer", "housing_provider", "importer"])
async def test_whoever_is_not_named_may_not_call(service: Service, call: str, role: str) -> None:
    stub = await service.stub(role)

    error = await refusal(getattr(stub, call)(CALLS[call], timeout=5))

    assert error.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_police_see_the_intelligence_and_the_register_keeper_no_action_plan(service: Service) -> None:
    evidence = [pb.GradedEvidence(reference="log 7", grade="B2", provenance="an informant")]
    registration = await service.active(await service.nominal(CARTER), evidence=evidence)
    await service.plan_exit(registration)

    police = await history(service, registration, "police_offender_manager")
    keeper = await history(service, registration, "register_keeper")

    assert list(police.steps[0].evidence) == evidence
    assert police.steps[-1].exit_plan == PLAN
    assert list(keeper.steps[0].evidence) == evidence
    assert not keeper.steps[-1].HasField("exit_plan")


async def test_a_custody_officer_reads_who_a_nominal_is_but_no_registration(service: Service) -> None:
    registration = await service.active(await service.nominal(CARTER))
    officer = await service.stub("custody_officer")

    read = await officer.GetNominal(
        pb.GetNominalRequest(identifier=pnc_id(1), purpose=policy_pb2.PURPOSE_ARREST), timeout=5
    )
    error = await refusal(history(service, registration, "custody_officer"))

    assert read.nominal.person == CARTER
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED
