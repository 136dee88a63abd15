"""At most one live registration a person, whoever writes at the same time and however."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Barrier
from typing import Any, TypeVar, cast

import grpc
import psycopg
import pytest
import pytest_asyncio
from psycopg.errors import ForeignKeyViolation, RaiseException, UniqueViolation
from sqlalchemy import text

from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from services.flagging.models import SCHEMA
from services.runtime.channel import reason
from services.runtime.identity import Caller, issue
from tests import servers
from tests.builders import person, pnc_id
from tests.integration.flagging.service import PRIVATE, Service, decision, nomination

THREADS = 12
PERSONS = 6

INSERT = """
    INSERT INTO registration (registration_id, nominal_id, state, strand, criteria, nominating_ocu,
                              removal_reason, provenance, version, opened_time, recorded_time)
    VALUES (gen_random_uuid(), %s, %s, 1, '{1}', 'D1', 0, 1, 1, now(), now())
"""


T = TypeVar("T")


async def at_once(act: Callable[[int], T]) -> list[T]:
    """In a thread each, however few processors there are."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as threads:
        return await asyncio.gather(*(loop.run_in_executor(threads, act, place) for place in range(THREADS)))


@pytest_asyncio.fixture
async def replicas(own: servers.Database) -> AsyncIterator[tuple[Service, Service]]:
    """Two of one register, with one clock."""
    async with AsyncExitStack() as stack:
        first = await Service.start(own.url(SCHEMA), stack)
        yield first, await Service.start(own.url(SCHEMA), stack, first.clock)


async def test_of_many_threads_at_two_replicas_one_registers_each_person(
    replicas: tuple[Service, Service],
) -> None:
    nominals = [
        await replicas[0].nominal(person(identifiers=[pnc_id(place)])) for place in range(1, PERSONS + 1)
    ]
    together = Barrier(THREADS)

    lives = await at_once(lambda place: live(replicas[place % 2].port, nominals, together, Random(place)))
    outcomes = Counter(outcome for told in lives for outcome in told)

    assert outcomes == {"ACTIVE": PERSONS, "ON_REGISTER": PERSONS * (THREADS - 1)}
    async with replicas[0].database.transaction() as session:
        rows = await session.execute(text("SELECT nominal_id, state FROM registration"))
        assert sorted((str(nominal_id), state) for nominal_id, state in rows) == sorted(
            (nominal_id, 3) for nominal_id in nominals
        )


def answered(rpc: Any, request: Any, bearer: Any) -> Any:
    """The same request again where a busy machine let it wait for a lock too long."""
    while True:
        try:
            return rpc(request, timeout=60, metadata=bearer)
        except grpc.RpcError as error:
            if cast(Any, error).code() != grpc.StatusCode.UNAVAILABLE:
                raise


def live(port: int, nominals: list[str], together: Barrier, chance: Random) -> list[str]:
    """One caller with a thread and a connection of its own."""
    token = issue(PRIVATE, Caller("keeper", "register_keeper", "D1", datetime.now(UTC) + timedelta(hours=1)))
    bearer = [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as wire:
        # Its type is that of the asynchronous stub.
        keeper: Any = FlaggingServiceStub(cast(Any, wire))
        told = []
        together.wait()
        for nominal_id in chance.sample(nominals, len(nominals)):
            try:
                nominated = answered(keeper.NominatePpo, nomination(nominal_id), bearer)
                answered(keeper.DecideNomination, decision(nominated.registration), bearer)
                told.append("ACTIVE")
            except grpc.RpcError as error:
                told.append(reason(cast(Any, error)) or str(error))
        return told


@pytest.mark.parametrize("states", [(3, 3), (1, 5), (2, 3)])
async def test_the_database_itself_takes_one_live_registration_of_a_person(
    own: servers.Database, service: Service, states: tuple[int, int]
) -> None:
    nominal_id = await service.nominal(person(identifiers=[pnc_id(1)]))
    together = Barrier(THREADS)

    def write(place: int) -> str:
        with psycopg.connect(own.url(SCHEMA)) as connection:
            together.wait()
            try:
                connection.execute(INSERT, [nominal_id, states[place % 2]])
            except UniqueViolation as refused:
                return refused.diag.constraint_name or ""
        return "written"

    told = Counter(await at_once(write))

    assert told == {"written": 1, "registration_live": THREADS - 1}


async def test_the_database_takes_a_live_registration_beside_ended_ones(
    own: servers.Database, service: Service
) -> None:
    nominal_id = await service.nominal(person(identifiers=[pnc_id(1)]))

    with psycopg.connect(own.url(SCHEMA)) as connection:
        for state in (4, 7, 7, 3):
            connection.execute(INSERT, [nominal_id, state])
        with pytest.raises(UniqueViolation):
            connection.execute("UPDATE registration SET state = 1 WHERE state = 4")


NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO nominal_identifier (kind, value, nominal_id) VALUES (3, 'A1234BC', %s)",
        "UPDATE nominal_identifier SET nominal_id = %s",
    ],
)
async def test_an_identifier_is_of_a_nominal_however_it_is_written(
    own: servers.Database, service: Service, statement: Any
) -> None:
    await service.load(person(identifiers=[pnc_id(1)]))

    with psycopg.connect(own.url(SCHEMA)) as connection, pytest.raises(ForeignKeyViolation):
        connection.execute(statement, [NOBODY])


@pytest.mark.parametrize("statement", ["DELETE FROM nominal", f"UPDATE nominal SET nominal_id = '{NOBODY}'"])
async def test_a_nominal_stays_whoever_writes(
    own: servers.Database, service: Service, statement: Any
) -> None:
    await service.load(person())

    with psycopg.connect(own.url(SCHEMA)) as connection, pytest.raises(RaiseException):
        connection.execute(statement)
