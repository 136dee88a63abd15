"""Nominals in batches: each acknowledged once committed, taken up after a break, whoever was killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2
from services.console import population
from services.flagging.models import SCHEMA
from services.runtime.channel import reason, violations
from services.runtime.identity import Caller, issue
from tests import servers
from tests.builders import person, pnc_id
from tests.integration.flagging.service import PRIVATE, Service, refusal
from tests.integration.flagging.test_process import running, until_serving
from tests.integration.flagging.test_process import settings as process_settings

NOMINALS = 10_000
SECONDS = 100


def batch(last_line: int, *persons: person_pb2.Person, request_id: str = "r1", source: str = "pnc") -> Any:
    given = [
        pb.NominalRow(source_reference=f"n{line}", line=line, person=one)
        for line, one in enumerate(persons, start=last_line - len(persons) + 1)
    ]
    return pb.LoadNominalsRequest(request_id=request_id, source=source, rows=given, last_line=last_line)


def opening(**changes: str) -> Any:
    fields: dict[str, Any] = {"request_id": "r1", "source": "pnc"}
    return pb.LoadNominalsRequest(**(fields | changes))


def people(first: int, count: int) -> list[person_pb2.Person]:
    return [person("Sean", "Doyle", identifiers=[pnc_id(serial)]) for serial in range(first, first + count)]


async def load(service: Service, *requests: Any) -> list[pb.LoadNominalsResponse]:
    importer = await service.stub("importer")
    return [reply async for reply in importer.LoadNominals(iter(requests), timeout=60)]


async def broken_off(service: Service, *requests: Any) -> pb.LoadNominalsResponse:
    """The last acknowledgement of a stream that is cancelled after it."""
    call: Any = (await service.stub("importer")).LoadNominals(timeout=60)
    for request in requests:
        await call.write(request)
        reply: pb.LoadNominalsResponse = await call.read()
    call.cancel()
    return reply


def counts(report: pb.ImportReport) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.refused


async def test_each_batch_is_acknowledged_and_the_end_has_the_refusals(service: Service) -> None:
    bad = person("Tina", "Moore", identifiers=[pnc_id(1)])
    second = batch(5, bad)
    second.unreadable.add(line=4, field="row", rule="is not JSON")

    begun, first, then, ended = await load(service, opening(), batch(3, *people(1, 3)), second)

    assert [one.last_line for one in (begun, first, then, ended)] == [0, 3, 5, 5]
    assert [counts(one.report) for one in (first, then)] == [(3, 0, 0, 0), (3, 0, 0, 2)]
    assert [one.ended for one in (then, ended)] == [False, True]
    assert [(one.line, one.field, one.rule) for one in ended.report.refusals] == [
        (4, "row", "is not JSON"),
        (5, "person.identifiers[0]", "belongs to another nominal"),
    ]


async def test_an_import_that_broke_off_goes_on_behind_what_was_acknowledged(service: Service) -> None:
    before = await broken_off(service, opening(), batch(4, *people(1, 3), person(family="")))

    begun, *_, ended = await load(service, opening(), batch(6, *people(5, 2)))

    assert begun == before
    assert counts(ended.report) == (5, 0, 0, 1)
    assert [one.line for one in ended.report.refusals] == [4]


async def test_an_import_that_has_ended_is_a_new_one_and_changes_nothing(service: Service) -> None:
    whole = (opening(), batch(3, *people(1, 3)))
    await load(service, *whole)

    begun, *_, ended = await load(service, *whole)

    assert begun.last_line == 0
    assert counts(ended.report) == (0, 0, 3, 0)


async def test_another_import_of_the_source_ends_the_one_that_broke_off(service: Service) -> None:
    await broken_off(service, opening(), batch(3, *people(1, 3)))

    begun, *_ = await load(service, opening(request_id="r2"))
    again, *_ = await load(service, opening())

    assert (begun.last_line, again.last_line) == (0, 0)


async def test_of_two_streams_of_one_import_the_one_that_is_behind_ends(service: Service) -> None:
    call: Any = (await service.stub("importer")).LoadNominals(timeout=60)
    await call.write(opening())
    await call.read()
    await load(service, opening(), batch(3, *people(1, 3)))

    await call.write(batch(2, *people(1, 2)))
    error = await refusal(call.read())

    assert (error.code(), reason(error)) == (grpc.StatusCode.ALREADY_EXISTS, "CONFLICT")


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "request_id"),
        ([batch(1, *people(1, 1))], "rows"),
        ([opening(), batch(1, *people(1, 1), request_id="r2")], "request_id"),
        ([opening(), batch(1, *people(1, 1), source="other")], "source"),
        ([opening(), batch(2, *people(1, 2)), batch(2, *people(1, 1))], "last_line"),
        ([opening(), batch(1_001, *people(1, 1_001))], "rows"),
        ([opening(request_id="r" * 201)], "request_id"),
    ],
)
async def test_a_stream_that_breaks_the_contract_is_refused(
    service: Service, requests: list[Any], field: str
) -> None:
    error = await refusal(load(service, *requests))

    assert [name for name, _ in violations(error)] == [field]


async def test_the_same_key_twice_in_a_batch_is_taken_in_its_order(service: Service) -> None:
    twice = batch(
        2, person("Sean", "Doyle", identifiers=[pnc_id(1)]), person("Sean", "Hill", identifiers=[pnc_id(1)])
    )
    twice.rows[1].source_reference = twice.rows[0].source_reference

    *_, ended = await load(service, opening(), twice)

    assert counts(ended.report) == (1, 1, 0, 0)
    assert (await service.read(pnc_id(1))).person.name.family_name == "Hill"


async def test_text_that_a_copy_would_part_is_kept_as_it_is(service: Service) -> None:
    odd = "O'\t\"Neill\\\n\r{},N\\\\."
    row = batch(1, person("Séan", odd, identifiers=[pnc_id(1)]))
    row.rows[0].source_reference = odd

    await load(service, opening(source=odd), pb.LoadNominalsRequest(**_fields(row, source=odd)))

    kept = await service.read(pnc_id(1))
    assert (kept.source, kept.person.name.family_name) == (odd, odd)
    *_, again = await load(service, opening(source=odd), pb.LoadNominalsRequest(**_fields(row, source=odd)))
    assert counts(again.report) == (0, 0, 1, 0)


def _fields(request: pb.LoadNominalsRequest, **changes: str) -> dict[str, Any]:
    return {field.name: value for field, value in request.ListFields()} | changes


texts = st.text(max_size=12)
Fields = st.SearchStrategy[dict[str, Any]]
dates: Fields = st.builds(
    dict, year=st.integers(-1, 10_000), month=st.integers(-1, 13), day=st.integers(-1, 32)
)
names: Fields = st.builds(dict, given_name=texts, family_name=texts)
numbers: Fields = st.builds(dict, kind=st.integers(0, 9), value=texts | st.just("01/171310W"))
persons: Fields = st.builds(
    dict,
    name=names,
    aliases=st.lists(names, max_size=3),
    birth_date=dates,
    sex=st.integers(0, 9),
    ethnicity_code=texts | st.just("W1"),
    identifiers=st.lists(numbers, max_size=3),
)
any_rows: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(dict, source_reference=texts, person=persons), max_size=20
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(any_rows)
async def test_whatever_a_row_holds_it_is_taken_or_refused_and_never_an_error_of_ours(
    service: Service, given: list[dict[str, Any]]
) -> None:
    request = opening(source="fuzz")
    request.rows.extend(pb.NominalRow(**row, line=line) for line, row in enumerate(given, start=1))
    request.last_line = len(given) + 1

    *_, ended = await load(service, opening(source="fuzz"), request)

    assert sum(counts(ended.report)) == len(given)
    assert ended.report.refused == len(ended.report.refusals)


# ---- killed


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "nominals.jsonl"
    population.write_nominals(path, count=NOMINALS)
    return path


class Index:
    """The database of a killed process, as others see it."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}?options=-csearch_path%3D{SCHEMA}"

    def acknowledged(self) -> int:
        return self._one("SELECT coalesce(max(last_line), 0) FROM nominal_import")

    def nominals(self) -> int:
        return self._one("SELECT count(*) FROM nominal")

    def until_under_way(self) -> int:
        while not (line := self.acknowledged()):
            pass
        return line

    def _one(self, query: Any) -> int:
        with psycopg.connect(self._url) as connection:
            return int(connection.execute(query).fetchone()[0])  # type: ignore[index]


