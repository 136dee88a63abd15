"""A prison's roll: who on it is a PPO, whose the prison numbers are, and what the keeper is asked."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.type.date_pb2 import Date
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ppo.flagging.v1 import flagging_pb2
from ppo.flagging.v1 import roll_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.policy.v1 import policy_pb2
from services.flagging import deaths, gauges, matches
from services.flagging.fields import stamp
from services.flagging.models import due
from services.flagging.store.rolls import MATCH_LAPSES
from services.runtime import channel
from services.runtime.due import Runner
from tests.builders import name, person, pnc_id
from tests.integration.flagging.service import NOON, Service, refusal
from tests.integration.flagging.test_movements import (
    OTHER,
    THIRD,
    counted,
    death,
    flag,
    hear,
    numbered,
    numbers,
    ppo,
    reversal,
)

NUMBER = "A1111AA"
PRISON, KEEPER = "prison_offender_management_unit", "register_keeper"


def line(number: str = NUMBER, pnc: int | None = 1, **changes: Any) -> pb.ScreenRollRequest:
    """Of James Carter, who is nominal 1."""
    request: dict[str, Any] = {
        "purpose": policy_pb2.PURPOSE_PRISON_CUSTODY,
        "prison_number": number,
        "name": name("James", "Carter"),
        "birth_date": Date(year=1980, month=3, day=12),
        "pnc_id": pnc_id(pnc).value if pnc else "",
    }
    return pb.ScreenRollRequest(**(request | changes))


def stranger(number: str, **changes: Any) -> pb.ScreenRollRequest:
    born = Date(year=1951, month=7, day=30)
    return line(number, None, **({"name": name("Obadiah", "Quilter"), "birth_date": born} | changes))


async def answers(service: Service, *lines: pb.ScreenRollRequest) -> list[pb.ScreenRollResponse]:
    prison = await service.stub(PRISON, "BMI")
    return [one async for one in prison.ScreenRoll(iter(lines), timeout=30)]


async def answer(service: Service, *lines: pb.ScreenRollRequest) -> pb.RollAnswer:
    """The answer to the last line."""
    return (await answers(service, *lines))[-1].answer


def said(answer: pb.RollAnswer) -> tuple[str, str]:
    outcome = screening_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_")
    return outcome, pb.NumberLink.Name(answer.link).removeprefix("NUMBER_LINK_")


async def waiting(service: Service) -> list[pb.PrisonMatch]:
    request = pb.ListPrisonMatchesRequest(purpose=policy_pb2.PURPOSE_REGISTER)
    keeper = await service.stub(KEEPER)
    return [one.match async for one in keeper.ListPrisonMatches(request, timeout=5)]


async def resolve(service: Service, nominal_id: str = "", **changes: Any) -> pb.NumberLink.ValueType:
    asked = {"request_id": str(uuid4()), "prison_number": NUMBER, "reason": "photograph compared"}
    request = pb.ResolvePrisonMatchRequest(nominal_id=nominal_id, **(asked | changes))
    return (await (await service.stub(KEEPER)).ResolvePrisonMatch(request, timeout=5)).link


async def rows(service: Service, query: str, **values: Any) -> Sequence[Any]:
    async with service.database.transaction() as session:
        return (await session.execute(text(query), values)).all()


async def register(service: Service) -> Sequence[Any]:
    """All that a roll could change."""
    return [
        await rows(service, f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("nominal", "nominal_identifier", "flag", "register", "outbox", "prison_match")
    ]


# ---- who is a PPO


async def test_a_ppo_is_told_by_pnc_id_and_the_prison_number_is_theirs_from_then_on(service: Service) -> None:
    registration = await ppo(service, numbered())

    first = await answer(service, line())
    again = await answer(service, line())

    assert (said(first), said(again)) == (("FLAGGED", "LINKED"), ("FLAGGED", "HELD"))
    assert (first.nominal_id, first.nominating_ocu) == (registration.nominal_id, "D1")
    assert first.strand == screening_pb2.STRAND_CATCH_AND_CONVICT
    assert await numbers(service, registration.nominal_id) == [NUMBER]


async def test_the_answer_names_the_version_of_the_register_it_was_made_at(service: Service) -> None:
    registration = await ppo(service, numbered(NUMBER))

    told = await answer(service, line())

    assert told.register_version == (await flag(service, registration.nominal_id)).version
    assert told.HasField("register_time")


async def test_a_flag_that_was_just_set_is_on_the_roll(service: Service) -> None:
    nominal_id = await service.nominal(numbered(NUMBER))
    before = await answer(service, line())
    await service.active(nominal_id)

    after = await answer(service, line())

    assert (said(before), said(after)) == (("NOT_FLAGGED", "UNSPECIFIED"), ("FLAGGED", "HELD"))


async def test_the_same_roll_again_changes_nothing(service: Service) -> None:
    await ppo(service, numbered())
    await service.nominal(person("Joan", "Marsh", "1975-01-02", identifiers=[pnc_id(2)]))
    lines = [line(), line(OTHER, None), line("A4444DD", 2, name=name("Joan", "Marsh"),
             birth_date=Date(year=1975, month=1, day=2)), stranger(THIRD)]  # fmt: skip
    first = await answers(service, *lines)
    before = await register(service)

    again = await answers(service, *lines)

    assert [said(one.answer)[0] for one in first] == [said(one.answer)[0] for one in again]
    assert [said(one.answer) for one in again] == [
        ("FLAGGED", "HELD"),
        ("POSSIBLE", "QUEUED"),
        ("NOT_FLAGGED", "UNSPECIFIED"),
        ("NOT_FLAGGED", "UNSPECIFIED"),
    ]
    assert await register(service) == before


async def test_nothing_is_kept_of_a_prisoner_whom_nobody_matches(service: Service) -> None:
    await ppo(service)
    before = await register(service)

    told = await answer(service, stranger(OTHER))

    assert said(told) == ("NOT_FLAGGED", "UNSPECIFIED")
    assert (told.nominal_id, told.nominating_ocu) == ("", "")
    assert await register(service) == before


async def test_a_number_is_learnt_of_somebody_who_is_no_ppo_and_the_prison_is_not_told(
    service: Service,
) -> None:
    await service.nominal(numbered())

    told = await answer(service, line())

    assert (said(told), told.nominal_id) == (("NOT_FLAGGED", "UNSPECIFIED"), "")
    held = (await service.read(pnc_id(1))).person.identifiers
    assert [one.value for one in held if one.kind == person_pb2.IDENTIFIER_KIND_PRISON_NUMBER] == [NUMBER]


async def test_a_learnt_number_outlives_an_import_of_the_persons_row(service: Service) -> None:
    await service.load(numbered())
    await answer(service, line())

    await service.load(person("James", "Carter", "1980-03-12", identifiers=[pnc_id(1)]))

    assert said(await answer(service, line(pnc=None))) == ("NOT_FLAGGED", "UNSPECIFIED")
    assert len((await service.read(pnc_id(1))).person.identifiers) == 2


# ---- what is not sure


async def test_who_matches_by_name_and_date_alone_waits_for_the_keeper(service: Service) -> None:
    registration = await ppo(service, numbered())

    told = await answer(service, line(pnc=None))

    [match] = await waiting(service)
    assert (said(told), told.nominal_id) == (("POSSIBLE", "QUEUED"), "")
    assert (match.prison_number, match.person.name.family_name) == (NUMBER, "Carter")
    assert [one.nominal_id for one in match.candidates] == [registration.nominal_id]
    assert match.candidates[0].person.name.family_name == "Carter"
    assert {one.field for one in match.candidates[0].evidence} >= {"family_name", "birth_date"}
    assert await numbers(service, registration.nominal_id) == []


async def test_a_pnc_id_that_the_details_contradict_links_nothing(service: Service) -> None:
    registration = await ppo(service, numbered())

    told = await answer(service, stranger(NUMBER, pnc_id=pnc_id(1).value))

    assert said(told) == ("POSSIBLE", "QUEUED")
    assert await numbers(service, registration.nominal_id) == []


async def test_a_pnc_id_and_a_number_of_two_nominals_link_nothing(service: Service) -> None:
    registration = await ppo(service, numbered())
    await service.nominal(person("James", "Carter", identifiers=[pnc_id(2), numbered(NUMBER).identifiers[1]]))

    told = await answer(service, line())

    assert said(told) == ("POSSIBLE", "QUEUED")
    assert await numbers(service, registration.nominal_id) == []


async def test_of_two_prisoners_with_one_pnc_id_neither_is_sure(service: Service) -> None:
    registration = await ppo(service, numbered())

    told = await answers(service, line(), line(OTHER))

    assert [said(one.answer) for one in told] == [("POSSIBLE", "QUEUED")] * 2
    assert await numbers(service, registration.nominal_id) == []


async def test_nobody_stands_on_a_roll_under_two_numbers(service: Service) -> None:
    await ppo(service, numbered(OTHER))

    told = await answers(service, line(OTHER, None), line(NUMBER))

    assert [said(one.answer) for one in told] == [("FLAGGED", "HELD"), ("POSSIBLE", "QUEUED")]


async def test_a_later_roll_that_is_sure_takes_the_question_back(service: Service) -> None:
    await ppo(service, numbered())
    await answer(service, line(pnc=None))

    assert said(await answer(service, line())) == ("FLAGGED", "LINKED")

    assert await waiting(service) == []
    assert await rows(service, "SELECT 1 FROM due") == []


async def test_what_nobody_looks_at_lapses_after_28_days(service: Service) -> None:
    await ppo(service, numbered())
    await answer(service, line(pnc=None))
    runner = Runner(service.database, due, service.clock, {MATCH_LAPSES: matches.lapse})

    service.clock.at += timedelta(days=28) - timedelta(seconds=1)
    assert not await runner.step()
    service.clock.at += timedelta(seconds=1)
    assert await runner.step()

    assert await waiting(service) == []
    assert await rows(service, "SELECT 1 FROM due") == []


async def test_a_prisoner_on_a_later_roll_waits_from_the_first_and_lapses_from_the_last(
    service: Service,
) -> None:
    await ppo(service, numbered())
    asked = service.clock.at
    await answer(service, line(pnc=None))
    service.clock.at += timedelta(days=7)
    await answer(service, line(pnc=None))

    [match] = await waiting(service)

    assert match.asked_time.ToDatetime(tzinfo=asked.tzinfo) == asked
    assert match.lapse_time.ToDatetime(tzinfo=asked.tzinfo) == service.clock.at + timedelta(days=28)


async def test_the_length_of_the_queue_and_its_oldest_are_counted(service: Service) -> None:
    await ppo(service, numbered())
    counted = gauges.Gauges(service.database, service.clock)
    await answer(service, line(pnc=None))
    service.clock.at += timedelta(hours=2)

    await counted.look()
    held = [REGISTRY.get_sample_value(f"ppo_flagging_prison_matches{one}") for one in ("", "_seconds")]
    await answer(service, line())
    await counted.look()

    assert held == [1, 7200]
    assert REGISTRY.get_sample_value("ppo_flagging_prison_matches") == 0


# ---- what the keeper says


async def test_the_keeper_says_whose_a_number_is(service: Service) -> None:
    registration = await ppo(service, numbered())
    await answer(service, line(pnc=None))

    link = await resolve(service, registration.nominal_id)

    assert link == pb.NUMBER_LINK_LINKED
    assert await waiting(service) == []
    assert await numbers(service, registration.nominal_id) == [NUMBER]
    assert said(await answer(service, line(pnc=None))) == ("FLAGGED", "HELD")
    assert await rows(service, "SELECT reason, recorded_by FROM prison_ruling") == [
        ("photograph compared", f"{KEEPER}-1")
    ]


async def test_whom_the_keeper_has_ruled_out_is_not_asked_again(service: Service) -> None:
    await ppo(service, numbered())
    await answer(service, line(pnc=None))

    link = await resolve(service)

    assert link == pb.NUMBER_LINK_RULED_OUT
    assert said(await answer(service, line(pnc=None))) == ("NOT_FLAGGED", "UNSPECIFIED")
    assert await waiting(service) == []


async def test_an_identifier_speaks_against_the_keepers_ruling_and_the_keeper_is_asked_again(
    service: Service,
) -> None:
    await ppo(service, numbered())
    await answer(service, line(pnc=None))
    await resolve(service)

    told = await answer(service, line())

    assert said(told) == ("POSSIBLE", "QUEUED")


async def test_the_keeper_can_take_a_ruling_back_by_naming_the_person(service: Service) -> None:
    registration = await ppo(service, numbered())
    await answer(service, line(pnc=None))
    await resolve(service)

    await resolve(service, registration.nominal_id, reason="fingerprints after all")

    assert said(await answer(service, line(pnc=None))) == ("FLAGGED", "HELD")


async def test_a_number_that_another_nominal_has_is_not_given_away(service: Service) -> None:
    registration = await ppo(service, numbered())
    await service.nominal(person("Joan", "Marsh", identifiers=[pnc_id(2), numbered(NUMBER).identifiers[1]]))

    refused = await refusal(resolve(service, registration.nominal_id))

    assert channel.reason(refused) == "NUMBER_HELD"


async def test_where_nothing_waits_nobody_is_ruled_out(service: Service) -> None:
    refused = await refusal(resolve(service))

    assert refused.code() == grpc.StatusCode.NOT_FOUND


async def test_a_repeated_ruling_is_one(service: Service) -> None:
    registration = await ppo(service, numbered())
    await answer(service, line(pnc=None))

    links = [await resolve(service, registration.nominal_id, request_id="one") for _ in range(2)]

    assert links == [pb.NUMBER_LINK_LINKED] * 2
    assert len(await rows(service, "SELECT 1 FROM prison_ruling")) == 1


# ---- a number that was given to the wrong person


async def withdraw(service: Service, nominal_id: str, **changes: Any) -> pb.NumberLink.ValueType:
    asked = {"request_id": str(uuid4()), "prison_number": NUMBER, "reason": "another man's cell"}
    request = pb.WithdrawPrisonNumberRequest(nominal_id=nominal_id, **(asked | changes))
    return (await (await service.stub(KEEPER)).WithdrawPrisonNumber(request, timeout=5)).link


async def test_a_number_is_taken_back_and_no_roll_gives_it_to_the_person_again(service: Service) -> None:
    registration = await ppo(service, numbered())
    await answer(service, line())

    link = await withdraw(service, registration.nominal_id)

    assert link == pb.NUMBER_LINK_RULED_OUT
    assert await numbers(service, registration.nominal_id) == []
    told = (await flag(service, registration.nominal_id)).person.identifiers
    assert [one.value for one in told] == [pnc_id(1).value]
    assert said(await answer(service, line())) == ("POSSIBLE", "QUEUED")
    assert await rows(service, "SELECT nominal_id, ruled_out, reason FROM prison_ruling") == [
        (None, [UUID(registration.nominal_id)], "another man's cell")
    ]


async def test_a_death_under_a_number_that_is_taken_back_is_no_death_of_the_persons(service: Service) -> None:
    registration = await ppo(service, numbered())
    await answer(service, line())
    await hear(service, death(NUMBER), death(NUMBER, NOON - timedelta(hours=1)))

    await withdraw(service, registration.nominal_id)
    # It was another's, and the prison takes that back too.
    await hear(service, reversal(death(NUMBER), NUMBER))

    again = await service.latest(registration.nominal_id)
    assert (again.state, again.removal_reason) == (flagging_pb2.REGISTRATION_STATE_ACTIVE, 0)
    last = "SELECT recorded_by, reason FROM registration_step ORDER BY number DESC LIMIT 1"
    assert await rows(service, last) == [(f"{KEEPER}-1", deaths.NEVER_THEIRS)]
    told = await flag(service, registration.nominal_id)
    assert [one.HasField("effective_end_time") for one in told.episodes] == [False]
    assert [one.value for one in told.person.identifiers] == [pnc_id(1).value]
    assert await service.outcome(numbered()) == "FLAGGED"


async def test_a_death_under_a_number_that_another_is_given_ends_theirs_once_it_is_told_again(
    service: Service,
) -> None:
    registration, other = await ppo(service, numbered()), await ppo(service, numbered(serial=2))
    await answer(service, line())
    await hear(service, death(NUMBER))

    await withdraw(service, registration.nominal_id)
    await resolve(service, other.nominal_id)
    await hear(service, death(NUMBER))

    found = [(await service.latest(one.nominal_id)).state for one in (registration, other)]
    assert found == [flagging_pb2.REGISTRATION_STATE_ACTIVE, flagging_pb2.REGISTRATION_STATE_REMOVED]


async def test_a_reversal_brings_back_who_was_dead_under_a_number_that_the_police_took_away(
    service: Service,
) -> None:
    registration = await ppo(service, numbered(NUMBER))
    await hear(service, death(NUMBER))
    [(source,)] = await rows(service, "SELECT source FROM nominal")
    await service.load(person("James", "Carter", identifiers=[pnc_id(1)]), source=source)

    await hear(service, reversal(death(NUMBER), NUMBER))

    again = await service.latest(registration.nominal_id)
    assert again.state == flagging_pb2.REGISTRATION_STATE_ACTIVE


async def test_of_a_death_under_another_number_as_well_the_keeper_is_told(service: Service) -> None:
    registration = await ppo(service, numbered(OTHER))
    await answer(service, line())
    await hear(service, death(NUMBER), death(OTHER))

    async with counted("told_by_another", "movements_review_total", "reason"):
        await withdraw(service, registration.nominal_id)

    again = await service.latest(registration.nominal_id)
    assert again.state == flagging_pb2.REGISTRATION_STATE_ACTIVE


async def test_who_held_a_number_that_was_taken_back_is_known_of_the_time_before(service: Service) -> None:
    registration = await ppo(service, numbered())
    await answer(service, line())
    service.clock.at += timedelta(days=1)
    before = stamp(service.clock.at)
    service.clock.at += timedelta(days=1)
    await withdraw(service, registration.nominal_id)

    keeper = await service.stub(KEEPER)
    request = flagging_pb2.GetNominalRequest(
        identifier=numbered(NUMBER).identifiers[1], purpose=policy_pb2.PURPOSE_REGISTER, known_at_time=before
    )
    found = await keeper.GetNominal(request, timeout=5)

    assert found.nominal.nominal_id == registration.nominal_id


async def test_a_number_of_the_polices_own_record_is_put_right_there(service: Service) -> None:
    registration = await ppo(service, numbered(NUMBER))

    refused = await refusal(withdraw(service, registration.nominal_id))

    assert channel.reason(refused) == "NUMBER_OF_RECORD"
    assert await numbers(service, registration.nominal_id) == [NUMBER]


async def test_a_number_is_taken_back_from_nobody_else(service: Service) -> None:
    await ppo(service, numbered())
    await answer(service, line())
    other = await service.nominal(person("Joan", "Marsh", identifiers=[pnc_id(2)]))

    refused = await refusal(withdraw(service, other))

    assert refused.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("statement", ["UPDATE prison_ruling SET reason = ''", "DELETE FROM prison_ruling"])
async def test_a_ruling_stays_whoever_writes(service: Service, statement: str) -> None:
    registration = await ppo(service, numbered())
    await resolve(service, registration.nominal_id)

    with pytest.raises(DBAPIError, match="only ever added"):
        await rows(service, statement)


# ---- bad lines, audit, who may ask


@pytest.mark.parametrize(
    ("wrong", "field", "rule"),
    [
        ({"prison_number": "1234"}, "prison_number", "not a prison_number: its form is wrong"),
        ({"pnc_id": "79/163001C"}, "pnc_id", "not a pnc_id: its check letter is wrong"),
        ({"name": name("James", " ")}, "name.family_name", "is required; a one-word name stands here"),
        ({"birth_date": Date(year=2005)}, "birth_date", "is in the future"),
        ({"birth_date": Date(year=1980, month=2, day=30)}, "birth_date", "there is no day 30 in that month"),
    ],
)
async def test_a_bad_line_is_refused_by_field_and_rule_and_the_rest_goes_on(
    service: Service, wrong: dict[str, Any], field: str, rule: str
) -> None:
    await ppo(service, numbered(NUMBER))

    refused, answered = await answers(service, line(OTHER, None, **wrong), line())

    assert (refused.line, refused.refusal.field, refused.refusal.rule) == (1, field, rule)
    assert (answered.line, said(answered.answer)[0]) == (2, "FLAGGED")


async def test_a_number_that_stands_twice_is_refused_the_second_time(service: Service) -> None:
    told = await answers(service, line(), line())

    assert (told[0].line, told[0].refusal.rule) == (2, "stands on line 1 already")


async def test_a_roll_has_one_purpose(service: Service) -> None:
    refused = await refusal(answers(service, line(), line(OTHER, purpose=policy_pb2.PURPOSE_AUDIT)))

    assert channel.violations(refused) == [("purpose", "is the same on every line of a roll")]


async def test_an_empty_roll_has_no_answer(service: Service) -> None:
    assert await answers(service) == []
    assert await rows(service, "SELECT 1 FROM roll") == []


async def test_each_roll_is_audited_with_counts_and_without_a_person(service: Service) -> None:
    await ppo(service, numbered())

    await answers(service, line(), line(OTHER, None), stranger(THIRD), line("bad"))

    query = """SELECT prison, asked_by, asked_time, purpose, lines, refused, flagged, possible, not_flagged,
                      unknown, linked FROM roll"""
    [audited] = await rows(service, query)
    assert tuple(audited) == (
        "BMI", f"{PRISON}-1", service.clock.at, policy_pb2.PURPOSE_PRISON_CUSTODY, 4, 1, 1, 1, 1, 0, 1,
    )  # fmt: skip


async def test_only_a_prison_asks_with_a_roll(service: Service) -> None:
    keeper = await service.stub(KEEPER)

    async def asked() -> None:
        async for _ in keeper.ScreenRoll(iter([line()]), timeout=5):
            pass

    assert (await refusal(asked())).code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_token_that_names_no_prison_asks_for_nothing(service: Service) -> None:
    nowhere = await service.stub(PRISON, "XXX")

    async def asked() -> None:
        async for _ in nowhere.ScreenRoll(iter([line()]), timeout=5):
            pass

    assert (await refusal(asked())).code() == grpc.StatusCode.PERMISSION_DENIED
    assert await rows(service, "SELECT 1 FROM roll") == []


async def test_rolls_and_imports_at_once_give_every_number_to_one_person(service: Service) -> None:
    people = [person("James", f"Carter{chr(97 + one)}", identifiers=[pnc_id(one + 1)]) for one in range(20)]
    await service.load(*people)
    lines = [
        line(f"A{one:04d}BC", one + 1, name=name("James", f"Carter{chr(97 + one)}")) for one in range(20)
    ]

    loads = [service.load(*people) for _ in range(3)]
    await asyncio.gather(*(answers(service, *lines) for _ in range(3)), *loads)

    counted = "SELECT count(*) FROM nominal_identifier WHERE kind = 3 GROUP BY nominal_id"
    assert await rows(service, counted) == [(1,)] * 20


# ---- merged nominals


async def test_a_number_goes_to_the_nominal_of_its_pnc_id_and_leaves_with_it(service: Service) -> None:
    registration = await ppo(service, numbered())
    other = await service.nominal(person("James", "Carter", identifiers=[pnc_id(2)]))
    await service.merge(other, registration.nominal_id)

    told = await answer(service, line(pnc=2))
    united = (await service.read(pnc_id(1))).person
    await service.unmerge(other)

    assert (said(told), told.nominal_id) == (("FLAGGED", "LINKED"), registration.nominal_id)
    assert NUMBER in [one.value for one in united.identifiers]
    assert NUMBER in [one.value for one in (await service.read(pnc_id(2))).person.identifiers]
    assert await numbers(service, registration.nominal_id) == []


async def test_the_number_of_a_merged_record_is_held_already(service: Service) -> None:
    registration = await ppo(service, numbered())
    other = await service.nominal(
        person("James", "Carter", identifiers=[pnc_id(2), numbered(NUMBER).identifiers[1]])
    )
    await service.merge(other, registration.nominal_id)

    assert said(await answer(service, line())) == ("FLAGGED", "HELD")
    assert await resolve(service, registration.nominal_id) == pb.NUMBER_LINK_HELD
