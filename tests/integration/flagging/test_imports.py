"""Imports by stream: what is taken, what is refused by line, field and rule; and again, with no harm."""

from datetime import UTC, timedelta
from typing import Any

import grpc
import pytest
from sqlalchemy import text

from ppo.flagging.v1 import events_pb2
from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging.fields import stamp
from services.flagging.imports import nominals
from services.runtime.channel import violations
from tests.builders import name, nominal_id, person, pnc_id
from tests.integration.flagging.service import DAY, NOON, Service, decision, refusal

CARTER = person("James", "Carter", identifiers=[pnc_id(1)])
DOYLE = person("Sean", "Doyle", identifiers=[pnc_id(2)])
MOVED_AWAY = pb.REMOVAL_REASON_MOVED_AWAY


def counts(report: pb.ImportReport) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.refused


def refusals(report: pb.ImportReport) -> list[tuple[int, str]]:
    return [(one.line, one.field) for one in report.refusals]


async def flags(service: Service) -> list[events_pb2.Flag]:
    """By family name: those of one batch have their versions in the order of their random ids."""
    async with service.database.transaction() as session:
        rows = await session.scalars(text("SELECT flag FROM flag"))
        found = [events_pb2.Flag.FromString(row) for row in rows]
    return sorted(found, key=lambda flag: flag.person.name.family_name)


# ---- nominals


async def test_nominals_are_read_back_as_they_came(service: Service) -> None:
    report = await service.load(CARTER, DOYLE)

    nominal = await service.read(pnc_id(2))
    assert counts(report) == (2, 0, 0, 0)
    assert (nominal.person, nominal.source) == (DOYLE, "pnc")
    assert (await service.read(nominal_id(nominal.nominal_id))) == nominal


async def test_an_identifier_is_read_back_with_its_raw_text_and_published_without(service: Service) -> None:
    typed = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value="01/171310w")

    nominal_id = await service.nominal(person("Sean", "Doyle", identifiers=[typed]))
    await service.active(nominal_id)

    [kept] = (await service.read(typed)).person.identifiers
    [flag] = await flags(service)
    assert (kept.value, kept.raw) == ("2001/0171310W", "01/171310w")
    assert [(one.value, one.raw) for one in flag.person.identifiers] == [("2001/0171310W", "")]


async def test_the_same_rows_again_change_nothing(service: Service) -> None:
    await service.load(CARTER, DOYLE)
    before = await service.read(pnc_id(1))
    service.clock.at += DAY

    report = await service.load(CARTER, DOYLE)

    assert counts(report) == (0, 0, 2, 0)
    assert await service.read(pnc_id(1)) == before


async def test_a_changed_row_is_the_same_nominal_with_new_details(service: Service) -> None:
    await service.load(CARTER)
    before = await service.read(pnc_id(1))

    report = await service.load(person("James", "Carter-Smith", identifiers=[pnc_id(3)]))

    after = await service.read(pnc_id(3))
    assert counts(report) == (0, 1, 0, 0)
    assert (after.nominal_id, after.person.name.family_name) == (before.nominal_id, "Carter-Smith")
    old = await refusal(service.read(pnc_id(1)))
    assert old.code() == grpc.StatusCode.NOT_FOUND


async def test_bad_rows_are_reported_and_the_rest_goes_on(service: Service) -> None:
    bad = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value="2001/0000001A")
    report = await service.load(
        CARTER,
        person(family=""),
        person(born="1980-13-01"),
        person(identifiers=[bad]),
        person("Tina", "Carter", identifiers=[pnc_id(1)]),
        DOYLE,
    )

    assert counts(report) == (2, 0, 0, 4)
    assert refusals(report) == [
        (2, "person.name.family_name"),
        (3, "person.birth_date"),
        (4, "person.identifiers[0].value"),
        (5, "person.identifiers[0]"),
    ]
    assert "Carter" not in str(report)
    assert (await service.read(pnc_id(1))).person == CARTER


async def test_an_identifier_of_another_nominal_is_refused_in_a_later_import_too(service: Service) -> None:
    await service.load(CARTER)

    report = await service.load(person("Tina", "Moore", identifiers=[pnc_id(9), pnc_id(1)]), source="jtrack")

    assert refusals(report) == [(1, "person.identifiers[1]")]
    assert report.refusals[0].rule == "belongs to another nominal"


async def test_what_no_index_takes_is_refused_or_shortened_and_harms_no_other_row(service: Service) -> None:
    longest = person("James", "\u0394" * 2_000, "1980-03-12", identifiers=[pnc_id(3)])
    rows = [
        pb.ImportNominalsRequest(request_id="1", source="pnc", source_reference=reference, person=one)
        for reference, one in (("n1", CARTER), ("\u0394" * 201, DOYLE), ("n3", longest))
    ]

    report = await service.load_rows(*rows)

    assert refusals(report) == [(2, "source_reference")]
    assert (await service.read(pnc_id(3))).person == longest


