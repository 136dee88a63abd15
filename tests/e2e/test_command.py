"""The command as a new user tries it: what goes wrong is one clear line, and nothing is lost."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.policy.v1 import policy_pb2
from services.console import population, session
from services.console.demo import free_offset
from services.runtime import channel
from tests.e2e.terminal import Ran, foreground, ppo, processes_that_name

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def offset() -> int:
    return free_offset()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, offset: int) -> Iterator[Path]:
    """A suite that runs, for everything in this file that does not stop it."""
    data = tmp_path_factory.mktemp("suite")
    started = ppo("up", "--detach", "--offset", str(offset), data=data)
    assert started.code == 0, started.err
    yield data
    assert ppo("down", "--purge", data=data).code == 0
    assert not data.exists()


def assert_one_line(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code
    assert ran.err.startswith("ppo: ")
    assert ran.err.count("\n") == 1
    assert all(word in ran.err for word in words)


def test_a_second_start_on_the_same_data_is_one_line(data: Path) -> None:
    assert_one_line(ppo("up", data=data), 1, "is in use by a stack", "ppo down")


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    offset = free_offset()
    with socket.create_server(("127.0.0.1", 50051 + offset)):
        ran = ppo("up", "--offset", str(offset), data=tmp_path / "data")

    assert_one_line(ran, 1, f"port {50051 + offset} (flagging) is taken", "--offset")


def test_a_detached_start_that_fails_is_one_line(data: Path) -> None:
    assert_one_line(ppo("up", "--detach", data=data), 1, "is in use by a stack")


def test_a_directory_with_other_things_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    assert_one_line(ppo("up", data=tmp_path), 1, "holds other things")


def test_a_wrong_date_is_one_line(data: Path) -> None:
    assert_one_line(ppo("check", "--family", "Kelly", "--born", "1979-13-04", data=data), 2, "no month 13")


def test_a_wrong_pnc_letter_is_one_line(data: Path) -> None:
    assert_one_line(ppo("check", "--pnc", "79/163001A", data=data), 2, "identifiers", "check letter")


def test_a_missing_file_is_one_line(data: Path) -> None:
    ran = ppo("nominals", "import", "no-such-file.jsonl", "--source", "niche", data=data)

    assert_one_line(ran, 2, "no-such-file.jsonl", "does not exist")


def test_an_unknown_suite_is_one_line(data: Path) -> None:
    assert_one_line(ppo("check", "--family", "Kelly", "--suite", "Z9", data=data), 2, "suite_id")


def test_a_row_that_is_refused_is_reported_and_the_rest_is_found(data: Path, tmp_path: Path) -> None:
    rows = tmp_path / "nominals.csv"
    rows.write_text(
        "source_reference,given_name,family_name,pnc_id\nN1,Shane,Kelly,79/163001B\nN2,Sean,Kelly,79/163001A\n"
    )

    imported = ppo("nominals", "import", str(rows), "--source", "niche", data=data)
    looked_for = ppo("nominals", "find", "--pnc", "79/163001B", "--json", data=data)
    checked = ppo("check", "--pnc", "79/163001B", "--json", data=data)

    assert imported.code == 3
    assert "line 3: person.identifiers" in imported.out
    [nominal] = [json.loads(line)["nominal"] for line in looked_for.out.splitlines()]
    assert nominal["person"]["name"]["family_name"] == "Kelly"
    assert checked.code == 0
    assert json.loads(checked.out)["answer"]["screening"]["outcome"] == "OUTCOME_NOT_FLAGGED"


def test_an_import_that_is_broken_off_loses_nothing(data: Path, tmp_path: Path) -> None:
    rows, first = tmp_path / "nominals.jsonl", next(population.nominals())
    population.write_nominals(rows)
    arguments = ("nominals", "import", str(rows), "--source", "broken off")

    with foreground(*arguments, data=data) as begun:
        asyncio.run(until_known(first.person, data))
        broken_off = begun.interrupt()
    again = ppo(*arguments, "--json", data=data)

    assert broken_off.code == 130
    assert broken_off.out.startswith("ppo: stopped; what was taken stays taken")
    report = json.loads(again.out)
    assert again.code == 0
    assert [report[name] for name in ("created", "unchanged", "refused")] == ["20000", "0", "0"]


def test_status_of_a_suite_that_is_well_ends_with_0(data: Path) -> None:
    ran = ppo("status", "--json", data=data)

    kept = {json.loads(line)["number"]: json.loads(line)["holds"] for line in ran.out.splitlines()}
    assert kept == {1: True, 2: True, 3: True, 4: True, 7: True}
    assert ran.code == 0


def test_ctrl_c_in_the_middle_of_a_start_is_one_line_and_the_next_start_is_whole(tmp_path: Path) -> None:
    data, offset = tmp_path / "data", str(free_offset())
    with foreground("up", "--offset", offset, data=data) as begun:
        begun.until("redis: ready")
        broken_off = begun.interrupt()
    left = processes_that_name(data)

    with foreground("up", "--offset", offset, data=data) as again:
        again.until("listening: ")
        stopped = again.interrupt()

    assert broken_off.code == 130
    assert broken_off.out.splitlines()[-1] == "ppo: stopped before it was ready"
    assert left == []
    assert stopped.code == 0
    assert stopped.out.splitlines()[-1] == f"stopped; the data stays in {data}"
    assert "Traceback" not in broken_off.out + stopped.out
    assert processes_that_name(data) == []


def test_ctrl_c_in_a_bench_is_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with foreground("bench", "check", "--flagged", "300", data=tmp_path, TMPDIR=str(tmp_path)) as begun:
        begun.until("rpc.empty")
        broken_off = begun.interrupt()

    assert broken_off.code == 130
    assert broken_off.out.splitlines()[-1] == "ppo: stopped; what was started is gone"
    assert [*tmp_path.iterdir()] == []
    assert processes_that_name(tmp_path) == []


async def until_known(person: pb.Person, data: Path) -> None:
    request = flagging.GetNominalRequest(
        identifier=person.identifiers[0], purpose=policy_pb2.PURPOSE_REGISTER
    )
    async with asyncio.timeout(60), session.Session(data, "register_keeper", "D1").flagging() as register:
        while True:
            with suppress(channel.CallError):
                await register.GetNominal(request, timeout=session.CALL_SECONDS)
                return
