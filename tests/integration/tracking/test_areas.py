"""Postcodes through the real process: loaded by version, looked up, decided again on their day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.type.date_pb2 import Date
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.embedded import clock
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.reference import Reference
from services.tracking.addresses import AREAS
from services.tracking.models import SCHEMA, due
from services.tracking.reforming import REFORM, Reforming
from tests.integration.tracking.running import NOW, REGISTERED, SECONDS, Ppo, World, hmpps, stamp
from tests.processes import Processes

SINCE = date(2004, 4, 1)
MOVES = date(2005, 2, 1)


def row(
    postcode: str, area: str, start: date = SINCE, end: date | None = None, premises: str = ""
) -> pb.AreaRow:
    return pb.AreaRow(
        postcode=postcode,
        premises=premises,
        area=area,
        effective_start_date=proto(start),
        effective_end_date=proto(end) if end else None,
    )


def proto(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


async def sent(world: World, *rows: pb.AreaRow, **head: Any) -> pb.LoadAreasResponse:
    request = pb.LoadAreasRequest(request_id=str(uuid4()), **head)

    def messages() -> Iterator[pb.LoadAreasRequest]:
        yield request
        yield pb.LoadAreasRequest(request_id=request.request_id, rows=rows)

    keeper = await world.tracking("register_keeper", "west-midlands-police")
    return await keeper.LoadAreas(messages(), timeout=SECONDS)


async def tried(world: World, *rows: pb.AreaRow) -> pb.LoadAreasResponse:
    return await sent(world, *rows, validate_only=True)


async def loaded(world: World, *rows: pb.AreaRow, reason: str = "a test") -> pb.LoadAreasResponse:
    base = (await tried(world, *rows)).version
    return await sent(world, *rows, base_version=base, reason=reason)


async def lives(world: World, ppo: Ppo, **told: Any) -> pb.Case:
    request = pb.SetResidenceRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        kind=pb.RESIDENCE_KIND_HOME,
        effective_time=stamp(REGISTERED - timedelta(days=30)),
        **told,
    )
    return (await (await world.tracking()).SetResidence(request, timeout=SECONDS)).case


async def violated(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    [violation] = channel.violations(refused.value)
    return violation


async def test_a_postcode_gives_the_ocu_and_what_was_told_bears_the_version(world: World) -> None:
    version = (await loaded(world, row("B33", "D3"), row("B33 8", "E1"))).version
    ppo = await world.known(Ppo(ocu="F1"))

    case = await lives(world, ppo, postcode="b338th")

    assert (case.ownership.owner, case.ownership.rule) == ("E1", "O5")
    assert stored(world, ppo) == ("B33 8TH", "E1", version)


async def test_a_boundary_is_previewed_and_then_decides_the_cases_it_touches_on_its_day(
    world: World, processes: Processes
) -> None:
    before = [row("B33", "D3"), row("B34", "D3")]
    after = [row("B33", "D3", end=MOVES), row("B33", "E1", MOVES), row("B34", "D3")]
    await loaded(world, *before)
    ppo, neighbour = await world.known(Ppo(ocu="F1")), await world.known(Ppo(ocu="F1"))
    await lives(world, ppo, postcode="B33 8TH")
    await lives(world, neighbour, postcode="B34 8TH")

    trial = await tried(world, *after)
    standing = (await world.ownership(ppo)).owner
    done = await loaded(world, *after)

    # The people of other tests may live there too.
    changes = {change.nominal_id: change for change in trial.changes}
    assert neighbour.nominal_id not in changes
    change = changes[ppo.nominal_id]
    assert (change.owner, change.new_owner) == ("D3", "E1")
    assert change.effective_time.ToDatetime(UTC) == datetime(2005, 2, 1, tzinfo=UTC)
    assert (standing, done.version) == ("D3", trial.version + 1)
    assert done.cases_touched == trial.cases_touched >= 1
    try:
        clock.move(Path(processes.directory), datetime(2005, 2, 1, tzinfo=UTC) + timedelta(seconds=1))
        case = await world.case(ppo, lambda case: case.ownership.owner == "E1")
        assert (await world.ownership(neighbour)).owner == "D3"
    finally:
        clock.move(Path(processes.directory), NOW)
    assert case.ownership.effective_time.ToDatetime(UTC) == datetime(2005, 2, 1, tzinfo=UTC)
    assert "by the boundary of 1 February 2005" in case.ownership.facts[0]


async def test_an_error_in_the_areas_that_is_righted_decides_the_past_again(world: World) -> None:
    await loaded(world, row("B35", "D3"))
    ppo = await world.known(Ppo(ocu="F1"))
    await lives(world, ppo, postcode="B35 6AA")

    await loaded(world, row("B35", "D2"))

    case = await world.case(ppo, lambda case: case.ownership.owner == "D2")
    assert case.ownership.effective_time.ToDatetime(UTC) == REGISTERED


async def test_who_has_lived_there_since_before_the_areas_begin_is_told_by_postcode_too(
    world: World,
) -> None:
    await loaded(world, row("B37", "D3"))
    ppo = await world.known(Ppo(ocu="F1"))
    request = pb.SetResidenceRequest(
        request_id=str(uuid4()),
        nominal_id=ppo.nominal_id,
        kind=pb.RESIDENCE_KIND_HOME,
        postcode="B37 6AA",
        effective_time=stamp(datetime(1990, 5, 1, 9, tzinfo=UTC)),
    )

    told = await (await world.tracking()).SetResidence(request, timeout=SECONDS)

    assert told.case.ownership.owner == "D3"


async def test_an_area_that_there_is_not_is_refused(world: World) -> None:
    ppo = await world.known(Ppo())

    refused = await violated(world.lives(ppo, "Z9"))

    assert refused == ("ocu", "is no OCU, and no area outside, that the reference data knows")


async def test_a_boundary_that_is_known_already_counts_for_a_residence_told_after_it(world: World) -> None:
    await loaded(world, row("B36", "D3", end=date(2004, 12, 1)), row("B36", "E1", date(2004, 12, 1)))
    ppo = await world.known(Ppo(ocu="F1"))

    owned = (await lives(world, ppo, postcode="B36 1AA")).ownership

    assert owned.owner == "E1"
    assert owned.effective_time.ToDatetime(UTC) == datetime(2004, 12, 1, tzinfo=UTC)
    # Where it lay on the day that the person came.
    assert stored(world, ppo)[1] == "D3"


async def test_a_release_goes_to_the_ocu_that_the_address_lies_in_on_that_day(world: World) -> None:
    await loaded(world, row("B37", "D3", end=MOVES), row("B37", "F2", MOVES), row("B38", "E2"))
    ppo = await world.known(Ppo(ocu="E3"))
    await lives(world, ppo, ocu="E3")
    await world.publish(hmpps("received", ppo.number, NOW - timedelta(days=9), "ADMISSION", "BMI", "I"))
    await world.moved(ppo, 1)

    async def planned(day: date, **told: Any) -> pb.Ownership:
        request = pb.PlanReleaseRequest(
            request_id=str(uuid4()), nominal_id=ppo.nominal_id, release_date=proto(day), **told
        )
        prison = await world.tracking("prison_offender_management_unit", "BMI")
        return (await prison.PlanRelease(request, timeout=SECONDS)).case.ownership

    assert (await planned(date(2005, 1, 31), postcode="B37 1AA")).proposed_owner == "D3"
    assert (await planned(MOVES, postcode="B37 1AA")).proposed_owner == "F2"
    # The date alone is moved; the address goes with it.
    assert (await planned(date(2005, 1, 30), date_alone=True)).proposed_owner == "D3"


async def test_what_is_at_odds_is_refused_by_field_and_rule(world: World) -> None:
    await loaded(world, row("B33", "D3"))
    ppo = await world.known(Ppo())

    assert await violated(lives(world, ppo, postcode="B33")) == (
        "postcode",
        "is no whole postcode, such as B33 8TH",
    )
    assert await violated(lives(world, ppo, postcode="B33 8TH", ocu="D3")) == (
        "ocu",
        "is not given with a postcode",
    )
    assert await violated(lives(world, ppo, ocu="D3", premises="14")) == ("premises", "goes with a postcode")
    assert await violated(lives(world, ppo, ocu="D3", area_version=1)) == (
        "area_version",
        "is not for callers to give",
    )
    assert (await violated(lives(world, ppo, postcode="B99 8TH")))[0] == "postcode"
    assert await violated(tried(world, row("B33", "E33"))) == (
        "rows[0].area",
        "is no OCU, and no area outside, that is known",
    )
    assert await violated(tried(world, row("B33", "D3"), row("b33", "E1"))) == (
        "rows[1].effective_start_date",
        "overlaps row 1, of the same postcode",
    )
    assert (await violated(tried(world)))[0] == "rows"
    assert await violated(sent(world, row("B33", "D3"))) == ("reason", "is required")


async def test_a_load_that_was_tried_against_another_version_is_refused(world: World) -> None:
    base = (await tried(world, row("B33", "D3"))).version
    await loaded(world, row("B33", "D3"), row("B41", "E2", premises=""))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sent(world, row("B33", "D3"), row("B42", "E2"), base_version=base, reason="a test")

    assert channel.reason(refused.value) == "ANOTHER_VERSION"


async def test_each_version_says_who_loaded_it_and_why_and_the_same_again_is_none(world: World) -> None:
    rows = [row("B33", "D3"), row("B43", "F3")]
    done = await loaded(world, *rows, reason="as agreed on Monday")
    again = await loaded(world, *rows, reason="once more")

    keeper = await world.tracking("register_keeper", "west-midlands-police")
    listed = await keeper.ListAreaVersions(pb.ListAreaVersionsRequest(), timeout=SECONDS)

    latest = listed.versions[0]
    assert again.version == done.version == latest.version
    assert (latest.reason, latest.loaded_by.endswith(", west-midlands-police")) == (
        "as agreed on Monday",
        True,
    )


async def test_an_address_is_found_with_what_is_to_come_and_the_agencies_of_its_ocu(world: World) -> None:
    await loaded(
        world, row("B33", "D3", end=MOVES), row("B33", "E1", MOVES), row("B33 8TH", "D2", premises="14")
    )
    service = await world.tracking()

    async def found(**asked: Any) -> pb.SearchAreasResponse:
        return await service.SearchAreas(pb.SearchAreasRequest(**asked), timeout=SECONDS)

    today = await found(postcode="B33 8TH")
    assert (today.area, today.later[0].area) == ("D3", "E1")
    assert (await found(postcode="B33 8TH", date=proto(MOVES))).area == "E1"
    assert (await found(postcode="B33 8TH", premises="14")).area == "D2"
    assert {(agency.kind, agency.id) for agency in today.agencies} >= {
        ("probation offices", "probation-2"),
        ("probation offices", "probation-3"),
        ("primary care trusts", "pct-eastern"),
        ("youth offending teams", "birmingham-yot"),
        ("drug teams", "dip-2"),
        ("ldgs", "ldg-3"),
        ("forums", "forum-d3-north"),
    }


def stored(world: World, ppo: Ppo) -> tuple[str, str, int]:
    with psycopg.connect(world.processes.database.superuser) as connection:
        asked = "SELECT message FROM tracking.fact WHERE nominal_id = %s AND message_type LIKE %s"
        [(content,)] = connection.execute(asked, (ppo.nominal_id, "%SetResidenceRequest")).fetchall()
    told = pb.SetResidenceRequest.FromString(content)
    return told.postcode, told.ocu, told.area_version


async def test_on_the_day_of_a_reform_every_live_case_is_to_be_decided_again(
    world: World, tmp_path: Path
) -> None:
    ppo, gone = await world.known(Ppo()), await world.known(Ppo(end=NOW - timedelta(days=1)))
    tables = '[columns.ocus]\nname = "text"\n[columns.youth_offending_teams]\nocus = "texts"\n'
    end = '[[ocus]]\nid = "E3"\nfrom = 2004-04-01\nto = 2005-04-01\nname = "E3"\n'
    (tmp_path / "ocus.toml").write_text(tables + end)
    database = Database(world.processes.database.url(SCHEMA), SCHEMA)
    reforming = Reforming(database, Clock(clock.file(world.processes.directory)), Reference.load(tmp_path))
    try:
        await reforming.plan()
        async with database.transaction() as session:
            planned = await waiting(session, REFORM)
            await reforming.decide(session, "")
            concerned = await waiting(session, AREAS)
    finally:
        await database.close()

    assert planned == {"reform 2005-03-31T23:00:00+00:00"}
    assert ppo.nominal_id in concerned
    assert gone.nominal_id not in concerned


async def waiting(session: AsyncSession, kind: str) -> set[str]:
    return set(await session.scalars(select(due.table.c.key).where(due.table.c.kind == kind)))