async def test_of_very_many_refusals_the_first_thousand_are_told(service: Service) -> None:
    report = await service.load(*[person(family="")] * 1_200)

    assert (report.refused, len(report.refusals)) == (1_200, 1_000)
    assert report.refusals[-1].line == 1_000


async def test_an_import_longer_than_a_batch_is_whole(service: Service) -> None:
    people = [
        person("James", f"Carter{serial}", identifiers=[pnc_id(serial)])
        for serial in range(1, nominals.BATCH + 6)
    ]

    report = await service.load(*people)

    assert counts(report) == (nominals.BATCH + 5, 0, 0, 0)
    assert (await service.read(pnc_id(nominals.BATCH + 5))).person == people[-1]


async def test_a_key_that_stands_twice_in_a_file_ends_as_its_last_row(service: Service) -> None:
    rows = [
        pb.ImportNominalsRequest(request_id="1", source="pnc", source_reference="n1", person=one)
        for one in (CARTER, person("James", "Karter", identifiers=[pnc_id(1)]))
    ]

    report = await service.load_rows(*rows)

    assert counts(report) == (1, 1, 0, 0)
    assert (await service.read(pnc_id(1))).person.name.family_name == "Karter"


@pytest.mark.parametrize("field", ["source", "request_id"])
async def test_a_stream_is_one_import_of_one_source(service: Service, field: str) -> None:
    rows = [
        pb.ImportNominalsRequest(request_id="1", source="pnc", source_reference=f"n{place}", person=one)
        for place, one in enumerate((CARTER, DOYLE))
    ]
    setattr(rows[1], field, "another")

    error = await refusal(service.load_rows(*rows))

    assert violations(error) == [(field, "is the same on every row of an import")]


async def test_new_details_of_a_ppo_are_published_under_a_higher_version(service: Service) -> None:
    await service.load(CARTER, DOYLE)
    await service.active((await service.read(pnc_id(1))).nominal_id)
    [before] = await flags(service)

    renamed = person("James", "Smith", identifiers=[pnc_id(1)], aliases=[name("James", "Carter")])
    await service.load(renamed, DOYLE)

    [after] = await flags(service)
    assert after.person == renamed
    assert after.version > before.version
    assert list(after.episodes) == list(before.episodes)
    assert await service.outcome(renamed) == "FLAGGED"


async def test_new_details_of_anybody_else_are_not_published(service: Service) -> None:
    await service.load(CARTER)
    await service.load(person("James", "Smith", identifiers=[pnc_id(1)]))

    assert await flags(service) == []


# ---- a running register


def row(reference: str, **changes: Any) -> pb.ImportRegistrationsRequest:
    fields: dict[str, Any] = {
        "request_id": "1",
        "source": "jtrack",
        "source_reference": reference,
        "identifier": pnc_id(1),
        "strand": screening_pb2.STRAND_CATCH_AND_CONVICT,
        "criteria": [pb.CRITERION_VOLUME],
        "nominating_ocu": "D1",
        "effective_start_time": stamp(NOON - 60 * DAY),
    }
    return pb.ImportRegistrationsRequest(**(fields | changes))


def ended(reference: str, start: timedelta, end: timedelta, **changes: Any) -> pb.ImportRegistrationsRequest:
    dates = {"effective_start_time": stamp(NOON - start), "effective_end_time": stamp(NOON - end)}
    return row(reference, **(dates | {"removal_reason": MOVED_AWAY} | changes))


async def load(service: Service, *rows: pb.ImportRegistrationsRequest) -> pb.ImportReport:
    importer = await service.stub("importer")
    return (await importer.ImportRegistrations(iter(rows), timeout=30)).report


async def latest(service: Service) -> pb.GetRegistrationResponse:
    officer = await service.stub("police_offender_manager")
    nominal = await service.read(pnc_id(1))
    request = pb.GetRegistrationRequest(nominal_id=nominal.nominal_id, purpose=policy_pb2.PURPOSE_REGISTER)
    return await officer.GetRegistration(request, timeout=5)


async def test_a_running_register_is_taken_with_its_dates(service: Service) -> None:
    await service.load(CARTER, DOYLE)

    report = await load(service, row("1"), ended("2", 50 * DAY, 10 * DAY, identifier=pnc_id(2)))

    [carter, doyle] = await flags(service)
    assert counts(report) == (2, 0, 0, 0)
    assert carter.episodes[0].effective_start_time == stamp(NOON - 60 * DAY)
    assert (await latest(service)).registration.provenance == pb.PROVENANCE_IMPORTED
    assert (await service.outcome(CARTER), await service.outcome(DOYLE)) == ("FLAGGED", "NOT_FLAGGED")
    assert doyle.episodes[0].effective_end_time == stamp(NOON - 10 * DAY)