def command(file: Path, address: str) -> "subprocess.Popen[str]":
    token = issue(PRIVATE, Caller("importer-1", "importer", "D1", datetime.now(UTC) + timedelta(hours=1)))
    return subprocess.Popen(
        [sys.executable, "-m", "services.console", "nominals", "import", str(file), "--source", "niche"],
        env=os.environ | {"PPO_FLAGGING_TARGET": address, "PPO_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


ALL_CREATED = f"{NOMINALS:,} created, 0 updated, 0 unchanged, 0 refused\n"


async def test_a_killed_command_begins_again_where_it_was(
    own: servers.Database, tmp_path: Path, file: Path
) -> None:
    environment, index = process_settings(own.url(SCHEMA), tmp_path), Index(own.url(SCHEMA))
    address = environment["PPO_FLAGGING_LISTEN"]
    with running(environment):
        await until_serving(address)
        first = command(file, address)
        index.until_under_way()
        first.kill()
        first.communicate()

        again = command(file, address)
        told, _ = again.communicate(timeout=SECONDS)

    assert first.returncode == -signal.SIGKILL
    # A row that was sent twice would be unchanged.
    assert told == ALL_CREATED
    assert index.nominals() == NOMINALS


async def test_a_killed_service_loses_nothing_that_it_acknowledged(
    own: servers.Database, tmp_path: Path, file: Path
) -> None:
    environment, index = process_settings(own.url(SCHEMA), tmp_path), Index(own.url(SCHEMA))
    address = environment["PPO_FLAGGING_LISTEN"]
    with running(environment) as killed:
        await until_serving(address)
        importing = command(file, address)
        index.until_under_way()
        killed.kill()
    acknowledged, kept = index.acknowledged(), index.nominals()
    with running(environment):
        told, _ = importing.communicate(timeout=SECONDS)

    assert 0 < acknowledged == kept < NOMINALS
    assert told == ALL_CREATED
    assert index.nominals() == NOMINALS


async def test_an_import_whose_checker_was_killed_goes_on_with_a_new_one(service: Service) -> None:
    call: Any = (await service.stub("importer")).LoadNominals(timeout=60)
    for request in (opening(), batch(3, *people(1, 3))):
        await call.write(request)
        await call.read()

    for checker in multiprocessing.active_children():
        checker.kill()
    await call.write(batch(5, *people(4, 2)))
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()

    *_, after = await load(service, opening(), batch(5, *people(4, 2)))
    assert reason(ended.value) == "CHECKER_UNAVAILABLE"
    assert counts(after.report) == (5, 0, 0, 0)
