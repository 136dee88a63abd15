"""`ppo letters` and `ppo notices` against the service itself: what they do, print, and refuse in one line."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import uuid4

import pytest

from deploy.embedded import clock
from ppo.tracking.v1 import movement_pb2, notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.console.__main__ import main
from services.runtime.broker import Record
from tests.integration.tracking import running
from tests.integration.tracking.running import (
    MOVEMENTS,
    NOW,
    SECONDS,
    Ppo,
    World,
    december,
    hmpps,
    movement,
)
from tests.processes import Processes

T = TypeVar("T")

RECEPTION = pb.NOTICE_TYPE_PRISON_RECEPTION
MANAGER = ("police_offender_manager", "E3")


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Run(Protocol):
    def __call__(self, *arguments: str, of: tuple[str, str] = ("ops", "ppo")) -> Ran: ...


@pytest.fixture
def ppo(
    processes: Processes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    monkeypatch.setenv("PPO_TRACKING_TARGET", processes.tracking.address)
    monkeypatch.setenv("PPO_DATA", str(tmp_path))

    def run(*arguments: str, of: tuple[str, str] = ("ops", "ppo")) -> Ran:
        monkeypatch.setenv("PPO_TOKEN", processes.token(*of))
        code, said = main(arguments), capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


def done(processes: Processes, act: Callable[[World], Awaitable[T]]) -> T:
    async def go() -> T:
        async for world in running.world(processes):
            return await act(world)
        raise AssertionError

    return asyncio.run(go())


def refused(ran: Ran, code: int, *words: str) -> bool:
    """In one line that names these."""
    one = ran.err.startswith("ppo: ") and ran.err.count("\n") == 1
    return one and (ran.code, ran.out) == (code, "") and all(word in ran.err for word in words)


async def _buried(world: World) -> tuple[Ppo, str]:
    """A release that lies in the future, and its dead letter."""
    person = await world.known(Ppo())
    early = movement(
        person,
        movement_pb2.MOVEMENT_KIND_RELEASE,
        NOW + timedelta(hours=1),
        reason_code="CR",
        prison_id="BMI",
    )
    await world.send(MOVEMENTS, person.number, early)
    dead = await world.dead(MOVEMENTS, person.number)
    letter = f"{dead.topic}/{dead.partition}/{dead.offset}"
    async with asyncio.timeout(SECONDS):
        while letter not in await _listed(world):
            await asyncio.sleep(0.05)
    return person, letter


async def _listed(world: World) -> set[str]:
    ops = await world.tracking("ops", "ppo")
    response = await ops.ListDeadLetters(pb.ListDeadLettersRequest(), timeout=SECONDS)
    return {one.letter_id for one in response.letters}


async def _received(world: World) -> notice_pb2.Notice:
    """What the owner was told of a reception."""
    person = await world.known(Ppo())
    await world.publish(hmpps("received", person.number, december(1), "ADMISSION", "BMI", "N"))
    return (await world.notices("E3", person, 1, RECEPTION))[0]


# ---- dead letters


def test_a_dead_letter_is_listed_and_shown_with_its_reason(processes: Processes, ppo: Run) -> None:
    _, letter = done(processes, _buried)

    listed, shown = ppo("letters", "list", "--json"), ppo("letters", "show", letter)
    as_json = ppo("letters", "show", letter, "--json")

    [found] = [one for one in listed.lines[0]["letters"] if one["letter_id"] == letter]
    assert "lies in the future" in found["reason"]
    assert (found["topic"], found["event_type"]) == (MOVEMENTS, "ppo.tracking.v1.Movement")
    assert as_json.lines == [found]
    assert (listed.code, shown.code, as_json.code) == (0, 0, 0)
    assert shown.out.splitlines()[0] == f"{letter}: open"
    assert "refused: occurred_time: lies in the future" in shown.out
    assert f"{letter}  open" in ppo("letters", "list").out.splitlines()


def test_a_dead_letter_is_retried_once_its_time_has_come(processes: Processes, ppo: Run) -> None:
    person, letter = done(processes, _buried)
    early = ppo("letters", "retry", letter)

    clock.move(processes.directory, NOW + timedelta(hours=2))
    retried = ppo("letters", "retry", letter, "--json")

    steps = done(processes, lambda world: world.moved(person, 1)).steps
    clock.move(processes.directory, NOW)
    assert refused(early, 1, "lies in the future")
    assert (retried.code, retried.lines[0]["fate"]) == (0, "DEAD_LETTER_FATE_RETRIED")
    assert len(steps) == 1
    assert letter not in open_letters(ppo)
    assert letter in {
        one["letter_id"] for one in ppo("letters", "list", "--all", "--json").lines[0]["letters"]
    }


def test_a_dead_letter_is_discarded_with_a_reason_and_for_good(processes: Processes, ppo: Run) -> None:
    _, letter = done(processes, _buried)
    without, blank = ppo("letters", "discard", letter), ppo("letters", "discard", letter, "--reason", " ")

    discarded = ppo("letters", "discard", letter, "--reason", "a test of the prison's")

    assert refused(without, 2, "--reason")
    assert refused(blank, 2, "reason", "required")
    assert discarded.code == 0
    assert "discarded: a test of the prison's" in discarded.out
    assert letter not in open_letters(ppo)
    assert refused(ppo("letters", "retry", letter), 1, "was discarded")


@pytest.mark.parametrize("verb", [["show"], ["retry"], ["discard", "--reason", "gone"]])
@pytest.mark.parametrize("letter", ["nonsense", f"{MOVEMENTS}.dead/0/999999", "ppo.custody.arrests.v1/0/0"])
def test_what_is_no_dead_letter_is_one_line(ppo: Run, verb: list[str], letter: str) -> None:
    assert refused(ppo("letters", *verb, letter), 1, "no")


def test_nobody_but_operations_sees_dead_letters(ppo: Run) -> None:
    assert refused(ppo("letters", "list", of=MANAGER), 1, "police_offender_manager")


def open_letters(ppo: Run) -> set[str]:
    return {one["letter_id"] for one in ppo("letters", "list", "--json").lines[0].get("letters", [])}


# ---- notices


def test_an_organisation_lists_its_notices_and_acknowledges_them(processes: Processes, ppo: Run) -> None:
    told = done(processes, _received)

    listed = ppo("notices", "list", "E3", "--unacknowledged", "--json", of=MANAGER)
    acknowledged = ppo("notices", "ack", told.notice_id, "--as", "E3", "--json", of=MANAGER)
    after = ppo("notices", "list", "E3", "--unacknowledged", "--json", of=MANAGER)
    read = ppo("notices", "list", "E3", of=MANAGER)

    assert told.notice_id in {one["notice_id"] for one in listed.lines}
    assert acknowledged.lines[0]["acknowledged_time"]
    assert told.notice_id not in {one["notice_id"] for one in after.lines}
    assert f"notice {told.notice_id}" in read.out
    assert (listed.code, acknowledged.code, after.code, read.code) == (0, 0, 0, 0)


def test_only_the_organisation_that_was_told_acknowledges(processes: Processes, ppo: Run) -> None:
    told = done(processes, _received)

    other = ppo("notices", "ack", told.notice_id, "--as", "F3", of=("police_offender_manager", "F3"))

    assert refused(other, 1, "sent no such notice")
    traced = ppo("notices", "trace", told.notice_id, "--json").lines[0]
    assert not [one for one in traced["deliveries"] if "acknowledged_time" in one]


def test_a_trace_says_to_whom_and_when_and_nothing_of_the_person(processes: Processes, ppo: Run) -> None:
    told = done(processes, _received)

    traced, read = ppo("notices", "trace", told.notice_id, "--json"), ppo("notices", "trace", told.notice_id)

    assert {one["organisation"] for one in traced.lines[0]["deliveries"]} == {
        *("E3", "probation-5", "BMI", "carat-bmi"),
    }
    assert told.nominal_id not in traced.out + read.out
    assert read.out.splitlines()[0] == "prison reception"
    assert (traced.code, read.code) == (0, 0)


def test_a_replay_is_counted_and_one_of_nothing_is_refused(processes: Processes, ppo: Run) -> None:
    told = done(processes, _received)

    replayed = ppo("notices", "replay", "E3", "--json")
    since = ppo("notices", "replay", "E3", "--since", "2005-01-03T23:00:00")

    sent = replayed.lines[0]["sent"]
    records = done(processes, lambda world: world.records("ppo.notices.E3.v1.replay", sent))
    assert told.notice_id in {_notice(one) for one in records}
    assert refused(since, 1, "nothing since")


def _notice(record: Record) -> str:
    return record.headers["ce_id"].partition("/")[0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["list", "Z9"], 2, ["Z9", "no organisation"]),
        (["list", "birmingham-housing"], 2, ["casework.birmingham-housing.v1"]),
        (["list", "forum-f1"], 2, ["ppo.notices.forum-f1.v1"]),
        (["replay", "Z9"], 2, ["Z9", "no organisation"]),
        (["replay", "E3", "--since", "yesterday"], 2, ["yesterday"]),
        (["trace", str(uuid4())], 1, ["no such notice"]),
        (["trace", ""], 2, ["notice_id"]),
        (["ack", str(uuid4()), "--as", "Z9"], 2, ["Z9"]),
        (["ack", str(uuid4())], 2, ["--as"]),
        (["ack", str(uuid4()), "--as", "E3", "--registered", "2004-12-08"], 2, ["--registered"]),
        (["overdue", "--of"], 2, ["--of"]),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    ppo: Run, arguments: list[str], code: int, words: list[str]
) -> None:
    assert refused(ppo("notices", *arguments), code, *words)


# ---- what time brings; this comes last, for the clock goes on


def test_what_is_overdue_is_listed_with_who_has_been_told(processes: Processes, ppo: Run) -> None:
    told = done(processes, _received)
    clock.move(processes.directory, NOW + timedelta(hours=2))

    async def escalated(world: World) -> None:
        person = Ppo(nominal_id=told.nominal_id)
        await world.notices("E3", person, 4, pb.NOTICE_TYPE_NOT_ACKNOWLEDGED)

    done(processes, escalated)
    late, all_of_them = ppo("notices", "overdue", "--of", "BMI", "--json"), ppo("notices", "overdue")

    [found] = [one for one in late.lines[0]["notices"] if one["notice_id"] == told.notice_id]
    assert (found["organisation"], found["escalation"]) == ("BMI", "ESCALATION_LEVEL_OFFENDER_MANAGER")
    [line] = [one for one in all_of_them.out.splitlines() if f"{told.notice_id}  BMI: " in one]
    assert "with the offender manager since" in line
    assert (late.code, all_of_them.code) == (0, 0)