async def test_all_episodes_of_a_person_are_taken_in_any_order(service: Service) -> None:
    await service.load(CARTER)

    report = await load(
        service, row("now"), ended("first", 90 * DAY, 80 * DAY), ended("second", 80 * DAY, 70 * DAY)
    )

    [flag] = await flags(service)
    starts = [episode.effective_start_time.ToDatetime(tzinfo=UTC) for episode in flag.episodes]
    assert counts(report) == (3, 0, 0, 0)
    assert starts == [NOON - 90 * DAY, NOON - 80 * DAY, NOON - 60 * DAY]
    assert (await latest(service)).registration.state == pb.REGISTRATION_STATE_ACTIVE


async def test_the_same_register_again_changes_nothing_even_after_decisions(service: Service) -> None:
    await service.load(CARTER)
    await load(service, row("1"))
    await service.plan_exit((await latest(service)).registration)
    [before] = await flags(service)

    report = await load(service, row("1"))

    assert counts(report) == (0, 0, 1, 0)
    assert await flags(service) == [before]
    assert (await latest(service)).registration.state == pb.REGISTRATION_STATE_EXIT_PLANNED


async def test_an_end_that_the_other_register_adds_is_taken(service: Service) -> None:
    await service.load(CARTER)
    await load(service, row("1"))

    report = await load(service, ended("1", 60 * DAY, 1 * DAY))

    assert counts(report) == (0, 1, 0, 0)
    assert await service.outcome(CARTER) == "NOT_FLAGGED"
    kept = [
        pb.RegistrationState.Name(step.state)[len("REGISTRATION_STATE_") :]
        for step in (await latest(service)).steps
    ]
    assert kept == ["ACTIVE", "ACTIVE", "REMOVED"]


async def test_what_was_decided_here_is_not_undone_by_another_register(service: Service) -> None:
    await service.load(CARTER)
    await load(service, row("1"))
    await service.plan_exit((await latest(service)).registration)

    report = await load(service, ended("1", 60 * DAY, 1 * DAY))

    assert refusals(report) == [(1, "source_reference")]
    assert await service.outcome(CARTER) == "FLAGGED"


async def test_an_end_that_lies_ahead_ends_the_flag_at_its_instant(service: Service) -> None:
    await service.load(CARTER)
    await load(service, ended("1", 60 * DAY, -1 * DAY))
    before = await service.outcome(CARTER)
    service.clock.at = NOON + DAY

    assert (before, await service.outcome(CARTER)) == ("FLAGGED", "NOT_FLAGGED")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"identifier": pnc_id(7)}, "identifier.value"),
        (
            {"identifier": person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value="x")},
            "identifier.value",
        ),
        ({"identifier": nominal_id("00000000-0000-0000-0000-000000000000")}, "identifier.value"),
        ({"nominating_ocu": "K1"}, "nominating_ocu"),
        ({"criteria": []}, "criteria"),
        ({"strand": 0}, "strand"),
        ({"strand": screening_pb2.STRAND_PREVENT_AND_DETER}, "strand"),
        ({"effective_start_time": stamp(NOON + DAY)}, "effective_start_time"),
        ({"effective_end_time": stamp(NOON - DAY)}, "removal_reason"),
        ({"removal_reason": MOVED_AWAY}, "removal_reason"),
        ({"effective_end_time": stamp(NOON - 90 * DAY), "removal_reason": MOVED_AWAY}, "effective_end_time"),
    ],
)
async def test_a_wrong_row_is_refused_by_line_and_field(
    service: Service, changes: dict[str, Any], field: str
) -> None:
    await service.load(CARTER, DOYLE)

    report = await load(service, row("1", **changes), row("2", identifier=pnc_id(2), line=17))

    assert counts(report) == (1, 0, 0, 1)
    assert refusals(report) == [(1, field)]


async def test_a_second_live_registration_and_an_overlap_are_refused(service: Service) -> None:
    await service.load(CARTER)

    report = await load(service, row("1"), row("2"), ended("3", 61 * DAY, 59 * DAY))

    assert refusals(report) == [(2, "effective_start_time"), (3, "effective_start_time")]
    assert "registration already" in report.refusals[0].rule
    assert "in that time" in report.refusals[1].rule


async def test_the_reference_of_another_person_is_refused(service: Service) -> None:
    await service.load(CARTER, DOYLE)
    await load(service, row("1"))

    report = await load(service, row("1", identifier=pnc_id(2)))

    assert refusals(report) == [(1, "source_reference")]


async def test_an_imported_registration_lives_on_by_decisions(service: Service) -> None:
    await service.load(CARTER)
    await load(service, row("1"))
    planned = await service.plan_exit((await latest(service)).registration)
    service.clock.at += DAY

    removed = await service.remove(planned)

    assert removed.state == pb.REGISTRATION_STATE_REMOVED
    keeper = await service.stub("register_keeper")
    error = await refusal(keeper.DecideNomination(decision(removed), timeout=5))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
